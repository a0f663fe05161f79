"""Letters and digits of one kind: look-alike, enclosed, raised and full-width characters."""

import re
import unicodedata

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\u180e\u034f\u2122\u2120\ufeff]")
_COMBINING = re.compile("[\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f]")  # keycaps, underlines
_CROSSED = re.compile("(?:[^\\s\u0335-\u0338][\u0335-\u0338]+ ?)+")
_RAISED = "[\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089]"
_RAISED_CODE = re.compile(rf"(?<![^\W_])[A-Za-z]{_RAISED}{{2}}(?:[.,·˙]?{_RAISED}{{1,2}})?|(?<=\d[.,]){_RAISED}{{1,2}}")
_FOOTNOTE = re.compile(f"{_RAISED}|[\u00aa\u00ba\u02b0-\u02b8\u1d2c-\u1d6a]")
_BEFORE = str.maketrans("ϹϲᴄᏟꓚΟοоО", "CcCCCOooO")  # before characters are taken apart
_ALIKE = str.maketrans("АВСЕНІЈКМОРТХЗсΑΒΕΖΗΙΚΜΝΡΤΥΧ", "ABCEHIJKMOPTX3cABEZHIKMNPTYX")  # Cyrillic, Greek
_SIGNS = str.maketrans(
    {"⁄": "/", "∕": "/", "⧸": "/", "╱": "/", "÷": "/", "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "−": "-"}
    | {"⇒": "→", "➜": "→", "➔": "→", "➡": "→", "⋅": "·", "ꞏ": "·", "˙": "·", "٫": ",", "‚": ",", "｡": "。"}
)
_ENCLOSED = {first + at: 65 + at for first in (0x1F150, 0x1F170, 0x1F1E6) for at in range(26)}  # white on black, flags
_SCRIPTS = re.compile(
    r"([\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af])(?=[A-Za-z0-9])|"
    r"([A-Za-z0-9])(?=[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af])"
)


def in_plain_letters(text: str) -> str:
    """Return a text in Latin letters and digits where others only look like them."""
    if text.isascii():
        return text
    text = _INVISIBLE.sub("", _CROSSED.sub(" ", text)).translate(_BEFORE)
    text = _RAISED_CODE.sub(lambda found: unicodedata.normalize("NFKC", found.group()), text)
    text = unicodedata.normalize("NFKC", _FOOTNOTE.sub("", text)).translate(_SIGNS).translate(_ENCLOSED)
    text = "".join(_digit(sign) if sign > "\x7f" else sign for sign in _COMBINING.sub("", text))
    return _SCRIPTS.sub(lambda found: found.group() + " ", text.translate(_ALIKE))


def _digit(sign: str) -> str:
    value = unicodedata.digit(sign, None)
    return sign if value is None else str(value)
