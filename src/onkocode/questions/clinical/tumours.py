"""Tumours to write about: a kind of tumour at a site, with its codes and the rules that they follow from."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from onkocode.language.lexicon import Lexicon
from onkocode.language.rows import Histology
from onkocode.questions.clinical.expressions import NODES, SiteKey
from onkocode.questions.clinical.fits import is_found

PLACEHOLDER = "placeholder"
UNKNOWN = "C80.9"
# Kinds of which the unspecified site is the whole organ system.
EVERYWHERE = ("skin", "melanocytic", "brain", "meninges")
HAEMATOLOGY = ("lymphoid", "myeloid", "plasma", "histiocytic")
IN_REMISSION = ("C88", "C90", "C91", "C92", "C93", "C94", "C95")
TASKS = ("icd10", "topography", "morphology")


@dataclass(frozen=True)
class Tumour:
    """A kind of tumour at a site.

    Attributes:
        icd10: code.
        topography: code.
        morphology: code; nothing of a metastasis.
        site: key of its expressions; None = the text does not name one.
        kind: row of the table; None = a metastasis.
        rule: row that gives the code of ICD-10, where one does.
        asked: tasks whose code is certain.
        lacking: what the text does not tell: site, kind.
        remission: whether the text says so.
    """

    icd10: str
    topography: str
    morphology: str
    site: SiteKey | None
    kind: Histology | None
    rule: str
    asked: tuple[str, ...] = TASKS
    lacking: tuple[str, ...] = ()
    remission: bool = False


@dataclass(frozen=True)
class Known:
    """Codes that exist.

    Attributes:
        icd10: terminal codes of tumours.
        icdo3: topographies and morphologies.
        pairs: of topography and morphology, the codes of ICD-10 that the § 65c rules give; None = no rules.
    """

    icd10: Set[str]
    icdo3: Set[str]
    pairs: Mapping[tuple[str, str], Set[str]] | None = None


def tumours(lexicon: Lexicon, sites: Set[SiteKey], known: Known) -> dict[str, list[Tumour]]:
    """Return the tumours by their code of ICD-10, as far as the codes exist.

    Args:
        lexicon: the tables.
        sites: keys of expressions.
        known: codes that exist.
    """
    found: dict[str, list[Tumour]] = {}
    for tumour in (*_primary(lexicon, sites, known), *_metastases(lexicon, sites)):
        axes = {tumour.topography, tumour.morphology} - {""}
        if tumour.icd10 in known.icd10 and (tumour.kind is None or axes <= known.icdo3):
            found.setdefault(tumour.icd10, []).append(tumour)
    return found


def _primary(lexicon: Lexicon, sites: Set[SiteKey], known: Known) -> Iterator[Tumour]:
    places = [key for key in sorted(sites) if key[0] != UNKNOWN and key[0] in known.icdo3]
    for row in lexicon.histologies.rows:
        if row.icd10 == "-" or row.code not in known.icdo3:
            continue
        for key in places:
            if is_found(row, *key):
                yield from _variants(_coded(lexicon, row, key[0], key, known))
        if (alone := _without_site(lexicon, row, known)) is not None:
            yield from _variants(alone)


def _coded(lexicon: Lexicon, row: Histology, topography: str, site: SiteKey | None, known: Known) -> Tumour | None:
    """Return a tumour with its code; nothing where no rule gives one, or the § 65c rules give another."""
    icd10, rule = lexicon.combinations.icd10(topography, row.code)
    if row.icd10 and not (rule and icd10 and row.icd10.endswith("9") and icd10[:3] == row.icd10[:3]):
        icd10, rule = row.icd10, None
    if icd10 is None or not _agrees(icd10, row, topography, known) or not _is_of(lexicon, row, topography):
        return None
    place = str(rule.place) if rule else str(row.place) if row.icd10 else "code-of-site"
    lacking = ("kind",) if row.kind == PLACEHOLDER else ()
    disputed = set(lexicon.combinations.alternatives(topography, row.code)) - {icd10}
    return Tumour(icd10, topography, row.code, site, row, place, TASKS[1:] if disputed else TASKS, lacking)


def _is_of(lexicon: Lexicon, row: Histology, topography: str) -> bool:
    """Tell whether a topography is one of those that the own code of a solid tumour is for (D25 is of the uterus)."""
    if not row.icd10 or row.kind in HAEMATOLOGY:
        return True
    usual, _ = lexicon.combinations.icd10(topography, row.code)
    return usual is not None and usual[:3] == row.icd10[:3]


def _agrees(icd10: str, row: Histology, topography: str, known: Known) -> bool:
    if known.pairs is None or row.kind in HAEMATOLOGY or row.icd10 or topography == UNKNOWN:
        return True
    ruled = known.pairs.get((topography, row.code))
    return ruled is not None and any(icd10.startswith(code) or code.startswith(icd10) for code in ruled)


def _without_site(lexicon: Lexicon, row: Histology, known: Known) -> Tumour | None:
    """Return a kind of tumour whose text names no site, where its code is certain even so."""
    whole = row.kind in EVERYWHERE and row.site.endswith(".9")
    if row.site and row.weak and not row.icd10 and not whole:
        return None
    topography = row.site or UNKNOWN
    found = _coded(lexicon, row, topography, None, known)
    if found is None:
        return None
    told = bool(row.site) and not row.weak
    asked = tuple(task for task in found.asked if told or not row.icd10 or task != "topography")
    lacking = (*(() if told else ("site",)), *found.lacking)
    return Tumour(found.icd10, topography, row.code, None, row, found.rule, asked, lacking)


def _variants(tumour: Tumour | None) -> Iterator[Tumour]:
    """Yield a tumour, and where its code tells remission that as well."""
    if tumour is None:
        return
    yield tumour
    code = tumour.icd10
    if code[:3] in IN_REMISSION and len(code) == len("C91.00") and code.endswith("0"):
        values = {**vars(tumour), "icd10": f"{code[:-1]}1", "remission": True}
        yield Tumour(**values)


def _metastases(lexicon: Lexicon, sites: Set[SiteKey]) -> Iterator[Tumour]:
    for key in sorted(sites):
        topography, tissue = key
        if topography[:3] in ("C76", "C80", "C42") or tissue not in ("", NODES, "bone"):
            continue
        code, rule = lexicon.combinations.metastasis(topography)
        yield Tumour(code, topography, "", key, None, str(rule.place) if rule else "other-site", ("icd10",))
