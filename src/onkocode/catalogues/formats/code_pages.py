"""Windows-1252 against the code pages of DOS (CP850, CP437) and old Macs: which letters tell them apart.

A file of one byte per letter does not say which code page it follows. German umlauts of DOS and Macs become, read as
Windows-1252, signs or letters that are mostly impossible at their place (`m„nnlich`, `STRA§E`). Where such a sign could
stand there (`…sophagus`, `Groáe`), the umlaut of the other code page could as well; then the rest of the file decides:
an umlaut of Windows-1252 within a word, or a place at which the other code page is impossible. If nothing decides, it
is an error, since a wrong letter would go unseen. Languages other than German count as far as names in German texts go.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

NAMES = {"cp850": "DOS (CP850)", "mac_roman": "old Macs"}
_CONSONANT = "bcdfghjklmnpqrstvwxzßBCDFGHJKLMNPQRSTVWXZ"
_VOWEL = "aeiouyäöüAEIOUYÄÖÜ"
_LETTER = "A-Za-zäöüßÄÖÜ"
_BLOCK = 1 << 18  # bytes

# Each pattern begins at the sign that it is about, so that it is tried there only: a search everywhere is slow.

# In Windows-1252, where it cannot stand. The last lines: signs of Macs, CP850 (°) and ISO 8859-15, and
# accents of Macs and CP850, within words.
_SUSPECT = re.compile("[\udc80-\udcffŸ¤„”™ŽŠ§€†‡šáãøÀ-ÃÅ-ÕÙ-ÛÝÞ¦¨¸¼½¾‚ƒˆ‰¡¢£‘µàíî]")
_IMPOSSIBLE = re.compile(
    "[\udc80-\udcffŸ]|(?<![^\\w\\s;])¤(?![^\\w\\s;])"
    "|(?<=[A-Za-z])(?:[„”™ŽŠ§](?=[a-z])|[€†‡™](?=[A-Z])(?<=[A-Z].)|„)"
    "|(?:(?<=[uo]\\.)|(?<=[uo]\\. ))„"
    "|(?<![^\\s;,\"'(\\[/-])(?:”(?=[a-z])|™(?=[A-Za-z]))"
    "|(?<=[a-z])[ŠŽ]"
    "|(?<=[AEIOUYaeiouyŠšŸ])§|(?<=[A-Z])§(?=[A-Z])"
    "|(?<=[A-Z])[šá](?=[A-Z])|(?<=[A-Z]{2})[šá]|(?<![A-Za-z])š(?=[A-Z])|(?<!\\w)[á§]-\\w"
    "|ã(?=[A-Z])|(?<=[\\d ])ø(?=C)|(?<=[a-z])[À-ÃÅ-ÕÙ-ÛÝÞ]|(?<!\\w)[ÐÑÒÓÔÕ](?!\\w)"
    "|(?<=[A-Za-z])(?:[¦¨¸¼½¾](?=[A-Za-z])|[‚ƒ]|[ˆ‰‡¡¢£](?=[A-Za-z-])|‘(?=[a-rt-z]{2}))"
    "|(?<=[A-Z])µ(?=[A-Z])|(?<=[A-Z]{2})[àíî]"
)
# In Windows-1252: an umlaut where the other code pages have a sign or a line; no ß within a word, for Macs an fl.
_CERTAIN = re.compile(
    "(?<=[A-Za-z])[äöüÄÖÜ](?=[A-Za-z])|(?<![\\w%])[ÄÖÜäöü](?=[a-z]{2})|(?<=[A-Za-z][a-zäöü])ß(?![A-Za-z])"
    "|(?<=[a-z]{2})[äö](?![\\w])"
)
# How words with a first Ä go on. Other initials leave room for names (Škoda, Živa).
_AFTER_A = "(?:b|c[hkt]|d[er]|ff|g|h|l[b-df-hj-np-tv-z]|mt|n[degint]|o[ln]|pf|qu|r[^\\Woiu]|s|t[hinz]|u[gsß]|x)"
# In another code page: an umlaut where German words have one.
_UMLAUT = re.compile("[äöüÄÖÜß]")
_NATURAL = re.compile(
    f"(?<=[{_VOWEL}])ß"
    f"|(?<=[{_CONSONANT}])(?:ä(?=u)|[äöü](?![auyA-ZÄÖÜ]))"
    "|(?<=[BCDFGHJKLMNPQRSTVWXZ])(?:Ä(?=U|A[B-UW-Z])|[ÄÖÜ](?![AUYa-z]))"
    "|(?<=[aeiou])ö(?=s|rck|dem|ff)|(?<=[AEIOUY])(?:Ö(?=S|RCK|DEM|FF)|Ä(?=[BCDFGHJKLMNPQRSTVWXZ]))"
    f"|(?<![\\w])(?:(?i:ä{_AFTER_A})|(?i:[öü][b-df-hj-np-tv-z]))"
    "|(?:(?<=[uo]\\.)|(?<=[uo]\\. ))[äÄ](?!\\w)"
)
# In another code page, where it cannot stand: what quotation marks, lone signs and accents of Windows-1252 turn into.
_ACCENT = re.compile("[äöüÄÖÜßÚÈÓÍÌÎÏôì]")
_UNNATURAL = re.compile(
    "(?<=[a-zäöüß])[ÄÖÜÚÈÓÍÌÎÏ](?![A-Z])"
    f"|(?<![{_LETTER}])[äöü](?=[A-Z])"
    f"|(?<![{_VOWEL}])ß(?!-)"
    "|(?<=[\\w.)!?])[ôì](?![A-Za-z])|(?<![A-Za-z])[ôì](?=\\w)"
    "|(?<![\\wäÄ.])(?<![uo][. ])[ÄÖÜ](?![\\w.])|(?<=\\d)[ÄÖÜ]|[ÄÖ](?=\\d)"
)


@dataclass(frozen=True)
class Doubt:
    """The line (from 1) in which a file shows not to be Windows-1252, or may be of another code page."""

    line: int
    byte: int | None = None  # that is impossible in Windows-1252
    page: str = ""  # otherwise: the code page that it may be


def blocks(data: bytes, end: bytes = b"\n") -> Iterator[tuple[int, bytes]]:
    """Yield whole lines, many at once, with the number of the first one (from 1)."""
    line, start = 1, 0
    while start < len(data):
        stop = data.find(end, min(start + _BLOCK, len(data))) + 1 or len(data)
        block = data[start:stop]
        yield line, block
        line, start = line + block.count(end), stop


def find_doubt(data: bytes, end: bytes = b"\n") -> Doubt | None:
    """Return the first place at which a German text that is not UTF-8 is not surely Windows-1252; None if it is."""
    certain = False
    likely: dict[str, int] = {}
    left = set(NAMES)
    for first, block in blocks(data, end):
        if block.isascii():
            continue
        text = block.decode("cp1252", "surrogateescape")
        if (place := _first(text, _SUSPECT, _IMPOSSIBLE)) is not None:
            byte = text[place].encode("cp1252", "surrogateescape")[0]
            return Doubt(first + text.count(end.decode(), 0, place), byte)
        certain = certain or _CERTAIN.search(text) is not None
        left = set() if certain else {page for page in left if _first(block.decode(page), _ACCENT, _UNNATURAL) is None}
        for page in left - likely.keys():
            other = block.decode(page)
            if (place := _first(other, _UMLAUT, _NATURAL)) is not None:
                likely[page] = first + other.count(end.decode(), 0, place)
    doubts = [Doubt(line, page=page) for page, line in likely.items() if page in left]
    return min(doubts, key=lambda doubt: doubt.line, default=None)


def _first(text: str, signs: re.Pattern[str], rule: re.Pattern[str]) -> int | None:
    """Return the first place of one of the signs at which the rule holds."""
    places = (found.start() for found in signs.finditer(text))
    return next((place for place in places if rule.match(text, place)), None)
