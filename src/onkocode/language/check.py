"""Faults in the tables of clinical language, each with its place: what `onkocode language check` tells."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from onkocode.language.abbreviation_checks import check_abbreviations, replaced_abbreviations
from onkocode.language.code_checks import Spaces, known_codes, malformed_codes, unknown_codes
from onkocode.language.covering import Coverers, impossible, same
from onkocode.language.entries import Entry, Own, Problem, histologies_first, read_entries
from onkocode.language.patterns import Alternative
from onkocode.language.rows import Behaviour, Combination, Cue, Finer, Histology, Place, Procedure, Region, Site

KINDS = frozenset(
    (
        *("bone", "brain", "cartilage", "embryonal", "epithelial", "germ", "histiocytic", "lymphoid", "melanocytic"),
        *("meninges", "mesothelial", "myeloid", "nerve", "neuroendocrine", "odontogenic", "placeholder", "plasma"),
        *("salivary", "skin", "soft", "thymic", "trophoblast", "vascular"),
    )
)
BEHAVIOURS = frozenset("01236")
_EXCLUDED = re.compile(r'(?:^|\s)-(?:"|\([^)]*\s)')
Ranges = Sequence[tuple[Any, Any]]


def check_form(own: Own) -> list[Problem]:
    """Return the rows of a user's tables that cannot be read."""
    problems: list[Problem] = []
    entries = read_entries(own, problems, also_shipped=False)
    problems += [problem for rows in entries.values() for entry in rows for problem in malformed_codes(entry)]
    return _sorted(problems, own)


def check_tables(own: Own, spaces: Spaces) -> list[Problem]:
    """Return the faults of a user's tables, merged before those of the program; without any, of the program's.

    Args:
        own: name and content of a user's tables by key.
        spaces: terminal codes by system, where a catalogue was named.
    """
    problems: list[Problem] = []
    entries = read_entries(own, problems)
    everything = [entry for rows in entries.values() for entry in rows]
    known = known_codes(entry for entry in everything if not entry.own)
    organs = {entry.row.organ for entry in entries["sites"] if not entry.row.under}
    for entry in everything:
        if entry.own or not own:
            problems += [*malformed_codes(entry), *unknown_codes(entry, spaces, known)]
            problems += [*_unknown_names(entry, organs), *_impossible(entry)]
    for rows in histologies_first(entries):
        if not own or any(entry.own for entry in rows):
            problems += _between(rows)
    return _sorted(problems, own)


def _sorted(problems: Iterable[Problem], own: Own) -> list[Problem]:
    """Return the problems of a user's tables, or those of the program's where there are no others, in their order."""
    names = {name for name, _ in own.values()}
    wanted = {problem for problem in problems if not own or problem.place.table in names}
    return sorted(wanted, key=lambda problem: (problem.place.table, problem.place.line, problem.message))


def replaced_rows(own: Own) -> list[str]:
    """Return a note for each row of a user's tables that takes the place of one of the program's."""
    notes: dict[tuple[str, int], str] = {}
    for rows in histologies_first(read_entries(own, [])):
        for earlier, later in _replaced(rows):
            if earlier.own and not later.own:
                notes.setdefault((earlier.place.table, earlier.place.line), f"{earlier.place} replaces {later.place}")
    return [notes[place] for place in sorted(notes)]


