"""A text taken apart: its tokens, units and segments, and the roles and facts in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from onkocode.language.facts import Fact, take_facts
from onkocode.language.lexicon import Lexicon, Table
from onkocode.language.patterns import Match
from onkocode.language.roles import Roles, Segment, segments
from onkocode.language.tokens import Token, tokenise
from onkocode.language.words import Unit


@dataclass(frozen=True)
class Text:
    """A text taken apart."""

    written: str
    tokens: list[Token]
    units: list[Unit]
    features: list[frozenset[str]]
    parts: list[Segment]
    roles: Roles
    facts: tuple[Fact, ...]
    _found: dict[tuple[int, tuple[int, ...]], list[Match]] = field(default_factory=dict)

    def matches(self, table: Table[Any], places: Sequence[int]) -> list[Match]:
        """Return the rows of a table that some of its units match; looked up once."""
        key = id(table), tuple(places)
        if key not in self._found:
            self._found[key] = table.matches(self.features, places)
        return self._found[key]

    def sentence(self, place: int) -> int:
        """Return the number of the sentence of a unit."""
        return next((part.sentence for part in self.parts if part.start <= place < part.end), 0)


def take_apart(lexicon: Lexicon, written: str) -> Text:
    """Return the tokens, units, segments and roles of a text."""
    facts, plain = take_facts(written.replace("\n", ";").replace("\u00ad", ""))
    tokens = lexicon.splitter.joined(lexicon.abbreviations.expand(tokenise(plain)))
    units = lexicon.splitter.units(tokens)
    parts = segments(tokens, units)
    roles = lexicon.cue_finder.roles(tokens, units, parts)
    return Text(written, tokens, units, [unit.features for unit in units], parts, roles, facts)
