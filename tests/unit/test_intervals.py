"""Intervals against published brackets and closed forms."""

import numpy as np
import pytest

from onkocode.evaluation.intervals import clopper_pearson, cluster_bootstrap, cluster_t, korn_graubard


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


def test_intervals_are_wider_where_the_answers_of_a_cluster_agree() -> None:
    """20 texts under 12 formulations, 13 of them right under all: 156 of 240, but only 20 independent answers."""
    sums, totals = np.array([12.0] * 13 + [0.0] * 7), np.full(20, 12.0)
    clustered = korn_graubard(sums, totals)
    assert width(clustered) > 2.5 * width(clopper_pearson(156, 240))
    assert width(clustered) == pytest.approx(width(clopper_pearson(13, 20)), abs=0.05)
    low, high = clustered
    assert low is not None
    assert high is not None
    assert low < 0.65 < high


def test_of_clusters_with_one_answer_each_it_is_nearly_that_of_single_answers() -> None:
    sums, totals = np.array([1.0] * 65 + [0.0] * 35), np.ones(100)
    assert korn_graubard(sums, totals) == pytest.approx(clopper_pearson(65, 100), abs=0.006)


def test_a_few_clusters_by_hand() -> None:
    """Ten clusters of two, five right throughout: p = 1/2, squares 10 + 0.2 · 1, weights 10.2 and 20.4."""
    sums, totals = np.array([2.0] * 5 + [0.0] * 5), np.full(10, 2.0)
    variance = (10 + 0.1 * 2**2 * 0.5) * 10.2 / 9.2 / 20.4**2
    effective = 0.25 / variance * (1.959964 / 2.262157) ** 2
    low, high = korn_graubard(sums, totals)
    assert (low, high) == pytest.approx(beta_interval(effective / 2, effective), abs=1e-6)


def beta_interval(hits: float, answers: float) -> tuple[float, float]:
    from scipy.stats import beta

    return beta.ppf(0.025, hits, answers - hits + 1), beta.ppf(0.975, hits + 1, answers - hits)


@pytest.mark.parametrize("texts", [10, 20, 111, 500])
@pytest.mark.parametrize("together", [True, False])
def test_an_upper_bound_rises_with_every_hit(texts: int, together: bool) -> None:
    """No interval gets narrower at the upper end when a hit is added to none, as the percentile bootstrap does."""
    totals = np.full(texts, 12.0)
    bounds = []
    for hits in range(9):
        sums = np.zeros(texts)
        sums[: 1 if together else hits] = hits if together else 1
        bounds.append(korn_graubard(sums, totals))
    uppers = [high for _, high in bounds if high is not None]
    lowers = [low for low, _ in bounds if low is not None]
    assert uppers == sorted(uppers)
    assert lowers == sorted(lowers)
    mirrored = korn_graubard(totals - sums, totals)
    assert mirrored == pytest.approx([1 - (high or 0) for high in bounds[-1][::-1]])


def test_complete_agreement_has_width() -> None:
    totals = np.full(20, 12.0)
    low, high = korn_graubard(totals, totals)
    assert high == 1
    assert low == pytest.approx(clopper_pearson(20, 20)[0], abs=0.03)
    assert width(cluster_t(np.zeros(20), totals)) > 0.02


@pytest.mark.parametrize("clusters", [0, 1, 9])
def test_too_few_clusters_have_no_interval(clusters: int) -> None:
    sums, totals = np.arange(float(clusters)), np.full(clusters, 12.0)
    for bounds in (korn_graubard(sums, totals), cluster_t(sums, totals), cluster_bootstrap(sums, totals, 50)):
        assert bounds == (None, None)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("clusters", [20, 100])
def test_coverage_of_correlated_answers(rate: float, clusters: int) -> None:
    """Twelve answers a text with an intraclass correlation of 0.5; benchmarks/interval_coverage.py has more."""
    chance = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        of_text = chance.beta(rate, 1 - rate, clusters)
        low, high = korn_graubard(chance.binomial(12, of_text).astype(float), np.full(clusters, 12.0))
        held += (low or 0) <= rate <= (high or 0)
    assert held / 400 > 0.92


def test_bootstrap_is_the_same_on_every_run() -> None:
    sums, totals = np.tile([3.0, 0.0, 2.0, 5.0, 1.0], 3), np.tile([5.0, 4.0, 2.0, 6.0, 3.0], 3)
    first = cluster_bootstrap(sums, totals, 200)
    np.random.seed(1)  # must not matter
    assert cluster_bootstrap(sums, totals, 200) == first
    assert cluster_bootstrap(sums, totals, 201) != first


def test_bootstrap_of_means_by_the_normal_approximation() -> None:
    sums, totals = np.array([1.0] * 65 + [0.0] * 35), np.ones(100)
    assert cluster_bootstrap(sums, totals, 2000) == pytest.approx((0.5565, 0.7435), abs=0.015)


def test_differences_by_the_normal_approximation() -> None:
    sums, totals = np.array([1.0] * 30 + [-1.0] * 10 + [0.0] * 60), np.ones(100)
    deviation = (0.4 - 0.2**2) ** 0.5
    expected = (0.2 - 1.98 * deviation / 10, 0.2 + 1.98 * deviation / 10)
    assert cluster_t(sums, totals) == pytest.approx(expected, abs=0.003)
