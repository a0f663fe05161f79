"""What an answer says of a code right before or behind it: that it is right, wrong, or taken back."""

import re

from onkocode.evaluation.answers.marks import DENIED

_CODE = r"(?<![^\W_])(?:[A-Z]\d\d(?:\.\d{1,2})?|[89]\d{3}(?:/\d)?)[)\]\"'“]{0,2}"
_FILLERS = (
    r"(?:den?|die|das|der|dem|um|als|code|kategorie|mit|unter|an|für|the|ein\w*|mehr|etwa|sind|ist|wird|"
    r"wurden|are|is|von|of|"
    r"auf|es|el|la|le|du|de|une?|het|it|fall|umständen|hier|here)"
)
RULED_OUT = re.compile(
    rf"(?:{DENIED.pattern}|(?:geändert|changed|korrigiert) (?:von|from)|不是|并非|而非)\s*(?:{_FILLERS}\s+){{0,4}}$",
    re.IGNORECASE,
)
_AGAINST = re.compile(r"\b(?:gegen|against)\s+(?:den code\s+)?$", re.IGNORECASE)
_SPEAKS = re.compile(r"\s*(?:spr[iäa]ch|speak|argu)", re.IGNORECASE)
_NOT = (
    r"(?:falsch\w*|nicht|unzutreffend|unpassend|ausgeschlossen|wrong|incorrect|not|keinesfalls|keineswegs|"
    r"niemals|never|auf keinen fall|"
    r"(?:ein |an? )?(?:fehler|irrtum|mistake|error)|excluded|ruled out|zu verwerfen|auszuschließen|"
    r"inappropriate|unsuitable|verworfen|abzulehnen|"
    r"abgelehnt|rejected)"
)
IS_WRONG = re.compile(
    r"\W{0,2}(?:\([^)]*\))?\s*(?:ist|sind|wäre|war|wird|wurde|is|was|trifft|treffen|passt|kommt|stimmt|"
    r"gilt)?\s*(?:es\s+|das\s+)?"
    rf"(?:hier\s+|here\s+)?(?:daher\s+)?(?:klar\s+|eindeutig\s+|definitiv\s+|clearly\s+|definitely\s+|"
    rf"certainly\s+)?{_NOT}\b"
    r"(?!\s*[A-Z]\d\d| (?:ganz )?sicher| ausgeschl| auszuschl| ausschließ| nur\b| only\b| certain| excluded| ruled)"
    r"|\s*(?:scheidet|entfällt|fällt (?:\w+ )?(?:weg|aus)|does(?:n't| not)|isn't|wasn't|"
    r"can be (?:safely )?(?:ruled out|excluded)|"
    r"kann (?:\w+ ){0,2}(?:ausgeschlossen|verworfen)|lässt sich ausschl|n'est pas)"
    r"|\s*(?:eignet|gehört|stimmt|zählt|passt|trifft|kommt|reicht|genügt|macht|hat|ist|"
    r"wäre)\b[^\d\n]{0,30}?\b(?:nicht(?! nur| sicher| n[äa]her)|"
    r"nichts|fehl am|keinen sinn)\b(?! ausgeschl| auszuschl| ganz sicher)",
    re.IGNORECASE,
)
IS_RIGHT = re.compile(
    r"[)\]\"'“]{0,2}(?:\s*\([^)]*\))?\s*(?:ist|war|is|was|bleibt|erscheint|seems)?\s*(?:(?!weniger|kaum|nicht|"
    r"not|less|nur|zu|wohl|wäre|would|might|"
    r"könnte)[^\W\d]+\s+){0,2}?(?:richtig\w*|korrekt\w*|zutreffend\w*|passt(?: (?:am besten|gut|genau))?|"
    r"passend\w*|stimmt|gilt|sicher|gesichert|eindeutig|bestätigt|gemeint|"
    r"vorzuziehen|correct|right|fits|applies|certain|definite|confirmed|meant|mit sicherheit|ohne zweifel|"
    r"trifft (?:\w+ )?zu)(?!\w)"
    r"(?!\s*(?::|=|(?:nicht|not|ist|wäre|is|lautet|sind|wird|kein\w*|nur|for|für|als|zu|erst|only|if|wenn)\b))",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(
    rf"\s*[(\[]\s*(?:(?:ist|is) )?(?:(?P<wrong>{_NOT})|(?P<right>richtig|korrekt|zutreffend|sicher|correct|"
    rf"right))\s*[)\]]",
    re.IGNORECASE,
)
SAID_OF_CODE = re.compile(_CODE + IS_RIGHT.pattern, re.IGNORECASE)  # decides on this code, not on the next one
TAKEN_BACK = re.compile(
    _CODE + r"\W{1,6}(?:(?:ach|oh|äh|ähm|hm+|halt|moment|wait)\W{1,5})?(?:nein|no|nope|nee|falsch|"
    r"wrong)\b(?=\s*[,.!:-]|\s+doch)",
    re.IGNORECASE,
)
_CROSS, _TICK = "❌✗✘✖🚫", "✅✓✔☑"
_SIGN_FIRST = re.compile(rf"[\s\d.)-]*[{_CROSS}{_TICK}]")
_SIGN_BEFORE = re.compile(rf"(?P<sign>[{_CROSS}{_TICK}])[^\w\n]*$")
_SIGN_BEHIND = re.compile(rf"[^\w\n]{{0,3}}?(?P<sign>[{_CROSS}{_TICK}])")


def ruled_out(before: str, behind: str) -> bool:
    """Tell whether a code is ruled out by what stands before and behind it in its clause."""
    if RULED_OUT.search(before) or IS_WRONG.match(behind):
        return True
    return bool(_AGAINST.search(before) and _SPEAKS.match(behind))


def said_right(text: str, clause: str) -> bool:
    """Tell whether what stands behind a code, in the text and in its clause, calls it right."""
    bracket = _IN_BRACKETS.match(text)
    return bool(IS_RIGHT.match(clause) or (bracket and bracket["right"]))


def ticked(line: str, behind: str) -> bool | None:
    """Tell whether a code is ticked, or called right or wrong in brackets; None where nothing says so."""
    bracket = _IN_BRACKETS.match(behind)
    if bracket:
        return not bracket["wrong"]
    found = _SIGN_BEFORE.search(line) if _SIGN_FIRST.match(line) else _SIGN_BEHIND.match(behind)
    return found["sign"] in _TICK if found else None
