"""Verbs of the stage catalogues."""

import json
from argparse import Namespace

from onkocode.catalogues.fetching.sources import (
    TERMS_SENTENCE,
    catalogue_folder,
    find_local,
    own_source,
    read_sources,
    retrieve,
)
from onkocode.catalogues.formats import crosswalk, transitions
from onkocode.catalogues.formats.parse import parse_catalogue as parse
from onkocode.catalogues.formats.texts import read_texts as read
from onkocode.commands.common import validated
from onkocode.config.data import Columns
from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance, read_provenance
from onkocode.records.schemas import read_table, write_table


def retrieve_catalogue(options: Namespace) -> None:
    """Copy or download one catalogue file."""
    sources = read_sources(options.sources)
    source = sources.get((options.dataset, options.version))
    if source is None and options.file is not None:  # a version of the user's own, with its file
        source = own_source(options.dataset, options.version, options.file)
    if source is None:
        known = ", ".join(f"{dataset} {version}" for dataset, version in sources)
        raise InputError(f"{options.sources}: no row for {options.dataset} {options.version} (known: {known})")
    record = Provenance("retrieve-catalogue", {"dataset": options.dataset, "version": options.version}, {})
    local = options.file or find_local(source, catalogue_folder(options.folder))
    record.add(**retrieve(source, local, options.consent is True, options.output))
    record.add(attribution=TERMS_SENTENCE if source.terms == "BfArM" else "")
    record.write(options.output)


def parse_catalogue(options: Namespace) -> None:
    """Parse one catalogue file."""
    settings = {"dataset": options.dataset, "version": options.version}
    record = Provenance("parse-catalogue", settings, {"file": options.file})
    entries, codes = parse(options.dataset, options.version, options.file)
    origin = read_provenance(options.file)
    record.add(entries=entries.height, codes=codes.height, attribution=origin.get("attribution", TERMS_SENTENCE))
    record.write(options.entries, options.codes)
    write_table(entries, "entries", options.entries)
    write_table(codes, "codes", options.codes)


def parse_transitions(options: Namespace) -> None:
    """Parse a transition table between two years of ICD-10-GM."""
    record = Provenance("parse-transitions", {}, {"file": options.file})
    rows = transitions.parse_transitions(options.file)
    record.add(transitions=rows.height)
    record.write(options.output)
    write_table(rows, "transitions", options.output)


def parse_crosswalk(options: Namespace) -> None:
    """Parse the rules from ICD-O-3 to ICD-10; what is odd in them stands in the provenance."""
    record = Provenance("parse-crosswalk", {}, {"file": options.file})
    rows = crosswalk.parse_crosswalk(options.file)
    record.add(rules=rows["rule"].n_unique(), notes=crosswalk.reversed_ranges(rows))
    record.write(options.output)
    write_table(rows, "crosswalk", options.output)


def read_texts(options: Namespace) -> None:
    """Read a test set."""
    restrict_to_owner(options.output)
    columns = validated(Columns, options.settings)
    inputs = {"file": options.file, "icd10gm": options.icd10gm, "icdo3": options.icdo3}
    record = Provenance("read-texts", {"key": options.key, "columns": columns.model_dump()}, inputs)
    icd10gm, icdo3 = read_table(options.icd10gm, "codes"), read_table(options.icdo3, "codes")
    entries, notes = read(options.file, options.key, columns, icd10gm, icdo3)
    record.add(entries=entries.height, clusters=entries["cluster"].n_unique(), notes=notes)
    record.write(options.output)
    write_table(entries, "entries", options.output)


def check_inputs(options: Namespace) -> None:
    """Check everything that training and evaluation will read, and count what a reader wants to know first."""
    from onkocode.evaluation.inputs import count_inputs

    tables = {f"data {key}": path for key, path in options.questions} | {f"texts {key}": p for key, p in options.texts}
    record = Provenance("check-inputs", options.settings, tables)
    data, texts = (
        {key: read_table(path, "questions") for key, path in given} for given in (options.questions, options.texts)
    )
    report = count_inputs(data, texts, options.settings)
    record.write(options.output)
    write_text(options.output, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
