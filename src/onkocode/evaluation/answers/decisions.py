"""Yes and no in an answer."""

import re
from operator import itemgetter

from onkocode.evaluation.answers.marks import Context
from onkocode.tasks import NO, YES

CHOICE = " ⟨choice⟩ "  # both words, as what may be answered
_PLAIN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (r"\"?\bja\"?\s*:\s*(?:false|0)\b", " "),
        (r"\"?\bnein\"?\s*:\s*(?:false|0)\b", " "),
        (r"\"?\bja\"?\s*:\s*true\b", " ja "),
        (r"\"?\bnein\"?\s*:\s*true\b", " nein "),
        (r"[\"']?[\w ]{0,30}(?:tumou?r|answer|antwort|diagnose)\w*[\"']?\s*:\s*[\"']?true\b", " ja "),
        (r"[\"']?[\w ]{0,30}(?:tumou?r|answer|antwort|diagnose)\w*[\"']?\s*:\s*[\"']?false\b", " nein "),
        (r"(?:\[ ?\]|☐|○|◯)\s*(?:ja|nein|yes|no)\b", " "),
        (
            r"(?:optionen|antworten|möglichkeiten|options|answers)\W*(?:ja|nein|yes|no)\s*,\s*(?:ja|nein|yes|no)\b\W?",
            CHOICE,
        ),
        (r"\b(?:ja|nein) oder (?:mit |nur )?(?:ja|nein)\b", CHOICE),
        (r"\|\s*(?:ja|yes|nein|no)\s*\|\s*(?:☐|\[ ?\])", " "),
        (r"\(?\b(?:ja|yes)\s*(?:/|oder|or|\||bzw\.?)\s*(?:nein|no)\b\)?", CHOICE),
        (r"\(?\b(?:nein|no)\s*(?:/|oder|or|\|)\s*(?:ja|yes)\b\)?", CHOICE),
        (r"\bno\.?\s*(?=\d)|\bn[o0]\s+m[o0x1]\b", " "),
        (r"\b(?:falls|wenn|if|bei) (?:ja|nein|yes|no)\b", " "),
    )
)
_WORD = re.compile(
    r"(?<![^\W_])(?:(?P<yes>ja|jawohl|yes|bejah\w*|zutreffend|korrekt)|(?P<no>nein|no|nope|vernein\w*|unzutreffend))(?![^\W_])",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:wenn|falls|sofern|if)\b.{0,80}\b(?:sonst|andernfalls|otherwise)\b", re.IGNORECASE | re.DOTALL
)
_DENIAL = re.compile(r"(?:nicht|not|weder|noch|kein)\s+(?:mit\s+|als\s+|mehr\s+|ein\w*\s+)?[\"'„“]?$", re.IGNORECASE)
_SUPPOSED = re.compile(
    r"\b(?:vielleicht|eventuell|möglicherweise|maybe|dachte|hätte|würde|zunächst|zuerst|"
    r"thought|would|z\. ?b\.|beispiel\w*)\b[^.;\n]{0,25}$|\bein\s+[„\"]?$",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\n[^\n]{0,40}:\s*$")  # a line of its own that says what is answered
_SAYS_NO = re.compile(
    r"\bkein\w*\s+(?:\w+\s+){0,2}(?:tumor(?!mark|nach)\w*|krebs\w*|neubildung\w*|neoplasie\w*|malignom\w*)|\bnicht\s+um\s+ein\w*\s+(?:\w+\s+)?"
    r"(?:tumor|krebs|neubildung)\w*|\b(?:not|no)\s+(?:a\s+|an\s+)?(?:\w+\s+)?(?:tumou?r|cancer|neoplasm)|"
    r"\bnicht\s+(?:\w+\s+)?tumor\w*|\btrifft\s+nicht\s+zu|\bstimmt\s+nicht|\bnicht\s+zutreffend",
    re.IGNORECASE,
)
_SAYS_YES = re.compile(
    r"\b(?:ist|is|handelt\s+(?:es\s+)?sich\s+um|liegt)\s+(?:um\s+|hier\s+)?(?:ein\w*\s+|an?\s+)?(?:\w+\s+){0,2}(?:tumor|tumou?r|krebs|neubildung|"
    r"cancer|neoplasm)\w*|\btrifft\s+zu|\bstimmt\b",
    re.IGNORECASE,
)


def find_decision(text: str) -> tuple[str | None, bool]:
    """Return yes or no as an answer commits to it, and whether the other word stands there too."""
    for pattern, plain in _PLAIN:
        text = pattern.sub(plain, text)
    if _CONDITION.search(text):
        return None, True
    words = [(YES if found["yes"] else NO, found.start()) for found in _WORD.finditer(text) if _counts(text, found)]
    if not words:
        denied, said = _SAYS_NO.search(text), _SAYS_YES.search(text)
        if denied:
            return NO, False
        return (YES if said and CHOICE not in text else None), False
    context = Context(text)
    last = max(
        ((at if _LABEL.search(text[:at]) else context.decided(at), word) for word, at in words), key=itemgetter(0)
    )
    both = len({word for word, _ in words}) > 1
    if last[0] >= 0:
        return last[1], both
    if both and not re.search(r"[^\W\d_]{2,}", _WORD.sub("", text)):
        return None, True
    return words[0][0], both


def _counts(text: str, found: re.Match[str]) -> bool:
    before = text[max(0, found.start() - 40) : found.start()]
    return not (_DENIAL.search(before) or _SUPPOSED.search(before))
