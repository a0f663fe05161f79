"""Figure 1: the loss of each model during training."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from onkocode.records.errors import InputError
from onkocode.reporting.inputs import Model
from onkocode.reporting.logs import FAILED
from onkocode.reporting.outputs import Drawing
from onkocode.reporting.results import Results
from onkocode.reporting.style import in_order, labels, looks, print_style

SMOOTHED_SHARE = 0.02  # of a model's rows that go into one point of the smoothed curve
COLUMNS = 4
BACKGROUND_POINTS = 150  # of another model's curve, so that files stay small


def draw(results: Results) -> Drawing:
    """Return Figure 1, with the models that have a log of training; raises InputError when none has."""
    shown = in_order(results.models, results.training)
    if not shown:
        raise InputError("none of the logs of training has a row of one of the models")
    numbers = loss_numbers(results.training, shown)
    own = numbers.with_columns(failed_attempt=pl.lit(None, pl.Int64))
    return Drawing(
        draw_loss_curves(numbers, results.models, results.failed),
        pl.concat([own, failed_numbers(results.failed, results.models)], how="diagonal"),
        "Training loss by epoch",
        "One panel per model. " + " ".join(_sentence(numbers, model) for model in shown),
    )


def loss_numbers(training: pl.DataFrame, models: Sequence[Model]) -> pl.DataFrame:
    """Return the logged and the smoothed loss of each model.

    The smoothed loss is the centred rolling mean over 2 % of the model's rows (at least one row); rows without a finite
    loss are left out of the mean and leave a gap in the curve. A step that was logged twice, because a job was stopped
    and resumed, counts once, as logged last.

    Args:
        training: rows as `read_training` returns them.
        models: the models to show, in their order.

    Returns:
        Columns model, label, job_epoch, step, epoch (of the data, a fraction), loss (null where it is not finite),
        grad_norm, smoothed and finite (false where loss or gradient norm is NaN or infinite).
    """
    latest = training.unique(["model", "job_epoch", "step"], keep="last", maintain_order=True)
    parts = [_smoothed(latest.filter(pl.col("model") == model.key)) for model in models]
    names = labels(models)
    return pl.concat(parts).select(
        "model",
        pl.col("model").replace_strict(names, return_dtype=pl.String).alias("label"),
        *["job_epoch", "step", "epoch", "loss", "grad_norm", "smoothed", "finite"],
    )


def draw_loss_curves(numbers: pl.DataFrame, models: Sequence[Model], failed: pl.DataFrame | None = None) -> Figure:
    """Draw one panel per model: the logged loss faint, the smoothed loss on top, the other models' grey.

    The loss axis is logarithmic and the same in all panels. Triangles at the lower edge mark steps whose loss or
    gradient norm was not finite. The loss of a failed attempt is dotted, with a cross where it ended.

    Args:
        numbers: rows as `loss_numbers` returns them.
        models: the models, in the order of the panels.
        failed: rows as `read_failed` returns them.
    """
    shown = in_order(models, numbers)
    failed = pl.DataFrame(schema=FAILED) if failed is None else failed
    look = looks(models)
    columns = min(COLUMNS, len(shown)) if len(shown) != 5 and len(shown) != 6 else 3
    rows = math.ceil(len(shown) / columns)
    with print_style():
        figure = Figure(figsize=(max(3.6, 1.9 * columns), 0.5 + 1.75 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, model in zip(grid.flat, shown, strict=False):
            own = numbers.filter(pl.col("model") == model.key)
            color = look[model.key].color
            _line(axes, own, "loss", model.label, color=color, linewidth=0.5, alpha=0.35, rasterized=True)
            for other in shown:
                if other is not model:
                    behind = _thinned(numbers.filter(pl.col("model") == other.key))
                    _line(axes, behind, "smoothed", other.label, color="#8c8c8c", linewidth=0.5, alpha=0.6)
            _line(axes, own, "smoothed", model.label, color=color, linewidth=1.3)
            _mark_broken_steps(axes, own.filter(~pl.col("finite")))
            _draw_failed(axes, failed.filter(pl.col("model") == model.key), model.label)
            axes.set_title(model.label)
            axes.set_yscale("log")
            _number_ticks(axes)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _tidy_grid(grid.flat, len(shown), columns)
        marks = [] if numbers["finite"].all() else ["▲ loss or gradient norm not finite"]
        marks += ["× a failed attempt ended"] if failed.height else []
        figure.supxlabel(f"Epoch ({', '.join(marks)})" if marks else "Epoch", fontsize=8)
        figure.supylabel("Training loss (log scale)", fontsize=8)
    return figure


def _number_ticks(axes: Axes) -> None:
    """Write ticks as plain numbers; matplotlib would write powers of ten as formulas."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def failed_numbers(failed: pl.DataFrame, models: Sequence[Model]) -> pl.DataFrame:
    """Return rows of failed attempts for the table of plotted numbers."""
    names = labels(models)
    label = pl.col("model").replace_strict(names, default=None, return_dtype=pl.String)
    return failed.rename({"attempt": "failed_attempt"}).with_columns(label=label, finite=True)


