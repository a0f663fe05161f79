"""The words of all tables: by their stems and forms, and by how nearly they are spelt."""

from collections import defaultdict
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA

from onkocode.language.patterns import Word
from onkocode.language.spelling import SHORT_WORDS, SHORTEST, fold, stem

TUMOUR = "om"  # how the names of most tumours end
SHORT = 3  # letters of a word that no compound is made with
SURE = 5  # letters of a part beside letters that nothing is known of
MANY = 10  # letters, from which on two typing errors are mended
HEADS = tuple(  # the commonest first
    stem(fold(word))
    for word in (
        *("Karzinom", "Tumor", "Metastase", "Sarkom", "Lymphom", "Melanom", "Adenom", "Krebs", "Polyp", "Leukämie"),
        *("Karzinose", "Myelom", "Papillom", "Myom", "Zyste", "Lipom"),
    )
)
SUFFIXES = ("end", "ung", "ert", "isch", "lich")  # other words, and no typing errors


class Vocabulary:
    """Words of patterns.

    Attributes:
        stems: of whole words.
        by_letters: by the first three letters, how a word may stand in a compound, its stem, and whether it is the
            beginning of words.
        forms: whole words of some length with their stems.
    """

    def __init__(self, words: Iterable[Word]) -> None:
        ordered = sorted(set(words), key=lambda word: (-len(word.key), word.key, word.begins, word.form))
        self.stems = {word.key for word in ordered if not word.begins}
        self.by_letters = _by_letters(ordered)
        forms = {form: word.key for word in ordered if not word.begins for form in (word.form, word.key)}
        self.forms = {form: key for form, key in sorted(forms.items()) if len(form) > SURE and form.isalpha()}
        self._beginnings: dict[str, list[str]] = defaultdict(list)
        for key in sorted({word.key for word in ordered if word.begins}):
            self._beginnings[key[:SHORT]].append(key)
        self._alike: dict[tuple[str, int], list[str]] = defaultdict(list)
        for form in self.forms:
            self._alike[form[0], len(form)].append(form)

    def features(self, base: str, folded: str) -> frozenset[str]:
        """Return the names under which patterns find a word: its stem, and the beginnings that it has."""
        begins = (f"{key}~" for key in self._beginnings.get(folded[:SHORT], ()) if folded.startswith(key))
        return frozenset((base, *begins))

    def begun(self, folded: str) -> list[str]:
        """Return the forms that begin so, names of tumours first, then the shortest."""
        begun = (form for form in self.forms if form.startswith(folded))
        return sorted(begun, key=lambda form: (not form.endswith(TUMOUR), len(form), form))

    def mended(self, folded: str, many: int = MANY) -> str | None:
        """Return the stem of the one word that differs by a typing error, or by two from as many letters on."""
        size = len(folded)
        allowed = 1 if size < many else 2
        if size < SURE:
            return None
        lengths = range(size - allowed, size + allowed + 1)
        near = [form for length in lengths for form in self._alike.get((folded[0], length), ())]
        hits = process.extract(folded, near, scorer=OSA.distance, score_cutoff=allowed, limit=4)
        nearest = [form for form, distance, _ in hits if distance == hits[0][1]]
        heads = sorted((form for form in nearest if self.forms[form] in HEADS), key=self._commonness)
        if not heads and len({self.forms[form] for form in nearest}) != 1:
            return None
        known, distance = (heads or nearest)[0], hits[0][1]
        if size == SURE and not heads:
            return None
        other_start = distance > 1 and known[: SHORTEST - 1] != folded[: SHORTEST - 1]
        other_word = folded[-SHORT:] in SUFFIXES and not known.endswith(folded[-SHORT:])
        return None if other_start or other_word else self.forms[known]

    def _commonness(self, form: str) -> int:
        return HEADS.index(self.forms[form])


def _by_letters(words: Iterable[Word]) -> dict[str, list[tuple[str, str, bool]]]:
    found: dict[str, dict[tuple[str, str, bool], None]] = defaultdict(dict)
    for word in words:
        for form in _forms(word):
            if len(form) > SHORT or form in SHORT_WORDS:
                found[form[:SHORT]][form, word.key, word.begins] = None
    return {letters: list(entries) for letters, entries in found.items()}


def _forms(word: Word) -> list[str]:
    """Return how a word may stand in a compound: as it is, and without an ending."""
    forms = [word.form, *(word.form.removesuffix(ending) for ending in ("e", "a", "us", "um", "en"))]
    return [form for form in dict.fromkeys(forms) if form.isalpha()]
