"""Steps of the stage questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from onkocode.records.errors import InputError
from onkocode.records.files import new_file
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.options import FORMULATIONS, SETTINGS, SomePaths
from onkocode.tasks import TASKS

if TYPE_CHECKING:
    import polars as pl

    from onkocode.config.data import Data


@step()
def build_questions(
    *,
    alphaid: SomePaths,
    icdo3: SomePaths,
    ops: SomePaths,
    icd10gm: Path,
    topographies: Path | None = None,
    crosswalk: Path | None = None,
    settings: Annotated[Data, SETTINGS],
    output: Path,
) -> None:
    """Build the questions of a data key.

    Args:
        alphaid: entries of Alpha-ID, the leading version first
        icdo3: entries of ICD-O-3, the leading version first
        ops: entries of OPS, the leading version first
        icd10gm: label space of ICD-10-GM
        topographies: label space of ICD-O-3; needed with --crosswalk
        crosswalk: table of parse-crosswalk
        settings: data key: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        output: file to write
    """
    from onkocode.questions.blocks import CatalogueTables
    from onkocode.questions.build import QuestionStream
    from onkocode.records.schemas import read_table, write_frames

    single = {"icd10gm": icd10gm, "topographies": topographies, "crosswalk": crosswalk}
    inputs = _numbered({"alphaid": alphaid, "icdo3": icdo3, "ops": ops})
    inputs |= {role: path for role, path in single.items() if path is not None}
    record = Provenance("build-questions", settings.model_dump(mode="json"), inputs, settings.seed)
    allowed, pairs = _rules(crosswalk, topographies, settings)
    tables = CatalogueTables(
        alphaid=_tables(alphaid),
        icdo3=_tables(icdo3),
        ops=_tables(ops),
        icd10gm=read_table(icd10gm, "codes"),
        topographies=allowed,
        pairs=pairs,
    )
    stream = QuestionStream(tables, settings)
    with new_file(output) as temporary:
        write_frames(stream, "questions", temporary)
        record.add(**stream.facts)
        record.write(output)


@step()
def build_text_questions(
    *, texts: Path, formulations: str = FORMULATIONS, tasks: Sequence[str] = (), output: Path
) -> None:
    """Build the questions on a test set.

    Args:
        texts: entries of read-texts
        formulations: version of the formulations
        tasks: tasks beyond ICD-10, topography and yes/no
        output: file to write
    """
    from onkocode.questions.build import build_text_questions as build
    from onkocode.questions.formulations import formulations_hash
    from onkocode.records.schemas import read_table, write_table

    restrict_to_owner(output)
    if unknown := sorted(set(tasks) - set(TASKS)):
        raise InputError(f"--tasks: {unknown[0]!r} is no task; known are {', '.join(TASKS)}")
    settings = {"formulations": formulations} | ({"tasks": list(tasks)} if tasks else {})
    record = Provenance("build-text-questions", settings, {"texts": texts})
    questions = build(read_table(texts, "entries"), formulations, tasks)
    record.add(questions=questions.height, formulations_sha256=formulations_hash(formulations))
    record.write(output)
    write_table(questions, "questions", output)


def _numbered(versions: Mapping[str, Sequence[Path]]) -> dict[str, Path]:
    """Return the tables of entries by role; those after the leading version have a number."""
    return {
        role if number == 1 else f"{role}-{number}": path
        for role, paths in versions.items()
        for number, path in enumerate(paths, start=1)
    }


def _rules(
    crosswalk: Path | None, topographies: Path | None, settings: Data
) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
    """Return what the ICD-O-3 to ICD-10 rules allow, as far as it is asked for: topographies, and pairs."""
    from onkocode.catalogues.formats.crosswalk import allowed_pairs, topographies_of
    from onkocode.records.schemas import read_table

    if crosswalk is None:
        return None, None
    if topographies is None:
        raise InputError("--crosswalk needs --topographies, the label space of ICD-O-3")
    rules, axes = read_table(crosswalk, "crosswalk"), read_table(topographies, "codes")
    found = topographies_of(rules, axes) if settings.topography_from_alphaid else None
    return found, allowed_pairs(rules, axes) if settings.links or settings.clinical else None


def _tables(paths: Sequence[Path]) -> Iterator[pl.DataFrame]:
    """Yield the tables one at a time, so that no more than one catalogue version is in memory."""
    from onkocode.records.schemas import read_table

    for path in paths:
        yield read_table(path, "entries")
