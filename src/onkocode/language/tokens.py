"""The tokens of a text: words, numbers and marks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)?|[^\w\s]|_")
_INNER_CAPITAL = re.compile(r"(?<=[a-zäöüß]{4})(?=[A-ZÄÖÜ][A-Za-zäöüß])")
_OCR = ((re.compile(r"(?<=[a-zäöüß])1(?=[a-zäöüß])"), "l"), (re.compile(r"(?<=[a-zäöüß])0(?=[a-zäöüß])"), "o"))
_BROKEN = re.compile(r"(?<=[^\W\d_]{2})-\s+(?!(?:und|oder|bzw|u|o|sowie|et|and|or)\b)(?=[a-zäöüß]{2})")


@dataclass(frozen=True)
class Token:
    """A word, number or mark of a text; what an abbreviation stands for has its place in the text.

    Attributes:
        text: as written, or written in full.
        start: of the place in the text.
        end: of the place in the text.
        source: of an abbreviation, the line of its table.
    """

    text: str
    start: int
    end: int
    source: int | None = None

    @property
    def is_word(self) -> bool:
        """Tell whether it is a word or a number."""
        return self.text[0].isalnum()


def tokenise(text: str) -> list[Token]:
    """Return the tokens of a text; words that a line break or a capital inside cuts are one, or two."""
    tokens: list[Token] = []
    for wrong, letter in _OCR:
        text = wrong.sub(letter, text)
    gaps = {match.start(): match.end() for match in _BROKEN.finditer(text)}
    joined: Token | None = None
    for match in _TOKEN.finditer(text):
        token = Token(match.group(), match.start(), match.end())
        if joined and token.is_word:
            tokens[-1] = Token(joined.text + token.text, joined.start, token.end)
            joined = None
        elif token.start in gaps and tokens:
            joined = tokens[-1]
        else:
            tokens += list(_at_capitals(token))
    return tokens


def _at_capitals(token: Token) -> Iterator[Token]:
    start = token.start
    for piece in _INNER_CAPITAL.split(token.text):
        yield Token(piece, start, start + len(piece))
        start += len(piece)
