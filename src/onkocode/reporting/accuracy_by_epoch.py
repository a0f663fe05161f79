"""Figure 2: accuracy, partial accuracy and invalid answers by epoch; and the same for what was held out of training."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from onkocode.config.base import CATALOGUE
from onkocode.config.schema import VALID_FLOOR
from onkocode.records.errors import InputError
from onkocode.reporting.inputs import (
    MEASURES,
    STRATA,
    TASKS,
    Model,
    Target,
    at_target,
    few_valid,
    first_stratum,
    interval_rows,
    read_metrics,
    read_models,
)
from onkocode.reporting.style import Look, draw_intervals, in_order, labels, looks, print_style, save_with_numbers
from onkocode.tasks import CODED

MEASURE_STYLES: dict[str, Any] = {"accuracy": "-", "partial_accuracy": "--", "invalid_rate": ":"}
HELDOUT_STRATA = ("train", "heldout_formulation", "heldout_label")
DODGE = 0.035  # epochs between the models' points, so that their intervals do not cover each other
NUMBERS = ["model", "label", "dataset", "stratum", "task", "epoch", "metric", "denominator"]


def accuracy_numbers(
    metrics: pl.DataFrame, models: Sequence[Model], texts: Sequence[str], stratum: str | None = None
) -> pl.DataFrame:
    """Return what Figure 2 shows: accuracy and partial accuracy of the valid answers, and the rate of invalid answers.

    Args:
        metrics: table of the schema METRICS.
        models: the models to show.
        texts: keys of the test sets, one column of panels each; may be empty.
        stratum: part of the catalogue questions; None = the training questions, or all where there are none.

    Returns:
        Columns model, label, dataset, stratum, task, epoch, metric, denominator, n, value, low, high (the last three
        in %). A rate without answers has the value null.
    """
    columns = _columns(metrics, texts, stratum)
    rows = [
        at_target(interval_rows(metrics, metric, "all" if metric == "invalid_rate" else "valid"), column)
        for metric in MEASURES
        for column in columns
    ]
    return _numbers(pl.concat(rows), models)


def heldout_numbers(metrics: pl.DataFrame, models: Sequence[Model]) -> pl.DataFrame:
    """Return the exact accuracy over all answers on the three parts of the catalogue questions.

    Columns as in `accuracy_numbers`.
    """
    rows = interval_rows(metrics, "accuracy", "all").filter(
        pl.col("dataset") == CATALOGUE, pl.col("stratum").is_in(HELDOUT_STRATA), pl.col("task").is_in(CODED)
    )
    return _numbers(rows, models)


def draw_accuracy_by_epoch(
    numbers: pl.DataFrame, models: Sequence[Model], texts: Sequence[str], valid_floor: float = VALID_FLOOR
) -> Figure:
    """Draw Figure 2: a row per task, the catalogue on the left, a column per test set beside it.

    Colour and marker tell the models, the line style tells the measure. Thin vertical lines are 95 % intervals. Hollow
    markers are rates of few valid answers.

    Args:
        numbers: rows as `accuracy_numbers` returns them.
        models: the models, in the order of the legend.
        texts: keys of the test sets, in the order of the columns.
        valid_floor: share of valid answers, 0…1, below which markers are hollow.
    """
    few = few_valid(numbers, valid_floor)
    tasks = [task for task in TASKS if task in numbers["task"].unique().to_list()]
    columns = _present(numbers, [CATALOGUE, *texts])
    shown, look = in_order(models, numbers), looks(models)
    with print_style():
        figure = Figure(figsize=(max(5.8, 3.6 * len(columns)), 0.9 + 2.1 * len(tasks)), layout="constrained")
        grid = figure.subplots(len(tasks), len(columns), sharex=True, sharey=True, squeeze=False)
        for index, axes in enumerate(grid.flat):
            task, target = tasks[index // len(columns)], columns[index % len(columns)]
            rows = at_target(numbers, target).filter(pl.col("task") == task)
            for metric, style in MEASURE_STYLES.items():
                _draw_models(axes, rows.filter(pl.col("metric") == metric), shown, look, style)
            _hollow(axes, at_target(few, target).filter(pl.col("task") == task), shown, look)
            axes.set_title(f"({chr(97 + index)}) {TASKS[task]} · {target.label}")
            _percent_axis(axes)
        for axes in grid[:, 0]:
            axes.set_ylabel("%")
        _epoch_axes(grid[-1])
        _legends(figure, shown, look, f"fewer than {100 * valid_floor:g} % valid" if few.height else None)
    return figure


def draw_heldout_by_epoch(numbers: pl.DataFrame, models: Sequence[Model]) -> Figure:
    """Draw exact accuracy by epoch: a row per task, columns for training, held-out formulations and held-out labels.

    Args:
        numbers: rows as `heldout_numbers` returns them.
        models: the models, in the order of the legend.
    """
    tasks = [task for task in TASKS if task in numbers["task"].unique().to_list()]
    strata = [stratum for stratum in HELDOUT_STRATA if stratum in numbers["stratum"].unique().to_list()]
    shown, look = in_order(models, numbers), looks(models)
    with print_style():
        figure = Figure(figsize=(max(5.4, 2.5 * len(strata)), 0.9 + 2.1 * len(tasks)), layout="constrained")
        grid = figure.subplots(len(tasks), len(strata), sharex=True, sharey=True, squeeze=False)
        for index, axes in enumerate(grid.flat):
            task, target = tasks[index // len(strata)], Target(CATALOGUE, strata[index % len(strata)])
            rows = at_target(numbers, target).filter(pl.col("task") == task)
            _draw_models(axes, rows, shown, look, style=None)
            axes.set_title(f"({chr(97 + index)}) {STRATA[target.stratum].capitalize()}")
            _percent_axis(axes)
        for axes, task in zip(grid[:, 0], tasks, strict=True):
            axes.set_ylabel(f"{TASKS[task]}\nexact accuracy, % of all answers")
        _epoch_axes(grid[-1])
        handles = [_handle(model.label, look[model.key], look[model.key].line_style) for model in shown]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(shown)))
    return figure


def plot_accuracy_by_epoch(
    metrics: Sequence[Path],
    models: Sequence[Path],
    texts: Sequence[str],
    figure: Path,
    stratum: str | None = None,
    valid_floor: float = VALID_FLOOR,
) -> None:
    """Read metrics and write Figure 2 as SVG, PNG and TSV.

    Args:
        metrics: metrics tables (Parquet).
        models: files ``model.json``, in the order of the legend.
        texts: keys of the test sets.
        figure: path of the SVG file to write; PNG and TSV lie beside it.
        stratum: part of the catalogue questions; None = as in `accuracy_numbers`.
        valid_floor: share of valid answers, 0…1, below which markers are hollow.

    Raises:
        InputError: an input cannot be read, or holds nothing to draw.
    """
    described = read_models(models)
    numbers = accuracy_numbers(read_metrics(metrics), described, texts, stratum)
    _require(numbers)
    save_with_numbers(
        draw_accuracy_by_epoch(numbers, described, texts, valid_floor),
        numbers,
        figure,
        "Accuracy by epoch",
        "Exact accuracy (solid) and partial accuracy (dashed) in % of the valid answers, and invalid answers (dotted) "
        "in % of all answers, by epoch of training. " + _summary(numbers, "accuracy"),
    )


def plot_heldout_by_epoch(metrics: Sequence[Path], models: Sequence[Path], figure: Path) -> None:
    """Read metrics and write exact accuracy on training and held-out questions as SVG, PNG and TSV.

    Args:
        metrics: metrics tables (Parquet).
        models: files ``model.json``, in the order of the legend.
        figure: path of the SVG file to write; PNG and TSV lie beside it.

    Raises:
        InputError: an input cannot be read, or holds nothing to draw.
    """
    described = read_models(models)
    numbers = heldout_numbers(read_metrics(metrics), described)
    _require(numbers)
    save_with_numbers(
        draw_heldout_by_epoch(numbers, described),
        numbers,
        figure,
        "Accuracy on held-out questions by epoch",
        "Exact accuracy in % of all answers on training questions, on formulations and on labels that were held out of "
        "training, by epoch. " + _summary(numbers, "accuracy"),
    )


def _columns(metrics: pl.DataFrame, texts: Sequence[str], stratum: str | None) -> list[Target]:
    catalogue = Target(CATALOGUE, stratum or first_stratum(metrics, CATALOGUE, ["train", "all"]))
    return [catalogue, *(Target(text, first_stratum(metrics, text, ["all", "test"])) for text in texts)]


def _present(numbers: pl.DataFrame, datasets: Sequence[str]) -> list[Target]:
    """Return the question sets of the numbers; each dataset has one stratum there."""
    strata = dict(numbers.select("dataset", "stratum").unique().iter_rows())
    return [Target(dataset, strata[dataset]) for dataset in datasets if dataset in strata]


def _numbers(rows: pl.DataFrame, models: Sequence[Model]) -> pl.DataFrame:
    names = labels(models)
    return (
        rows.filter(pl.col("model").is_in(list(names)))
        .with_columns(label=pl.col("model").replace_strict(names, default=None, return_dtype=pl.String))
        .select(*NUMBERS, "n", "value", "low", "high")
        .sort(NUMBERS)
    )


def _draw_models(
    axes: Axes, rows: pl.DataFrame, models: Sequence[Model], look: dict[str, Look], style: str | None
) -> None:
    for place, model in enumerate(models):
        points = rows.filter(pl.col("model") == model.key).sort("epoch")
        own = look[model.key]
        x, y = _places(points, place, len(models))
        line = own.line_style if style is None else style
        axes.plot(x, y, color=own.color, marker=own.marker, linestyle=line, markeredgewidth=0, label=model.key)
        draw_intervals(axes, points, x, own.color)


def _hollow(axes: Axes, rows: pl.DataFrame, models: Sequence[Model], look: dict[str, Look]) -> None:
    for place, model in enumerate(models):
        x, y = _places(rows.filter(pl.col("model") == model.key), place, len(models))
        own = look[model.key]
        axes.plot(x, y, own.marker, color=own.color, markerfacecolor="white", label="few valid")


def _places(points: pl.DataFrame, place: int, models: int) -> tuple[list[float], np.ndarray]:
    shift = DODGE * (place - (models - 1) / 2)
    return [epoch + shift for epoch in points["epoch"].to_list()], points["value"].to_numpy().astype(float)


def _percent_axis(axes: Axes) -> None:
    axes.set_ylim(-3, 103)
    axes.set_yticks(range(0, 101, 20))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _epoch_axes(bottom: Iterable[Axes]) -> None:
    for axes in bottom:
        axes.set_xlabel("Epoch (0 = base model)")


def _legends(figure: Figure, models: Sequence[Model], look: dict[str, Look], hollow: str | None) -> None:
    handles = [_handle(model.label, look[model.key], "none") for model in models]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(models)))
    units = {"accuracy": "% of valid", "partial_accuracy": "% of valid", "invalid_rate": "% of all"}
    measures = [
        Line2D([], [], color="black", linestyle=style, label=f"{MEASURES[metric]} ({units[metric]})")
        for metric, style in MEASURE_STYLES.items()
    ]
    if hollow is not None:
        measures.append(Line2D([], [], color="black", marker="o", markerfacecolor="white", linestyle="", label=hollow))
    figure.legend(handles=measures, loc="outside upper center", ncols=2 if hollow else 3, handlelength=3)


def _handle(label: str, look: Look, line_style: Any) -> Line2D:
    return Line2D([], [], color=look.color, marker=look.marker, linestyle=line_style, markersize=5, label=label)


def _summary(numbers: pl.DataFrame, metric: str) -> str:
    last = numbers.filter(pl.col("metric") == metric, pl.col("epoch") == pl.col("epoch").max())
    parts = [
        f"{row['label']}, {TASKS[row['task']]}, {Target(row['dataset'], row['stratum']).label}: {row['value']:.1f} %"
        f" of {row['n']:,}"
        for row in last.drop_nulls("value").iter_rows(named=True)
    ]
    return "Exact accuracy at the last epoch: " + "; ".join(parts) + "."


def _require(numbers: pl.DataFrame) -> None:
    if numbers.is_empty():
        raise InputError("the metrics hold no accuracy of these models on these questions")
