"""Paired differences: by hand, against scipy, and which of them is the primary endpoint."""

from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from onkocode.cli import main
from onkocode.config.schema import Primary
from onkocode.evaluation.comparisons import compare
from onkocode.evaluation.pairs import Asked, Pair, planned_pairs
from onkocode.evaluation.significance import holm, sign_flip
from onkocode.records.schemas import write_table

from .judged_rows import answers, texts

LEFT, RIGHT = Asked("a", 1, "free"), Asked("a", 0, "free")
TRAINING = Pair("training", LEFT, RIGHT)


@pytest.mark.parametrize("differences", [[1.0, 1, 1, 1, 1, 1], [1.0, -1, 1, 0, 2, 0.5], [0.0, 0, 0], [3.0]])
def test_sign_flip_is_near_the_share_of_all_signs(differences: list[float]) -> None:
    values = np.array(differences)
    sums = [abs(values @ np.array(signs)) for signs in product([-1, 1], repeat=len(values))]
    exact = np.mean(np.array(sums) >= abs(values.sum()) - 1e-9)
    assert sign_flip(values[:, None])[0] == pytest.approx(exact, abs=0.006)


def test_sign_flip_agrees_with_the_t_test_of_many_clusters() -> None:
    values = np.random.default_rng(3).normal(0.06, 1.0, (900, 12))
    assert sign_flip(values) == pytest.approx(ttest_1samp(values, 0).pvalue, abs=0.006)


def test_no_p_is_zero_and_equal_calls_agree() -> None:
    values = np.full((60, 2), 0.5)
    assert (sign_flip(values) == 1 / 100_000).all()
    values[::2, 1] = -0.5
    assert (sign_flip(values) == sign_flip(values)).all()
    assert sign_flip(values)[1] == 1.0


