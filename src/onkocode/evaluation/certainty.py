"""Whether scores say when an answer is right: accuracy against coverage, calibration, and cases without a human."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from onkocode.config.base import CATALOGUE, CONSTRAINED, FREE
from onkocode.evaluation.intervals import LEAST_CLUSTERS, TOO_FEW, korn_graubard
from onkocode.records.ids import digest
from onkocode.records.schemas import columns_of

BINS = 10
STEPS = 20  # coverages at which the curve is drawn and thresholds are tried: 5 %, 10 %, …
ERRORS = (0.01, 0.02, 0.05, 0.10)  # that a hospital may allow among cases that no human looks at
LEAST = 1e-6  # probabilities are kept away from 0 and 1 by it, where their log-odds end
RESAMPLES = 500
Row = dict[str, Any]


def measure_certainty(judged: pl.DataFrame, chosen: Mapping[str, int]) -> pl.DataFrame:
    """Return what scores are worth (schema Certainty), of base models and chosen epochs.

    One answer per text counts, to the formulation whose id comes first: several formulations of a text are one case.

    Args:
        judged: schema Judged, of the conditions free and constrained.
        chosen: epoch by model.
    """
    rows: list[Row] = []
    epochs = pl.col("model").replace_strict(chosen, default=None, return_dtype=pl.Int64)
    shown = judged.filter(
        (pl.col("epoch") == 0) | (pl.col("epoch") == epochs), pl.col("condition").is_in([FREE, CONSTRAINED])
    )
    for keys, answers in shown.group_by(["model", "epoch", "condition", "task"], maintain_order=True):
        head = dict(zip(("model", "epoch", "condition", "task"), keys, strict=True))
        held_out = _cases(answers.filter(pl.col("dataset") == CATALOGUE, pl.col("split") == "heldout_label"))
        temperature = fitted_temperature(held_out)
        sets = {CATALOGUE: held_out} | {
            str(name): _cases(part)
            for (name,), part in answers.filter(pl.col("dataset") != CATALOGUE).group_by("dataset", maintain_order=True)
        }
        for dataset, cases in sets.items():
            if cases.height:
                own = None if dataset == CATALOGUE else temperature
                rows += [head | {"dataset": dataset} | row for row in _of_cases(cases, own)]
    return pl.DataFrame(rows, schema=columns_of("certainty"))


def _cases(answers: pl.DataFrame) -> pl.DataFrame:
    """Return one answer per text with its score, the most certain first; an answer without a code is least certain."""
    return (
        answers.sort("formulation_id", "question_id")
        .unique("entry_id", keep="first", maintain_order=True)
        .with_columns(score=pl.when(pl.col("valid")).then("score"))
        .select("entry_id", "cluster", "valid", right=pl.col("exact"), score="score")
        .sort("score", "entry_id", descending=[True, False], nulls_last=True)
    )


def _of_cases(cases: pl.DataFrame, temperature: float | None) -> Iterator[Row]:
    if not cases["score"].count():
        valid = cases.filter("valid")
        if valid.height:
            yield _rate("coverage", valid.height / cases.height, valid, "right")
        return
    yield from _coverage(cases)
    if cases["score"].min() >= 0 and cases["score"].max() <= 1:  # type: ignore[operator]
        yield from _calibration(cases, "")
        if temperature is not None:
            yield {"measure": "temperature", "at": 0.0, "value": temperature, "method": "maximum-likelihood"}
            yield from _calibration(scaled(cases, temperature), "_scaled")
    yield from _unattended(cases)


def _rate(measure: str, at: float, cases: pl.DataFrame, what: str) -> Row:
    """Return a rate of cases with its interval over clusters."""
    grouped = cases.group_by("cluster").agg(sums=pl.col(what).sum(), totals=pl.len()).sort("cluster")
    sums, totals = grouped["sums"].to_numpy().astype(np.float64), grouped["totals"].to_numpy().astype(np.float64)
    low, high = korn_graubard(sums, totals)
    return {
        "measure": measure,
        "at": at,
        "value": float(sums.sum() / totals.sum()),
        "low": low,
        "high": high,
        "n": cases.height,
        "clusters": len(totals),
        "method": TOO_FEW if low is None else "korn-graubard",
    }


def _coverage(cases: pl.DataFrame) -> Iterator[Row]:
    """Yield the accuracy of the most certain answers, by the share of all cases that they are."""
    for number in sorted({round(step / STEPS * cases.height) for step in range(1, STEPS + 1)}):
        if number:
            yield _rate("coverage", number / cases.height, cases.head(number), "right")


def _calibration(cases: pl.DataFrame, suffix: str) -> Iterator[Row]:
    """Yield the reliability curve over bins of equal numbers, and the expected calibration error.

    Source: Naeini et al. 2015, AAAI; bins of equal numbers: Nguyen & O'Connor 2015, EMNLP.
    """
    known = cases.drop_nulls("score").sort("score", "entry_id")
    for _, part in known.group_by(pl.Series(bins_of(known["score"].to_numpy())), maintain_order=True):
        yield _rate(f"reliability{suffix}", float(part["score"].mean()), part, "right")  # type: ignore[arg-type]
    low, high = _error_interval(known)
    yield {
        "measure": f"calibration_error{suffix}",
        "at": 0.0,
        "value": calibration_error(known["score"].to_numpy(), known["right"].to_numpy().astype(np.float64)),
        "low": low,
        "high": high,
        "n": known.height,
        "clusters": known["cluster"].n_unique(),
        "method": TOO_FEW if low is None else "cluster-bootstrap",
    }


def bins_of(scores: np.ndarray) -> np.ndarray:
    """Return the bin of each score, 0…9, of about equal numbers; equal scores share one."""
    below = np.searchsorted(np.sort(scores), scores, side="left")
    return np.asarray(below * BINS // max(len(scores), 1))


def calibration_error(scores: np.ndarray, right: np.ndarray) -> float:
    """Return Σ bins (share of cases) · |mean score − accuracy|, over ten bins of about equal numbers."""
    gaps = np.bincount(bins_of(scores), weights=scores - right)
    return float(np.abs(gaps).sum() / len(scores))


def _error_interval(known: pl.DataFrame) -> tuple[float | None, float | None]:
    """Return percentiles of the error over resamples of clusters."""
    groups = [part for _, part in known.with_row_index("place").group_by("cluster", maintain_order=True)]
    places = [part["place"].to_numpy() for part in groups]
    if len(places) < LEAST_CLUSTERS:
        return None, None
    scores, right = known["score"].to_numpy(), known["right"].to_numpy().astype(np.float64)
    stream = np.random.PCG64(int(digest("calibration", len(places))[:16], 16))
    errors = []
    for _ in range(RESAMPLES):
        drawn = (stream.random_raw(len(places)) % np.uint64(len(places))).astype(np.int64)
        chosen = np.concatenate([places[place] for place in drawn])
        errors.append(calibration_error(scores[chosen], right[chosen]))
    low, high = np.quantile(errors, [0.025, 0.975])
    return float(low), float(high)


def fitted_temperature(cases: pl.DataFrame) -> float | None:
    """Return the number by which log-odds of scores are divided so that they fit best; None without such scores.

    Source: Guo et al. 2017, ICML; here of the first answer's probability against all others.
    """
    known = cases.drop_nulls("score")
    if known.height < BINS or known["right"].n_unique() < 2 or not known["score"].is_between(0, 1).all():
        return None
    odds = logit(np.clip(known["score"].to_numpy(), LEAST, 1 - LEAST))
    right = known["right"].to_numpy()

    def loss(log_temperature: float) -> float:
        chances = np.clip(expit(odds / np.exp(log_temperature)), LEAST, 1 - LEAST)
        return float(-np.where(right, np.log(chances), np.log(1 - chances)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def scaled(cases: pl.DataFrame, temperature: float) -> pl.DataFrame:
    """Return the cases with scores at a temperature; their order stays."""
    odds = logit(np.clip(cases["score"].fill_null(0).to_numpy(), LEAST, 1 - LEAST))
    changed = pl.Series("changed", expit(odds / temperature))
    return cases.with_columns(score=pl.when(pl.col("score").is_not_null()).then(changed))


def _unattended(cases: pl.DataFrame) -> Iterator[Row]:
    """Yield how many cases need no human at an error, and how many of these are wrong.

    The threshold is found on one half of the clusters and reported on the other, and the other way round, so that no
    case has a part in the threshold that lets it pass. `threshold` is found on all cases: the one to use on new ones.
    """
    names = sorted(cases["cluster"].unique(), key=lambda name: digest("unattended", name))
    half = pl.col("cluster").is_in(names[: len(names) // 2])
    halves = (cases.filter(half), cases.filter(~half))
    for error in ERRORS:
        passed = [
            reported.with_columns(passes=_passes(safe_threshold(calibration, error)))
            for calibration, reported in (halves, halves[::-1])
        ]
        both = pl.concat(passed)
        yield _rate("unattended", error, both, "passes")
        through = both.filter("passes").with_columns(wrong=~pl.col("right"))
        if through.height:
            yield _rate("unattended_error", error, through, "wrong")
        threshold = safe_threshold(cases, error)
        if threshold is not None:
            yield {
                "measure": "threshold",
                "at": error,
                "value": threshold,
                "n": cases.height,
                "method": "fixed-sequence",
            }


def _passes(threshold: float | None) -> pl.Expr:
    return pl.lit(value=False) if threshold is None else (pl.col("score") >= threshold).fill_null(value=False)


def safe_threshold(cases: pl.DataFrame, error: float) -> float | None:
    """Return the least score from which on the upper bound of wrong answers is no more than an error.

    Coverages are tried in a fixed order, from the fewest cases that could prove it on, until one fails, so that the
    95 % hold although several are tried. None where none holds.

    Args:
        cases: the most certain first.
        error: 0…1.

    Source: fixed-sequence testing, as in Angelopoulos et al. 2021, arXiv 2110.01052; bounds over clusters.
    """
    found = None
    for step in range(1, STEPS + 1):
        part = cases.head(round(step / STEPS * cases.height)).drop_nulls("score")
        if part.is_empty() or (part.height < cases.height * step // STEPS):
            break
        part = cases.filter(pl.col("score") >= part["score"].min())  # equal scores pass together
        rate = _rate("", 0.0, part.with_columns(wrong=~pl.col("right")), "wrong")
        bound = rate["high"] if rate["high"] is not None else 1.0
        if bound <= error:
            found = float(part["score"].min())  # type: ignore[arg-type]
        elif found is not None or not _too_few(part, error):
            break
    return found


def _too_few(cases: pl.DataFrame, error: float) -> bool:
    """Tell whether so few cases could not prove it even if all were right."""
    perfect = _rate("", 0.0, cases.with_columns(wrong=pl.lit(value=False)), "wrong")
    return perfect["high"] is None or perfect["high"] > error
