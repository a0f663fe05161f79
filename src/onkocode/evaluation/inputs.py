"""What is known to go wrong in training or evaluation for want of questions, before anything is spent on it."""

from collections.abc import Mapping

import polars as pl
from pydantic import Field

from onkocode.config.base import CATALOGUE, FREE, THINKING, Section
from onkocode.config.schema import Evaluation, Thinking
from onkocode.evaluation.sampling import chosen_questions
from onkocode.records.errors import InputError

Counts = dict[str, dict[str, dict[str, int]]]


class InputSettings(Section):
    """Settings of check-inputs."""

    evaluation: Evaluation = Field(default_factory=lambda: Evaluation.model_validate({}))
    thinking: Thinking | None = None


def count_inputs(
    data: Mapping[str, pl.DataFrame], texts: Mapping[str, pl.DataFrame], settings: InputSettings
) -> Counts:
    """Check the questions of all data keys and test sets, and count them.

    Args:
        data: questions (schema QUESTIONS) by data key.
        texts: questions on users' texts, by test set.
        settings: what is asked of them; `thinking` where a model thinks.

    Raises:
        InputError: nothing to train on, or a data set of which nothing would be asked.
    """
    evaluation, thinking = settings.evaluation, settings.thinking or Thinking.model_validate({})
    report: Counts = {"data": {}, "texts": {}}
    for key, questions in data.items():
        trained = questions.filter(pl.col("split") == "train").height
        if not trained:
            raise InputError(f"data key {key!r} has no training questions; check its options")
        chosen_questions(questions, CATALOGUE, FREE, evaluation, thinking)
        report["data"][key] = {"questions": questions.height, "training questions": trained}
    for key, questions in texts.items():
        for condition in (FREE, THINKING) if settings.thinking else (FREE,):
            chosen_questions(questions, key, condition, evaluation, thinking)
        report["texts"][key] = {"texts": questions["entry_id"].n_unique(), "clusters": questions["cluster"].n_unique()}
    return report
