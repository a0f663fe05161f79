"""Which questions a checkpoint is asked."""

import math

import polars as pl

from onkocode.config.base import CATALOGUE, CONSTRAINED, SWAPPED, THINKING
from onkocode.config.schema import Conditions, Evaluation, Thinking
from onkocode.records.errors import InputError
from onkocode.records.ids import shuffled
from onkocode.tasks import TASKS


def chosen_questions(
    questions: pl.DataFrame, name: str, condition: str, evaluation: Evaluation, thinking: Thinking
) -> pl.DataFrame:
    """Return the questions of a data set that are asked under a condition.

    Args:
        questions: all of the data set (schema QUESTIONS).
        name: catalogue, or the key of a test set.
        condition: free or thinking.
        evaluation: tasks, and splits of the catalogue.
        thinking: tasks of the condition thinking.

    Raises:
        InputError: none is asked.
    """
    tasks, key = (thinking.tasks, "thinking") if condition == THINKING else (evaluation.tasks, "evaluation")
    where = f"{key}.tasks ({', '.join(tasks)})"
    if condition == THINKING:
        chosen = thinking_questions(questions, thinking)
    elif name == CATALOGUE:
        chosen, where = catalogue_questions(questions, evaluation), f"{where} in evaluation.splits"
    else:
        chosen = text_questions(questions, list(tasks))
    if chosen.is_empty():
        raise InputError(f"data set {name!r}: no question belongs to {where}; {_remedy(name)}")
    return chosen


def _remedy(name: str) -> str:
    if name == CATALOGUE:
        return "name further tasks or splits there"
    return (
        "none of its texts has a code for them. Add such a column to its file (its name stands in "
        f"texts.{name}.columns), name further tasks there, or take {name} out of test_sets"
    )


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
    return _share_of_texts(text_questions(questions, list(settings.tasks)), settings.share, settings.seed)


def further_questions(
    questions: pl.DataFrame, name: str, condition: str, evaluation: Evaluation, conditions: Conditions
) -> pl.DataFrame:
    """Return the questions of a data set that are asked under a further condition; there may be none.

    swapped: all formulations on a share of the texts. single: a number of questions per task. constrained: the first
    formulation of every text, and of the catalogue those of the held-out labels.
    """
    if condition == CONSTRAINED:
        held_out = evaluation.model_copy(update={"splits": ["heldout_label"]})
        if name == CATALOGUE:
            asked = catalogue_questions(questions, held_out)
        else:
            asked = text_questions(questions, evaluation.tasks)
        first = asked.sort("formulation_id", "question_id").unique(
            ["entry_id", "task"], keep="first", maintain_order=True
        )
        return first.sort("question_id")
    asked = text_questions(questions, evaluation.tasks)
    if condition == SWAPPED:
        return _share_of_texts(asked, conditions.share, conditions.seed)
    ids = [
        question
        for (task,), part in asked.group_by("task", maintain_order=True)
        for question in _drawn(part["question_id"], conditions.seed, f"single-{task}")[: conditions.questions]
    ]
    return asked.filter(pl.col("question_id").is_in(ids))


def _share_of_texts(asked: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """Return the questions on a share of the texts; with the same seed, the same texts under all conditions."""
    ids = _drawn(asked["entry_id"], seed, "thinking")
    kept = ids[: max(1, math.floor(share * len(ids) + 0.5))]
    return asked.filter(pl.col("entry_id").is_in(kept))


def _drawn(column: pl.Series, seed: int, purpose: str) -> list[str]:
    ids = sorted(column.unique().to_list())
    return shuffled(ids, seed, purpose, ids)
