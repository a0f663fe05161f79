"""The thoughts in an answer, which are no answer."""

import re

_NAMES = (
    r"(?:\w{1,20}[:_ -])?(?:think(?:ing)?|thoughts?|reason(?:ing)?|rationale|analysis|scratchpad|reflection|gedanken?|"
    r"monologue|cot|chain[_ -]of[_ -]thought|deliberation)(?:[_ -]\w{1,20})?"
)
_OPEN = re.compile(
    rf"<\s*{_NAMES}(?:\s[^<>]{{0,60}})?>|\[\s*{_NAMES}\s*\]|◁\s*{_NAMES}\s*▷|<unused\d+>\s*{_NAMES}\b|"
    rf"<\|\s*(?:begin_of_|start_of_)?{_NAMES}\|>",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"<\s*/\s*{_NAMES}\s*>|\[\s*/\s*{_NAMES}\s*\]|◁\s*/\s*{_NAMES}\s*▷|<unused\d+>(?!\s*{_NAMES}\b)|"
    rf"<\|\s*(?:/|end_of_){_NAMES}\|>",
    re.IGNORECASE,
)
_DETAILS = re.compile(
    r"<details[^<>]*>\s*<summary>[^<]{0,40}(?:gedank|think|reason|thought|denk|überleg|"
    r"analys)[^<]{0,40}</summary>(.*?)</details>",
    re.DOTALL | re.IGNORECASE,
)
_FINAL = re.compile(r"<\|channel\|>\s*final\s*<\|message\|>")
_CHANNEL = re.compile(r"<\|channel\|>\s*(?:analysis|commentary)\s*<\|message\|>")
_ALOUD = re.compile(
    r"\s*(?:okay|ok|alright|hmm|let me|let's|first,? (?:i|let)|so,? the|the user|lass mich|"
    r"mal sehen|zuerst überlege)\b",
    re.IGNORECASE,
)


def without_thoughts(answer: str) -> tuple[list[str], bool]:
    """Return what an answer says outside of thoughts, what counts first in front, and whether a thought does not end.

    What stands behind the last thought counts before what stands in front of the first. A closing mark without an
    opening one ends a thought that began with the prompt.
    """
    answer = _DETAILS.sub(" ", answer)
    if _CHANNEL.search(answer) or _FINAL.search(answer):
        parts = _FINAL.split(answer)
        return ([parts[-1]], False) if len(parts) > 1 else ([], True)
    closes = list(_CLOSE.finditer(answer))
    behind = answer[closes[-1].end() :] if closes else answer
    opened = _OPEN.search(behind)
    said = [behind[: opened.start()] if opened else behind]
    first = _OPEN.search(answer)
    if closes and first and first.start() < closes[0].start():
        said.append(answer[: first.start()])
    return said, opened is not None


def has_thought(answer: str) -> bool:
    """Tell whether a thought stands in an answer that is not empty; it may have begun with the prompt."""
    if _CHANNEL.search(answer):
        return True
    *closed, behind = _CLOSE.split(answer)
    thoughts = [_OPEN.split(part, maxsplit=1)[-1] for part in closed] + _OPEN.split(behind, maxsplit=1)[1:]
    return any(re.search(r"\w", thought) for thought in thoughts)


def is_thinking_aloud(said: str) -> bool:
    """Tell whether an answer is nothing but a thought without marks that does not end."""
    return bool(_ALOUD.match(said)) and not re.search(r"[.!\])}\"'`*\d]\s*$", said)
