"""The one answer parser: from a raw answer to the code or the yes/no that it gives.

An answer is *valid* when it holds a well-formed code of the asked system, whether or not that code exists; codes that
do not exist, or are not terminal, have rates of their own. When several different codes stand there, the first counts
and the answer is flagged.
"""

import re
from dataclasses import dataclass

from onkocode.catalogues.vocabulary.written_codes import LETTERS_BEHIND

# Not inside a longer word or number, so that `8140/3`, `C50.91` asked as topography, and "MC50" give nothing. An
# underscore is no part of a word: Markdown sets `_C50.9_` in italics. A code with its dot and digit may carry the marks
# of German records (C50.9G, C50.9L); without them a letter behind it makes something else, such as the DRG J23Z.
_START, _END = r"(?<![^\W_])(?<![^\W_]\.)", r"(?![^\W_]|[./][0-9])"
_MARKS = f"(?(2){LETTERS_BEHIND}?)"
PATTERNS = {
    "icd10": re.compile(rf"{_START}([A-Za-z][0-9]{{2}})(?:\.?([0-9]{{1,2}}))?(?:\.?-)?{_MARKS}{_END}"),
    "topography": re.compile(rf"{_START}([Cc][0-7][0-9]|[Cc]80)(?:\.?([0-9]))?(?:\.?-)?{_MARKS}{_END}"),
}
YES_NO = re.compile(r"(?<![^\W_])(ja|nein)(?![^\W_])", re.IGNORECASE)
THOUGHT_END = "</think>"
THOUGHT_START = "<think>"


@dataclass(frozen=True)
class Parsed:
    """What an answer says: a code, "Ja" or "Nein", None when nothing of the asked form stands there.

    `cut`: nothing stands there because a thought began that does not end.
    """

    value: str | None
    several: bool = False
    cut: bool = False


def parse_answer(task: str, answer: str) -> Parsed:
    """Read the answer to a question of a task (icd10, topography or tumour); thoughts do not count.

    A thought that does not end leaves no answer.
    """
    said, thought, _ = answer.rsplit(THOUGHT_END, 1)[-1].partition(THOUGHT_START)
    if task == "tumour":
        found = [match.group(1).capitalize() for match in YES_NO.finditer(said)]
    else:
        found = [
            match.group(1).upper() + (f".{match.group(2)}" if match.group(2) else "")
            for match in PATTERNS[task].finditer(said)
        ]
    if not found:
        return Parsed(None, cut=bool(thought))
    return Parsed(found[0], len(set(found)) > 1)
