"""Figure 3: accuracy against the size of the model, before and after training."""

from collections.abc import Sequence, Set
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from onkocode.evaluation.crossfitting import CROSS_FITTED
from onkocode.paper import paper
from onkocode.records.errors import InputError
from onkocode.reporting.differences import gain_text, to_base, with_differences
from onkocode.reporting.inputs import TASKS, Model, Target, at_target, interval_rows
from onkocode.reporting.outputs import Drawing
from onkocode.reporting.results import Results
from onkocode.reporting.spacing import spread
from onkocode.reporting.style import Look, draw_intervals, in_order, looks, panel_letter, print_style
from onkocode.tasks import CODED

MARKERS = {"accuracy": "o", "partial_accuracy": "^"}
LINES: dict[str, Any] = {"accuracy": "-", "partial_accuracy": "--"}
MEASURES = {"accuracy": "accuracy", "partial_accuracy": "partial accuracy"}
NUMBERS = ["model", "label", "parameters", "task", "state", "epoch", "metric", "denominator"]
LABEL_GAP = 0.042  # least distance of two labels, as a share of the panel's width
POINTER: dict[str, Any] = {"arrowstyle": "-", "linewidth": 0.5, "color": "#999999", "shrinkA": 0, "shrinkB": 0}
LINE_GAP = 4.5  # the same of two names of lines, in % of answers


def draw(results: Results) -> Drawing:
    """Return Figure 3, about the first test set; raises InputError when there is nothing to draw."""
    target = results.targets[0]
    fitted = results.chosen_on(target.dataset)
    numbers = size_numbers(results.metrics, results.models, results.epochs, target, fitted)
    numbers = with_differences(numbers, {"trained": to_base(results.comparisons)}, target.dataset)
    if numbers.is_empty():
        raise InputError(f"the metrics hold no accuracy of these models for a task with codes on: {target.label}")
    return Drawing(
        draw_size_accuracy(numbers, results.models, target, results.paper_ceilings),
        numbers,
        "Accuracy by size of the model",
        f"{target.label}, % of all answers. " + " ".join(_sentences(numbers)),
    )


def size_numbers(
    metrics: pl.DataFrame,
    models: Sequence[Model],
    epochs: dict[str, int],
    target: Target,
    fitted: Set[str] = frozenset(),
) -> pl.DataFrame:
    """Return accuracy and partial accuracy of the base model and of the chosen epoch, of all answers.

    Args:
        metrics: table of the schema Metrics.
        models: the models to show.
        epochs: chosen epoch by model key; a model without one has only its base row.
        target: the questions.
        fitted: models whose epoch these questions chose; their rates are the cross-fitted ones, where there are some.

    Returns:
        Columns model, label, parameters (count), task, state (base | trained), epoch, metric, denominator, n, value,
        low, high (in %).
    """
    facts = pl.DataFrame(
        [(model.key, model.label, model.parameters, epochs.get(model.key)) for model in models],
        schema={"model": pl.String, "label": pl.String, "parameters": pl.Int64, "chosen": pl.Int64},
        orient="row",
    )
    rows = pl.concat([interval_rows(metrics, metric, "all") for metric in MARKERS])
    crossed = at_target(rows, Target(target.dataset, CROSS_FITTED)).filter(pl.col("model").is_in(list(fitted)))
    plain = at_target(rows, target).join(crossed, on=["model", "epoch", "task", "metric"], how="anti")
    return (
        pl.concat([plain, crossed])
        .filter(pl.col("task").is_in(CODED))
        .join(facts, on="model")
        .filter((pl.col("epoch") == 0) | (pl.col("epoch") == pl.col("chosen")))
        .with_columns(state=pl.when(pl.col("epoch") == 0).then(pl.lit("base")).otherwise(pl.lit("trained")))
        .select(*NUMBERS, "n", "value", "low", "high")
        .sort("task", "metric", "state", "parameters", "model")
    )


