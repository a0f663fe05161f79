"""What is known to go wrong in training or evaluation for want of questions, before anything is spent on it."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from onkocode.config.schema import Evaluation, Thinking
from onkocode.evaluation.sampling import CATALOGUE, THINKING, chosen_questions
from onkocode.records.errors import InputError

Counts = dict[str, dict[str, dict[str, int]]]


def count_inputs(
    data: Mapping[str, pl.DataFrame], texts: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]
) -> Counts:
    """Check the questions of all data keys and test sets, and count them.

    Args:
        data: questions (schema QUESTIONS) by data key.
        texts: questions on users' texts, by test set.
        settings: `evaluation`, and where a model thinks `thinking`: keys of the configuration, with defaults.

    Raises:
        InputError: nothing to train on, or a data set of which nothing would be asked.
    """
    evaluation = Evaluation.model_validate(settings.get("evaluation", {}))
    thinking = Thinking.model_validate(settings.get("thinking", {}))
    report: Counts = {"data": {}, "texts": {}}
    for key, questions in data.items():
        trained = questions.filter(pl.col("split") == "train").height
        if not trained:
            raise InputError(f"data key {key!r} has no training questions; check its options")
        chosen_questions(questions, CATALOGUE, "free", evaluation, thinking)
        report["data"][key] = {"questions": questions.height, "training questions": trained}
    for key, questions in texts.items():
        for condition in ("free", THINKING) if "thinking" in settings else ("free",):
            chosen_questions(questions, key, condition, evaluation, thinking)
        report["texts"][key] = {"texts": questions["entry_id"].n_unique(), "clusters": questions["cluster"].n_unique()}
    return report
