"""Verbs on two versions of ICD-10-GM: what differs between them, and what that means for coded records."""

import os
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import polars as pl

from onkocode.catalogues.fetching.sources import TERMS_SENTENCE
from onkocode.catalogues.versions.changes import (
    ENTRY_KINDS,
    KINDS,
    OFFICIAL,
    chain,
    compare_codes,
    compare_entries,
    count_codes,
    misfits,
    reverse,
)
from onkocode.catalogues.versions.confirm import check_alphaid, check_links, valid_codes
from onkocode.catalogues.versions.opening import (
    FileFacts,
    MissingCatalogueError,
    links_between,
    open_catalogue,
    open_transitions,
)
from onkocode.catalogues.versions.recode import COUNTS, make_plan, read_records, work_list, write_work_list
from onkocode.catalogues.vocabulary.written_codes import forms_note, marks_note
from onkocode.records.errors import InputError
from onkocode.records.files import new_directory, new_file, write_text
from onkocode.records.provenance import Provenance
from onkocode.terminal import say

T = TypeVar("T")
FILES = ("changes.tsv", "entries.tsv", "report.md", "provenance.json")
SHOWN_ENTRIES = 20
SHOWN_CHARACTERS = 80  # of a title, where the report is printed


@dataclass(frozen=True)
class Opened:
    """Both label spaces, the transitions between them (None: a table is missing), and what the user should know."""

    old: pl.DataFrame
    new: pl.DataFrame
    transitions: pl.DataFrame | None
    facts: FileFacts = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def diff_catalogues(options: Namespace) -> None:
    """List what changes between two versions."""
    settings = {"old": options.old, "new": options.new, "all_codes": options.all_codes}
    record = Provenance("catalogues diff", settings, {})
    if options.output:
        _check_output(options.output)
    opened = _open(options, options.old, options.new)
    changes = compare_codes(opened.old, opened.new, opened.transitions, options.all_codes)
    before, after = (_entries(options, version, opened) for version in (options.old, options.new))
    entries = compare_entries(before, after, changes, options.all_codes)
    if options.output is None:
        say(_report(options, opened, changes, entries, SHOWN_CHARACTERS))
        return
    record.add(inputs=opened.facts, changes=_counts(opened, changes), entries=entries.height, notes=opened.notes)
    with new_directory(options.output.resolve()) as folder:
        for name, table in (("changes", changes), ("entries", entries)):
            write_text(folder / f"{name}.tsv", table.write_csv(separator="\t"))
        report = _report(options, opened, changes, entries) + f"\n\n{TERMS_SENTENCE}\n"
        write_text(folder / "report.md", report)
        record.write(folder)
    say(f"{options.output}: {changes.height} rows of changes, {entries.height} entries")


def recode_catalogues(options: Namespace) -> None:
    """Write the work list for coded records. Of the records only counts are printed."""
    settings = {"from": options.from_, "to": options.to, "id": options.id, "column": options.column}
    output = options.output or options.file.with_name(options.file.name + ".recode.csv")
    of_file: list[str] = []
    records = read_records(options.file, options.id, options.column, of_file)
    record = Provenance("catalogues recode", settings, {"file": options.file})
    opened = _open(options, options.from_, options.to)
    plan = make_plan(opened.old, opened.new, opened.transitions, (options.from_, options.to))
    counts: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    with _private(), new_file(output) as temporary:
        guarded = write_work_list(work_list(records, plan, counts, taken), temporary)
        if output.exists() and output.read_bytes() != temporary.read_bytes():
            raise InputError(
                f"{output}: exists with other content, perhaps with somebody's notes; move it away, or name another "
                f"file with --output"
            )
        record.record["inputs"] |= opened.facts
        formulas = [f"{guarded} record(s) with a cell that begins as a formula; ' stands before it."] if guarded else []
        notes = [*marks_note(taken), *of_file, *formulas, *opened.notes]
        record.add(counts=dict(counts), notes=[*forms_note(taken), *notes])
        record.write(output)
    say(_summary(options, counts, notes, output))


def _open(options: Namespace, old: str, new: str) -> Opened:
    if old == new:
        raise InputError(f"both versions are {old}; name two different ones")
    facts: FileFacts = {}
    notes: list[str] = []
    place = _place(options, old, new, facts)
    before, after = (open_catalogue("icd10gm", version, *place)[1] for version in (old, new))
    links = {
        link: _if_there(partial(open_transitions, link, *place), f"transition table {link}", notes)
        for link in links_between(old, new)
    }
    known = {link: table for link, table in links.items() if table is not None}
    if len(known) < len(links):
        notes.append(
            "Without all transition tables only the label spaces are compared: moved and merged codes are not known, "
            "nor splits in which the old code goes on."
        )
        return Opened(before, after, None, facts, notes)
    backward = old.isdecimal() and new.isdecimal() and int(old) > int(new)
    check_links(known, *((after, before) if backward else (before, after)), facts)
    whole = chain(list(known.values()))
    transitions = reverse(whole) if backward else whole
    if unknown := misfits(transitions, before, after):
        notes.append(
            f"The transition tables name {len(unknown)} code(s) that are not terminal in the version of their side "
            f"({', '.join(unknown[:3])}{' …' if len(unknown) > 3 else ''}); are all files of the same edition?"
        )
    return Opened(before, after, transitions, facts, notes)


