"""The answers of the training labels that are most like a text.

Labels and texts are vectors of their character n-grams, weighted by TF-IDF; alike are those with a high cosine. Where
their normal forms are compared, the tables that these come from are a part of the coder.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from onkocode.coders.fitted import check_tasks
from onkocode.coders.interface import Answer
from onkocode.coders.majority_code import frequent_answers
from onkocode.config.coders import NearestLabel
from onkocode.language.reader import saved_reader
from onkocode.language.saved import write_tables
from onkocode.records.files import located

LABELS, FREQUENT, TABLES = "labels.parquet", "frequent.parquet", "tables"
CELLS = 10_000_000  # similarities that are held at once
DECIMALS = 9  # so that sums in another order make no other rank


def fit(settings: NearestLabel, entries: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Write the labels with their answers, and the most frequent answers; the vectors follow from the labels."""
    labels = entries.select("task", "answer", "text").unique().sort("task", "answer", "text")
    if settings.normalise:
        write_tables(folder / TABLES, settings.tables and located(settings.tables))
        labels = labels.with_columns(saved_reader(folder / TABLES).forms(labels["text"]))
    labels.write_parquet(folder / LABELS)
    frequent_answers(entries, settings.candidates).write_parquet(folder / FREQUENT)
    return {"labels": labels.height}


def load(settings: NearestLabel, folder: Path) -> Answer:
    """Return what answers texts by the labels that are most like them."""
    labels, frequent = pl.read_parquet(folder / LABELS), pl.read_parquet(folder / FREQUENT)
    reader = saved_reader(folder / TABLES) if settings.normalise else None
    compared = (
        labels.select("task", "answer", text="form" if reader else "text").unique().sort("task", "answer", "text")
    )

    def answer(texts: pl.DataFrame) -> pl.DataFrame:
        check_tasks(texts, labels["task"])
        parts = []
        for (task,), asked in texts.group_by("task", maintain_order=True):
            of_task = pl.col("task") == task
            forms = reader.forms(asked["text"]) if reader else asked["text"]
            ranked = _nearest(settings, compared.filter(of_task), forms.unique(maintain_order=True))
            given = asked.with_columns(form=forms)
            parts.append(_filled(ranked, given, frequent.filter(of_task), settings.candidates))
        return pl.concat(parts)

    return answer


def _nearest(settings: NearestLabel, labels: pl.DataFrame, texts: pl.Series) -> pl.DataFrame:
    """Return the answers with the most similar labels, all above 0.

    Args:
        settings: of the coder.
        labels: of one task, sorted by answer; columns answer, text.
        texts: distinct ones.

    Returns:
        Columns form (the text), answer, score; the best first, of equal ones the first in the order of codes.
    """
    answers, first = np.unique(labels["answer"].to_numpy(), return_index=True)
    kept = min(settings.candidates, len(answers))
    found = []
    for start, similar in _similarities(settings, labels["text"].to_list(), texts.to_list()):
        best = np.maximum.reduceat(similar, first, axis=1).round(DECIMALS)
        order = np.argsort(-best, axis=1, kind="stable")[:, :kept]
        found.append(
            pl.DataFrame(
                {
                    "form": texts.slice(start, len(best)).repeat_by(kept).explode(),
                    "answer": answers[order].ravel(),
                    "score": np.take_along_axis(best, order, axis=1).ravel(),
                },
                schema={"form": pl.String, "answer": pl.String, "score": pl.Float64},
            )
        )
    return pl.concat(found).filter(pl.col("score") > 0)


def _similarities(settings: NearestLabel, labels: list[str], texts: list[str]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the cosines of texts (rows) and labels (columns), some rows at a time, with the number of the first."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=tuple(settings.ngrams), sublinear_tf=True)
    distinct = sorted(set(labels))
    try:
        vectors = vectorizer.fit_transform(distinct)
    except ValueError:  # no label has an n-gram
        yield 0, np.zeros((len(texts), len(labels)))
        return
    place = {label: row for row, label in enumerate(distinct)}
    columns = vectors[[place[label] for label in labels]].T.tocsr()
    rows = max(1, CELLS // len(labels))
    for start in range(0, len(texts), rows):
        yield start, (vectorizer.transform(texts[start : start + rows]) @ columns).toarray()


def _filled(ranked: pl.DataFrame, asked: pl.DataFrame, frequent: pl.DataFrame, candidates: int) -> pl.DataFrame:
    """Return ranked answers to every text: where too few labels are like it, the most frequent answers follow with 0.

    Args:
        ranked: columns form, answer, score; the best first.
        asked: columns task, text, form.
        frequent: the task's most frequent answers in order, as many as are wanted.
        candidates: answers to each text, where there are as many.
    """
    further = asked.select("form").unique().join(frequent.select("answer", score=pl.lit(0.0)), how="cross")
    every = pl.concat([ranked, further]).unique(["form", "answer"], keep="first", maintain_order=True)
    numbered = every.with_columns(rank=pl.int_range(1, pl.len() + 1).over("form"))
    kept = numbered.filter(pl.col("rank") <= candidates).select("form", "rank", "answer", "score")
    return asked.join(kept, on="form", maintain_order="left_right").drop("form")
