"""Every measure of a single checkpoint, with one interval each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.evaluation.metrics import METRICS, UNITS
from onkocode.records.errors import InputError
from onkocode.reporting.html import Column, Section, changes, html_page
from onkocode.reporting.inputs import OF_ANSWERS, STRATA, TASKS, in_task_order, read_metrics
from onkocode.reporting.outputs import Page

KEYS = ["dataset", "stratum", "condition", "task", "metric", "denominator"]


def performance_summary(metrics: pl.DataFrame, model: str, epoch: int) -> pl.DataFrame:
    """Return every measure of one checkpoint, with one interval each.

    Returns:
        Columns dataset, stratum, condition, task, metric, denominator, n, clusters, value, low, high, unit, method.
        Rates are in %, gains in percentage points, times in seconds, lengths in tokens.

    Raises:
        InputError: the metrics hold nothing on the checkpoint.
    """
    rows = metrics.filter(pl.col("model") == model, pl.col("epoch") == epoch)
    if rows.is_empty():
        raise InputError(f"the metrics hold nothing on model {model}, epoch {epoch}; evaluate it first")
    unit = pl.col("metric").replace_strict({metric.key: metric.unit for metric in METRICS.values()})
    factor = unit.replace_strict(UNITS)
    return (
        rows.sort(pl.col("method") == OF_ANSWERS, maintain_order=True)
        .unique(KEYS, keep="first", maintain_order=True)
        .with_columns(unit.alias("unit"), *[(pl.col(column) * factor) for column in ("value", "low", "high")])
        .select(*KEYS, "n", "clusters", "value", "low", "high", "unit", "method")
        .sort(KEYS)
    )


def write_performance_summary(metrics: Sequence[Path], model: str, epoch: int, table: Path) -> None:
    """Write the summary of one checkpoint.

    Args:
        metrics: metrics tables (Parquet).
        model: the model's key.
        epoch: the epoch; 0 is the base model.
        table: path of the HTML file to write; the TSV file lies beside it.

    Raises:
        InputError: an input cannot be read, or holds nothing on the checkpoint.
    """
    frame = performance_summary(read_metrics(metrics), model, epoch)
    Page(_summary_page(frame, model, epoch), frame).write(table)


def _summary_page(frame: pl.DataFrame, model: str, epoch: int) -> str:
    tasks = in_task_order(frame["task"].unique().to_list())
    return html_page(f"{model}, epoch {epoch}", [_summary_section(frame, task) for task in tasks], [_SUMMARY_NOTE])


def _summary_section(frame: pl.DataFrame, task: str) -> Section:
    texts, numbers = ("Questions", "Condition", "Measure", "Of"), ("n", "Value", "95 % interval")
    columns = [*[Column(title, number=False) for title in texts], *map(Column, numbers), Column("Unit", number=False)]
    shown = frame.filter(pl.col("task") == task)
    ruled = changes([f"{row['dataset']} {row['stratum']} {row['condition']}" for row in shown.iter_rows(named=True)])
    return Section(columns, [_summary_cells(row) for row in shown.iter_rows(named=True)], TASKS.get(task, task), ruled)


def _summary_cells(row: dict[str, Any]) -> list[str]:
    digits = 1 if row["unit"] in ("%", "points") else 3
    interval = (
        f"{number_text(row['low'], digits)} – {number_text(row['high'], digits)}" if row["low"] is not None else "–"
    )
    asked = "–" if row["n"] is None else f"{row['n']:,}"
    name = f"{row['dataset']}, {STRATA.get(row['stratum'], row['stratum'])}"
    facts = [name, row["condition"], METRICS[row["metric"]].label, row["denominator"]]
    return [*facts, asked, number_text(row["value"], digits), interval, row["unit"]]


_SUMMARY_NOTE = (
    "Of: valid = the valid answers; all = all questions, an invalid answer counts as wrong. Gains are differences to "
    "the base model on the same questions. Intervals over texts: Korn–Graubard, of differences Student's t; none below "
    "ten texts."
)


def number_text(value: float | None, digits: int) -> str:
    """Return a number with so many decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"
