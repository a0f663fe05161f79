"""Metrics against numbers worked out by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from onkocode.evaluation.intervals import clopper_pearson, cluster_t, korn_graubard
from onkocode.evaluation.judging import STRICT
from onkocode.evaluation.measuring import measure
from onkocode.evaluation.metrics import METRICS as DECLARED
from onkocode.records.schemas import columns_of, read_table

from .conftest import schema_of

# (question, cluster, split, expected, predicted, valid, exact, partial, exists, terminal, several)
# Ten answers: 8 valid, of which 4 exact, 6 partial, 1 does not exist, 2 exist without being terminal; 1 holds several.
Row = tuple[str, str, str, str, str | None, bool, bool, bool, bool | None, bool | None, bool]
ICD10: list[Row] = [
    ("q0", "a", "train", "C50.9", "C50.9", True, True, True, True, True, False),
    ("q1", "a", "train", "C50.9", "C50.9", True, True, True, True, True, False),
    ("q2", "b", "train", "C18.0", "C18.0", True, True, True, True, True, False),
    ("q3", "b", "train", "C18.0", "C18", True, False, True, True, False, False),
    ("q4", "c", "train", "C73", "C73.5", True, False, True, False, False, False),
    ("q5", "c", "heldout_label", "C73", "C73", True, True, True, True, True, True),
    ("q6", "d", "heldout_label", "C16.9", "C34", True, False, False, True, False, False),
    ("q7", "d", "heldout_label", "C16.9", "C34.1", True, False, False, True, True, False),
    ("q8", "e", "heldout_label", "C61", None, False, False, False, None, None, False),
    ("q9", "e", "heldout_label", "C61", None, False, False, False, None, None, False),
]


def frame(rows: list[Row], task: str = "icd10", **values: Any) -> pl.DataFrame:
    columns = ["question_id", "cluster", "split", "expected", "predicted", "valid", "exact", "partial", "exists"]
    columns += ["terminal", "several"]
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    defaults = {"model": "tiny", "epoch": 1, "condition": "free", "dataset": "catalogue", "task": task}
    more = {"formulation_id": "f", "tokens": 4, "seconds": 0.5}
    return pl.DataFrame(
        [defaults | more | row | {"entry_id": row["cluster"]} | values for row in named], schema=schema_of("judged")
    )


def found(metrics: pl.DataFrame, metric: str, denominator: str, stratum: str = "all", task: str = "icd10") -> Any:
    rows = metrics.filter(
        pl.col("metric") == metric,
        pl.col("denominator") == denominator,
        pl.col("stratum") == stratum,
        pl.col("task") == task,
        pl.col("method") == "clopper-pearson",
    )
    assert rows.height == 1
    return rows.row(0, named=True)


@pytest.mark.parametrize(
    ("metric", "denominator", "k", "n"),
    [
        ("accuracy", "valid", 4, 8),
        ("accuracy", "all", 4, 10),
        ("partial_accuracy", "valid", 6, 8),
        ("partial_accuracy", "all", 6, 10),
        ("invalid_rate", "all", 2, 10),
        ("nonexistent_rate", "valid", 1, 8),
        ("nonterminal_rate", "valid", 2, 8),
        ("several_rate", "all", 1, 10),
    ],
)
def test_rates(metric: str, denominator: str, k: int, n: int) -> None:
    row = found(measure(frame(ICD10), None, 50), metric, denominator)
    assert (row["k"], row["n"], row["value"]) == (k, n, k / n)
    assert (row["low"], row["high"]) == clopper_pearson(k, n)
    assert row["clusters"] == (4 if denominator == "valid" else 5)


def test_strata_are_measured_apart() -> None:
    metrics = measure(frame(ICD10), None, 50)
    assert metrics["stratum"].unique().sort().to_list() == ["all", "heldout_label", "train"]
    assert found(metrics, "accuracy", "all", "train")["value"] == 3 / 5
    assert found(metrics, "accuracy", "all", "heldout_label")["value"] == 1 / 5
    assert found(metrics, "accuracy", "valid", "heldout_label")["value"] == 1 / 3
    only_train = measure(frame(ICD10[:5]), None, 50)
    assert only_train["stratum"].unique().sort().to_list() == ["all", "train"]
    texts = measure(frame([(*row[:2], "test", *row[3:]) for row in ICD10]), None, 50)
    assert texts["stratum"].unique().to_list() == ["all"]


TUMOUR: list[Row] = [
    # 4 positives: 2 found, 1 missed, 1 unreadable; 3 negatives: 2 right, 1 wrong
    ("q0", "a", "train", "Ja", "Ja", True, True, True, None, None, False),
    ("q1", "b", "train", "Ja", "Ja", True, True, True, None, None, False),
    ("q2", "c", "train", "Ja", "Nein", True, False, False, None, None, False),
    ("q3", "d", "train", "Ja", None, False, False, False, None, None, False),
    ("q4", "e", "train", "Nein", "Nein", True, True, True, None, None, False),
    ("q5", "f", "train", "Nein", "Nein", True, True, True, None, None, False),
    ("q6", "g", "train", "Nein", "Ja", True, False, False, None, None, False),
]


def test_recall_and_specificity_count_unreadable_answers_as_wrong() -> None:
    metrics = measure(frame(TUMOUR, "tumour"), None, 50)
    recall = found(metrics, "recall", "all", task="tumour")
    assert (recall["k"], recall["n"]) == (2, 4)
    specificity = found(metrics, "specificity", "all", task="tumour")
    assert (specificity["k"], specificity["n"]) == (2, 3)
    assert found(metrics, "accuracy", "valid", task="tumour")["value"] == 4 / 6
    assert found(metrics, "accuracy", "all", task="tumour")["value"] == 4 / 7
    assert not metrics.filter(
        pl.col("metric").is_in(["partial_accuracy", "nonexistent_rate", "nonterminal_rate"])
    ).height


MORPHOLOGY: list[Row] = [
    # 5 valid of 6: 2 exact, 4 of the same four digits, 3 of the same behaviour; a category has none
    ("q0", "a", "train", "8140/3", "8140/3", True, True, True, True, True, False),
    ("q1", "a", "train", "8140/3", "8140/6", True, False, True, True, True, False),
    ("q2", "b", "train", "8500/2", "8500/2", True, True, True, True, True, False),
    ("q3", "c", "train", "8500/2", "8140/2", True, False, False, False, False, False),
    ("q4", "c", "train", "8720/3", "8720", True, False, True, True, False, False),
    ("q5", "d", "train", "8720/3", None, False, False, False, None, None, False),
]


def test_behaviour_digit_and_four_digits_are_measured_apart() -> None:
    metrics = measure(frame(MORPHOLOGY, "morphology"), None, 50)
    counted = {
        (metric, denominator): found(metrics, metric, denominator, task="morphology")
        for metric in ("accuracy", "partial_accuracy", "behaviour_accuracy")
        for denominator in ("valid", "all")
    }
    assert {key: (row["k"], row["n"]) for key, row in counted.items()} == {
        ("accuracy", "valid"): (2, 5),
        ("accuracy", "all"): (2, 6),
        ("partial_accuracy", "valid"): (4, 5),
        ("partial_accuracy", "all"): (4, 6),
        ("behaviour_accuracy", "valid"): (3, 5),
        ("behaviour_accuracy", "all"): (3, 6),
    }
    assert measure(frame(ICD10), None, 50).filter(pl.col("metric") == "behaviour_accuracy").is_empty()


def test_with_a_code_the_decision_is_measured_and_the_code_too() -> None:
    """3 positives: right code, wrong code, no; 3 negatives: no, a code, unreadable."""
    rows: list[Row] = [
        ("q0", "a", "train", "C50.9", "C50.9", True, True, True, True, True, False),
        ("q1", "b", "train", "C50.9", "C34", True, False, False, True, False, False),
        ("q2", "c", "train", "C50.9", "Nein", True, False, False, None, None, False),
        ("q3", "d", "train", "Nein", "Nein", True, True, True, None, None, False),
        ("q4", "e", "train", "Nein", "C50.99", True, False, False, False, False, False),
        ("q5", "f", "train", "Nein", None, False, False, False, None, None, False),
    ]
    metrics = measure(frame(rows, "tumour-icd10"), None, 50)
    counted = {
        metric: found(metrics, metric, denominator, task="tumour-icd10")
        for metric, denominator in (
            ("recall", "all"),
            ("specificity", "all"),
            ("accuracy", "all"),
            ("partial_accuracy", "valid"),
            ("nonexistent_rate", "valid"),
            ("nonterminal_rate", "valid"),
        )
    }
    assert {metric: (row["k"], row["n"]) for metric, row in counted.items()} == {
        "recall": (2, 3),
        "specificity": (1, 3),
        "accuracy": (2, 6),
        "partial_accuracy": (2, 5),
        "nonexistent_rate": (1, 5),
        "nonterminal_rate": (1, 5),
    }


def test_a_metric_is_named_and_has_a_unit_that_its_values_have() -> None:
    """All that is measured, of every task and condition, is declared; shares stay in 0…1, differences in -1…1."""
    parts = {"icd10": ICD10, "tumour": TUMOUR, "morphology": MORPHOLOGY}
    recorded = {"cut": False, "seconds": 7.5, "tokens": 70, "kind": "code"} | dict.fromkeys(STRICT, False)
    recorded |= {"truncated": False, "thought": False, "batch": 8, "right_rank": 1, "single": True, "admissible": False}
    judged = pl.concat(
        [
            frame(rows, task, condition=condition, **recorded)
            for task, rows in parts.items()
            for condition in ("free", "thinking")
        ]
    )
    metrics = measure(judged, judged.with_columns(exact=~pl.col("exact")), 20)
    assert set(metrics["metric"]) == set(DECLARED)
    assert len({metric.label for metric in DECLARED.values()}) == len(DECLARED)
    limits = {"%": (0.0, 1.0), "points": (-1.0, 1.0), "s": (7.5, 7.5), "tokens": (70.0, 70.0), "questions": (8.0, 8.0)}
    for metric, value in metrics.select("metric", "value").drop_nulls().iter_rows():
        low, high = limits[DECLARED[metric].unit]
        assert low <= value <= high, metric
        assert DECLARED[metric].factor == (100 if high == 1 else 1)


def test_no_negatives_no_specificity() -> None:
    metrics = measure(frame(TUMOUR[:4], "tumour"), None, 50)
    assert metrics.filter(pl.col("metric") == "specificity").is_empty()
    assert found(metrics, "recall", "all", task="tumour")["n"] == 4


def test_nothing_valid_gives_null_and_not_zero() -> None:
    metrics = measure(frame(ICD10[8:]), None, 50)
    row = found(metrics, "accuracy", "valid")
    assert row["n"] == 0
    assert (row["value"], row["low"], row["high"]) == (None, None, None)
    clustered = metrics.filter(
        pl.col("metric") == "accuracy", pl.col("denominator") == "valid", pl.col("method") != "clopper-pearson"
    )
    assert clustered.height
    assert clustered["low"].null_count() == clustered.height
    assert found(metrics, "accuracy", "all")["value"] == 0.0


def test_means_are_per_question_and_without_binomial_interval() -> None:
    judged = frame(ICD10).with_columns(
        seconds=pl.Series([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]), tokens=pl.Series(range(10))
    )
    rows = measure(judged, None, 50).filter(pl.col("stratum") == "all")
    seconds = rows.filter(pl.col("metric") == "seconds_per_question")
    assert seconds.height == 1
    assert seconds["value"].item() == pytest.approx(0.55)
    assert seconds["method"].item() == "too-few-clusters"
    tokens = rows.filter(pl.col("metric") == "tokens_per_question")
    assert tokens["value"].item() == 4.5
    assert tokens["k"].item() == 45


def test_gain_pairs_the_questions_that_both_were_asked() -> None:
    """Of the four questions that both answered, the base was right in q0 and q7, the model in q0, q1 and q5."""
    base = frame(
        [
            ("q0", "a", "train", "C50.9", "C50.9", True, True, True, True, True, False),
            ("q1", "a", "train", "C50.9", "C50", True, False, True, True, False, False),
            ("q5", "c", "train", "C73", None, False, False, False, None, None, False),
            ("q7", "d", "train", "C16.9", "C16.9", True, True, True, True, True, False),
            ("q99", "z", "train", "C61", "C61", True, True, True, True, True, False),
        ],
        epoch=0,
    )
    metrics = measure(frame(ICD10), base, 200).filter(pl.col("stratum") == "all")
    gain = metrics.filter(pl.col("metric") == "gain_accuracy").row(0, named=True)
    assert (gain["k"], gain["n"], gain["value"], gain["clusters"]) == (1, 4, 0.25, 3)
    assert (gain["method"], gain["low"], gain["high"]) == ("too-few-clusters", None, None)
    partial = metrics.filter(pl.col("metric") == "gain_partial_accuracy").row(0, named=True)
    # partial: model q0, q1, q5; base q0, q1, q7
    assert (partial["k"], partial["n"], partial["value"]) == (0, 4, 0.0)


def test_each_unit_has_its_interval_over_clusters() -> None:
    """Twelve texts, each asked three times: rates, gains and times name the method that they were found by."""
    right = [number % 5 > 0 for number in range(36)]
    rows: list[Row] = [
        (f"q{number}", f"text {number % 12}", "train", "C61", "C61", True, exact, exact, True, True, False)
        for number, exact in enumerate(right)
    ]
    base = frame([(*row[:4], "C60", True, False, False, True, True, False) for row in rows], epoch=0)  # never right
    found_rows = measure(frame(rows), base, 50).filter(pl.col("stratum") == "all", pl.col("denominator") == "all")
    for metric, method, bounds in (
        ("accuracy", "korn-graubard", korn_graubard),
        ("gain_accuracy", "cluster-t", cluster_t),
    ):
        row = found_rows.filter(pl.col("metric") == metric, pl.col("method") != "clopper-pearson").row(0, named=True)
        hits = np.array([sum(1.0 for at in range(text, 36, 12) if at % 5) for text in range(12)])
        assert (row["method"], row["clusters"]) == (method, 12)
        assert (row["low"], row["high"]) == pytest.approx(bounds(hits, np.full(12, 3.0)))
    assert found_rows.filter(pl.col("metric") == "seconds_per_question")["method"].item() == "cluster-bootstrap"


def test_thinking_gain_pairs_with_the_free_answers_of_the_base() -> None:
    thinking = frame(ICD10[:3], condition="thinking", epoch=0, dataset="clinic")
    free = frame(ICD10[:2], epoch=0, dataset="clinic").with_columns(exact=pl.Series([False, True]))
    gain = measure(thinking, free, 50).filter(pl.col("metric") == "gain_accuracy", pl.col("stratum") == "all")
    assert gain.height == 1
    row = gain.row(0, named=True)
    assert (row["condition"], row["k"], row["n"], row["value"]) == ("thinking", 1, 2, 0.5)
    other = frame(ICD10[:2], epoch=0, dataset="elsewhere")
    assert measure(thinking, other, 50).filter(pl.col("metric").str.starts_with("gain")).is_empty()


@pytest.mark.parametrize("condition", ["thinking", "free"])
def test_unended_thoughts_have_a_rate(condition: str) -> None:
    """Of ten answers two are invalid, one of them because its thought does not end: some models think unasked."""
    judged = frame(ICD10, condition=condition).with_columns(cut=pl.col("question_id") == "q9")
    row = found(measure(judged, None, 50), "cut_rate", "all")
    assert (row["k"], row["n"], row["value"]) == (1, 10, 0.1)


def test_of_answers_judged_before_nothing_is_made_up(tmp_path: Path) -> None:
    """A table of version 2 has no such column; its other rates stay what they are."""
    now = frame(ICD10, condition="thinking").with_columns(cut=pl.lit(value=False))
    old = tmp_path / "judged.parquet"
    now.drop("cut").write_parquet(old, metadata={"schema": "judged-2"})
    before = measure(read_table(old, "judged"), None, 50)
    assert before.equals(measure(now, None, 50).filter(pl.col("metric") != "cut_rate"))
    both = pl.concat([read_table(old, "judged"), now])
    assert measure(both, None, 50).filter(pl.col("metric") == "cut_rate").is_empty()


def test_base_has_no_gains() -> None:
    assert measure(frame(ICD10), None, 50).filter(pl.col("metric").str.starts_with("gain")).is_empty()


def test_tumour_task_has_no_partial_gain() -> None:
    metrics = measure(frame(TUMOUR, "tumour"), frame(TUMOUR, "tumour", epoch=0), 50)
    assert metrics.filter(pl.col("metric") == "gain_accuracy")["value"].unique().to_list() == [0.0]
    assert metrics.filter(pl.col("metric") == "gain_partial_accuracy").is_empty()


def test_data_sets_and_tasks_are_measured_apart_in_the_schema() -> None:
    both = pl.concat([frame(ICD10), frame(TUMOUR, "tumour"), frame(ICD10[:2], dataset="clinic")])
    metrics = measure(both, None, 50)
    assert set(metrics.columns) == set(columns_of("metrics"))
    parts = metrics.select("dataset", "task").unique().sort("dataset", "task").rows()
    assert parts == [("catalogue", "icd10"), ("catalogue", "tumour"), ("clinic", "icd10")]
    clinic = metrics.filter(pl.col("dataset") == "clinic", pl.col("metric") == "accuracy", pl.col("stratum") == "all")
    assert clinic["n"].unique().to_list() == [2]
    key = ["dataset", "task", "stratum", "metric", "denominator", "method"]
    assert not metrics.select(key).is_duplicated().any()
    assert measure(both, None, 50).equals(metrics)
