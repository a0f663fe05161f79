"""Parts of the answers: by kind of code, by formulation, the same texts under all conditions, labels that are new."""

import numpy as np
import polars as pl
import pytest

from onkocode.evaluation.breakdown import break_down, confusions, training_frequencies
from onkocode.evaluation.formulations import agreement, by_formulation, variance_shares
from onkocode.evaluation.overview import Overview, Sources, parts_of
from onkocode.evaluation.strata import stem_of
from onkocode.records.schemas import columns_of

from .judged_rows import answers, texts

CODES = pl.DataFrame(
    [
        ("C50.9", "icd10gm", "Brustdrüse", True, "02", "C50-C50", "C50", "malignant", True),
        ("C61", "icd10gm", "Prostata", True, "02", "C60-C63", "C61", "malignant", True),
        ("D24", "icd10gm", "Brustdrüse, gutartig", True, "02", "D10-D36", "D24", "benign", True),
    ],
    schema=columns_of("codes"),
    orient="row",
)


def value(table: pl.DataFrame, stratum: str, metric: str = "accuracy", **place: object) -> float | None:
    rows = table.filter(pl.col("stratum") == stratum, pl.col("metric") == metric)
    for column, wanted in place.items():
        rows = rows.filter(pl.col(column) == wanted)
    assert rows.height == 1
    found: float | None = rows["value"][0]
    return found


def test_rates_by_kind_of_code_and_the_mean_over_codes() -> None:
    """Twelve texts of C50.9, half right; two of D24, both wrong: 43 % of texts, 25 % of codes."""
    breast = answers(texts(12, 6))
    benign = answers({"b1": [0], "b2": [0]}, {"b1": [1], "b2": [0]}).with_columns(expected=pl.lit("D24"))
    frequencies = pl.DataFrame({"task": ["icd10"], "expected": ["C50.9"], "labels": [4]})
    table = break_down(pl.concat([breast, benign]), CODES, frequencies)
    assert value(table, "behaviour: malignant") == 0.5
    assert value(table, "behaviour: benign") == 0
    assert value(table, "group: C50-C50") == value(table, "category: C50") == value(table, "code: C50.9") == 0.5
    assert value(table, "training labels: 2–5") == 0.5
    assert value(table, "training labels: 0") == 0
    assert value(table, "behaviour: benign", "invalid_rate") == 0.5
    assert value(table, "all", "macro_accuracy") == 0.25
    few = table.filter(pl.col("stratum") == "behaviour: benign", pl.col("metric") == "accuracy").row(0, named=True)
    assert (few["method"], few["n"], few["clusters"]) == ("too-few-clusters", 2, 2)


def test_training_frequencies_count_labels_not_questions() -> None:
    rows = [
        {"split": split, "code": code, "task": "icd10", "text": text}
        for split, code, text in [
            ("train", "C61", "Ca der Prostata"),
            ("train", "C61", "Ca der Prostata"),
            ("train", "C61", "Prostatakarzinom"),
            ("heldout_label", "C61", "Vorsteherdrüsenkrebs"),
            ("train", None, "Lipom"),
        ]
    ]
    assert training_frequencies(pl.DataFrame(rows)).rows() == [("icd10", "C61", 2)]


def test_confusions_have_titles_and_small_numbers_can_be_hidden() -> None:
    """C61 is answered to three texts of C50.9 and, under one formulation, to a fourth."""
    rows = answers({"x": [0, 0], "y": [0, 0], "z": [0, 1], "w": [1, 1]})
    titles = {("icd10gm", "C50.9"): "Brustdrüse", ("icd10gm", "C61"): "Prostata"}
    assert confusions(rows, titles, 0).rows() == [
        ("a", 1, "clinic", "icd10", "C50.9", "Brustdrüse", "C61", "Prostata", 3, 5)
    ]
    assert confusions(rows, titles, 4).is_empty()
    assert confusions(rows.with_columns(cluster=pl.lit("one patient")), titles, 2).is_empty()
    assert confusions(rows.filter("exact"), titles, 0).is_empty()


def test_formulations_by_hand() -> None:
    """The first formulation is right for both texts, the second for one of them."""
    table = by_formulation(answers({"x": [1, 1], "y": [1, 0]}))
    assert value(table, "formulation: f0") == 1
    assert value(table, "formulation: f1") == 0.5
    assert value(table, "all", "formulation_range") == 0.5
    assert value(table, "all", "formulation_agreement") == 0.5
    assert by_formulation(answers({"x": [1], "y": [0]})).is_empty()


def test_agreement_is_the_share_of_equal_pairs() -> None:
    said = np.array([["a", "a", "b"], ["c", "c", "c"]])
    assert agreement(said) == pytest.approx((1 / 3 + 1) / 2)


def test_variance_is_split_into_texts_formulations_and_the_rest() -> None:
    of_texts = variance_shares(np.repeat([[1.0], [0.0]] * 10, 4, axis=1))
    assert of_texts == {"variance_text": 1.0, "variance_formulation": 0.0, "variance_rest": 0.0}
    of_formulations = variance_shares(np.tile([1.0, 0.0, 1.0, 0.0], (20, 1)))
    assert of_formulations["variance_formulation"] == pytest.approx(1)
    chance = variance_shares(np.random.default_rng(0).integers(0, 2, (400, 12)).astype(float))
    assert chance["variance_rest"] > 0.97
    assert set(variance_shares(np.ones((3, 3))).values()) == {0.0}


