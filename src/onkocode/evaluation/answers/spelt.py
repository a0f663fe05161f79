"""Codes that are spelt out in German or English, as on the telephone."""

import re
from itertools import pairwise

_ONES = ("null", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
_TEENS = ("zehn", "elf", "zwölf", "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn")
_TENS = ("zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_ENGLISH = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_ENGLISH_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def _german() -> dict[str, int]:
    words = {word: number for number, word in enumerate((*_ONES, *_TEENS)) if word != "ein"}
    words |= {"eins": 1, "zwo": 2} | {word: 20 + 10 * number for number, word in enumerate(_TENS)}
    words |= {f"{one}und{ten}": words[ten] + at for ten in _TENS for at, one in enumerate(_ONES) if at}
    for sharp, plain in (("ß", "ss"), ("ü", "ue"), ("ö", "oe")):
        words |= {word.replace(sharp, plain): number for word, number in words.items() if sharp in word}
    return words


_GERMAN = _german()
_NUMBERS = _GERMAN | {word: number for number, word in enumerate(_ENGLISH)}
_NUMBERS |= {word: 20 + 10 * number for number, word in enumerate(_ENGLISH_TENS)} | {"oh": 0}
_MANY = {"hundred": 100, "thousand": 1000, "hundert": 100, "tausend": 1000}
_SIGNS = {"punkt": ".", "komma": ",", "point": ".", "dot": ".", "comma": ",", "decimal": "."}
_SIGNS |= dict.fromkeys(("schrägstrich", "schraegstrich", "slash", "strich", "durch", "stroke", "over"), "/") | {
    "/": "/",
    ".": ".",
}
_LETTERS = {"cäsar": "C", "caesar": "C", "cesar": "C", "charlie": "C", "cottbus": "C", "dora": "D", "delta": "D"}
_KNOWN = _NUMBERS.keys() | _MANY.keys() | _SIGNS.keys() - {"/", "."} | _LETTERS.keys()
_LONG = re.compile(r"(?:(?P<thousands>\w+?)tausend)?(?:und)?(?:(?P<hundreds>\w+?)hundert)?(?:und)?(?P<rest>\w*)")
_PARTS = _GERMAN | {"ein": 1, "": 0}
_MORPHOLOGY, _TUMOUR = re.compile(r"[89]\d{3}(?:/\d)?"), re.compile(r"\d\d(?:[.,]?\d{1,2})?")
_ICD = re.compile(r"\d\d[.,]\d{1,2}")  # letters of other chapters stand in front of numbers of many kinds
MOST = 12  # words that spell a code
_WORD = re.compile(r"[^\W\d_]+|\d+|(?<=[^\W_])[./](?=[^\W_])")
_NAMED = re.compile(r"\b([A-Za-z]) (?:wie|as in|for|like) [^\W\d_]+,?(?= )")
_APART = re.compile(rf"\b({'|'.join(_ONES[1:])})[ -]und[ -](\w+(?:zig|ßig|ssig))\b", re.IGNORECASE)
_GAP = re.compile(r"[ \t]*[,-]?[ \t]*")


def in_digits(text: str) -> str:
    """Return a text with codes in digits that are spelt out (C einundsechzig, eighty-one forty slash three)."""
    words = [(word.group().lower(), word.start(), word.end()) for word in _WORD.finditer(text)]
    if all(word not in _KNOWN and "tausend" not in word for word, _, _ in words):
        return text
    named = _APART.sub(r"\1und\2", _NAMED.sub(r"\1", text))
    if named != text:
        return in_digits(named)
    said, at, last = [], 0, 0
    while at < len(words):
        count = _run(text, words, at)
        code = _code([word for word, _, _ in words[at : at + count]]) if count > 1 else None
        if code:
            said += [text[last : words[at][1]], code]
            last = words[at + count - 1][2]
        at += max(1, count if code else 1)
    return "".join(said) + text[last:]


def _run(text: str, words: list[tuple[str, int, int]], at: int) -> int:
    """Return how many words from a place on may spell one code."""
    count = 1
    if not (_is_letter(words[at][0]) or _is_number(words[at][0])):
        return 0
    while at + count < len(words) and count < MOST:
        word, start, _ = words[at + count]
        spells = _is_number(word) or word in _SIGNS or word in _MANY
        if not spells or not _GAP.fullmatch(text, words[at + count - 1][2], start):
            break
        count += 1
    return count


def _is_letter(word: str) -> bool:
    return word in _LETTERS or len(word) == 1


def _is_number(word: str) -> bool:
    return word in _NUMBERS or word.isdigit() or "tausend" in word


def _code(words: list[str]) -> str | None:
    """Return the code that words spell; None where they spell none."""
    letter = _LETTERS.get(words[0], words[0].upper()) if _is_letter(words[0]) and not words[0].isdigit() else ""
    rest = words[1:] if letter else words
    while rest and rest[-1] in _SIGNS:
        rest = rest[:-1]
    spoken = any(not word.isdigit() for word in rest)
    if (not spoken and words[0] not in _LETTERS) or any(_mixed(*pair) for pair in pairwise(rest)):
        return None
    digits = _digits(rest)
    form = _MORPHOLOGY if letter in ("", "M") else _TUMOUR if letter in "CD" else _ICD
    return letter + digits if form.fullmatch(digits) else None


def _mixed(one: str, two: str) -> bool:
    """Tell whether a number in digits and one in words stand side by side, as in C 50 and two."""
    return one.isdigit() != two.isdigit() and one not in _SIGNS and two not in _SIGNS


def _digits(words: list[str]) -> str:
    """Return the digits of numbers; tens and ones that stand side by side in English are one number."""
    said: list[str] = []
    number, last = 0, -1  # the number so far and its last part; -1 = none
    for word in words:
        if word in _MANY and last >= 0:
            part = number if number < 100 else last  # eighty-five hundred; eight thousand one hundred
            number, last = number + part * (_MANY[word] - 1), part * _MANY[word]
            continue
        value = -1 if word.isdigit() or word in _SIGNS else _value(word)
        if value > 0 and _joins(value, last, word):
            number, last = number + value, value
            continue
        said += [str(number)] if last >= 0 else []
        said += [_SIGNS.get(word, word)] if value < 0 else []
        number, last = value, value
    return "".join(said) + (str(number) if last >= 0 else "")


def _joins(value: int, last: int, word: str) -> bool:
    """Tell whether an English number is a part of that before it: fifty four, hundred forty."""
    if word in _GERMAN:
        return False
    return (last in range(20, 91, 10) and value < 10) or (last >= 100 and value < last)


def _value(word: str) -> int:
    """Return the number that a word is; -1 where it is none."""
    if word in _NUMBERS:
        return _NUMBERS[word]
    parts = _LONG.fullmatch(word)
    values = [_PARTS.get(part or "", -1) for part in parts.groups()] if parts else [-1]
    return -1 if min(values) < 0 else 1000 * values[0] + 100 * values[1] + values[2]
