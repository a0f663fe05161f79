"""From which score on answers may pass without a human, with a bound on how many of them are wrong."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from onkocode.evaluation.intervals import korn_graubard

STEPS = 20  # coverages at which curves are drawn and thresholds are tried: 5 %, 10 %, …


@dataclass(frozen=True)
class Ranked:
    """Cases in the order of their scores, the most certain first, ready to be counted many times.

    Attributes:
        scores: −∞ where there is none, shape (cases,).
        wrong: 0 or 1, of the same shape.
        clusters: places in `names`, of the same shape.
        names: of the clusters.
    """

    scores: np.ndarray
    wrong: np.ndarray
    clusters: np.ndarray
    names: list[str]

    @classmethod
    def of(cls, cases: pl.DataFrame) -> "Ranked":
        """Take over cases, the most certain first."""
        names = sorted(cases["cluster"].unique())
        place = {name: number for number, name in enumerate(names)}
        scores = cases["score"].fill_null(-np.inf).to_numpy().astype(np.float64)
        wrong = 1.0 - cases["right"].to_numpy().astype(np.float64)
        return cls(scores, wrong, np.array([place[name] for name in cases["cluster"]], dtype=np.int64), names)

    def threshold(self, error: float, half: np.ndarray) -> float | None:
        """Return the least score of the chosen clusters from which on an error is not exceeded.

        Coverages are tried in a fixed order, from the fewest cases that could prove it on, until one fails, so that the
        97.5 % of the bound hold although several are tried. None where none holds.

        Args:
            error: 0…1.
            half: truth value per cluster.
        """
        own = half[self.clusters] & np.isfinite(self.scores)
        scores, wrong, clusters = self.scores[own], self.wrong[own], self.clusters[own]
        total, found = int(half[self.clusters].sum()), None
        for step in range(1, STEPS + 1):
            number = round(step / STEPS * total)
            if not 0 < number <= len(scores):
                continue
            number = int(np.searchsorted(-scores, -scores[number - 1], side="right"))  # equal scores pass together
            if _bound(wrong[:number], clusters[:number]) <= error:
                found = float(scores[number - 1])
            elif _bound(0 * wrong[:number], clusters[:number]) <= error:
                break
        return found

    def could_prove(self, error: float, half: np.ndarray) -> bool:
        """Tell whether the chosen clusters could prove an error if all answers were right."""
        own = half[self.clusters]
        return _bound(0 * self.wrong[own], self.clusters[own]) <= error


def _bound(wrong: np.ndarray, clusters: np.ndarray) -> float:
    """Return the upper bound of the share of wrong answers; 1 below ten clusters."""
    totals = np.bincount(clusters)
    sums = np.bincount(clusters, weights=wrong)[totals > 0]
    high = korn_graubard(sums, totals[totals > 0].astype(np.float64))[1]
    return 1.0 if high is None else high


def safe_threshold(cases: pl.DataFrame, error: float) -> float | None:
    """Return the threshold that all cases prove; see `Ranked.threshold`.

    Source: fixed-sequence testing, as in Angelopoulos et al. 2021, arXiv 2110.01052; bounds over clusters.
    """
    ranked = Ranked.of(cases)
    return ranked.threshold(error, np.ones(len(ranked.names), dtype=bool))
