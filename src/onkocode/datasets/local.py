"""The catalogue files of a data key, where no rule has parsed them: found and read as the workflow does."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from onkocode.catalogues.fetching.sources import FOLDER_VARIABLE, retrieve
from onkocode.catalogues.formats.crosswalk import allowed_pairs, parse_crosswalk, topographies_of
from onkocode.catalogues.formats.parse import DATASETS, parse_catalogue
from onkocode.datasets.describe import CatalogueFile
from onkocode.questions.blocks import CatalogueTables
from onkocode.records.errors import InputError, first_of
from onkocode.records.ids import hash_file
from onkocode.study import Study


def local_files(study: Study, key: str) -> dict[str, Path]:
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


def read_local(
    study: Study, key: str, paths: Mapping[str, Path], folder: Path
) -> tuple[CatalogueTables, list[CatalogueFile]]:
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


def _needed(study: Study, key: str) -> dict[str, tuple[str, str]]:
    """Return dataset and version of each catalogue that a data key reads, by `<dataset>-<version>`."""
    data = study.data[key]
    rules = ["crosswalk"] if data.topography_from_alphaid or data.links else []
    return {
        name: (dataset, name.removeprefix(f"{dataset}-"))
        for dataset in (*DATASETS, *rules)
        for name in study.catalogues(dataset, key)
    }
