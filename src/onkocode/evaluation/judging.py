"""From raw answers to judged rows, which hold codes and truth values but no text: here an answer is right or wrong."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import polars as pl

from onkocode.catalogues.vocabulary.codes import category_of
from onkocode.catalogues.vocabulary.label_space import LabelSpace
from onkocode.evaluation.answers.reading import read_answer
from onkocode.evaluation.answers.thoughts import has_thought
from onkocode.evaluation.parsing import Parsed, parse_answer
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of
from onkocode.tasks import NO, TASKS, Task

DEEPEST = 10  # rank up to which a right answer is looked for
STRICT = ("strict_valid", "strict_exact", "strict_partial")
JUDGEMENT = (
    "expected",
    "predicted",
    "valid",
    "exact",
    "partial",
    "single",
    "exists",
    "terminal",
    "admissible",
    "several",
    "cut",
    "kind",
    *STRICT,
    "thought",
)


def judge_answers(
    predictions: pl.DataFrame,
    questions: pl.DataFrame,
    spaces: Mapping[str, LabelSpace],
    admitted: Mapping[str, LabelSpace] = MappingProxyType({}),
) -> pl.DataFrame:
    """Return judged rows (schema Judged) of the first-ranked answers: as a documentarist reads them, and strictly.

    Args:
        predictions: schema Predictions.
        questions: schema Questions; every predicted question must stand there.
        spaces: label space by system of codes.
        admitted: codes that registries admit although the label space may lack them, by system.

    Raises:
        InputError: predictions on questions that are not in the table, or on codes of a system without label space.
    """
    columns = ["question_id", "entry_id", "cluster", "task", "formulation_id", "split", "answer", "code", "accepted"]
    asked = questions.select(columns).rename({"answer": "expected_answer"})
    joined = predictions.filter(pl.col("rank") == 1).join(asked, on="question_id", how="left", maintain_order="left")
    totals = predictions.group_by("question_id").agg(score_total=pl.col("score").sum())
    joined = joined.join(totals, on="question_id", how="left", maintain_order="left")
    joined = joined.join(_right_ranks(predictions, asked), on="question_id", how="left", maintain_order="left")
    if joined["task"].null_count():
        raise InputError(
            f"data set {joined['dataset'][0]!r}: the predictions answer questions that are not in the table; "
            "evaluate again"
        )
    if missing := {TASKS[task].system for task in joined["task"].unique()} - {None, *spaces}:
        raise InputError(f"answers are codes of {', '.join(map(str, missing))}, whose label space is not given")
    rows: list[dict[str, object]] = [
        _judge(TASKS[task], read_answer(task, answer), code or expected, accepted, (spaces, admitted))
        | _strictly(TASKS[task], parse_answer(task, answer), code or expected, accepted)
        | {"thought": has_thought(answer)}
        for task, answer, code, expected, accepted in joined.select(
            "task", "answer", "code", "expected_answer", "accepted"
        ).iter_rows()
    ]
    judgements = pl.DataFrame(rows, schema={name: columns_of("judged")[name] for name in JUDGEMENT})
    return pl.concat([joined, judgements], how="horizontal").select(list(columns_of("judged")))


def _right_ranks(predictions: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Return question_id and right_rank of the questions of tasks to which several answers are given, read strictly."""
    columns = ["question_id", "task", "expected_answer", "code", "accepted"]
    listed = predictions.join(asked.select("question_id", "task"), on="question_id")
    listed = listed.filter((pl.col("rank").max() > 1).over("task"), pl.col("rank") <= DEEPEST)
    ranked = listed.select("question_id", "rank", "answer").join(asked.select(columns), on="question_id")
    parsed = cache(parse_answer)
    right = [
        _right(TASKS[task], parsed(task, answer).value, code or expected, accepted)[0]
        for task, answer, code, expected, accepted in ranked.select(
            "task", "answer", "code", "expected_answer", "accepted"
        ).iter_rows()
    ]
    rank = pl.col("rank").filter("right").min().fill_null(0)
    judged = ranked.select("question_id", "rank", right=pl.Series(right, dtype=pl.Boolean))
    return judged.group_by("question_id").agg(right_rank=rank)


def _judge(
    task: Task,
    parsed: Parsed,
    expected: str,
    accepted: list[str] | None,
    known: tuple[Mapping[str, LabelSpace], Mapping[str, LabelSpace]],
) -> dict[str, object]:
    """Judge one answer. Exact = the expected or another accepted code; partial = a code of the same category.

    Single = exact, or the bare category of the right code where it has one terminal code, such as C61 for C61.9.
    Where yes is to be said with the code, exact and partial need the right decision as well: `Nein` is no code.
    """
    value = parsed.value
    exact, partial = _right(task, value, expected, accepted)
    spaces, admitted = known
    code = value if task.system and value != NO else None
    exists = spaces[task.system].exists(code) if task.system and code else None
    listed = admitted.get(task.system or "")
    return {
        "expected": expected,
        "predicted": value,
        "valid": value is not None,
        "exact": exact,
        "partial": partial,
        "single": exact or (partial and code in spaces[task.system or ""].single),
        "exists": exists,
        "terminal": spaces[task.system].is_terminal(code) if task.system and code else None,
        "admissible": listed.exists(code) and not exists if listed and code else None,
        "several": parsed.several,
        "cut": parsed.cut,
        "kind": parsed.kind,
    }


def _strictly(task: Task, parsed: Parsed, expected: str, accepted: list[str] | None) -> dict[str, object]:
    """Judge the strict reading of an answer."""
    return dict(zip(STRICT, (parsed.value is not None, *_right(task, parsed.value, expected, accepted)), strict=True))


def _right(task: Task, value: str | None, expected: str, accepted: list[str] | None) -> tuple[bool, bool]:
    """Tell whether what is said is right, and whether it is right in part."""
    right = {expected, *(accepted or [])}
    return value in right, value is not None and _partly(value, task) in {_partly(code, task) for code in right}


def _partly(value: str, task: Task) -> str:
    """Return what of an answer must be right for it to be partially right."""
    return category_of(value, task.system) if task.system and value != NO else value
