"""Table 4 (base and trained models on the test texts), and the summary of a single checkpoint."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.evaluation.metrics import METRICS, UNITS
from onkocode.evaluation.selection import CHOICES
from onkocode.records.errors import InputError
from onkocode.reporting.choices import choice_notes
from onkocode.reporting.html import Column, Section, changes, html_page
from onkocode.reporting.inputs import (
    OF_ANSWERS,
    STRATA,
    TASKS,
    Model,
    Target,
    at_target,
    in_task_order,
    interval_rows,
    read_metrics,
    single_checkpoints,
)
from onkocode.reporting.outputs import Page
from onkocode.reporting.results import Results
from onkocode.tasks import PROTOCOL


@dataclass(frozen=True)
class Measure:
    """A measure of Table 4."""

    task: str
    metric: str
    denominator: str
    title: str

    @property
    def name(self) -> str:
        """Column of the frame; ``<name>_low``, ``_high`` and ``_n`` stand beside it."""
        return f"{self.task}_{self.metric}_{self.denominator}"


_TITLES = (
    ("accuracy", "valid", "Accuracy (valid)"),
    ("accuracy", "all", "Accuracy (all)"),
    ("partial_accuracy", "valid", "Partial (valid)"),
    ("invalid_rate", "all", "Invalid"),
)
TABLE_4 = tuple(
    Measure(task, metric, denominator, title)
    for task in TASKS
    for metric, denominator, title in _TITLES
    if task in METRICS[metric].tasks
)
INTERVAL_NOTE = (
    "Below each rate: 95 % interval over texts (Korn–Graubard; all formulations of a text count together), none below "
    "ten texts."
)
KEYS = ["dataset", "stratum", "condition", "task", "metric", "denominator"]


def tabulate(results: Results) -> Page:
    """Return Table 4; raises InputError when an input cannot be read."""
    models, selection = results.models, results.selection
    frame = performance_table(results.metrics, models, selection, results.targets)
    notes = choice_notes(selection, models, results.valid_floor if results.texts else None)
    notes += [_REPLICATE_NOTE] if any(model.replicate_of is not None for model in models) else []
    single = single_checkpoints(results.metrics, models)
    return Page(_performance_page(frame, set(single), notes), frame)


def performance_table(
    metrics: pl.DataFrame, models: Sequence[Model], selection: pl.DataFrame, questions: Sequence[Target]
) -> pl.DataFrame:
    """Return Table 4: the base model and its selected epochs on each set of questions, or the only checkpoint there is.

    Args:
        metrics: table of the schema Metrics.
        models: the models, in the order of the rows.
        selection: rows as `select_checkpoints` returns them.
        questions: the sets of questions.

    Returns:
        A row per set of questions, model and checkpoint. Columns dataset, stratum, model, label, state (base |
        trained), epoch, selected_by (null for the base; the ways in `CHOICES` that chose it, joined by " + "), then
        for each measure of `TABLE_4`, as far as its task is of the paper or was asked, its value, low and high (in %)
        and n (its denominator). A checkpoint that was not tested on a set of questions has no row there.
    """
    single = single_checkpoints(metrics, models)
    tasks = {*PROTOCOL, *metrics["task"].unique().to_list()}
    measures = [measure for measure in TABLE_4 if measure.task in tasks]
    lookup = {measure: interval_rows(metrics, measure.metric, measure.denominator) for measure in measures}
    rows = [
        row
        for target in questions
        for model in models
        for epoch, selected_by in _checkpoints(selection, model.key, single.get(model.key))
        if (row := _performance_row(lookup, model, target, epoch, selected_by)) is not None
    ]
    return pl.DataFrame(rows, schema=_performance_schema(measures))


def performance_summary(metrics: pl.DataFrame, model: str, epoch: int) -> pl.DataFrame:
    """Return every measure of one checkpoint, with one interval each.

    Returns:
        Columns dataset, stratum, condition, task, metric, denominator, n, clusters, value, low, high, unit, method.
        Rates are in %, gains in percentage points, times in seconds, lengths in tokens.

    Raises:
        InputError: the metrics hold nothing on the checkpoint.
    """
    rows = metrics.filter(pl.col("model") == model, pl.col("epoch") == epoch)
    if rows.is_empty():
        raise InputError(f"the metrics hold nothing on model {model}, epoch {epoch}; evaluate it first")
    unit = pl.col("metric").replace_strict({metric.key: metric.unit for metric in METRICS.values()})
    factor = unit.replace_strict(UNITS)
    return (
        rows.sort(pl.col("method") == OF_ANSWERS, maintain_order=True)
        .unique(KEYS, keep="first", maintain_order=True)
        .with_columns(unit.alias("unit"), *[(pl.col(column) * factor) for column in ("value", "low", "high")])
        .select(*KEYS, "n", "clusters", "value", "low", "high", "unit", "method")
        .sort(KEYS)
    )


def write_performance_summary(metrics: Sequence[Path], model: str, epoch: int, table: Path) -> None:
    """Write the summary of one checkpoint.

    Args:
        metrics: metrics tables (Parquet).
        model: the model's key.
        epoch: the epoch; 0 is the base model.
        table: path of the HTML file to write; the TSV file lies beside it.

    Raises:
        InputError: an input cannot be read, or holds nothing on the checkpoint.
    """
    frame = performance_summary(read_metrics(metrics), model, epoch)
    Page(_summary_page(frame, model, epoch), frame).write(table)


def _checkpoints(selection: pl.DataFrame, model: str, only: int | None) -> list[tuple[int, str | None]]:
    """Return base and selected epochs, in the order of `CHOICES`, and the only epoch of a model that has one."""
    reasons: dict[int, list[str]] = {0: []} if only is None else {0: [], only: []}
    chosen = selection.filter(pl.col("model") == model, pl.col("epoch").is_not_null())
    for row in sorted(chosen.iter_rows(named=True), key=lambda row: CHOICES.index(row["selected_by"])):
        reasons.setdefault(row["epoch"], []).append(row["selected_by"])
    return [(epoch, " + ".join(by) or None) for epoch, by in reasons.items()]


def _performance_row(
    lookup: dict[Measure, pl.DataFrame], model: Model, target: Target, epoch: int, selected_by: str | None
) -> dict[str, Any] | None:
    row: dict[str, Any] = {"dataset": target.dataset, "stratum": target.stratum, "model": model.key}
    row |= {"label": model.label, "state": "trained" if epoch else "base", "epoch": epoch, "selected_by": selected_by}
    found = False
    for measure, rates in lookup.items():
        rate = at_target(rates, target).filter(
            pl.col("model") == model.key, pl.col("epoch") == epoch, pl.col("task") == measure.task
        )
        for suffix, column in (("", "value"), ("_low", "low"), ("_high", "high"), ("_n", "n")):
            row[measure.name + suffix] = rate[column][0] if rate.height else None
        found = found or rate.height > 0
    return row if found else None


def _performance_schema(measures: Sequence[Measure]) -> dict[str, Any]:
    schema: dict[str, Any] = dict.fromkeys(("dataset", "stratum", "model", "label", "state"), pl.String)
    schema |= {"epoch": pl.Int64, "selected_by": pl.String}
    for measure in measures:
        schema |= {measure.name + suffix: pl.Float64 for suffix in ("", "_low", "_high")}
        schema[measure.name + "_n"] = pl.Int64
    return schema


def _performance_page(frame: pl.DataFrame, single: Set[str], further: Sequence[str]) -> str:
    notes = [
        "Accuracy: exact code. Partial: the same category, such as the first three characters of an ICD-10 code; exact "
        "ones included. Invalid: no answer of the asked form could be read. All in %. (valid): of the valid answers, "
        "as in Lenz et al. 2025; (all): of all questions, an invalid answer counts as wrong. n: questions asked.",
        INTERVAL_NOTE,
    ]
    title = "Performance of base and trained models"
    sections = [_performance_section(frame, task, single) for task in TASKS]
    return html_page(title, [section for section in sections if section.rows], [*notes, *further])


def _performance_section(frame: pl.DataFrame, task: str, single: Set[str]) -> Section:
    """Return the table of a task, with the checkpoints and measures that there are; ``single`` have no other one."""
    measures = [measure for measure in TABLE_4 if measure.task == task and measure.name in frame.columns]
    measures = [measure for measure in measures if frame[measure.name + "_n"].drop_nulls().len()]
    shown = frame.filter(pl.any_horizontal(pl.lit(False), *[pl.col(m.name + "_n").is_not_null() for m in measures]))
    columns = [Column("Model", number=False), Column("Questions", number=False), Column("Epoch", number=False)]
    columns += [Column("n"), *[Column(measure.title) for measure in measures]]
    rows = [_performance_cells(row, task, measures, row["model"] in single) for row in shown.iter_rows(named=True)]
    ruled = changes([f"{row['dataset']} {row['model']}" for row in shown.iter_rows(named=True)])
    return Section(columns, rows, TASKS[task], ruled)


def _performance_cells(row: dict[str, Any], task: str, measures: Sequence[Measure], single: bool) -> list[str]:
    asked = row[f"{task}_accuracy_all_n"]
    epoch = f"{row['epoch']}\n{row['selected_by']}" if row["selected_by"] and not single else str(row["epoch"])
    place = [row["label"], Target(row["dataset"], row["stratum"]).label, epoch if row["epoch"] else "base"]
    return [*place, "–" if asked is None else f"{asked:,}", *[_rate(row, measure) for measure in measures]]


def _summary_page(frame: pl.DataFrame, model: str, epoch: int) -> str:
    tasks = in_task_order(frame["task"].unique().to_list())
    return html_page(f"{model}, epoch {epoch}", [_summary_section(frame, task) for task in tasks], [_SUMMARY_NOTE])


def _summary_section(frame: pl.DataFrame, task: str) -> Section:
    texts, numbers = ("Questions", "Condition", "Measure", "Of"), ("n", "Value", "95 % interval")
    columns = [*[Column(title, number=False) for title in texts], *map(Column, numbers), Column("Unit", number=False)]
    shown = frame.filter(pl.col("task") == task)
    ruled = changes([f"{row['dataset']} {row['stratum']} {row['condition']}" for row in shown.iter_rows(named=True)])
    return Section(columns, [_summary_cells(row) for row in shown.iter_rows(named=True)], TASKS.get(task, task), ruled)


def _summary_cells(row: dict[str, Any]) -> list[str]:
    digits = 1 if row["unit"] in ("%", "points") else 3
    interval = f"{_text(row['low'], digits)} – {_text(row['high'], digits)}" if row["low"] is not None else "–"
    asked = "–" if row["n"] is None else f"{row['n']:,}"
    name = f"{row['dataset']}, {STRATA.get(row['stratum'], row['stratum'])}"
    facts = [name, row["condition"], METRICS[row["metric"]].label, row["denominator"]]
    return [*facts, asked, _text(row["value"], digits), interval, row["unit"]]


_SUMMARY_NOTE = (
    "Of: valid = the valid answers; all = all questions, an invalid answer counts as wrong. Gains are differences to "
    "the base model on the same questions. Intervals over texts: Korn–Graubard, of differences Student's t; none below "
    "ten texts."
)


_REPLICATE_NOTE = "Models that differ in their seed alone share one base, which stands with the first of them."


def _rate(row: dict[str, Any], measure: Measure) -> str:
    value, low, high = (row[measure.name + suffix] for suffix in ("", "_low", "_high"))
    return _text(value, 1) + (f"\n{low:.1f}–{high:.1f}" if low is not None and high is not None else "")


def _text(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
