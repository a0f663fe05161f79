"""The answers of several coders, combined.

Each member is fitted twice: on a part of the training labels, so that its answers to the rest show how far it is to be
trusted, and on all of them. By its answers to the rest a logistic regression per task learns how likely an answer is
right that members give with these scores.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from onkocode.coders.fitted import check_tasks
from onkocode.coders.interface import Answer, find_kind
from onkocode.coders.spaces import CODES, category_said
from onkocode.config.coders import FitSettings, Fusion
from onkocode.records.files import write_text
from onkocode.records.ids import canonical_json, shuffled, text_key

WEIGHTS, TRAINED, TRIAL = "weights.json", "trained.parquet", "trial"
LEAST = 50  # labels, of which some members' first answers are right and some wrong, to learn weights on
SMALL = 0.001  # probabilities below it, and above 1 less it, are as good as certain
DECIMALS = 9  # so that sums in another order make no other rank


def fit(settings: Fusion, entries: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Write the weights of the members' answers, and the members, each in a folder."""
    known, held = _parts(settings, entries)
    weights: dict[str, list[float]] = {}
    if not (known.is_empty() or held.is_empty()):
        trial = folder / TRIAL
        _fit_members(settings, known, trial, folder)
        weights = _learned(_signals(_loaded(settings, trial), held.select("task", "text").unique(), known), held)
        shutil.rmtree(trial)
    facts = _fit_members(settings, entries, folder, folder)
    entries.select("task", "answer").unique().sort("task", "answer").write_parquet(folder / TRAINED)
    write_text(folder / WEIGHTS, canonical_json(weights) + "\n")
    return {"members": facts, "heldout": held.height, "weighed": sorted(weights)}


def load(settings: Fusion, folder: Path) -> Answer:
    """Return what answers texts by all members."""
    weights = json.loads((folder / WEIGHTS).read_text(encoding="utf-8"))
    trained = pl.read_parquet(folder / TRAINED)
    members = _loaded(settings, folder)

    def answer(texts: pl.DataFrame) -> pl.DataFrame:
        check_tasks(texts, trained["task"])
        parts = _signals(members, texts, trained).partition_by("task", maintain_order=True)
        found = pl.concat(part.with_columns(score=_scores(part, weights.get(part["task"][0]))) for part in parts)
        ordered = found.sort("task", "text", "score", "answer", descending=[False, False, True, False])
        numbered = ordered.with_columns(rank=pl.int_range(1, pl.len() + 1).over("task", "text"))
        kept = numbered.filter(pl.col("rank") <= settings.candidates)
        return kept.select("task", "text", "rank", "answer", "score")

    return answer


def _parts(settings: Fusion, entries: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the entries that the members know when the weights are learned, and those that they are asked.

    What was made of a label, and what is spelt alike, is asked with it. Tasks of which all is asked are left out.
    """
    keys = {text: text_key(text) for text in entries["text"].unique()}
    order = sorted(set(keys.values()))
    asked = set(shuffled(order, settings.seed, "fusion", order)[: round(settings.heldout * len(order))])
    held = pl.col("text").is_in([text for text, key in keys.items() if key in asked])
    origins = entries.filter(held)["origin_id"].unique().implode()
    known = entries.filter(~held, ~pl.col("origin_id").is_in(origins))
    return known, entries.filter(held, pl.col("task").is_in(known["task"].unique().implode()))


def _fit_members(settings: Fusion, entries: pl.DataFrame, folder: Path, codes: Path) -> list[dict[str, Any]]:
    """Fit the members in a folder each; returns what each says of it."""
    facts = []
    for member, place in _places(settings, folder):
        place.mkdir(parents=True)
        if (codes / CODES).is_file():
            shutil.copyfile(codes / CODES, place / CODES)
        facts.append(find_kind(member.kind).fit(member, entries, place))
    return facts


def _loaded(settings: Fusion, folder: Path) -> list[Answer]:
    return [find_kind(member.kind).load(member, place) for member, place in _places(settings, folder)]


def _places(settings: Fusion, folder: Path) -> list[tuple[FitSettings, Path]]:
    return [(member, folder / f"{number}-{member.kind}") for number, member in enumerate(settings.members, 1)]


def _signals(members: Sequence[Answer], texts: pl.DataFrame, trained: pl.DataFrame) -> pl.DataFrame:
    """Return the answers of the members to texts, and what speaks for each.

    Returns:
        Columns task, text, answer; per member its score, whether it comes first, and the scores of all its answers of
        the same category; whether no training entry has the answer. Those behind the third are numbers.
    """
    of_text, pair = ["task", "text"], ["task", "text", "answer"]
    ranked = [answer(texts) for answer in members]
    found = pl.concat([answers.select(pair) for answers in ranked]).unique().sort(pair)
    for number, answers in enumerate(ranked, 1):
        own = answers.select(
            *pair, pl.col("score").alias(f"score {number}"), (pl.col("rank") == 1).alias(f"first {number}")
        )
        found = found.join(own, on=pair, how="left", maintain_order="left")
    answers = found.select("task", "answer").unique()
    categories = [category_said(task, answer) for task, answer in answers.iter_rows()]
    answers = answers.with_columns(pl.Series("category", categories, dtype=pl.String))
    found = found.join(answers, on=["task", "answer"], maintain_order="left")
    alike = [
        pl.col(f"score {number}").sum().over(*of_text, "category").alias(f"alike {number}")
        for number in range(1, len(members) + 1)
    ]
    known = trained.select("task", "answer").unique().with_columns(new=pl.lit(0.0))
    found = found.with_columns(alike).join(known, on=["task", "answer"], how="left", maintain_order="left")
    numbers = pl.all().exclude(*pair, "category", "new").cast(pl.Float64).fill_null(0.0)
    return found.select(*pair, numbers, pl.col("new").fill_null(1.0))


def _learned(signals: pl.DataFrame, held: pl.DataFrame) -> dict[str, list[float]]:
    """Return by task the weights of the signals and, last, the constant; none where there is too little to learn on."""
    from sklearn.linear_model import LogisticRegression

    weights = {}
    right = held.select("task", "text", "answer").unique().with_columns(right=pl.lit(True))
    judged = signals.join(right, on=["task", "text", "answer"], how="left", maintain_order="left")
    for (task,), part in judged.group_by("task", maintain_order=True):
        outcomes = part["right"].fill_null(False).to_numpy()
        if part["text"].n_unique() < LEAST or outcomes.all() or not outcomes.any():
            continue
        found = LogisticRegression(max_iter=1000).fit(_numbers(part.drop("right")), outcomes)
        weights[str(task)] = [round(float(weight), DECIMALS) for weight in (*found.coef_[0], found.intercept_[0])]
    return weights


def _numbers(signals: pl.DataFrame) -> np.ndarray:
    """Return the signals of each answer, with scores as logarithms of odds."""
    score = pl.col("^(score|alike) .*$").clip(SMALL, 1 - SMALL)
    return signals.with_columns((score / (1 - score)).log()).drop("task", "text", "answer").to_numpy()


def _scores(signals: pl.DataFrame, weights: list[float] | None) -> pl.Series:
    """Return how likely each answer is right: by the weights, or else the mean of the members' scores."""
    if weights is None:
        return signals.select(pl.mean_horizontal("^score .*$")).to_series().round(DECIMALS)
    sums = _numbers(signals) @ np.array(weights[:-1]) + weights[-1]
    return pl.Series(1 / (1 + np.exp(-sums))).round(DECIMALS)
