"""The codes that a text may have by what it says: that of its subject, and others behind it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from onkocode.catalogues.vocabulary.codes import is_tumour
from onkocode.language.lexicon import Lexicon
from onkocode.language.reading import NO_NEOPLASM, Finding, Reading, read

SYSTEMS = ("icd10gm", "topography", "morphology")


@dataclass(frozen=True)
class Said:
    """What a text says, as codes.

    Attributes:
        kind: of its subject; empty where it names no tumour.
        basis: of the subject's site.
        own: the subject's code by system, where the text tells one.
        others: further codes by system, the likeliest first.
    """

    kind: str = ""
    basis: str = ""
    own: dict[str, str] = field(default_factory=dict)
    others: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def tumour(self) -> bool:
        """Tell whether it is about a tumour: one without a code of ICD-10, or with one of C00–D48."""
        code = self.own.get("icd10gm")
        return bool(self.kind) and (code is None or is_tumour(code))


def codes_said(lexicon: Lexicon, written: str) -> Said:
    """Read a text and return the codes that it may have."""
    reading = read(lexicon, written)
    subject = reading.subject
    if subject is None:
        return Said()
    codes = {"icd10gm": subject.icd10, "topography": subject.topography, "morphology": subject.morphology}
    own = {system: code for system, code in codes.items() if code not in (None, NO_NEOPLASM)}
    others = {system: _distinct(_others(lexicon, reading, subject, system), own.get(system)) for system in SYSTEMS}
    return Said(subject.kind, subject.basis, own, others)


def _others(lexicon: Lexicon, reading: Reading, subject: Finding, system: str) -> list[str | None]:
    """Return codes of further sites that are named, of further tumours, and the unspecified one of the organ."""
    if system == "morphology":
        unspecified = subject.morphology and f"8000/{subject.morphology[-1]}"
        return [*(other.morphology for other in reading.others), unspecified]
    organ = f"{subject.topography[:3]}.9" if subject.topography else None
    organ = organ if organ in lexicon.organ_of else None  # not every organ has a topography without a part
    if system == "topography":
        return [*subject.others, *(other.topography for other in reading.others), organ]
    follows = _combined(lexicon, subject, subject.topography) == subject.icd10  # else the site decides nothing
    near = [*subject.alternatives, *(_combined(lexicon, subject, site) for site in subject.others if follows)]
    last = _combined(lexicon, subject, organ) if follows else None
    return [*near, *(other.icd10 for other in reading.others), last]


def _combined(lexicon: Lexicon, finding: Finding, site: str | None) -> str | None:
    """Return the code of ICD-10 that a finding would have at a site."""
    if site is None:
        return None
    if finding.kind == "metastasis":
        return lexicon.combinations.metastasis(site)[0]
    return lexicon.combinations.icd10(site, finding.morphology)[0] if finding.morphology else None


def _distinct(codes: Iterable[str | None], own: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for code in codes if code not in (None, NO_NEOPLASM, own)))
