"""How much the phrasing of the question decides: range and agreement over formulations, and a split of the variance."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from onkocode.evaluation.measuring import BY, measured
from onkocode.evaluation.metrics import METRICS

NO_INTERVAL = "none"
Row = dict[str, Any]


def by_formulation(judged: pl.DataFrame) -> pl.DataFrame:
    """Return, per checkpoint, data set and task, what depends on the formulation (schema Metrics).

    `accuracy` of each formulation (stratum `formulation: <id>`); of those texts that were asked all of them
    `formulation_range`, the best minus the worst accuracy; `formulation_agreement`, the mean share of pairs of
    formulations that get the same answer to a text; and the shares of the variance of right and wrong that lie between
    texts (`variance_text`), between formulations (`variance_formulation`), and in neither (`variance_rest`).

    Args:
        judged: schema Judged.
    """
    rows: list[Row] = []
    accuracy = replace(METRICS["accuracy"], denominators=("all",))
    for keys, part in judged.group_by(BY, maintain_order=True):
        if part["formulation_id"].n_unique() < 2:
            continue
        head = dict(zip(BY, keys, strict=True))
        for (name,), answers in part.sort("formulation_id").group_by("formulation_id", maintain_order=True):
            *_, found = measured(accuracy, answers, None, 1)
            rows.append(head | {"stratum": f"formulation: {name}", "metric": "accuracy"} | found)
        rows += [head | row for row in _spread(part)]
    return pl.DataFrame(rows, infer_schema_length=None)


def _spread(answers: pl.DataFrame) -> list[Row]:
    formulations = answers["formulation_id"].n_unique()
    whole = answers.filter(pl.len().over("entry_id") == formulations).sort("entry_id", "formulation_id")
    texts = whole["entry_id"].n_unique()
    if texts < 2:
        return []
    right = whole["exact"].to_numpy().astype(np.float64).reshape(texts, formulations)
    unread = pl.lit("no answer to ") + pl.col("question_id")  # agrees with nothing
    said = whole.select(pl.coalesce("predicted", unread)).to_series().to_numpy().reshape(texts, formulations)
    means = right.mean(axis=0)
    values = {"formulation_range": float(means.max() - means.min()), "formulation_agreement": agreement(said)}
    values |= variance_shares(right)
    clusters = whole["cluster"].n_unique()
    about: Row = {"stratum": "all", "denominator": "all", "n": whole.height, "clusters": clusters, "k": 0.0}
    about |= {"low": None, "high": None, "method": NO_INTERVAL}
    return [about | {"metric": key, "value": value} for key, value in values.items()]


def agreement(said: np.ndarray) -> float:
    """Return the mean share of pairs of formulations with the same answer; shape (texts, formulations)."""
    formulations = said.shape[1]
    same = [sum(np.unique(row, return_counts=True)[1] ** 2) for row in said]
    return float((np.mean(same) - formulations) / (formulations * (formulations - 1)))


def variance_shares(right: np.ndarray) -> dict[str, float]:
    """Return the shares of texts, formulations and the rest in the variance, by the mean squares of a two-way layout.

    Negative estimates count as 0. All are 0 where nothing varies.

    Args:
        right: 0 or 1, shape (texts, formulations).

    Source: Searle, Casella & McCulloch 1992, Variance Components, 4.
    """
    texts, formulations = right.shape
    mean, rows, columns = right.mean(), right.mean(axis=1, keepdims=True), right.mean(axis=0, keepdims=True)
    rest = float(((right - rows - columns + mean) ** 2).sum()) / ((texts - 1) * (formulations - 1))
    of_texts = formulations * float(((rows - mean) ** 2).sum()) / (texts - 1)
    of_formulations = texts * float(((columns - mean) ** 2).sum()) / (formulations - 1)
    parts = {
        "variance_text": max(0.0, (of_texts - rest) / formulations),
        "variance_formulation": max(0.0, (of_formulations - rest) / texts),
        "variance_rest": rest,
    }
    total = sum(parts.values())
    return {key: part / total if total else 0.0 for key, part in parts.items()}
