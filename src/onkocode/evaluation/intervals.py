"""95 % intervals: Clopper–Pearson, and a bootstrap over clusters."""

from functools import lru_cache

import numpy as np
from scipy.special import betaincinv  # quantiles of the beta distribution; scipy.stats takes twice as long to import

from onkocode.records.ids import digest

LEVEL = 0.95


def clopper_pearson(k: int, n: int) -> tuple[float | None, float | None]:
    """Return the exact binomial interval; (None, None) for n = 0.

    Source: Clopper & Pearson 1934, Biometrika 26.
    """
    if n == 0:
        return None, None
    tail = (1 - LEVEL) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return low, high


def cluster_bootstrap(
    sums: np.ndarray, totals: np.ndarray, resamples: int, bounded: bool = True
) -> tuple[float | None, float | None]:
    """Return the percentile interval of sum/total when whole clusters are drawn with replacement.

    Where all clusters agree completely on 0 or on 1, the percentile interval has no width; for a rate, the
    Clopper–Pearson interval over clusters stands in, which assumes nothing within them.

    Args:
        sums: hits (or values) per cluster, shape (clusters,).
        totals: rows per cluster, shape (clusters,).
        resamples: number of resamples.
        bounded: the value is a rate in 0…1.

    Source: Field & Welsh 2007, J. R. Stat. Soc. B 69.
    """
    clusters = len(totals)
    if clusters == 0:
        return None, None
    if bounded and sums.sum() in (0, totals.sum()):
        return clopper_pearson(0 if sums.sum() == 0 else clusters, clusters)
    values = [(drawn @ sums) / (drawn @ totals) for drawn in _draws(clusters, resamples)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _draws(clusters: int, resamples: int) -> np.ndarray:
    """Return for each resample how often each cluster is drawn, shape (resamples, clusters).

    Kept for the next metric, since most are of the same number of clusters. The raw 64-bit stream of PCG64 is
    guaranteed not to change between numpy versions, unlike the methods of its generators; modulo bias is below 2^-40
    for any realistic number of clusters.
    """
    stream = np.random.PCG64(int(digest("cluster-bootstrap", clusters, resamples)[:16], 16))
    drawn = np.empty((resamples, clusters), dtype=np.uint16)  # no cluster comes near to being drawn 65,536 times
    for row in drawn:
        places = (stream.random_raw(clusters) % np.uint64(clusters)).astype(np.int64)
        row[:] = np.bincount(places, minlength=clusters)
    return drawn
