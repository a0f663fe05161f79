"""Yes and no in an answer."""

import re
from operator import itemgetter

from onkocode.evaluation.answers.marks import Context
from onkocode.evaluation.answers.statements import said_by_statement
from onkocode.evaluation.answers.words import said_in_a_word
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
        (r"\b(?:ohne|kein\w*|no|without(?: a)?|zero) (?:zweifel|doubts?|frage)\b:?", " "),
        (r"\bno (?=(?:further |other |additional |distant |lymph node |signs? of )*(?:metasta|lymph|doubt))", " "),
        (r"\bno\.?\s*(?=\d)|\bn[o0]\s+m[o0x1]\b", " "),
        (r"\b(?:falls|wenn|if|bei) (?:ja|nein|yes|no)\b", " "),
    )
)
_WORD = re.compile(
    r"(?<![^\W_])(?:(?P<yes>ja|jawohl|yes|bejah\w*|zutreffend|korrekt)|(?P<no>nein|no|nope|vernein\w*|"
    r"unzutreffend))(?![^\W_])",
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
_NOT_SO = re.compile(r"\btrifft\s+nicht\s+zu|\bstimmt\s+nicht|\bnicht\s+zutreffend", re.IGNORECASE)
_SO = re.compile(r"\btrifft\s+zu|\bstimmt\b", re.IGNORECASE)
_OPEN = re.compile(
    r"\bj[ae]+in\b|(?:^|[.!?\n])\s*vielleicht\s*(?:[.!]|$)|\bnull\b|\bunentschieden\b|"
    r"\b(?:nicht|weder|not|cannot)\b[^.\n]{0,40}\b(?:entscheiden|beantworten|decided?|answer(?:ed)?|determined?)\b",
    re.IGNORECASE,
)
_DOUBTS = r"könnte|kann|vielleicht|möglicherweise|eventuell|maybe|perhaps|possibly"
_BALANCED = re.compile(
    rf"\b(?:einerseits|einesteils|teils|halb|mal|sowohl|(?:etwas|einiges|manches) für|on (?:the )?one hand|"
    rf"in part|partly|{_DOUBTS})"
    r"\W+(?:\w+\W+)?(?:ja|nein|yes|no)\b[^.\n]{0,40}?"
    r"\b(?:andererseits|and(?:e)?rerseits|anderenteils|teils|halb|mal|als auch|wie auch|(?:etwas|einiges|manches) für|"
    rf"on the other(?: hand)?|in part|partly|{_DOUBTS})\W+(?:\w+\W+)?"
    r"(?:ja|nein|yes|no)\b|\b(?:ja und nein|yes and no|nein und ja|no and yes)\b",
    re.IGNORECASE,
)
_SHARE = re.compile(r"\b(?:(?P<yes>ja|yes)|nein|no)\W{1,4}(?P<percent>\d{1,3}) ?%", re.IGNORECASE)
_BEFORE = re.compile(r"(?P<percent>\d{1,3}) ?% (?:(?P<yes>ja|yes)|nein|no)\b", re.IGNORECASE)
_ON, _OFF = r"(?:\[x\]|\(x\)|[☒☑✅✓✔◉●])", r"(?:\[ ?\]|\( ?\)|[☐○◯❌✗✘✖])"
_FIRST = re.compile(rf"(?:(?P<box>{_ON}|{_OFF})\W{{0,3}})?\b(?:ja|nein|yes|no)\b", re.IGNORECASE)
_OFF_FIRST = re.compile(rf"{_OFF}\W{{0,3}}(?:ja|nein|yes|no)\b", re.IGNORECASE)
_OFF_BEHIND = re.compile(rf"\b(?:ja|nein|yes|no)\W{{0,3}}?{_OFF}", re.IGNORECASE)
_UNDECIDED = re.compile(
    r"\b(?:weiß (?:es |ich )?(?:es )?nicht|keine ahnung|(?:do not|don't) know|schwer zu sagen|unentschieden)\b",
    re.IGNORECASE,
)
_WEAK = re.compile(r"korrekt|(?:un)?zutreffend", re.IGNORECASE)
_TAKEN_BACK = re.compile(r"\b[A-Z]\d\d(?:\.\d{1,2})?\s?\?\s*nein\W{1,3}(?=[A-Z]\d\d)", re.IGNORECASE)


def find_decision(text: str, coded: bool = False) -> tuple[str | None, bool]:
    """Return yes or no as an answer commits to it, and whether the other word stands there too.

    Args:
        text: plain.
        coded: yes is said by a code.
    """
    balanced = _BALANCED.search(text)
    text = _BALANCED.sub(CHOICE, text)
    if coded:
        text = _TAKEN_BACK.sub(" ", text)
    first = _FIRST.search(text)
    text = (_OFF_FIRST if first and first["box"] else _OFF_BEHIND).sub(" ", text)
    for pattern, plain in _PLAIN:
        text = pattern.sub(plain, text)
    if _CONDITION.search(text):
        return None, True
    words = [(YES if found["yes"] else NO, found.start()) for found in _WORD.finditer(text) if _counts(text, found)]
    likelier = _likelier(text)
    if likelier:
        return likelier, True
    if words and all(_WEAK.match(text, at) for _, at in words):
        said = said_by_statement(text, coded)
        return said or words[0][0], False
    if words:
        return _of_words(words, text)
    return (None, True) if balanced else (_of_statements(text, coded), False)


def _of_words(words: list[tuple[str, int]], text: str) -> tuple[str | None, bool]:
    context = Context(text)
    last = max(
        ((at if _LABEL.search(text[:at]) else context.decided(at), word) for word, at in words), key=itemgetter(0)
    )
    both = len({word for word, _ in words}) > 1
    if last[0] >= 0:
        return last[1], both
    if both and (_UNDECIDED.search(text) or not re.search(r"[^\W\d_]{2,}", _WORD.sub("", text))):
        return None, True
    return words[0][0], both


def _likelier(text: str) -> str | None:
    """Return the likelier of yes and no where a share stands beside both."""
    for pattern in (_SHARE, _BEFORE):
        shares = {YES if found["yes"] else NO: int(found["percent"]) for found in pattern.finditer(text)}
        if len(shares) == 2 and shares[YES] != shares[NO]:
            return max(shares, key=lambda word: shares[word])
    return None


def _of_statements(text: str, coded: bool) -> str | None:
    """Return what an answer says without the words themselves; None also where it says that it does not decide."""
    if _OPEN.search(text):
        return None
    if CHOICE in text:
        text = text[text.rindex(CHOICE) + len(CHOICE) :]
    if _NOT_SO.search(text):
        return NO
    said = said_in_a_word(text) or said_by_statement(text, coded)
    return said or (YES if _SO.search(text) else None)


def _counts(text: str, found: re.Match[str]) -> bool:
    before = text[max(0, found.start() - 40) : found.start()]
    return not (_DENIAL.search(before) or _SUPPOSED.search(before))
