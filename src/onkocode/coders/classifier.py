"""A linear classifier: which answer the character n-grams of a text speak for.

One support vector machine per answer against all others, on n-grams weighted by TF-IDF. Where findings count as well,
what the tables of clinical language say of a text stands beside the n-grams as words of its own.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from onkocode.coders.fitted import check_tasks
from onkocode.coders.interface import Answer
from onkocode.config.coders import Classifier
from onkocode.language.candidates import Said
from onkocode.language.reader import Reader, saved_reader
from onkocode.language.saved import write_tables
from onkocode.records.files import located, write_text
from onkocode.records.ids import canonical_json

TABLES, ANSWERS = "tables", "answers.json"
PENALTY = 10.0  # C, of 0.5, 1, 3 and 10 the best on a tenth of the training labels of Alpha-ID
TOLERANCE = 0.1  # as right there as 0.001, in half the time
LEAST = 0.01  # weights below it change no answer there, and are a third of those that are not 0
SHARPNESS = 4.0  # of probabilities: what fits margins to shares of right answers there
CELLS = 10_000_000  # margins that are held at once
DECIMALS = 9  # so that sums in another order make no other rank


def fit(settings: Classifier, entries: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Write the weights of each task, with the features and the answers that they belong to."""
    if settings.normalise or settings.findings:
        write_tables(folder / TABLES, settings.tables and located(settings.tables))
    documents = _Documents(settings, folder)
    labels = entries.select("task", "answer", "text").unique().sort("task", "answer", "text")
    answers, features = {}, 0
    for (task,), part in labels.group_by("task", maintain_order=True):
        space = _Space.fitted(settings, documents.of(part["text"]))
        names, weights = _weights(space.vectors(documents.of(part["text"])), part["answer"].to_numpy())
        answers[str(task)] = names
        features += space.size
        space.write(folder / f"{task}.features.parquet")
        _write_weights(folder / f"{task}.weights.npz", weights)
    write_text(folder / ANSWERS, canonical_json(answers) + "\n")
    return {"labels": labels.height, "features": features}


def load(settings: Classifier, folder: Path) -> Answer:
    """Return what answers texts by the weights of their features."""
    answers = json.loads((folder / ANSWERS).read_text(encoding="utf-8"))
    documents = _Documents(settings, folder)

    def answer(texts: pl.DataFrame) -> pl.DataFrame:
        check_tasks(texts, pl.Series(list(answers)))
        parts = []
        for (task,), asked in texts.group_by("task", maintain_order=True):
            space = _Space.read(settings, folder / f"{task}.features.parquet")
            weights = _read_weights(folder / f"{task}.weights.npz")
            parts += _ranked(asked, documents, space, weights, answers[str(task)][:], settings.candidates)
        return pl.concat(parts)

    return answer


