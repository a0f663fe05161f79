"""What a coder is to the rest of the program, and how a kind of coder joins.

A kind that one job fits is a module of this package, named like the kind, with the functions of `Kind`.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import polars as pl

RANKED = {
    "question_id": pl.String,
    "rank": pl.Int64,  # 1 = first choice
    "answer": pl.String,  # in words that the parser of answers reads
    "score": pl.Float64,  # falls with the rank; null where the coder gives none
    "tokens": pl.Int64,  # generated
    "seconds": pl.Float64,  # per question
    "batch": pl.Int64,  # questions that were answered together
    "truncated": pl.Boolean,  # the answer reached the limit on tokens; null where there is none
}

# From the texts (columns task, text; each pair once) to their answers (task, text, rank, answer, score).
Answer = Callable[[pl.DataFrame], pl.DataFrame]


class Coder(Protocol):
    """Something that answers questions."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the provenance of its answers should say."""

    def answer(self, questions: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Return the answers (columns `RANKED`) to questions (schema Questions), by data set.

        Every question has an answer of rank 1.
        """

    def finish(self) -> str:
        """Tidy up when the answers are written; returns a line for people."""


class Kind(Protocol):
    """A kind of coder that one job fits."""

    def fit(self, settings: Any, entries: pl.DataFrame, folder: Path) -> dict[str, Any]:
        """Write what is learned into a folder, as tables, arrays or JSON; returns facts for the provenance.

        Args:
            settings: the kind's class in `onkocode.config.coders`.
            entries: training entries; columns task, entry_id, origin_id, text, answer, each row once.
            folder: a directory, empty but for the codes that may be answered (`spaces`) where label spaces were given.
        """

    def load(self, settings: Any, folder: Path) -> Answer:
        """Return what answers, from what `fit` wrote."""


def find_kind(kind: str) -> Kind:
    """Return the code of a kind of coder; only now it is imported."""
    return cast(Kind, importlib.import_module(f"onkocode.coders.{kind.replace('-', '_')}"))
