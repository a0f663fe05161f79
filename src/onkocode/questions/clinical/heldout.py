"""Wordings that stay out of training: chosen by hash, never the first one that a row has."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from onkocode.questions.clinical.decorating import fixed_texts
from onkocode.questions.clinical.shortening import shorts, written_shorts
from onkocode.questions.clinical.wordings import Wording
from onkocode.records.ids import shuffled

WORD = re.compile(r"\w+")


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text, small, without marks."""
    return tuple(WORD.findall(text.lower()))


@dataclass(frozen=True)
class Heldout:
    """What stays out of training.

    Attributes:
        wordings: as their words.
        shorts: abbreviations.
    """

    wordings: Set[tuple[str, ...]]
    shorts: Set[str]
    _sizes: Sequence[int] = field(init=False)
    _all: Set[tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        everything = {*self.wordings, *map(words_of, self.shorts)}
        object.__setattr__(self, "_all", everything)
        object.__setattr__(self, "_sizes", sorted({len(words) for words in everything}))

    def holds(self, wording: Wording) -> bool:
        """Tell whether a wording is held out."""
        return words_of(wording.text) in self.wordings

    def stands_in(self, text: str) -> bool:
        """Tell whether a text has a wording or an abbreviation that is held out."""
        return bool(self.found_in([text]))

    def found_in(self, texts: Iterable[str]) -> set[tuple[str, ...]]:
        """Return what of it stands in texts."""
        found: set[tuple[str, ...]] = set()
        for words in map(words_of, texts):
            for size in self._sizes:
                parts = (words[at : at + size] for at in range(len(words) - size + 1))
                found.update(part for part in parts if part in self._all)
        return found


def choose_heldout(worded: Mapping[str, Sequence[Wording]], share: float, seed: int, version: str) -> Heldout:
    """Return the share of wordings and abbreviations that stay out of training.

    A wording that means several things, the first one of a row, and what stands in frames and decorations stay in; so
    do the abbreviations that the table for writing has as well.

    Args:
        worded: wordings of each row.
        share: of the wordings and abbreviations that may be chosen.
        seed: of the choice.
        version: of the table for writing.
    """
    places: dict[tuple[str, ...], set[str]] = {}
    for place, wordings in worded.items():
        for wording in wordings:
            places.setdefault(words_of(wording.text), set()).add(place)
    first = {words_of(wording.text) for wordings in worded.values() for wording in wordings[:1]}
    free = [words for words, rows in places.items() if words and len(rows) == 1 and words not in first]
    around = Heldout(frozenset(free), frozenset()).found_in(fixed_texts())
    free = [words for words in free if words not in around]
    kept = {word for words in first for word in words} | {word for text in fixed_texts() for word in words_of(text)}
    kept |= {words_of(form)[0] for form in written_shorts(version) if len(words_of(form)) == 1}
    forms = {form.text for meant in shorts().values() for form in meant}
    free_forms = sorted(form for form in forms if not kept.issuperset(words_of(form)))
    return Heldout(
        frozenset(_part(free, [" ".join(words) for words in free], share, seed, "clinical-wordings")),
        frozenset(_part(free_forms, free_forms, share, seed, "clinical-abbreviations")),
    )


def _part(items: Iterable[object], ids: Sequence[str], share: float, seed: int, purpose: str) -> list:  # type: ignore[type-arg]
    return shuffled(items, seed, purpose, ids)[: round(share * len(ids))]