def _ranked(
    asked: pl.DataFrame, documents: "_Documents", space: "_Space", weights: Any, answers: list[str], candidates: int
) -> Iterator[pl.DataFrame]:
    """Yield ranked answers, some texts at a time; of equally likely ones the first in the order of codes."""
    kept = min(candidates, len(answers))
    for part in asked.iter_slices(max(1, CELLS // len(answers))):
        margins = (space.vectors(documents.of(part["text"])) @ weights).toarray()
        likely = _probabilities(margins).round(DECIMALS)
        order = np.argsort(-likely, axis=1, kind="stable")[:, :kept]
        names = pl.Series("answer", np.array(answers, dtype=object)[order].tolist(), dtype=pl.List(pl.String))
        scores = pl.Series("score", np.take_along_axis(likely, order, axis=1).tolist(), dtype=pl.List(pl.Float64))
        ranks = pl.lit(list(range(1, kept + 1)))
        yield part.with_columns(names, scores, rank=ranks).explode("rank", "answer", "score").select(
            "task", "text", "rank", "answer", "score"
        )


def _probabilities(margins: np.ndarray) -> np.ndarray:
    """Return probabilities of answers (columns) from the margins of texts (rows)."""
    powers = np.exp(SHARPNESS * (margins.astype(np.float64) - margins.max(axis=1, keepdims=True)))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _weights(vectors: Any, answers: np.ndarray) -> tuple[list[str], Any]:
    """Return the answers in their order, and the weights of features (rows) for each."""
    from scipy import sparse
    from sklearn.svm import LinearSVC

    names = sorted(set(answers.tolist()))
    if len(names) == 1:
        return names, sparse.csr_matrix((vectors.shape[1], 1), dtype=np.float32)
    machine = LinearSVC(C=PENALTY, tol=TOLERANCE, fit_intercept=False, random_state=0).fit(vectors, answers)
    found = machine.coef_.astype(np.float32)
    found = np.vstack([-found, found]) if len(names) == 2 else found  # noqa: PLR2004
    found[np.abs(found) < LEAST] = 0
    return names, sparse.csr_matrix(found.T)


def _write_weights(path: Path, weights: Any) -> None:
    from scipy import sparse

    sparse.save_npz(path, weights)


def _read_weights(path: Path) -> Any:
    from scipy import sparse

    return sparse.load_npz(path)


class _Documents:
    """What of a text becomes features: its letters, and the findings where they count.

    Args:
        settings: of the coder.
        folder: of the coder, with its tables.
    """

    def __init__(self, settings: Classifier, folder: Path) -> None:
        self._reader: Reader | None = None
        if settings.normalise or settings.findings:
            self._reader = saved_reader(folder / TABLES)
        self._settings = settings

    def of(self, texts: pl.Series) -> dict[str, list[str]]:
        """Return the documents of each block of features."""
        if self._reader is None:
            return {"grams": texts.to_list()}
        found = {"grams": (self._reader.forms(texts) if self._settings.normalise else texts).to_list()}
        if self._settings.findings:
            found["findings"] = [findings(self._reader.said(text)) for text in texts]
        return found


def findings(said: Said) -> str:
    """Return what a text says as words: the codes, their categories, the behaviour and the basis."""
    words = [f"kind:{said.kind}", f"basis:{said.basis.replace(' ', '-')}"]
    for system, code in said.own.items():
        words += [f"{system}:{code}", f"{system}:{code[:3]}*"]
    words += [f"behaviour:{said.own['morphology'][-1]}"] if "morphology" in said.own else []
    words += [f"other:{code}" for code in said.others.get("topography", ())]
    return " ".join(words)


class _Space:
    """The features of one task: their names and weights (inverse document frequencies) by block."""

    def __init__(self, settings: Classifier, features: pl.DataFrame) -> None:
        self.features = features  # columns block, feature, weight
        self.size = features.height
        self._blocks = {}
        for (block,), part in features.group_by("block", maintain_order=True):
            vectorizer = _vectorizer(settings, str(block), part["feature"].to_list())
            vectorizer.idf_ = part["weight"].to_numpy()
            self._blocks[str(block)] = vectorizer

    @classmethod
    def fitted(cls, settings: Classifier, documents: dict[str, list[str]]) -> "_Space":
        """Return the features of documents."""
        parts = [pl.DataFrame(schema={"block": pl.String, "feature": pl.String, "weight": pl.Float32})]
        for block, texts in documents.items():
            vectorizer = _vectorizer(settings, block)
            try:
                vectorizer.fit(sorted(set(texts)))
            except ValueError:  # no text has any
                continue
            names = pl.Series("feature", vectorizer.get_feature_names_out().tolist(), dtype=pl.String)
            weight = pl.Series("weight", vectorizer.idf_, dtype=pl.Float32)
            parts.append(pl.DataFrame([names, weight]).select(pl.lit(block).alias("block"), "feature", "weight"))
        return cls(settings, pl.concat(parts))

    @classmethod
    def read(cls, settings: Classifier, path: Path) -> "_Space":
        """Return the features that `write` wrote."""
        return cls(settings, pl.read_parquet(path))

    def write(self, path: Path) -> None:
        """Write names and weights."""
        self.features.write_parquet(path)

    def vectors(self, documents: dict[str, list[str]]) -> Any:
        """Return documents as rows of a sparse matrix; its last column is 1 everywhere."""
        from scipy import sparse

        rows = len(documents["grams"])
        parts = [vectorizer.transform(documents[block]) for block, vectorizer in self._blocks.items()]
        return sparse.hstack([*parts, np.ones((rows, 1), dtype=np.float32)], format="csr")


def _vectorizer(settings: Classifier, block: str, vocabulary: Sequence[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    usual = {"sublinear_tf": True, "dtype": np.float32, "vocabulary": vocabulary}
    if block == "findings":
        return TfidfVectorizer(analyzer=str.split, **usual)
    return TfidfVectorizer(analyzer="char_wb", ngram_range=tuple(settings.ngrams), **usual)
