"""Judged rows: exact, partial, existing and terminal, without any text."""

import polars as pl
import pytest

from onkocode.catalogues.vocabulary.label_space import LabelSpace
from onkocode.evaluation.judging import STRICT, judge_answers
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of

from .conftest import schema_of

SPACES = {
    "icd10gm": LabelSpace({"C50": False, "C50.1": True, "C50.9": True, "C73": True, "C18": False, "C18.0": True}),
    "morphology": LabelSpace({"8140": False, "8140/3": True, "8140/6": True, "8500": False, "8500/3": True}),
    "topography": LabelSpace({"C50": False, "C50.9": True, "C73": False, "C73.9": True}),
}
HIDDEN = "Geheime Diagnose einer Patientin"


def judged(task: str, answer: str, code: str | None, accepted: list[str] | None = None) -> dict[str, object]:
    return table([(task, answer, code, accepted)]).row(0, named=True)


def table(rows: list[tuple[str, str, str | None, list[str] | None]], no: str = "Ja") -> pl.DataFrame:
    questions = pl.DataFrame(
        [
            {
                "question_id": f"q{number}",
                "entry_id": f"e{number}",
                "cluster": f"p{number}",
                "block": task,
                "formulation_id": f"{task}-01",
                "task": task,
                "question": f"ICD-10-Code zu: {HIDDEN}",
                "answer": code or no,
                "code": code,
                "accepted": accepted,
                "split": "test",
                "origin_id": f"e{number}",
            }
            for number, (task, _, code, accepted) in enumerate(rows)
        ],
        schema=schema_of("questions"),
    )
    return judge_answers(predictions([answer for _, answer, *_ in rows]), questions, SPACES)


def predictions(answers: list[str], rank: int = 1) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "model": "tiny",
                "epoch": 1,
                "condition": "free",
                "dataset": "clinic",
                "question_id": f"q{number}",
                "rank": rank,
                "answer": answer,
                "score": None,
                "tokens": 3,
                "seconds": 0.5,
                "batch": 1,
            }
            for number, answer in enumerate(answers)
        ],
        schema=schema_of("predictions"),
    )


# task, answer, expected, accepted → predicted, valid, exact, partial, exists, terminal, several
CASES = [
    ("icd10", "C50.9", "C50.9", None, "C50.9", True, True, True, True, True, False),
    ("icd10", "C50.1", "C50.9", None, "C50.1", True, False, True, True, True, False),
    ("icd10", "C18.0", "C50.9", None, "C18.0", True, False, False, True, True, False),
    ("icd10", "C50", "C50.9", None, "C50", True, False, True, True, False, False),  # category: partial only
    ("icd10", "C73", "C73", None, "C73", True, True, True, True, True, False),  # has no subdivision
    ("icd10", "C73.9", "C73", None, "C73.9", True, False, True, False, False, False),
    ("icd10", "C50.5", "C50.9", None, "C50.5", True, False, True, False, False, False),  # does not exist
    ("icd10", "X99.9", "C50.9", None, "X99.9", True, False, False, False, False, False),
    ("icd10", "weiß nicht", "C50.9", None, None, False, False, False, None, None, False),
    ("icd10", "C18.0", "C50.9", ["C18.0"], "C18.0", True, True, True, True, True, False),
    ("icd10", "C18", "C50.9", ["C18.0"], "C18", True, False, True, True, False, False),
    ("icd10", "C50.9 oder C18.0", "C50.9", None, "C50.9", True, True, True, True, True, True),
    ("icd10", "C18.0 oder C50.9", "C50.9", None, "C18.0", True, False, False, True, True, True),
    ("topography", "C73", "C73.9", None, "C73", True, False, True, True, False, False),
    ("topography", "C73.9", "C73.9", None, "C73.9", True, True, True, True, True, False),
    ("topography", "C50.91", "C50.9", None, None, False, False, False, None, None, False),
    ("morphology", "8140/3", "8140/3", None, "8140/3", True, True, True, True, True, False),
    ("morphology", "8140/6", "8140/3", None, "8140/6", True, False, True, True, True, False),  # another behaviour
    ("morphology", "8140", "8140/3", None, "8140", True, False, True, True, False, False),  # category: partial only
    ("morphology", "8140/2", "8140/3", None, "8140/2", True, False, True, False, False, False),  # does not exist
    ("morphology", "8149/3", "8140/3", None, "8149/3", True, False, False, False, False, False),  # three digits
    ("morphology", "8500/3", "8140/3", ["8500/3"], "8500/3", True, True, True, True, True, False),
    ("morphology", "C50.9", "8140/3", None, None, False, False, False, None, None, False),
    ("tumour-icd10", "Ja, C50.9", "C50.9", None, "C50.9", True, True, True, True, True, False),
    ("tumour-icd10", "Ja, C50.1", "C50.9", None, "C50.1", True, False, True, True, True, False),
    ("tumour-icd10", "Ja, C50.5", "C50.9", None, "C50.5", True, False, True, False, False, False),
    ("tumour-icd10", "Ja, C18.0", "C50.9", None, "C18.0", True, False, False, True, True, False),
    ("tumour-icd10", "Ja", "C50.9", None, None, False, False, False, None, None, False),
    ("tumour-icd10", "C50.9", "C50.9", None, "C50.9", True, True, True, True, True, False),  # a code says yes
    ("tumour-icd10", "Nein", "C50.9", None, "Nein", True, False, False, None, None, False),
    ("tumour-icd10", "Nein, C50.9", "C50.9", None, "Nein", True, False, False, None, None, False),
    ("tumour", "Ja, C50.9", None, None, "Ja", True, True, True, None, None, False),
    ("tumour", "nein", None, None, "Nein", True, False, False, None, None, False),
    ("tumour", "Jawohl", None, None, "Ja", True, True, True, None, None, False),
    ("tumour", "Unklar", None, None, None, False, False, False, None, None, False),
]
COLUMNS = ("predicted", "valid", "exact", "partial", "exists", "terminal", "several")


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{case[1]}-{case[2]}" for case in CASES])
def test_judgement(case: tuple[str, str, str | None, list[str] | None, object]) -> None:
    task, answer, code, accepted, *expected = case
    row = judged(task, answer, code, accepted)
    assert [row[column] for column in COLUMNS] == expected
    assert row["expected"] == (code or "Ja")