def test_signs_are_wrong_as_often_as_they_say_where_nothing_differs() -> None:
    draws = np.random.default_rng(8).normal(0, 1, (40, 2000))
    assert np.mean(sign_flip(draws, 9_999) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_holm_by_hand() -> None:
    """Holm 1979: 0.01·4, 0.013·3 (no less than before), 0.02·2, 0.04·1."""
    assert holm([0.04, 0.01, 0.02, 0.013]) == pytest.approx([0.04, 0.04, 0.04, 0.04])
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    found = holm(p_values)
    for p, corrected in zip(p_values, found, strict=True):
        assert min(1.0, p) <= corrected <= min(1.0, p * len(p_values)) + 1e-12
    assert [found[place] for place in np.argsort(p_values, kind="stable")] == sorted(found)


def test_a_difference_is_of_the_questions_that_both_answered() -> None:
    left = answers(texts(30, 20, 2), model="a", epoch=1)
    right = answers({key: hits for key, hits in texts(40, 10, 2).items() if key >= "t005"}, model="a", epoch=0)
    table = compare(pl.concat([left, right]), [TRAINING], ["clinic"], None, {})
    row = table.filter(pl.col("metric") == "accuracy").row(0, named=True)
    assert (row["n"], row["clusters"], row["method"]) == (50, 25, "cluster-t")
    assert row["left"] == pytest.approx(15 / 25)
    assert row["right"] == pytest.approx(5 / 25)
    assert row["difference"] == pytest.approx(0.4)
    assert 0.15 < row["low"] < 0.4 < row["high"] < 0.65
    assert row["p"] < 0.005
    assert table.height == 3


def test_few_texts_get_a_p_and_no_interval() -> None:
    table = compare(pl.concat([answers(texts(9, 9)), answers(texts(9, 0), epoch=0)]), [TRAINING], ["clinic"], None, {})
    assert table["method"].unique().to_list() == ["too-few-clusters"]
    assert table["low"].null_count() == table.height


def test_the_primary_endpoint_is_not_corrected_and_counts_in_no_correction() -> None:
    rows = pl.concat([answers(texts(30, 12)), answers(texts(30, 3), epoch=0), answers(texts(30, 8), model="b")])
    pairs = [TRAINING, Pair("coders", LEFT, Asked("b", 1, "free"))]
    table = compare(rows, pairs, ["clinic"], Primary(model="a"), {})
    primary = table.filter("primary")
    assert primary.select("kind", "metric", "p_holm").rows() == [("training", "accuracy", None)]
    rest = table.filter(~pl.col("primary"))
    assert rest["p_holm"].to_list() == pytest.approx(holm(rest["p"].to_list()))
    table = compare(rows, pairs, ["clinic"], Primary(model="b", against="a"), {})
    assert table.filter("primary")["kind"].to_list() == ["coders"]
    for absent in (None, Primary(model="z"), Primary(model="a", task="topography")):
        assert compare(rows, pairs, ["clinic"], absent, {})["primary"].sum() == 0


def test_an_epoch_that_the_test_set_chose_is_answered_by_epochs_that_other_texts_chose() -> None:
    """Half of the weight of each text is on epoch 2, which is right where epoch 1 is wrong."""
    one, two = texts(20, 10), {text: [1 - hits[0]] for text, hits in texts(20, 10).items()}
    rows = pl.concat([answers(one), answers(two, epoch=2), answers(texts(20, 0), epoch=0)])
    weights = pl.DataFrame({"cluster": list(one) * 2, "epoch": [1] * 20 + [2] * 20, "weight": [0.5] * 40})
    table = compare(rows, [TRAINING], ["clinic"], None, {("a", "clinic"): weights})
    assert table.filter(pl.col("metric") == "accuracy")["difference"].to_list() == [pytest.approx(0.5)]
    plain = compare(rows, [TRAINING, Pair("epochs", LEFT, RIGHT)], ["clinic"], None, {("a", "clinic"): weights})
    assert plain.filter(pl.col("kind") == "epochs", pl.col("metric") == "accuracy")["left"].to_list() == [0.5]


def test_the_table_keeps_its_contract(tmp_path: Path) -> None:
    rows = pl.concat([answers(texts(12, 4)), answers(texts(12, 1), epoch=0)])
    table = compare(rows, [TRAINING, Pair("prompt", LEFT, RIGHT)], ["clinic"], None, {})
    write_table(table, "comparisons", tmp_path / "comparisons.parquet")
    empty = compare(rows.clear(), [TRAINING], ["clinic"], None, {})
    assert empty.is_empty()
    write_table(empty, "comparisons", tmp_path / "comparisons.parquet")


def test_what_is_planned() -> None:
    available = {
        Asked(model, epoch, condition)
        for model in ("a", "b")
        for epoch in (0, 1, 2)
        for condition in ("free", "swapped", "constrained")
    }
    available |= {Asked("a", 0, "thinking"), Asked("n", 1, "free")}
    pairs = planned_pairs(available, {"a": 2, "b": 1, "n": 1}, {"a": "a", "b": "a"})
    kinds = {kind: [pair for pair in pairs if pair.kind == kind] for kind in {pair.kind for pair in pairs}}
    assert len(set(pairs)) == len(pairs)
    assert [(pair.left, pair.right) for pair in kinds["training"]] == [
        (Asked("a", 2, "free"), Asked("a", 0, "free")),
        (Asked("b", 1, "free"), Asked("a", 0, "free")),
    ]
    assert {(pair.left.model, pair.right.model) for pair in kinds["coders"]} == {("a", "n"), ("b", "n")}  # one base
    assert kinds["thinking"] == [Pair("thinking", Asked("a", 0, "thinking"), Asked("a", 0, "free"))]
    assert kinds["training against thinking"][0].right == Asked("a", 0, "thinking")
    assert len(kinds["constrained"]) == 6
    assert {(pair.left, pair.right) for pair in kinds["prompt"] if pair.left.model == "a"} == {
        (Asked("a", 0, "free"), Asked("a", 0, "swapped")),  # base models have the sentence in free answers
        (Asked("a", 1, "swapped"), Asked("a", 1, "free")),
        (Asked("a", 2, "swapped"), Asked("a", 2, "free")),
    }
    same_prompt = {pair.kind: (pair.left.condition, pair.right.condition) for pair in pairs if "short" in pair.kind}
    assert same_prompt == {
        "training, short answer asked": ("swapped", "free"),
        "training, short answer not asked": ("free", "swapped"),
    }
    assert {pair.right.epoch for pair in kinds["epochs"] if pair.left.model == "a"} == {1}


def test_any_two_are_compared_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: tmp_path / f"{name}.parquet" for name in ("one", "other", "elsewhere")}
    write_table(answers(texts(30, 20), model="one"), "judged", files["one"])
    write_table(answers(texts(30, 11), model="other"), "judged", files["other"])
    write_table(answers(texts(30, 11), model="other", dataset="second"), "judged", files["elsewhere"])
    assert main(["compare", "--left", str(files["one"]), "--right", str(files["other"])]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if " accuracy " in line)
    assert line.split()[:6] == ["clinic", "icd10", "accuracy", "66.7", "36.7", "30.0"]
    assert line.split()[-2:] == ["30", "30"]
    for left, right, words in (
        (["one"], ["one"], "both one, epoch 1, free"),
        (["one", "other"], ["elsewhere"], "answers of 2 checkpoints"),
        (["one"], ["elsewhere"], "no question in common"),
    ):
        sides = ["--left", *(str(files[name]) for name in left), "--right", *(str(files[name]) for name in right)]
        assert main(["compare", *sides]) == 2
        assert words in capsys.readouterr().err


def test_a_base_model_that_is_only_tested_is_not_compared_with_itself() -> None:
    available = {Asked("a", 0, condition) for condition in ("free", "swapped", "thinking")}
    pairs = planned_pairs(available, {"a": 0}, {"a": "a"})
    assert {pair.kind for pair in pairs} == {"prompt", "thinking"}
    assert all(pair.left != pair.right for pair in pairs)
