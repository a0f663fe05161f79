"""Whether scores say when an answer is right: accuracy against coverage, calibration, and cases without a human."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from onkocode.config.base import CATALOGUE, CONSTRAINED, FREE
from onkocode.evaluation.chance import stream_of, with_replacement
from onkocode.evaluation.intervals import LEAST_CLUSTERS, Bounds, interval, of_rate
from onkocode.evaluation.measuring import over_clusters
from onkocode.evaluation.selection import base_or_chosen
from onkocode.evaluation.thresholds import STEPS, Ranked
from onkocode.records.schemas import columns_of

BINS = 10
ERRORS = (0.01, 0.02, 0.05, 0.10)  # that a hospital may allow among cases that no human looks at
HALVES = 20  # random halves on which thresholds are found, the other half being counted
WIDEST = 3.0  # limit of the logarithm of a temperature
LEAST = 1e-6  # probabilities are kept away from 0 and 1 by it, where their log-odds end
RESAMPLES = 500
RIGHT = pl.col("right")
Row = dict[str, Any]


def measure_certainty(judged: pl.DataFrame, chosen: Mapping[str, int]) -> pl.DataFrame:
    """Return what scores are worth (schema Certainty), of base models and chosen epochs.

    One answer per text counts, to the formulation whose id comes first: several formulations of a text are one case.

    Args:
        judged: schema Judged, of the conditions free and constrained.
        chosen: epoch by model.
    """
    rows: list[Row] = []
    shown = judged.filter(base_or_chosen(chosen), pl.col("condition").is_in([FREE, CONSTRAINED]))
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
        .select("entry_id", "cluster", "valid", "score_total", right=pl.col("exact"), score="score")
        .sort("score", "entry_id", descending=[True, False], nulls_last=True)
    )


def _of_cases(cases: pl.DataFrame, temperature: float | None) -> Iterator[Row]:
    if not cases["score"].count():
        valid = cases.filter("valid")
        if valid.height:
            yield _rate("coverage", valid.height / cases.height, valid, RIGHT)
        return
    yield from _coverage(cases)
    if are_probabilities(cases):
        yield from _calibration(cases, "")
        if temperature is not None:
            yield {"measure": "temperature", "at": 0.0, "value": temperature, "method": "maximum-likelihood"}
            yield from _calibration(scaled(cases, temperature), "_scaled")
    yield from _unattended(cases)


def are_probabilities(cases: pl.DataFrame) -> bool:
    """Tell whether scores may be probabilities: none below 0, and those of a list are 1 together at most."""
    lowest, highest = cases["score"].min(), cases["score_total"].max()
    return bool(lowest is not None and lowest >= 0 and highest is not None and highest <= 1 + LEAST)  # type: ignore[operator]


def _rate(measure: str, at: float, cases: pl.DataFrame, what: pl.Expr, weight: pl.Expr | None = None) -> Row:
    """Return a rate of cases with its interval over clusters; cases weigh alike where no weight is given."""
    weighed = pl.lit(1.0) if weight is None else weight
    sums, totals = over_clusters(cases.select("cluster", value=what.cast(pl.Float64), weight=weighed))
    return {
        "measure": measure,
        "at": at,
        "value": float(sums.sum() / totals.sum()),
        "n": cases.height,
        "clusters": len(totals),
        **of_rate(sums, totals),
    }


def _coverage(cases: pl.DataFrame) -> Iterator[Row]:
    """Yield the accuracy of the most certain answers, by the share of all cases that they are.

    Equal scores are answered together: no order of the file tells them apart.
    """
    for number in _steps(cases):
        yield _rate("coverage", number / cases.height, cases.head(number), RIGHT)


def _steps(cases: pl.DataFrame) -> list[int]:
    """Return how many cases pass at each step of coverage, equal scores together, the most certain first."""
    scores = cases["score"].fill_null(-np.inf).to_numpy()
    wanted = {round(step / STEPS * cases.height) for step in range(1, STEPS + 1)} - {0}
    return sorted({int(np.searchsorted(-scores, -scores[number - 1], side="right")) for number in wanted})


def _calibration(cases: pl.DataFrame, suffix: str) -> Iterator[Row]:
    """Yield the reliability curve over bins of equal numbers, and the expected calibration error.

    Source: Naeini et al. 2015, AAAI; bins of equal numbers: Nguyen & O'Connor 2015, EMNLP.
    """
    known = cases.drop_nulls("score").sort("score", "entry_id")
    for _, part in known.group_by(pl.Series(bins_of(known["score"].to_numpy())), maintain_order=True):
        yield _rate(f"reliability{suffix}", float(part["score"].mean()), part, RIGHT)  # type: ignore[arg-type]
    yield {
        "measure": f"calibration_error{suffix}",
        "at": 0.0,
        "value": calibration_error(known["score"].to_numpy(), known["right"].to_numpy().astype(np.float64)),
        "n": known.height,
        "clusters": known["cluster"].n_unique(),
        **interval("cluster-bootstrap", _error_bounds(known)),
    }


def bins_of(scores: np.ndarray) -> np.ndarray:
    """Return the bin of each score, 0…9, of about equal numbers; equal scores share one."""
    below = np.searchsorted(np.sort(scores), scores, side="left")
    return np.asarray(below * BINS // max(len(scores), 1))


def calibration_error(scores: np.ndarray, right: np.ndarray) -> float:
    """Return Σ bins (share of cases) · |mean score − accuracy|, over ten bins of about equal numbers."""
    gaps = np.bincount(bins_of(scores), weights=scores - right)
    return float(np.abs(gaps).sum() / len(scores))


def _error_bounds(known: pl.DataFrame) -> Bounds:
    """Return percentiles of the error over resamples of clusters."""
    groups = [part for _, part in known.with_row_index("place").group_by("cluster", maintain_order=True)]
    places = [part["place"].to_numpy() for part in groups]
    if len(places) < LEAST_CLUSTERS:
        return None, None
    scores, right = known["score"].to_numpy(), known["right"].to_numpy().astype(np.float64)
    stream = stream_of("calibration", len(places))
    errors = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([places[place] for place in with_replacement(stream, len(places))])
        errors.append(calibration_error(scores[chosen], right[chosen]))
    # Resamples hold cases twice, which makes their errors larger: they are moved back by as much on average.
    low, high = np.quantile(errors, [0.025, 0.975]) - (np.mean(errors) - calibration_error(scores, right))
    return float(max(low, 0.0)), float(max(high, 0.0))


def fitted_temperature(cases: pl.DataFrame) -> float | None:
    """Return the number by which log-odds of scores are divided so that they fit best.

    None without such scores, and where no temperature fits: it brings no score of above one half below it.

    Source: Guo et al. 2017, ICML; here of the first answer's probability against all others.
    """
    known = cases.drop_nulls("score")
    if known.height < BINS or known["right"].n_unique() < 2 or not are_probabilities(known):
        return None
    odds = logit(np.clip(known["score"].to_numpy(), LEAST, 1 - LEAST))
    right = known["right"].to_numpy()

    def loss(log_temperature: float) -> float:
        chances = np.clip(expit(odds / np.exp(log_temperature)), LEAST, 1 - LEAST)
        return float(-np.where(right, np.log(chances), np.log(1 - chances)).mean())

    found = float(minimize_scalar(loss, bounds=(-WIDEST, WIDEST), method="bounded").x)
    return float(np.exp(found)) if abs(found) < WIDEST - 0.01 else None


def scaled(cases: pl.DataFrame, temperature: float) -> pl.DataFrame:
    """Return the cases with scores at a temperature; their order stays."""
    odds = logit(np.clip(cases["score"].fill_null(0).to_numpy(), LEAST, 1 - LEAST))
    changed = pl.Series("changed", expit(odds / temperature))
    return cases.with_columns(score=pl.when(pl.col("score").is_not_null()).then(changed))


def _unattended(cases: pl.DataFrame) -> Iterator[Row]:
    """Yield how many cases need no human at an error, and how many of these are wrong.

    A threshold is found on a random half of the clusters and counted on the other half, many times, so that no case has
    a part in the threshold that lets it pass; a case counts by the share of its halves in which it passes. Nothing
    is said of an error that a half could not prove even if all were right. `threshold` is found on all cases: to be
    used on new ones.
    """
    ranked = Ranked.of(cases)
    number = len(ranked.names)
    stream = stream_of("unattended", number)
    halves = [np.argsort(stream.random_raw(number), kind="stable") < number // 2 for _ in range(HALVES)]
    for error in ERRORS:
        if not ranked.could_prove(error, halves[0]):
            continue
        passed, counted = np.zeros(cases.height), np.zeros(cases.height)
        for half in halves:
            found = ranked.threshold(error, half)
            rest = ~half[ranked.clusters]
            counted += rest
            passed += rest & (ranked.scores >= (np.inf if found is None else found))
        shared = cases.with_columns(share=pl.Series(passed / np.maximum(counted, 1)))
        share = pl.col("share")
        yield _rate("unattended", error, shared, share)
        through = shared.filter(share > 0)
        if through.height:
            yield _rate("unattended_error", error, through, ~RIGHT, share)
        found = ranked.threshold(error, np.ones(number, dtype=bool))
        if found is not None:
            row = {"measure": "threshold", "at": error, "value": found}
            yield row | {"n": cases.height, "method": "fixed-sequence"}
