"""The table of paired differences: what is better than what, on the same questions, and how sure that is."""

from typing import Any

import polars as pl

from onkocode.evaluation.metrics import METRICS
from onkocode.evaluation.pairs import KINDS
from onkocode.reporting.differences import p_text
from onkocode.reporting.grids import state_of
from onkocode.reporting.html import Column, Section, changes, html_page
from onkocode.reporting.inputs import TASKS
from onkocode.reporting.outputs import Page
from onkocode.reporting.results import Results

PRIMARY = "Primary endpoint"
_NOTES = [
    "Difference: left minus right, in points of all answers, over the questions that both answered. Interval: 95 %, "
    "Student's t over texts. p: signs of the texts' differences flipped at random, 99,999 times. p (Holm): corrected "
    "for the number of all comparisons but the primary endpoint (evaluation.primary), which was named before the run.",
    "Where the test set itself chose an epoch, each text is answered by epochs that other texts chose (cross-fitting); "
    "without that, the difference to a base model would be too large.",
    "A large p is no proof that two coders are alike: the interval says which differences remain possible.",
]


def tabulate(results: Results) -> Page:
    """Return the table of comparisons; raises InputError when an input cannot be read."""
    frame, names = results.comparisons, {model.key: model.label for model in results.models}
    sections = [_section(frame.filter("primary"), PRIMARY, names)]
    sections += [
        _section(frame.filter(pl.col("kind") == kind, ~pl.col("primary")), title, names)
        for kind, title in KINDS.items()
    ]
    shown = frame.with_columns(pl.col("left", "right", "difference", "low", "high") * 100)
    return Page(html_page("Paired differences", [part for part in sections if part.rows], _NOTES), shown)


def difference_text(row: dict[str, Any]) -> str:
    """Return a difference with its interval, in points."""
    shown = f"{100 * row['difference']:+.1f}"
    return shown if row["low"] is None else f"{shown}\n{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"


def _section(rows: pl.DataFrame, title: str, names: dict[str, str]) -> Section:
    columns = [Column(name, number=False) for name in ("Left", "Right", "Questions", "Task", "Measure")]
    columns += [Column(name) for name in ("Left, %", "Right, %", "Difference", "p", "p (Holm)", "n, texts")]
    ordered = rows.with_columns(
        order=pl.col("task").replace_strict({task: place for place, task in enumerate(TASKS)}, default=99)
    ).sort("dataset", "left_model", "left_epoch", "right_model", "right_epoch", "order", "metric")
    cells = [_cells(row, names) for row in ordered.iter_rows(named=True)]
    ruled = changes([" ".join(row[:3]) for row in cells])
    return Section(columns, cells, title, ruled)


def _cells(row: dict[str, Any], names: dict[str, str]) -> list[str]:
    left, right = (
        f"{names.get(row[f'{side}_model'], row[f'{side}_model'])}\n{state_of(row[f'{side}_epoch'])}, "
        f"{row[f'{side}_condition']}"
        for side in ("left", "right")
    )
    about = [left, right, row["dataset"], TASKS.get(row["task"], row["task"]), METRICS[row["metric"]].label]
    rates = [f"{100 * row[side]:.1f}" for side in ("left", "right")]
    return [
        *about,
        *rates,
        difference_text(row),
        p_text(row["p"]),
        p_text(row["p_holm"]),
        f"{row['n']:,}\n{row['clusters']:,}",
    ]
