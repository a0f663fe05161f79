"""Abbreviations by the table that reads them: its rows without a condition, from the meaning back to the short form."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from onkocode.language.abbreviations import Abbreviation
from onkocode.language.rows import read_table, shipped
from onkocode.language.spelling import fold, stem
from onkocode.questions.abbreviations import Pick, load_abbreviations

WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
SHORTER = 3  # letters that an abbreviation saves at least
MOST_ROWS = 4  # of one meaning


@dataclass(frozen=True)
class Short:
    """A short form, and the row that it is of."""

    text: str
    place: str


@cache
def shorts() -> dict[tuple[str, ...], list[Short]]:
    """Return the short forms of each meaning, by the stems of its words."""
    rows: list[Abbreviation] = [
        row
        for row in read_table("abbreviations", "abbreviations.tsv", shipped("abbreviations"))
        if isinstance(row, Abbreviation)
    ]
    readings = Counter(row.key for row in rows)
    found: dict[tuple[str, ...], list[Short]] = {}
    for row in rows:
        if not row.conditions and readings[row.key] == 1 and len(row.written) + SHORTER <= len(row.meaning):
            found.setdefault(_stems(row.meaning), []).append(Short(row.written, f"abbreviations.tsv:{row.line}"))
    return {meaning: forms[:MOST_ROWS] for meaning, forms in found.items()}


@cache
def written_shorts(version: str) -> frozenset[str]:
    """Return the short forms that the table for writing has."""
    return frozenset(row.short.strip("-").lower() for row in load_abbreviations(version).rows)


def _stems(text: str) -> tuple[str, ...]:
    return tuple(stem(fold(word)) for word in WORD.findall(text))


@cache
def _longest() -> int:
    return max(map(len, shorts()))


def shortened(text: str, pick: Pick, without: Sequence[str] = ()) -> tuple[str, list[str]]:
    """Return a text in which one meaning is written short, and the rows used; unchanged where it holds none.

    Args:
        text: to shorten.
        pick: draws.
        without: short forms that are not used.
    """
    words = list(WORD.finditer(text))
    stems = [stem(fold(word[0])) for word in words]
    places = []
    for start in range(len(words)):
        for end in range(min(len(words), start + _longest()), start, -1):
            forms = [form for form in shorts().get(tuple(stems[start:end]), ()) if form.text not in without]
            if forms:
                places.append((start, end, forms))
                break
    if not places:
        return text, []
    start, end, forms = pick(places)
    form = pick(forms)
    return text[: words[start].start()] + form.text + text[words[end - 1].end() :], [form.place]
