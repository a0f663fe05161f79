"""The units that patterns are matched on: whole words, or the parts of compounds, with typing errors mended."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from onkocode.language.patterns import FILLERS, Word
from onkocode.language.spelling import SHORT_WORDS, SHORTEST, fold, stem
from onkocode.language.tokens import Token

LINKS = ("", "s", "n", "en", "e", "er", "es", "ns", "o", "a", "i", "um", "us", "al", "ar", "ae", "is", "ei", "er")
LONGEST = 40  # letters of a token that is taken apart
SHORT = 3
FEW = 4  # words that may be meant by the beginning of one
MANY = 10  # letters, from which on two typing errors are mended
_SUFFIXES = ("end", "ung", "ert", "isch", "lich")
_PLURALS = str.maketrans("äöü", "aou")
HEADS = tuple(
    stem(fold(word))
    for word in (
        *(
            "Karzinom",
            "Tumor",
            "Metastase",
            "Sarkom",
            "Lymphom",
            "Melanom",
            "Adenom",
            "Krebs",
            "Polyp",
            "Leukämie",
            "Karzinose",
        ),
        *("Myelom", "Papillom", "Myom", "Zyste", "Lipom"),
    )
)
SHORT_HEADS = {
    fold(short): stem(fold(word))
    for word, shorts in {
        "Karzinom": ("ca", "karz", "karzin", "carc"),
        "Metastase": ("met", "mets", "metas", "metast"),
        "Tumor": ("tu", "tum"),
        "Sarkom": ("sa", "sark"),
    }.items()
    for short in shorts
}
FUNCTION_WORDS = FILLERS | frozenset(
    ("bei", "mit", "nach", "ohne", "aus", "bis", "vor", "kein", "keine", "neu", "unter", "über")
)
SHORTENED = "."  # in the place of letters: a head that is cut short
SURE = 5  # letters of a part beside letters that nothing is known of


@dataclass(frozen=True)
class Unit:
    """A word or a part of a compound.

    Attributes:
        features: the names under which patterns find it.
        token: index of its token.
        corrected: whether its spelling was mended.
    """

    features: frozenset[str]
    token: int
    corrected: bool = False


@dataclass(frozen=True)
class _Part:
    features: frozenset[str]
    corrected: bool = False


def _forms(word: Word) -> list[str]:
    """Return how a word may stand in a compound: as it is, without an ending, and as its stem."""
    forms = [word.form, *(word.form.removesuffix(ending) for ending in ("e", "a", "us", "um", "en"))]
    return [form for form in dict.fromkeys(forms) if form.isalpha()]


@dataclass
class Splitter:
    """Takes words apart into those that a vocabulary knows.

    Args:
        words: of all patterns.
        opaque: stems of those that mean something else than their parts, as names of organs do (Gebärmutterhals).
    """

    words: Iterable[Word]
    opaque: Container[str] = frozenset()
    _stems: set[str] = field(default_factory=set)
    _beginnings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _by_letters: dict[str, list[tuple[str, str, bool]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        seen: set[tuple[str, str, bool]] = set()
        for word in sorted(set(self.words), key=lambda word: (-len(word.key), word.key, word.begins)):
            if word.begins:
                self._beginnings[word.key[:3]].append(word.key)
            else:
                self._stems.add(word.key)
            for form in _forms(word):
                if (len(form) > SHORT or form in SHORT_WORDS) and (form, word.key, word.begins) not in seen:
                    seen.add((form, word.key, word.begins))
                    self._by_letters[form[:3]].append((form, word.key, word.begins))
        forms = {form: word.key for word in self.words if not word.begins for form in (word.form, word.key)}
        self._choices = {form: key for form, key in sorted(forms.items()) if len(form) > SURE and form.isalpha()}
        self._alike: dict[tuple[str, int], list[str]] = defaultdict(list)
        for form in self._choices:
            self._alike[form[0], len(form)].append(form)
        self.parts = lru_cache(maxsize=65536)(self._parts)
        self.completed = lru_cache(maxsize=65536)(self._completed)

    def units(self, tokens: list[Token]) -> list[Unit]:
        """Return the units of tokens, without fillers and marks."""
        return [
            Unit(part.features, number, part.corrected)
            for number, token in enumerate(tokens)
            if token.is_word and token.text.lower() not in FILLERS
            for part in self._parts_at(tokens, number)
        ]

    def _parts_at(self, tokens: list[Token], number: int) -> tuple[_Part, ...]:
        token = tokens[number]
        follows = tokens[number + 1] if number + 1 < len(tokens) else None
        if follows and follows.text == "." and follows.start == token.end and not self.knows(token.text):
            full = self.completed(fold(token.text))
            if full:
                return full
        return self.parts(token.text)

    def _completed(self, folded: str) -> tuple[_Part, ...]:
        """Return the parts of a word that is cut short by a dot: the shortest known one that begins so (Retinobl.)."""
        if len(folded) < SURE or not folded.isalpha():
            return ()
        known = [form for form in self._choices if form.startswith(folded)]
        if known:
            key = self._choices[min(known, key=lambda form: (len(form), form))]
            return (_Part(self._features(key, key)),)
        for cut in range(len(folded) - SHORT, SHORT, -1):
            left = self._split(folded[:cut], whole=True)
            right = [form for form in self._choices if form.startswith(folded[cut:])] if left else []
            if right and len({self._choices[form] for form in right}) <= FEW:
                key = self._choices[min(right, key=lambda form: (len(form), form))]
                return tuple(_Part(self._features(part, part + rest)) for part, rest, _ in [*left, (key, "", False)])
        return ()

    def joined(self, tokens: list[Token]) -> list[Token]:
        """Return tokens with words put together that blanks cut (Ober Schenkel, karzi nom)."""
        found: list[Token] = []
        for token in tokens:
            last = found[-1] if found else None
            if last and self._belong(last, token):
                found[-1] = Token(last.text + token.text, last.start, token.end, last.source)
            else:
                found.append(token)
        return found

    def _belong(self, left: Token, right: Token) -> bool:
        if not (left.text.isalpha() and right.text.isalpha()) or left.source:
            return False
        if right.source and right.start > left.end:
            return False
        if right.start - left.end > 1 or {left.text.lower(), right.text.lower()} & FUNCTION_WORDS:
            return False
        whole = fold(left.text + right.text)
        if len(whole) < SURE + SHORT:
            return False
        if whole in self._choices:
            return True
        return not self.knows(left.text) and bool(self._split(whole, whole=True))

    def knows(self, text: str) -> bool:
        """Tell whether a word consists of known ones."""
        folded = fold(text)
        return stem(folded) in self._stems or bool(self._split(folded, whole=True))

    def _parts(self, text: str) -> tuple[_Part, ...]:
        folded = fold(text)
        base = stem(folded)
        if base in self._stems and (whole := self._composed(base)):
            own = self._features(base, folded)
            return tuple(_Part(self._features(key, key + rest) | own) for key, rest, _ in whole)
        if base in self._stems or len(folded) < SURE or not folded.isalpha() or len(folded) > LONGEST:
            return (_Part(self._features(base, folded)),)
        found = self._split(folded, whole=True)
        mended = None if found else self._mend(folded) or self._mend(base)
        if mended:
            return (_Part(self._features(mended, mended), corrected=True),)
        found = found or self._split_mended(folded) or self._split(folded, whole=False)
        if found:
            return tuple(_Part(self._features(key, key + rest), bad) for key, rest, bad in found)
        plain = text.lower().translate(_PLURALS)
        if plain != text.lower():  # Stimmbänder
            return self.parts(plain)
        return (_Part(self._features(base, folded)),)

    def _composed(self, base: str) -> list[tuple[str, str, bool]]:
        """Return the parts of a known word that means what its parts mean, or ends with a head like Karzinom."""
        head = next((head for head in HEADS if base.endswith(head) and len(base) > len(head) + SHORT), None)
        if head and head in self._stems:
            parts = self._split(base[: -len(head)], whole=True, without=base)
            return [*parts, (head, "", False)] if parts else []
        if base in self.opaque:
            return []
        parts = [part for part in self._split(base, whole=True, without=base) if part[0] != base]
        return parts if len(parts) > 1 and len(parts[-1][0]) >= SURE else []

    def _features(self, base: str, folded: str) -> frozenset[str]:
        begins = [f"{key}~" for key in self._beginnings.get(folded[:3], ()) if folded.startswith(key)]
        return frozenset((base, *begins))

    def _mend(self, folded: str, many: int = MANY) -> str | None:
        """Return the one known word that differs by a typing error, or by two from as many letters on."""
        size = len(folded)
        allowed = 1 if size < many else 2
        if size <= SURE:
            return None
        near = [
            form
            for length in range(size - allowed, size + allowed + 1)
            for form in self._alike.get((folded[0], length), ())
        ]
        hits = process.extract(folded, near, scorer=OSA.distance, score_cutoff=allowed, limit=4)
        best = {self._choices[hit[0]] for hit in hits if hit[1] == hits[0][1]}
        if len(best) != 1:
            return None
        known = str(hits[0][0])
        if hits[0][1] > 1 and known[:SHORTEST] != folded[:SHORTEST]:
            return None
        if known[0] != folded[0] or (folded[-SHORT:] in _SUFFIXES and not known.endswith(folded[-SHORT:])):
            return None
        return self._choices[known]

    def _split_mended(self, folded: str) -> list[tuple[str, str, bool]]:
        """Return the parts of a compound of which the last or the first part has a typing error."""
        for cut in range(SHORTEST, len(folded) - SURE):
            left = self._split(folded[:cut], whole=True)
            right = self._mend(folded[cut:], MANY - 2) if left else None
            if right:
                return [*left, (right, "", True)]
        for cut in range(len(folded) - SHORTEST, SURE, -1):
            right_parts = self._split(folded[cut:], whole=True)
            first = self._mend(folded[:cut], MANY - 2) if right_parts else None
            if first:
                return [(first, "", True), *right_parts]
        return []

    def _split(self, folded: str, whole: bool, without: str = "") -> list[tuple[str, str, bool]]:
        """Return known parts (key, letters after a beginning, mended), or nothing.

        Args:
            folded: the word.
            whole: every letter must belong to a part.
            without: a word that is no part; then beginnings of words are none either.
        """
        size = len(folded)
        best: list[tuple[float, tuple[tuple[str, str, bool], ...]]] = [(float(9 * size), ())] * (size + 1)
        best[0] = (0.0, ())
        for at in range(size):
            cost, path = best[at]
            if at and best[at][0] >= 9 * size:
                continue
            for end, extra, part in self._from(folded, at, plain=bool(without)):
                if part[0] == without:
                    continue
                if cost + extra < best[end][0]:
                    best[end] = (cost + extra, (*path, part))
            if cost + 2 < best[at + 1][0]:
                best[at + 1] = (cost + 2, (*path, ("", folded[at], False)))
        return self._accepted(best[size][1], size, whole)

    def _from(self, folded: str, at: int, plain: bool = False) -> Iterator[tuple[int, float, tuple[str, str, bool]]]:
        if folded[at:] in SHORT_HEADS and at > SHORT:
            yield len(folded), 1.0, (SHORT_HEADS[folded[at:]], SHORTENED, False)
        for form, key, begins in self._by_letters.get(folded[at : at + 3], ()):
            if not folded.startswith(form, at) or (begins and plain):
                continue
            end = at + len(form)
            if begins:
                for more in range(min(7, len(folded) - end + 1)):
                    yield end + more, 1.0 + 0.35 * more, (key, folded[end : end + more], False)
            else:
                for link in LINKS:
                    if folded.startswith(link, end):
                        long = 0.001 * len(form) ** 2  # of splits with as many parts the one with the longest
                        yield end + len(link), 1.0 + 0.1 * len(link) - long, (key, "", False)
                if len(form) > SHORT and end < len(folded):  # Hauttumor is folded to hautumor
                    yield end - 1, 1.4, (key, "", False)

    def _accepted(self, path: tuple[tuple[str, str, bool], ...], size: int, whole: bool) -> list[tuple[str, str, bool]]:
        parts: list[tuple[str, str, bool]] = []
        unknown = ""
        for key, rest, bad in (*path, ("end", "", False)):
            if not key:
                unknown += rest
                continue
            if unknown:
                if whole:
                    return []
                mended = self._mend(unknown) if len(unknown) > SURE else None
                if mended:
                    parts.append((mended, "", True))
                elif any(len(known) < SURE for known, _, _ in parts[-1:]) or (key != "end" and len(key) < SURE):
                    return []
                unknown = ""
            if key != "end":
                parts.append((key, rest, bad))
        inside = bool(path) and not path[0][0] and not path[-1][0]
        shortened = any(rest == SHORTENED for _, rest, _ in path) and any(not key for key, _, _ in path)
        return [] if inside or shortened else parts