def test_variance_shares_come_back_from_known_components() -> None:
    generator = np.random.default_rng(5)
    values = generator.normal(0, 2, (600, 1)) + generator.normal(0, 1, (1, 60)) + generator.normal(0, 1, (600, 60))
    shares = variance_shares(values)
    assert shares["variance_text"] == pytest.approx(4 / 6, abs=0.06)
    assert shares["variance_formulation"] == pytest.approx(1 / 6, abs=0.06)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bösartige Neubildung der Brust, links", "Bösartige Neubildung der Brust"),
        ("Karzinom des Colon ascendens", "Karzinom des Colon ascendens [Dickdarm]"),
        ("Lipome", "Lipom"),
        ("Leukämie a.n.k.", "Leukämie"),
        ("Sonstige Sarkome", "Sarkom"),
        ("Sarkom Typ II", "Sarkom"),
    ],
)
def test_variants_have_one_stem(one: str, other: str) -> None:
    assert stem_of(one) == stem_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Myosarkom", "Myxosarkom"),
        ("Colon ascendens", "Colon descendens"),
        ("Lipom", "Fibrom"),
        ("I", ""),
        ("Cervix", "Cer"),
    ],
)
def test_other_diseases_have_other_stems(one: str, other: str) -> None:
    assert stem_of(one) != stem_of(other)


def held_out(epoch: int = 1) -> pl.DataFrame:
    right = {"near": [1], "variant": [1], "new": [0], "newer": [1]}
    return answers(right, dataset="catalogue", split="heldout_label", epoch=epoch)


def sources() -> Sources:
    questions = pl.DataFrame(
        [
            ("l1", "Mammakarzinom", "train"),
            ("near", "Mammakarzinon", "heldout_label"),
            ("variant", "Mammakarzinome, links", "heldout_label"),
            ("new", "Lipom", "heldout_label"),
            ("newer", "Fibrom", "heldout_label"),
        ],
        schema=["entry_id", "text", "split"],
        orient="row",
    )
    pairs = pl.DataFrame({"test_set": ["heldout_label", "clinic"], "test_id": ["near", "new"]})
    return Sources({"data": questions}, {"data": pairs})


def test_held_out_labels_that_are_new_in_earnest() -> None:
    settings = Overview(data={"a": "data"}, bases={"a": "a"})
    table = parts_of(pl.concat([held_out(), held_out(epoch=0)]), sources(), settings)
    exact = table.filter(
        pl.col("denominator") == "all", pl.col("method") == "too-few-clusters", pl.col("metric") == "accuracy"
    )
    assert value(exact, "heldout_label, not near", epoch=1) == pytest.approx(2 / 3)  # variant, new, newer
    assert value(exact, "heldout_label, new stem", epoch=1) == pytest.approx(2 / 3)  # near, new, newer
    assert set(table.filter(pl.col("stratum") == "heldout_label, new stem")["clusters"]) == {3}


def test_free_answers_are_measured_on_the_texts_of_each_condition() -> None:
    free, thinking = answers({"x": [1], "y": [0]}), answers({"x": [0]}, condition="thinking", epoch=0)
    table = parts_of(pl.concat([free, thinking]), sources(), Overview(data={"a": "data"}, bases={"a": "a"}))
    exact = table.filter(pl.col("metric") == "accuracy", pl.col("method") == "clopper-pearson")
    assert value(exact, "asked thinking", denominator="all") == 1
    several = table.filter(pl.col("metric") == "texts_per_cluster").row(0, named=True)
    assert (several["n"], several["clusters"], several["value"]) == (2, 2, 1.0)


def test_balanced_accuracy_is_the_mean_of_recall_and_specificity() -> None:
    """Nine of ten tumours and one of two non-tumours: 70 %, although 83 % of answers are right."""
    tumours = answers(texts(10, 9), task="tumour", expected="Ja", dataset="catalogue", split="heldout_label")
    tumours = tumours.with_columns(predicted=pl.when("exact").then(pl.lit("Ja")).otherwise(pl.lit("Nein")))
    others = answers(
        {"n1": [1], "n2": [0]}, task="tumour", expected="Nein", dataset="catalogue", split="heldout_negative"
    )
    others = others.with_columns(predicted=pl.when("exact").then(pl.lit("Nein")).otherwise(pl.lit("Ja")))
    table = parts_of(pl.concat([tumours, others]), sources(), Overview(data={"a": "data"}))
    rows = table.filter(pl.col("stratum") == "heldout")
    assert value(rows, "heldout", "balanced_accuracy") == pytest.approx(0.7)
    assert rows.filter(pl.col("metric") == "balanced_accuracy")["method"].to_list() == ["korn-graubard"]
    assert value(rows, "heldout", "recall", method="clopper-pearson") == pytest.approx(0.9)
