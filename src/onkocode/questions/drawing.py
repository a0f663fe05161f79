"""Draws that hang on what they are for and on nothing else: the next bits of SHA-256, never a library's generator."""

from collections.abc import Sequence
from itertools import count
from typing import TypeVar

from onkocode.questions.abbreviations import Pick
from onkocode.records.ids import digest

T = TypeVar("T")


def draws(*parts: object) -> Pick:
    """Return a function that draws from its options, each time with the next 32 bits that the parts decide."""
    digests = (digest(*parts, block) for block in count())
    numbers = (int(found[at : at + 8], 16) for found in digests for at in range(0, 64, 8))

    def pick(choices: Sequence[T], /) -> T:
        return choices[next(numbers) % len(choices)]

    return pick
