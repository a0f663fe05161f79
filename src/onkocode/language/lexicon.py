"""The tables of clinical language, loaded: ready to read texts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

from onkocode.language.abbreviations import Abbreviations
from onkocode.language.combination import Combinations
from onkocode.language.patterns import Match, Matcher, vocabulary
from onkocode.language.roles import CueFinder
from onkocode.language.rows import (
    READERS,
    Behaviour,
    Finer,
    Histology,
    Pattern,
    Procedure,
    Region,
    Site,
    read_table,
    shipped,
)
from onkocode.language.words import Splitter

Tables = Mapping[str, list[Any]]


class Patterned(Protocol):
    """A row with a pattern."""

    @property
    def pattern(self) -> Pattern: ...  # noqa: D102


Row = TypeVar("Row", bound=Patterned)


class Table(Generic[Row]):
    """Rows, and what finds those that a text matches."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self._matcher = Matcher([row.pattern for row in rows])

    def matches(self, units: Sequence[Collection[str]], places: Sequence[int] | None = None) -> list[Match]:
        """Return the matches in the order of rows (see `Matcher`)."""
        return self._matcher.matches(units, places)


@dataclass(frozen=True)
class Lexicon:
    """All tables with what finds their rows in a text."""

    abbreviations: Abbreviations
    splitter: Splitter
    cue_finder: CueFinder
    combinations: Combinations
    sites: Table[Site]
    regions: Table[Region]
    procedures: Table[Procedure]
    histologies: Table[Histology]
    behaviours: Table[Behaviour]
    finer: Table[Finer]
    organ_of: Mapping[str, str]  # topography to the organ that it is a part of


def build_lexicon(tables: Tables) -> Lexicon:
    """Return a lexicon of tables (rows by key of `READERS`); those of haematology come before other histologies."""
    places = [tables["sites"], tables["regions"], tables["procedures"]]
    histologies = [*tables["haematology"], *tables["histologies"]]
    patterned = [*places, histologies, tables["behaviour"], tables["finer"], tables["cues"]]
    words = vocabulary(row.pattern for rows in patterned for row in rows)
    return Lexicon(
        abbreviations=Abbreviations(tables["abbreviations"]),
        splitter=Splitter(words, _names(places)),
        cue_finder=CueFinder(tables["cues"]),
        combinations=Combinations(tables["combination"], tables["metastases"], tables["alternatives"]),
        sites=Table(tables["sites"]),
        regions=Table(tables["regions"]),
        procedures=Table(tables["procedures"]),
        histologies=Table(histologies),
        behaviours=Table(tables["behaviour"]),
        finer=Table(tables["finer"]),
        organ_of={row.code: row.organ for row in reversed(tables["sites"]) if not row.under},
    )


def _names(places: Iterable[list[Any]]) -> set[str]:
    """Return the words that name a site alone."""
    outright = (row for rows in places for row in rows if not getattr(row, "under", ()))
    alternatives = (alternative for row in outright for alternative in row.pattern)
    return {
        choice[0].key for alternative in alternatives if alternative.weight == 1 for choice in alternative.groups[0]
    }


def load_tables(own: Mapping[str, tuple[str, str]] | None = None) -> dict[str, list[Any]]:
    """Return the rows of all tables; a user's rows come before those of the program.

    Args:
        own: name and content of a user's tables, by key.
    """
    loaded = {}
    for table in READERS:
        mine = read_table(table, *own[table]) if own and table in own else []
        loaded[table] = [*mine, *read_table(table, f"{table}.tsv", shipped(table))]
    return loaded


@cache
def shipped_lexicon() -> Lexicon:
    """Return the lexicon of the program's tables."""
    return build_lexicon(load_tables())
