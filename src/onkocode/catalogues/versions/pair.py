"""Two versions of ICD-10-GM, opened together, and what the user should know of the files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import polars as pl

from onkocode.catalogues.versions.changes import chain, misfits, reverse
from onkocode.catalogues.versions.confirm import check_alphaid, check_links, valid_codes
from onkocode.catalogues.versions.opening import (
    CataloguePlace,
    MissingCatalogueError,
    links_between,
    open_catalogue,
    open_transitions,
)
from onkocode.records.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class VersionPair:
    """Both label spaces, the transitions between them (None: a table is missing), and what the user should know."""

    versions: tuple[str, str]
    old: pl.DataFrame
    new: pl.DataFrame
    transitions: pl.DataFrame | None
    place: CataloguePlace
    notes: list[str] = field(default_factory=list)


def open_pair(old: str, new: str, place: CataloguePlace) -> VersionPair:
    """Return two versions of ICD-10-GM; raises InputError where one is missing, or a file does not fit."""
    if old == new:
        raise InputError(f"both versions are {old}; name two different ones")
    _check_named(old, new, place)
    notes: list[str] = []
    before, after = (open_catalogue("icd10gm", version, place)[1] for version in (old, new))
    links = {
        link: _if_there(partial(open_transitions, link, place), f"transition table {link}", notes)
        for link in links_between(old, new)
    }
    known = {link: table for link, table in links.items() if table is not None}
    if len(known) < len(links):
        notes.append(
            "Without all transition tables only the label spaces are compared: moved and merged codes are not known, "
            "nor splits in which the old code goes on."
        )
        return VersionPair((old, new), before, after, None, place, notes)
    backward = old.isdecimal() and new.isdecimal() and int(old) > int(new)
    check_links(known, *((after, before) if backward else (before, after)), place.facts)
    whole = chain(list(known.values()))
    transitions = reverse(whole) if backward else whole
    if unknown := misfits(transitions, before, after):
        notes.append(
            f"The transition tables name {len(unknown)} code(s) that are not terminal in the version of their side "
            f"({', '.join(unknown[:3])}{' …' if len(unknown) > 3 else ''}); are all files of the same edition?"
        )
    return VersionPair((old, new), before, after, transitions, place, notes)


def open_entries(version: str, pair: VersionPair) -> pl.DataFrame | None:
    """Return the entries of Alpha-ID of one of the versions, None where it is missing; odd ones are noted."""
    name = f"Alpha-ID {version}"
    found = _if_there(partial(open_catalogue, "alphaid", version, pair.place), name, pair.notes)
    if found is None:
        return None
    codes = valid_codes(found[0])
    space, catalogue = pair.old if version == pair.versions[0] else pair.new, f"ICD-10-GM {version}"
    if unknown := check_alphaid(codes, space, (name, catalogue)):
        pair.notes.append(
            f"{name} has {len(unknown)} code(s) that are not terminal in {catalogue} ({', '.join(unknown[:3])}"
            f"{' …' if len(unknown) > 3 else ''}); are both of the same year?"
        )
    return found[0]


def _check_named(old: str, new: str, place: CataloguePlace) -> None:
    """Raise InputError where a file is named for what is not read here."""
    read = [f"{dataset}-{version}" for dataset in ("icd10gm", "alphaid") for version in (old, new)]
    read += [f"transitions-{link}" for link in links_between(old, new)]
    if other := [name for name in place.named if name not in read]:
        raise InputError(f"--catalogue: {', '.join(other)} is not read here; name files for {', '.join(read)}")


def _if_there(open_it: Callable[[], T], name: str, notes: list[str]) -> T | None:
    try:
        return open_it()
    except MissingCatalogueError as error:
        notes.append(f"Not available: {name} ({error}).")
        return None
