"""Verbs of the stage questions."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.crosswalk import allowed_pairs, topographies_of
from onkocode.commands.common import validated
from onkocode.config.data import Data
from onkocode.questions.blocks import CatalogueTables
from onkocode.questions.build import QuestionStream
from onkocode.questions.build import build_text_questions as build_on_texts
from onkocode.questions.formulations import formulations_hash
from onkocode.records.errors import InputError
from onkocode.records.files import new_file
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance
from onkocode.records.schemas import read_table, write_frames, write_table
from onkocode.tasks import TASKS


def build_questions(options: Namespace) -> None:
    """Build the questions of a data key."""
    settings = validated(Data, options.settings)
    inputs = _inputs(options)
    record = Provenance("build-questions", settings.model_dump(mode="json"), inputs, settings.seed)
    stream = QuestionStream(_sources(options, settings), settings)
    with new_file(options.output) as temporary:
        write_frames(stream, "questions", temporary)
        record.add(**stream.facts)
        record.write(options.output)


def build_text_questions(options: Namespace) -> None:
    """Build the questions on a test set."""
    restrict_to_owner(options.output)
    if unknown := sorted(set(options.tasks) - set(TASKS)):
        raise InputError(f"--tasks: {unknown[0]!r} is no task; known are {', '.join(TASKS)}")
    settings = {"formulations": options.formulations} | ({"tasks": options.tasks} if options.tasks else {})
    record = Provenance("build-text-questions", settings, {"texts": options.texts})
    questions = build_on_texts(read_table(options.texts, "entries"), options.formulations, options.tasks)
    record.add(questions=questions.height, formulations_sha256=formulations_hash(options.formulations))
    record.write(options.output)
    write_table(questions, "questions", options.output)


def _inputs(options: Namespace) -> dict[str, Path]:
    inputs: dict[str, Path] = {}
    for role in ("alphaid", "icdo3", "ops"):
        for number, path in enumerate(getattr(options, role)):
            inputs[role if number == 0 else f"{role}-{number + 1}"] = path
    single = {role: getattr(options, role) for role in ("icd10gm", "topographies", "crosswalk")}
    return inputs | {role: path for role, path in single.items() if path is not None}


def _sources(options: Namespace, settings: Data) -> CatalogueTables:
    topographies = pairs = None
    if options.crosswalk is not None:
        if options.topographies is None:
            raise InputError("--crosswalk needs --topographies, the label space of ICD-O-3")
        rules, axes = read_table(options.crosswalk, "crosswalk"), read_table(options.topographies, "codes")
        topographies = topographies_of(rules, axes) if settings.topography_from_alphaid else None
        pairs = allowed_pairs(rules, axes) if settings.links else None
    return CatalogueTables(
        alphaid=_tables(options.alphaid),
        icdo3=_tables(options.icdo3),
        ops=_tables(options.ops),
        icd10gm=read_table(options.icd10gm, "codes"),
        topographies=topographies,
        pairs=pairs,
    )


def _tables(paths: list[Path]) -> Iterator[pl.DataFrame]:
    """Yield the tables one at a time, so that no more than one catalogue version is in memory."""
    for path in paths:
        yield read_table(path, "entries")
