"""All numbers of the plan as one table."""

from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from onkocode.models.gpus import Gpu
from onkocode.planning.calibration import Check, paper_checks, paper_rates, paper_utilisation
from onkocode.planning.past_runs import RunAndPlan
from onkocode.planning.plan import Plan

TIDY = ("section", "item", "measure", "value", "unit", "source")
Row = tuple[str, str, str, float | int | str | None, str, str]


def plan_table(plans: Sequence[Plan], compared: Sequence[RunAndPlan]) -> pl.DataFrame:
    """Return every number of the plan, a row each: the columns `TIDY`, values as text."""
    rows: list[Row] = []
    for plan in plans:
        rows += _plan_rows(plan)
    for check in paper_checks():
        rows += _check_rows("paper", check.name, check, "h", "Lenz et al. 2025, Table 3")
        rows.append(("paper", check.name, "rate", paper_rates()[check.name], "FLOP/s", "from the reported hours"))
    rows.append(("paper", "all", "utilisation", paper_utilisation(), "share of the peak", "geometric mean"))
    for item in compared:
        run = item.run
        rows.append(("run", run.name, "trainable", item.plan.trainable, "parameters", "shapes"))
        rows.append(("run", run.name, "trainable recorded", run.trainable, "parameters", "provenance"))
        rows.append(("run", run.name, "measured", run.seconds, "s", run.device))
        if item.time is not None:
            rows.append(("run", run.name, "predicted", item.time.predicted, "s", f"other models on {run.device}"))
        rows += _check_rows("run memory", run.name, item.memory, "bytes", run.device)
    return as_table(rows)


def as_table(rows: Sequence[Row]) -> pl.DataFrame:
    """Return rows as a table with the columns `TIDY`, values as text."""
    texts = [[None if value is None else str(value) for value in row] for row in rows]
    return pl.DataFrame(texts, schema=dict.fromkeys(TIDY, pl.String), orient="row")


def _plan_rows(plan: Plan) -> list[Row]:
    gpu, lengths, shape = plan.gpu, plan.subject.lengths, plan.subject.architecture
    item = plan.model if gpu is None else f"{plan.model} on {plan.gpus} x {gpu.name}"
    tokens = "" if lengths is None else lengths.source
    rows: list[Row] = [
        ("plan", item, "base", shape.parameters, "parameters", shape.source),
        ("plan", item, "active", shape.active, "parameters", shape.source),
        ("plan", item, "rank", plan.rank, "", "recipe"),
        ("plan", item, "alpha", plan.alpha, "", "recipe"),
        ("plan", item, "matrices", plan.targets, "", "recipe"),
        ("plan", item, "trainable", plan.trainable, "parameters", "shapes"),
        ("plan", item, "questions", plan.subject.questions, "per epoch", plan.subject.questions_source),
        ("plan", item, "tokens per question", None if lengths is None else lengths.mean, "tokens", tokens),
        ("plan", item, "longest question", None if lengths is None else lengths.longest, "tokens", tokens),
        ("plan", item, "tokens", plan.tokens, "per epoch", tokens),
        ("plan", item, "steps", plan.steps, "per epoch", "recipe"),
        ("plan", item, "epochs", plan.settings.epochs, "", "recipe"),
        ("plan", item, "FLOP per token", plan.flop_per_token, "FLOP", "without padding and recomputation"),
        ("plan", item, "FLOP", plan.flop_per_epoch, "per epoch", "with padding and recomputation"),
    ]
    rows += [("memory", item, name, part, "bytes", "formula") for name, part in asdict(plan.memory).items()]
    rows.append(("memory", item, "total", plan.memory.total, "bytes", "formula"))
    rows.append(("memory", item, "loading", plan.loading, "bytes", "formula"))
    rows.append(("memory", item, "GPU", None if gpu is None else gpu.memory, "bytes", "as the driver shows it"))
    rows.append(("memory", item, "spare", plan.spare, "bytes", "formula"))
    rows += _time_rows(plan, item, gpu)
    rows += [("disk", item, name, part, "bytes", "formula") for name, part in plan.disk.items()]
    return rows


def _time_rows(plan: Plan, item: str, gpu: Gpu | None) -> list[Row]:
    epochs, source = plan.settings.epochs, "" if plan.speed is None else plan.speed.source
    peak = None if gpu is None else gpu.peak(plan.settings.precision)
    span = None if plan.speed is None or plan.hours is None else plan.speed.span(plan.hours * epochs)
    low, high = span or (None, None)
    first, *retries = plan.asked_hours or (None,)
    asked: list[Row] = [("time", item, "hours asked", first, "per epoch", "recipe")]
    for number, limit in enumerate(retries, start=1):
        asked.append(("time", item, f"hours asked, retry {number}", limit, "per epoch", "at most; from the last save"))
    if plan.asked_hours:
        most = sum(plan.asked_hours)
        asked.append(("time", item, "hours at most", most, "per epoch", "every try to its limit"))
    return [
        ("time", item, "peak", peak, "FLOP/s", "" if gpu is None else gpu.source),
        ("time", item, "rate", None if plan.speed is None else plan.speed.flop_per_second, "FLOP/s", source),
        ("time", item, "hours", plan.hours, "per epoch", source),
        ("time", item, "GPU-hours", plan.gpu_hours, "per epoch", source),
        ("time", item, "hours", None if plan.hours is None else plan.hours * epochs, "all epochs", source),
        ("time", item, "hours, low", low, "all epochs", "largest error of leaving out"),
        ("time", item, "hours, high", high, "all epochs", "largest error of leaving out"),
        ("time", item, "GPU-hours", None if plan.gpu_hours is None else plan.gpu_hours * epochs, "all epochs", source),
        *asked,
    ]


def _check_rows(section: str, item: str, check: Check, unit: str, source: str) -> list[Row]:
    return [
        (section, item, "predicted", check.predicted, unit, "formula"),
        (section, item, "measured", check.measured, unit, source),
        (section, item, "ratio", check.ratio, "predicted / measured", ""),
    ]
