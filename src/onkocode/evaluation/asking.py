"""Which questions a coder is asked, and that it answers them."""

from collections.abc import Mapping

import polars as pl
from pydantic import Field

from onkocode.coders.interface import RANKED, Coder
from onkocode.coders.prompting import Answering
from onkocode.config.base import CONSTRAINED, SINGLE, SWAPPED
from onkocode.config.schema import Conditions, Evaluation
from onkocode.evaluation.sampling import chosen_questions, further_questions


class Asking(Answering):
    """Settings of evaluate-checkpoint and evaluate-conditions."""

    conditions: Conditions = Field(default_factory=lambda: Conditions.model_validate({}))
    evaluation: Evaluation = Field(default_factory=lambda: Evaluation.model_validate({}))


def choose_questions(tables: Mapping[str, pl.DataFrame], condition: str, settings: Asking) -> dict[str, pl.DataFrame]:
    """Return the questions that are asked under a condition, by data set.

    Args:
        tables: all questions of each data set (schema Questions).
        condition: how they are asked.
        settings: which of them are asked.

    Raises:
        InputError: a data set of which nothing is asked.
    """
    if condition in (SWAPPED, SINGLE, CONSTRAINED):
        return {
            name: further_questions(table, name, condition, settings.evaluation, settings.conditions)
            for name, table in tables.items()
        }
    return {
        name: chosen_questions(table, name, condition, settings.evaluation, settings.thinking)
        for name, table in tables.items()
    }


def ask(
    coder: Coder, questions: Mapping[str, pl.DataFrame], model: str, epoch: int, condition: str
) -> dict[str, pl.DataFrame]:
    """Return predictions (schema Predictions) by data set."""
    identity = {"model": pl.lit(model), "epoch": pl.lit(epoch, pl.Int64), "condition": pl.lit(condition)}
    return {
        name: answers.select(**identity, dataset=pl.lit(name), **{column: pl.col(column) for column in RANKED})
        for name, answers in coder.answer(questions).items()
    }