def _replaced(rows: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    if rows and rows[0].table == "abbreviations":
        return replaced_abbreviations(rows)
    return (
        (earlier.entry, later.entry)
        for earlier, later in _covering(rows)
        if _disagree(earlier, later) and same(earlier.words, later.words)
    )


def _unknown_names(entry: Entry, organs: set[str]) -> Iterator[Problem]:
    """Yield what a row names that nothing else knows: organs, kinds, behaviours."""
    row = entry.row
    if isinstance(row, Site | Procedure) and not row.organ:
        yield Problem("name", entry.place, "names no organ")
    if isinstance(row, Site):
        for key in row.under:
            if key not in organs:
                yield Problem("name", entry.place, f"under {key!r}: no row without `under` is of that organ")
    if isinstance(row, Histology) and row.kind not in KINDS:
        yield Problem("name", entry.place, f"kind {row.kind!r} is none of {', '.join(sorted(KINDS))}")
    if isinstance(row, Behaviour | Combination) and row.behaviour not in BEHAVIOURS:
        yield Problem("name", entry.place, f"behaviour {row.behaviour!r} is none of {', '.join(sorted(BEHAVIOURS))}")
    if isinstance(row, Region) and entry.cells["stations"] not in ("", "yes"):
        yield Problem("name", entry.place, "stations is yes, or nothing")
    if isinstance(row, Cue) and any(alternative.absent for alternative in row.pattern):
        yield Problem("malformed", entry.place, "a cue knows no words that must not occur")


def _impossible(entry: Entry) -> Iterator[Problem]:
    if _EXCLUDED.search(entry.cells.get("pattern", "")):
        message = "a minus stands before one word, words joined by hyphens, or choices of one word: -in-situ, -(a/b)"
        yield Problem("malformed", entry.place, message)
        return
    for number, alternative in enumerate(entry.alternatives):
        if why := impossible(alternative):
            yield Problem("never", entry.place, f"{entry.written(number)!r} {why}")


def _outcome(entry: Entry) -> object:
    """Return what a row decides, to tell whether two contradict each other."""
    row = entry.row
    if isinstance(row, Site | Histology):
        return row.code if isinstance(row, Site) else (row.code, row.icd10)
    if isinstance(row, Region):
        return tuple(sorted(row.codes.items()))
    if isinstance(row, Procedure):
        return row.code
    if isinstance(row, Cue):
        return row.role, row.reach
    return row.behaviour if isinstance(row, Behaviour) else row.finer


def _condition(entry: Entry) -> object:
    """Return on what a row depends beside its pattern."""
    if isinstance(entry.row, Site):
        return frozenset(entry.row.under)
    return entry.row.icd10 if isinstance(entry.row, Finer) else None


def _between(rows: Sequence[Entry]) -> Iterator[Problem]:
    """Yield the faults that lie between two rows of a list."""
    kind = rows[0].table if rows else ""
    if kind == "abbreviations":
        yield from check_abbreviations(rows)
    elif kind in ("combination", "metastases"):
        yield from _covered_rules(rows)
    else:
        pairs = list(_covering(rows))
        yield from _contradictions(pairs)
        if kind in ("histologies", "haematology"):
            yield from _shadowed(pairs)


@dataclass(frozen=True, eq=False)
class _Part:
    """An alternative of a row: which one, and its words."""

    entry: Entry
    number: int
    words: Alternative

    def __str__(self) -> str:
        return f"{self.entry.written(self.number)!r}"


Pair = tuple[_Part, _Part]


def _covering(rows: Sequence[Entry]) -> Iterator[Pair]:
    """Yield pairs of alternatives of two rows, of which the earlier matches whenever the later does; in order."""
    parts = [_Part(entry, number, one) for entry in rows for number, one in enumerate(entry.alternatives)]
    last = max((number for number, part in enumerate(parts) if part.entry.own), default=len(parts) - 1)
    coverers = Coverers([part.words for part in parts[: last + 1]])  # what lies behind a user's rows is not theirs
    order = {entry.place: number for number, entry in enumerate(rows)}
    for later in parts:
        for earlier in (parts[number] for number in coverers.of(later.words)):
            before = order[earlier.entry.place] < order[later.entry.place]
            if before and _condition(earlier.entry) == _condition(later.entry):
                yield earlier, later


def _disagree(one: _Part, other: _Part) -> bool:
    return _outcome(one.entry) != _outcome(other.entry)


def _contradictions(pairs: Iterable[Pair]) -> Iterator[Problem]:
    for earlier, later in pairs:
        alike = earlier.entry.own == later.entry.own and same(earlier.words, later.words)
        if alike and _disagree(earlier, later):
            message = f"contradicts {earlier.entry.place}: {later} has another code or role there"
            yield Problem("contradiction", later.entry.place, message)


def _shadowed(pairs: Iterable[Pair]) -> Iterator[Problem]:
    """Yield alternatives that never count, since a more general one comes before, or rows that hide others.

    The first that matches whenever an alternative does decides; where it has the same code, nothing is wrong.
    """
    hidden: dict[Place, set[Place]] = {}
    first: dict[_Part, _Part] = {}
    for earlier, later in pairs:
        first.setdefault(later, earlier)
    for later, earlier in first.items():
        replaced = same(earlier.words, later.words) and (earlier.entry.own or not later.entry.own)
        if replaced or not _disagree(earlier, later):
            continue
        if earlier.entry.own and not later.entry.own:
            hidden.setdefault(earlier.entry.place, set()).add(later.entry.place)
        else:
            reason = f"{earlier} ({earlier.entry.place}) comes before, matches whenever it does, and has another code"
            yield Problem("never", later.entry.place, f"{later} never counts: {reason}")
    for place, behind in hidden.items():
        example = min(behind, key=lambda place: (place.table, place.line))
        yield Problem(
            "never", place, f"is so general that {len(behind)} row(s) behind it never count, such as {example}"
        )


def _covered_rules(rows: Sequence[Entry]) -> Iterator[Problem]:
    for number, entry in enumerate(rows):
        for earlier in rows[:number]:
            if earlier.own == entry.own and _rule_covers(earlier.row, entry.row):
                alike = earlier.row.topographies == entry.row.topographies and earlier.row.icd10 != entry.row.icd10
                kind, word = ("contradiction", "contradicts") if alike else ("never", "never counts behind")
                yield Problem(kind, entry.place, f"{word} {earlier.place}, which holds for all that it names")
                break


def _rule_covers(general: Combination, special: Combination) -> bool:
    morphologies = not general.morphologies or (
        bool(special.morphologies) and _within(special.morphologies, general.morphologies)
    )
    return (
        general.behaviour == special.behaviour and morphologies and _within(special.topographies, general.topographies)
    )


def _within(inner: Ranges, outer: Ranges) -> bool:
    return all(any(first <= low and high <= last for first, last in outer) for low, high in inner)
