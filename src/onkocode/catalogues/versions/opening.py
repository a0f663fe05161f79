"""The user's catalogues, opened by name and version: found or retrieved, unpacked, parsed. Nothing is kept on disk."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from onkocode.catalogues.fetching.sources import (
    FOLDER_VARIABLE,
    catalogue_folder,
    find_local,
    own_source,
    read_sources,
    retrieve,
)
from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.catalogues.formats.transitions import parse_transitions
from onkocode.records.errors import InputError

FileFacts = dict[str, dict[str, str]]


class MissingCatalogueError(InputError):
    """A catalogue file is neither in the user's folder nor to be downloaded."""


@dataclass(frozen=True)
class CataloguePlace:
    """Where catalogues are looked for.

    Attributes:
        table: of sources.
        folder: with files of the user's; None = that of ONKOCODE_CATALOGUES, if it is set.
        consent: the user accepts the terms of use, so that a file with an address may be downloaded.
        named: files that the user names for a version, by `<dataset>-<version>`; they come before all others.
        facts: gets where each file came from, its hash and its terms, by dataset and version.
    """

    table: Path
    folder: Path | None = None
    consent: bool = False
    named: Mapping[str, Path] = field(default_factory=dict)
    facts: FileFacts = field(default_factory=dict)


def open_catalogue(dataset: str, version: str, place: CataloguePlace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return entries (schema Entries) and label space (schema Codes) of a catalogue, as `parse_catalogue` does.

    Args:
        dataset: alphaid, icd10gm, icdo3 or ops.
        version: as in the table of sources, e.g. 2024.
        place: where it is looked for.

    Raises:
        MissingCatalogueError: no row in the table, no local file, and no address or consent; says what to do.
        InputError: the file is there, but not sound.
    """
    with _file(dataset, version, place) as path:
        return parse_catalogue(dataset, version, path)


def open_transitions(version: str, place: CataloguePlace) -> pl.DataFrame:
    """Return the transition table (schema Transitions) of two years, e.g. 2023_2024; see `open_catalogue`.

    One that does not say its years is taken, too: `confirm.check_links` tells whether it is of these.
    """
    with _file("transitions", version, place) as path:
        return parse_transitions(path)


def links_between(old: str, new: str) -> list[str]:
    """Return the versions of the transition tables that lead from one version to another, the earliest first.

    Tables exist between consecutive years, so 2023 and 2025, in either order, need 2023_2024 and 2024_2025.
    """
    if not (old + new).isdecimal():
        return [f"{old}_{new}"]
    first, last = sorted((int(old), int(new)))
    return [f"{year}_{year + 1}" for year in range(first, last)]


@contextmanager
def _file(dataset: str, version: str, place: CataloguePlace) -> Iterator[Path]:
    sources = read_sources(place.table)
    local = place.named.get(f"{dataset}-{version}")
    source = sources.get((dataset, version)) or (own_source(dataset, version, local) if local else None)
    if source is None:
        known = ", ".join(known for name, known in sources if name == dataset) or "none"
        raise MissingCatalogueError(
            f"{place.table}: no row for {dataset} {version} (known versions: {known}); take one of them or add a row"
        )
    where = catalogue_folder(place.folder)
    try:
        local = local or find_local(source, where, unsure=dataset == "transitions")
    except InputError as error:
        raise MissingCatalogueError(str(error)) from None
    with TemporaryDirectory(prefix="onkocode-") as temporary:
        output = Path(temporary) / f"{dataset}-{version}"
        try:
            found = retrieve(source, local, place.consent, output)
        except InputError as error:
            if local is not None:
                raise
            raise MissingCatalogueError(
                f"{error}. Or put the official file ({' or '.join(source.wanted.patterns)}) into a folder and name it "
                f"with --folder or {FOLDER_VARIABLE}"
            ) from None
        place.facts[f"{dataset} {version}"] = found
        try:
            yield output
        except InputError as error:  # the user knows the file by another name
            raise InputError(str(error).replace(str(output), found["origin"])) from None
