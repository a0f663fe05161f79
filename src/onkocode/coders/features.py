"""What a linear classifier looks at: the character n-grams of a text, and what the tables of clinical language find."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from onkocode.config.coders import Classifier
from onkocode.language.candidates import Said
from onkocode.language.reader import Reader, saved_reader

TABLES = "tables"


class Documents:
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
    words += [
        f"other:{code}"
        for codes in (said.others.get(system, ()) for system in ("icd10gm", "topography"))
        for code in codes
    ]
    return " ".join(words)


class Features:
    """The features of one task: their names and weights (inverse document frequencies) by block."""

    def __init__(self, settings: Classifier, rows: pl.DataFrame) -> None:
        self.rows = rows  # columns block, feature, weight
        self.size = rows.height
        self._blocks = {}
        for (block,), part in rows.group_by("block", maintain_order=True):
            vectorizer = _vectorizer(settings, str(block), part["feature"].to_list())
            vectorizer.idf_ = part["weight"].to_numpy()
            self._blocks[str(block)] = vectorizer

    @classmethod
    def fitted(cls, settings: Classifier, documents: dict[str, list[str]]) -> "Features":
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
    def read(cls, settings: Classifier, path: Path) -> "Features":
        """Return the features that `write` wrote."""
        return cls(settings, pl.read_parquet(path))

    def write(self, path: Path) -> None:
        """Write names and weights."""
        self.rows.write_parquet(path)

    def vectors(self, documents: dict[str, list[str]]) -> Any:
        """Return documents as rows of a sparse matrix; its last column is 1 everywhere."""
        from scipy import sparse

        constant = sparse.csr_matrix(np.ones((len(documents["grams"]), 1), dtype=np.float32))
        parts = [vectorizer.transform(documents[block]) for block, vectorizer in self._blocks.items()]
        return sparse.hstack([*parts, constant], format="csr")


def _vectorizer(settings: Classifier, block: str, vocabulary: Sequence[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    usual = {"sublinear_tf": True, "dtype": np.float32, "vocabulary": vocabulary}
    if block == "findings":
        return TfidfVectorizer(analyzer=str.split, **usual)
    return TfidfVectorizer(analyzer="char_wb", ngram_range=tuple(settings.ngrams), **usual)
