"""The adjectives that a label begins with, in the case or gender that the words put before it ask for."""

import re
from collections.abc import Mapping, Sequence

# Endings of adjectives without an article, from the nominative; the nouns of labels keep theirs in the singular.
ACCUSATIVE = {"er": "en", "es": "es", "e": "e"}
DATIVE = {"er": "em", "es": "em", "e": "er"}
GENDERS = (
    ("er", re.compile(r"(?:tumor|-tu|krebs|n(?:ä|ae)vus|polyp)$", re.IGNORECASE)),
    ("es", re.compile(r"(?:oma?|-ca|syndrom)$", re.IGNORECASE)),
    ("e", re.compile(r"(?:ung|ie|ose|itis|yste|metastase|geschwulst)$", re.IGNORECASE)),
)
ADVERBS = ("Gut", "Schlecht", "Mäßig", "Wenig", "Hoch", "Nicht", "Gemischt")
PLURAL = re.compile(r"(?:en|ome|ore)$")
NO_ADJECTIVE = re.compile(r"(?:ie|ase|ose|yste|cele|cancer)$", re.IGNORECASE)
FUNCTION_WORDS = re.compile(r"\b(?:am|an|de[rsnm]|im|in|beim?|mit|vo[mn]|zu[mr]|durch|ohne|nach|aus)\b")


def declined(text: str, case: Mapping[str, str]) -> str | None:
    """Return the text with its leading adjectives in a case; None where the noun may be a plural."""
    words = text.split(" ")
    ending, noun = _adjectives(words)
    if PLURAL.search(words[noun]):
        return None
    if words[0] in ADVERBS:
        words[0] = _small(words[0])
    adjectives = (_small(word) for word in words[:noun])
    adjectives = (word.removesuffix(ending) + case[ending] if word.endswith(ending) else word for word in adjectives)
    return " ".join([*adjectives, *words[noun:]])


def known(text: str) -> str | None:
    """Return the text after "bekannt" in its gender; None where that is in doubt."""
    words = text.split(" ")
    ending, noun = _adjectives(words)
    if not noun:
        ending = next((ending for ending, nouns in GENDERS if nouns.search(words[0])), "")
    return f"bekannt{ending} {' '.join([*map(_small, words[:noun]), *words[noun:]])}" if ending else None


def _adjectives(words: Sequence[str]) -> tuple[str, int]:
    """Return the ending of the adjectives that a text begins with, and the place of their noun; 0 if there are none."""
    first = 1 if words[0] in ADVERBS and len(words) > 1 else 0
    ending = re.search(r"(?:er|es|e)$", words[first])
    noun = next((at for at, word in enumerate(words) if at > first and word[:1].isupper()), 0)
    if not ending or not noun or NO_ADJECTIVE.search(words[first]) or FUNCTION_WORDS.search(" ".join(words[:noun])):
        return "", 0
    return ending[0], noun


def _small(word: str) -> str:
    """Return an adjective with a small initial, unless it begins with a name or a letter (Epstein-Barr-…, B-…)."""
    return word if word[1:] != word[1:].lower() or word[1:2] == "-" else word[:1].lower() + word[1:]
