"""Steps on two versions of ICD-10-GM: what differs between them, and what that means for coded records."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onkocode.records.errors import InputError
from onkocode.records.files import new_directory, new_file, write_text
from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.options import SOURCES, Json, NamedPaths
from onkocode.terminal import say

FILES = ("changes.tsv", "entries.tsv", "report.md", "provenance.json")


@step("catalogues diff", by_hand=True)
def diff_catalogues(
    old: str,
    new: str,
    /,
    *,
    all_codes: bool = False,
    sources: Path = SOURCES,
    folder: Path | None = None,
    consent: Json = None,
    catalogue: NamedPaths = (),
    output: Path | None = None,
) -> None:
    """List the tumour codes and training entries that change between two versions of ICD-10-GM.

    Args:
        old: the old version, e.g. 2023
        new: the new version, e.g. 2024 (it may also be the earlier one)
        all_codes: list all changed codes, not only those of tumours
        sources: table of sources
        folder: folder with files of yours; default: ONKOCODE_CATALOGUES
        consent: true: you have read and accept the terms of use
        catalogue: files that you name for a version, e.g. icd10gm-2022=codes.txt or transitions-2021_2022=table.txt
        output: directory for changes.tsv, entries.tsv and report.md; default: print
    """
    from onkocode.catalogues.fetching.sources import TERMS_SENTENCE
    from onkocode.catalogues.versions.changes import compare_codes, compare_entries
    from onkocode.catalogues.versions.opening import CataloguePlace
    from onkocode.catalogues.versions.pair import open_entries, open_pair
    from onkocode.catalogues.versions.report import SHOWN_CHARACTERS, count_changes, report_changes

    record = Provenance("catalogues diff", {"old": old, "new": new, "all_codes": all_codes}, {})
    if output is not None:
        _check_output(output)
    pair = open_pair(old, new, CataloguePlace(sources, folder, consent is True, dict(catalogue)))
    changes = compare_codes(pair.old, pair.new, pair.transitions, all_codes)
    before, after = (open_entries(version, pair) for version in (old, new))
    entries = compare_entries(before, after, changes, all_codes)
    if output is None:
        say(report_changes(pair, changes, entries, all_codes, SHOWN_CHARACTERS))
        return
    facts = pair.place.facts
    record.add(inputs=facts, changes=count_changes(pair, changes), entries=entries.height, notes=pair.notes)
    with new_directory(output.resolve()) as directory:
        for name, table in (("changes", changes), ("entries", entries)):
            write_text(directory / f"{name}.tsv", table.write_csv(separator="\t"))
        report = report_changes(pair, changes, entries, all_codes)
        write_text(directory / "report.md", f"{report}\n\n{TERMS_SENTENCE}\n")
        record.write(directory)
    say(f"{output}: {changes.height} rows of changes, {entries.height} entries")


@step("catalogues recode", by_hand=True)
def recode_catalogues(
    file: Path,
    /,
    *,
    from_: str,
    to: str,
    id: str = "id",
    column: str = "icd10",
    sources: Path = SOURCES,
    folder: Path | None = None,
    consent: Json = None,
    catalogue: NamedPaths = (),
    output: Path | None = None,
) -> None:
    """List the coded records that the change between two versions of ICD-10-GM affects, and what to do with each.

    Only id, code and advice leave the file; of the records only counts are printed.

    Args:
        file: CSV or TSV of coded records with a header (UTF-8 or Windows-1252)
        from_: version that the records are coded in, e.g. 2023
        to: version to recode to, e.g. 2024
        id: column with the record's id
        column: column with the ICD-10-GM code
        sources: table of sources
        folder: folder with files of yours; default: ONKOCODE_CATALOGUES
        consent: true: you have read and accept the terms of use
        catalogue: files that you name for a version, e.g. icd10gm-2022=codes.txt or transitions-2021_2022=table.txt
        output: work list to write (CSV for Excel); default: FILE.recode.csv in the folder of FILE
    """
    from onkocode.catalogues.versions.opening import CataloguePlace
    from onkocode.catalogues.versions.pair import open_pair
    from onkocode.catalogues.versions.recode import make_plan, read_records, work_list, write_work_list
    from onkocode.catalogues.versions.report import summarise_records
    from onkocode.catalogues.vocabulary.written_codes import forms_note, marks_note

    output = output or file.with_name(file.name + ".recode.csv")
    of_file: list[str] = []
    records = read_records(file, id, column, of_file)
    settings = {"from": from_, "to": to, "id": id, "column": column}
    record = Provenance("catalogues recode", settings, {"file": file})
    pair = open_pair(from_, to, CataloguePlace(sources, folder, consent is True, dict(catalogue)))
    plan = make_plan(pair.old, pair.new, pair.transitions, pair.versions)
    counts: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    with _private(), new_file(output) as temporary:
        guarded = write_work_list(work_list(records, plan, counts, taken), temporary)
        if output.exists() and output.read_bytes() != temporary.read_bytes():
            raise InputError(
                f"{output}: exists with other content, perhaps with somebody's notes; move it away, or name another "
                f"file with --output"
            )
        record.record["inputs"] |= pair.place.facts
        formulas = [f"{guarded} record(s) with a cell that begins as a formula; ' stands before it."] if guarded else []
        notes = [*marks_note(taken), *of_file, *formulas, *pair.notes]
        record.add(counts=dict(counts), notes=[*forms_note(taken), *notes])
        record.write(output)
    say(summarise_records(pair.versions, counts, notes, output))


def _check_output(output: Path) -> None:
    """Refuse a directory that holds anything else, since the new one replaces it."""
    if output.is_dir() and all(path.name in FILES for path in output.iterdir()):
        return
    if output.exists():
        raise InputError(f"{output}: holds something else than an earlier result; name a new or empty directory")


@contextmanager
def _private() -> Iterator[None]:
    """Let this process' new files be readable by their owner only. The folder is the user's own and stays as it is."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
