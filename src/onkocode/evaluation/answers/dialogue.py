"""Who speaks in an answer: the model itself, or a question that it repeats or goes on to ask."""

import re

_ASKS = r"user|human|system|prompter|tool|nutzer|instruction"
_ROLE = re.compile(
    r"<\|im_start\|>\s*(?P<r1>\w+)|<\|start_header_id\|>\s*(?P<r2>\w+)\s*<\|end_header_id\|>|"
    r"<start_of_turn>\s*(?P<r3>\w+)|<\|start_of_role\|>\s*(?P<r4>\w+)\s*<\|end_of_role\|>|<\|start\|>\s*(?P<r5>\w+)|"
    r"<[|｜](?P<r6>user|assistant|system|human|bot|model|prompter)[|｜]>|<\|(?P<r7>user|chatbot|system)_token\|>|"
    r"\[(?P<r8>/?inst)\]",
    re.IGNORECASE,
)
_END = re.compile(
    r"<\|(?:im_end|eot_id|end_of_text|endoftext|return|end|eom_id|end_of_turn_token)\|>|</s>|<eos>|<end_of_turn>|"
    r"<｜end▁of▁sentence｜>",
    re.IGNORECASE,
)
_SIGN = re.compile(r"<[|｜][^|<>｜]{0,40}[|｜]>|<s>|<bos>|<start_of_turn>")
_SAYS = re.compile(r"<\|(?:begin_of_|start_of_)?(?:solution|answer|final\w*)\|>", re.IGNORECASE)
_SYSTEM = re.compile(r"<<SYS>>.*?<</SYS>>", re.DOTALL)
_MARKER = re.compile(
    r"^[\W_]*(?:befund|bericht|frage|question|q|nächste frage|neue frage|diagnose(?:text)?|text|aufgabe|"
    r"instruction|prompt|anweisung|eingabe|"
    r"input|user|human|nutzer|beispiel|example|patient|fall)\s*(?:\d+)?\s*:",
    re.IGNORECASE | re.MULTILINE,
)


_REPLY = re.compile(
    r"(?:^[\W_]*|\s)(?:response|antwort|answer|assistant|assistentin|assistent|model|bot|réponse|respuesta|"
    r"output|completion|ausgabe|lösung|ergebnis|AI|"
    r"KI)\s*:(?=\s*\S)"
    r"|^[\W_]*a\s*:(?=\s*\S)",
    re.IGNORECASE | re.MULTILINE,
)


def turns(answer: str) -> list[str]:
    """Return the parts of an answer: what stands before a question that the model asks itself, then each such question.

    What stands behind the end of the turn is dropped, unless nothing stands before it; of a question, what answers it
    is left.
    """
    own = next((part for part in _END.split(_own(answer)) if _said(part)), "")
    own = _SIGN.sub("\n", _SAYS.sub("\nAntwort: ", own))
    starts = [found.start() for found in _MARKER.finditer(own)]
    ends = [*starts, len(own)]
    asked = [_replied(own[start:end]) for start, end in zip(starts, ends[1:], strict=True)]
    return [part for part in (own[: ends[0]], *asked) if part.strip()]


def _own(answer: str) -> str:
    """Return the first turn of the model itself, where an answer names who speaks."""
    answer = _SYSTEM.sub(" ", answer) if _said(_SYSTEM.sub(" ", answer)) else answer
    marks = list(_ROLE.finditer(answer))
    if not marks:
        return answer
    ends = [*(found.start() for found in marks[1:]), len(answer)]
    parts = [(_asks(found), answer[found.end() : end]) for found, end in zip(marks, ends, strict=True)]
    parts.insert(0, (marks[0].group().lower() == "[/inst]", answer[: marks[0].start()]))
    own = [part for asks, part in parts if not asks and _said(part)]
    return own[0] if own else "".join(part for _, part in parts)


def _asks(mark: re.Match[str]) -> bool:
    role = next(name for name in mark.groups() if name).lower()
    return role == "inst" or bool(re.fullmatch(_ASKS, role))


def _said(part: str) -> bool:
    return bool(_SIGN.sub("", _END.sub("", part)).strip())


def _replied(question: str) -> str:
    """Return what answers a question, else the question."""
    reply = _REPLY.search(question)
    return question[reply.start() :] if reply else question
