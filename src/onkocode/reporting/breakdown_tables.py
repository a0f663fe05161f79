"""Where coders are right and wrong: accuracy by kind of code, and the most frequent confusions with their titles."""

from typing import Any

import polars as pl

from onkocode.evaluation.breakdown import TRAINING
from onkocode.evaluation.metrics import LEADING
from onkocode.reporting.grids import shown_checkpoints, state_of
from onkocode.reporting.html import Column, Section, changes, html_page
from onkocode.reporting.inputs import TASKS, Model, in_task_order
from onkocode.reporting.outputs import Page, empty_page
from onkocode.reporting.results import Results

PRINTED = ("behaviour", TRAINING, "chapter", "group", "category")  # single codes stand in the file of numbers alone
ORDER = {"0": 0, "1": 1, "2–5": 2, "6–20": 3, "21 and more": 4}
_NOTES = [
    "Exact accuracy of all answers, in %, with its 95 % interval over texts (none below ten) and the number of "
    "texts, by kind of the expected code. Training labels: how many different labels of the code are trained on. "
    "Mean of codes (macro average): every code counts once, however many texts have it; the interval is over codes.",
    "A hospital with another mix of cases has another accuracy: weigh the rows by its own numbers. Single codes, and "
    "partial accuracy, invalid answers and epochs, stand in the file of numbers.",
]


def tabulate(results: Results) -> Page:
    """Return accuracy by kind of code; raises InputError where nothing of it was measured."""
    rates = results.breakdown.filter(pl.col("metric").is_in([*LEADING, "macro_accuracy"]))
    rates = rates.filter(~pl.col("stratum").str.starts_with("formulation: "))
    if rates.is_empty():
        why = "no task with codes was asked of test sets or held-out labels"
        return empty_page("Accuracy by kind of code", why, rates)
    # Base models stand in the file of numbers: twice the columns would not fit a window.
    every = shown_checkpoints(results)
    trained = {model.key for model, epoch in every if epoch}
    checkpoints = [(model, epoch) for model, epoch in every if epoch or model.key not in trained]
    sections = [
        _section(rates.filter(pl.col("dataset") == dataset, pl.col("task") == task), dataset, task, checkpoints)
        for dataset in [*results.texts, *([] if results.texts else ["catalogue"])]
        for task in in_task_order(rates["task"].unique())
    ]
    shown = rates.with_columns(pl.col("value", "low", "high") * 100).drop("condition", "k")
    return Page(html_page("Accuracy by kind of code", [part for part in sections if part.rows], _NOTES), shown)


def _section(rates: pl.DataFrame, dataset: str, task: str, checkpoints: list[tuple[Model, int]]) -> Section:
    exact = rates.filter(pl.col("metric").is_in(["accuracy", "macro_accuracy"]))
    present = set(exact.select("model", "epoch").unique().iter_rows())
    shown = [(model, epoch) for model, epoch in checkpoints if (model.key, epoch) in present]
    cells = {(row["model"], row["epoch"], row["stratum"]): row for row in exact.iter_rows(named=True)}
    strata = sorted(exact["stratum"].unique(), key=_order)
    rows, ways = [], []
    for stratum in strata:
        way, _, value = stratum.partition(": ")
        if stratum == "all" or way in PRINTED:
            found = [cells.get((model.key, epoch, stratum)) for model, epoch in shown]
            name = "mean of codes" if stratum == "all" else value
            rows.append([f"{name}\n{way}" if stratum != "all" else name, *map(_rate, found)])
            ways.append(way)
    columns = [Column("Kind of code", number=False)]
    columns += [Column(model.label) for model, _ in shown]
    place = "catalogue, held-out labels" if dataset == "catalogue" else f"test set {dataset}"
    title = f"{TASKS.get(task, task)}, {place}"
    return Section(columns, rows, title, changes(ways))


def _order(stratum: str) -> tuple[int, int, str]:
    way, _, value = stratum.partition(": ")
    return (PRINTED.index(way) if way in PRINTED else -1 if stratum == "all" else 99, ORDER.get(value, 9), value)


def _rate(row: dict[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "–"
    low = "" if row["low"] is None else f"{100 * row['low']:.0f}–{100 * row['high']:.0f}; "
    return f"{100 * row['value']:.1f}\n{low}{row['clusters']:,}"


def confused(results: Results) -> Page:
    """Return the most frequent confusions; raises InputError when an input cannot be read."""
    frame, names = results.confusions, {model.key: model.label for model in results.models}
    columns = [Column(name, number=False) for name in ("Coder", "Questions", "Expected", "Answered")]
    columns += [Column("Texts"), Column("Answers")]
    sections = []
    for task in in_task_order(frame["task"].unique()):
        rows = [_confusion(row, names) for row in frame.filter(pl.col("task") == task).iter_rows(named=True)]
        sections.append(Section(columns, rows, TASKS.get(task, task), changes([" ".join(row[:2]) for row in rows])))
    notes = [
        "Wrong codes that could be read, the thirty most frequent of each coder, with the titles of the catalogue; – "
        "= it does not stand there. Those of fewer patients than evaluation.least_cell are left out.",
    ]
    return Page(html_page("Confusions", sections, notes), frame)


def _confusion(row: dict[str, Any], names: dict[str, str]) -> list[str]:
    expected, predicted = (f"{row[code]}\n{row[f'{code}_title'] or '–'}" for code in ("expected", "predicted"))
    coder = f"{names.get(row['model'], row['model'])}, {state_of(row['epoch'])}"
    counts = [f"{row[name]:,}" for name in ("texts", "answers")]
    return [coder, row["dataset"], expected, predicted, *counts]
