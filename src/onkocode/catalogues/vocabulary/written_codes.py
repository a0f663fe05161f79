"""Codes as German records write them, in the usual form: the one reader of cells that hold a code.

The marks behind a code of ICD-10-GM are those of § 295 SGB V (certainty A, G, V, Z; side R, L, B) and of the catalogue
itself (`+` or † cross, `*` star, `!`, and the dash of a category). They belong to the record, not to the code.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from onkocode.catalogues.formats.delimited import visible

CERTAINTY, SIDE = "AGVZ", "RLB"
LETTERS_BEHIND = f"(?:[{CERTAINTY}][{SIDE}]?|[{SIDE}][{CERTAINTY}]?)"  # C50.9G, C50.9LG
MARKS = ("certainty", "side", "cross", "star", "exclamation mark", "dash")
REASONS = {
    "empty": "is empty",
    "placeholder": "holds a placeholder",
    "several": "holds several codes",
    "unreadable": "holds no single code",
}
_LONGEST = 60  # what is longer is no code
_PLACEHOLDER = re.compile(
    r"[-–—_.?/*x ]+|k\.? ?a\.?|n\.? ?a\.?|n/a|n\.? ?b\.?|nan|nil|null|none|leer|fehlt|keine?r?|ohne|unbekannt|unknown"
    r"|keine angabe|nicht bekannt|nicht angegeben|<na>|#n/?a|#nv",
    re.IGNORECASE,
)
_ICD = re.compile(
    r"(?P<letter>[A-Za-z])(?P<space> )?(?P<category>[0-9]{2})"
    r"(?:(?P<gap> )?(?P<point>[.,])(?P<gap2> )?(?P<rest>[0-9]{1,2})|(?P<bare>[0-9]{1,2})|(?P<gap3> )(?P<single>[0-9]))?"
    r"(?![0-9])"
)
_MORPHOLOGY = re.compile(
    r"(?P<m>[Mm]-?)?(?P<space> )?(?P<type>[0-9]{4})(?:(?P<gap> )?(?P<sign>[/:])(?P<gap2> )?)?"
    r"(?P<behaviour>[0-9])(?![0-9])"
)
_CODE_LIKE = {
    "icd": re.compile(r"(?<![^\W_])[A-Za-z] ?[0-9]{2}(?:[.,]?[0-9]{1,2})?(?![0-9])", re.ASCII),
    "morphology": re.compile(r"(?<![0-9])[0-9]{4} ?[/:]? ?[0-9](?![0-9])"),
}
_PREFIX = re.compile(
    r"(?:icd(?:[- ]?10)?(?:[- ]?gm)?(?:[- ]?20[0-9]{2})?|icd[- ]?o(?:[- ]?3)?)(?: ?[:=] ?| )", re.IGNORECASE
)
_OPENING = re.compile(r"[(\[\"'„]")
_BEHIND = re.compile(
    r"(?P<gap>[ ,;|/]*)(?P<open>[(\[])?(?:"
    r"(?P<dash>\.?[-–—‐‑])|(?P<cross>[+†‡])|(?P<star>\*)|(?P<exclamation>!)|(?P<dot>[.,](?![^\W_]))"
    r"|(?P<certainty>(?<![^\W_])(?i:v\. ?a\.?|z\. ?n\.?|verdacht|gesichert|ausgeschlossen))(?![^\W_])"
    r"|(?P<side>(?<![^\W_])(?i:rechts|re\.?|links|li\.?|beid(?:er)?seits|beidseitig|bds\.?))(?![^\W_])"
    rf"|(?P<letters>{LETTERS_BEHIND}|(?<![^\W_])(?i:{LETTERS_BEHIND}))(?![^\W_])"
    r"|(?P<close>[)\]\"'“])|(?P<end>$))"
)
_BEFORE = re.compile(r"(?:v\. ?a\.?|z\. ?n\.?|verdacht auf|zustand nach)(?: ?: ?| )", re.IGNORECASE)


@dataclass(frozen=True)
class Written:
    """A code as read from a cell; it need not exist.

    Attributes:
        code: in the usual form (C50.9, 8140/3); None where the cell holds no single code.
        taken: what was taken off or changed, each once: `MARKS`, and what makes the form unusual.
        reason: a key of `REASONS` where there is no code.
    """

    code: str | None
    taken: tuple[str, ...] = ()
    reason: str = ""


def read_code(cell: str, system: str) -> Written:
    """Read a cell that should hold one code of a system: icd10gm, topography or morphology.

    Nothing is guessed: marks that contradict each other, other letters behind a code and several codes are no code.
    """
    seen = visible(cell)
    text = " ".join(seen.split())
    if not text:
        return Written(None, reason="empty")
    if _PLACEHOLDER.fullmatch(text):
        return Written(None, reason="placeholder")
    taken = Counter(["invisible characters"] if seen != cell.strip() else [])
    code = _read(text, system, taken) if len(text) <= _LONGEST else None
    if code is not None and max(taken[mark] for mark in ("certainty", "side")) < 2:
        return Written(code, tuple(taken))
    like = _CODE_LIKE["morphology" if system == "morphology" else "icd"]
    return Written(None, reason="several" if len(like.findall(text)) > 1 else "unreadable")


def marks_note(taken: Counter[str]) -> list[str]:
    """Return a sentence on the marks that `count_taken` counted; none where there were none."""
    marks = [f"{taken[kind]} {kind}" for kind in MARKS if taken[kind]]
    return [f"{taken['codes']} code(s) had marks taken off: {', '.join(marks)}"] if marks else []


def forms_note(taken: Counter[str]) -> list[str]:
    """Return a sentence on the unusual forms that `count_taken` counted; none where there were none."""
    forms = [f"{n} {kind}" for kind, n in taken.items() if n and kind not in (*MARKS, "codes", "forms")]
    return [f"{taken['forms']} code(s) were put into the usual form: {', '.join(forms)}"] if forms else []


def count_taken(written: Written, taken: Counter[str]) -> None:
    """Count what was taken off a code, by kind, and as `codes` with marks and `forms` that were unusual."""
    taken.update(written.taken)
    taken["codes"] += any(kind in MARKS for kind in written.taken)
    taken["forms"] += any(kind not in MARKS for kind in written.taken)


def _read(text: str, system: str, taken: Counter[str]) -> str | None:
    """Return the code in a text without needless space; what is taken off is counted."""
    place = 0
    for pattern, kind in ((_OPENING, "brackets"), (_PREFIX, "prefix"), (_BEFORE, "certainty"), (_OPENING, "brackets")):
        if found := pattern.match(text, place):
            place = found.end()
            taken[kind] += 1
    code, end = _FORMS[system](text, place, taken)
    while code is not None and end < len(text):
        found = _BEHIND.match(text, end)
        if found is None:
            return None
        _take(found, taken)
        end = found.end()
    return code


def _take(found: re.Match[str], taken: Counter[str]) -> None:
    names = {"dash": "dash", "cross": "cross", "star": "star", "exclamation": "exclamation mark", "dot": "dot behind"}
    names |= {"certainty": "certainty", "side": "side", "close": "brackets"}
    for group, kind in names.items():
        taken[kind] += found[group] is not None
    for letter in (found["letters"] or "").upper():
        taken["certainty" if letter in CERTAINTY else "side"] += 1
    for kind in [kind for kind, count in taken.items() if not count]:
        del taken[kind]


def _icd(text: str, place: int, taken: Counter[str]) -> tuple[str | None, int]:
    found = _ICD.match(text, place)
    if found is None:
        return None, place
    rest = found["rest"] or found["bare"] or found["single"] or ""
    odd = {
        "small letter": found["letter"].islower(),
        "space": any(found[gap] for gap in ("space", "gap", "gap2", "gap3")),
        "comma": found["point"] == ",",
        "missing dot": bool(found["bare"] or found["single"]),
    }
    taken.update(kind for kind, is_so in odd.items() if is_so)
    return f"{found['letter'].upper()}{found['category']}" + (f".{rest}" if rest else ""), found.end()


def _topography(text: str, place: int, taken: Counter[str]) -> tuple[str | None, int]:
    code, end = _icd(text, place, taken)
    whole = code is not None and code[0] == "C" and code[:3] <= "C80" and len(code) < 6
    return (code if whole else None), end


def _morphology(text: str, place: int, taken: Counter[str]) -> tuple[str | None, int]:
    found = _MORPHOLOGY.match(text, place)
    if found is None:
        return None, place
    odd = {
        "prefix": found["m"] is not None,
        "space": any(found[gap] for gap in ("space", "gap", "gap2")),
        "colon": found["sign"] == ":",
        "missing slash": found["sign"] is None,
    }
    taken.update(kind for kind, is_so in odd.items() if is_so)
    return f"{found['type']}/{found['behaviour']}", found.end()


_FORMS: dict[str, Callable[[str, int, Counter[str]], tuple[str | None, int]]] = {
    "icd10gm": _icd,
    "topography": _topography,
    "morphology": _morphology,
}
