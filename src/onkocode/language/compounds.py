"""Compounds, taken apart into words of the tables."""

from collections.abc import Container, Iterator
from typing import NamedTuple

from onkocode.language.spelling import SHORTEST, fold, stem
from onkocode.language.vocabulary import HEADS, MANY, SHORT, SURE, TUMOUR, Vocabulary

LINKS = ("", "s", "n", "en", "e", "er", "es", "ns", "o", "a", "i", "um", "us", "al", "ar", "ae", "is", "ei")
FEW = 4  # words that may be meant by the beginning of one
LONG = 7  # letters of a part that stands behind unknown ones
FURTHER = 6  # letters behind the beginning of a word
SHORTENED = "."  # in the place of letters: a head that is cut short
UNKNOWN_LETTER = 2.0  # costs of a split; a part costs 1
SHORT_HEADS = {
    fold(short): stem(fold(word))
    for word, shorts in {
        "Karzinom": ("ca", "karz", "karzin", "carc"),
        "Metastase": ("met", "mets", "metas", "metast", "fil", "filia"),
        "Tumor": ("tu", "tum"),
        "Sarkom": ("sa", "sark"),
    }.items()
    for short in shorts
}


class Part(NamedTuple):
    """A part of a word.

    Attributes:
        key: stem of a word of the tables, or the beginning of words; empty = a letter that belongs to none.
        rest: letters behind a beginning, or the letter.
        mended: whether its spelling was mended.
    """

    key: str
    rest: str = ""
    mended: bool = False


Step = tuple[int, float, Part]


class Compounds:
    """Takes folded words apart.

    Args:
        vocabulary: words of the tables.
        opaque: stems of those that mean something else than their parts, as names of organs do (Gebärmutterhals).
    """

    def __init__(self, vocabulary: Vocabulary, opaque: Container[str]) -> None:
        self._vocabulary = vocabulary
        self._opaque = opaque

    def split(self, folded: str, whole: bool = True, without: str = "") -> list[Part]:
        """Return the parts with the least cost, or nothing.

        Args:
            folded: the word.
            whole: every letter must belong to a part.
            without: a word that is no part; then beginnings of words are none either.
        """
        size = len(folded)
        best: list[tuple[float, tuple[Part, ...]] | None] = [(0.0, ()), *([None] * size)]
        for at in range(size):
            reached = best[at]
            if reached is None:
                continue
            for end, extra, part in self._steps(folded, at, plain=bool(without)):
                known = best[end]
                if not (without and part.key == without) and (known is None or reached[0] + extra < known[0]):
                    best[end] = (reached[0] + extra, (*reached[1], part))
        last = best[size]
        return self._accepted(last[1] if last else (), whole)

    def known(self, base: str) -> list[Part]:
        """Return the parts of a word of the tables that means what they mean, or ends with a head like Karzinom."""
        head = next((head for head in HEADS if base.endswith(head) and len(base) > len(head) + SHORT), None)
        if head and head in self._vocabulary.stems:
            parts = self.split(base[: -len(head)], without=base)
            return [*parts, Part(head)] if parts else []
        if base in self._opaque:
            return []
        parts = self.split(base, without=base)
        return parts if len(parts) > 1 and len(parts[-1].key) >= SURE else []

    def mended(self, folded: str) -> list[Part]:
        """Return the parts of a compound of which the last or the first one has a typing error."""
        for short, head in SHORT_HEADS.items():
            first = self._vocabulary.mended(folded[: -len(short)], MANY - 2) if folded.endswith(short) else None
            if first:
                return [Part(first, mended=True), Part(head)]
        for cut in range(SHORTEST, len(folded) - SURE):
            left = self.split(folded[:cut])
            last = self._vocabulary.mended(folded[cut:], MANY - 2) if left else None
            if last:
                return [*left, Part(last, mended=True)]
        for cut in range(len(folded) - SHORTEST, SURE, -1):
            right = self.split(folded[cut:])
            first = self._vocabulary.mended(folded[:cut], MANY - 2) if right else None
            if first:
                return [Part(first, mended=True), *right]
        return []

    def completed(self, folded: str) -> list[Part]:
        """Return the parts of a word that a dot cut short: with the shortest word that begins so (Retinobl.)."""
        forms = self._vocabulary.forms
        if len(folded) < SURE or not folded.isalpha():
            return []
        begun = self._vocabulary.begun(folded)
        headed = self.split(folded)
        if any(part.rest == SHORTENED for part in headed) and not (begun and begun[0].endswith(TUMOUR)):
            return headed
        if begun:
            return [Part(forms[begun[0]])]
        for cut in range(len(folded) - SHORT, SHORT, -1):
            left = self.split(folded[:cut])
            begun = self._vocabulary.begun(folded[cut:]) if left else []
            if begun and len({forms[form] for form in begun}) <= FEW:
                return [*left, Part(forms[begun[0]])]
        return []

    def _steps(self, folded: str, at: int, plain: bool) -> Iterator[Step]:
        yield at + 1, UNKNOWN_LETTER, Part("", folded[at])
        if folded[at:] in SHORT_HEADS and at > SHORT:
            yield len(folded), 1.0, Part(SHORT_HEADS[folded[at:]], SHORTENED)
        for form, key, begins in self._vocabulary.by_letters.get(folded[at : at + SHORT], ()):
            if folded.startswith(form, at) and not (begins and plain):
                yield from (_beginning if begins else _linked)(folded, at + len(form), form, key)

    def _accepted(self, path: tuple[Part, ...], whole: bool) -> list[Part]:
        parts: list[Part] = []
        unknown = ""
        for part in (*path, None):
            if part is not None and not part.key:
                unknown += part.rest
                continue
            if unknown:
                between = self._unknown(unknown, parts, part)
                if whole or between is None:
                    return []
                parts += between
            unknown = ""
            if part is not None:
                parts.append(part)
        lost = any(not part.key for part in path)
        inside = lost and not path[0].key and not path[-1].key
        return [] if inside or (lost and any(part.rest == SHORTENED for part in path)) else parts

    def _unknown(self, letters: str, before: list[Part], after: Part | None) -> list[Part] | None:
        """Return what letters between parts may be, none for nothing; None where the parts are too short to be sure."""
        mended = self._vocabulary.mended(letters) if len(letters) > SURE else None
        if mended:
            return [Part(mended, mended=True)]
        short = (before and len(before[-1].key) < SURE) or (after is not None and len(after.key) < SURE)
        begins = not before and after is not None and len(after.key) < LONG and after.key not in HEADS
        return None if short or begins else []


def _beginning(folded: str, end: int, form: str, key: str) -> Iterator[Step]:
    for more in range(min(FURTHER, len(folded) - end) + 1):
        yield end + more, 1.0 + 0.35 * more, Part(key, folded[end : end + more])


def _linked(folded: str, end: int, form: str, key: str) -> Iterator[Step]:
    longest = 0.001 * len(form) ** 2  # of splits with as many parts the one with the longest
    for link in LINKS:
        if folded.startswith(link, end):
            yield end + len(link), 1.0 + 0.1 * len(link) - longest, Part(key)
    if len(form) > SHORT and end < len(folded):  # Hauttumor is folded to hautumor
        yield end - 1, 1.4, Part(key)
