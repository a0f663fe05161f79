"""Patterns of the tables: sets of words that must all occur, and which rows of a table a text matches."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from onkocode.language.spelling import fold, stem

_WORD = re.compile(r'"[^"]*"|\([^()]*\)|\S+')
_PART = re.compile(r"[^\W\d_]+~?|\d+", re.UNICODE)
# Words that carry nothing where words stand side by side: "Kopf des Pankreas" is "Kopf Pankreas".
TYPES = frozenset(("A", "ET"))
FILLERS = frozenset(
    (
        *(
            "der",
            "die",
            "das",
            "des",
            "dem",
            "den",
            "im",
            "in",
            "am",
            "an",
            "vom",
            "von",
            "zum",
            "zur",
            "ein",
            "eine",
            "eines",
        ),
        *("einer", "einem", "einen", "the", "of", "a", "auf", "als", "und", "and", "et"),
    )
)


class PatternError(ValueError):
    """A pattern that cannot be read."""


class Word(NamedTuple):
    """A word of a pattern: a stem, or a beginning of words (with ~).

    Attributes:
        key: the stem, or the beginning.
        begins: whether it is a beginning.
        form: the word as it was folded.
        feature: the name under which a text has it.
    """

    key: str
    begins: bool
    form: str
    feature: str


@cache
def word_of(written: str) -> Word:
    """Return a word of a pattern as it is compared."""
    folded = fold(written.removesuffix("~"))
    if written.endswith("~"):
        return Word(folded, True, folded, f"{folded}~")
    return Word(stem(folded), False, folded, stem(folded))


Choice = tuple[Word, ...]  # side by side
Group = tuple[Choice, ...]  # one of these


def is_filler(word: str) -> bool:
    """Tell whether a word carries nothing; in capitals some are types (Thymom Typ A, post-ET)."""
    return word not in TYPES and word.lower() in FILLERS


@dataclass(frozen=True)
class Alternative:
    """Words that must all occur, words side by side, and words that must not occur."""

    groups: tuple[Group, ...]
    phrases: tuple[tuple[Group, ...], ...] = ()
    absent: tuple[tuple[Word, ...], ...] = ()

    def words(self) -> Iterator[Word]:
        """Yield every word, those that must not occur too."""
        for group in self.groups:
            for choice in group:
                yield from choice
        for together in self.absent:
            yield from together

    @property
    def weight(self) -> int:
        """How many words it asks for."""
        return len(self.groups)


def parse_pattern(text: str) -> tuple[Alternative, ...]:
    """Return the alternatives of a pattern; raises PatternError."""
    return tuple(_alternative(part.strip()) for part in text.split(" | "))


def _alternative(text: str) -> Alternative:
    if text.count('"') % 2 or text.count("(") != text.count(")"):
        raise PatternError(f"{text!r}: a quotation mark or bracket has no partner")
    groups: list[Group] = []
    phrases: list[tuple[Group, ...]] = []
    absent: list[tuple[Word, ...]] = []
    for piece in _WORD.findall(text):
        if piece.startswith('"'):
            phrase = tuple(group for inner in _WORD.findall(piece[1:-1]) for group in _groups(inner))
            groups += phrase
            if len(phrase) > 1:
                phrases.append(phrase)
        elif piece.startswith("-") and len(piece) > 1:
            found = _groups(piece[1:])
            absent += found[0] if len(found) == 1 else [tuple(group[0][0] for group in found)]
        else:
            found = _groups(piece)
            groups += found
            if len(found) > 1:  # joined by a hyphen
                phrases.append(tuple(found))
    if not groups:
        raise PatternError(f"{text!r}: no word must occur")
    return Alternative(tuple(groups), tuple(phrases), tuple(absent))


def _groups(piece: str) -> list[Group]:
    if piece.startswith("("):
        choices = [tuple(word_of(word) for word in _PART.findall(choice)) for choice in piece[1:-1].split("/")]
        return [tuple(filter(None, choices))] if any(choices) else []
    return [((word_of(word),),) for word in _PART.findall(piece) if not is_filler(word)]


@dataclass(frozen=True)
class Match:
    """An alternative of a row that a text matches.

    Attributes:
        row: index in the table.
        weight: words asked for.
        letters: of those words.
        places: indices of the units that matched, in the order of the text.
    """

    row: int
    weight: int
    letters: int
    places: tuple[int, ...]


@dataclass
class Matcher:
    """Finds the rows of a table whose pattern a text matches.

    Args:
        patterns: of the rows, in their order.
    """

    patterns: Sequence[tuple[Alternative, ...]]
    _index: dict[str, list[tuple[int, Alternative]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        every = [(row, alternative) for row, alternatives in enumerate(self.patterns) for alternative in alternatives]
        counts = Counter(
            feature for _, alternative in every for group in alternative.groups for feature in _first(group)
        )
        index = defaultdict(list)
        for row, alternative in every:
            rarest = min(alternative.groups, key=lambda group: sum(counts[feature] for feature in _first(group)))
            for feature in _first(rarest):
                index[feature].append((row, alternative))
        self._index = dict(index)

    def matches(self, units: Sequence[Collection[str]], places: Sequence[int] | None = None) -> list[Match]:
        """Return the matches, at most one (the heaviest) per row, in the order of rows.

        Args:
            units: the features of each unit of a text.
            places: the units that count; None = all.
        """
        counted = range(len(units)) if places is None else places
        where: dict[str, list[int]] = {}
        for place in counted:
            for feature in units[place]:
                where.setdefault(feature, []).append(place)
        best: dict[int, Match] = {}
        for feature in where:
            for row, alternative in self._index.get(feature, ()):
                if row in best and best[row].weight >= alternative.weight:
                    continue
                found = _places(alternative, where, counted)
                if found is not None:
                    best[row] = Match(row, alternative.weight, *found)
        return [best[row] for row in sorted(best)]


def _first(group: Group) -> list[str]:
    """Return the features of which a text has to have one, for a group to match."""
    return [choice[0].feature for choice in group]


def _places(
    alternative: Alternative, where: Mapping[str, list[int]], counted: Sequence[int]
) -> tuple[int, tuple[int, ...]] | None:
    """Return the letters and the places of the words, or nothing where one is missing or one too many."""
    places: set[int] = set()
    letters = 0
    for group in alternative.groups:
        found = [(choice, at) for choice in group if (at := _choice_places(choice, where, counted))]
        if not found:
            return None
        letters += max(sum(len(word.key) for word in choice) for choice, _ in found)
        places.update(place for _, at in found for place in at)
    if any(_choice_places(together, where, counted) for together in alternative.absent):
        return None
    if all(_side_by_side(phrase, where, counted) for phrase in alternative.phrases):
        return letters, tuple(sorted(places))
    return None


def _choice_places(choice: Choice, where: Mapping[str, list[int]], counted: Sequence[int]) -> list[int]:
    if len(choice) == 1:
        return where.get(choice[0].feature, [])
    if any(word.feature not in where for word in choice):
        return []
    order = {place: number for number, place in enumerate(counted)}
    at = [{order[place] for place in where[word.feature]} for word in choice]
    starts = [start for start in at[0] if all(start + step in there for step, there in enumerate(at))]
    return [counted[start + step] for start in starts for step in range(len(choice))]


def _side_by_side(phrase: tuple[Group, ...], where: Mapping[str, list[int]], counted: Sequence[int]) -> bool:
    order = {place: number for number, place in enumerate(counted)}
    at = [{order[place] for choice in group for place in where.get(choice[0].feature, ())} for group in phrase]
    return any(all(start + step in places for step, places in enumerate(at)) for start in at[0])


def vocabulary(patterns: Iterable[tuple[Alternative, ...]]) -> set[Word]:
    """Return the words of patterns."""
    return {word for alternatives in patterns for alternative in alternatives for word in alternative.words()}
