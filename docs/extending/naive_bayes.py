"""The answers that naive Bayes gives from the character n-grams of a text, learned from the training labels."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from onkocode.coders.fitted import check_tasks
from onkocode.coders.interface import Answer
from onkocode.config.coders import NaiveBayes

LABELS = "labels.parquet"
FEATURES = 2**13  # so that the probabilities of thousands of codes fit into memory
ROWS = 1000  # texts that are answered at once
DECIMALS = 9  # so that sums in another order make no other rank


def fit(settings: NaiveBayes, entries: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Write the labels with their answers; the counts follow from them, and take no time."""
    labels = entries.select("task", "answer", "text").unique().sort("task", "answer", "text")
    labels.write_parquet(folder / LABELS)
    return {"labels": labels.height}


def load(settings: NaiveBayes, folder: Path) -> Answer:
    """Return what answers texts by the counts of n-grams in the labels."""
    labels = pl.read_parquet(folder / LABELS)

    def answer(texts: pl.DataFrame) -> pl.DataFrame:
        check_tasks(texts, labels["task"])
        parts = texts.partition_by("task", maintain_order=True)
        return pl.concat([_of_task(settings, labels.filter(task=part["task"][0]), part) for part in parts])

    return answer


def _of_task(settings: NaiveBayes, labels: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return ranked answers; of equally likely ones the first in the order of codes."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.naive_bayes import MultinomialNB

    grams = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=FEATURES, alternate_sign=False)
    model = MultinomialNB(alpha=settings.smoothing).fit(grams.transform(labels["text"]), labels["answer"].to_numpy())
    kept = min(settings.candidates, len(model.classes_))
    found = []
    for part in texts.iter_slices(ROWS):
        likely = model.predict_proba(grams.transform(part["text"])).round(DECIMALS)
        order = np.argsort(-likely, axis=1, kind="stable")[:, :kept]
        scores = np.take_along_axis(likely, order, axis=1).clip(0, 1)
        answers = pl.Series("answer", model.classes_[order].tolist())
        found.append(part.with_columns(answers, pl.Series("score", scores.tolist())))
    ranks = pl.lit(list(range(1, kept + 1)))
    return pl.concat(found).with_columns(rank=ranks).explode("answer", "score", "rank")
