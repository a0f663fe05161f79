"""What choosing an epoch is worth on texts that had no part in the choice, and how firm the choice is."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from onkocode.config.base import CATALOGUE, FREE
from onkocode.evaluation.chance import stream_of, with_replacement
from onkocode.evaluation.choosing import Choice, Counts, Rule, choice_of
from onkocode.evaluation.intervals import of_difference, of_rate
from onkocode.evaluation.measuring import over_clusters
from onkocode.evaluation.metrics import LEADING, METRICS
from onkocode.records.schemas import columns_of

SPLITS = 500  # random halves
RESAMPLES = 1000
LEAST_CLUSTERS = 20  # ten in each half
CROSS_FITTED = "cross-fitted"  # stratum of metrics
FREQUENCIES = {
    "model": pl.String,
    "selected_by": pl.String,
    "epoch": pl.Int64,
    "chosen": pl.Boolean,
    "share": pl.Float64,  # of resamples in which the epoch is chosen, 0…1
    "resamples": pl.Int64,
    "clusters": pl.Int64,
}


def reporting_weights(counts: Counts, choose: Choice, splits: int = SPLITS) -> np.ndarray | None:
    """Return how much each epoch counts for each cluster, shape (clusters, epochs), rows of sum 1.

    Many times, an epoch is chosen on a random half of the clusters and counts for those of the other half, so that no
    cluster has a part in the choice of the epoch that answers for it. None below twenty clusters.

    Source: cross-fitting, as in Chernozhukov et al. 2018, Econom. J. 21, over repeated halves.
    """
    number = len(counts.clusters)
    if number < LEAST_CLUSTERS:
        return None
    weights = np.zeros(counts.right.shape)
    stream = stream_of("cross-fitting", number, splits)
    for _ in range(splits):
        half = np.zeros(number)
        half[np.argsort(stream.random_raw(number), kind="stable")[: number // 2]] = 1
        weights[half == 0, choose(counts, half)] += 1
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def choice_shares(counts: Counts, choose: Choice, resamples: int = RESAMPLES) -> np.ndarray:
    """Return how often each epoch is chosen when clusters are drawn with replacement, shape (epochs,)."""
    number = len(counts.clusters)
    stream = stream_of("choice", number, resamples)
    chosen = np.zeros(len(counts.epochs))
    for _ in range(resamples):
        drawn = np.bincount(with_replacement(stream, number), minlength=number)
        chosen[choose(counts, drawn.astype(np.float64))] += 1
    return np.asarray(chosen / resamples)


def deciding(judged: pl.DataFrame, model: str, dataset: str) -> pl.DataFrame:
    """Return the answers to ICD-10 by which an epoch is chosen; of the catalogue, those to held-out labels."""
    rows = judged.filter(
        pl.col("model") == model,
        pl.col("dataset") == dataset,
        pl.col("condition") == FREE,
        pl.col("task") == "icd10",
        pl.col("epoch") > 0,
    )
    return rows.filter(pl.col("split") == "heldout_label") if dataset == CATALOGUE else rows


def refine(
    selection: pl.DataFrame, judged: pl.DataFrame, rule: Rule, valid_floor: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the selection by a rule, with what it is worth on other texts, and how often each epoch would be chosen.

    Args:
        selection: the best epochs (columns of `selection.SELECTION`).
        judged: schema Judged; all trained epochs, condition free, of the data sets by which they are chosen.
        rule: best, or one-standard-error (not for the study's way).
        valid_floor: of the study's way.

    Returns:
        The selection with `cross_fitted` and `optimism` where the chosen epoch is reported on the texts that chose it;
        and columns as in `FREQUENCIES`, a row per model, way and epoch.
    """
    rows, frequencies = [], []
    for row in selection.iter_rows(named=True):
        answers = deciding(judged, row["model"], row["dataset"])
        if row["epoch"] is None or answers.is_empty():
            rows.append(row)
            continue
        counts, choose = Counts.of(answers), choice_of(row["selected_by"], rule, valid_floor)
        rows.append(row | _chosen(counts, choose, row["selected_by"]))
        shares = choice_shares(counts, choose)
        frequencies += [
            {
                "model": row["model"],
                "selected_by": row["selected_by"],
                "epoch": epoch,
                "chosen": epoch == rows[-1]["epoch"],
                "share": float(share),
                "resamples": RESAMPLES,
                "clusters": len(counts.clusters),
            }
            for epoch, share in zip(counts.epochs, shares, strict=True)
        ]
    return pl.DataFrame(rows, schema=selection.schema), pl.DataFrame(frequencies, schema=FREQUENCIES)


