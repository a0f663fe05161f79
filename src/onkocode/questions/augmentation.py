"""Augmentation: copies of training labels, rewritten the way clinical texts are written.

The code of a copy is that of its origin, so every rewriting has to be neutral to the choice of the code (ICD-10-GM or
ICD-O-3). Counted as neutral:

- abbreviation: a short form with one reading in oncology names the same disease; those with a second reading stand in
  the table, but are excluded.
- side: R, L and B stand beside an ICD-10 code (§ 295 SGB V), never in it. Only organs that the cancer registries count
  as paired (Plattform § 65c, decision 2020-40-18), metastases in them, limbs and lobes of the brain get a side, and
  "beidseits" only what is registered as one tumour when it is on both.
- stage: T and N as far as TNM (UICC, 8th edition) has them for the site; the code names the tumour, not its size.
  N1–N3 would add a code for the nodes, beside the one that is asked for; M1 is never written. Carcinomas in situ
  get pTis; lymphomas an Ann Arbor stage, which their codes do not have.
- grading: the grade is the sixth digit of an ICD-O-3 morphology and part of no code that is asked for.
- certainty: "V. a." and "Z. n." are the qualifiers V and Z beside an unchanged code (§ 295 SGB V), and a disease that
  is known, or was found at a date, is the same disease. "Z. n." stands only before tumours, as what is left of an
  infarction or a stroke has codes of its own. (Hospitals code a tumour that was treated for good as Z85, which is no
  answer here.) "Rezidiv" is left out: by where it sits, a recurrence is coded as the tumour or as a metastasis.
- typing-error: a slip in one or two letters leaves a word recognisable. Words of behaviour, negation and side and the
  first two letters of every word stay as they are, and a slip that yields a word of any label drops the row.
- compound: a hyphen or a blank before the head of a compound does not change its meaning.

All choices come from `digest` over seed, entry id, copy and purpose. So a copy depends on its own entry alone; other
entries can only remove it, where it reads like one of theirs.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import polars as pl

from onkocode.catalogues.vocabulary.codes import behaviour
from onkocode.config.data import Augmentation
from onkocode.questions.abbreviations import Pick, abbreviate, load_abbreviations, mistype, split_compounds
from onkocode.questions.abbreviations.inflection import ACCUSATIVE, DATIVE, declined, known
from onkocode.questions.drawing import draws
from onkocode.records.ids import shuffled, text_key

UNIT = 2**32  # numbers that can be drawn
WORD = re.compile(r"[^\W\d_]{4,}")

# Codes of ICD-10-GM and, up to C80, of the ICD-O-3 topography.
PAIRED = re.compile(
    r"C07|C09|C30\.0|C34\.[01389]|C38\.4|C40|C41\.3[02]|C4[34]\.[1267]|C45\.0|C4[79]\.[12]|C50|C56|C57\.[04]|C62|"
    r"C63\.[01]|C6[4569]|C71\.[1-4]|C74|C76\.[45]|C78\.[02]|C79\.[067]$|D02\.2|D0[34]\.[1267]|D05|D09\.2|D10\.4|"
    r"D11\.0|D14\.3|D16\.[0-3]|D17\.2|D19\.0|D21\.[12]|D2[23]\.[1267]|D24|D27|D28\.2|D29\.[23]|D30\.[0-2]|D31|"
    r"D35\.0|D39\.1|D40\.1|D41\.[0-2]|D44\.1|D48\.6"
)
ON_BOTH = ("C56", "C57.0", "C57.4", "D27")
ONE_TUMOUR = re.compile(r"nephroblastom|wilms|retinoblastom", re.IGNORECASE)
SIDES = ("rechts", "links", "re.", "li.", "re", "li")
BOTH_SIDES = ("beidseits", "bds.", "bds")
# A side is named already, or the site is one of the unpaired ones among paired codes, or it is not one place.
NO_SIDE = re.compile(
    r"\b(?:rechte?|linke?|rechts|links|re|li)(?:[nrms]?\b|seit)|beid|bilateral|seitig|\bbds|mittellappen|[ck]arina|lingu|"
    r"septum|scheidewand|mittellinie|chiasma|hufeisen|diffus|multip|generalisiert|disseminiert|syndrom|trachea|luftröhre",
    re.IGNORECASE,
)
TAIL = re.compile(r"(?:,[^,]*| \[[^\]]*\]| \([^)]*\)| a\.n\.k\.| o\.n\.A\.| beim Mann| bei der Frau| bei [\w-]+)$")

# Category → the T and the N that TNM (8th edition) has for it, without the sites that have no TNM.
TNM = {
    category: (ts, ns)
    for categories, ts, ns in (
        ("C00 C01 C02 C03 C04 C05 C06 C07 C08 C09 C10 C11 C12 C13 C15 C16", "1234", "0123"),
        ("C31 C32 C34 C43 C44 C50 C60 C62 C67", "1234", "0123"),
        ("C17 C18 C19 C20 C23 C24 C25 C54 C65 C66", "1234", "012"),
        ("C21 C22 C52 C53 C64 C73", "1234", "01"),
        ("C51", "123", "012"),
        ("C56", "123", "01"),
        ("C61", "234", "01"),
    )
    for category in categories.split()
}
UNGRADED = ("C43", "C61", "C62", "C73")  # no G1–G3, or another system
TNM_FORMS = ("pT{} N{} M0", "pT{}, pN{}, cM0", "pT{} pN{} cM0", "pT{}pN{}M0", "(pT{} N{} M0)")
CARCINOMA = re.compile(r"karzinom|carcinom|krebs|bösartige neubildung|maligner tumor|\bmalignom", re.IGNORECASE)
# Not a primary solid tumour with the site's TNM, or its extent is in the words already.
OTHER_SYSTEM = re.compile(
    r"lymphom|leuk|sarkom|blastom|neuroendokrin|karzinoid|stroma|keimzell|merkel|metasta|rezidiv|in situ|invasi|früh|"
    r"multip|generalisiert|disseminiert|matose|karzinose|syndrom|borderline|potenz|potential|semimalign|stadium|\bp?t\d|"
    r"basal|metatyp|paget|intraepithel|embryo|chorion|teratom|dottersack|entart",
    re.IGNORECASE,
)
GRADED = re.compile(r"differenz|grad|\bg\d|anaplast|kleinzell|melanom|riesenzell|sarkomat", re.IGNORECASE)
ANN_ARBOR = re.compile(r"C8[125]|C83\.[01389]|C84\.[45679]|C88\.4")
NO_ANN_ARBOR = re.compile(r"leuk|zerebr|gehirn|zentralnerv|kutan|haut|lymphomatoid|remission|stadium", re.IGNORECASE)
ANN_ARBOR_FORMS = (", Stadium {} nach Ann Arbor", ", Ann Arbor {}", " (Ann Arbor {})", ", St. {} n. Ann Arbor")

QUALIFIED = re.compile(r"verdacht|\bv\. ?a\.|zustand nach|\bz\. ?n\.|\bbekannt|anamnes|rezidiv|ausgeschlossen", re.I)
SUSPECTED = ("V. a.", "V.a.", "Verdacht auf")
PAST = ("Z. n.", "Z.n.", "Zustand nach")


@dataclass(frozen=True)
class Copy:
    """A copy before it becomes a row: its id and code, the row of its origin, its text, the kinds applied."""

    id: str
    code: str | None
    row: int
    text: str
    kinds: list[str]


@dataclass(frozen=True)
class Label:
    """What the clinical details depend on: kind of the entry, its code and its original text."""

    kind: str
    code: str
    text: str

    @property
    def diagnosis(self) -> bool:
        """Whether the text names a disease with an ICD-10 code, not only a site, a morphology or a procedure."""
        return self.kind in ("diagnosis", "text")


Rewrite = Callable[[str, Label, Pick], str]


def augment(entries: pl.DataFrame, options: Augmentation) -> pl.DataFrame:
    """Return the rewritten copies of a seeded share of the entries, in the order of their ids, without the originals.

    A copy has the columns of its entry and `origin_id`. New are `entry_id` (origin~k, k = 1…copies), `text` and the
    flags `augmented:<kind>`. `text_key` stays that of the origin, so that whatever splits by text key keeps origin and
    copy together. A copy that reads like an entry is dropped; of copies that read alike the first stays if their codes
    are the same, else none. So give all entries and keep the copies of those in training: then none of them reads like
    a label that is held out.

    Args:
        entries: columns of Entries and any others, which are carried along; entry ids are unique.
        options: share, copies, kinds, version of the abbreviations, seed.

    Raises:
        InputError: the version of the abbreviations is unknown or its table is not sound.
    """
    rewrites = _rewrites(options)
    keys = set(entries["text_key"].to_list())
    words = frozenset(word for key in keys for word in WORD.findall(key))
    found: dict[str, list[Copy]] = {}
    for row, (entry_id, kind, code, text) in enumerate(entries.select("entry_id", "kind", "code", "text").iter_rows()):
        if draws("augment", options.seed, entry_id)(range(UNIT)) >= options.share * UNIT:
            continue
        for number in range(1, options.copies + 1):
            new_id = f"{entry_id}~{number}"
            new, kinds = _rewritten(Label(kind, code or "", text), new_id, options.seed, rewrites, words)
            key = text_key(new)
            if kinds and key not in keys and key != text_key(text):
                found.setdefault(key, []).append(Copy(new_id, code, row, new, kinds))
    alike = (copies for copies in found.values() if len({copy.code for copy in copies}) == 1)
    return _copies(entries, sorted((min(copies, key=attrgetter("id")) for copies in alike), key=attrgetter("id")))


def _copies(entries: pl.DataFrame, copies: Sequence[Copy]) -> pl.DataFrame:
    """Return the rows of the entries that the copies come from, with what is new put in."""
    flags = pl.Series([" ".join(f"augmented:{kind}" for kind in copy.kinds) for copy in copies], dtype=pl.String)
    return entries[[copy.row for copy in copies]].with_columns(
        pl.col("entry_id").alias("origin_id"),
        pl.Series("entry_id", [copy.id for copy in copies], pl.String),
        pl.Series("text", [copy.text for copy in copies], pl.String),
        pl.col("flags").fill_null([]).list.concat(flags.str.split(" ")),
    )


def _rewrites(options: Augmentation) -> dict[str, Rewrite]:
    """Return the asked kinds in the order in which they are applied.

    Slips come after what has to read the words, and before sides, stages and grades, which are too short to be guessed.
    """
    table = load_abbreviations(options.abbreviations)
    rewrites: dict[str, Rewrite] = {
        "abbreviation": lambda text, _, pick: abbreviate(text, table, pick),
        "compound": lambda text, _, pick: split_compounds(text, pick),
        "certainty": _with_certainty,
        "typing-error": lambda text, _, pick: mistype(text, pick),
        "side": _with_side,
        "stage": _with_stage,
        "grading": _with_grading,
    }
    return {kind: rewrite for kind, rewrite in rewrites.items() if kind in options.kinds}


def _rewritten(
    label: Label, new_id: str, seed: int, rewrites: Mapping[str, Rewrite], words: frozenset[str]
) -> tuple[str, list[str]]:
    """Return the text after one to three of the kinds that apply to the label, and these kinds; none if it collides."""
    alone: dict[str, str] = {}
    wanted = draws("augment", seed, new_id)((1, 2, 3))
    for kind in shuffled(rewrites, seed, "augment", [f"{new_id}/{kind}" for kind in rewrites]):
        if len(alone) < wanted:
            new = rewrites[kind](label.text, label, draws("augment", seed, new_id, kind))
            alone |= {kind: new} if new != label.text else {}
    text, applied = label.text, []
    for kind in (kind for kind in rewrites if kind in alone):
        before = text
        text = alone[kind] if text == label.text else rewrites[kind](text, label, draws("augment", seed, new_id, kind))
        if kind == "typing-error" and _reads_as_another(text, before, words):
            return label.text, []
        applied += [kind] if text != before else []
    return text, applied


def _with_side(text: str, label: Label, pick: Pick) -> str:
    """Return the text with a side before its tail (a.n.k., brackets, the last clause), where it may have one."""
    if not PAIRED.match(label.code) or NO_SIDE.search(label.text):
        return text
    both = label.code.startswith(ON_BOTH) or ONE_TUMOUR.search(label.text)
    side = pick(SIDES + BOTH_SIDES if both else SIDES)
    tail = TAIL.search(text)
    at = tail.start() if tail else len(text)
    return text[:at] + pick((" ", " ", ", ")) + side + text[at:]


def _with_stage(text: str, label: Label, pick: Pick) -> str:
    """Return the text with TNM, pTis or an Ann Arbor stage, whichever the code and the words allow."""
    if not label.diagnosis or text.startswith(SUSPECTED):
        return text
    if behaviour(label.code) == "in-situ" and "in situ" in label.text:
        return text + pick((", pTis", " pTis", " (pTis)", " Tis"))
    if ANN_ARBOR.match(label.code) and not NO_ANN_ARBOR.search(label.text):
        stage = pick(("I", "II", "III", "IV")) + pick(("", "A", "B"))
        return text + pick(ANN_ARBOR_FORMS).format(stage)
    if not _is_carcinoma(label):
        return text
    ts, ns = TNM[label.code[:3]]
    form = pick(TNM_FORMS)
    joint = " " if form.startswith("(") else pick((", ", " "))
    return text + joint + form.format(pick(ts), pick(ns))


def _with_grading(text: str, label: Label, pick: Pick) -> str:
    """Return the text with a grade G1–G3, where neither the site nor the words speak against it."""
    if (
        text.startswith(SUSPECTED)
        or not _is_carcinoma(label)
        or label.code[:3] in UNGRADED
        or GRADED.search(label.text)
    ):
        return text
    grade = pick("123")
    return text + pick((", G{}", " G{}", " (G{})", ", Grad {}")).format(grade)


def _is_carcinoma(label: Label) -> bool:
    return (
        label.diagnosis
        and label.code[:3] in TNM
        and bool(CARCINOMA.search(label.text))
        and not OTHER_SYSTEM.search(label.text)
    )


def _with_certainty(text: str, label: Label, pick: Pick) -> str:
    """Return the text as suspected, past, known, or with the month or year of its first diagnosis."""
    tumour = behaviour(label.code) is not None
    if not label.diagnosis or not (tumour or "A" <= label.code < "O") or QUALIFIED.search(label.text):
        return text
    forms = ["dated", "dated", "known"]
    if "remission" not in label.text.casefold():
        forms += ["suspected"] * 2 + ["past"] * tumour
    match pick(forms):
        case "known" if after := known(text):
            return after
        case "suspected" if after := declined(text, ACCUSATIVE):
            return f"{pick(SUSPECTED)} {after}"
        case "past" if after := declined(text, DATIVE):
            return f"{pick(PAST)} {after}"
    date = pick(("{month:02d}/{year}", "{year}")).format(month=pick(range(1, 13)), year=pick(range(2005, 2025)))
    return text + pick((", ED {}", " (ED {})")).format(date)


def _reads_as_another(text: str, before: str, words: frozenset[str]) -> bool:
    """Tell whether the mistyped word holds a word of the labels that the text did not hold before (Nabel, Nagel)."""
    old = before.casefold()
    parts = (
        word[start:end]
        for word in set(WORD.findall(text.casefold())).difference(WORD.findall(old))
        for start in range(len(word))
        for end in range(start + 4, len(word) + 1)
    )
    return any(part in words and part not in old for part in parts)
