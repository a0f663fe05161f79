"""Which questions are asked, and how."""

from typing import Any

import polars as pl
import pytest

from onkocode.coders.prompting import with_short_answer
from onkocode.config.schema import Evaluation, Thinking
from onkocode.evaluation.sampling import catalogue_questions, text_questions, thinking_questions
from onkocode.questions.formulations import load_formulations

from .conftest import schema_of


def table() -> pl.DataFrame:
    """Three blocks of 40 entries × 3 formulations; one formulation and ten of the entries are held out."""
    rows = []
    for block in ("icd10", "tumour", "tumour-icd10"):
        for entry in range(40):
            for formulation in range(3):
                split = "heldout_label" if entry >= 30 else "heldout_formulation" if formulation == 2 else "train"
                rows.append(
                    {
                        "question_id": f"e{entry:02}/{block}/{formulation}",
                        "entry_id": f"e{entry:02}",
                        "block": block,
                        "task": block,
                        "formulation_id": str(formulation),
                        "question": f"Frage {entry}",
                        "split": split,
                    }
                )
    return pl.DataFrame(rows, schema=schema_of("questions"))


def evaluation(**values: Any) -> Evaluation:
    return Evaluation.model_validate(values)


def test_without_a_limit_all_questions_of_the_tasks_and_splits() -> None:
    asked = catalogue_questions(table(), evaluation(tasks=["icd10", "tumour"]))
    assert asked.height == 240
    assert "tumour-icd10" not in asked["block"].to_list()
    train = catalogue_questions(table(), evaluation(tasks=["icd10"], splits=["train"]))
    assert train.height == 60
    assert train["split"].unique().to_list() == ["train"]


def test_entries_are_drawn_per_task_and_split_and_keep_their_formulations() -> None:
    asked = catalogue_questions(table(), evaluation(tasks=["icd10", "tumour"], entries=7))
    counted = asked.group_by("block", "split").agg(pl.col("entry_id").n_unique(), pl.len()).sort("block", "split")
    assert counted.rows() == [
        ("icd10", "heldout_formulation", 7, 7),
        ("icd10", "heldout_label", 7, 21),
        ("icd10", "train", 7, 14),
        ("tumour", "heldout_formulation", 7, 7),
        ("tumour", "heldout_label", 7, 21),
        ("tumour", "train", 7, 14),
    ]
    assert asked["question_id"].is_sorted()


def test_sample_is_the_same_on_every_run_and_grows_with_the_limit() -> None:
    few = catalogue_questions(table(), evaluation(tasks=["icd10"], entries=5))
    assert few.equals(catalogue_questions(table().reverse(), evaluation(tasks=["icd10"], entries=5)))
    more = catalogue_questions(table(), evaluation(tasks=["icd10"], entries=6))
    assert set(few["question_id"]) < set(more["question_id"])
    other = catalogue_questions(table(), evaluation(tasks=["icd10"], entries=5, seed=1))
    assert set(other["question_id"]) != set(few["question_id"])


def test_nothing_to_ask_is_an_empty_table() -> None:
    only_train = table().filter(pl.col("split") == "train")
    for entries in (None, 3):
        asked = catalogue_questions(only_train, evaluation(splits=["heldout_label"], entries=entries))
        assert asked.is_empty()


def test_texts_are_asked_completely() -> None:
    asked = text_questions(table(), ["icd10"])
    assert asked.height == 120
    assert asked["task"].unique().to_list() == ["icd10"]


@pytest.mark.parametrize(("share", "texts"), [(0.1, 4), (0.5, 20), (1.0, 40), (0.01, 1), (0.0375, 2)])
def test_thinking_asks_a_share_of_the_texts_under_all_formulations(share: float, texts: int) -> None:
    asked = thinking_questions(table(), Thinking.model_validate({"share": share, "tasks": ["icd10"]}))
    assert asked["entry_id"].n_unique() == texts
    assert asked.height == 3 * texts


def test_thinking_asks_all_tasks_about_the_same_texts() -> None:
    settings = Thinking.model_validate({"share": 0.25, "tasks": ["icd10", "tumour"]})
    asked = thinking_questions(table(), settings)
    chosen = [set(asked.filter(pl.col("task") == task)["entry_id"]) for task in ("icd10", "tumour")]
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 10
    other = thinking_questions(table(), settings.model_copy(update={"seed": 1}))
    assert set(other["entry_id"]) != chosen[0]


def test_short_answer_sentence_is_that_of_the_block() -> None:
    asked = table().filter(pl.col("entry_id") == "e00", pl.col("formulation_id") == "0")
    blocks = load_formulations("v1")
    assert with_short_answer(asked, "v1") == [
        f"Frage 0\n{blocks[name].short}" for name in ("icd10", "tumour", "tumour-icd10")
    ]
    assert blocks["icd10"].short == "Antworte nur mit dem ICD-10-Code, ohne weitere Erklärung."
