"""Steps of the stage catalogues."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from onkocode.records.errors import InputError
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance, read_provenance
from onkocode.steps.app import step
from onkocode.steps.common import write_json
from onkocode.steps.options import SETTINGS, SOURCES, Json, NamedPaths, SomeNamedPaths

if TYPE_CHECKING:
    from onkocode.config.data import Columns
    from onkocode.evaluation.inputs import InputSettings


@step()
def retrieve_catalogue(
    *,
    dataset: str,
    version: str,
    file: Path | None = None,
    sources: Path = SOURCES,
    folder: Path | None = None,
    consent: Json = None,
    output: Path,
) -> None:
    """Copy a local catalogue file, or download it.

    Args:
        dataset: alphaid, icd10gm, icdo3 or ops
        version: version as in the table of sources
        file: the file that you name for this version
        sources: table of sources
        folder: folder with files of yours; default: ONKOCODE_CATALOGUES
        consent: true: you have read and accept the terms of use
        output: file to write
    """
    from onkocode.catalogues.fetching.sources import (
        TERMS_SENTENCE,
        catalogue_folder,
        find_local,
        own_source,
        read_sources,
        retrieve,
    )

    known = read_sources(sources)
    source = known.get((dataset, version))
    if source is None and file is not None:  # a version of the user's own, with its file
        source = own_source(dataset, version, file)
    if source is None:
        names = ", ".join(f"{dataset} {version}" for dataset, version in known)
        raise InputError(f"{sources}: no row for {dataset} {version} (known: {names})")
    record = Provenance("retrieve-catalogue", {"dataset": dataset, "version": version}, {})
    local = file or find_local(source, catalogue_folder(folder))
    record.add(**retrieve(source, local, consent is True, output))
    record.add(attribution=TERMS_SENTENCE if source.terms == "BfArM" else "")
    record.write(output)


@step()
def parse_catalogue(*, dataset: str, version: str, file: Path, entries: Path, codes: Path) -> None:
    """Turn a catalogue file into entries and a label space.

    Args:
        dataset: alphaid, icd10gm, icdo3 or ops
        version: its version
        file: the catalogue file
        entries: table of entries to write
        codes: label space to write
    """
    from onkocode.catalogues.fetching.sources import TERMS_SENTENCE
    from onkocode.catalogues.formats.parse import parse_catalogue as parse
    from onkocode.records.schemas import write_table

    record = Provenance("parse-catalogue", {"dataset": dataset, "version": version}, {"file": file})
    labels, space = parse(dataset, version, file)
    origin = read_provenance(file)
    record.add(entries=labels.height, codes=space.height, attribution=origin.get("attribution", TERMS_SENTENCE))
    record.write(entries, codes)
    write_table(labels, "entries", entries)
    write_table(space, "codes", codes)


@step()
def parse_crosswalk(*, file: Path, output: Path) -> None:
    """Turn the ICD-O-3 to ICD-10 rules into a table; what is odd in them stands in the provenance.

    Args:
        file: the rules
        output: file to write
    """
    from onkocode.catalogues.formats import crosswalk
    from onkocode.records.schemas import write_table

    record = Provenance("parse-crosswalk", {}, {"file": file})
    rows = crosswalk.parse_crosswalk(file)
    record.add(rules=rows["rule"].n_unique(), notes=crosswalk.reversed_ranges(rows))
    record.write(output)
    write_table(rows, "crosswalk", output)


@step()
def read_texts(
    *,
    key: str,
    file: Path,
    settings: Annotated[Columns | None, SETTINGS] = None,
    icd10gm: Path,
    icdo3: Path,
    output: Path,
) -> None:
    """Read and check a test set of coded texts.

    Args:
        key: the test set's key
        file: CSV or TSV
        settings: columns of the file: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        icd10gm: label space of ICD-10-GM
        icdo3: label space of ICD-O-3
        output: file to write
    """
    from onkocode.catalogues.formats.texts import read_texts as read
    from onkocode.catalogues.vocabulary.other_versions import OtherVersions
    from onkocode.config.data import Columns
    from onkocode.records.schemas import read_table, write_table

    restrict_to_owner(output)
    columns = settings or Columns()
    inputs = {"file": file, "icd10gm": icd10gm, "icdo3": icdo3}
    record = Provenance("read-texts", {"key": key, "columns": columns.model_dump()}, inputs)
    others = OtherVersions({"icd10gm": icd10gm, "topography": icdo3, "morphology": icdo3})
    spaces = (read_table(path, "codes") for path in (icd10gm, icdo3))
    entries, notes = read(file, key, columns, *spaces, others=others)
    record.add(entries=entries.height, clusters=entries["cluster"].n_unique(), notes=notes)
    record.write(output)
    write_table(entries, "entries", output)


@step()
def check_inputs(
    *,
    questions: SomeNamedPaths,
    texts: NamedPaths = (),
    settings: Annotated[InputSettings | None, SETTINGS] = None,
    output: Path,
) -> None:
    """Check all questions and test sets together, before any training, and count what a reader wants to know first.

    Args:
        questions: tables of data keys
        texts: questions on test sets
        settings: evaluation, and where a model thinks thinking: JSON, or @FILE; keys left out have their defaults
        output: file to write
    """
    from onkocode.evaluation.inputs import InputSettings, count_inputs
    from onkocode.records.schemas import read_table

    chosen = settings or InputSettings()
    inputs = {f"data {key}": path for key, path in questions} | {f"texts {key}": path for key, path in texts}
    record = Provenance("check-inputs", chosen.model_dump(), inputs)
    data, sets = ({key: read_table(path, "questions") for key, path in given} for given in (questions, texts))
    report = count_inputs(data, sets, chosen)
    record.write(output)
    write_json(output, report)
