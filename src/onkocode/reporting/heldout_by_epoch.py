"""Figure 2b: accuracy by epoch on what was trained on, and on what was held out of training."""

from collections.abc import Sequence

import polars as pl
from matplotlib.figure import Figure

from onkocode.config.base import CATALOGUE
from onkocode.reporting.by_epoch import (
    draw_across,
    draw_models,
    epoch_axes,
    handle,
    last_rates,
    percent_axis,
    required,
    with_labels,
)
from onkocode.reporting.inputs import STRATA, TASKS, Model, Target, at_target, interval_rows, single_checkpoints
from onkocode.reporting.outputs import Drawing
from onkocode.reporting.results import Results
from onkocode.reporting.style import in_order, looks, panel_letter, print_style
from onkocode.tasks import CODED

HELDOUT_STRATA = ("train", "heldout_formulation", "heldout_label", "heldout_label, new stem")


def draw(results: Results) -> Drawing:
    """Return Figure 2b; raises InputError when there is nothing to draw."""
    own = results.metrics.filter(pl.col("stratum") != "heldout_label")
    numbers = required(heldout_numbers(pl.concat([own, results.strata]), results.models))
    return Drawing(
        draw_heldout_by_epoch(numbers, results.models),
        numbers,
        "Accuracy on held-out questions by epoch",
        "Exact accuracy in % of all answers on training questions, on formulations that were held out and on held-out "
        f"labels of new stems, by epoch. {last_rates(numbers)}",
    )


def heldout_numbers(metrics: pl.DataFrame, models: Sequence[Model]) -> pl.DataFrame:
    """Return the exact accuracy over all answers on the parts of the catalogue questions.

    Columns as in `accuracy_numbers`.
    """
    rows = interval_rows(metrics, "accuracy", "all").filter(
        pl.col("dataset") == CATALOGUE, pl.col("stratum").is_in(HELDOUT_STRATA), pl.col("task").is_in(CODED)
    )
    return with_labels(rows, models)


def draw_heldout_by_epoch(numbers: pl.DataFrame, models: Sequence[Model]) -> Figure:
    """Draw exact accuracy by epoch: a row per task, columns for training, held-out formulations and held-out labels.

    Args:
        numbers: rows as `heldout_numbers` returns them.
        models: the models, in the order of the legend.
    """
    tasks = [task for task in TASKS if task in numbers["task"].unique().to_list()]
    strata = [stratum for stratum in HELDOUT_STRATA if stratum in numbers["stratum"].unique().to_list()]
    shown, look = in_order(models, numbers), looks(models)
    single = single_checkpoints(numbers, shown)
    with print_style():
        figure = Figure(figsize=(max(5.4, 2.5 * len(strata)), 0.9 + 2.1 * len(tasks)), layout="constrained")
        grid = figure.subplots(len(tasks), len(strata), sharex=True, sharey=True, squeeze=False)
        for index, axes in enumerate(grid.flat):
            task, target = tasks[index // len(strata)], Target(CATALOGUE, strata[index % len(strata)])
            rows = at_target(numbers, target).filter(pl.col("task") == task)
            draw_models(axes, rows, shown, look, style=None)
            draw_across(axes, rows, single, look, style=None)
            axes.set_title(f"({panel_letter(index)}) {STRATA[target.stratum].capitalize()}")
            percent_axis(axes)
        for axes, task in zip(grid[:, 0], tasks, strict=True):
            axes.set_ylabel(f"{TASKS[task]}\nexact accuracy, % of all answers")
        epoch_axes(grid[-1])
        handles = [handle(model.label, look[model.key], look[model.key].line_style) for model in shown]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(shown)))
    return figure
