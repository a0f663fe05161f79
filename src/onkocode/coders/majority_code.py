"""The most frequent answers of the training entries, to whatever text."""

from pathlib import Path
from typing import Any

import polars as pl

from onkocode.coders.fitted import check_tasks
from onkocode.coders.interface import Answer
from onkocode.config.coders import MajorityCode

FILE = "answers.parquet"


def fit(settings: MajorityCode, entries: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Write the most frequent answers per task."""
    frequent_answers(entries, settings.candidates).write_parquet(folder / FILE)
    return {}


def load(settings: MajorityCode, folder: Path) -> Answer:
    """Return what gives every text the most frequent answers."""
    frequent = pl.read_parquet(folder / FILE)

    def answer(texts: pl.DataFrame) -> pl.DataFrame:
        check_tasks(texts, frequent["task"])
        return texts.join(frequent, on="task", maintain_order="left_right")

    return answer


def frequent_answers(entries: pl.DataFrame, candidates: int) -> pl.DataFrame:
    """Return the most frequent answers per task; of equally frequent ones the first in the order of codes.

    A rewritten label does not count beside the one that it comes from.

    Args:
        entries: training entries; columns task, origin_id, answer.
        candidates: answers per task, where there are as many.

    Returns:
        Columns task, rank (1 = most frequent), answer, score (its share of the task's entries).
    """
    counted = entries.unique(["task", "origin_id", "answer"]).group_by("task", "answer").len()
    return (
        counted.with_columns(score=pl.col("len") / pl.col("len").sum().over("task"))
        .sort("task", "len", "answer", descending=[False, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over("task"))
        .filter(pl.col("rank") <= candidates)
        .select("task", "rank", "answer", "score")
    )
