"""Figure 3: accuracy against the size of the model, before and after training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from onkocode.evaluation.selection import chosen_epochs, select_checkpoints
from onkocode.records.errors import InputError
from onkocode.reporting.inputs import TASKS, Model, Target, at_target, interval_rows, read_metrics, read_models, targets
from onkocode.reporting.paper import CEILINGS
from onkocode.reporting.style import Look, draw_intervals, in_order, looks, print_style, save_with_numbers

MARKERS = {"accuracy": "o", "partial_accuracy": "^"}
LINES: dict[str, Any] = {"accuracy": "-", "partial_accuracy": "--"}
MEASURES = {"accuracy": "accuracy", "partial_accuracy": "partial accuracy"}
NUMBERS = ["model", "label", "parameters", "task", "state", "epoch", "metric", "denominator"]
LABEL_GAP = 0.042  # least distance of two labels, as a share of the panel's width


def size_numbers(
    metrics: pl.DataFrame,
    models: Sequence[Model],
    epochs: dict[str, int],
    target: Target,
    denominator: Literal["valid", "all"] = "all",
) -> pl.DataFrame:
    """Return accuracy and partial accuracy of the base model and of the chosen epoch.

    Args:
        metrics: table of the schema METRICS.
        models: the models to show.
        epochs: chosen epoch by model key; a model without one has only its base row.
        target: the questions.
        denominator: all answers, or the valid ones, as in the paper; there, a model with few of them looks better.

    Returns:
        Columns model, label, parameters (count), task, state (base | trained), epoch, metric, denominator, n, value,
        low, high (in %).
    """
    facts = pl.DataFrame(
        [(model.key, model.label, model.parameters, epochs.get(model.key)) for model in models if model.parameters],
        schema={"model": pl.String, "label": pl.String, "parameters": pl.Int64, "chosen": pl.Int64},
        orient="row",
    )
    rows = pl.concat([interval_rows(metrics, metric, denominator) for metric in MARKERS])
    return (
        at_target(rows, target)
        .filter(pl.col("task").is_in(list(CEILINGS)))
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

    Args:
        numbers: rows as `size_numbers` returns them.
        models: the models; their names stand above the upper panel.
        target: the questions that the numbers are about.
        ceilings: draw the grey bands of what the texts of Lenz et al. 2025 allow at best. They hold for that study's
            texts alone.
    """
    shown, look = in_order(models, numbers), looks(models)
    tasks = [task for task in CEILINGS if task in numbers["task"].unique().to_list()]
    denominator = "valid" if "valid" in numbers["denominator"].to_list() else "all"
    with print_style():
        figure = Figure(figsize=(6.3, 1.3 + 2.6 * len(tasks)), layout="constrained")
        panels = figure.subplots(len(tasks), 1, sharex=True, squeeze=False)[:, 0]
        for index, (axes, task) in enumerate(zip(panels, tasks, strict=True)):
            if ceilings:
                for low, high in (CEILINGS[task].exact, CEILINGS[task].partial):
                    axes.axhspan(low, high, color="#d5d5d5", alpha=0.6, linewidth=0, zorder=0)
            _draw_points(axes, numbers.filter(pl.col("task") == task), look)
            axes.set_ylim(-3, 103)
            axes.set_ylabel(f"({chr(97 + index)}) {TASKS[task]}\n% of {denominator} answers")
        sizes = [model.parameters or 0 for model in shown]  # of those that have a size
        _size_axis(panels[-1], sizes)
        for axes in panels:
            axes.grid(visible=False, axis="x")
            axes.vlines(sizes, -3, 103, color="#d9d9d9", linewidth=0.5, zorder=0.5)
        _name_models(panels[0], shown, look)
        panels[-1].set_xlabel(f"Parameters (log scale) · {target.label}")
        figure.legend(handles=_legend(ceilings), loc="outside lower center", ncols=3 if ceilings else 2)
    return figure


def plot_size_accuracy(
    metrics: Sequence[Path],
    models: Sequence[Path],
    texts: Sequence[str],
    figure: Path,
    ceilings: bool = False,
    denominator: Literal["valid", "all"] = "all",
) -> None:
    """Read metrics and write Figure 3 as SVG, PNG and TSV.

    The trained epoch is the one that `select_checkpoints` chose on the development split, else on the test set.

    Args:
        metrics: metrics tables (Parquet).
        models: files ``model.json``.
        texts: keys of the test sets; the first one is shown. Without any, the catalogue's held-out labels.
        figure: path of the SVG file to write; PNG and TSV lie beside it.
        ceilings: draw the bands of the study's registry texts.
        denominator: accuracy of all answers, or of the valid ones.

    Raises:
        InputError: an input cannot be read, or holds nothing to draw.
    """
    described, table = read_models(models), read_metrics(metrics)
    target = targets(table, texts)[0]
    epochs = chosen_epochs(select_checkpoints(table, list(texts)))
    numbers = size_numbers(table, described, epochs, target, denominator)
    if numbers.is_empty():
        raise InputError(f"the metrics hold no accuracy of these models for ICD-10 or topography on: {target.label}")
    title = "Accuracy by size of the model"
    description = f"{target.label}, % of {denominator} answers. " + " ".join(_sentences(numbers))
    save_with_numbers(draw_size_accuracy(numbers, described, target, ceilings), numbers, figure, title, description)


def size_text(parameters: float) -> str:
    """Return a count of parameters with a unit: 0.5 M, 8 B (10⁹)."""
    unit, name = (1e9, "B") if parameters >= 1e9 else (1e6, "M")
    return f"{parameters / unit:.3g} {name}"


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Return positions moved apart so that neighbours are at least ``gap`` apart, in the same order.

    Groups that touch are centred on the mean of where their members belong, so that no label wanders far. Positions
    must be sorted.
    """
    groups: list[list[float]] = []  # each group: wanted positions of its members, which are set at distance gap
    for position in positions:
        groups.append([position])
        while len(groups) > 1 and _edge(groups[-2], gap, 1) + gap > _edge(groups[-1], gap, -1):
            last = groups.pop()
            groups[-1].extend(last)
    return [_edge(group, gap, -1) + gap * index for group in groups for index in range(len(group))]


def _edge(group: Sequence[float], gap: float, side: int) -> float:
    return sum(group) / len(group) + side * gap * (len(group) - 1) / 2


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
        for model, point in zip(part["model"], part.iter_slices(1), strict=True):
            draw_intervals(axes, point, point["parameters"].to_list(), look[model].color)


def _size_axis(axes: Axes, sizes: Sequence[int]) -> None:
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
            arrowprops={
                "arrowstyle": "-",
                "linewidth": 0.5,
                "color": "#999999",
                "shrinkA": 0,
                "shrinkB": 0,
                "relpos": (0, 0),
            },
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
