"""The table of tasks, and what every task must be from a text's columns to its rates."""

import ast
import re
from pathlib import Path

import polars as pl
import pytest

from onkocode import tasks
from onkocode.catalogues.formats.texts import read_texts
from onkocode.catalogues.vocabulary.codes import category_of
from onkocode.catalogues.vocabulary.label_space import label_spaces
from onkocode.config import Config
from onkocode.config.data import Columns
from onkocode.config.schema import Evaluation, Thinking
from onkocode.evaluation.judging import judge_answers
from onkocode.evaluation.measuring import measure
from onkocode.evaluation.parsing import parse_answer
from onkocode.questions.build import build_questions, build_text_questions
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of
from onkocode.reporting.inputs import TASKS as REPORTED
from onkocode.study import Study
from onkocode.tasks import PROTOCOL, TASKS, Task
from tests.conftest import Tables, sources_of

# A text whose codes are all different.
TEXT = "id;text;icd10;topography;morphology\n1;DCIS;D05.1;C50.9;8500/2\n"
RIGHT = {"icd10": "D05.1", "topography": "C50.9", "morphology": "8500/2", "tumour": "Ja", "tumour-icd10": "Ja, D05.1"}
OF_TEXTS = [key for key, task in TASKS.items() if task.asks_texts]


def scored(questions: pl.DataFrame, answers: list[str], example: Tables) -> pl.DataFrame:
    """Return the judged rows of answers to questions."""
    facts = {"model": "m", "epoch": 1, "condition": "free", "dataset": "mine", "rank": 1, "tokens": 3, "seconds": 0.1}
    rows = [
        facts | {"question_id": key, "answer": answer}
        for key, answer in zip(questions["question_id"], answers, strict=True)
    ]
    predictions = pl.DataFrame(
        [{name: row.get(name) for name in columns_of("predictions")} for row in rows], schema=columns_of("predictions")
    )
    spaces = label_spaces(pl.concat([example[name][1] for name in ("icd10gm", "icdo3")]))
    return judge_answers(predictions, questions, spaces)


@pytest.fixture
def asked(tmp_path: Path, example: Tables) -> pl.DataFrame:
    return ask_text(tmp_path, example)


def ask_text(tmp_path: Path, example: Tables) -> pl.DataFrame:
    """Return all questions on the text."""
    (tmp_path / "mine.csv").write_text(TEXT, encoding="utf-8")
    spaces = (example[name][1] for name in ("icd10gm", "icdo3"))
    entries, _ = read_texts(tmp_path / "mine.csv", "mine", Columns.model_validate({}), *spaces)
    return build_text_questions(entries, "v1", list(TASKS))


def test_every_task_is_asked_read_judged_and_measured(asked: pl.DataFrame, example: Tables) -> None:
    assert dict(asked.select("task", "answer").unique().rows()) == RIGHT
    assert list(RIGHT) == OF_TEXTS
    judged = scored(asked, asked["answer"].to_list(), example)
    assert judged.select(pl.col("valid", "exact", "partial").all()).row(0) == (True, True, True)
    rates = measure(judged, judged, 20).filter(pl.col("metric").is_in(["accuracy", "gain_accuracy"]))
    assert set(rates["task"]) == set(OF_TEXTS)
    assert rates.group_by("metric").agg(pl.col("value").unique()).sort("metric").rows() == [
        ("accuracy", [1.0]),
        ("gain_accuracy", [0.0]),
    ]


