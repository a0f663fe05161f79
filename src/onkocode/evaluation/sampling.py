"""Which questions a checkpoint is asked."""

import math

import polars as pl

from onkocode.config.schema import Evaluation, Thinking
from onkocode.records.ids import shuffled
from onkocode.tasks import TASKS


def catalogue_questions(questions: pl.DataFrame, settings: Evaluation) -> pl.DataFrame:
    """Return the catalogue questions to ask: chosen tasks and splits, and per task and split a sample of the entries.

    In the sample an entry keeps all its formulations, since metrics are clustered by entry.
    """
    blocks = [TASKS[task].block for task in settings.tasks]
    chosen = questions.filter(pl.col("block").is_in(blocks) & pl.col("split").is_in(settings.splits))
    if settings.entries is None or chosen.is_empty():
        return chosen
    parts = []
    for (block, split), part in chosen.group_by(["block", "split"], maintain_order=True):
        ids = sorted(part["entry_id"].unique().to_list())
        kept = shuffled(ids, settings.seed, f"evaluate-{block}-{split}", ids)[: settings.entries]
        parts.append(part.filter(pl.col("entry_id").is_in(kept)))
    return pl.concat(parts).sort("question_id")


def text_questions(questions: pl.DataFrame, tasks: list[str]) -> pl.DataFrame:
    """Return the questions on a user's texts for the chosen tasks."""
    return questions.filter(pl.col("task").is_in(tasks))


def thinking_questions(questions: pl.DataFrame, settings: Thinking) -> pl.DataFrame:
    """Return all formulations of the chosen tasks on a seeded share of the texts (at least one)."""
    chosen = text_questions(questions, list(settings.tasks))
    ids = sorted(chosen["entry_id"].unique().to_list())
    kept = shuffled(ids, settings.seed, "thinking", ids)[: max(1, math.floor(settings.share * len(ids) + 0.5))]
    return chosen.filter(pl.col("entry_id").is_in(kept))
