"""Rows of tables beside their cells, to look for faults: every row that can be read, and why others cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from onkocode.language.patterns import Alternative, PatternError
from onkocode.language.rows import READERS, Cells, Place, read_rows, shipped

Own = Mapping[str, tuple[str, str]]  # name and content of a user's tables by key


@dataclass(frozen=True)
class Problem:
    """What is wrong, and where.

    Attributes:
        kind: malformed, code, name, contradiction, cycle or never.
        place: of the row.
        message: what is wrong with it.
    """

    kind: str
    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True)
class Entry:
    """A row as the engine reads it, and its cells.

    Attributes:
        table: key of `READERS`.
        place: where it stands.
        row: as read.
        cells: by column.
        own: whether it is of a user's table.
    """

    table: str
    place: Place
    row: Any
    cells: Cells
    own: bool

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        """The alternatives of its pattern; none where it has no pattern."""
        return getattr(self.row, "pattern", ())

    def written(self, number: int) -> str:
        """Return an alternative as it is written."""
        return self.cells["pattern"].split(" | ")[number].strip()


def read_entries(own: Own, problems: list[Problem], also_shipped: bool = True) -> dict[str, list[Entry]]:
    """Return the rows of all tables in the order that they count in, a user's first; problems gets the faulty ones."""
    found: dict[str, list[Entry]] = {}
    for table in READERS:
        sources = [_entries(table, *own[table], own=True)] if table in own else []
        sources += [_shipped_entries(table)] if also_shipped else []
        found[table] = [entry for entries, _ in sources for entry in entries]
        problems += [problem for _, faulty in sources for problem in faulty]
    return found


def histologies_first(entries: Mapping[str, list[Entry]]) -> list[list[Entry]]:
    """Return the lists in which rows of a table come one before another; those of haematology precede histologies."""
    joined = [*entries["haematology"], *entries["histologies"]]
    return [joined, *(rows for table, rows in entries.items() if table not in ("haematology", "histologies"))]


@cache
def _shipped_entries(table: str) -> tuple[list[Entry], list[Problem]]:
    return _entries(table, f"{table}.tsv", shipped(table), own=False)


def _entries(table: str, name: str, text: str, own: bool) -> tuple[list[Entry], list[Problem]]:
    found = []
    lines = text.lstrip("\ufeff").splitlines()
    long = _too_long(lines)
    problems = [Problem("malformed", Place(name, line), message) for line, message in long.items()]
    sound = "\n".join("" if number in long else line for number, line in enumerate(lines, 1))
    for place, cells in read_rows(name, sound):
        try:
            found.append(Entry(table, place, READERS[table](place, cells), cells, own))
        except PatternError as error:
            problems.append(Problem("malformed", place, str(error)))
        except KeyError as error:
            header = Place(name, _header(lines))
            problems.append(Problem("malformed", header, f"no column {error}; the header names the columns"))
            break
    return found, problems


def _header(lines: list[str]) -> int:
    return next(number for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#"))


def _too_long(lines: list[str]) -> dict[int, str]:
    """Return the lines that have more cells than the header, with what is wrong."""
    rows = [(number, line.count("\t") + 1) for number, line in enumerate(lines, 1) if line[:1] not in ("", "#")]
    wanted = rows[0][1] if rows else 0
    return {
        number: f"{cells} cells, but {wanted} columns; cells are parted by tabs"
        for number, cells in rows
        if cells > wanted and lines[number - 1].strip()
    }
