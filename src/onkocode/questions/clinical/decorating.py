"""What stands around the name of a tumour: frames, and decorations such as stage, markers, dates, therapies."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from onkocode.questions.abbreviations import Pick
from onkocode.questions.clinical.files import read_cells, read_lines
from onkocode.questions.clinical.fits import ranges, within

SLOT = re.compile(r"\{(\w+)\}")
MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli"),
    *("August", "September", "Oktober", "November", "Dezember"),
)
SLOTS: Mapping[str, Sequence[str]] = {
    "t": ("1", "1a", "1b", "1c", "2", "2a", "2b", "3", "3a", "4", "4a"),
    "n": ("0", "0", "1", "1a", "1b", "2", "2a", "X", "0 (0/12)", "1 (2/15)"),
    "g": ("1", "2", "3"),
    "roman": ("I", "IA", "IB", "II", "IIA", "IIB", "III", "IIIA", "IIIB", "IV"),
    "roman3": ("I", "II", "III"),
    "figo": ("IA", "IB", "IIA", "IIB", "IIIA", "IIIC", "IV"),
    "ab": ("A", "B"),
    "percent": tuple(str(number) for number in range(5, 100, 5)),
    "ki": tuple(str(number) for number in (2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 60, 70, 80, 90)),
    "gleason": ("3+3=6", "3+4=7a", "4+3=7b", "4+4=8", "4+5=9", "5+4=9", "7a", "7b (4+3)"),
    "psa": tuple(f"{whole},{part}" for whole in (2, 4, 5, 7, 9, 12, 18, 34) for part in range(0, 10, 3)),
    "big": tuple(str(number) for number in range(45, 2500, 73)),
    "breslow": tuple(f"{whole},{part}" for whole in range(5) for part in range(1, 10)),
    "size": tuple(f"{whole},{part}" for whole in range(1, 9) for part in range(10)),
    "mm": tuple(str(number) for number in range(4, 95)),
    "day": tuple(f"{number:02d}" for number in range(1, 29)),
    "month": tuple(f"{number:02d}" for number in range(1, 13)),
    "monthname": MONTHS,
    "year": tuple(str(number) for number in range(2006, 2026)),
    "short": tuple(f"{number:02d}" for number in range(6, 26)),
    "age": tuple(str(number) for number in range(35, 91)),
}


@dataclass(frozen=True)
class Decoration:
    """A row: its group, where it fits, and what it says."""

    group: str
    topographies: tuple[tuple[str, str], ...]
    kinds: tuple[str, ...]
    text: str

    def fits(self, topography: str, kind: str, behaviour: str) -> bool:
        """Tell whether it goes with a tumour."""
        if self.topographies and not within(topography, self.topographies):
            return False
        return not self.kinds or kind in self.kinds or f"{kind}/{behaviour}" in self.kinds


@dataclass(frozen=True)
class Frame:
    """Words around the parts of a text."""

    style: str
    text: str

    @property
    def parts(self) -> set[str]:
        """Names of the parts that it holds."""
        return set(SLOT.findall(self.text))


@cache
def decorations() -> Sequence[Decoration]:
    """Return the rows of the table."""
    return [
        Decoration(cells["group"], ranges(cells["topography"]), tuple(cells["kinds"].split()), cells["text"])
        for cells in read_cells("decorations.tsv")
    ]


@cache
def frames(style: str) -> Sequence[Frame]:
    """Return the frames of a style, each as often as its weight."""
    rows = [cells for cells in read_cells("frames.tsv") if cells["style"] == style]
    return [Frame(style, cells["text"]) for cells in rows for _ in range(int(cells["weight"]))]


@cache
def fixed_texts() -> Sequence[str]:
    """Return all texts of the data files that stand in composed texts as they are."""
    tables = ("frames.tsv", "decorations.tsv", "latin_kinds.tsv")
    cells = [row for table in tables for row in read_cells(table)]
    latin = [row["latin"] for row in read_cells("latin.tsv")]
    return [SLOT.sub(" ", row.get("text") or row["latin"]) for row in cells] + latin + read_lines("primaries.txt")


@cache
def fitting(topography: str, kind: str, behaviour: str) -> Mapping[str, Sequence[Decoration]]:
    """Return the decorations that go with a tumour, by group."""
    found: dict[str, list[Decoration]] = {}
    for decoration in decorations():
        if decoration.fits(topography, kind, behaviour):
            found.setdefault(decoration.group, []).append(decoration)
    return found


def filled(template: str, pick: Pick, parts: Mapping[str, str] | None = None) -> str:
    """Return a text with its slots filled in, by parts or by draws."""
    return SLOT.sub(lambda slot: (parts or {}).get(slot[1]) or pick(SLOTS[slot[1]]), template)
