"""Rules by which an epoch is chosen from the answers of all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import polars as pl

Rule = Literal["best", "one-standard-error"]


@dataclass(frozen=True)
class Counts:
    """Answers of the epochs of one model to the questions of one task, per cluster.

    Attributes:
        clusters: their names.
        epochs: in order.
        right: exact answers, shape (clusters, epochs).
        valid: answers that could be read, of the same shape.
        asked: questions, of the same shape.
    """

    clusters: list[str]
    epochs: list[int]
    right: np.ndarray
    valid: np.ndarray
    asked: np.ndarray

    @classmethod
    def of(cls, judged: pl.DataFrame) -> "Counts":
        """Count the judged answers of one model, data set and task."""
        counted = judged.group_by("cluster", "epoch").agg(
            right=pl.col("exact").sum(), valid=pl.col("valid").sum(), asked=pl.len()
        )
        clusters, epochs = (sorted(counted[name].unique().to_list()) for name in ("cluster", "epoch"))
        place = {name: number for number, name in enumerate(clusters)}
        rows = [place[name] for name in counted["cluster"]]
        columns = [epochs.index(epoch) for epoch in counted["epoch"]]
        tables = {name: np.zeros((len(clusters), len(epochs))) for name in ("right", "valid", "asked")}
        for name, table in tables.items():
            table[rows, columns] = counted[name].to_numpy()
        return cls(clusters, epochs, **tables)


# From the answers, and how often each cluster counts (shape (clusters,)), to the place of the chosen epoch; of equally
# good ones the earlier.
Choice = Callable[[Counts, np.ndarray], int]


def choice_of(way: str, rule: Rule, valid_floor: float) -> Choice:
    """Return how an epoch is chosen: `way` as in `selection.CHOICES`; the study's has a floor, and no other rule."""
    if way == "paper":
        return partial(best_of_valid, floor=valid_floor)
    return best_of_all if rule == "best" else within_one_standard_error


def best_of_all(counts: Counts, drawn: np.ndarray) -> int:
    """Return the best by the accuracy of all answers."""
    return int(np.argmax((drawn @ counts.right) / (drawn @ counts.asked)))


def best_of_valid(counts: Counts, drawn: np.ndarray, floor: float) -> int:
    """Return the best by the accuracy of the valid answers, among those with a share of them of `floor` and more.

    Among all where none has it.
    """
    right, valid, asked = drawn @ counts.right, drawn @ counts.valid, drawn @ counts.asked
    allowed = valid / asked >= floor
    values = right / np.maximum(valid, 1)
    return int(np.argmax(np.where(allowed, values, -1.0) if allowed.any() else values))


def within_one_standard_error(counts: Counts, drawn: np.ndarray) -> int:
    """Return the earliest that is at most one standard error of the best worse than it, by all answers.

    Source: Breiman et al. 1984, Classification and Regression Trees, 3.4.3; the error is that of a rate over clusters.
    """
    asked = drawn @ counts.asked
    values = (drawn @ counts.right) / asked
    best, clusters = int(np.argmax(values)), float(drawn.sum())
    squares = float(drawn @ (counts.right[:, best] - values[best] * counts.asked[:, best]) ** 2)
    error = (squares * clusters / max(clusters - 1, 1)) ** 0.5 / asked[best]
    return int(np.argmax(values >= values[best] - error))
