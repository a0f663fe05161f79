"""German nouns and adjectives, as far as short texts need them: gender, endings, compounds."""

import re
from collections.abc import Mapping
from functools import cache

from onkocode.questions.clinical.files import read_cells, read_lines

# Endings that tell an adjective which is inflected; other small words (Latin, English) stay as they are.
ADJECTIVE = re.compile(
    r"(?:ös|är|ig|isch|al|iv|oid|ell|iert|end|ert|at|ph|phob|il|ent|ant|ut|trop|gen|los|arm|reich|tief|reif|echt|fus"
    r"|tisch|bar|eriv|weich|hart|flach|bildend|spezifiziert|thon|förmig|artig|ähnlich|weiß|klar|malign|benign)$"
)
ENDED = ("igne", "ische", "ale", "tige", "äre", "öse", "ante", "ute", "multiple")  # those with an ending already
ENDINGS = {"m": "er", "f": "e", "n": "es", "p": "e"}
ARTICLES = {"m": "des", "f": "der", "n": "des", "p": "der"}
HISSING = ("s", "ß", "x", "z")


@cache
def _endings() -> Mapping[str, tuple[str, bool]]:
    """Return gender, and whether it is that of a tumour, of nouns by their ending."""
    return {cells["ending"]: (cells["gender"], cells["tumour"] == "yes") for cells in read_cells("nouns.tsv")}


@cache
def _of_ending(noun: str) -> tuple[str, bool]:
    folded = noun.lower()
    endings = (folded[at:] for at in range(len(folded)))
    return next((_endings()[ending] for ending in endings if ending in _endings()), ("", False))


def gender(noun: str) -> str:
    """Return m, f, n or p (plural); nothing for a noun that is not known."""
    return _of_ending(noun)[0]


def names_tumour(noun: str) -> bool:
    """Tell whether a noun names a tumour."""
    return noun[1:2].islower() and _of_ending(noun)[1]


def is_listed(kind: str, word: str) -> bool:
    """Tell whether a word stands in the list of words of a kind."""
    return word in listed(kind)


@cache
def listed(kind: str) -> Mapping[str, str]:
    """Return the words of a kind in the list of words, with what stands beside them."""
    return {cells["word"]: cells["form"] for cells in read_cells("words.tsv") if cells["kind"] == kind}


def completed(word: str) -> str:
    """Return a word of a pattern in full; nothing for a beginning of words that is not known."""
    return listed("full").get(word, "") if word.endswith("~") else word


@cache
def is_adjective(word: str) -> bool:
    """Tell whether a small word of a pattern is a German adjective without its ending."""
    base = _base(word)
    return word[:1].islower() and not is_english(word) and (base in listed("stem") or bool(ADJECTIVE.search(base)))


def inflected(word: str, of_gender: str) -> str:
    """Return an adjective as it stands before a noun without an article."""
    if word in listed("fixed"):
        return word
    base = _base(word)
    return f"{listed('stem').get(base, base)}{ENDINGS[of_gender]}"


def _base(word: str) -> str:
    return word[:-1] if word.endswith(ENDED) else word


@cache
def _english() -> frozenset[str]:
    return frozenset(read_lines("english.txt"))


def is_english(word: str) -> bool:
    """Tell whether a word of a pattern is English."""
    return word in _english()


def genitive(noun: str) -> str:
    """Return a noun with its article in the genitive; nothing where its gender is not known."""
    of_gender = gender(noun)
    if not of_gender:
        return ""
    ending = "" if of_gender in "fp" or noun.endswith(HISSING) or _is_foreign(noun) else "s"
    return f"{ARTICLES[of_gender]} {noun}{ending}"


def _is_foreign(noun: str) -> bool:
    return noun.endswith(("um", "ium", "on", "us"))


def joined(first: str, head: str, hyphen: bool = False) -> str:
    """Return a compound (Zunge, Karzinom: Zungenkarzinom)."""
    part = f"{first}n" if first.endswith("e") and not first.endswith("ee") else first
    if hyphen:
        return f"{part}-{head}"
    small = head[:1].lower() + head[1:]
    return f"{part}-{head}" if part[-1:] == small[:1] == head[:1].lower() and part[-2:-1] == small[:1] else part + small
