"""What scores are worth: thresholds that keep their promise, calibration by hand and against scikit-learn."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.calibration import calibration_curve

from onkocode.cli import main
from onkocode.evaluation.certainty import (
    bins_of,
    calibration_error,
    fitted_temperature,
    measure_certainty,
    scaled,
)
from onkocode.evaluation.measuring import measure
from onkocode.evaluation.selection import select_checkpoints, write_selection
from onkocode.evaluation.thresholds import safe_threshold
from onkocode.records.schemas import read_table, write_table

from .judged_rows import answers


def cases(scores: np.ndarray, right: np.ndarray) -> pl.DataFrame:
    """Return one case per text, the most certain first."""
    names = [f"t{place:04d}" for place in range(len(scores))]
    frame = pl.DataFrame({"entry_id": names, "cluster": names, "score": scores, "right": right.astype(bool)})
    frame = frame.with_columns(valid=pl.lit(value=True), score_total=pl.col("score"))
    return frame.sort("score", descending=True)


def test_calibration_error_by_hand() -> None:
    """Twenty cases in ten bins of two: each bin's mean score is 0.15 above its accuracy, or 0.15 below."""
    scores = np.repeat(np.arange(10) / 10 + 0.05, 2) + np.tile([0.0, 0.001], 10)
    right = np.repeat([0, 0, 0, 0, 0, 1, 1, 1, 1, 1], 2).astype(float)
    expected = np.abs(scores.reshape(10, 2).mean(axis=1) - right.reshape(10, 2).mean(axis=1)).mean()
    assert calibration_error(scores, right) == pytest.approx(expected)
    assert calibration_error(np.full(50, 0.5), np.repeat([0.0, 1.0], 25)) == 0


def test_reliability_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(4)
    scores = generator.random(1000)
    right = (generator.random(1000) < scores**2).astype(float)
    accuracy, mean = calibration_curve(right, scores, n_bins=10, strategy="quantile")
    ours = pl.DataFrame({"bin": bins_of(scores), "score": scores, "right": right}).group_by("bin").mean().sort("bin")
    assert ours["score"].to_numpy() == pytest.approx(mean, abs=0.002)
    assert ours["right"].to_numpy() == pytest.approx(accuracy, abs=0.02)


def test_equal_scores_share_a_bin() -> None:
    scores = np.array([0.5] * 95 + [0.9] * 5)
    assert len(set(bins_of(scores))) == 2
    assert calibration_error(scores, np.array([1.0] * 50 + [0.0] * 50)) == pytest.approx((2.5 + 4.5) / 100)


def test_the_temperature_undoes_what_made_scores_too_sure() -> None:
    generator = np.random.default_rng(1)
    odds = generator.normal(0, 1.5, 20_000)
    right = generator.random(20_000) < 1 / (1 + np.exp(-odds))
    table = cases(1 / (1 + np.exp(-3 * odds)), right)
    temperature = fitted_temperature(table)
    assert temperature == pytest.approx(3, rel=0.05)
    assert temperature is not None
    mended = scaled(table, temperature)
    before, after = (
        calibration_error(frame["score"].to_numpy(), frame["right"].to_numpy().astype(float))
        for frame in (table, mended)
    )
    assert before > 0.1
    assert after < 0.015
    assert mended["score"].is_sorted(descending=True)


def test_without_scores_of_both_kinds_there_is_no_temperature() -> None:
    assert fitted_temperature(cases(np.linspace(0.1, 0.9, 50), np.ones(50))) is None
    assert fitted_temperature(cases(np.linspace(0.1, 0.9, 5), np.arange(5) % 2)) is None
    assert fitted_temperature(cases(np.linspace(-3, 9, 50), np.arange(50) % 2)) is None


