"""The rows of the tables, read with the place where each stands."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from onkocode.language.abbreviations import Abbreviation, parse_conditions
from onkocode.language.patterns import Alternative, PatternError, parse_pattern
from onkocode.records.errors import InputError, first_of

Pattern = tuple[Alternative, ...]
TISSUES = ("skin", "soft", "bone", "nodes", "other")
Tissue = Literal["skin", "soft", "bone", "nodes", "other"]
ROLES = (
    *("history", "current", "negated", "free", "alternative", "uncertain", "infiltrated", "origin", "family"),
    *("metastasis", "spread", "unknown", "procedure", "remission", "other"),
)
REACHES = ("after", "before", "clause", "closing", "word", "token")


@dataclass(frozen=True)
class Place:
    """Where a row stands."""

    table: str
    line: int

    def __str__(self) -> str:
        return f"{self.table}:{self.line}"


@dataclass(frozen=True)
class Site:
    """A name of an organ or of a part of it; one with `under` counts only where one of these organs is meant."""

    organ: str
    code: str
    pattern: Pattern
    under: tuple[str, ...]
    place: Place


@dataclass(frozen=True)
class Region:
    """A name of a region, its code by the tissue of a tumour, and whether it alone names its lymph nodes."""

    region: str
    pattern: Pattern
    codes: Mapping[str, str]
    stations: bool
    place: Place


@dataclass(frozen=True)
class Procedure:
    """A name of a procedure that tells the organ."""

    pattern: Pattern
    organ: str
    code: str
    place: Place


@dataclass(frozen=True)
class Histology:
    """A name of a kind of tumour: code, tissue, the site where none is named, and an ICD-10 code of its own."""

    code: str
    kind: str
    pattern: Pattern
    site: str
    weak: bool
    icd10: str
    place: Place


@dataclass(frozen=True)
class Behaviour:
    """Words that tell the behaviour."""

    pattern: Pattern
    behaviour: str
    place: Place


@dataclass(frozen=True)
class Cue:
    """Words that tell what the words around them are: their role, and how far it reaches."""

    pattern: Pattern
    role: str
    reach: str
    place: Place


@dataclass(frozen=True)
class Combination:
    """A rule from behaviour, morphology and topography to a code of ICD-10."""

    behaviour: str
    morphologies: tuple[tuple[int, int], ...]
    topographies: tuple[tuple[str, str], ...]
    icd10: str
    place: Place


@dataclass(frozen=True)
class Finer:
    """Words that tell a code of ICD-10-GM more finely than topography does."""

    icd10: str
    pattern: Pattern
    finer: str
    place: Place


@dataclass(frozen=True)
class Dispute:
    """Codes of ICD-10 that are all defensible for a morphology at a site."""

    morphologies: tuple[str, ...]  # 8130/2, or a range of numbers
    topographies: tuple[tuple[str, str], ...]
    codes: tuple[str, ...]
    place: Place


Cells = Mapping[str, str]


def read_rows(name: str, text: str) -> Iterator[tuple[Place, dict[str, str]]]:
    """Yield the rows of a table with their places.

    Args:
        name: of the table, for messages.
        text: TSV with a header; lines that begin with # are comments.

    Raises:
        InputError: a row has more cells than the header.
    """
    header: list[str] = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        if not header:
            header = cells
            continue
        if len(cells) > len(header):
            raise InputError(
                f"{name}:{number}: {len(cells)} cells, but {len(header)} columns; cells are parted by tabs"
            )
        yield Place(name, number), dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=True))


def _pattern(cells: Cells) -> Pattern:
    return parse_pattern(cells["pattern"])


def _site(place: Place, cells: Cells) -> Site:
    under = tuple(key.strip() for key in cells["under"].split(",") if key.strip())
    return Site(cells["organ"], cells["code"], _pattern(cells), under, place)


def _region(place: Place, cells: Cells) -> Region:
    codes = {tissue: cells[tissue] for tissue in TISSUES if cells[tissue] not in ("", "-")}
    return Region(cells["region"], _pattern(cells), codes, cells["stations"] == "yes", place)


def _procedure(place: Place, cells: Cells) -> Procedure:
    return Procedure(_pattern(cells), cells["organ"], cells["code"], place)


def _histology(place: Place, cells: Cells) -> Histology:
    site = cells["site"]
    own = cells["icd10"]
    return Histology(cells["code"], cells["kind"], _pattern(cells), site.rstrip("?"), site.endswith("?"), own, place)


def _behaviour(place: Place, cells: Cells) -> Behaviour:
    return Behaviour(_pattern(cells), cells["behaviour"], place)


def _cue(place: Place, cells: Cells) -> Cue:
    if cells["role"] not in ROLES or cells["reach"] not in REACHES:
        raise PatternError(f"role is one of {', '.join(ROLES)}, reach one of {', '.join(REACHES)}")
    return Cue(_pattern(cells), cells["role"], cells["reach"], place)


def _abbreviation(place: Place, cells: Cells) -> Abbreviation:
    if not cells["abbreviation"] or not cells["meaning"]:
        raise PatternError("an abbreviation and its meaning must be there")
    return Abbreviation(cells["abbreviation"], cells["meaning"], parse_conditions(cells["context"]), place.line)


def _combination(place: Place, cells: Cells) -> Combination:
    morphologies = tuple(_numbers(part) for part in cells["morphology"].split())
    return Combination(cells["behaviour"], morphologies, _ranges(cells["topography"]), cells["icd10"], place)


def _dispute(place: Place, cells: Cells) -> Dispute:
    codes = tuple(cells["icd10"].split())
    return Dispute(tuple(cells["morphology"].split()), _ranges(cells["topography"]), codes, place)


def _numbers(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"\d{4}(-\d{4})?", text):
        raise PatternError(f"{text!r} is no number or range of morphology")
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _ranges(text: str) -> tuple[tuple[str, str], ...]:
    if not re.fullmatch(r"C\d\d\.\d(-C\d\d\.\d)?( C\d\d\.\d(-C\d\d\.\d)?)*", text):
        raise PatternError(f"{text!r} is no list of topographies")
    return tuple((first, last or first) for first, _, last in (part.partition("-") for part in text.split()))


READERS: dict[str, Callable[[Place, Cells], object]] = {
    "abbreviations": _abbreviation,
    "sites": _site,
    "regions": _region,
    "procedures": _procedure,
    "histologies": _histology,
    "haematology": _histology,
    "behaviour": _behaviour,
    "cues": _cue,
    "metastases": lambda place, cells: Combination("6", (), _ranges(cells["topography"]), cells["icd10"], place),
    "combination": _combination,
    "alternatives": _dispute,
    "finer": lambda place, cells: Finer(cells["icd10"], _pattern(cells), cells["finer"], place),
}


def read_table(table: str, name: str, text: str) -> list[object]:
    """Return the rows of a table.

    Args:
        table: key of `READERS`.
        name: of the file, for messages.
        text: its content.

    Raises:
        InputError: with every row that cannot be read.
    """
    rows, problems = [], []
    for place, cells in read_rows(name, text):
        try:
            rows.append(READERS[table](place, cells))
        except (PatternError, KeyError) as error:
            problems.append(f"{place}: {error}" if isinstance(error, PatternError) else f"{place}: no column {error}")
    if problems:
        raise InputError(f"the table of {table} cannot be read:\n{first_of(problems)}")
    return rows


def shipped(table: str) -> str:
    """Return the content of a table of the program."""
    return resources.files("onkocode.language").joinpath(f"tables/{table}.tsv").read_text(encoding="utf-8")


def own_tables(folder: Path) -> dict[str, tuple[str, str]]:
    """Return a user's tables by key: name and content; raises InputError for a file that is no table."""
    found = {}
    for path in sorted(folder.glob("*.tsv")):
        if path.stem not in READERS:
            raise InputError(f"{path}: no table of that name; there are {', '.join(READERS)}")
        found[path.stem] = (str(path), path.read_text(encoding="utf-8"))
    return found
