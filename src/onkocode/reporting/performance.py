"""Table 4: base and trained models on the test texts."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import polars as pl

from onkocode.evaluation.crossfitting import CROSS_FITTED
from onkocode.evaluation.metrics import METRICS
from onkocode.evaluation.selection import CHOICES
from onkocode.reporting.choices import choice_notes
from onkocode.reporting.differences import FACTORS, Key, in_points, p_text, to_base
from onkocode.reporting.html import Column, Section, changes, html_page
from onkocode.reporting.inputs import (
    TASKS,
    Model,
    Target,
    at_target,
    in_task_order,
    interval_rows,
    single_checkpoints,
)
from onkocode.reporting.outputs import Page
from onkocode.reporting.results import Results
from onkocode.reporting.summary import number_text
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
DIFFERENCE_NAMES = {name: "difference" if name == "difference" else f"difference_{name}" for name in FACTORS}


def tabulate(results: Results) -> Page:
    """Return Table 4; raises InputError when an input cannot be read."""
    models, selection = results.models, results.selection
    frame = performance_table(results.metrics, models, selection, results.targets, to_base(results.comparisons))
    notes = choice_notes(selection, models, results.valid_floor if results.texts else None)
    notes += patient_notes(results.strata, results.texts)
    notes += [_REPLICATE_NOTE] if any(model.replicate_of is not None for model in models) else []
    single = single_checkpoints(results.metrics, models)
    return Page(_performance_page(frame, set(single), notes), frame)


def patient_notes(strata: pl.DataFrame, texts: Sequence[str]) -> list[str]:
    """Return a sentence on each test set: how many texts its patients have, and a warning where that is not known."""
    counts = strata.filter(pl.col("metric") == "texts_per_cluster").sort("n", descending=True)
    notes = []
    for text in texts:
        for row in counts.filter(pl.col("dataset") == text).head(1).iter_rows(named=True):
            several = f"{row['n']:,} texts of {row['clusters']:,} patients, {row['value']:.2f} each."
            one = (
                f"{row['n']:,} texts, each of a patient of its own. Should some be of the same patient, all intervals "
                f"are too narrow: see that the column with patients stands in texts.{text}.columns.cluster."
            )
            notes.append(f"Test set {text}: {several if row['value'] > 1 else one}")
    return notes


def performance_table(
    metrics: pl.DataFrame,
    models: Sequence[Model],
    selection: pl.DataFrame,
    questions: Sequence[Target],
    differences: Mapping[Key, Mapping[str, Any]] = MappingProxyType({}),
) -> pl.DataFrame:
    """Return Table 4: the base model and its selected epochs on each set of questions, or the only checkpoint there is.

    Args:
        metrics: table of the schema Metrics.
        models: the models, in the order of the rows.
        selection: rows as `select_checkpoints` returns them.
        questions: the sets of questions.
        differences: of chosen epochs to their bases, of `differences.to_base`.

    Returns:
        A row per set of questions, model and checkpoint. Columns dataset, stratum, model, label, state (base |
        trained), epoch, selected_by (null for the base; the ways in `CHOICES` that chose it, joined by " + "), then
        for each measure of `TABLE_4`, as far as its task is of the paper or was asked, its value, low and high (in %)
        and n (its denominator), and for each task the paired difference in exact accuracy to the base with its interval
        and p. Where the test set chose an epoch, the stratum is that of the cross-fitted rates. A checkpoint that was
        not tested on a set of questions has no row there.
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
    for row in rows:
        row |= _difference_columns(row, differences, tasks)
    return pl.DataFrame(rows, schema=_performance_schema(measures, in_task_order(tasks)))


