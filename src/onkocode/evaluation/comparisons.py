"""Differences between two checkpoints on the same questions, with their intervals and what chance would do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from onkocode.config.base import Section
from onkocode.config.schema import Primary
from onkocode.evaluation.choosing import Rule
from onkocode.evaluation.intervals import of_difference
from onkocode.evaluation.measuring import over_clusters
from onkocode.evaluation.metrics import LEADING, METRICS
from onkocode.evaluation.pairs import OF_CHOSEN, Asked, Pair
from onkocode.evaluation.significance import holm, sign_flip
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of

CORRECTED = ("primary", "p_holm")


class Comparing(Section):
    """Settings of compare-checkpoints."""

    texts: tuple[str, ...] = Field((), description="Keys of the test sets, in order.")
    bases: dict[str, str] = Field({}, description="The model whose epoch 0 is the base, by model.")
    primary: Primary | None = Field(None, description="As evaluation.primary.")
    choice: Rule = Field("best", description="As evaluation.choice.")


def compare(
    judged: pl.DataFrame,
    pairs: Sequence[Pair],
    datasets: Sequence[str],
    primary: Primary | None,
    weights: Mapping[tuple[str, str], pl.DataFrame],
) -> pl.DataFrame:
    """Return a row (schema Comparisons) per pair, data set, task and measure, over the questions that both answered.

    Args:
        judged: schema Judged; all checkpoints of the pairs.
        pairs: what is compared.
        datasets: data sets on which they are compared; of the first one is the primary endpoint.
        primary: the comparison that is not corrected for the number of comparisons; None = all are.
        weights: by model and data set, where that data set chose the model's epoch: what each epoch counts for each
            cluster (`crossfitting.epoch_weights`), so that no text has a part in the choice of the epoch that answers.
    """
    rows: list[dict[str, Any]] = []
    for dataset in datasets:
        own = {model: table for (model, place), table in weights.items() if place == dataset}
        values = Values(judged.filter(pl.col("dataset") == dataset), own)
        rows += [{"dataset": dataset} | row for row in _on_data_set(values, pairs)]
    columns = columns_of("comparisons")
    frame = pl.DataFrame(rows, schema={name: columns[name] for name in columns if name not in CORRECTED})
    frame = frame.with_columns(primary=_is_primary(primary, datasets[0] if datasets else ""))
    rest = frame.filter(~pl.col("primary"))
    corrected = rest.with_columns(p_holm=pl.Series(holm(rest["p"].to_list()), dtype=pl.Float64))
    alone = frame.filter("primary").with_columns(p_holm=pl.lit(None, pl.Float64))
    return pl.concat([alone, corrected]).select(list(columns))


def compare_two(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Return the differences (schema Comparisons) of any two checkpoints on all data sets that both answered.

    Args:
        left: schema Judged, of one model, epoch and condition.
        right: the same of another.

    Raises:
        InputError: a side of several checkpoints, the same on both sides, or no question that both answered.
    """
    sides = []
    for name, own in (("left", left), ("right", right)):
        found = [Asked(*row) for row in own.select(Asked._fields).unique().iter_rows()]
        if len(found) != 1:
            raise InputError(f"--{name}: answers of {len(found)} checkpoints; give judged tables of one")
        sides.append(found[0])
    if sides[0] == sides[1]:
        raise InputError(f"--left and --right are both {sides[0].model}, epoch {sides[0].epoch}, {sides[0].condition}")
    datasets = sorted(set(left["dataset"]) & set(right["dataset"]))
    table = compare(pl.concat([left, right]), [Pair("coders", *sides)], datasets, None, {})
    if table.is_empty():
        raise InputError("--left and --right have no question in common; give judged tables of the same data sets")
    return table


def _is_primary(primary: Primary | None, dataset: str) -> pl.Expr:
    """Tell which row is the primary endpoint: none where there is none, or its model is not in the study."""
    if primary is None:
        return pl.lit(value=False)
    about = (pl.col("dataset") == dataset) & (pl.col("task") == primary.task) & (pl.col("metric") == primary.metric)
    left, right = pl.col("left_model"), pl.col("right_model")
    if primary.against is None:
        return about & (pl.col("kind") == "training") & (left == primary.model)
    ways = ((left == primary.model) & (right == primary.against)) | (
        (left == primary.against) & (right == primary.model)
    )
    return about & (pl.col("kind") == "coders") & ways


