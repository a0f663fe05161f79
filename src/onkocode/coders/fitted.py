"""Coders that one job fits: what all of them share, around the code of their kind."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.coders.interface import RANKED, find_kind
from onkocode.coders.spaces import write_codes
from onkocode.config.coders import FitSettings, fit_settings
from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.records.ids import canonical_json
from onkocode.records.progress import Progress

SETTINGS_FILE = "settings.json"
ENTRY = ["task", "entry_id", "origin_id", "text", "answer"]


def fit_coder(
    settings: FitSettings, questions: pl.DataFrame, folder: Path, label_spaces: Sequence[pl.DataFrame] = ()
) -> dict[str, Any]:
    """Fit a coder on the training questions and write it into a folder; returns facts for the provenance.

    Args:
        settings: of its kind.
        questions: schema Questions; the split train counts. All formulations of an entry are one entry.
        folder: an empty directory.
        label_spaces: tables of codes (schema Codes) that may be answered beside those of the training questions.

    Raises:
        InputError: there are no training questions.
    """
    entries = questions.filter(pl.col("split") == "train").select(ENTRY).unique().sort(ENTRY)
    if entries.is_empty():
        raise InputError("the questions have no split train to fit a coder on; build them with entries to train on")
    if label_spaces:
        write_codes(label_spaces, folder)
    facts = find_kind(settings.kind).fit(settings, entries, folder)
    write_text(folder / SETTINGS_FILE, canonical_json(settings.model_dump(mode="json")) + "\n")
    return {"entries": entries.height} | facts


def files_of(folder: Path) -> dict[str, Path]:
    """Return the files that make a fitted coder, by their names in its folder."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path for name, path in files.items() if name != "provenance.json"}


class FittedCoder:
    """A fitted coder. It is shown each text once per task, whatever the formulations.

    Args:
        folder: what `fit_coder` wrote.
        progress: where to say how far it is.

    Raises:
        InputError: the folder holds no fitted coder.
    """

    def __init__(self, folder: Path, progress: Progress | None = None) -> None:
        settings = _read_settings(folder)
        self._progress = progress
        self._answer = find_kind(settings.kind).load(settings, folder)
        self.facts: Mapping[str, Any] = {"coder": settings.model_dump(mode="json")}
        self._answered = 0

    def answer(self, questions: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Return ranked answers by data set."""
        if self._progress is not None:
            self._progress.total = sum(asked.height for asked in questions.values())
            self._progress.advance(0)
        return {name: self._answers(asked) for name, asked in questions.items()}

    def finish(self) -> str:
        """Return how many questions were answered."""
        return f"{self._answered} questions answered"

    def _answers(self, asked: pl.DataFrame) -> pl.DataFrame:
        began = time.perf_counter()
        texts = asked.select("task", "text").unique().sort("task", "text")
        answers = self._answer(texts)
        seconds = (time.perf_counter() - began) / max(1, asked.height)
        self._answered += asked.height
        if self._progress is not None:
            self._progress.advance(self._answered)
        found = asked.select("question_id", "task", "text").join(answers, on=["task", "text"], maintain_order="left")
        return (
            found.with_columns(tokens=0, seconds=pl.lit(seconds), batch=asked.height, truncated=None)
            .select(pl.col(name).cast(dtype) for name, dtype in RANKED.items())
            .sort("question_id", "rank")
        )


def check_tasks(texts: pl.DataFrame, known: pl.Series) -> None:
    """Raise InputError where texts are asked about under a task that nothing was learned of."""
    missing = sorted(set(texts["task"]) - set(known))
    if missing:
        raise InputError(f"the training questions have none of the task {missing[0]}, so there is nothing to answer")


def _read_settings(folder: Path) -> FitSettings:
    path = folder / SETTINGS_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        section = fit_settings(values["kind"])
        if section is None:
            raise ValueError(f"{values['kind']!r} is no kind that is fitted")
        return section.model_validate(values)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not the settings of a fitted coder ({error}); fit it again") from error
