"""The reading of raw answers as a documentarist reads them, on answers with their meaning in tests/evaluation."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.evaluation.answers.reading import read_answer
from onkocode.evaluation.parsing import REASONS, parse_answer
from onkocode.tasks import NO, TASKS, YES

TABLE = Path(__file__).parents[1] / "evaluation/answers.tsv"
NEIGHBOURS = TABLE.with_name("neighbours.tsv")
SAID = ("code", "several", "yes", "no")


def cells(table: Path) -> list[list[str]]:
    lines = table.read_text(encoding="utf-8").split("\n")[1:]
    return [line.replace("\\n", "\n").split("\t") for line in lines if line.strip()]


def rows() -> list[tuple[str, ...]]:
    return [(*row[:2], row[2].replace("\\t", "\t"), *row[3:]) for row in cells(TABLE)]


def test_the_table_is_sound() -> None:
    found = rows()
    assert len(found) >= 300
    assert len({row[1:3] for row in found}) == len(found)
    for _, task, answer, expected, kind, reason in found:
        assert task in TASKS, answer
        assert kind in (*SAID, *REASONS), answer
        assert bool(expected) == (kind in SAID), answer
        assert reason, answer


@pytest.mark.parametrize(("task", "answer", "expected", "kind"), [row[1:5] for row in rows()])
def test_answers_are_read_as_a_documentarist_reads_them(task: str, answer: str, expected: str, kind: str) -> None:
    found = read_answer(task, answer)
    assert (found.value or "") == expected
    assert (found.kind in SAID) == (kind in SAID)
    assert found.cut == (found.kind == "cut")


def test_neighbours_of_mended_answers_are_read_as_expected() -> None:
    found = cells(NEIGHBOURS)
    assert len({(task, answer) for task, answer, _ in found}) == len(found) > 800
    wrong = [(*row, value) for row in found if (value := read_answer(row[0], row[1]).value or "") != row[2]]
    assert wrong == []


def test_why_nothing_could_be_read_is_told_as_expected() -> None:
    silent = [row for row in rows() if not row[3]]
    told = [read_answer(row[1], row[2]).kind == row[4] for row in silent]
    assert sum(told) / len(told) > 0.85


# -- any answer --

PIECES = [
    "C50.9",
    "c34,1",
    "8140/3",
    "Ja",
    "nein",
    "<think>",
    "</think>",
    "nicht",
    "sondern",
    "C00-D48",
    "|",
    "\n",
    "**",
    "ICD-10:",
]
PIECES += ["Korrektur:", "z. B.", "{", '"code":', "p53", "Frage:", "~~", "(", ")", ",", ".", "ß", "\u200b", "Ä", "1."]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=14).map(" ".join), st.sampled_from(list(TASKS)))
def test_any_answer_is_read(answer: str, task: str) -> None:
    found = read_answer(task, answer)
    assert read_answer(task, answer) == found
    assert (found.value is None) == (found.kind in REASONS)
    if TASKS[task].decides and not TASKS[task].system:
        assert found.value in (YES, NO, None)


@settings(max_examples=100, deadline=None)
@given(
    st.from_regex(r"C[0-7][0-9]\.[0-9]", fullmatch=True),
    st.sampled_from(["{}", "{}.", "Antwort: {}", "**{}**", "Der Code lautet {}."]),
)
def test_a_plain_answer_is_read_alike_by_both_readings(code: str, form: str) -> None:
    answer = form.format(code)
    assert read_answer("icd10", answer).value == parse_answer("icd10", answer).value == code


@pytest.mark.parametrize(
    "piece",
    [
        "C50.9 ",
        "<think>",
        "~~",
        "<a ",
        "Ja Nein ",
        "| C50 | ",
        "nicht C18, sondern ",
        "8140/3/",
        "((((",
        "z. B. ",
        "aA1",
        "kein Tumor, ",
    ],
)
def test_time_grows_no_faster_than_an_answer(piece: str) -> None:
    def seconds(times: int) -> float:
        began = time.process_time()
        for task in TASKS:
            read_answer(task, piece * times)
        return time.process_time() - began

    seconds(10)
    short, long = min(seconds(40) for _ in range(3)), min(seconds(320) for _ in range(3))
    assert long < 30 * max(short, 0.002)
