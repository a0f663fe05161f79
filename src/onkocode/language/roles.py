"""The segments of a text, and the roles of its units: history, negated, infiltrated, metastasis and others."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from onkocode.language.patterns import Group
from onkocode.language.rows import Cue
from onkocode.language.spelling import fold, stem
from onkocode.language.tokens import Token
from onkocode.language.words import Unit

ENDS = frozenset(".;")  # of a sentence
MARKS = frozenset(",:()/[]+–—|=>") | ENDS
CONNECTORS = frozenset(
    fold(word)
    for word in (
        *("bei", "mit", "wegen", "sowie", "plus", "with", "bzw", "beziehungsweise", "aufgrund", "dabei", "aber"),
        "sondern",
        *("jetzt", "nun", "nunmehr", "aktuell", "zuletzt"),
        *("spricht", "sprechen", "zeigt", "zeigte", "zeigen", "ergab", "ergibt"),
    )
)
RECURRENCE = frozenset(
    stem(fold(word)) for word in ("Rezidiv", "Lokalrezidiv", "Tumorrezidiv", "Progress", "Progression")
)
CLOSING = ENDS | {",", ")"}
DENYING = ("negated", "free")
LONG = frozenset(("history", "current", "family"))  # roles that last to the end of the sentence


@dataclass(frozen=True)
class Segment:
    """Units between marks and connecting words.

    Attributes:
        start: first unit.
        end: unit behind the last.
        opener: what stands before: a mark, a connecting word, or nothing.
        sentence: number of its sentence.
    """

    start: int
    end: int
    opener: str
    sentence: int


@dataclass(frozen=True)
class Roles:
    """Which roles each unit has, and the first unit of each cue of a role with the unit behind it."""

    of_unit: tuple[frozenset[str], ...]
    cues: dict[str, list[tuple[int, int]]]

    def has(self, place: int, *roles: str) -> bool:
        """Tell whether a unit has one of these roles."""
        return not self.of_unit[place].isdisjoint(roles)


def segments(tokens: Sequence[Token], units: Sequence[Unit]) -> list[Segment]:
    """Return the segments of a text in order; none is empty."""
    of_token = defaultdict(list)
    for place, unit in enumerate(units):
        of_token[unit.token].append(place)
    found: list[Segment] = []
    opener, sentence, start, end = "", 0, 0, 0
    for number, token in enumerate(tokens):
        breaks = _breaks(tokens, number)
        if breaks is None or _is_void(tokens, number) or _is_rest(units, of_token[number - 1], token):
            end = max(end, *(place + 1 for place in of_token[number])) if of_token[number] else end
            continue
        if end > start:
            found.append(Segment(start, end, opener, sentence))
        start = end = max(end, start) + len(of_token[number])  # a connecting word is a unit that stands in no segment
        opener = breaks
        sentence += token.text in ENDS
    if end > start:
        found.append(Segment(start, end, opener, sentence))
    return found


def _is_void(tokens: Sequence[Token], number: int) -> bool:
    """Tell whether a bracket has nothing in it, as what was there is a fact (Lymphknoten (0/16) ohne Befall)."""
    pair = [token.text for token in tokens[max(0, number - 1) : number + 2]]
    return (tokens[number].text == "(" and pair[-1] == ")") or (tokens[number].text == ")" and pair[0] == "(")


def _is_rest(units: Sequence[Unit], before: Sequence[int], token: Token) -> bool:
    """Tell whether a dot stands for the rest of a word, and ends no sentence (exulz. Basaliom)."""
    return token.text == "." and any(units[place].cut for place in before)


def _breaks(tokens: Sequence[Token], number: int) -> str | None:
    token = tokens[number]
    if token.text in MARKS:
        return token.text
    if token.text == "-" and 0 < number < len(tokens) - 1:
        apart = tokens[number - 1].end < token.start and token.end < tokens[number + 1].start
        return "-" if apart else None
    folded = fold(token.text)
    return folded if folded in CONNECTORS else None


@dataclass
class CueFinder:
    """Finds cues in units.

    Args:
        cues: rows; their words stand side by side, in order.
    """

    cues: Sequence[Cue]
    _by_word: dict[str, list[tuple[tuple[Group, ...], Cue]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for cue in self.cues:
            for alternative in cue.pattern:
                for choice in alternative.groups[0]:
                    self._by_word[choice[0].feature].append((alternative.groups, cue))

    def roles(self, tokens: Sequence[Token], units: Sequence[Unit], parts: Sequence[Segment]) -> Roles:
        """Return the roles of all units."""
        given: list[set[str]] = [set() for _ in units]
        cues: dict[str, list[tuple[int, int]]] = defaultdict(list)
        place = 0
        while place < len(units):
            found = self._at(units, place)
            if found is None:
                place += 1
                continue
            end, cue = found
            reach = _reach(cue, place, end, tokens, units, parts)
            if reach:
                cues[cue.role].append((place, end))
            for reached in reach if cue.role != "negated" else self._negated(reach, units, given):
                given[reached].add(cue.role)
                if cue.role == "current":
                    given[reached].discard("history")
            if cue.role == "free" and reach:
                for own in range(place, end):
                    given[own].add("negated")
            if cue.role in ("metastasis", "uncertain"):
                self._freshen(place, parts, given, cues)
            place = end if cue.reach != "token" else place + 1
        return Roles(tuple(frozenset(roles) for roles in given), dict(cues))

    def _freshen(
        self, place: int, parts: Sequence[Segment], given: list[set[str]], cues: dict[str, list[tuple[int, int]]]
    ) -> None:
        """Take the past from a later segment that says what is suspected now (Z. n. Rektum-Ca, wohl Filiae)."""
        own = next((part for part in parts if part.start <= place < part.end), None)
        if own and own.opener == "," and not any(own.start <= start for start, _ in cues.get("history", [])):
            for unit in range(own.start, own.end):
                given[unit].discard("history")

    def _negated(self, reach: Iterable[int], units: Sequence[Unit], given: list[set[str]]) -> list[int]:
        """Return what is negated; a tumour whose recurrence is negated was there (kein Rezidiv des Glioblastoms)."""
        places = list(reach)
        again = next((at for at, place in enumerate(places) if units[place].features & RECURRENCE), len(places))
        for place in places[again + 1 :]:
            given[place].add("history")
        return places[: again + 1]

    def _at(self, units: Sequence[Unit], place: int) -> tuple[int, Cue] | None:
        best: tuple[int, Cue] | None = None
        for feature in units[place].features:
            for groups, cue in self._by_word.get(feature, ()):
                end = place + len(groups)
                if end > len(units) or (best and best[0] >= end):
                    continue
                if all(
                    any(choice[0].feature in units[place + step].features for choice in group)
                    for step, group in enumerate(groups)
                ):
                    best = (end, cue)
        return best


def _reach(
    cue: Cue, start: int, end: int, tokens: Sequence[Token], units: Sequence[Unit], parts: Sequence[Segment]
) -> Sequence[int]:
    if cue.reach == "word":
        return range(start, end)
    if cue.reach == "token":
        return _same_word(start, tokens, units)
    own = next((part for part in parts if part.start <= start < part.end), None)
    if own is None:  # a connecting word
        own = next((part for part in parts if part.start >= end), None)
    if own is None:
        return range(start, end)
    closes = _closes(end, own, parts)
    if cue.role in DENYING and own.opener == ":" and (start, end) == (own.start, own.end):  # Lymphknoten: tumorfrei
        return range(max(part.start for part in parts if part.end <= start), end)
    if cue.reach == "closing" or (cue.role == "negated" and cue.reach == "after" and closes and start > own.start):
        return range(own.start, end) if closes else ()
    if cue.reach == "before":
        return range(own.start, end)
    if cue.reach == "clause":
        behind = next((part for part in parts if part.start >= own.end), own)
        return range(own.start, behind.end if end == own.end and behind.opener == fold("mit") else own.end)
    if cue.role in LONG:
        return range(start, max(part.end for part in parts if part.sentence == own.sentence))
    return range(start, own.end)


def _closes(end: int, own: Segment, parts: Sequence[Segment]) -> bool:
    """Tell whether nothing follows in the clause (Malignität findet sich nicht)."""
    follows = next((part.opener for part in parts if part.start >= own.end), ".")
    return end == own.end and follows in CLOSING


def _same_word(place: int, tokens: Sequence[Token], units: Sequence[Unit]) -> list[int]:
    """Return the units of the same word, hyphens included."""
    first = units[place].token
    while first > 1 and tokens[first - 1].text == "-" and tokens[first - 2].end == tokens[first - 1].start:
        first -= 2
    return [other for other in range(place + 1) if first <= units[other].token <= units[place].token]
