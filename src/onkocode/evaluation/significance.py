"""How likely a difference this large is by chance, and what remains of it among many comparisons."""

from collections.abc import Sequence

import numpy as np

from onkocode.evaluation.chance import stream_of

FLIPS = 99_999  # so that the least p, 1 / 100,000, survives a correction for a thousand comparisons
AT_ONCE = 2_000
SLACK = 1e-6  # of the sum of differences: float32 rounds


def sign_flip(differences: np.ndarray, flips: int = FLIPS) -> np.ndarray:
    """Return two-sided p values of sums of paired differences, of one test per column.

    Where two coders are equally good, either one could have given the answers of the other on a text, so that the sign
    of each text's difference is as good as thrown by a coin. p = (1 + random signs with a sum at least as far from 0) /
    (1 + random signs). Signs are thrown per cluster, since the answers on a text belong together.

    Args:
        differences: summed per cluster, shape (clusters, tests); 0 where a test lacks the cluster.
        flips: random signs.

    Source: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, 3.2.1; Phipson & Smyth 2010, Stat.
    Appl. Genet. Mol. Biol. 9, for the ones that are added.
    """
    clusters, tests = differences.shape
    observed = np.abs(differences.sum(axis=0))
    least = observed - SLACK * np.abs(differences).sum(axis=0)
    stream = stream_of("sign-flip", clusters)
    values, reached = differences.astype(np.float32), np.zeros(tests, dtype=np.int64)
    for start in range(0, flips, AT_ONCE):
        signs = _signs(stream, min(AT_ONCE, flips - start), clusters)
        reached += (np.abs(signs @ values) >= least).sum(axis=0)
    return (1 + reached) / (1 + flips)


def _signs(stream: np.random.PCG64, rows: int, columns: int) -> np.ndarray:
    """Return ±1 in shape (rows, columns), from the raw bits, which no version of numpy changes."""
    words = -(-rows * columns // 64)
    bits = np.unpackbits(stream.random_raw(words).view(np.uint8), count=rows * columns)
    return bits.reshape(rows, columns).astype(np.float32) * 2 - 1


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values that are corrected for their number, so that any below 0.05 is wrong in 5 % of studies at most.

    Source: Holm 1979, Scand. J. Stat. 6.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - place) * p_values[index]))
        corrected[index] = largest
    return corrected
