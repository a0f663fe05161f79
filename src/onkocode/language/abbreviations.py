"""Abbreviations as they are read: written in full; where one has several meanings, by the words around it."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from onkocode.language.spelling import fold, stem
from onkocode.language.tokens import Token, tokenise

MOST_TOKENS = 9
_MARKS = re.compile(r"[^\w]|_")


@dataclass(frozen=True)
class Condition:
    """What has to be in the text, or not, for a meaning."""

    text: str
    absent: bool
    beside: int  # -1 = the token to the left, 1 = to the right, 0 = anywhere


@dataclass(frozen=True)
class Abbreviation:
    """A row: how it is written, its meaning, and when it has that meaning (no condition: always)."""

    written: str
    meaning: str
    conditions: tuple[Condition, ...]
    line: int

    @property
    def key(self) -> str:
        """The letters and digits, small."""
        return _key(self.written)

    @property
    def exact(self) -> bool:
        """Capitals must be as written."""
        letters = _MARKS.sub("", self.written)
        short = len(letters) <= EXACT
        capitals = sum(map(str.isupper, letters))
        mixed = capitals > 1 and any(map(str.islower, letters))
        return mixed or (short and bool(self.conditions)) or (capitals > 1 and (short or bool(self.conditions)))


EXACT = 3


def _key(text: str) -> str:
    return _MARKS.sub("", text).lower()


def parse_conditions(text: str) -> tuple[Condition, ...]:
    """Return the conditions of a cell of the table."""
    return tuple(_condition(part.strip()) for part in text.split(" | ") if part.strip())


def _condition(text: str) -> Condition:
    absent = text.startswith("!")
    text = text.removeprefix("!").strip()
    for beside, name in ((-1, "left:"), (1, "right:")):
        if text.startswith(name):
            return Condition(text.removeprefix(name).strip(), absent, beside)
    return Condition(text, absent, 0)


@dataclass
class Abbreviations:
    """A table of abbreviations, ready to read texts.

    Args:
        rows: in their order; of rows of one abbreviation the first whose condition holds counts.
    """

    rows: Sequence[Abbreviation]
    _rows: dict[str, list[Abbreviation]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for row in self.rows:
            self._rows[row.key].append(row)
        for key, rows in self._rows.items():
            self._rows[key] = sorted(rows, key=lambda row: not row.exact)
        self._longest = max((len(tokenise(row.written)) for row in self.rows), default=1)

    def expand(self, tokens: Sequence[Token]) -> list[Token]:
        """Return the tokens with abbreviations written in full."""
        around = _Around(tokens)
        full: list[Token] = []
        at = 0
        while at < len(tokens):
            row, end = self._at(tokens, at, around)
            if row is None:
                full.append(tokens[at])
                at += 1
                continue
            start, stop = tokens[at].start, tokens[end - 1].end
            full += [Token(word.text, start, stop, row.line) for word in tokenise(row.meaning)]
            at = end
        return full

    def _at(self, tokens: Sequence[Token], at: int, around: "_Around") -> tuple[Abbreviation | None, int]:
        if not tokens[at].is_word:
            return None, at + 1
        for end in range(min(len(tokens), at + self._longest), at, -1):
            group = tokens[at:end]
            if not _joined(group):
                continue
            for row in self._rows.get(_key("".join(token.text for token in group)), ()):
                if (
                    _written_so(row, group, around.small)
                    and not _joined_to(tokens, at, row)
                    and around.holds(row.conditions, at, end)
                ):
                    return row, end + _final_dot(tokens, end, row)
        return None, at + 1


def _joined(group: Sequence[Token]) -> bool:
    """Tell whether tokens can be one abbreviation: no mark but dots, hyphens, slashes and plus signs."""
    return group[-1].text not in ("-", "/") and all(token.is_word or token.text in ".-/&+" for token in group)


def _joined_to(tokens: Sequence[Token], at: int, row: Abbreviation) -> bool:
    """Tell whether a word is the end of a hyphened one, so that what follows says nothing of it (Rektum-Ca 8 cm)."""
    hyphened = at > 1 and tokens[at - 1].text == "-" and tokens[at - 1].end == tokens[at].start
    return hyphened and any(condition.beside > 0 for condition in row.conditions)


def _written_so(row: Abbreviation, group: Sequence[Token], small: bool) -> bool:
    """Tell whether tokens are written like an abbreviation; a text without any capitals has lost them."""
    words = [token for token in group if token.is_word]
    if row.exact and not small and _MARKS.sub("", row.written) != "".join(token.text for token in words):
        return False
    if len(words) == 1:
        return True
    apart = [left for left, right in pairwise(group) if right.start > left.end]
    if not any(mark in row.written for mark in " .-/+&"):  # written as one word
        return not apart and (all(token.is_word for token in group) or len(row.key) > EXACT)
    return True


def _final_dot(tokens: Sequence[Token], end: int, row: Abbreviation) -> int:
    """Return 1 where a dot that belongs to the abbreviation follows."""
    follows = end < len(tokens) and tokens[end].text == "." and tokens[end].start == tokens[end - 1].end
    return int(follows and tokens[end - 1].text != ".")


class _Around:
    """The words of a text, to look conditions up in."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.small = not any(token.text != token.text.lower() for token in tokens)
        self.written = {token.text for token in tokens if token.is_word}

    def holds(self, conditions: Sequence[Condition], at: int, end: int) -> bool:
        """Tell whether no condition is broken and, where there are positive ones, one holds."""
        wanted = [condition for condition in conditions if not condition.absent]
        if any(self._has(condition, at, end) for condition in conditions if condition.absent):
            return False
        return not wanted or any(self._has(condition, at, end) for condition in wanted)

    def _has(self, condition: Condition, at: int, end: int) -> bool:
        if condition.beside:
            place = end if condition.beside > 0 else at - 1
            while 0 <= place < len(self.tokens) and self.tokens[place].text in ".-":
                place += condition.beside
            if not 0 <= place < len(self.tokens):
                return False
            return self._like(condition.text, [self.tokens[place].text])
        own = {token.text for token in self.tokens[at:end]}
        return all(self._like(word, self.written - own) for word in condition.text.strip('"').split())

    def _like(self, wanted: str, texts: Sequence[str] | set[str]) -> bool:
        choices = wanted.strip("()").split("/")
        return any(self._one(choice, texts) for choice in choices)

    def _one(self, wanted: str, texts: Sequence[str] | set[str]) -> bool:
        if wanted in texts or (self.small and wanted.lower() in texts):
            return True
        if wanted.isupper() or len(wanted) <= EXACT:  # abbreviations are compared as they are written
            return False
        folded = fold(wanted)
        if wanted.endswith("~"):
            return any(folded in fold(text) for text in texts)
        base = stem(folded)
        return any(stem(fold(text)) == base or (len(base) > EXACT + 1 and base in fold(text)) for text in texts)
