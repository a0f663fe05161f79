"""Tables of rates: a row per checkpoint, a column per measure, each cell with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from onkocode.evaluation.metrics import METRICS
from onkocode.evaluation.selection import single_epochs
from onkocode.reporting.html import Column, Section, changes
from onkocode.reporting.inputs import OF_ANSWERS, TASKS, Model
from onkocode.reporting.results import Results

NUMBERS = {
    "dataset": pl.String,
    "task": pl.String,
    "model": pl.String,
    "label": pl.String,
    "epoch": pl.Int64,
    "measure": pl.String,
    "n": pl.Int64,
    "clusters": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}


@dataclass(frozen=True)
class Cell:
    """A column of a grid: which rows of a metrics table it shows.

    Attributes:
        title: heading.
        rows: schema Metrics, of all checkpoints.
        metric: its key.
        stratum: of the rows.
        condition: of the rows.
        group: heading above that of neighbours.
    """

    title: str
    rows: pl.DataFrame
    metric: str
    stratum: str
    condition: str = "free"
    denominator: str = "all"
    group: str = ""

    @property
    def name(self) -> str:
        """Name of the measure in the file of numbers."""
        return ", ".join(part for part in (self.group, self.title) if part)

    @property
    def factor(self) -> float:
        """Number by which values are multiplied."""
        return METRICS[self.metric].factor if self.metric in METRICS else 100.0

    def is_about(self, datasets: Sequence[str], task: str) -> bool:
        """Tell whether there is anything to show of a task."""
        about = self.rows.filter(
            pl.col("task") == task,
            pl.col("dataset").is_in(list(datasets)),
            pl.col("stratum") == self.stratum,
            pl.col("metric") == self.metric,
            pl.col("condition") == self.condition,
        )
        return not about.is_empty()

    def find(self, dataset: str, task: str, model: str, epoch: int) -> dict[str, Any] | None:
        """Return the row of a checkpoint; the interval over clusters counts where there are two."""
        found = self.rows.filter(
            pl.col("model") == model,
            pl.col("epoch") == epoch,
            pl.col("dataset") == dataset,
            pl.col("task") == task,
            pl.col("stratum") == self.stratum,
            pl.col("metric") == self.metric,
            pl.col("condition") == self.condition,
            pl.col("denominator") == self.denominator,
        ).sort(pl.col("method") == OF_ANSWERS)
        return None if found.is_empty() else found.row(0, named=True)


def shown_checkpoints(results: Results, every_epoch: bool = False) -> list[tuple[Model, int]]:
    """Return the base of each model and its chosen epoch, or its only one; or every epoch."""
    epochs = results.metrics.group_by("model").agg(pl.col("epoch").unique().sort())
    present = {model: list(found) for model, found in epochs.iter_rows()}
    chosen = single_epochs(results.metrics) | results.epochs
    rows = []
    for model in results.models:
        wanted = present.get(model.key, []) if every_epoch else sorted({0, chosen.get(model.key, 0)})
        rows += [(model, epoch) for epoch in wanted if epoch in present.get(model.key, [])]
    return rows


def state_of(epoch: int) -> str:
    """Return how a checkpoint is named in a row."""
    return f"epoch {epoch}" if epoch else "base"


def grid(
    cells: Sequence[Cell], checkpoints: Sequence[tuple[Model, int]], datasets: Sequence[tuple[str, str]], task: str
) -> tuple[Section | None, list[dict[str, Any]]]:
    """Return a table of a task and its numbers; None where there are no rates.

    Args:
        cells: its columns.
        checkpoints: its rows.
        datasets: key and name of each set of questions.
        task: key.
    """
    rows, numbers, places = [], [], []
    asked = [dataset for dataset, _ in datasets]
    cells = [cell for cell in cells if cell.is_about(asked, task)]
    for dataset, name in datasets:
        for model, epoch in checkpoints:
            found = [cell.find(dataset, task, model.key, epoch) for cell in cells]
            if any(found):
                only = model.kind is not None and epoch == 1 and not model.trained
                counts = sorted({row["n"] for row in found if row is not None})
                asked_of = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,}–{counts[-1]:,}"
                place = [model.label, "" if only else state_of(epoch), name, asked_of]
                rows.append([*place, *map(_shown, cells, found)])
                places.append(f"{dataset} {model.key}")
                numbers += [
                    _number(cell, row, model) for cell, row in zip(cells, found, strict=True) if row is not None
                ]
    if not rows:
        return None, []
    columns = [Column("Coder", number=False), Column("Checkpoint", number=False), Column("Questions", number=False)]
    columns.append(Column("n"))
    columns += [Column(cell.title, group=cell.group) for cell in cells]
    return Section(columns, rows, TASKS.get(task, task), changes(places)), numbers


def _number(cell: Cell, row: dict[str, Any], model: Model) -> dict[str, Any]:
    scaled = {key: None if row[key] is None else row[key] * cell.factor for key in ("value", "low", "high")}
    same = {key: row[key] for key in ("dataset", "task", "model", "epoch", "n", "clusters")}
    return {**same, "label": model.label, "measure": cell.name, **scaled}


def _shown(cell: Cell, row: dict[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "–"
    digits = 1 if cell.factor == 100 else 3
    shown = f"{row['value'] * cell.factor:.{digits}f}"
    if row["low"] is None:
        return shown
    return f"{shown}\n{row['low'] * cell.factor:.{digits}f}–{row['high'] * cell.factor:.{digits}f}"
