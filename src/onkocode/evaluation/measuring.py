"""From judged answers to metrics with their intervals, in one tidy table."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from onkocode.evaluation.intervals import clopper_pearson, cluster_bootstrap, interval, of_difference, of_rate
from onkocode.evaluation.metrics import METRICS, Metric
from onkocode.records.schemas import empty_table

BY = ["model", "epoch", "condition", "dataset", "task"]
QUESTION = ["dataset", "task", "question_id"]
Row = dict[str, object]


def measure(judged: pl.DataFrame, baseline: pl.DataFrame | None, resamples: int) -> pl.DataFrame:
    """Return metrics (schema Metrics) of the judged rows of one model, epoch and condition.

    Rates get a Clopper–Pearson interval over questions and one over the clusters of `cluster` (entry, text or patient):
    twelve formulations of one text are not twelve texts. Other metrics get the second one alone.

    Args:
        judged: schema Judged, any number of data sets and tasks.
        baseline: judged rows of the base model (epoch 0, condition free) for paired gains; None at the base itself.
        resamples: of the bootstrap.
    """
    rows: list[Row] = []
    for keys, part in judged.group_by(BY, maintain_order=True):
        head: Row = dict(zip(BY, keys, strict=True))
        for stratum, answers in _strata(part):
            for metric in METRICS.values():
                if head["task"] in metric.tasks and head["condition"] in metric.conditions:
                    about = head | {"stratum": stratum, "metric": metric.key}
                    rows += (about | row for row in measured(metric, answers, baseline, resamples))
    return pl.DataFrame(rows, infer_schema_length=None) if rows else empty_table("metrics")


def _strata(part: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    yield "all", part
    splits = sorted(part["split"].unique().to_list())
    if len(splits) > 1:
        for split in splits:
            yield split, part.filter(pl.col("split") == split)
    elif splits[0] != "test":
        yield splits[0], part


def measured(metric: Metric, answers: pl.DataFrame, baseline: pl.DataFrame | None, resamples: int) -> Iterator[Row]:
    """Yield the rows of a metric; none where it was not recorded, or is about other answers, one class or no base."""
    values = _differences(metric, answers, baseline) if metric.paired else _values(metric, answers)
    if values.is_empty() or values["value"].null_count():
        return
    for denominator in metric.denominators:
        chosen = values.filter(pl.col("valid")) if denominator == "valid" else values
        for row in _with_intervals(chosen, metric, resamples):
            yield {"denominator": denominator} | row


def _values(metric: Metric, answers: pl.DataFrame) -> pl.DataFrame:
    """Return value, weight, cluster and validity of the answers that a metric is about.

    Weights are 1, save where two classes of answers are to count alike; their sum is the number of answers.
    """
    chosen = answers if metric.among is None else answers.filter(metric.among)
    weight = pl.lit(1.0)
    if metric.balance is not None:
        if chosen.select(metric.balance.n_unique()).item() < 2:
            return chosen.clear().select(*QUESTION, "cluster", "valid", value=pl.lit(0.0), weight=weight)
        weight = pl.len() / (2 * pl.len().over(metric.balance))
    return chosen.select(*QUESTION, "cluster", "valid", value=metric.value.cast(pl.Float64), weight=weight)


def _differences(metric: Metric, answers: pl.DataFrame, baseline: pl.DataFrame | None) -> pl.DataFrame:
    """Return the paired differences to the base model over the questions that both were asked."""
    now = _values(metric, answers)
    if baseline is None:
        return now.clear()
    before = _values(metric, baseline).select(*QUESTION, before="value")
    return now.join(before, on=QUESTION).with_columns(value=pl.col("value") - pl.col("before"))


def _with_intervals(values: pl.DataFrame, metric: Metric, resamples: int) -> Iterator[Row]:
    """Yield the mean of the values, once with each of its intervals."""
    sums, totals = over_clusters(values)
    k, n = float(sums.sum()), values.height
    row: Row = {"k": k, "n": n, "clusters": len(totals), "value": k / n if n else None}
    if metric.unit == "%":
        if metric.balance is None:
            low, high = clopper_pearson(int(k), n)
            yield row | {"low": low, "high": high, "method": "clopper-pearson"}
        yield row | of_rate(sums, totals)
    elif metric.unit == "points":
        yield row | of_difference(sums, totals)
    else:
        yield row | interval("cluster-bootstrap", cluster_bootstrap(sums, totals, resamples))


def over_clusters(values: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted sums of value (column `value`) and the sums of weight (`weight`) of each cluster."""
    sums = (pl.col("value") * pl.col("weight")).sum()
    ordered = values.group_by("cluster", maintain_order=True)  # sums of weights hang on their order
    grouped = ordered.agg(sums=sums, totals=pl.col("weight").sum()).sort("cluster")
    return grouped["sums"].to_numpy(), grouped["totals"].to_numpy()
