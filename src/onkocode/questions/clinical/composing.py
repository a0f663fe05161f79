"""Texts that read as they were composed, so many for each code of ICD-10."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from onkocode.config.data import Clinical
from onkocode.language.lexicon import Lexicon
from onkocode.language.reading import Reading, read
from onkocode.language.rows import Finer
from onkocode.questions.clinical.expressions import Named, site_expressions
from onkocode.questions.clinical.heldout import Heldout, choose_heldout
from onkocode.questions.clinical.tumours import Known, Tumour, tumours
from onkocode.questions.clinical.wordings import all_wordings
from onkocode.questions.clinical.writing import Draft, Writer
from onkocode.questions.drawing import draws
from onkocode.questions.leakage import normal_forms
from onkocode.records.ids import shuffled, text_key

TRIES = 4  # texts written for each one that is wanted
FEW = 60  # texts that read otherwise before a code without any is given up
# Names that most tumours of an organ have in records; half of the texts of a code are on these where it has them.
COMMON = frozenset(
    (
        *("8000/0", "8000/1", "8000/3", "8010/2", "8010/3", "8041/3", "8070/2", "8070/3", "8090/3", "8120/3"),
        *("8130/2", "8130/3", "8140/0", "8140/2", "8140/3", "8170/3", "8240/3", "8246/3", "8260/3", "8310/3"),
        *("8312/3", "8480/3", "8500/2", "8500/3", "8520/3", "8720/0", "8720/2", "8720/3", "8800/3", "8850/0"),
        *("8890/0", "9120/0", "9440/3"),
    )
)


@dataclass(frozen=True)
class Composed:
    """A text with its codes, and the rows that they come from."""

    id: str
    text: str
    icd10: str
    topography: str
    morphology: str
    asked: tuple[str, ...]
    flags: tuple[str, ...]
    rules: tuple[str, ...]
    heldout: bool


@dataclass
class Taken:
    """What no text may read like.

    Args:
        keys: of texts that are there already (see `text_key`).
        forms: of texts that are held out, in whatever order of words (see `normal_forms`).
        trained: forms of texts of training, which none that is held out may have.
    """

    keys: set[str] = field(default_factory=set)
    forms: set[str] = field(default_factory=set)
    trained: set[str] = field(default_factory=set)

    def allows(self, text: str, heldout: bool) -> bool:
        """Tell whether a text reads like none of them."""
        if text_key(text) in self.keys:
            return False
        forms = normal_forms(text)
        return self.forms.isdisjoint(forms) and not (heldout and not self.trained.isdisjoint(forms))

    def add(self, text: str, heldout: bool) -> None:
        """Take a text."""
        self.keys.add(text_key(text))
        (self.forms if heldout else self.trained).update(normal_forms(text))


@dataclass
class Composer:
    """Composes texts.

    Args:
        lexicon: the tables.
        known: codes that exist.
        options: how many, and how they are written.
        taken: what no text may read like.
    """

    lexicon: Lexicon
    known: Known
    options: Clinical
    taken: Taken = field(default_factory=Taken)

    def __post_init__(self) -> None:
        worded = all_wordings()
        sites = site_expressions(self.lexicon, worded)
        self.heldout: Heldout = choose_heldout(
            worded, self.options.heldout_wordings, self.options.seed, self.options.abbreviations
        )
        self._writer = Writer(sites, worded, self.heldout, Named(self.lexicon), self.options)
        self._tumours = self._with_finer(tumours(self.lexicon, sites.keys(), self.known))

    def _with_finer(self, found: dict[str, list[Tumour]]) -> dict[str, list[Tumour]]:
        """Add the codes that words tell more finely than the topography."""
        for row in self.lexicon.finer.rows:
            if row.finer in self.known.icd10 and row.icd10 in found:
                more = [tumour for tumour in found[row.icd10] if tumour.site is not None]
                found.setdefault(row.finer, []).extend(more)
        return found

    def texts(self) -> Iterator[Composed]:
        """Yield the texts of all codes, in the order of the codes; first those of training, then those held out."""
        wanted = self.options.texts_per_code
        out = round(self.options.heldout_wordings * wanted)
        for code in sorted(self._tumours):
            for count, heldout in ((wanted, False), (out, True)):
                yield from self._of_code(code, count, heldout)

    def _of_code(self, code: str, wanted: int, heldout: bool) -> Iterator[Composed]:
        cells = self._cells(code)
        found = 0
        for number in range(TRIES * wanted):
            if found == wanted or (not found and number >= FEW * (1 + heldout)):
                return
            pool = cells[number % 2]
            composed = self._one(code, pool[number // 2 % len(pool)], number, heldout)
            if composed is not None:
                found += 1
                self.taken.add(composed.text, heldout)
                yield composed

    def _cells(self, code: str) -> tuple[Sequence[Tumour], Sequence[Tumour]]:
        """Return all tumours of a code in a drawn order, and the common ones (all where there are none)."""
        found = self._tumours[code]
        ids = [f"{one.site}/{one.kind.place if one.kind else ''}/{one.remission}" for one in found]
        every = shuffled(found, self.options.seed, "clinical-tumours", ids)
        return every, [one for one in every if one.morphology in COMMON] or every

    def _one(self, code: str, tumour: Tumour, number: int, heldout: bool) -> Composed | None:
        name = f"clinical:{code}:{'h' if heldout else ''}{number}"
        draft = self._writer.write(tumour, draws("clinical", self.options.seed, name), heldout)
        if draft is None or not self.taken.allows(draft.text, heldout) or self.heldout.stands_in(draft.text) != heldout:
            return None
        found = read(self.lexicon, draft.text)
        finer = _finer(self.lexicon, found, tumour)
        if (finer.finer if finer else tumour.icd10) != code or not _is_so(found, tumour, code, draft):
            return None
        rules = (*draft.rules, tumour.rule, *([str(finer.place)] if finer else []))
        flags = tuple(f"underspecified:{what}" for what in tumour.lacking)
        codes = (code, tumour.topography, tumour.morphology)
        return Composed(name, draft.text, *codes, tumour.asked, flags, rules, heldout)


def _finer(lexicon: Lexicon, found: Reading, tumour: Tumour) -> Finer | None:
    """Return the row with a finer code that the words of a text match."""
    rows = (lexicon.finer.rows[match.row] for match in lexicon.finer.matches(found.text.features))
    return next((row for row in rows if row.icd10 == tumour.icd10), None)


def _is_so(found: Reading, tumour: Tumour, code: str, draft: Draft) -> bool:
    """Tell whether a text says what it was composed of, and nothing else."""
    subject = found.subject
    if subject is None or subject.icd10 != code or (subject.others and tumour.site is None):
        return False
    if tumour.kind is None:
        return subject.kind == "metastasis"
    if found.others and not draft.former:
        return False
    axes = (tumour.topography, tumour.morphology)
    return subject.kind == "primary" and (subject.topography, subject.morphology) == axes
