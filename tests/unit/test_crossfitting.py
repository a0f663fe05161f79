"""Choosing epochs on the texts that are reported: what remains on others, how firm the choice is, and its rules."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from onkocode.cli import main
from onkocode.evaluation.choosing import Counts, best_of_all, best_of_valid, choice_of, within_one_standard_error
from onkocode.evaluation.crossfitting import (
    choice_shares,
    cross_fitted_metrics,
    epoch_weights,
    refine,
    reporting_weights,
)
from onkocode.evaluation.measuring import measure
from onkocode.evaluation.selection import read_selection, select_checkpoints
from onkocode.records.schemas import read_table, write_table

from .judged_rows import answers, texts


def noise(epochs: int, number: int, seed: int) -> pl.DataFrame:
    """Return epochs that are equally good: each answer is right by chance alone."""
    draws = np.random.default_rng(seed).integers(0, 2, (epochs, number))
    return pl.concat(
        [
            answers({f"t{place:03d}": [int(hit)] for place, hit in enumerate(row)}, epoch=epoch)
            for epoch, row in enumerate(draws, 1)
        ]
    )


def test_counts_by_hand() -> None:
    rows = pl.concat([answers({"x": [1, 0], "y": [1, 1]}, {"x": [1, 0], "y": [1, 1]}), answers({"x": [0, 0]}, epoch=2)])
    counts = Counts.of(rows)
    assert (counts.clusters, counts.epochs) == (["x", "y"], [1, 2])
    assert counts.right.tolist() == [[1, 0], [2, 0]]
    assert counts.valid.tolist() == [[1, 2], [2, 0]]
    assert counts.asked.tolist() == [[2, 2], [2, 0]]


def test_no_text_has_a_part_in_the_choice_of_the_epoch_that_answers_for_it() -> None:
    """Epoch 2 is better on one text alone: for that text it is never chosen, for others wherever that text decides."""
    one = texts(24, 12)
    two = one | {"t023": [1]}
    counts = Counts.of(pl.concat([answers(one), answers(two, epoch=2)]))
    weights = reporting_weights(counts, best_of_all)
    assert weights is not None
    assert weights.sum(axis=1) == pytest.approx(1)
    assert weights[counts.clusters.index("t023")].tolist() == [1.0, 0.0]
    others = np.delete(weights, counts.clusters.index("t023"), axis=0)
    assert others[:, 1] == pytest.approx(0.52, abs=0.1)  # of 23 others, a half with t023 reports 12


def test_the_optimism_of_a_choice_among_equals_is_found() -> None:
    """Of ten equal epochs the best of sixty texts looks 9 points too good on average; cross-fitted it is 50 %."""
    apparent, fitted = [], []
    for seed in range(12):
        rows = noise(10, 60, seed)
        chosen = select_checkpoints(measure(rows, None, 10), ["clinic"])
        found, _ = refine(chosen, rows, "best", 0.9)
        row = found.filter(pl.col("selected_by") == "test").row(0, named=True)
        assert row["optimism"] == pytest.approx(row["value"] - row["cross_fitted"])
        apparent.append(row["value"])
        fitted.append(row["cross_fitted"])
    assert np.mean(apparent) > 0.57
    assert np.mean(fitted) == pytest.approx(0.5, abs=0.03)


def test_choices_that_are_clear_are_firm_and_others_are_not() -> None:
    clear = Counts.of(pl.concat([answers(texts(40, 5)), answers(texts(40, 30), epoch=2)]))
    assert choice_shares(clear, best_of_all).tolist() == [0, 1]
    shares = choice_shares(Counts.of(noise(2, 60, 1)), best_of_all)
    assert shares.sum() == pytest.approx(1)
    assert shares.max() < 0.95


def test_rules_by_hand() -> None:
    rows = pl.concat([answers(texts(100, 44)), answers(texts(100, 50), epoch=2), answers(texts(100, 20), epoch=3)])
    counts, drawn = Counts.of(rows), np.ones(100)
    assert best_of_all(counts, drawn) == 1
    # One standard error of 50 % of 100 texts is 5.0 points; epoch 1 is 6 worse, and with 46 of 100 within it.
    assert within_one_standard_error(counts, drawn) == 1
    rows = pl.concat([answers(texts(100, 46)), answers(texts(100, 50), epoch=2)])
    assert within_one_standard_error(Counts.of(rows), drawn) == 0


def test_the_studys_way_has_a_floor_and_no_other_rule() -> None:
    few = answers({"x": [1, 0, 0, 0]}, {"x": [1, 0, 0, 0]}, epoch=1)
    counts = Counts.of(pl.concat([few, answers({"x": [1, 1, 0, 0]}, epoch=2)]))
    assert best_of_valid(counts, np.ones(1), floor=0.9) == 1
    assert best_of_valid(counts, np.ones(1), floor=0.0) == 0
    assert choice_of("paper", "one-standard-error", 0.9)(counts, np.ones(1)) == 1
    assert choice_of("test", "best", 0.9) is best_of_all


def test_below_twenty_clusters_nothing_is_cross_fitted() -> None:
    rows = noise(2, 19, 0)
    assert reporting_weights(Counts.of(rows), best_of_all) is None
    assert epoch_weights(rows, "a", "clinic", best_of_all) is None
    assert epoch_weights(rows, "b", "clinic", best_of_all) is None


def test_cross_fitted_rates_and_gains_stand_at_the_chosen_epoch(tmp_path: Path) -> None:
    rows = pl.concat([noise(4, 80, 5), answers(texts(80, 0), epoch=0)])
    tumour = rows.with_columns(task=pl.lit("tumour"), expected=pl.lit("Ja"), question_id="j" + pl.col("question_id"))
    rows = pl.concat([rows, tumour])
    write_table(measure(rows, None, 10), "metrics", tmp_path / "m.parquet")
    write_table(rows, "judged", tmp_path / "j.parquet")
    command = ["collect-metrics", "--metrics", str(tmp_path / "m.parquet"), "--judged", str(tmp_path / "j.parquet")]
    command += ["--texts", "clinic", "--output", str(tmp_path / "metrics.parquet")]
    command += ["--selection", str(tmp_path / "s.tsv"), "--frequencies", str(tmp_path / "f.tsv")]
    assert main(command) == 0
    metrics = read_table(tmp_path / "metrics.parquet", "metrics").filter(pl.col("stratum") == "cross-fitted")
    row = read_selection(tmp_path / "s.tsv").filter(pl.col("selected_by") == "test").row(0, named=True)
    exact = metrics.filter(
        pl.col("metric") == "accuracy", pl.col("task") == "icd10", pl.col("denominator") == "all"
    ).row(0, named=True)
    assert exact["epoch"] == row["epoch"]
    assert exact["value"] == pytest.approx(row["cross_fitted"])
    assert (exact["n"], exact["clusters"], exact["method"]) == (80, 80, "korn-graubard")
    gain = metrics.filter(pl.col("metric") == "gain_accuracy", pl.col("task") == "icd10").row(0, named=True)
    assert gain["value"] == pytest.approx(exact["value"])  # the base is never right
    assert set(metrics["task"]) == {"icd10", "tumour"}
    frequencies = pl.read_csv(tmp_path / "f.tsv", separator="\t")
    assert frequencies.group_by("selected_by").agg(pl.col("share").sum().round(9))["share"].to_list() == [1.0, 1.0]
    assert cross_fitted_metrics(read_selection(tmp_path / "s.tsv"), rows.clear(), "best", 0.9).is_empty()


def test_a_rule_changes_the_choice_and_its_numbers() -> None:
    rows = pl.concat([answers(texts(100, 47)), answers(texts(100, 50), epoch=2)])
    chosen = select_checkpoints(measure(rows, None, 10), ["clinic"])
    found, _ = refine(chosen, rows, "one-standard-error", 0.9)
    by = {row["selected_by"]: (row["epoch"], row["value"]) for row in found.iter_rows(named=True)}
    assert by == {"test": (1, 0.47), "paper": (2, 0.5)}