def _chosen(counts: Counts, choose: Choice, way: str) -> dict[str, Any]:
    """Return the chosen epoch, its accuracy, and what remains of it on texts without a part in the choice."""
    place = choose(counts, np.ones(len(counts.clusters)))
    right, valid, asked = (table.sum(axis=0)[place] for table in (counts.right, counts.valid, counts.asked))
    of = counts.valid if way == "paper" else counts.asked
    value = right / of.sum(axis=0)[place]
    weights = None if way == "development" else reporting_weights(counts, choose)
    fitted = None if weights is None else float((weights * counts.right).sum() / (weights * of).sum())
    return {
        "epoch": counts.epochs[place],
        "value": float(value),
        "n": int(valid if way == "paper" else asked),
        "valid": float(valid / asked),
        "cross_fitted": fitted,
        "optimism": None if fitted is None else float(value - fitted),
    }


def cross_fitted_metrics(selection: pl.DataFrame, judged: pl.DataFrame, rule: Rule, valid_floor: float) -> pl.DataFrame:
    """Return metrics (schema Metrics, stratum cross-fitted) of epochs that were chosen on the test set.

    Each rate is of answers that epochs gave which other texts chose; it stands at the epoch that all texts chose. All
    tasks of the test set have them, gains too: the choice is by ICD-10 as always.

    Args:
        selection: of `refine`.
        judged: schema Judged; epoch 0 too, for gains.
        rule: as in `refine`.
        valid_floor: as in `refine`.
    """
    rows: list[dict[str, Any]] = []
    for row in selection.filter(pl.col("selected_by") == "test").iter_rows(named=True):
        weights = epoch_weights(judged, row["model"], row["dataset"], choice_of("test", rule, valid_floor))
        if weights is not None:
            head = {"model": row["model"], "epoch": row["epoch"], "condition": FREE, "dataset": row["dataset"]}
            own = judged.filter(
                pl.col("model") == row["model"], pl.col("dataset") == row["dataset"], pl.col("condition") == FREE
            )
            rows += [head | found for found in _weighted(own, weights)]
    return pl.DataFrame(rows, schema=columns_of("metrics"))


def epoch_weights(judged: pl.DataFrame, model: str, dataset: str, choose: Choice) -> pl.DataFrame | None:
    """Return how much each epoch of a model counts for each cluster of the data set that chooses it.

    Clusters without an answer that decides had no part in any choice: for them, epochs count as they do on average.
    Columns cluster, epoch, weight; None where there are too few clusters, or fewer than two epochs to choose from.
    """
    answers = deciding(judged, model, dataset)
    if answers.is_empty():
        return None
    counts = Counts.of(answers)
    weights = reporting_weights(counts, choose) if len(counts.epochs) > 1 else None
    if weights is None:
        return None
    own = (pl.col("model") == model) & (pl.col("dataset") == dataset)
    others = sorted(set(judged.filter(own)["cluster"]) - set(counts.clusters))
    weights = np.concatenate([weights, np.repeat(weights.mean(axis=0, keepdims=True), len(others), axis=0)])
    clusters = [*counts.clusters, *others]
    columns = {
        "cluster": np.repeat(clusters, len(counts.epochs)),
        "epoch": counts.epochs * len(clusters),
        "weight": weights.ravel(),
    }
    return pl.DataFrame(columns, schema={"cluster": pl.String, "epoch": pl.Int64, "weight": pl.Float64})


def _weighted(judged: pl.DataFrame, weights: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rates and gains of all tasks, each answer with the weight of its epoch for its text."""
    answers = judged.join(weights, on=["cluster", "epoch"], maintain_order="left")
    base = judged.filter(pl.col("epoch") == 0)
    for (task,), part in answers.group_by("task", maintain_order=True):
        for key in LEADING:
            metric = METRICS[key]
            if task not in metric.tasks:
                continue
            values = part.select(
                "task", "question_id", "cluster", "weight", "valid", value=metric.value.cast(pl.Float64)
            )
            for denominator in metric.denominators:
                of = values.filter("valid") if denominator == "valid" else values
                yield {"task": task, "metric": key, "denominator": denominator} | _rate(of)
            before = base.select("task", "question_id", before=metric.value.cast(pl.Float64))
            paired = values.join(before, on=["task", "question_id"], maintain_order="left")
            if metric.gain and paired.height:
                gains = paired.with_columns(value=pl.col("value") - pl.col("before"))
                yield {"task": task, "metric": f"gain_{key}", "denominator": "all"} | _rate(gains, gain=True)


def _rate(values: pl.DataFrame, gain: bool = False) -> dict[str, Any]:
    sums, totals = over_clusters(values)
    sums, totals = sums[totals > 0], totals[totals > 0]
    return {
        "stratum": CROSS_FITTED,
        "k": float(sums.sum()),
        "n": max(round(float(totals.sum())), len(totals)),
        "clusters": len(totals),
        "value": float(sums.sum() / totals.sum()) if len(totals) else None,
        **(of_difference if gain else of_rate)(sums, totals),
    }
