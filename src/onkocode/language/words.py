"""The units that patterns are matched on: whole words, or the parts of compounds, with typing errors mended."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache

from onkocode.language.compounds import Compounds, Part
from onkocode.language.patterns import FILLERS, Word, is_filler
from onkocode.language.spelling import fold, stem
from onkocode.language.tokens import Token
from onkocode.language.vocabulary import SHORT, SURE, Vocabulary

LONG = 7  # letters of a stem that is compared with others
LONGEST = 40  # letters of a word that is taken apart
REMEMBERED = 65536  # words
FUNCTION_WORDS = FILLERS | frozenset(
    ("bei", "mit", "nach", "ohne", "aus", "bis", "vor", "kein", "keine", "neu", "unter", "über")
)
_PLURALS = str.maketrans("äöü", "aou")


@dataclass(frozen=True)
class Unit:
    """A word or a part of a compound.

    Attributes:
        features: the names under which patterns find it.
        token: index of its token.
        corrected: whether its spelling was mended.
        cut: whether a dot stands for the rest of the word, which is no noun.
    """

    features: frozenset[str]
    token: int
    corrected: bool = False
    cut: bool = False


Read = tuple[frozenset[str], bool]  # features, and whether the spelling was mended


class Splitter:
    """Takes words apart into those of the tables.

    Args:
        words: of all patterns.
        opaque: see `Compounds`.
    """

    def __init__(self, words: Iterable[Word], opaque: Container[str] = frozenset()) -> None:
        self._vocabulary = Vocabulary(words)
        self._compounds = Compounds(self._vocabulary, opaque)
        self._parts = lru_cache(maxsize=REMEMBERED)(self._read)
        self._completed = lru_cache(maxsize=REMEMBERED)(self._compounds.completed)

    def units(self, tokens: list[Token]) -> list[Unit]:
        """Return the units of tokens, without fillers and marks."""
        hurried = _is_hurried(tokens)
        return [
            Unit(features, number, mended, self._is_cut(tokens, number))
            for number, token in enumerate(tokens)
            if token.is_word and (not is_filler(token.text) or _is_grade(tokens, number))
            for features, mended in self._parts_at(tokens, number, hurried)
        ]

    def joined(self, tokens: list[Token]) -> list[Token]:
        """Return tokens with words put together that blanks cut (Ober Schenkel, karzi nom)."""
        found: list[Token] = []
        for token in tokens:
            last = found[-1] if found else None
            if last and last.text == "-" and len(found) > 1 and self._hyphened(found[-2], token):
                found[-2:] = [Token(found[-2].text + token.text, found[-2].start, token.end, token.source)]
            elif last and self._belong(last, token):
                found[-1] = Token(last.text + token.text, last.start, token.end, last.source)
            else:
                found.append(token)
        return found

    def knows(self, text: str) -> bool:
        """Tell whether a word consists of known ones."""
        folded = fold(text)
        return stem(folded) in self._vocabulary.stems or bool(self._compounds.split(folded))

    def _is_cut(self, tokens: list[Token], number: int) -> bool:
        token = tokens[number]
        dotted = token.text[0].islower() and _is_dotted(tokens, number)
        return dotted and len(token.text) <= LONG and not self.knows(token.text)

    def _parts_at(self, tokens: list[Token], number: int, hurried: bool) -> list[Read]:
        token = tokens[number]
        folded = fold(token.text)
        cut_short = _is_dotted(tokens, number) or (hurried and len(folded) > SURE and not self.knows(token.text))
        if cut_short and stem(folded) not in self._vocabulary.stems:
            full = self._completed(folded)
            if full:
                return self._features(full)
        return self._parts(token.text)

    def _hyphened(self, left: Token, right: Token) -> bool:
        """Tell whether a hyphen stands in an adjective of the tables (retro-peritoneal)."""
        if left.source or right.source or right.start - left.end > 1:
            return False
        whole = left.text + right.text
        return right.text.islower() and whole.isalpha() and stem(fold(whole)) in self._vocabulary.stems

    def _belong(self, left: Token, right: Token) -> bool:
        if not (left.text.isalpha() and right.text.isalpha()) or left.source:
            return False
        if right.start - left.end > (0 if right.source else 1):
            return False
        whole = fold(left.text + right.text)
        if {left.text.lower(), right.text.lower()} & FUNCTION_WORDS or len(whole) < SURE + SHORT:
            return False
        if whole in self._vocabulary.forms:
            return True
        return not self.knows(left.text) and bool(self._compounds.split(whole))

    def _read(self, text: str) -> list[Read]:
        folded = fold(text)
        base = stem(folded)
        own = self._vocabulary.features(base, folded)
        if base in self._vocabulary.stems:
            parts = self._compounds.known(base)
            return [(features | own, mended) for features, mended in self._features(parts)] or [(own, False)]
        if not SURE <= len(folded) <= LONGEST or not folded.isalpha():
            return [(own, False)]
        if parts := self._taken_apart(folded, base):
            return self._features(parts)
        plain = text.lower().translate(_PLURALS)
        plural = plain != text.lower() and self.knows(plain)  # Stimmbänder
        return self._parts(plain) if plural else [(own, False)]

    def _taken_apart(self, folded: str, base: str) -> list[Part]:
        if parts := self._compounds.split(folded):
            return parts
        mended = self._vocabulary.mended(folded) or (self._vocabulary.mended(base) if len(base) > LONG else None)
        if mended:
            return [Part(mended, mended=True)]
        return self._compounds.mended(folded) or self._compounds.split(folded, whole=False)

    def _features(self, parts: Iterable[Part]) -> list[Read]:
        read: list[Read] = []
        for part in parts:
            own = self._vocabulary.features(part.key, part.key + part.rest)
            inner = self._compounds.known(part.key) if not part.rest else []
            parts_of = [self._vocabulary.features(sub.key, sub.key) | own for sub in inner]
            read += [(features, part.mended) for features in parts_of or [own]]
        return read


def _is_dotted(tokens: list[Token], number: int) -> bool:
    follows = tokens[number + 1] if number + 1 < len(tokens) else None
    return follows is not None and follows.text == "." and follows.start == tokens[number].end


def _is_grade(tokens: list[Token], number: int) -> bool:
    """Tell whether a letter belongs to a number (3a)."""
    before = tokens[number - 1] if number else None
    return before is not None and before.text.isdigit() and before.end == tokens[number].start


def _is_hurried(tokens: list[Token]) -> bool:
    """Tell whether a text was typed without a thought for capitals, so that words may be cut short without a dot."""
    texts = [token.text for token in tokens if token.text.isalpha() and token.source is None]
    return len(texts) > 1 and (all(map(str.islower, texts)) or all(map(str.isupper, texts)))
