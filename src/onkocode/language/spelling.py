"""Words as they are compared: spelling variants of German, Latin and English fall together, and so do endings."""

import re
import unicodedata
from functools import lru_cache

_SPELLINGS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_SOUNDS = (
    (re.compile("sch"), "1"),  # digits stand for sounds that the rules below must not see
    (re.compile("ch"), "2"),
    (re.compile("aer(?=(?:e[nrsm]?)?$)"), "ar"),  # papillär is no Papille
    (re.compile("oes(?=(?:e[nrsm]?)?$)"), "os"),  # serös, serosum
    (re.compile("ae$"), "a"),  # Mammae
    (re.compile("ae|oe"), "e"),
    (re.compile("ue"), "u"),
    (re.compile("ph"), "f"),
    (re.compile("th"), "t"),
    (re.compile("rrh|^rh"), "r"),
    (re.compile("ck"), "k"),
    (re.compile("y|j(?![aeiou])"), "i"),
    (re.compile("c(?=[eiy])|tz"), "z"),
    (re.compile("c"), "k"),
    (re.compile("dt(?!u)"), "t"),  # Mundtumor is Mund and Tumor
    (re.compile(r"(\D)\1+"), r"\1"),
    (re.compile("1"), "sch"),
    (re.compile("2"), "ch"),
)
_ENDINGS = ("orum", "arum", "ern", "en", "er", "es", "em", "um", "us", "on", "e", "s", "n", "a", "i", "o")
_KEPT = re.compile("(?<=...os)(?:e[nrsm]?|is|um|us|a)?$")  # Adenose is no Adeno, Polyposis no Polyp
_ADJECTIVE = re.compile("(?<!zist)isch$")  # lymphatisch, lymphatica, lymphatic
_ROMAN = re.compile("[IVX]{1,5}|[iv]{2,4}")
SHORT_WORDS = frozenset(("ohr", "lid", "arm", "kin", "fus", "zeh"))  # Ohr, Lid, Arm, Kinn, Fuß, Zeh
LONGEST_ENDING = 4  # letters
SHORTEST = 4  # letters that an ending leaves


@lru_cache(maxsize=65536)
def fold(word: str) -> str:
    """Return a word in small letters without accents, with spelling variants made one (Carcinom = Karzinom)."""
    if word.isdigit() or _ROMAN.fullmatch(word) or (word.isupper() and len(word) <= SHORTEST and word.isascii()):
        return word.lower()
    text = word.lower().translate(_SPELLINGS)
    text = "".join(letter for letter in unicodedata.normalize("NFKD", text) if letter.isalnum())
    if any(letter.isdigit() for letter in text):
        return text
    for sound, letters in _SOUNDS:
        text = sound.sub(letters, text)
    return text


@lru_cache(maxsize=65536)
def stem(folded: str) -> str:
    """Return a folded word without its endings, of which each leaves at least four letters."""
    if _KEPT.search(folded):
        return _KEPT.sub("", folded)
    for ending in ("es", "s", "en", "e"):
        if folded.removesuffix(ending) in SHORT_WORDS:
            return folded.removesuffix(ending)
    shortest = max(SHORTEST, len(folded) - LONGEST_ENDING)
    while True:
        for ending in _ENDINGS:
            if folded.endswith(ending) and len(folded) - len(ending) >= shortest:
                folded = folded[: -len(ending)]
                break
        else:
            return _ADJECTIVE.sub("ik", folded) if len(folded) > SHORTEST + 2 else folded
