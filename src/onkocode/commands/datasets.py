"""Verbs that look at a data set of questions: describe, compare, export."""

import tempfile
from argparse import Namespace
from pathlib import Path

import polars as pl

from onkocode.catalogues.fetching.sources import FOLDER_VARIABLE, retrieve
from onkocode.catalogues.formats.crosswalk import allowed_pairs, parse_crosswalk, topographies_of
from onkocode.catalogues.formats.parse import DATASETS, parse_catalogue
from onkocode.commands.common import config_files
from onkocode.config.loading import merge_files
from onkocode.datasets.card import DatasetFacts, write_card
from onkocode.datasets.comparison import COLUMNS as COMPARED
from onkocode.datasets.comparison import compare_datasets, comparison_table, comparison_text
from onkocode.datasets.describe import CatalogueFile, describe, description_table, description_text
from onkocode.datasets.export import VERB, block_counts, check_written, write_splits
from onkocode.datasets.export import VERB as EXPORT
from onkocode.datasets.foreign import foreign_text, read_foreign
from onkocode.questions.blocks import CatalogueTables
from onkocode.questions.lineage import catalogue_sources, recorded
from onkocode.questions.stored import scan_questions
from onkocode.records.errors import InputError, first_of
from onkocode.records.files import new_directory, write_text
from onkocode.records.ids import hash_file
from onkocode.records.provenance import Provenance, refuse_other_directory
from onkocode.study import Study
from onkocode.terminal import say


def describe_questions(options: Namespace) -> None:
    """Count the questions of a data key straight from the user's catalogue files."""
    config = config_files(options.config)
    study = Study(merge_files(config), config)
    key = options.data or study.data_keys[0]
    if key not in study.data:
        raise InputError(f"--data {key}: no such data key (known: {', '.join(study.data)})")
    paths = _local_files(study, key)
    data = study.data[key]
    record = Provenance("questions describe", {key: data.model_dump(mode="json")}, paths, data.seed)
    with tempfile.TemporaryDirectory() as folder:
        sources, files = _read(study, key, paths, Path(folder))
    described = describe(sources, data)
    say(description_text(key, described, files))
    if options.output is not None:
        record.add(**described.facts)
        record.write(options.output)
        write_text(options.output, description_table(described, files).write_csv(separator="\t"))


def compare_questions(options: Namespace) -> None:
    """Set a data set of another origin beside the project's own."""
    columns = {"question_column": options.question_column, "answer_column": options.answer_column}
    questions = scan_questions(options.questions).select(COMPARED).collect()
    foreign = read_foreign(options.file, **columns)
    record = Provenance("questions compare", columns, {"file": options.file, "questions": options.questions})
    compared = compare_datasets(foreign.pairs, questions)
    say(foreign_text(options.file, foreign), comparison_text(compared), sep="\n\n")
    if options.output is not None:
        record.add(rows=foreign.pairs.height, files=dict(foreign.files))
        record.write(options.output)
        write_text(options.output, comparison_table(compared).write_csv(separator="\t"))


def export_questions(options: Namespace) -> None:
    """Write a data set that `datasets.load_dataset` reads."""
    refuse_other_directory(options.output, VERB)
    table, prompt = scan_questions(options.questions), options.system_prompt
    record = Provenance(EXPORT, {"system_prompt": prompt}, {"questions": options.questions})
    record.record["inputs"]["questions"]["path"] = options.questions.name  # a published data set tells no local path
    built = recorded(options.questions)
    with new_directory(options.output) as folder:
        splits = write_splits(table, folder / "data", prompt)
        sha256 = check_written(options.questions, splits, built.get("questions_sha256"))
        sources = catalogue_sources(options.questions)
        facts = DatasetFacts(options.questions.stem, splits, block_counts(splits), sha256, sources, built, prompt)
        write_card(facts, folder)
        record.add(questions_sha256=sha256, splits={split.name: split.questions for split in splits})
        record.write(folder)
    say(f"{options.output}: {sum(split.questions for split in splits):,} questions, hash {sha256}")


def _needed(study: Study, key: str) -> dict[str, tuple[str, str]]:
    """Return dataset and version of each catalogue that a data key reads, by `<dataset>-<version>`."""
    data = study.data[key]
    rules = ["crosswalk"] if data.topography_from_alphaid or data.links else []
    return {
        name: (dataset, name.removeprefix(f"{dataset}-"))
        for dataset in (*DATASETS, *rules)
        for name in study.catalogues(dataset, key)
    }


def _local_files(study: Study, key: str) -> dict[str, Path]:
    """Return the files of a data key by `<dataset>-<version>`; raises InputError with all that are missing."""
    table = study.config.catalogues.sources
    found: dict[str, Path] = {}
    problems = []
    for name, (dataset, version) in _needed(study, key).items():
        if (dataset, version) not in study.sources:
            problems.append(f"{name}: {table} has no row for it; add one")
            continue
        try:
            local = study.local_catalogue(dataset, version)
        except InputError as error:
            problems.append(str(error))
            continue
        if local and not Path(local[0]).is_file():
            problems.append(f"{local[0]}: no such file; correct catalogues.files.{name}")
        elif local:
            found[name] = Path(local[0])
        else:
            problems.append(f"{name}: no local file (looked for {study.sources[dataset, version].file})")
    if problems:
        raise InputError(
            f"catalogue files of the data key {key!r} are missing:\n{first_of(problems)}\nPut them into a folder, "
            f"zipped or not, and name it in {FOLDER_VARIABLE} or catalogues.folder; or name a file yourself under "
            f"catalogues.files, e.g. alphaid-2024: my/file.txt"
        )
    return found


def _read(study: Study, key: str, paths: dict[str, Path], folder: Path) -> tuple[CatalogueTables, list[CatalogueFile]]:
    """Parse the files of a data key as the workflow does; ``folder`` takes copies of them, unpacked."""
    entries: dict[str, list[pl.DataFrame]] = {dataset: [] for dataset in DATASETS}
    codes: dict[str, list[pl.DataFrame]] = {dataset: [] for dataset in DATASETS}
    rules, files = None, []
    for name, (dataset, version) in _needed(study, key).items():
        path = folder / name
        retrieve(study.sources[dataset, version], paths[name], accept_terms=False, output=path)
        try:
            if dataset == "crosswalk":
                rules = parse_crosswalk(path)
                rows = rules["rule"].n_unique()
            else:
                labels, space = parse_catalogue(dataset, version, path)
                entries[dataset].append(labels)
                codes[dataset].append(space)
                rows = max(labels.height, space.height)
        except InputError as error:  # the user knows the file by another name
            raise InputError(str(error).replace(str(path), str(paths[name]))) from None
        files.append(CatalogueFile(name, str(paths[name]), hash_file(paths[name]), rows))
    data, axes = study.data[key], codes["icdo3"][0]
    sources = CatalogueTables(
        alphaid=entries["alphaid"],
        icdo3=entries["icdo3"],
        ops=entries["ops"],
        icd10gm=codes["icd10gm"][0],
        topographies=topographies_of(rules, axes) if rules is not None and data.topography_from_alphaid else None,
        pairs=allowed_pairs(rules, axes) if rules is not None and data.links else None,
    )
    return sources, files
