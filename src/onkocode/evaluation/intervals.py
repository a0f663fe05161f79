"""95 % intervals: of single answers (Clopper–Pearson), and of answers in clusters, such as twelve on one text.

What was measured of their coverage stands in docs/measurements.md (benchmarks/interval_coverage.py).
"""

from functools import lru_cache

import numpy as np

# Quantiles of the beta and of Student's distribution; scipy.stats takes twice as long to import.
from scipy.special import betaincinv, ndtri, stdtrit

from onkocode.evaluation.chance import stream_of, with_replacement

LEVEL = 0.95
LEAST_CLUSTERS = 10  # below, a variance between clusters says too little
# Weight of two clusters that nobody saw, one with all answers right and one with none: without them a variance is 0
# where all clusters agree, and an interval gets narrower when a single answer differs; coverage falls below 50 %.
UNSEEN = 0.1
TOO_FEW = "too-few-clusters"


Bounds = tuple[float | None, float | None]


def of_rate(sums: np.ndarray, totals: np.ndarray) -> dict[str, float | str | None]:
    """Return low, high and method of a rate over clusters."""
    return interval("korn-graubard", korn_graubard(sums, totals))


def of_difference(sums: np.ndarray, totals: np.ndarray) -> dict[str, float | str | None]:
    """Return low, high and method of a paired difference over clusters."""
    return interval("cluster-t", cluster_t(sums, totals))


def interval(method: str, bounds: Bounds) -> dict[str, float | str | None]:
    """Return low, high and the method that was used: none where there are too few clusters."""
    low, high = bounds
    return {"low": low, "high": high, "method": TOO_FEW if low is None else method}


def clopper_pearson(k: int, n: int) -> Bounds:
    """Return the exact binomial interval; (None, None) for n = 0.

    Source: Clopper & Pearson 1934, Biometrika 26.
    """
    if n == 0:
        return None, None
    tail = (1 - LEVEL) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return low, high


def korn_graubard(sums: np.ndarray, totals: np.ndarray) -> Bounds:
    """Return the Clopper–Pearson interval of as many independent answers as tell as much.

    The effective number of answers is p(1−p)/v, with v the variance of the rate between clusters, times the square of
    the quotient of the quantiles of the normal and of Student's distribution with clusters − 1 degrees of freedom; it
    never exceeds the number of answers. No upper bound is below that of no hit at all, and no lower one above that of
    hits throughout, so that a hit more never makes an interval narrower at its end. (None, None) below ten clusters.

    Clusters that differ in size tell less: as many as `effective_clusters` count, in the variance and in the degrees of
    freedom, and clusters that nobody saw are of that size.

    Args:
        sums: hits per cluster, shape (clusters,).
        totals: answers per cluster, shape (clusters,).

    Source: Korn & Graubard 1998, Survey Methodology 24; `UNSEEN` clusters are added to the variance.
    """
    if len(totals) < LEAST_CLUSTERS:
        return None, None
    low, high = _of_effective(sums, totals)
    return min(low, _of_effective(totals, totals)[0]), max(high, _of_effective(0 * totals, totals)[1])


def _of_effective(sums: np.ndarray, totals: np.ndarray) -> tuple[float, float]:
    clusters, answers, hits = effective_clusters(totals), float(totals.sum()), float(sums.sum())
    mean = answers / clusters
    smoothed = (hits + UNSEEN * mean) / (answers + 2 * UNSEEN * mean)
    squares = float(((sums - smoothed * totals) ** 2).sum())
    squares += UNSEEN * mean**2 * ((1 - smoothed) ** 2 + smoothed**2)
    weight = clusters + 2 * UNSEEN
    variance = squares * weight / (weight - 1) / (answers + 2 * UNSEEN * mean) ** 2
    tail = (1 - LEVEL) / 2
    wider = float(ndtri(1 - tail) / stdtrit(max(clusters - 1, 1), 1 - tail))
    effective = min(smoothed * (1 - smoothed) / variance * wider**2, answers)
    found = hits / answers * effective
    low = 0.0 if hits == 0 else float(betaincinv(found, effective - found + 1, tail))
    high = 1.0 if hits == answers else float(betaincinv(found + 1, effective - found, 1 - tail))
    return low, high


def cluster_t(sums: np.ndarray, totals: np.ndarray) -> Bounds:
    """Return the interval of a mean difference in −1…1 by Student's distribution; (None, None) below ten clusters.

    Args:
        sums: of the differences per cluster, shape (clusters,).
        totals: differences per cluster, shape (clusters,).

    Source: Cochran 1977, Sampling Techniques, ch. 6 (a ratio over clusters); `UNSEEN` clusters, with 1 and −1
    throughout, are added to the variance.
    """
    if len(totals) < LEAST_CLUSTERS:
        return None, None
    clusters, answers = max(effective_clusters(totals), 2.0), float(totals.sum())
    mean, value = answers / clusters, float(sums.sum()) / answers
    squares = float(((sums - value * totals) ** 2).sum()) + 2 * UNSEEN * mean**2 * (1 + value**2)
    half = float(stdtrit(clusters - 1, 1 - (1 - LEVEL) / 2)) * (squares * clusters / (clusters - 1)) ** 0.5 / answers
    return max(-1.0, value - half), min(1.0, value + half)


def effective_clusters(totals: np.ndarray) -> float:
    """Return the number of clusters of one size that tell as much: (Σ n)² / Σ n².

    Source: Kish 1965, Survey Sampling, 11.7, there of weights.
    """
    return float(totals.sum() ** 2 / (totals**2).sum())


def cluster_bootstrap(sums: np.ndarray, totals: np.ndarray, resamples: int) -> Bounds:
    """Return the percentile interval of a mean when whole clusters are drawn with replacement.

    Args:
        sums: of the values per cluster, shape (clusters,).
        totals: values per cluster, shape (clusters,).
        resamples: number of resamples.

    Source: Field & Welsh 2007, J. R. Stat. Soc. B 69.
    """
    clusters = len(totals)
    if clusters < LEAST_CLUSTERS:
        return None, None
    values = [(drawn @ sums) / (drawn @ totals) for drawn in _draws(clusters, resamples)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _draws(clusters: int, resamples: int) -> np.ndarray:
    """Return for each resample how often each cluster is drawn, shape (resamples, clusters).

    Kept for the next metric, since most are of the same number of clusters.
    """
    stream = stream_of("cluster-bootstrap", clusters, resamples)
    drawn = np.empty((resamples, clusters), dtype=np.uint16)  # no cluster comes near to being drawn 65,536 times
    for row in drawn:
        row[:] = np.bincount(with_replacement(stream, clusters), minlength=clusters)
    return drawn
