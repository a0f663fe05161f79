"""Figure 2: accuracy, partial accuracy and invalid answers by epoch."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from onkocode.config.base import CATALOGUE
from onkocode.config.schema import VALID_FLOOR
from onkocode.reporting.by_epoch import (
    draw_across,
    draw_models,
    epoch_axes,
    handle,
    last_rates,
    percent_axis,
    places,
    required,
    with_labels,
)
from onkocode.reporting.inputs import (
    MEASURES,
    TASKS,
    Model,
    Target,
    at_target,
    few_valid,
    first_stratum,
    interval_rows,
    single_checkpoints,
)
from onkocode.reporting.outputs import Drawing
from onkocode.reporting.results import Results
from onkocode.reporting.style import Look, in_order, looks, panel_letter, print_style

MEASURE_STYLES: dict[str, Any] = {"accuracy": "-", "partial_accuracy": "--", "invalid_rate": ":"}


def draw(results: Results) -> Drawing:
    """Return Figure 2; raises InputError when there is nothing to draw."""
    numbers = required(accuracy_numbers(results.metrics, results.models, results.texts))
    return Drawing(
        draw_accuracy_by_epoch(numbers, results.models, results.texts, results.valid_floor),
        numbers,
        "Accuracy by epoch",
        "Exact accuracy (solid) and partial accuracy (dashed) in % of the valid answers, and invalid answers (dotted) "
        f"in % of all answers, by epoch of training. {last_rates(numbers)}",
    )


def accuracy_numbers(metrics: pl.DataFrame, models: Sequence[Model], texts: Sequence[str]) -> pl.DataFrame:
    """Return what Figure 2 shows: accuracy and partial accuracy of the valid answers, and the rate of invalid answers.

    Of the catalogue's questions it shows those of training, or all where there are none.

    Args:
        metrics: table of the schema Metrics.
        models: the models to show.
        texts: keys of the test sets, one column of panels each; may be empty.

    Returns:
        Columns model, label, dataset, stratum, task, epoch, metric, denominator, n, value, low, high (the last three
        in %). A rate without answers has the value null.
    """
    columns = _columns(metrics, texts)
    rows = [
        at_target(interval_rows(metrics, metric, "all" if metric == "invalid_rate" else "valid"), column)
        for metric in MEASURES
        for column in columns
    ]
    return with_labels(pl.concat(rows), models)


def draw_accuracy_by_epoch(
    numbers: pl.DataFrame, models: Sequence[Model], texts: Sequence[str], valid_floor: float = VALID_FLOOR
) -> Figure:
    """Draw Figure 2: a row per task, the catalogue on the left, a column per test set beside it.

    Colour and marker tell the models, the line style tells the measure. Thin vertical lines are 95 % intervals, thin
    lines across the rates of models with a single checkpoint. Hollow markers are rates of few valid answers.

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
    single = single_checkpoints(numbers, shown)
    with print_style():
        figure = Figure(figsize=(max(5.8, 3.6 * len(columns)), 0.9 + 2.1 * len(tasks)), layout="constrained")
        grid = figure.subplots(len(tasks), len(columns), sharex=True, sharey=True, squeeze=False)
        for index, axes in enumerate(grid.flat):
            task, target = tasks[index // len(columns)], columns[index % len(columns)]
            rows = at_target(numbers, target).filter(pl.col("task") == task)
            for metric, style in MEASURE_STYLES.items():
                part = rows.filter(pl.col("metric") == metric)
                draw_models(axes, part, shown, look, style)
                draw_across(axes, part, single, look, style)
            _hollow(axes, at_target(few, target).filter(pl.col("task") == task), shown, look)
            axes.set_title(f"({panel_letter(index)}) {target.label}")
            percent_axis(axes)
        for axes, task in zip(grid[:, 0], tasks, strict=True):
            axes.set_ylabel(f"{TASKS[task]}\n%")
        epoch_axes(grid[-1])
        _legends(figure, shown, look, f"fewer than {100 * valid_floor:g} % valid" if few.height else None)
    return figure


def _columns(metrics: pl.DataFrame, texts: Sequence[str]) -> list[Target]:
    catalogue = Target(CATALOGUE, first_stratum(metrics, CATALOGUE, ["train", "all"]))
    return [catalogue, *(Target(text, first_stratum(metrics, text, ["all", "test"])) for text in texts)]


def _present(numbers: pl.DataFrame, datasets: Sequence[str]) -> list[Target]:
    """Return the question sets of the numbers; each dataset has one stratum there."""
    strata = dict(numbers.select("dataset", "stratum").unique().iter_rows())
    return [Target(dataset, strata[dataset]) for dataset in datasets if dataset in strata]


def _hollow(axes: Axes, rows: pl.DataFrame, models: Sequence[Model], look: dict[str, Look]) -> None:
    for place, model in enumerate(models):
        x, y = places(rows.filter(pl.col("model") == model.key), place, len(models))
        own = look[model.key]
        axes.plot(x, y, own.marker, color=own.color, markerfacecolor="white", label="few valid")


def _legends(figure: Figure, models: Sequence[Model], look: dict[str, Look], hollow: str | None) -> None:
    handles = [handle(model.label, look[model.key], "none") for model in models]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(models)))
    units = {"accuracy": "% of valid", "partial_accuracy": "% of valid", "invalid_rate": "% of all"}
    measures = [
        Line2D([], [], color="black", linestyle=style, label=f"{MEASURES[metric]} ({units[metric]})")
        for metric, style in MEASURE_STYLES.items()
    ]
    if hollow is not None:
        measures.append(Line2D([], [], color="black", marker="o", markerfacecolor="white", linestyle="", label=hollow))
    figure.legend(handles=measures, loc="outside upper center", ncols=2 if hollow else 3, handlelength=3)
