"""Codes of OPS as a task: read, judged and measured."""

import polars as pl
import pytest

from onkocode.catalogues.vocabulary.label_space import label_spaces
from onkocode.evaluation.judging import judge_answers
from onkocode.evaluation.measuring import measure
from onkocode.evaluation.parsing import parse_answer
from onkocode.questions.build import QuestionSet
from onkocode.records.schemas import columns_of
from tests.conftest import Tables


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("5-870", "5-870"),
        ("Der Kode lautet 5-87.", "5-87"),
        ("OPS 5-870.a1, sonst 5-870.a1", "5-870.a1"),
        ("5-89a", "5-89a"),
        ("C50.9", None),
        ("15-870", None),
        ("5-8", None),
        ("0-100", None),
    ],
)
def test_answers_are_read(answer: str, code: str | None) -> None:
    parsed = parse_answer("ops", answer)
    assert (parsed.value, parsed.several) == (code, False)


def test_answers_are_judged_and_measured(example_questions: QuestionSet, example: Tables) -> None:
    """The right code, one of the same category, and one of another; each to a third of the questions."""
    asked = example_questions.questions.filter(pl.col("task") == "ops", pl.col("code").str.len_chars() == 5).head(30)
    said = pl.col("code").str.head(4) + pl.lit("z")
    answer = pl.when(pl.int_range(pl.len()) % 3 == 0).then("code").when(pl.int_range(pl.len()) % 3 == 1).then(said)
    facts = {"model": "m", "epoch": 1, "condition": "free", "dataset": "catalogue", "rank": 1, "tokens": 0}
    facts |= {"score": None, "seconds": 0.1, "batch": 30, "truncated": None}
    rows = asked.with_columns(pl.lit(value).alias(name) for name, value in facts.items())
    predictions = rows.with_columns(answer=answer.otherwise(pl.lit("9-999")))
    typed = predictions.select(pl.col(name).cast(dtype) for name, dtype in columns_of("predictions").items())
    judged = judge_answers(typed, asked, label_spaces(example["ops"][1]))
    assert judged.select(pl.col("valid", "exact", "partial", "exists").sum()).row(0) == (30, 10, 20, 10)
    rates = measure(judged, None, 20).filter(stratum="all", denominator="all")
    assert {"accuracy", "partial_accuracy", "invalid_rate"} < set(rates["metric"])