def test_a_threshold_keeps_its_promise() -> None:
    """Over 200 samples, of what passes no more than 5 % are wrong, save in one sample in twenty at most."""
    generator, broken, passed = np.random.default_rng(2), 0, []
    for _ in range(200):
        scores = generator.random(400)
        right = generator.random(400) < np.minimum(1, 0.55 + 0.5 * scores)  # 5 % wrong from a score of 0.8 on
        threshold = safe_threshold(cases(scores, right), 0.05)
        if threshold is not None:
            passed.append(1 - threshold)
            beyond = np.linspace(threshold, 1, 1000)
            broken += (1 - np.minimum(1, 0.55 + 0.5 * beyond)).mean() > 0.05
    assert broken <= 10
    assert np.mean(passed) > 0.1


def test_so_few_cases_prove_nothing() -> None:
    perfect = np.linspace(0.5, 1, 60)
    assert safe_threshold(cases(perfect, np.ones(60)), 0.01) is None
    assert safe_threshold(cases(perfect, np.ones(60)), 0.10) == pytest.approx(0.5)
    assert safe_threshold(cases(perfect, np.zeros(60)), 0.10) is None
    assert safe_threshold(cases(np.full(9, 0.9), np.ones(9)), 0.10) is None


def test_cases_without_a_human_are_counted_on_the_half_without_a_part_in_the_threshold(tmp_path: Path) -> None:
    """Of 400 texts the more certain half is right; a threshold is found there, and what passes is right."""
    names = [f"t{place:03d}" for place in range(400)]
    scores = {name: 0.5 + place / 1000 for place, name in enumerate(names)}
    rows = answers({name: [int(place >= 200)] * 3 for place, name in enumerate(names)})
    score = pl.col("entry_id").replace_strict(scores)
    rows = rows.with_columns(score=score, score_total=score)
    write_table(rows, "judged", tmp_path / "judged.parquet")
    write_selection(select_checkpoints(measure(rows, None, 10), ["clinic"]), tmp_path / "selection.tsv")
    command = ["measure-certainty", "--judged", str(tmp_path / "judged.parquet")]
    command += ["--selection", str(tmp_path / "selection.tsv"), "--output", str(tmp_path / "certainty.parquet")]
    assert main(command) == 0
    table = read_table(tmp_path / "certainty.parquet", "certainty")
    row = table.filter(pl.col("measure") == "unattended", pl.col("at") == 0.05).row(0, named=True)
    assert 0.4 < row["value"] <= 0.5
    assert row["n"] == 400  # a text is one case, whatever its formulations
    wrong = table.filter(pl.col("measure") == "unattended_error", pl.col("at") == 0.05).row(0, named=True)
    assert wrong["value"] == 0
    assert 0 < wrong["high"] < 0.03
    # Two hundred texts could not prove 1 %, even if all were right.
    assert table.filter(pl.col("measure") == "unattended", pl.col("at") == 0.01).is_empty()
    curve = table.filter(pl.col("measure") == "coverage").sort("at")
    assert curve["at"].to_list()[-1] == 1
    assert curve["value"].to_list()[0] == 1.0
    assert curve["value"].to_list()[-1] == 0.5
    assert table.filter(pl.col("measure") == "reliability")["n"].sum() == 400


def test_a_coder_without_scores_is_a_point_at_its_valid_answers() -> None:
    rows = answers({"x": [1], "y": [0], "z": [0], "w": [1]}, {"x": [1], "y": [1], "z": [0], "w": [1]})
    table = measure_certainty(rows, {"a": 1})
    assert table.select("measure", "at", "value", "n").rows() == [("coverage", 0.75, pytest.approx(2 / 3), 3)]
    assert measure_certainty(rows, {"a": 2}).is_empty()


def test_an_answer_without_code_is_the_least_certain() -> None:
    rows = answers({"x": [1], "y": [0], "z": [0]}, {"x": [1], "y": [1], "z": [0]}).with_columns(
        score=pl.Series([0.6, 0.7, 0.99])
    )
    curve = measure_certainty(rows, {"a": 1}).filter(pl.col("measure") == "coverage").sort("at")
    assert curve["value"].to_list() == [0.0, 0.5, pytest.approx(1 / 3)]
