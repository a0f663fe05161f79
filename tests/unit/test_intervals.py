"""Intervals against published brackets and closed forms."""

import numpy as np
import pytest

from onkocode.evaluation.intervals import clopper_pearson, cluster_bootstrap


@pytest.mark.parametrize(
    ("k", "low", "high"), [(70, 60, 79), (65, 55, 74), (19, 12, 28), (11, 6, 19), (26, 18, 36), (9, 4, 16)]
)
def test_brackets_of_the_paper(k: int, low: int, high: int) -> None:
    bounds = clopper_pearson(k, 100)
    assert [round(100 * (bound or 0)) for bound in bounds] == [low, high]


def test_closed_forms_at_the_ends() -> None:
    low, high = clopper_pearson(0, 20)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 20))
    low, high = clopper_pearson(20, 20)
    assert low == pytest.approx(0.025 ** (1 / 20))
    assert high == 1.0
    assert clopper_pearson(0, 0) == (None, None)
    low, high = clopper_pearson(1, 1)
    assert low == pytest.approx(0.025)
    assert high == 1.0


def test_clopper_pearson_is_symmetric() -> None:
    low, high = clopper_pearson(19, 100)
    other_low, other_high = clopper_pearson(81, 100)
    assert low is not None
    assert high is not None
    assert other_low == pytest.approx(1 - high)
    assert other_high == pytest.approx(1 - low)


def width(bounds: tuple[float | None, float | None]) -> float:
    low, high = bounds
    assert low is not None
    assert high is not None
    return high - low


def test_bootstrap_is_wider_where_the_answers_of_a_cluster_agree() -> None:
    """20 texts under 12 formulations, 13 of them right under all: 156 of 240, but only 20 independent answers."""
    sums, totals = np.array([12.0] * 13 + [0.0] * 7), np.full(20, 12.0)
    clustered = cluster_bootstrap(sums, totals, 1000)
    questions = clopper_pearson(156, 240)
    texts = clopper_pearson(13, 20)
    assert width(clustered) > 2.5 * width(questions)
    assert width(clustered) == pytest.approx(width(texts), abs=0.08)
    low, high = clustered
    assert low is not None
    assert high is not None
    assert low < 0.65 < high


def test_bootstrap_is_that_of_single_questions_where_clusters_have_one() -> None:
    sums, totals = np.array([1.0] * 65 + [0.0] * 35), np.ones(100)
    low, high = cluster_bootstrap(sums, totals, 2000)
    # normal approximation: 0.65 ± 1.96 · √(0.65 · 0.35 / 100)
    assert low == pytest.approx(0.5565, abs=0.015)
    assert high == pytest.approx(0.7435, abs=0.015)


def test_bootstrap_is_the_same_on_every_run() -> None:
    sums, totals = np.array([3.0, 0.0, 2.0, 5.0, 1.0]), np.array([5.0, 4.0, 2.0, 6.0, 3.0])
    first = cluster_bootstrap(sums, totals, 200)
    np.random.seed(1)  # must not matter
    assert cluster_bootstrap(sums, totals, 200) == first
    assert cluster_bootstrap(sums, totals, 201) != first


def test_bootstrap_weighs_clusters_by_their_questions() -> None:
    """One large cluster that is right and one small that is wrong: the resamples are both, either, or mixed."""
    low, high = cluster_bootstrap(np.array([9.0, 0.0]), np.array([9.0, 1.0]), 1000)
    assert (low, high) == (0.0, 1.0)


def test_complete_agreement_falls_back_to_clusters() -> None:
    totals = np.full(10, 12.0)
    assert cluster_bootstrap(np.zeros(10), totals, 100) == clopper_pearson(0, 10)
    assert cluster_bootstrap(totals, totals, 100) == clopper_pearson(10, 10)
    # a difference or a mean is no rate: nothing is put in its place
    assert cluster_bootstrap(np.zeros(10), totals, 100, bounded=False) == (0.0, 0.0)
    assert cluster_bootstrap(np.array([]), np.array([]), 100) == (None, None)
