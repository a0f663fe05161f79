"""How often the intervals over clusters hold the true rate: simulated answers to texts, twelve each.

    python benchmarks/interval_coverage.py [--samples 2000]

The rate of a text is drawn from a beta distribution of the given mean and intraclass correlation, its answers are
binomial. Of gains, half of the texts are as hard for both models. Prints the share of samples whose interval holds the
truth, in percent, with the mean width.
"""

import argparse
from collections.abc import Callable

import numpy as np
from scipy.stats import beta

from onkocode.evaluation.intervals import cluster_bootstrap, cluster_t, korn_graubard

ANSWERS = 12
CLUSTERS = (10, 20, 100, 2000)
CORRELATIONS = (0.2, 0.5, 0.8)
RATES = (0.01, 0.05, 0.5, 0.9)
GAINS = ((0.01, 0.05), (0.05, 0.5), (0.5, 0.55), (0.9, 0.95))
Bounds = tuple[float | None, float | None]


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--bootstrap", action="store_true", help="the percentile bootstrap instead, of fewer samples")
    options = parser.parse_args()
    interval = _bootstrap if options.bootstrap else korn_graubard
    for correlation in CORRELATIONS:
        for rate in RATES:
            cells = [_rates(interval, options.samples, clusters, rate, correlation) for clusters in CLUSTERS]
            print(f"correlation {correlation}, rate {rate}: {', '.join(cells)}", flush=True)
    for correlation in () if options.bootstrap else CORRELATIONS:
        for before, after in GAINS:
            cells = [_gains(options.samples, clusters, before, after, correlation) for clusters in CLUSTERS]
            print(f"correlation {correlation}, gain {before} to {after}: {', '.join(cells)}", flush=True)


def _bootstrap(sums: np.ndarray, totals: np.ndarray) -> Bounds:
    return cluster_bootstrap(sums, totals, 1000)


def _rates(
    interval: Callable[[np.ndarray, np.ndarray], Bounds], samples: int, clusters: int, rate: float, correlation: float
) -> str:
    chance = np.random.default_rng(clusters)
    totals = np.full(clusters, float(ANSWERS))
    bounds = [
        interval(chance.binomial(ANSWERS, _of_texts(chance.random(clusters), rate, correlation)).astype(float), totals)
        for _ in range(_fewer(samples, clusters))
    ]
    return _held(bounds, rate, clusters)


def _gains(samples: int, clusters: int, before: float, after: float, correlation: float) -> str:
    chance = np.random.default_rng(clusters)
    totals = np.full(clusters, float(ANSWERS))
    bounds = []
    for _ in range(_fewer(samples, clusters)):
        hard = chance.random(clusters)
        other = np.where(chance.random(clusters) < 0.5, hard, chance.random(clusters))
        first, second = (
            chance.binomial(ANSWERS, _of_texts(place, rate, correlation))
            for place, rate in ((hard, before), (other, after))
        )
        bounds.append(cluster_t((second - first).astype(float), totals))
    return _held(bounds, after - before, clusters)


def _of_texts(places: np.ndarray, rate: float, correlation: float) -> np.ndarray:
    """Return the rates of texts at their quantiles."""
    weight = (1 - correlation) / correlation
    return beta.ppf(places, rate * weight, (1 - rate) * weight)


def _fewer(samples: int, clusters: int) -> int:
    return samples if clusters <= 100 else max(100, samples // 4)


def _held(bounds: list[Bounds], truth: float, clusters: int) -> str:
    known = [(low, high) for low, high in bounds if low is not None and high is not None]
    held = sum(low <= truth <= high for low, high in known) / len(known)
    width = sum(high - low for low, high in known) / len(known)
    return f"{clusters} texts {100 * held:.1f} (width {100 * width:.1f})"


if __name__ == "__main__":
    main()
