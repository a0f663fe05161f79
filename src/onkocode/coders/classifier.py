"""A linear classifier: which answer the character n-grams of a text speak for.

A support vector machine tells each answer from all others, and one each category, whose margin counts as much. N-grams
are weighted by TF-IDF; where findings count as well, what the tables of clinical language say of a text stands beside
them as words of its own.
"""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from onkocode.coders.features import TABLES, Documents, Features
from onkocode.coders.fitted import check_tasks
from onkocode.coders.interface import Answer
from onkocode.coders.spaces import category_said
from onkocode.config.coders import Classifier
from onkocode.language.saved import write_tables
from onkocode.records.files import located, write_text
from onkocode.records.ids import canonical_json

ANSWERS = "answers.json"
# Chosen on a tenth of the training labels of Alpha-ID 2024 for ICD-10, with findings:
PENALTY = 5.0  # C: 3 is better with findings, 10 without, 0.5 and 1 are worse with both
TOLERANCE = 0.1  # as right as 0.001, in half the time
LEAST = 0.01  # weights below it change no answer, and are half of those that are not 0
SHARPNESS = 2.0  # of probabilities, the likeliest
CELLS = 10_000_000  # margins that are held at once
DECIMALS = 9  # so that sums in another order make no other rank


def fit(settings: Classifier, entries: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Write the weights of each task, with the features and the answers that they belong to."""
    if settings.normalise or settings.findings:
        write_tables(folder / TABLES, settings.tables and located(settings.tables))
    documents = Documents(settings, folder)
    labels = entries.select("task", "answer", "text").unique().sort("task", "answer", "text")
    answers, size = {}, 0
    for (key,), part in labels.group_by("task", maintain_order=True):
        task, texts = str(key), documents.of(part["text"])
        features = Features.fitted(settings, texts)
        answers[task], weights = _weights(task, features.vectors(texts), part["answer"].to_list())
        features.write(_features_file(folder, task))
        _write_weights(_weights_file(folder, task), weights)
        size += features.size
    write_text(folder / ANSWERS, canonical_json(answers) + "\n")
    return {"labels": labels.height, "features": size}


def load(settings: Classifier, folder: Path) -> Answer:
    """Return what answers texts by the weights of their features; those of one task are held at a time."""
    answers = json.loads((folder / ANSWERS).read_text(encoding="utf-8"))
    documents = Documents(settings, folder)

    def answer(texts: pl.DataFrame) -> pl.DataFrame:
        check_tasks(texts, pl.Series(list(answers)))
        parts: list[pl.DataFrame] = []
        for (key,), asked in texts.group_by("task", maintain_order=True):
            task = str(key)
            features = Features.read(settings, _features_file(folder, task))
            weights = _read_weights(_weights_file(folder, task))
            for part in asked.iter_slices(max(1, CELLS // len(answers[task]))):
                margins = (features.vectors(documents.of(part["text"])) @ weights).toarray()
                parts.append(_ranked(part, margins, answers[task], settings.candidates))
        return pl.concat(parts)

    return answer


def _ranked(asked: pl.DataFrame, margins: np.ndarray, answers: Sequence[str], candidates: int) -> pl.DataFrame:
    """Return the likeliest answers (columns of margins) to texts (rows); of equal ones the first in order of codes."""
    kept = min(candidates, len(answers))
    powers = np.exp(SHARPNESS * (margins.astype(np.float64) - margins.max(axis=1, keepdims=True)))
    likely = (powers / powers.sum(axis=1, keepdims=True)).round(DECIMALS)
    order = np.argsort(-likely, axis=1, kind="stable")[:, :kept]
    lists = {
        "rank": pl.Series([list(range(1, kept + 1))] * asked.height, dtype=pl.List(pl.Int64)),
        "answer": pl.Series(np.array(answers)[order].tolist(), dtype=pl.List(pl.String)),
        "score": pl.Series(np.take_along_axis(likely, order, axis=1).tolist(), dtype=pl.List(pl.Float64)),
    }
    return asked.select("task", "text").with_columns(**lists).explode(*lists)


def _weights(task: str, vectors: Any, answers: Sequence[str]) -> tuple[list[str], Any]:
    """Return the answers in their order, and for each (column) the weights of features."""
    from scipy import sparse

    names, found = _separated(vectors, answers)
    categories = [category_said(task, answer) for answer in answers]
    if 1 < len(set(categories)) < len(names):
        of_names, shared = _separated(vectors, categories)
        found = found + shared[[of_names.index(category_said(task, name)) for name in names]]
    found[np.abs(found) < LEAST] = 0
    return names, sparse.csr_matrix(found.T)


def _separated(vectors: Any, answers: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return the answers in their order, and the weights (rows) that tell each from all others."""
    from sklearn.svm import LinearSVC

    names = sorted(set(answers))
    if len(names) == 1:
        return names, np.zeros((1, vectors.shape[1]), dtype=np.float32)
    machine = LinearSVC(C=PENALTY, tol=TOLERANCE, fit_intercept=False, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # many codes have one label
        machine.fit(vectors, answers)
    found = machine.coef_.astype(np.float32)
    return names, np.vstack([-found, found]) if len(found) == 1 else found


def _features_file(folder: Path, task: str) -> Path:
    return folder / f"{task}.features.parquet"


def _weights_file(folder: Path, task: str) -> Path:
    return folder / f"{task}.weights.npz"


def _write_weights(path: Path, weights: Any) -> None:
    from scipy import sparse

    sparse.save_npz(path, weights)


def _read_weights(path: Path) -> Any:
    from scipy import sparse

    return sparse.load_npz(path)