def test_topography_and_morphology_are_not_swapped(asked: pl.DataFrame, example: Tables) -> None:
    """Whoever answers what the words ask for is right everywhere, and with the other axis' code nowhere."""
    axes = asked.filter(pl.col("task").is_in(["topography", "morphology"]))
    words = {"C50.9": "Topograph|[Ll]okalisation|Sitz", "8500/2": "Morpholog|Histolog|Befund"}
    said = [code for text in axes["question"] for code, asks in words.items() if re.search(asks, text)]
    assert sorted(said) == ["8500/2"] * 10 + ["C50.9"] * 10
    other = {"8500/2": "C50.9", "C50.9": "8500/2"}
    for answers, value in ((said, 1.0), ([other[code] for code in said], 0.0)):
        judged = scored(axes, answers, example)
        assert judged.group_by("task").agg(pl.col("expected").unique()).sort("task").rows() == [
            ("morphology", ["8500/2"]),
            ("topography", ["C50.9"]),
        ]
        rates = measure(judged, None, 20).filter(pl.col("denominator") == "all", pl.col("method") == "clopper-pearson")
        found = rates.filter(pl.col("metric").is_in(["accuracy", "partial_accuracy"]))
        assert found.select("task", "value").unique().sort("task").rows() == [
            ("morphology", value),
            ("topography", value),
        ]


@pytest.mark.parametrize("key", RIGHT)
def test_the_right_answer_to_one_task_is_read_by_it(key: str) -> None:
    assert parse_answer(key, RIGHT[key]).value == RIGHT[key].removeprefix("Ja, ")
    assert not parse_answer(key, RIGHT[key]).several


def test_categories_are_those_of_the_label_spaces(example: Tables) -> None:
    for _, codes in example.values():
        for code, system, category in codes.select("code", "system", "category").iter_rows():
            assert category == category_of(code, system)
    for system, code, category in (
        ("icd10gm", "C50.9", "C50"),
        ("topography", "C50.9", "C50"),
        ("morphology", "8140/3", "8140"),
        ("ops", "5-870.2", "5-87"),
    ):
        assert category_of(code, system) == category


def test_the_four_digits_of_a_morphology_are_a_category_and_no_code(example: Tables) -> None:
    spaces = label_spaces(example["icdo3"][1])
    assert (spaces["morphology"].exists("8500"), spaces["morphology"].is_terminal("8500")) == (True, False)
    assert (spaces["morphology"].exists("8500/2"), spaces["morphology"].is_terminal("8500/2")) == (True, True)
    assert not spaces["morphology"].exists("8499")
    assert not spaces["topography"].exists("8500")


def test_the_configuration_takes_all_tasks_and_asks_those_of_the_paper() -> None:
    for section in (Evaluation, Thinking):
        assert section.model_validate({"tasks": list(TASKS)}).tasks == list(TASKS)
        with pytest.raises(ValueError, match="must be one of icd10, topography, morphology, tumour, tumour-icd10"):
            section.model_validate({"tasks": ["icd9"]})
    assert Evaluation.model_validate({}).tasks == list(PROTOCOL) == ["icd10", "topography", "tumour"]
    assert list(REPORTED) == list(TASKS)


def test_a_code_that_no_column_of_texts_holds_is_asked_of_the_catalogue_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, example: Tables, quickstart: Config
) -> None:
    questions = build_questions(sources_of(example), quickstart.data["example"])
    before = ask_text(tmp_path, example)
    study = Study(quickstart.model_dump(mode="json", exclude_unset=True), [])
    assert study.judged_by("ops", "free") == []
    monkeypatch.setitem(TASKS, "ops", Task("ops", "OPS", "ops", system="ops"))
    assert build_questions(sources_of(example), quickstart.data["example"]).facts == questions.facts
    assert ask_text(tmp_path, example).equals(before)
    settings = quickstart.model_dump(mode="json", exclude_unset=True)
    settings["evaluation"]["tasks"] = ["icd10", "ops"]
    study = Study(settings, [])
    assert (study.judged_by("ops", "free"), study.judged_by("ops", "thinking")) == (["catalogue"], [])
    assert study.judged_by("icd10gm", "free") == ["catalogue", "example"]


def test_codes_without_a_label_space_are_told(asked: pl.DataFrame, example: Tables) -> None:
    with pytest.raises(InputError, match="codes of icd10gm, whose label space is not given"):
        scored(asked, asked["answer"].to_list(), {"icd10gm": example["icdo3"], "icdo3": example["icdo3"]})


def test_the_table_imports_nothing_heavy() -> None:
    tree = ast.parse(Path(tasks.__file__).read_text(encoding="utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [node.module for node in imported if isinstance(node, ast.ImportFrom)] == ["dataclasses"] * len(imported)
