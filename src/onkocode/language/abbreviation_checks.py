"""Faults in the table of abbreviations: cycles, rows that contradict each other, rows that never count."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from onkocode.language.abbreviations import Abbreviation
from onkocode.language.entries import Entry, Problem
from onkocode.language.rows import Place
from onkocode.language.spelling import fold, stem
from onkocode.language.tokens import tokenise

MARKS = " .-/+&"
ByKey = Mapping[str, Sequence[Entry]]


def check_abbreviations(entries: Sequence[Entry]) -> Iterator[Problem]:
    """Yield the faults of rows in their order."""
    by_key = _by_key(entries)
    for alike in by_key.values():
        for number, entry in enumerate(alike):
            yield from _alone(entry)
            yield from _behind(entry, alike[:number])
    yield from _cycles(by_key)


def replaced_abbreviations(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Yield pairs of rows, of which the earlier takes all that the later one would."""
    for alike in _by_key(entries).values():
        for number, entry in enumerate(alike):
            yield from ((earlier, entry) for earlier in alike[:number] if _takes(earlier.row, entry.row))


def _by_key(entries: Sequence[Entry]) -> ByKey:
    """Return the rows of each abbreviation in the order that they count in (see `Abbreviations`)."""
    by_key: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_key[entry.row.key].append(entry)
    return {key: sorted(alike, key=lambda entry: not entry.row.exact) for key, alike in by_key.items()}


def _alone(entry: Entry) -> Iterator[Problem]:
    row: Abbreviation = entry.row
    if not row.key:
        yield Problem("malformed", entry.place, "an abbreviation has a letter or a digit")
    wanted = {(part.text, part.beside) for part in row.conditions if not part.absent}
    if wanted and wanted <= {(part.text, part.beside) for part in row.conditions if part.absent}:
        yield Problem("never", entry.place, "asks for what it forbids, so that its condition never holds")


def _behind(entry: Entry, before: Sequence[Entry]) -> Iterator[Problem]:
    """Yield the first reason for which a row is never reached behind others of its abbreviation."""
    for earlier in before:
        if (earlier.own and not entry.own) or _meaning(earlier.row) == _meaning(entry.row):
            continue
        if _takes(earlier.row, entry.row):
            if set(earlier.row.conditions) == set(entry.row.conditions):
                message = f"contradicts {earlier.place}: the same abbreviation has another meaning there"
                yield Problem("contradiction", entry.place, message)
            else:
                message = f"never counts: {earlier.place} comes before and has no condition"
                yield Problem("never", entry.place, message)
            return


def _meaning(row: Abbreviation) -> tuple[str, ...]:
    return tuple(stem(fold(token.text)) for token in tokenise(row.meaning))


def _takes(earlier: Abbreviation, later: Abbreviation) -> bool:
    """Tell whether a row counts wherever a later one would: as it is written, and by its conditions."""
    return _as_written(earlier, later) and (not earlier.conditions or set(earlier.conditions) == set(later.conditions))


def _as_written(earlier: Abbreviation, later: Abbreviation) -> bool:
    """Tell whether a row takes every way of writing an abbreviation that another one takes."""
    if earlier.exact and not (later.exact and _letters(earlier.written) == _letters(later.written)):
        return False
    return any(mark in earlier.written for mark in MARKS) or not any(mark in later.written for mark in MARKS)


def _letters(written: str) -> str:
    return "".join(letter for letter in written if letter.isalnum())


def _cycles(by_key: ByKey) -> Iterator[Problem]:
    """Yield a problem for each row whose meaning leads back to it over other abbreviations.

    A row may name itself (HPV: HPV): then it stays as it is.
    """
    leads = {entry.place: list(_named(entry.row, by_key)) for alike in by_key.values() for entry in alike}
    for alike in by_key.values():
        for entry in alike:
            if path := _way_back(entry, leads):
                names = " → ".join([entry.row.written, *(f"{step.row.written} ({step.place})" for step in path)])
                yield Problem("cycle", entry.place, f"its meaning leads back to itself: {names}")


def _named(row: Abbreviation, by_key: ByKey) -> Iterator[Entry]:
    """Yield the rows of other abbreviations that stand in the meaning of a row."""
    words = [token.text for token in tokenise(row.meaning) if token.is_word]
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            text = "".join(words[start:end])
            for entry in by_key.get(text.lower(), ()):
                if entry.row.key != row.key and (not entry.row.exact or _letters(entry.row.written) == text):
                    yield entry


def _way_back(entry: Entry, leads: Mapping[Place, Sequence[Entry]]) -> Sequence[Entry]:
    """Return the shortest way over meanings from a row to one of the same abbreviation."""
    ways: list[list[Entry]] = [[step] for step in leads[entry.place]]
    seen = set()
    for way in ways:
        last = way[-1]
        if last.row.key == entry.row.key:
            return way
        if last.place not in seen:
            seen.add(last.place)
            ways += [[*way, step] for step in leads[last.place]]
    return ()
