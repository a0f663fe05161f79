"""Compounds written in parts, and slips of the typing hand."""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")

ENDING = r"(?:e[mnrs]?|n|s)?"
HEADS = (
    "karzinom|sarkom|tumor|metastase|lymphom|melanom|adenom|zyste|polyp|krebs|nävus|papillom|teratom|neubildung|"
    "geschwulst|lipom|fibrom|hämangiom"
)
# First parts that are no word of their own: all those in -o (adeno-, osteo-, fibro-, terato-, chorio-), and these.
COMBINING = (
    "o",
    "zyst",
    "kyst",
    "lymph",
    "sial",
    "hidr",
    "spir",
    "splen",
    "myx",
    "chol",
    "häm",
    "poly",
    "vor",
    "nicht",
)
COMPOUND = re.compile(
    rf"(?<![\w-])(?P<first>(?:[\w-]+-)?[A-ZÄÖÜ][a-zäöüß]{{2,}}?)(?P<hyphen>-?)(?P<head>(?i:{HEADS}))"
    rf"(?P<ending>{ENDING})(?![\w-])"
)

WORD = re.compile(r"(?<![\w.])[^\W\d_]{5,}(?![\w.])")
# A slip in one of these could turn the behaviour, the negation, the side or the certainty round.
DECISIVE = re.compile(
    "nicht|kein|ohne|gutart|bösart|benign|malign|dignität|unsicher|unbekannt|unklar|primär|sekundär|invasiv|komplett|"
    "partiell|remission|recht|link|beid|seitig|verdacht|zustand",
    re.IGNORECASE,
)
KEYBOARD = ("qwertzuiopü", "asdfghjklöä", "yxcvbnm")  # German layout; each row sits half a key further to the right
TRANSCRIBED = {"ä": "ae", "ö": "oe", "ü": "ue"}
KEPT = 2  # first letters of a word, which carry prefixes such as in-, un-, ab-
MIDDLE, LONG = 7, 12  # letters from which a word bears the loss of one, and two slips


class Pick(Protocol):
    """Draws one of the options."""

    def __call__(self, options: Sequence[T], /) -> T:
        """Return one of the options; each call is a new draw."""


def compounds(text: str) -> Iterator[re.Match[str]]:
    """Yield the compounds with a known head and a first part that can stand alone (first, hyphen, head, ending)."""
    for match in COMPOUND.finditer(text):
        if not match["first"].casefold().endswith(COMBINING):
            yield match


def split_compounds(text: str, pick: Pick) -> str:
    """Return the text with a hyphen or a blank before the head of each compound; a linking s stays before it.

    No blank comes after a first part in -e, -er, -es, which would read as an adjective (Schneider-Karzinom).
    """
    for match in reversed(list(compounds(text))):
        joints = [" "] if match["hyphen"] else ["-", " "]
        joint = pick(["-"] if match["first"].endswith(("e", "er", "es")) else joints)
        tail = match["head"].capitalize() + match["ending"]
        text = text[: match.start()] + match["first"] + joint + tail + text[match.end() :]
    return text


def mistype(text: str, pick: Pick) -> str:
    """Return the text with one or two slips in one word of at least five letters; unchanged if no word is fit.

    Tokens with digits, points or inner capitals look like codes or abbreviations and are left alone, as are decisive
    words. A small initial and ss for ß come only as a second slip, since text keys do not tell them apart.
    """
    words = [match for match in WORD.finditer(text) if match[0][1:].islower() and not DECISIVE.search(match[0])]
    if not words:
        return text
    place = pick(words)
    kinds = ("swap", "double") if len(place[0]) < MIDDLE else ("swap", "double", "drop", "neighbour")
    word = _slip(place[0], (*kinds, "umlaut") if TRANSCRIBED.keys() & set(place[0]) else kinds, pick)
    if pick((True, False, False)):
        light = ("small", "sharp-s")
        word = _slip(word, ("swap", "double", *light) if len(word) >= LONG else light, pick)
    return text[: place.start()] + word + text[place.end() :]


def _neighbours() -> dict[str, str]:
    """Return the letters beside, above and below each letter of the keyboard."""
    at = {letter: (row, key + row / 2) for row, keys in enumerate(KEYBOARD) for key, letter in enumerate(keys)}
    return {
        letter: "".join(other for other, (r, x) in at.items() if other != letter and abs(r - row) + abs(x - key) <= 1.5)
        for letter, (row, key) in at.items()
    }


NEIGHBOURS = _neighbours()


def _slip(word: str, kinds: Sequence[str], pick: Pick) -> str:
    """Return the word with one slip of one of the kinds; unchanged where that kind finds no place in it."""
    return pick([slip for slip in _slips(word, pick(kinds)) if slip != word] or [word])


def _slips(word: str, kind: str) -> list[str]:
    """Return every word that one slip of this kind makes of the word."""
    places = range(KEPT, len(word))
    match kind:
        case "neighbour":
            return [word[:at] + key + word[at + 1 :] for at in places for key in NEIGHBOURS.get(word[at], "")]
        case "swap":
            return [word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in places[:-1]]
        case "drop":
            return [word[:at] + word[at + 1 :] for at in places]
        case "double":
            return [word[:at] + word[at] + word[at:] for at in places]
        case "umlaut":
            return [word[:at] + TRANSCRIBED[key] + word[at + 1 :] for at, key in enumerate(word) if key in TRANSCRIBED]
        case "sharp-s":
            return [word.replace("ß", "ss")]
        case _:
            return [word[0].lower() + word[1:]]
