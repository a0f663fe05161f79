"""The strict reading of answers: the first thing of the asked form counts, as a regular expression finds it.

An answer is *valid* when it holds what its task asks for: a well-formed code of the asked system, whether or not that
code exists (codes that do not exist, or are not terminal, have rates of their own), yes or no, or no or yes with a
code. When several different answers stand there, the first counts and the answer is flagged.
"""

import re
from dataclasses import dataclass

from onkocode.catalogues.vocabulary.written_codes import LETTERS_BEHIND
from onkocode.tasks import NO, TASKS, YES

# Not inside a longer word or number, so that `8140/3`, `C50.91` asked as topography, and "MC50" give nothing. An
# underscore is no part of a word: Markdown sets `_C50.9_` in italics. A code with its dot and digit may carry the marks
# of German records (C50.9G, C50.9L); without them a letter behind it makes something else, such as the DRG J23Z. The
# four digits of a morphology may stand alone, as the three characters of the other systems: they are its category.
_START, _END = r"(?<![^\W_])(?<![^\W_]\.)", r"(?![^\W_]|[./][0-9])"
_END_MORPHOLOGY = r"(?![^\W_]|\.[0-9]| ?[/:] ?[0-9]{1,2}(?![0-9]))"
_MARKS = f"(?(2){LETTERS_BEHIND}?)"
# System → pattern with category and rest, and what stands between them.
PATTERNS = {
    "icd10gm": (re.compile(rf"{_START}([A-Za-z][0-9]{{2}})(?:\.?([0-9]{{1,2}}))?(?:\.?-)?{_MARKS}{_END}"), "."),
    "topography": (re.compile(rf"{_START}([Cc][0-7][0-9]|[Cc]80)(?:\.?([0-9]))?(?:\.?-)?{_MARKS}{_END}"), "."),
    "morphology": (re.compile(rf"{_START}(?:[Mm]-?)?([89][0-9]{{3}})(?:(?: ?/ ?|:)?([0-9]))?{_END_MORPHOLOGY}"), "/"),
}
YES_NO = re.compile(r"(?<![^\W_])(ja|nein)(?![^\W_])", re.IGNORECASE)
REASONS = ("no code", "other system", "mixture", "invented", "group", "undecided", "cut")
THOUGHT_END = "</think>"
THOUGHT_START = "<think>"


@dataclass(frozen=True)
class Parsed:
    """What an answer says: a code, "Ja" or "Nein", None when nothing of the asked form stands there.

    To a task that asks for yes with a code, yes is said by the code.

    Attributes:
        value: what is said.
        several: different answers stand there.
        cut: nothing stands there because a thought began that does not end.
        kind: code, several, yes or no; without a value, why: one of `REASONS`. Empty in the strict reading.
    """

    value: str | None
    several: bool = False
    cut: bool = False
    kind: str = ""


def parse_answer(task: str, answer: str) -> Parsed:
    """Read the answer to a question of a task (a key of `TASKS`); thoughts do not count.

    A thought that does not end leaves no answer.
    """
    said, thought, _ = answer.rsplit(THOUGHT_END, 1)[-1].partition(THOUGHT_START)
    asked = TASKS[task]
    codes = _codes(said, asked.system) if asked.system else []
    found = _decisions(said, codes, with_code=bool(asked.system)) if asked.decides else codes
    if not found:
        return Parsed(None, cut=bool(thought))
    return Parsed(found[0], len(set(found)) > 1)


def _codes(said: str, system: str) -> list[str]:
    pattern, sign = PATTERNS[system]
    return [
        match.group(1).upper() + (f"{sign}{match.group(2)}" if match.group(2) else "")
        for match in pattern.finditer(said)
    ]


def _decisions(said: str, codes: list[str], with_code: bool) -> list[str]:
    """Return the answers to yes or no; with codes, these stand for yes, and yes without any is no answer.

    A code behind no is none for yes: it may be that of another disease.
    """
    found = [match.group(1).capitalize() for match in YES_NO.finditer(said)]
    if not with_code or YES not in found:
        return found
    if not codes:
        return []
    return [*codes, *(word for word in found if word == NO)] if found[0] == YES else [NO, *codes]