def _difference_columns(
    row: dict[str, Any], differences: Mapping[Key, Mapping[str, Any]], tasks: Set[str]
) -> dict[str, float | None]:
    """Return the paired differences to the base, of the epoch that stands for the model."""
    ways = (row["selected_by"] or "").split(" + ")
    stands = not {"development", "test"}.isdisjoint(ways)
    found: dict[str, float | None] = {}
    for task in tasks:
        pair = differences.get((row["dataset"], row["model"], task, "accuracy")) if stands else None
        chosen = pair if pair is not None and pair["left_epoch"] == row["epoch"] else None
        found |= {f"{task}_{DIFFERENCE_NAMES[name]}": value for name, value in in_points(chosen).items()}
    return found


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
    ways = (selected_by or "").split(" + ")
    if "test" in ways and "development" not in ways:
        fitted = Target(target.dataset, CROSS_FITTED)
        own = [at_target(rates, fitted).filter(pl.col("model") == model.key) for rates in lookup.values()]
        target = fitted if any(rates.height for rates in own) else target
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


def _performance_schema(measures: Sequence[Measure], tasks: Sequence[str]) -> dict[str, Any]:
    schema: dict[str, Any] = dict.fromkeys(("dataset", "stratum", "model", "label", "state"), pl.String)
    schema |= {"epoch": pl.Int64, "selected_by": pl.String}
    for measure in measures:
        schema |= {measure.name + suffix: pl.Float64 for suffix in ("", "_low", "_high")}
        schema[measure.name + "_n"] = pl.Int64
    return schema | {f"{task}_{name}": pl.Float64 for task in tasks for name in DIFFERENCE_NAMES.values()}


def _performance_page(frame: pl.DataFrame, single: Set[str], further: Sequence[str]) -> str:
    notes = [
        "Accuracy: exact code. Partial: the same category, such as the first three characters of an ICD-10 code; exact "
        "ones included. Invalid: no answer of the asked form could be read. All in %. (valid): of the valid answers, "
        "as in Lenz et al. 2025; (all): of all questions, an invalid answer counts as wrong. n: questions asked.",
        INTERVAL_NOTE,
        "Cross-fitted: where the test set chose the epoch, each text is answered by epochs that other texts chose. "
        "Exact against base: paired difference on the same questions, in points of all answers; p by flipped signs, "
        "below it corrected by Holm (– = the primary endpoint). More of them: the table of paired differences.",
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
    columns += [Column("Exact against base, points"), Column("p\n(Holm)")]
    rows = [_performance_cells(row, task, measures, row["model"] in single) for row in shown.iter_rows(named=True)]
    ruled = changes([f"{row['dataset']} {row['model']}" for row in shown.iter_rows(named=True)])
    return Section(columns, rows, TASKS[task], ruled)


def _performance_cells(row: dict[str, Any], task: str, measures: Sequence[Measure], single: bool) -> list[str]:
    asked = row[f"{task}_accuracy_all_n"]
    by = f"{row['selected_by']}{', cross-fitted' if row['stratum'] == CROSS_FITTED else ''}"
    epoch = f"{row['epoch']}\n{by}" if row["selected_by"] and not single else str(row["epoch"])
    place = [row["label"], Target(row["dataset"], row["stratum"]).label, epoch if row["epoch"] else "base"]
    rates = [_rate(row, measure) for measure in measures]
    return [*place, "–" if asked is None else f"{asked:,}", *rates, *_difference_cells(row, task)]


def _difference_cells(row: dict[str, Any], task: str) -> list[str]:
    """Return the difference to the base with its interval, and p with what the correction makes of it."""
    value, low, high, p, corrected = (row[f"{task}_{name}"] for name in DIFFERENCE_NAMES.values())
    if value is None:
        return ["–", "–"]
    interval = "" if low is None else f"\n{low:+.1f} to {high:+.1f}"
    return [f"{value:+.1f}{interval}", f"{p_text(p)}\n{p_text(corrected)}"]


_REPLICATE_NOTE = "Models that differ in their seed alone share one base, which stands with the first of them."


def _rate(row: dict[str, Any], measure: Measure) -> str:
    value, low, high = (row[measure.name + suffix] for suffix in ("", "_low", "_high"))
    return number_text(value, 1) + (f"\n{low:.1f}–{high:.1f}" if low is not None and high is not None else "")
