"""Figure 4: what the thinking mode of a base model brings, and what it costs, beside training."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from onkocode.config.base import THINKING
from onkocode.config.schema import VALID_FLOOR
from onkocode.records.errors import InputError
from onkocode.reporting.differences import gain_text, to_base, with_differences
from onkocode.reporting.inputs import (
    MEASURES,
    TASKS,
    Model,
    Target,
    at_target,
    few_valid,
    interval_rows,
)
from onkocode.reporting.outputs import Drawing
from onkocode.reporting.results import Results
from onkocode.reporting.style import in_order, labels, panel_letter, print_style

STATES = {"base": "Base", "thinking": "Base, thinking", "trained": "Trained"}
COLORS = {"base": "#56B4E9", "thinking": "#E69F00", "trained": "#0072B2"}
HATCHES = {"base": "", "thinking": "////", "trained": ""}
MARKERS = {"base": "o", "thinking": "^", "trained": "s"}
MEASURE_DENOMINATORS = {
    "accuracy": "valid",
    "partial_accuracy": "valid",
    "invalid_rate": "all",
    "seconds_per_question": "all",
}
CUT = "cut_rate"  # part of the invalid answers, drawn inside their bar
CUT_LOOK: dict[str, Any] = {"facecolor": "white", "edgecolor": "#a36f00", "hatch": "....", "linewidth": 0.6}
NUMBERS = ["model", "label", "task", "state", "epoch", "metric", "denominator"]
WIDTH = 0.26


def draw(results: Results) -> Drawing:
    """Return Figure 4, about the first test set; raises InputError when no model was tested in thinking mode."""
    target = results.targets[0]
    rates = (results.metrics, results.strata)
    numbers = thinking_numbers(*rates, results.models, results.epochs, target)
    pairs = {"thinking": to_base(results.comparisons, "thinking"), "trained": to_base(results.comparisons)}
    numbers = with_differences(numbers, pairs, target.dataset)
    if numbers.is_empty():
        raise InputError(f"no model was tested in thinking mode on: {target.label}")
    return Drawing(
        draw_thinking_mode(numbers, results.models, target, results.valid_floor),
        numbers,
        "Thinking mode",
        f"{_note(numbers, target)} " + " ".join(_sentences(numbers)),
    )


def thinking_numbers(
    metrics: pl.DataFrame, strata: pl.DataFrame, models: Sequence[Model], epochs: dict[str, int], target: Target
) -> pl.DataFrame:
    """Return the measures of base, base with thinking, and trained, on the questions that thinking was asked.

    Args:
        metrics: table of the schema Metrics.
        strata: the same of parts of the answers; free answers come from here, to the questions of the thinking mode.
        models: the models that may be shown.
        epochs: chosen epoch by model key.
        target: the questions; thinking was asked a part of them.

    Returns:
        Columns model, label, task, state (base | thinking | trained), epoch, metric, denominator, n, clusters, value,
        low, high; rates in %, time in seconds per question. Tasks that thinking was not asked on are left out. Beside
        the panels' measures, the metric `CUT` of the state thinking: thoughts that do not end, in % of all answers.
    """
    parts = []
    for metric, denominator in (MEASURE_DENOMINATORS | {CUT: "all"}).items():
        percent = metric != "seconds_per_question"
        same = Target(target.dataset, f"asked {THINKING}")
        free = at_target(interval_rows(strata, metric, denominator, "free", percent), same)
        thinking = at_target(interval_rows(metrics, metric, denominator, "thinking", percent), target)
        chosen = pl.col("model").replace_strict(epochs, default=None, return_dtype=pl.Int64)
        parts += [
            free.filter(pl.col("epoch") == 0).with_columns(state=pl.lit("base")),
            thinking.filter(pl.col("epoch") == 0).with_columns(state=pl.lit("thinking")),
            free.filter(pl.col("epoch") > 0, pl.col("epoch") == chosen).with_columns(state=pl.lit("trained")),
        ]
    rows = pl.concat(parts)
    asked = rows.filter(pl.col("state") == "thinking").select("model", "task").unique()
    names = labels(models)
    return (
        rows.join(asked, on=["model", "task"], how="semi")
        .filter(pl.col("model").is_in(list(names)))
        .with_columns(label=pl.col("model").replace_strict(names, default=None, return_dtype=pl.String))
        .select(*NUMBERS, "n", "clusters", "value", "low", "high")
        .sort("task", "model", "state", "metric")
    )


def draw_thinking_mode(
    numbers: pl.DataFrame, models: Sequence[Model], target: Target, valid_floor: float = VALID_FLOOR
) -> Figure:
    """Draw Figure 4: a row per task; accuracy, partial accuracy and invalid answers as bars, response time as points.

    The dotted part of an invalid bar are thoughts that do not end. A star marks rates of few valid answers. The time
    axis is logarithmic. Vertical lines are 95 % intervals. The note below says how many questions thinking was asked.

    Args:
        numbers: rows as `thinking_numbers` returns them.
        models: the models, in the order of the groups.
        target: the questions that the numbers are about.
        valid_floor: share of valid answers, 0…1, below which their rates get a star.
    """
    few = few_valid(numbers, valid_floor)
    shown = in_order(models, numbers)
    tasks = [task for task in TASKS if task in numbers["task"].unique().to_list()]
    with print_style():
        figure = Figure(figsize=(max(7.0, 1.5 + 2.1 * len(shown)), 1.0 + 1.9 * len(tasks)), layout="constrained")
        grid = figure.subplots(len(tasks), len(MEASURE_DENOMINATORS), sharex=True, squeeze=False)
        for row, task in enumerate(tasks):
            for column, metric in enumerate(MEASURE_DENOMINATORS):
                axes = grid[row, column]
                part = numbers.filter(pl.col("task") == task, pl.col("metric") == metric)
                (_draw_times if metric == "seconds_per_question" else _draw_bars)(axes, part, shown)
                if metric == "invalid_rate":
                    _draw_cut(axes, numbers.filter(pl.col("task") == task, pl.col("metric") == CUT), shown)
                _draw_differences(axes, part, shown)
                _draw_stars(axes, few.filter(pl.col("task") == task, pl.col("metric") == metric), shown)
                axes.set_title(_panel_title(4 * row + column, metric))
                axes.set_xticks(range(len(shown)), [_wrapped(model.label) for model in shown])
                axes.grid(visible=False, axis="x")
            grid[row, 0].set_ylabel(f"{TASKS[task]}\n%")
        star = f" * fewer than {100 * valid_floor:g} % valid." if few.height else ""
        figure.supxlabel(_note(numbers, target) + star, fontsize=7)
        handles = [Patch(facecolor=COLORS[s], hatch=HATCHES[s], edgecolor="white", label=STATES[s]) for s in STATES]
        if CUT in numbers["metric"]:
            handles.append(Patch(**CUT_LOOK, label="Invalid: thought does not end"))
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _draw_bars(axes: Axes, rows: pl.DataFrame, models: Sequence[Model]) -> None:
    for state, x, part in _by_state(rows, models):
        axes.bar(
            x,
            part["value"].to_numpy().astype(float),
            WIDTH,
            color=COLORS[state],
            hatch=HATCHES[state],
            edgecolor="white",
            linewidth=0.4,
            label=state,
        )
        _error_lines(axes, part, x)
    axes.set_ylim(0, 117)
    axes.set_yticks(range(0, 101, 20))


def _draw_cut(axes: Axes, rows: pl.DataFrame, models: Sequence[Model]) -> None:
    """Draw the invalid answers whose thought does not end into their bars, behind the interval."""
    for _, x, part in _by_state(rows, models):
        axes.bar(x, part["value"].to_numpy().astype(float), WIDTH, **CUT_LOOK, label=CUT)


def _draw_differences(axes: Axes, rows: pl.DataFrame, models: Sequence[Model]) -> None:
    """Write the paired difference to the base above a bar."""
    if "difference" not in rows.columns:
        return
    for _, places, part in _by_state(rows, models):
        for x, row in zip(places, part.iter_rows(named=True), strict=True):
            if row["difference"] is not None and row["value"] is not None:
                top = max(row["value"], row["high"] or 0) + 8  # above the star of few valid answers
                axes.text(x, top, gain_text(row), ha="center", va="bottom", fontsize=5, label="gain")


def _draw_stars(axes: Axes, rows: pl.DataFrame, models: Sequence[Model]) -> None:
    for _, places, part in _by_state(rows.drop_nulls("value"), models):
        for x, value, high in zip(places, part["value"], part["high"], strict=True):
            axes.text(x, value if high is None else high, "*", ha="center", va="bottom", label="few valid")


def _draw_times(axes: Axes, rows: pl.DataFrame, models: Sequence[Model]) -> None:
    axes.set_yscale("log")
    axes.set_ylabel("Seconds per question (log)", labelpad=1)
    for state, x, part in _by_state(rows, models):
        y = part["value"].to_numpy().astype(float)
        axes.plot(x, y, MARKERS[state], color=COLORS[state], markeredgecolor="black", markeredgewidth=0.4, label=state)
        _error_lines(axes, part, x)
    seconds = rows.filter(pl.col("value") > 0)["value"]
    if seconds.len():
        axes.set_ylim(float(seconds.min()) / 2, float(seconds.max()) * 2)  # type: ignore[arg-type]
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if _narrow(seconds) else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(-0.5, len(models) - 0.5)


def _by_state(rows: pl.DataFrame, models: Sequence[Model]) -> list[tuple[str, list[float], pl.DataFrame]]:
    order = {model.key: place for place, model in enumerate(models)}
    parts = []
    for shift, state in enumerate(STATES):
        part = rows.filter(pl.col("state") == state, pl.col("model").is_in(list(order)))
        parts.append((state, [order[model] + (shift - 1) * WIDTH for model in part["model"]], part))
    return parts


def _error_lines(axes: Axes, rows: pl.DataFrame, x: Sequence[float]) -> None:
    low, high = rows["low"].to_numpy().astype(float), rows["high"].to_numpy().astype(float)
    axes.vlines(x, low, high, colors="black", linewidth=0.7)


def _narrow(seconds: pl.Series) -> bool:
    return seconds.len() > 0 and float(seconds.max()) / float(seconds.min()) < 30  # type: ignore[arg-type]


def _panel_title(index: int, metric: str) -> str:
    name = "Response time" if metric == "seconds_per_question" else MEASURES[metric]
    return f"({panel_letter(index)}) {name}"


def _wrapped(label: str) -> str:
    return label.replace(" ", "\n").replace("-", "-\n", 1) if len(label) > 6 else label


def _note(numbers: pl.DataFrame, target: Target) -> str:
    asked = numbers.filter(pl.col("metric") == "invalid_rate")
    differences = (
        "\nAbove bars: paired difference to the base, points of all answers († p < 0.05, Holm);\nof trained models on "
        "the whole test set."
    )
    return (
        f"{target.label}. All were asked the same {_range(asked)} per task. Accuracies: % of valid answers; "
        f"invalid: % of all.{differences if 'difference' in numbers.columns else ''}"
    )


def _range(rows: pl.DataFrame) -> str:
    counts: list[Any] = rows["n"].drop_nulls().to_list()
    if not counts:
        return "none"
    span = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,}–{max(counts):,}"
    return f"{span} questions"


def _sentences(numbers: pl.DataFrame) -> list[str]:
    units = {
        "accuracy": "% exact of {n:,} valid answers",
        "seconds_per_question": "s per question",
        CUT: "% of {n:,} thoughts without an end",
    }
    rows = numbers.filter(pl.col("metric").is_in(list(units))).drop_nulls("value")
    return [
        f"{row['label']}, {TASKS[row['task']]}, {STATES[row['state']].lower()}: {row['value']:.3g} "
        f"{units[row['metric']].format(n=row['n'])}."
        for row in rows.iter_rows(named=True)
    ]
