"""What answers are: right, right in the category alone, wrong, or invalid."""

from collections.abc import Sequence

import polars as pl
from matplotlib.figure import Figure

from onkocode.records.errors import InputError
from onkocode.reporting.inputs import TASKS, Model, Target, at_target, in_task_order, interval_rows, single_checkpoints
from onkocode.reporting.outputs import Drawing
from onkocode.reporting.results import Results
from onkocode.reporting.style import PALETTE, in_order, panel_letter, print_style

RATES = ("accuracy", "partial_accuracy", "invalid_rate")
KINDS = {"right": PALETTE[2], "right category": PALETTE[5], "wrong": PALETTE[1], "invalid": "#bbbbbb"}


def draw(results: Results) -> Drawing:
    """Return the figure on the first set of questions; raises InputError when there is nothing to draw."""
    target, models = results.targets[0], results.models
    epochs = single_checkpoints(results.metrics, models) | results.epochs
    numbers = error_numbers(at_target(results.metrics, target), models, epochs)
    if numbers.is_empty():
        raise InputError(f"the metrics hold no selected checkpoint for a task with codes on: {target.label}")
    said = [
        f"{row['label']}, {TASKS[row['task']]}: " + ", ".join(f"{kind} {row[kind]:.1f} %" for kind in KINDS) + "."
        for row in numbers.iter_rows(named=True)
    ]
    figure = draw_error_kinds(numbers, models, target)
    return Drawing(figure, numbers, "Kinds of errors", f"{target.label}, % of all answers. {' '.join(said)}")


def error_numbers(metrics: pl.DataFrame, models: Sequence[Model], epochs: dict[str, int]) -> pl.DataFrame:
    """Return columns model, label, task, epoch, and the share of each of `KINDS` in %, which add up to 100.

    Args:
        metrics: rows of one set of questions (schema Metrics).
        models: the models, in the order of the rows.
        epochs: the epoch of each model that is shown.
    """
    rates = pl.concat([interval_rows(metrics, metric, "all") for metric in RATES])
    wide = rates.pivot("metric", index=["model", "epoch", "task"], values="value")
    if not set(RATES) <= set(wide.columns):
        return pl.DataFrame()
    shown = [(place, one.key, one.label, epochs[one.key]) for place, one in enumerate(models) if one.key in epochs]
    chosen = pl.DataFrame(shown, schema=["place", "model", "label", "epoch"], orient="row")
    exact, partial, invalid = (pl.col(rate) for rate in RATES)
    shares = dict(zip(KINDS, (exact, partial - exact, 100 - partial - invalid, invalid), strict=True))
    found = wide.drop_nulls().join(chosen, on=["model", "epoch"]).sort("task", "place")
    return found.select("model", "label", "task", "epoch", **shares)


def draw_error_kinds(numbers: pl.DataFrame, models: Sequence[Model], target: Target) -> Figure:
    """Draw a panel per task with a bar per model, parted by kind.

    Args:
        numbers: rows as `error_numbers` returns them.
        models: the models, from top to bottom.
        target: the questions that the numbers are about.
    """
    shown, tasks = in_order(models, numbers), in_task_order(numbers["task"])
    with print_style():
        figure = Figure(figsize=(6.3, 0.9 + len(tasks) * (0.5 + 0.2 * len(shown))), layout="constrained")
        panels = figure.subplots(len(tasks), 1, sharex=True, squeeze=False)[:, 0]
        for index, (axes, task) in enumerate(zip(panels, tasks, strict=True)):
            rows = numbers.filter(pl.col("task") == task)
            left = pl.Series([0.0] * rows.height)
            for kind, color in KINDS.items():
                axes.barh(rows["label"], rows[kind], left=left, color=color, label=kind, height=0.7)
                left += rows[kind]
            axes.invert_yaxis()
            axes.set_title(f"({panel_letter(index)}) {TASKS[task]}")
        panels[-1].set_xlim(0, 100)
        panels[-1].set_xlabel(f"% of all answers · {target.label}")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(KINDS))
    return figure