def _place(
    options: Namespace, old: str, new: str, facts: FileFacts
) -> tuple[Path, Path | None, bool, FileFacts, dict[str, Path]]:
    """Return what opening a catalogue asks for; raises InputError where a file is named for what is not read here."""
    read = [f"{dataset}-{version}" for dataset in ("icd10gm", "alphaid") for version in (old, new)]
    read += [f"transitions-{link}" for link in links_between(old, new)]
    named = dict(options.catalogue)
    if other := [name for name in named if name not in read]:
        raise InputError(f"--catalogue: {', '.join(other)} is not read here; name files for {', '.join(read)}")
    return options.sources, options.folder, options.consent is True, facts, named


def _entries(options: Namespace, version: str, opened: Opened) -> pl.DataFrame | None:
    place = _place(options, options.old, options.new, opened.facts)
    name = f"Alpha-ID {version}"
    found = _if_there(partial(open_catalogue, "alphaid", version, *place), name, opened.notes)
    if found is None:
        return None
    codes = valid_codes(found[0])
    space, catalogue = opened.old if version == options.old else opened.new, f"ICD-10-GM {version}"
    if unknown := check_alphaid(codes, space, (name, catalogue)):
        opened.notes.append(
            f"{name} has {len(unknown)} code(s) that are not terminal in {catalogue} ({', '.join(unknown[:3])}"
            f"{' …' if len(unknown) > 3 else ''}); are both of the same year?"
        )
    return found[0]


def _if_there(open_it: Callable[[], T], name: str, notes: list[str]) -> T | None:
    try:
        return open_it()
    except MissingCatalogueError as error:
        notes.append(f"Not available: {name} ({error}).")
        return None


def _check_output(output: Path) -> None:
    """Refuse a directory that holds anything else, since the new one replaces it."""
    if output.is_dir() and all(path.name in FILES for path in output.iterdir()):
        return
    if output.exists():
        raise InputError(f"{output}: holds something else than an earlier result; name a new or empty directory")


def _report(
    options: Namespace, opened: Opened, changes: pl.DataFrame, entries: pl.DataFrame, characters: int = 1000
) -> str:
    """Return the report as Markdown; titles are cut after ``characters``."""
    scope = pl.lit(True) if options.all_codes else pl.col("tumour")
    terminal = [codes.filter(scope & pl.col("terminal")).height for codes in (opened.old, opened.new)]
    of = "codes" if options.all_codes else "tumour codes (C00–D48)"
    counts = [{"change": kind, "codes": n, "meaning": KINDS[kind]} for kind, n in _counts(opened, changes).items()]
    found = dict(entries.group_by("change").len().iter_rows())
    kinds = [
        {"change": kind, "entries": found[kind], "meaning": ENTRY_KINDS[kind]} for kind in ENTRY_KINDS if kind in found
    ]
    shown = entries.head(SHOWN_ENTRIES).select(
        "change", "old_id", "new_id", "old_code", "new_code", text=pl.coalesce("new_text", "old_text")
    )
    more = entries.height - shown.height
    parts = [
        f"# ICD-10-GM {options.old} → {options.new}: {of}",
        f"Terminal codes: {terminal[0]} in {options.old} (OLD), {terminal[1]} in {options.new} (NEW).",
        _table(pl.DataFrame(counts), 100),
        "## Codes",
        _table(changes, characters) if changes.height else "No code changes.",
        "## Training entries (Alpha-ID)",
        _table(pl.DataFrame(kinds), 100) if kinds else "None, as far as Alpha-ID was there.",
        *([_table(shown, characters)] if kinds else []),
        *([f"… and {more} more; `--output DIR` writes all of them to entries.tsv."] if more else []),
        "## What this report does not cover",
        "\n".join(f"- {note}" for note in [*opened.notes, "Versions of ICD-O-3 and OPS are not compared."]),
    ]
    return "\n\n".join(parts)


def _counts(opened: Opened, changes: pl.DataFrame) -> dict[str, int | str]:
    known = opened.transitions is not None
    return {kind: n if known or kind not in OFFICIAL else "unknown" for kind, n in count_codes(changes).items()}


def _table(frame: pl.DataFrame, characters: int) -> str:
    """Return a frame as an aligned Markdown table; texts are in composed letters, so that a letter is a place."""
    rows = [frame.columns, *([_cell(value, characters) for value in row] for row in frame.iter_rows())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def _cell(value: object, characters: int) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "automatic", False: "no"}[value]
    text = str(value)
    return (text if len(text) <= characters else text[: characters - 1] + "…").replace("|", "\\|")


def _summary(options: Namespace, counts: Counter[str], notes: list[str], output: Path) -> str:
    records = sum(counts[count] for count in COUNTS)
    rows = {"records": records} | {label.format(old=options.from_): counts[count] for count, label in COUNTS.items()}
    width = max(map(len, rows))
    listed = records - counts["unaffected"] - counts["empty"]
    lines = [f"ICD-10-GM {options.from_} → {options.to}"]
    lines += [f"{label:<{width}}  {n:>{len(str(records))}}" for label, n in rows.items()]
    lines += [f"Codes in another form than C50.9, read all the same: {counts['normalised']}"]
    return "\n".join([*lines, *notes, f"{output}: {listed} record(s) to look at"])


@contextmanager
def _private() -> Iterator[None]:
    """Let this process' new files be readable by their owner only. The folder is the user's own and stays as it is."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
