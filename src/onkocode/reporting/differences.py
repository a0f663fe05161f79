"""Paired differences to the base model, for the tables and figures that show rates."""

from collections.abc import Mapping
from typing import Any

import polars as pl

SURE = 0.05  # corrected p below which a difference is marked
FACTORS = {"difference": 100.0, "low": 100.0, "high": 100.0, "p": 1.0, "p_holm": 1.0}
Key = tuple[str, str, str, str]  # data set, model, task, metric


def to_base(comparisons: pl.DataFrame, kind: str = "training") -> dict[Key, dict[str, Any]]:
    """Return the differences of one kind by data set, model, task and metric; as in the schema Comparisons."""
    rows = comparisons.filter(pl.col("kind") == kind)
    # Thinking is asked of the base, and perhaps of a trained epoch.
    rows = rows.filter(pl.col("left_epoch") == 0) if kind == "thinking" else rows
    return {(row["dataset"], row["left_model"], row["task"], row["metric"]): row for row in rows.iter_rows(named=True)}


def in_points(row: Mapping[str, Any] | None) -> dict[str, float | None]:
    """Return difference and interval of a row of Comparisons in points, and its p values; None where there is none."""
    return {name: None if row is None or row[name] is None else factor * row[name] for name, factor in FACTORS.items()}


def p_text(p: float | None) -> str:
    """Return a p value."""
    return "–" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"


def gain_text(row: Mapping[str, Any]) -> str:
    """Return the difference of a row of `with_differences` in points, marked where its p is below 0.05."""
    p = row["p"] if row["p_holm"] is None else row["p_holm"]
    return f"{row['difference']:+.0f}{'†' if p < SURE else ''}"


def with_differences(
    numbers: pl.DataFrame, found: Mapping[str, Mapping[Key, Mapping[str, Any]]], dataset: str
) -> pl.DataFrame:
    """Return numbers of a figure with the differences to the base.

    Args:
        numbers: columns model, task, metric, state.
        found: of `to_base`, by the state that the differences are about.
        dataset: key of the data set.

    Returns:
        Further columns difference, difference_low, difference_high (points), p and p_holm.
    """
    rows = [
        found.get(row["state"], {}).get((dataset, row["model"], row["task"], row["metric"]))
        for row in numbers.iter_rows(named=True)
    ]
    names = [f"difference_{name}" if name in ("low", "high") else name for name in FACTORS]
    found_rows = [list(in_points(row).values()) for row in rows]
    return numbers.hstack(pl.DataFrame(found_rows, schema=dict.fromkeys(names, pl.Float64), orient="row"))