def draw_size_accuracy(
    numbers: pl.DataFrame, models: Sequence[Model], target: Target, ceilings: bool = False
) -> Figure:
    """Draw Figure 3: a panel per task, parameters on a logarithmic axis, open markers base, filled markers trained.

    Models without a number of parameters are named lines across, so that every size is compared with them.

    Args:
        numbers: rows as `size_numbers` returns them.
        models: the models; their names stand above the upper panel.
        target: the questions that the numbers are about.
        ceilings: draw the grey bands of what the texts of Lenz et al. 2025 allow at best. They hold for that study's
            texts alone.
    """
    shown, look = in_order(models, numbers), looks(models)
    sized = [model for model in shown if model.parameters is not None]
    tasks = [task for task in TASKS if task in numbers["task"].unique().to_list()]
    with print_style():
        width = 6.3 if len(sized) == len(shown) else 7.4
        figure = Figure(figsize=(width, 1.3 + 2.6 * len(tasks)), layout="constrained")
        panels = figure.subplots(len(tasks), 1, sharex=True, squeeze=False)[:, 0]
        for index, (axes, task) in enumerate(zip(panels, tasks, strict=True)):
            rows = numbers.filter(pl.col("task") == task)
            _draw_bands(axes, task if ceilings else None)
            _draw_points(axes, rows.drop_nulls("parameters"), look)
            axes.set_ylim(-3, 103)
            _draw_lines(axes, rows.filter(pl.col("parameters").is_null()), look)
            axes.set_ylabel(f"({panel_letter(index)}) {TASKS[task]}\n% of all answers")
        _size_axis(panels[-1], [model.parameters for model in sized if model.parameters is not None])
        for axes in panels:
            axes.grid(visible=False, axis="x")
            axes.vlines([model.parameters for model in sized], -3, 103, color="#d9d9d9", linewidth=0.5, zorder=0.5)
        _name_models(panels[0], sized, look)
        panels[-1].set_xlabel(f"Parameters (log scale) · {target.label}")
        figure.legend(handles=_legend(ceilings), loc="outside lower center", ncols=3 if ceilings else 2)
    return figure


def size_text(parameters: float | None) -> str:
    """Return a count of parameters with a unit: 0.5 M, 8 B (10⁹)."""
    if parameters is None:
        return "no parameters"
    unit, name = (1e9, "B") if parameters >= 1e9 else (1e6, "M")
    return f"{parameters / unit:.3g} {name}"


def _draw_bands(axes: Axes, task: str | None) -> None:
    ceiling = paper().quality.ceilings.get(task or "")
    for low, high in (ceiling.exact, ceiling.partial) if ceiling else ():
        axes.axhspan(low, high, color="#d5d5d5", alpha=0.6, linewidth=0, zorder=0)


def _draw_lines(axes: Axes, rows: pl.DataFrame, look: dict[str, Look]) -> None:
    """Draw rates across the panel, with the names of the models on the right."""
    rows = rows.drop_nulls("value").sort("value", "model", "metric")
    across = axes.get_yaxis_transform()
    for row, place in zip(rows.iter_rows(named=True), spread(rows["value"].to_list(), LINE_GAP), strict=True):
        color, value = look[row["model"]].color, row["value"]
        axes.axhline(value, color=color, linestyle=LINES[row["metric"]], linewidth=0.9, zorder=1.2, label="_across")
        axes.plot([1], [value], MARKERS[row["metric"]], color=color, markersize=4, transform=across, clip_on=False)
        if row["low"] is not None:
            ends = [row["low"], row["high"]]
            axes.plot([1, 1], ends, color=color, linewidth=0.7, alpha=0.55, transform=across, clip_on=False)
        axes.annotate(
            row["label"],
            xy=(1.012, value),
            xytext=(1.04, place),
            xycoords=across,
            textcoords=across,
            va="center",
            fontsize=6.5,
            color=color,
            annotation_clip=False,
            arrowprops=POINTER,
        )


