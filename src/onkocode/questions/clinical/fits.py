"""Which kinds of tumours are found where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from onkocode.language.rows import Histology
from onkocode.questions.clinical.files import read_cells

SKIN, OTHER, NODES = "skin", "other", "nodes"
TISSUES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("skin", "melanocytic"), (SKIN,)),
    **dict.fromkeys(("soft", "vascular"), ("soft",)),
    **dict.fromkeys(("bone", "cartilage", "plasma"), ("bone",)),
    "lymphoid": (NODES,),
    "placeholder": (SKIN, OTHER),
}
SQUAMOUS = range(8050, 8085)
BLOOD = ("myeloid", "plasma", "lymphoid")  # the site of a leukaemia is the marrow, of no other blood-forming organ


@dataclass(frozen=True)
class Fit:
    """A row: kind, numbers of morphology, topographies."""

    kind: str
    numbers: tuple[tuple[str, str], ...]
    topographies: tuple[tuple[str, str], ...]


@cache
def fits() -> Sequence[Fit]:
    """Return the rows."""
    return [
        Fit(cells["kind"], ranges(cells["morphology"]), ranges(cells["topography"])) for cells in read_cells("fits.tsv")
    ]


def ranges(text: str) -> tuple[tuple[str, str], ...]:
    """Return the first and last of each range (C00-C06 C15)."""
    parts = (part.partition("-") for part in text.split())
    return tuple((first, last or first) for first, _, last in parts)


def within(code: str, of: Sequence[tuple[str, str]]) -> bool:
    """Tell whether a code lies in one of the ranges; categories hold their codes."""
    return any(first <= code and code[: len(last)] <= last for first, last in of)


def usual_sites(row: Histology) -> Sequence[tuple[str, str]]:
    """Return where a kind of tumour is found, as far as its own site does not say it."""
    number = row.code[:4]
    of_kind = (fit for fit in fits() if fit.kind == row.kind)
    return next((fit.topographies for fit in of_kind if not fit.numbers or within(number, fit.numbers)), ())


def is_found(row: Histology, topography: str, tissue: str) -> bool:
    """Tell whether a kind of tumour is found at a topography, or at a region of a tissue."""
    if tissue and tissue not in TISSUES.get(row.kind, (SKIN,) if int(row.code[:4]) in SQUAMOUS else ()):
        return False
    own = bool(row.site) and (topography[:3] == row.site[:3] if row.kind not in BLOOD else topography == row.site)
    if row.site and not row.weak:
        return own
    return own or within(topography, usual_sites(row))
