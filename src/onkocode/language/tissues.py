"""What the kind of a tumour says of its site."""

from dataclasses import replace

from onkocode.language.nodes import Named
from onkocode.language.rows import Histology
from onkocode.language.spelling import fold, stem

TISSUE_OF = {
    **dict.fromkeys(("skin", "melanocytic", "vascular"), "skin"),
    **dict.fromkeys(("soft", "histiocytic"), "soft"),
    **dict.fromkeys(("bone", "cartilage", "plasma"), "bone"),
    "nerve": "nerve",
}
SKIN_ORGANS = (
    "C44",
    "C51",
    "C60",
    "C63",
    *("C00.2", "C00.3", "C00.4", "C00.5", "C00.6", "C00.8"),  # skin of the lip is a region
    "C69",
    "C21",
    "C50.0",
    "C30",
    "C52",
    "C20",
    "C06",
    "C03",
    "C05",
    "C53",
)
BROAD = ("C76", "C80", "C26", "C39")
VAGUE = (*BROAD, "C06.9", "C72.9", "C75.9", "C57.9", "C63.9", "C68.9", "C14.8", "C44.9", "C41.9", "C49.9")
SPINAL = ("C41.2", "C72.0", "C72.1", "C70.1")
NERVES = (
    ("C38", "3"),
    ("C34", "3"),
    ("C37", "3"),
    ("C76.0", "0"),
    ("C76.1", "3"),
    ("C76.2", "4"),
    ("C48", "4"),
    ("C76.3", "5"),
)
# Names of a tissue: where it is, a region tells.
TISSUES_ALONE = {"C44.9": "skin", "C49.9": "soft", "C47.9": "nerve", "C41.9": "bone", "C40.9": "bone"}
# Where a tumour of a tissue is if nothing is said.
SITE_OF_KIND = {
    **dict.fromkeys(("skin", "melanocytic"), "C44.9"),
    **dict.fromkeys(("bone", "cartilage"), "C41.9"),
    "soft": "C49.9",
    "nerve": "C47.9",
    "brain": "C71.9",
    "meninges": "C70.9",
}
OVERLAPPING = {stem(fold(word)) for word in ("Teilbereiche", "überlappend")}
GANGLIONIC = range(9490, 9501)  # of sympathetic nerves, where no adrenal gland is named
LIPOMAS = range(8850, 8882)
SQUAMOUS = range(8050, 8085)
UNKNOWN = "C80.9"
OWN_PARTS = ("C74.1", "C54.1")  # adrenal medulla, endometrium


def usual_site(histology: Histology | None) -> Named | None:
    """Return where a kind of tumour is if nothing is said: surely (basis kind), or as a guess."""
    if histology is None:
        return None
    if histology.site:
        return Named(histology.site, "guess" if histology.weak else "kind", histology.place)
    lipoma = int(histology.code[:4]) in LIPOMAS and histology.code.endswith("0")
    site = None if lipoma else SITE_OF_KIND.get(histology.kind)
    return Named(site, "guess", histology.place) if site else None


def own_part(named: Named, usual: Named | None) -> Named:
    """Return the part of the named organ where it is certain: a phaeochromocytoma is of the adrenal medulla."""
    certain = usual is not None and usual.code in OWN_PARTS and named.code == f"{usual.code[:3]}.9"
    return replace(named, code=usual.code) if usual and certain else named


def nervous_site(found: Named, kind: str) -> Named:
    """Return the meninges or the nerve where a tumour of them was found at the bone or organ beside."""
    if kind == "meninges" and not found.code.startswith("C70"):
        spinal = found.code.startswith(SPINAL)
        known = found.basis not in ("unknown", "guess", "kind")
        return replace(found, code="C70.1" if spinal else "C70.0" if known else "C70.9")
    digit = next((digit for begins, digit in NERVES if found.code.startswith(begins)), None)
    return replace(found, code=f"C47.{digit}") if kind == "nerve" and digit else found


def is_vague(code: str) -> bool:
    """Tell whether a topography says no organ."""
    return code.startswith(VAGUE)
