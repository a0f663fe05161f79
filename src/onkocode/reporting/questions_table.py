"""Table 1: what was asked in training, beside what the paper asked, and by split."""

import polars as pl

from onkocode.questions.counts import ALL, COUNTS, TOTAL, question_counts
from onkocode.records.splits import SPLITS
from onkocode.reporting.html import Column, Section, html_page
from onkocode.reporting.outputs import Page
from onkocode.reporting.results import Results

_BLOCK = Column("Block", number=False)
_NOTES = [
    "Counted before any split, without held-out negatives and rewritten labels, as the paper counts; the splits hold "
    "these as well. Entries and codes are distinct ones. Blocks share entries, so that only questions have a total, "
    "which is that of the paper's blocks.",
    "Codes are counted among the expected answers; blocks that are answered with yes or no alone have none.",
]


def tabulate(results: Results) -> Page:
    """Return Table 1; raises InputError when the input is not a questions table."""
    counts = question_counts(results.questions)
    return Page(html_page("Training questions by block", [_before_splits(counts), _by_split(counts)], _NOTES), counts)


def _before_splits(counts: pl.DataFrame) -> Section:
    columns = [
        _BLOCK,
        *[Column(name.capitalize(), group="This data set") for name in COUNTS],
        Column("Share, %", group="This data set"),
        *[Column(name.capitalize(), group="Lenz et al. 2025, Table 1") for name in COUNTS],
    ]
    return _section(counts, columns, [*COUNTS, "share", *[f"paper_{name}" for name in COUNTS]], "Before any split")


def _by_split(counts: pl.DataFrame) -> Section:
    splits = [split for split in SPLITS if counts[split].sum()]
    further = ["augmented"] if counts["augmented"].sum() else []
    columns = [
        _BLOCK,
        *[Column(split.replace("_", " ").capitalize(), group="All questions by split") for split in splits],
        *[Column("On rewritten labels", group="Among them") for _ in further],
    ]
    return _section(counts, columns, [*splits, *further], "By split")


def _section(counts: pl.DataFrame, columns: list[Column], names: list[str], title: str) -> Section:
    rows = [[str(row["title"]), *[_number(row[name]) for name in names]] for row in counts.iter_rows(named=True)]
    ruled = [index for index, block in enumerate(counts["block"]) if block in (TOTAL, ALL)]
    return Section(columns, rows, title, ruled)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"
