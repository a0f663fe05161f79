"""Rates with their intervals, in one tidy table. A new measure adds rows, never columns."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from onkocode.evaluation.intervals import clopper_pearson, cluster_bootstrap

BY = ["model", "epoch", "condition", "dataset", "task"]
Row = dict[str, object]


@dataclass(frozen=True)
class Rate:
    """A share: rows where `hit` holds among those where `of` holds (null = all rows)."""

    metric: str
    denominator: str
    hit: str
    of: str | None
    tasks: tuple[str, ...] = ("icd10", "topography", "tumour")
    conditions: tuple[str, ...] = ("free", "thinking")


CODES = ("icd10", "topography")
RATES = (
    Rate("accuracy", "valid", "exact", "valid"),
    Rate("accuracy", "all", "exact", None),
    Rate("partial_accuracy", "valid", "partial", "valid", CODES),
    Rate("partial_accuracy", "all", "partial", None, CODES),
    Rate("invalid_rate", "all", "invalid", None),
    Rate("nonexistent_rate", "valid", "nonexistent", "valid", CODES),
    Rate("nonterminal_rate", "valid", "nonterminal", "valid", CODES),
    Rate("several_rate", "all", "several", None),
    Rate("cut_rate", "all", "cut", None, conditions=("thinking",)),
    Rate("recall", "all", "true_positive", "positive", ("tumour",)),
    Rate("specificity", "all", "true_negative", "negative", ("tumour",)),
)
MEANS = {"seconds_per_question": "seconds", "tokens_per_question": "tokens"}
GAINS = {"gain_accuracy": "exact", "gain_partial_accuracy": "partial"}


def measure(judged: pl.DataFrame, baseline: pl.DataFrame | None, resamples: int) -> pl.DataFrame:
    """Return metrics (schema METRICS) of the judged rows of one model, epoch and condition.

    Rates get a Clopper–Pearson interval over questions and a bootstrap interval clustered by `cluster` (entry, text or
    patient): twelve formulations of one text are not twelve texts.

    Args:
        judged: schema JUDGED, any number of data sets and tasks.
        baseline: judged rows of the base model (epoch 0, condition free) for paired gains; None at the base itself.
        resamples: of the bootstrap.
    """
    frame = _with_truths(judged)
    base = _with_truths(baseline) if baseline is not None else None
    rows: list[Row] = []
    for keys, part in frame.group_by(BY, maintain_order=True):
        head = dict(zip(BY, keys, strict=True))
        for stratum, rows_of in _strata(part):
            head_here = head | {"stratum": stratum}
            rows += _rates(rows_of, head_here, resamples)
            rows += _means(rows_of, head_here, resamples)
            if base is not None:
                rows += _gains(rows_of, base, head_here, resamples)
    return pl.DataFrame(rows, infer_schema_length=None)


def _with_truths(judged: pl.DataFrame) -> pl.DataFrame:
    positive = pl.col("expected") == "Ja"
    return judged.with_columns(
        invalid=~pl.col("valid"),
        nonexistent=~pl.col("exists").fill_null(True),
        nonterminal=pl.col("exists").fill_null(False) & ~pl.col("terminal").fill_null(True),
        positive=positive,
        negative=~positive,
        true_positive=positive & pl.col("exact"),
        true_negative=~positive & pl.col("exact"),
    )


def _strata(part: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    yield "all", part
    splits = sorted(part["split"].unique().to_list())
    if len(splits) > 1:
        for split in splits:
            yield split, part.filter(pl.col("split") == split)
    elif splits[0] != "test":
        yield splits[0], part


def _rates(part: pl.DataFrame, head: Row, resamples: int) -> list[Row]:
    rows: list[Row] = []
    for rate in RATES:
        if head["task"] not in rate.tasks or head["condition"] not in rate.conditions:
            continue
        if part[rate.hit].null_count():  # judged before this was recorded
            continue
        chosen = part if rate.of is None else part.filter(pl.col(rate.of))
        if rate.metric in ("recall", "specificity") and chosen.is_empty():
            continue
        hits, totals = _per_cluster(chosen, rate.hit)
        k, n = int(hits.sum()), int(totals.sum())
        value = k / n if n else None
        row = head | {
            "metric": rate.metric,
            "denominator": rate.denominator,
            "k": float(k),
            "n": n,
            "clusters": len(totals),
            "value": value,
        }
        rows.append(row | _interval("clopper-pearson", clopper_pearson(k, n)))
        rows.append(row | _interval("cluster-bootstrap", cluster_bootstrap(hits, totals, resamples)))
    return rows


def _means(part: pl.DataFrame, head: Row, resamples: int) -> list[Row]:
    return [_mean(part, column, head | {"metric": metric}, resamples) for metric, column in MEANS.items()]


def _gains(part: pl.DataFrame, base: pl.DataFrame, head: Row, resamples: int) -> list[Row]:
    """Return paired differences to the base model over the questions that both were asked."""
    keys = ["dataset", "task", "question_id"]
    columns = list(dict.fromkeys(GAINS.values()))
    pairs = part.join(base.select(*keys, *columns), on=keys, suffix="_base")
    rows: list[Row] = []
    for metric, column in GAINS.items():
        if pairs.is_empty() or (head["task"] == "tumour" and column == "partial"):
            continue
        now, before = pl.col(column).cast(pl.Int64), pl.col(f"{column}_base").cast(pl.Int64)
        rows.append(_mean(pairs.with_columns(gain=now - before), "gain", head | {"metric": metric}, resamples))
    return rows


def _mean(part: pl.DataFrame, column: str, head: Row, resamples: int) -> Row:
    """Return a mean over all rows with its bootstrap interval."""
    sums, totals = _per_cluster(part, column)
    total, n = float(sums.sum()), int(totals.sum())
    row = {"denominator": "all", "k": total, "n": n, "clusters": len(totals), "value": total / n}
    interval = cluster_bootstrap(sums, totals, resamples, bounded=False)
    return head | row | _interval("cluster-bootstrap", interval)


def _per_cluster(part: pl.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    grouped = part.group_by("cluster").agg(hits=pl.col(column).cast(pl.Float64).sum(), total=pl.len()).sort("cluster")
    return grouped["hits"].to_numpy(), grouped["total"].to_numpy().astype(np.float64)


def _interval(method: str, bounds: tuple[float | None, float | None]) -> Row:
    return {"low": bounds[0], "high": bounds[1], "method": method}
