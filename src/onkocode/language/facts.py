"""Facts that stand in codes of their own: stage, grading, receptors, sizes, dates, sides.

They are kept apart, because some decide a code (pTis) and none of their letters and numbers is a word of a diagnosis.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """A fact as written: its kind, its value, and where it stands in the text."""

    kind: str
    value: str
    start: int
    end: int


READ_TOO = frozenset(("grade",))  # also words: the grade of a lymphoma is its type
_END = r"(?=$|[^a-zA-ZäöüÄÖÜß]|[pcyrau]{0,2}[NMLVRG])"
_PREFIX = r"(?:(?:[yra]{0,2}[cpu]|[yr]{1,2})?)"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, flags))
    for kind, pattern, flags in (
        (
            "date",
            r"(?<!\d)(?:\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})?|\d{1,2}/(?:19|20)\d\d|(?:19|20)\d\d|[0-3]?\d/\d\d(?!\d))(?!\d|,\d)",
            0,
        ),
        (
            "T",
            rf"(?<![^\W_]){_PREFIX}T(?:is|a(?![a-z])|[0-4X](?:[a-d](?![a-z]))?\d?)(?:\s?\((?:m|s|is|DCIS|LCIS|Paget|\d+)\)|m(?![a-z]))?{_END}",
            0,
        ),
        (
            "N",
            rf"(?:(?<![^\W_])|(?<=[0-4abcdX\)]))(?:[yra]{{0,2}}[cpu])?N(?:[0-3X][a-d]?|\+)(?:\s?\(\s?(?:sn|mi|i[+-]|\d+\s?/\s?\d+)[^)]*\)|mi)?{_END}",
            0,
        ),
        (
            "M",
            r"(?:(?<![^\W_])|(?<=[0-3abcX\)+]))(?:[yra]{0,2}[cpu])?M(?:[01X][a-d]?)"
            rf"(?:\s?\(?(?:PUL|HEP|OSS|BRA|LYM|MAR|PLE|PER|ADR|SKI|OTH)[^)\s]*\)?)?{_END}",
            0,
        ),
        ("invasion", r"(?<![^\W_])(?:L[01X]|V[0-2X]|Pn[01X])(?![^\W_])", 0),
        ("residual", r"(?<![^\W_])R[012X](?![^\W_])(?:-?[Rr]eseziert)?", 0),
        ("nodes", r"(?<!\d)\d{1,2}\s?/\s?\d{1,2}(?:\s?(?:LK|Lk))?(?!\d)", 0),
        (
            "gleason",
            r"\bGleason(?:[- ]?(?:Score|Sc\.|Summe))?\s{0,3}:?\s{0,3}\d\s{0,3}(?:\+\s{0,3}\d)?"
            r"\s{0,3}(?:=\s{0,3}\d{1,2}\s?[ab]?)?(?:\s?[ab]\b)?",
            re.I,
        ),
        ("isup", r"\bISUP(?:[- ]?(?:Grad|Gruppe|grade|GG))?\s*\d\b", re.I),
        (
            "psa",
            r"\b(?:i?PSA|Ki[- ]?67|MIB[- ]?1|AFP|CEA|Mitosen?|HPF)\s{0,3}"
            r"(?:(?:initial|bei|:|=|ca\.?|>|<|~)\s{0,3}){0,3}"
            r"\d+(?:[.,]\d+)?\s{0,3}(?:%|ng/ml|µg/l|/HPF)?",
            re.I,
        ),
        ("grade", r"(?<![^\W_])G\s?[1-4X](?:\s?-\s?(?:G\s?)?[1-4]|/[1-4])?[ab]?(?![^\W_])", 0),
        (
            "stage",
            r"\b(?:UICC|AJCC|FIGO)(?:[- ]?(?:Stadium|Stad\.?|stage))?\s*:?\s*(?:IV|I{1,3}|0)[A-Da-d]?\d?\b",
            re.I,
        ),
        (
            "receptor",
            r"\b(?:ER|PR|PgR|HER-?2(?:[-/ ]?neu)?|Östrogenrezeptor|Progesteronrezeptor|Hormonrezeptor(?:en)?|HR)\s*"
            r"(?:pos(?:itiv)?\.?|neg(?:ativ)?\.?|[+-]{1,3}|score\s*\d|\d{1,3}\s?%|:?\s*[0-3]\+?)",
            re.I,
        ),
        (
            "size",
            r"(?:(?<![-\w])(?-i:ca\.)\s?)?(?<![\w,])\d+(?:[.,]\d+)?(?:\s?[x×*]\s?\d+(?:[.,]\d+)?){0,2}\s?(?:cm|mm)(?![^\W_])(?!\s*(?:ab|von)\b)",
            re.I,
        ),
        ("percent", r"(?:(?<![-\w])ca\.\s?)?\b\d+(?:[.,]\d+)?\s?%", 0),
    )
)
_LEUKAEMIA = re.compile(r"(?:AML|ANLL|FAB|[Ll]euk(?:ä|ae)mie)\W{0,3}(?:(?:FAB|Typ|Subtyp|n(?:ach|\.))\W{0,3}){0,3}$")
_BY_FAB = re.compile(r"\W{0,3}(?:n(?:ach|\.)\s?)?FAB\b")


def _is_subtype(kind: str, match: re.Match[str]) -> bool:
    """Tell whether an M category is a subtype of leukaemia by FAB (AML M1)."""
    if kind != "M":
        return False
    text = match.string
    return bool(_LEUKAEMIA.search(text[: match.start()]) or _BY_FAB.match(text[match.end() :]))


def take_facts(text: str) -> tuple[tuple[Fact, ...], str]:
    """Return the facts in a text, and the text, as long, with blanks in their place."""
    found: list[Fact] = []
    for kind, pattern in _PATTERNS:
        pieces, at = [], 0
        for match in pattern.finditer(text):
            if match.end() == match.start() or _is_subtype(kind, match):
                continue
            found.append(Fact(kind, match.group().strip(), match.start(), match.end()))
            blank = match.group() if kind in READ_TOO else " " * (match.end() - match.start())
            pieces += [text[at : match.start()], blank]
            at = match.end()
        text = "".join([*pieces, text[at:]])
    return tuple(sorted(found, key=lambda fact: fact.start)), text


def tumour_in_situ(facts: Sequence[Fact]) -> bool:
    """Tell whether a T category says in situ."""
    return any(fact.kind == "T" and re.search(r"Tis(?!\))", fact.value) for fact in facts)


def tumour_papillary(facts: Sequence[Fact]) -> bool:
    """Tell whether a T category says non-invasive papillary (Ta)."""
    return any(fact.kind == "T" and re.search(r"Ta(?![a-z])", fact.value) for fact in facts)
