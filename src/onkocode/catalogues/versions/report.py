"""What is said of two versions: the report of `catalogues diff` and the summary of `catalogues recode`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from onkocode.catalogues.versions.changes import ENTRY_KINDS, KINDS, OFFICIAL, count_codes
from onkocode.catalogues.versions.pair import VersionPair
from onkocode.catalogues.versions.recode import COUNTS

SHOWN_ENTRIES = 20
SHOWN_CHARACTERS = 80  # of a title, where the report is printed


def report_changes(
    pair: VersionPair, changes: pl.DataFrame, entries: pl.DataFrame, all_codes: bool, characters: int = 1000
) -> str:
    """Return the report as Markdown; titles are cut after ``characters``."""
    old, new = pair.versions
    scope = pl.lit(True) if all_codes else pl.col("tumour")
    terminal = [codes.filter(scope & pl.col("terminal")).height for codes in (pair.old, pair.new)]
    of = "codes" if all_codes else "tumour codes (C00–D48)"
    counts = [{"change": kind, "codes": n, "meaning": KINDS[kind]} for kind, n in count_changes(pair, changes).items()]
    parts = [
        f"# ICD-10-GM {old} → {new}: {of}",
        f"Terminal codes: {terminal[0]} in {old} (OLD), {terminal[1]} in {new} (NEW).",
        _table(pl.DataFrame(counts), 100),
        "## Codes",
        _table(changes, characters) if changes.height else "No code changes.",
        "## Training entries (Alpha-ID)",
        *_of_entries(entries, characters),
        "## What this report does not cover",
        "\n".join(f"- {note}" for note in [*pair.notes, "Versions of ICD-O-3 and OPS are not compared."]),
    ]
    return "\n\n".join(parts)


def count_changes(pair: VersionPair, changes: pl.DataFrame) -> dict[str, int | str]:
    """Return the number of codes by kind of change."""
    known = pair.transitions is not None
    return {kind: n if known or kind not in OFFICIAL else "unknown" for kind, n in count_codes(changes).items()}


def summarise_records(versions: tuple[str, str], counts: Counter[str], notes: Sequence[str], output: Path) -> str:
    """Return what a recoding found; only counts of records."""
    old, new = versions
    records = sum(counts[count] for count in COUNTS)
    rows = {"records": records} | {label.format(old=old): counts[count] for count, label in COUNTS.items()}
    width = max(map(len, rows))
    listed = records - counts["unaffected"] - counts["empty"]
    lines = [f"ICD-10-GM {old} → {new}"]
    lines += [f"{label:<{width}}  {n:>{len(str(records))}}" for label, n in rows.items()]
    lines += [f"Codes in another form than C50.9, read all the same: {counts['normalised']}"]
    return "\n".join([*lines, *notes, f"{output}: {listed} record(s) to look at"])


def _of_entries(entries: pl.DataFrame, characters: int) -> list[str]:
    found = dict(entries.group_by("change").len().iter_rows())
    kinds = [
        {"change": kind, "entries": found[kind], "meaning": ENTRY_KINDS[kind]} for kind in ENTRY_KINDS if kind in found
    ]
    if not kinds:
        return ["None, as far as Alpha-ID was there."]
    shown = entries.head(SHOWN_ENTRIES).select(
        "change", "old_id", "new_id", "old_code", "new_code", text=pl.coalesce("new_text", "old_text")
    )
    more = entries.height - shown.height
    rest = [f"… and {more} more; `--output DIR` writes all of them to entries.tsv."] if more else []
    return [_table(pl.DataFrame(kinds), 100), _table(shown, characters), *rest]


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
