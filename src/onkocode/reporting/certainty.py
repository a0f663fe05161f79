"""Figures and table of certainty: accuracy against coverage, reliability, and how many cases need no human."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from onkocode.config.base import CATALOGUE, CONSTRAINED
from onkocode.evaluation.certainty import ERRORS
from onkocode.reporting.html import Column, Section, changes, html_page
from onkocode.reporting.inputs import TASKS, Model, in_task_order
from onkocode.reporting.outputs import Drawing, Page, empty_drawing
from onkocode.reporting.results import Results
from onkocode.reporting.style import looks, panel_letter, print_style

WARNING = (
    "Curves of catalogue labels do not hold for clinical texts: there a coder is less often right at the same score, "
    "and a threshold must come from labelled texts of one's own."
)


def coverage(results: Results) -> Drawing:
    """Return accuracy against the share of cases that are answered."""
    rows = _shown(results, ["coverage"])
    if rows.is_empty():
        return empty_drawing("Accuracy against coverage", "no coder has answers with scores here", rows)
    figure = _panels(results, rows, "Share of cases answered, most certain first, %", "Exact of these, %")
    sentences = [
        f"{row['coder']}, {TASKS[row['task']]}: {row['value']:.0f} % of the answered when {row['at']:.0f} % are "
        "answered."
        for row in rows.filter(pl.col("at") > 99.5).iter_rows(named=True)
    ]
    return Drawing(figure, rows, "Accuracy against coverage", f"{_place(results)} {WARNING} {' '.join(sentences)}")


def reliability(results: Results) -> Drawing:
    """Return accuracy against the score."""
    rows = _shown(results, ["reliability"])
    if rows.is_empty():
        return empty_drawing("Reliability of scores", "no coder has scores that are probabilities", rows)
    figure = _panels(results, rows, "Mean score, %", "Exact, %", diagonal=True)
    return Drawing(figure, rows, "Reliability of scores", f"{_place(results)} {WARNING}")


def tabulate(results: Results) -> Page:
    """Return calibration and cases without a human; raises InputError when an input cannot be read."""
    frame, names = results.certainty, {model.key: model.label for model in results.models}
    columns = [Column("Coder", number=False), Column("Questions", number=False), Column("n")]
    columns += [Column(name, group="Calibration error, points") for name in ("As it is", "Scaled")]
    columns.append(Column("Temperature"))
    columns += [Column(f"{100 * error:g} % wrong", group="Cases that need no human, %") for error in ERRORS]
    sections = []
    for task in in_task_order(frame["task"].unique()):
        rows = _certainty_rows(frame.filter(pl.col("task") == task), names, results.texts)
        sections.append(Section(columns, rows, TASKS.get(task, task), changes([row[1] for row in rows])))
    notes = [
        "Cases that need no human: their score is above a threshold at which, with 95 % confidence, no more than so "
        "many are wrong; it is found on random halves of the texts and counted on the others. – : so few texts could "
        "not prove it even if all were right: for 1 % a half of 371 patients is needed, for 5 % one of 76. Wrong "
        "among them: on the halves that had no part in the threshold.",
        "Calibration error: mean distance of score and accuracy over ten bins, with percentiles of the cluster "
        "bootstrap; it is never below 0, so that chance alone makes it positive. Temperature: fitted on held-out "
        f"labels of the catalogue. {WARNING}",
    ]
    page = html_page("Certainty", [part for part in sections if part.rows], notes)
    return Page(page, frame)


def _certainty_rows(frame: pl.DataFrame, names: dict[str, str], texts: Sequence[str]) -> list[list[str]]:
    rows = []
    for dataset in (*texts, CATALOGUE):
        part = frame.filter(pl.col("dataset") == dataset)
        for keys, own in part.group_by(["model", "epoch", "condition"], maintain_order=True):
            found = {(row["measure"], row["at"]): row for row in own.iter_rows(named=True)}
            full = max(own.filter(pl.col("measure") == "coverage")["n"].to_list(), default=0)
            cells = [_percent(found.get((name, 0.0))) for name in ("calibration_error", "calibration_error_scaled")]
            temperature = found.get(("temperature", 0.0))
            cells.append("–" if temperature is None else f"{temperature['value']:.2f}")
            cells += [_passed(found.get(("unattended", at)), found.get(("unattended_error", at))) for at in ERRORS]
            if full and any(cell != "–" for cell in cells):
                place = f"Test set {dataset}" if dataset != CATALOGUE else "Catalogue, held-out labels"
                rows.append([_coder(names, *keys), place, f"{full:,}", *cells])
    return rows


def _passed(share: dict[str, Any] | None, wrong: dict[str, Any] | None) -> str:
    """Return the share of cases that pass, and of wrong ones among them."""
    if share is None or share["low"] is None:
        return _percent(share)
    interval = f"{100 * share['low']:.0f}–{100 * share['high']:.0f}"
    return f"{100 * share['value']:.1f}\n{interval}" + ("" if wrong is None else f"; {100 * wrong['value']:.1f} wrong")


def _percent(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    interval = "" if row["low"] is None else f"\n{100 * row['low']:.1f}–{100 * row['high']:.1f}"
    return f"{100 * row['value']:.1f}{interval}"


def _coder(names: dict[str, str], model: Any, epoch: Any, condition: Any) -> str:
    state = "" if epoch == 1 and condition == "free" else f", epoch {epoch}" if epoch else ", base"
    return f"{names.get(model, model)}{state}{', constrained' if condition == CONSTRAINED else ''}"


def _shown(results: Results, measures: Sequence[str]) -> pl.DataFrame:
    """Return rows of the first test set, else of the catalogue, in %, of chosen epochs; with the coder's name."""
    dataset = results.texts[0] if results.texts else CATALOGUE
    names = {model.key: model.label for model in results.models}
    rows = results.certainty.filter(
        pl.col("measure").is_in(measures), pl.col("dataset") == dataset, pl.col("epoch") > 0
    )
    coders = [_coder(names, *keys) for keys in rows.select("model", "epoch", "condition").iter_rows()]
    order = {model.key: place for place, model in enumerate(results.models)}
    place = pl.col("model").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    named = rows.with_columns(pl.col("at", "value", "low", "high") * 100, coder=pl.Series(coders, dtype=pl.String))
    return named.sort(place, "condition", "task", "at")


