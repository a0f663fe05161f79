from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.formats.texts import read_texts
from onkocode.config import Config
from onkocode.records.ids import text_key
from tests.conftest import Tables


@pytest.fixture(scope="module")
def texts(example: Tables, quickstart: Config, root: Path) -> pl.DataFrame:
    section = quickstart.texts["example"]
    # Reading it checks that both codes exist and are terminal in the example's label spaces.
    return read_texts(root / section.file, "example", section.columns, example["icd10gm"][1], example["icdo3"][1])[0]


@pytest.fixture(scope="module")
def tumours(example: Tables) -> pl.DataFrame:
    labels = example["alphaid"][0].filter(pl.col("code").is_not_null() & ~pl.col("flags").list.contains("invalid"))
    codes = example["icd10gm"][1].filter("tumour")["code"]
    return labels.filter(pl.col("code").is_in(codes.implode()))


def test_all_parts_of_chapter_two_are_there(tumours: pl.DataFrame) -> None:
    categories = tumours["code"].str.head(3).unique().to_list()
    assert len(categories) >= 40
    for first, last in (("C00", "C75"), ("C77", "C79"), ("C81", "C96"), ("D00", "D09"), ("D10", "D36"), ("D37", "D48")):
        assert any(first <= category <= last for category in categories), first


def test_most_codes_have_several_labels(tumours: pl.DataFrame) -> None:
    per_code = tumours.group_by("code").len()["len"]
    assert per_code.min() == 2
    assert tumours["text_key"].n_unique() == tumours.height


def test_as_many_other_diagnoses_as_tumours(example: Tables, tumours: pl.DataFrame) -> None:
    labels = example["alphaid"][0].filter(pl.col("code").is_not_null() & ~pl.col("flags").list.contains("invalid"))
    assert tumours.height == 196
    assert labels.height - tumours.height >= tumours.height


def test_special_rows_of_the_layout_are_there(example: Tables) -> None:
    flags = set(example["alphaid"][0]["flags"].explode().drop_nulls())
    assert flags == {"invalid", "dagger", "additional-only", "orpha"}
    assert "obsolete" in set(example["icdo3"][0]["flags"].explode().drop_nulls())


def test_procedures(example: Tables) -> None:
    classes = example["ops"][1].filter(pl.col("code").str.len_chars() <= 5)
    assert classes.height >= 40


@pytest.mark.parametrize("dataset", ["icd10gm", "icdo3", "ops"])
def test_every_code_has_a_title_and_its_category(example: Tables, dataset: str) -> None:
    codes = example[dataset][1]
    assert codes.filter(pl.col("title").str.strip_chars() == "").height == 0
    assert codes.filter(pl.col("group") == "").height == 0
    known = set(codes["code"])
    parents = codes.filter(pl.col("system") != "morphology")["category"]
    assert sorted(set(parents) - known) == []


def test_codes_of_labels_are_terminal(example: Tables, tumours: pl.DataFrame) -> None:
    terminal = example["icd10gm"][1].filter("terminal")["code"]
    labels = example["alphaid"][0]
    assert sorted(set(labels["code"].drop_nulls()) - set(terminal)) == []


def test_texts(texts: pl.DataFrame, example: Tables) -> None:
    assert texts.height >= 100
    assert texts["cluster"].n_unique() < texts.height
    assert texts.filter(~pl.col("code").str.head(3).is_between(pl.lit("C00"), pl.lit("D48"))).height == 0


def test_no_text_is_a_label(texts: pl.DataFrame, example: Tables) -> None:
    labels = set(pl.concat([example[name][0]["text_key"] for name in ("alphaid", "icdo3", "ops")]))
    labels |= {text_key(title) for title in example["icd10gm"][1]["title"]}
    assert sorted(set(texts["text_key"]) & labels) == []
    assert texts["text_key"].n_unique() == texts.height
