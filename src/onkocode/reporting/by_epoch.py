"""What figures over epochs share: a line per model, and a thin line across for a model with a single checkpoint."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from onkocode.records.errors import InputError
from onkocode.reporting.inputs import TASKS, Model, Target
from onkocode.reporting.style import Look, draw_intervals, labels

DODGE = 0.035  # epochs between the models' points, so that their intervals do not cover each other
NUMBERS = ["model", "label", "dataset", "stratum", "task", "epoch", "metric", "denominator"]


def with_labels(rows: pl.DataFrame, models: Sequence[Model]) -> pl.DataFrame:
    """Return the rows of the models: the columns `NUMBERS`, n, value, low and high."""
    names = labels(models)
    return (
        rows.filter(pl.col("model").is_in(list(names)))
        .with_columns(label=pl.col("model").replace_strict(names, default=None, return_dtype=pl.String))
        .select(*NUMBERS, "n", "value", "low", "high")
        .sort(NUMBERS)
    )


def required(numbers: pl.DataFrame) -> pl.DataFrame:
    """Return the numbers; raises InputError when there are none."""
    if numbers.is_empty():
        raise InputError("the metrics hold no accuracy of these models on these questions")
    return numbers


def draw_models(
    axes: Axes, rows: pl.DataFrame, models: Sequence[Model], look: dict[str, Look], style: str | None
) -> None:
    """Draw a line with markers and intervals per model; its own line style where ``style`` is None."""
    for place, model in enumerate(models):
        points = rows.filter(pl.col("model") == model.key).sort("epoch")
        own = look[model.key]
        x, y = places(points, place, len(models))
        line = own.line_style if style is None else style
        axes.plot(x, y, color=own.color, marker=own.marker, linestyle=line, markeredgewidth=0, label=model.key)
        draw_intervals(axes, points, x, own.color)


def draw_across(
    axes: Axes, rows: pl.DataFrame, models: Iterable[str], look: dict[str, Look], style: str | None
) -> None:
    """Draw the rate of each model as a thin line across all epochs."""
    for key in models:
        line = look[key].line_style if style is None else style
        for value in rows.filter(pl.col("model") == key)["value"].drop_nulls():
            axes.axhline(value, color=look[key].color, linestyle=line, linewidth=0.6, zorder=1.2, label=f"{key} across")


def places(points: pl.DataFrame, place: int, models: int) -> tuple[list[float], np.ndarray]:
    """Return x, moved aside by the model's place among the models, and y of its points."""
    shift = DODGE * (place - (models - 1) / 2)
    return [epoch + shift for epoch in points["epoch"].to_list()], points["value"].to_numpy().astype(float)


def percent_axis(axes: Axes) -> None:
    """Let the vertical axis go from 0 to 100 %."""
    axes.set_ylim(-3, 103)
    axes.set_yticks(range(0, 101, 20))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def epoch_axes(bottom: Iterable[Axes]) -> None:
    """Name the horizontal axes of the lowest panels."""
    for axes in bottom:
        axes.set_xlabel("Epoch (0 = base model)")


def handle(label: str, look: Look, line_style: Any) -> Line2D:
    """Return a model's entry of the legend."""
    return Line2D([], [], color=look.color, marker=look.marker, linestyle=line_style, markersize=5, label=label)


def last_rates(numbers: pl.DataFrame) -> str:
    """Return the exact accuracies at the last epoch as a sentence."""
    last = numbers.filter(pl.col("metric") == "accuracy", pl.col("epoch") == pl.col("epoch").max().over("model"))
    parts = [
        f"{row['label']}, {TASKS[row['task']]}, {Target(row['dataset'], row['stratum']).label}: {row['value']:.1f} %"
        f" of {row['n']:,}"
        for row in last.drop_nulls("value").iter_rows(named=True)
    ]
    return "Exact accuracy at the last epoch: " + "; ".join(parts) + "."