def _panels(results: Results, rows: pl.DataFrame, x_label: str, y_label: str, diagonal: bool = False) -> Figure:
    tasks = in_task_order(rows["task"].unique())
    with print_style():
        figure = Figure(figsize=(3.1 * len(tasks) + 0.4, 3.6), layout="constrained")
        grid = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
        for place, (axes, task) in enumerate(zip(grid, tasks, strict=True)):
            if diagonal:
                axes.plot([0, 100], [0, 100], color="#8a8a8a", linewidth=0.8, linestyle=(0, (4, 3)))
            _draw(axes, rows.filter(pl.col("task") == task), results.models, with_area=not diagonal)
            axes.set_title(f"({panel_letter(place)}) {TASKS.get(task, task)}")
            axes.set_xlabel(x_label)
        grid[0].set_ylabel(y_label)
        handles, found = [], set()
        for axes in grid:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                if label not in found:
                    handles.append(handle)
                    found.add(label)
        figure.legend(handles=handles, loc="outside upper center", ncols=min(4, len(handles)))
        figure.supxlabel(_place(results), fontsize=7)
    return figure


def _draw(axes: Axes, rows: pl.DataFrame, models: Sequence[Model], with_area: bool) -> None:
    """Draw a line per coder, with its intervals as an area or as thin lines."""
    drawn = looks(models)
    for (coder,), part in rows.group_by("coder", maintain_order=True):
        look = drawn[part["model"][0]]
        style = "-" if part["condition"][0] == "free" else "--"
        x, y = part["at"].to_numpy(), part["value"].to_numpy()
        axes.plot(
            x,
            y,
            color=look.color,
            marker=look.marker,
            linestyle=style,
            markevery=max(1, len(x) // 5) if with_area else 1,
            label=coder,
        )
        if part["low"].null_count() < part.height:
            low, high = part["low"].to_numpy().astype(float), part["high"].to_numpy().astype(float)
            if with_area:
                axes.fill_between(x, low, high, color=look.color, alpha=0.08, linewidth=0)
            else:
                axes.vlines(x, low, high, color=look.color, linewidth=0.5, alpha=0.4)
    axes.set_xlim(0, 103)
    axes.set_ylim(0, 103)
    axes.xaxis.set_major_locator(MultipleLocator(20))


def _place(results: Results) -> str:
    return f"Test set {results.texts[0]}." if results.texts else "Catalogue, held-out labels."
