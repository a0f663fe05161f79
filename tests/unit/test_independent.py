"""Metrics of random answers against scikit-learn and scipy, which share no code with them."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn import metrics as sk

from onkocode.evaluation.breakdown import break_down
from onkocode.evaluation.measuring import measure

from .conftest import schema_of

CODES = ("C50.9", "C61", "C18.0", "C18.1", "D24", "C73")


def random_answers(seed: int, task: str, values: tuple[str, ...], number: int = 400) -> pl.DataFrame:
    """Return answers to texts, a third of them to several of a patient; one in nine could not be read."""
    generator = np.random.default_rng(seed)
    expected, predicted = generator.choice(values, number), generator.choice(values, number)
    predicted = np.where(generator.random(number) < 0.4, expected, predicted)
    valid = generator.random(number) > 1 / 9
    rows = [
        {"question_id": f"q{place}", "entry_id": f"e{place}", "cluster": f"p{place % 270}", "expected": str(gold)}
        | {"predicted": str(said) if read else None, "valid": bool(read), "exact": bool(read and gold == said)}
        | {"partial": bool(read and gold[:3] == said[:3]), "several": False, "seconds": float(generator.random())}
        for place, (gold, said, read) in enumerate(zip(expected, predicted, valid, strict=True))
    ]
    about = {"model": "a", "epoch": 1, "condition": "free", "dataset": "clinic", "task": task, "split": "test"}
    return pl.DataFrame([about | {"formulation_id": "f"} | row for row in rows], schema=schema_of("judged"))


def found(table: pl.DataFrame, metric: str, denominator: str = "all", method: str = "korn-graubard") -> dict[str, Any]:
    rows = table.filter(pl.col("metric") == metric, pl.col("denominator") == denominator, pl.col("method") == method)
    return rows.row(0, named=True)


@pytest.mark.parametrize("seed", range(5))
def test_rates_of_codes(seed: int) -> None:
    rows = random_answers(seed, "icd10", CODES)
    gold, said = rows["expected"].to_list(), rows["predicted"].fill_null("none").to_list()
    table = measure(rows, None, 50)
    assert found(table, "accuracy")["value"] == pytest.approx(sk.accuracy_score(gold, said))
    read = rows["valid"].to_numpy()
    assert found(table, "accuracy", "valid")["value"] == pytest.approx(
        sk.accuracy_score(np.array(gold)[read], np.array(said)[read])
    )
    heads = [[code[:3] for code in codes] for codes in (gold, said)]
    assert found(table, "partial_accuracy")["value"] == pytest.approx(sk.accuracy_score(*heads))
    hits = round(sk.accuracy_score(gold, said, normalize=False))
    exact = stats.binomtest(hits, len(gold)).proportion_ci(0.95, method="exact")
    row = found(table, "accuracy", method="clopper-pearson")
    assert (row["low"], row["high"]) == pytest.approx((exact.low, exact.high))
    codes = pl.DataFrame(schema=schema_of("codes"))
    labels = pl.DataFrame(schema={"task": pl.String, "expected": pl.String, "labels": pl.UInt32})
    macro = break_down(rows, codes, labels).filter(pl.col("metric") == "macro_accuracy")["value"][0]
    present = sorted(set(gold))
    assert macro == pytest.approx(sk.recall_score(gold, said, labels=present, average="macro", zero_division=0))


@pytest.mark.parametrize("seed", range(5))
def test_rates_of_yes_and_no(seed: int) -> None:
    rows = random_answers(seed, "tumour", ("Ja", "Nein"))
    gold, said = rows["expected"].to_list(), rows["predicted"].fill_null("none").to_list()
    table = measure(rows, None, 50)
    recall = sk.recall_score(gold, said, labels=["Ja"], average=None)[0]
    specificity = sk.recall_score(gold, said, labels=["Nein"], average=None)[0]
    assert found(table, "recall")["value"] == pytest.approx(recall)
    assert found(table, "specificity")["value"] == pytest.approx(specificity)
    assert found(table, "balanced_accuracy")["value"] == pytest.approx((recall + specificity) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_gains_have_the_interval_of_the_t_test_of_clusters(seed: int) -> None:
    """Where clusters are of one size, it is that of a paired t test, less two clusters' tenth that nobody saw."""
    rows = random_answers(seed, "icd10", CODES, 540)
    other = random_answers(seed + 50, "icd10", CODES, 540).with_columns(epoch=pl.lit(0, pl.Int64))
    gold = rows["expected"]
    other = other.with_columns(expected=gold, exact=(other["predicted"] == gold).fill_null(value=False))
    gain = found(measure(rows, other, 50), "gain_accuracy", method="cluster-t")
    difference = rows["exact"].cast(pl.Int64) - other["exact"].cast(pl.Int64)
    means = pl.DataFrame({"cluster": rows["cluster"], "d": difference}).group_by("cluster").agg(pl.col("d").mean())["d"]
    test = stats.ttest_1samp(means.to_numpy(), 0).confidence_interval(0.95)
    assert gain["value"] == pytest.approx(difference.mean())
    assert gain["low"] == pytest.approx(test.low, abs=0.002)
    assert gain["high"] == pytest.approx(test.high, abs=0.002)
