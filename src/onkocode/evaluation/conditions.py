"""A language model under several conditions, loaded once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.coders.constrained_model import ConstrainedModel
from onkocode.coders.course import Course
from onkocode.coders.interface import Coder
from onkocode.coders.language_model import Checkpoint, LanguageModel
from onkocode.config.base import CONSTRAINED
from onkocode.evaluation.asking import Asking, ask, choose_questions


@dataclass(frozen=True)
class Answered:
    """Predictions by `<condition>/<data set>`, and the coders that gave them."""

    predictions: dict[str, pl.DataFrame]
    coders: list[Coder]

    def finish(self) -> str:
        """Keep the answers, and remove the saves; returns a line for people."""
        return "; ".join(coder.finish() for coder in self.coders)


def answer_under(
    checkpoint: Checkpoint,
    wanted: Sequence[str],
    tables: Mapping[str, pl.DataFrame],
    codes: Sequence[pl.DataFrame],
    settings: Asking,
    identity: tuple[str, int],
    folders: tuple[Path, Path],
) -> Answered:
    """Return the answers under all conditions that are wanted.

    Args:
        checkpoint: the language model.
        wanted: `<condition>/<data set>`.
        tables: questions by data set (schema Questions).
        codes: label spaces (schema Codes) of constrained answers.
        settings: how is asked.
        identity: model key and epoch.
        folders: of kept answers, and of this job's saves; each condition has one in them.

    Raises:
        StoppedError: the job is to leave; what was answered is saved.
    """
    names: dict[str, list[str]] = {}
    for name in wanted:
        condition, _, dataset = name.partition("/")
        names.setdefault(condition, []).append(dataset)
    load = cache(lambda: checkpoint.load(settings.testing))
    predictions: dict[str, pl.DataFrame] = {}
    coders: list[Coder] = []
    asked = {
        condition: choose_questions({name: tables[name] for name in datasets}, condition, settings)
        for condition, datasets in names.items()
    }
    course = Course(folders[1])
    course.later = sum(map(_count, asked.values()))
    for condition, questions in asked.items():
        course.later -= _count(questions)
        coder = _coder(checkpoint, condition, codes, settings, folders, load, course)
        found = ask(coder, questions, *identity, condition)
        predictions |= {f"{condition}/{name}": frame for name, frame in found.items()}
        coders.append(coder)
    return Answered(predictions, coders)


def _count(questions: Mapping[str, pl.DataFrame]) -> int:
    return sum(table.height for table in questions.values())


def _coder(
    checkpoint: Checkpoint,
    condition: str,
    codes: Sequence[pl.DataFrame],
    settings: Asking,
    folders: tuple[Path, Path],
    load: Any,
    course: Course,
) -> Coder:
    kept, scratch = (folder / condition for folder in folders)
    shard = settings.evaluation.shard
    if condition == CONSTRAINED:
        return ConstrainedModel(
            checkpoint, pl.concat(codes), settings, settings.conditions, kept, scratch, load, course
        )
    return LanguageModel(checkpoint, condition, settings, kept, scratch, shard, load, course)