@dataclass
class Values:
    """Measures of the answers to one data set, a row per question.

    Attributes:
        judged: schema Judged.
        weights: what epochs count for clusters, by model, where this data set chose the epoch.
    """

    judged: pl.DataFrame
    weights: Mapping[str, pl.DataFrame]
    _fitted: dict[Asked, pl.DataFrame] = field(default_factory=dict)

    @cached_property
    def clusters(self) -> dict[str, int]:
        """Place of each cluster."""
        return {name: place for place, name in enumerate(sorted(self.judged["cluster"].unique()))}

    @cached_property
    def _parts(self) -> dict[Asked, pl.DataFrame]:
        measures = [METRICS[key].value.cast(pl.Float64).alias(key) for key in LEADING]
        columns = self.judged.select("model", "epoch", "condition", "task", "question_id", "cluster", *measures)
        found = columns.partition_by("model", "epoch", "condition", as_dict=True)
        return {Asked(str(keys[0]), int(keys[1]), str(keys[2])): part for keys, part in found.items()}

    def of(self, asked: Asked, cross_fitted: bool) -> pl.DataFrame | None:
        """Return columns task, question_id, cluster and `metrics.LEADING`; None where it was not asked.

        Cross-fitted, an answer is the mean of what the epochs say, each with its weight for the cluster.
        """
        weights = self.weights.get(asked.model) if cross_fitted and asked.epoch else None
        if weights is None:
            return self._parts.get(asked)
        if asked not in self._parts:
            return None
        if asked in self._fitted:
            return self._fitted[asked]
        epochs = [
            part
            for other, part in self._parts.items()
            if other.model == asked.model and other.condition == asked.condition and other.epoch
        ]
        joined = pl.concat(epochs).join(weights, on=["cluster", "epoch"], maintain_order="left")
        means = [(pl.col(key) * pl.col("weight")).sum() / pl.col("weight").sum() for key in LEADING]
        self._fitted[asked] = joined.group_by("task", "question_id", "cluster", maintain_order=True).agg(means)
        return self._fitted[asked]


def _on_data_set(values: Values, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Compare on one data set; all tests throw the same coins, so that they are thrown once."""
    found = [row for pair in pairs for row in _of_pair(pair, values)]
    if not found:
        return []
    p_values = sign_flip(np.stack([sums for _, sums in found], axis=1))
    return [row | {"p": float(p)} for (row, _), p in zip(found, p_values, strict=True)]


def _of_pair(pair: Pair, values: Values) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Yield a row for each task and measure, and the differences summed per cluster."""
    fitted = pair.kind in OF_CHOSEN
    left, right = values.of(pair.left, fitted), values.of(pair.right, fitted)
    if left is None or right is None:
        return
    both = left.join(right, on=["task", "question_id"], suffix="_right", maintain_order="left")
    for (task,), part in both.group_by("task", maintain_order=True):
        for key in LEADING:
            if task in METRICS[key].tasks:
                yield _row(pair, str(task), key, part, values.clusters)


def _row(
    pair: Pair, task: str, metric: str, both: pl.DataFrame, clusters: Mapping[str, int]
) -> tuple[dict[str, Any], np.ndarray]:
    difference = pl.col(metric) - pl.col(f"{metric}_right")
    sums, totals = over_clusters(both.select("cluster", value=difference, weight=pl.lit(1.0)))
    spread = np.zeros(len(clusters))
    spread[[clusters[name] for name in sorted(both["cluster"].unique())]] = sums
    sides = {f"left_{name}": value for name, value in pair.left._asdict().items()}
    sides |= {f"right_{name}": value for name, value in pair.right._asdict().items()}
    return sides | {
        "task": task,
        "metric": metric,
        "kind": pair.kind,
        "left": both[metric].mean(),
        "right": both[f"{metric}_right"].mean(),
        "difference": float(sums.sum() / totals.sum()),
        "n": int(totals.sum()),
        "clusters": len(totals),
        **of_difference(sums, totals),
    }, spread