def _draw_points(axes: Axes, rows: pl.DataFrame, look: dict[str, Look]) -> None:
    for (metric, state), part in rows.group_by("metric", "state", maintain_order=True):
        metric, state = str(metric), str(state)
        part = part.sort("parameters", "model")
        x, y = part["parameters"].to_list(), part["value"].to_numpy().astype(float)
        trend = "#555555" if state == "trained" else "#aaaaaa"
        # Models of one size, such as the seeds of a recipe, stand above each other; the line goes through their mean.
        means = part.group_by("parameters", maintain_order=True).agg(pl.col("value").mean())
        sizes, rates = means["parameters"].to_list(), means["value"].to_numpy().astype(float)
        axes.plot(
            sizes, rates, color=trend, linestyle=LINES[metric], linewidth=0.7, zorder=1, label=f"{metric} {state}"
        )
        for model, parameters, value in zip(part["model"], x, y, strict=True):
            color = look[model].color
            face = color if state == "trained" else "white"
            axes.plot(
                [parameters], [value], MARKERS[metric], color=color, markerfacecolor=face, markersize=5, label="_point"
            )
        for row in part.iter_rows(named=True) if "difference" in part.columns and metric == "accuracy" else ():
            if row["difference"] is not None:
                place = (row["parameters"], row["value"])
                axes.annotate(
                    gain_text(row), place, xytext=(4, 3), textcoords="offset points", fontsize=5.5, color="#333333"
                )
        for model, point in zip(part["model"], part.iter_slices(1), strict=True):
            draw_intervals(axes, point, point["parameters"].to_list(), look[model].color)


def _size_axis(axes: Axes, sizes: Sequence[int]) -> None:
    if not sizes:
        axes.xaxis.set_major_locator(NullLocator())
        return
    low, high = min(sizes) / 1.35, max(sizes) * 1.35
    steps = (1, 2, 3, 5, 7) if high / low < 30 else (1, 2, 5) if high / low < 1000 else (1,)
    ticks = [step * 10**power for power in range(1, 15) for step in steps if low <= step * 10**power <= high]
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ticks if len(ticks) > 1 else sorted(set(sizes))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size_text(value)))


def _name_models(axes: Axes, models: Sequence[Model], look: dict[str, Look]) -> None:
    ordered = sorted(models, key=lambda model: model.parameters or 0)
    to_axes = axes.transData + axes.transAxes.inverted()
    wanted = [float(to_axes.transform((model.parameters or 0, 0))[0]) for model in ordered]
    for model, place in zip(ordered, spread(wanted, LABEL_GAP), strict=True):
        axes.annotate(
            model.label,
            xy=(model.parameters or 0, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(place, 1.06),
            textcoords="axes fraction",
            rotation=40,
            rotation_mode="anchor",
            fontsize=7,
            color=look[model.key].color,
            arrowprops=POINTER | {"relpos": (0, 0)},
        )


def _legend(ceilings: bool) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D(
            *([], []),
            color="#555555",
            marker=MARKERS[metric],
            markerfacecolor="#555555" if state == "trained" else "white",
            linestyle=LINES[metric],
            linewidth=0.7,
            markersize=5,
            label=f"{state.capitalize()}: {name}",
        )
        for state in ("base", "trained")
        for metric, name in MEASURES.items()
    ]
    band = Patch(color="#d5d5d5", alpha=0.6, label="Ceilings of the study's texts (95 %)")
    return [*handles, band] if ceilings else handles


def _sentences(numbers: pl.DataFrame) -> list[str]:
    exact = numbers.filter(pl.col("metric") == "accuracy").drop_nulls("value")
    return [
        f"{row['label']} ({size_text(row['parameters'])}), {TASKS[row['task']]}, {row['state']}: {row['value']:.1f} % "
        f"of {row['n']:,} answers."
        for row in exact.iter_rows(named=True)
    ]
