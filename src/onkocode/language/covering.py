"""What follows from the words of a pattern alone: which other patterns match whenever it does, and whether it can."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from onkocode.language.patterns import FILLERS, TYPES, Alternative, Choice, Group, Word
from onkocode.language.spelling import fold

_FILLERS = frozenset(map(fold, FILLERS)) - frozenset(map(fold, TYPES))


def implies(word: Word, other: Word) -> bool:
    """Tell whether whatever is found as a word is found as the other, too."""
    if (word.key, word.begins) == (other.key, other.begins):
        return True
    # A stem that ends with -ik may stand for -isch.
    return other.begins and word.key.removesuffix("ik").startswith(other.key)


def _choice_implies(choice: Choice, other: Choice) -> bool:
    """Tell whether words side by side hold others side by side."""
    starts = range(len(choice) - len(other) + 1)
    return any(all(implies(choice[start + step], word) for step, word in enumerate(other)) for start in starts)


def _group_implies(group: Group, other: Group) -> bool:
    """Tell whether every choice of a group is one of another group."""
    return all(any(_choice_implies(choice, wanted) for wanted in other) for choice in group)


def _phrase_implies(phrase: Sequence[Group], other: Sequence[Group]) -> bool:
    starts = range(len(phrase) - len(other) + 1)
    return any(all(_group_implies(phrase[start + step], group) for step, group in enumerate(other)) for start in starts)


def covers(general: Alternative, special: Alternative) -> bool:
    """Tell whether an alternative matches every text that another one matches."""
    return (
        all(any(_group_implies(own, group) for own in special.groups) for group in general.groups)
        and all(any(_phrase_implies(own, phrase) for own in special.phrases) for phrase in general.phrases)
        and all(any(_choice_implies(absent, own) for own in special.absent) for absent in general.absent)
    )


def same(one: Alternative, other: Alternative) -> bool:
    """Tell whether two alternatives match the same texts."""
    return covers(one, other) and covers(other, one)


def impossible(alternative: Alternative) -> str:
    """Return why an alternative, or a choice in it, never matches; nothing where each can."""
    for absent in alternative.absent:
        if _holds(alternative, absent):
            return f"never matches: it asks for “{_shown(absent)}” and forbids it"
    for group in alternative.groups:
        dead = {choice: why for choice in group if (why := _never_found(choice, alternative.absent))}
        if dead:
            choice, why = next(iter(dead.items()))
            return (
                f"never matches: {why}" if len(dead) == len(group) else f"“{_shown(choice)}” in it never counts: {why}"
            )
    return ""


def _never_found(choice: Choice, absent: Sequence[Choice]) -> str:
    filler = next((word.form for word in choice if word.form in _FILLERS and not word.begins), None)
    if filler:
        return f"“{filler}” is left out of texts"
    forbidden = next((together for together in absent if _choice_implies(choice, together)), None)
    return f"“{_shown(forbidden)}” is forbidden" if forbidden else ""


def _holds(alternative: Alternative, together: Choice) -> bool:
    """Tell whether words side by side occur wherever an alternative matches."""
    if any(_group_implies(group, (together,)) for group in alternative.groups):
        return True
    return any(_phrase_implies(phrase, [((word,),) for word in together]) for phrase in alternative.phrases)


def _shown(choice: Choice) -> str:
    return " ".join(word.form + "~" * word.begins for word in choice)


@dataclass
class Coverers:
    """Finds those of many alternatives that may cover one; the rarest group of each is looked up.

    Args:
        alternatives: in their order.
    """

    alternatives: Sequence[Alternative]
    _stems: dict[str, list[int]] = field(default_factory=dict)
    _beginnings: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        often = Counter(key for one in self.alternatives for group in one.groups for key in _first_keys(group))
        for number, alternative in enumerate(self.alternatives):
            rarest = min(alternative.groups, key=lambda group: sum(often[key] for key in _first_keys(group)))
            for choice in rarest:
                index = self._beginnings if choice[0].begins else self._stems
                index.setdefault(choice[0].key, []).append(number)

    def of(self, alternative: Alternative) -> Iterator[int]:
        """Yield the indices of alternatives that cover one, itself among them."""
        keys = {word.key for group in alternative.groups for word in group[0]}
        numbers = {number for key in keys for number in self._stems.get(key, ())}
        starts = {key[:end] for key in keys for end in range(1, len(key) + 1)}
        numbers |= {number for start in starts for number in self._beginnings.get(start, ())}
        return (number for number in sorted(numbers) if covers(self.alternatives[number], alternative))


def _first_keys(group: Group) -> Iterator[str]:
    return (choice[0].key for choice in group)