@pytest.mark.parametrize(
    ("task", "answer", "code", "said", "strictly"),
    [
        ("icd10", "C50,9", "C50.9", (True, True, "code"), (True, False, True)),
        ("icd10", "nicht C18.0, sondern C50.9", "C50.9", (True, True, "code"), (True, False, False)),
        ("icd10", "C 50.9", "C50.9", (True, True, "code"), (False, False, False)),
        ("icd10", "8140/3", "C50.9", (False, False, "other system"), (False, False, False)),
        ("tumour", "Antwort (Ja/Nein): Nein", None, (True, False, "no"), (True, True, True)),
        ("tumour", "Ja oder Nein?", None, (False, False, "undecided"), (True, True, True)),
    ],
)
def test_the_strict_reading_stands_beside(
    task: str, answer: str, code: str | None, said: tuple[object, ...], strictly: tuple[bool, ...]
) -> None:
    row = judged(task, answer, code)
    assert (row["valid"], row["exact"], row["kind"]) == said
    assert tuple(row[column] for column in STRICT) == strictly


@pytest.mark.parametrize(
    ("answer", "cut"),
    [
        ("<think>\nNieren also. C64", True),
        ("<think>", True),
        ("<think>Niere.</think>\n\n<think>Also C64", True),
        ("<think>Niere.</think>", False),  # it ends, and nothing follows
        ("<think>Niere.</think>\n\nC50.9", False),
        ("<think>Niere.</think>\n\nunklar", False),
        ("Ja, C50.9 <think>Oder C64", False),  # there is an answer
        ("Die Niere also, wobei", False),
        ("", False),
    ],
)
def test_a_thought_without_an_end_is_counted_apart(answer: str, cut: bool) -> None:
    for task, code in (("icd10", "C50.9"), ("topography", "C50.9"), ("tumour", None)):
        row = judged(task, answer, code)
        assert row["cut"] is cut
        assert not (cut and row["valid"])


@pytest.mark.parametrize(("answer", "right"), [("Nein", True), ("Nein, Z12.3", True), ("Ja, C50.9", False)])
def test_no_is_the_whole_answer_about_what_is_no_tumour(answer: str, right: bool) -> None:
    row = table([("tumour-icd10", answer, None, None)], no="Nein").row(0, named=True)
    assert (row["expected"], row["valid"], row["exact"], row["partial"]) == ("Nein", True, right, right)
    assert row["exists"] == (None if right else True)


def test_exact_is_always_partial_and_valid() -> None:
    rows = table([(task, answer, code, accepted) for task, answer, code, accepted, *_ in CASES])
    assert rows.filter(pl.col("exact") & ~(pl.col("partial") & pl.col("valid"))).is_empty()
    assert rows["exact"].sum() == 11


def test_every_column_of_the_schema_and_no_text() -> None:
    rows = table([(task, answer, code, accepted) for task, answer, code, accepted, *_ in CASES])
    kept = rows.select(list(columns_of("judged")))
    assert "question" not in rows.columns
    assert HIDDEN not in str(kept.to_dicts())
    assert not {"Jawohl", "Unklar"} & set(str(kept.to_dicts()).split("'"))


def test_only_the_first_rank_is_judged() -> None:
    asked = table([("icd10", "C50.9", "C50.9", None)])
    questions = pl.DataFrame(
        [{"question_id": "q0", "task": "icd10", "answer": "C50.9", "code": "C50.9", "split": "test"}],
        schema=schema_of("questions"),
    )
    both = pl.concat([predictions(["C18.0"], rank=2), predictions(["C50.9"])])
    rows = judge_answers(both, questions, SPACES)
    assert rows.height == asked.height == 1
    assert rows["exact"].to_list() == [True]


def test_unknown_question_is_an_error() -> None:
    questions = pl.DataFrame(schema=schema_of("questions"))
    with pytest.raises(InputError, match=r"data set 'clinic': .* not in the table"):
        judge_answers(predictions(["C50.9"]), questions, SPACES)