def _smoothed(rows: pl.DataFrame) -> pl.DataFrame:
    window = max(1, round(SMOOTHED_SHARE * rows.height))
    finite_loss = pl.col("loss").is_finite().fill_null(False)
    finite_gradient = pl.col("grad_norm").is_finite().fill_null(True)
    return (
        rows.sort("epoch", "step")
        .with_columns(finite=finite_loss & finite_gradient, loss=pl.when(finite_loss).then("loss"))
        .with_columns(smoothed=pl.col("loss").rolling_mean(window, min_samples=1, center=True))
        .with_columns(smoothed=pl.when(finite_loss).then("smoothed"))
    )


def _line(axes: Axes, rows: pl.DataFrame, column: str, model: str, **look: Any) -> None:
    axes.plot(rows["epoch"].to_numpy(), rows[column].to_numpy().astype(float), label=f"{model}: {column}", **look)


def _thinned(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.gather_every(max(1, rows.height // BACKGROUND_POINTS))


def _mark_broken_steps(axes: Axes, rows: pl.DataFrame) -> None:
    if rows.height:
        axes.plot(
            rows["epoch"].to_numpy(),
            [0.03] * rows.height,
            transform=axes.get_xaxis_transform(),
            linestyle="none",
            marker="^",
            markersize=3.5,
            color="black",
            clip_on=False,
            label="not finite",
        )


def _draw_failed(axes: Axes, rows: pl.DataFrame, label: str) -> None:
    for number, ((_, attempt), part) in enumerate(rows.group_by(["job_epoch", "attempt"], maintain_order=True)):
        epochs, losses = part["epoch"].to_list(), part["loss"].to_list()
        name = f"{label}: failed attempt {attempt}"
        shown = name if number == 0 else f"_{name}"
        axes.plot(epochs, losses, linestyle=":", linewidth=0.9, color="black", label=shown)
        axes.plot(epochs[-1:], losses[-1:], linestyle="none", marker="x", markersize=4, color="black", label="_end")


def _tidy_grid(grid: Iterable[Axes], used: int, columns: int) -> None:
    """Hide the unused panels and give the panels above them tick labels."""
    for index, axes in enumerate(grid):
        if index >= used:
            axes.set_visible(False)
        elif index + columns >= used:
            axes.tick_params(labelbottom=True)


def _sentence(numbers: pl.DataFrame, model: Model) -> str:
    rows = numbers.filter(pl.col("model") == model.key)
    curve = rows["smoothed"].drop_nulls()
    broken = rows.height - int(rows["finite"].sum())
    course = f"from {curve[0]:.3g} to {curve[-1]:.3g}" if curve.len() else "never finite"
    return f"{model.label}: smoothed loss {course}, {broken} logged steps not finite."
