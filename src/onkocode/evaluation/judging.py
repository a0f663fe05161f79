"""From raw answers to judged rows, which hold codes and truth values but no text."""

from collections.abc import Mapping

import polars as pl

from onkocode.catalogues.vocabulary.label_space import LabelSpace
from onkocode.evaluation.parsing import Parsed, parse_answer
from onkocode.records.errors import InputError


def judge_answers(predictions: pl.DataFrame, questions: pl.DataFrame, spaces: Mapping[str, LabelSpace]) -> pl.DataFrame:
    """Return judged rows (schema JUDGED) of the first-ranked answers.

    Args:
        predictions: schema PREDICTIONS.
        questions: schema QUESTIONS; every predicted question must stand there.
        spaces: label space per task with codes.

    Raises:
        InputError: predictions on questions that are not in the table.
    """
    columns = ["question_id", "entry_id", "cluster", "task", "formulation_id", "split", "answer", "code", "accepted"]
    asked = questions.select(columns).rename({"answer": "expected_answer"})
    joined = predictions.filter(pl.col("rank") == 1).join(asked, on="question_id", how="left", maintain_order="left")
    if joined["task"].null_count():
        raise InputError("the predictions answer questions that are not in the table; evaluate again")
    rows = [
        _judge(task, parse_answer(task, answer), code or expected, accepted, spaces)
        for task, answer, code, expected, accepted in joined.select(
            "task", "answer", "code", "expected_answer", "accepted"
        ).iter_rows()
    ]
    judged = pl.DataFrame(
        rows, schema_overrides={"exists": pl.Boolean, "terminal": pl.Boolean}, infer_schema_length=None
    )
    return pl.concat([joined, judged], how="horizontal")


def _judge(
    task: str, parsed: Parsed, expected: str, accepted: list[str] | None, spaces: Mapping[str, LabelSpace]
) -> dict[str, object]:
    """Judge one answer. Exact = the expected or another accepted code; partial = its first three characters."""
    value = parsed.value
    right = {expected, *(accepted or [])}
    space = spaces.get(task)
    known = value is not None and space is not None
    return {
        "expected": expected,
        "predicted": value,
        "valid": value is not None,
        "exact": value in right,
        "partial": value is not None and value[:3] in {code[:3] for code in right},
        "exists": space.exists(value) if known and space and value else None,
        "terminal": space.is_terminal(value) if known and space and value else None,
        "several": parsed.several,
        "cut": parsed.cut,
    }
