"""Texts on tumours: expressions put into frames, with decorations, abbreviations and slips of the typing hand."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onkocode.config.data import Clinical
from onkocode.questions.abbreviations import (
    Abbreviations,
    Pick,
    abbreviate,
    load_abbreviations,
    mistype,
    split_compounds,
)
from onkocode.questions.abbreviations.inflection import ACCUSATIVE, DATIVE, declined
from onkocode.questions.augmentation import NO_SIDE, PAIRED
from onkocode.questions.clinical.decorating import Frame, filled, fitting, frames
from onkocode.questions.clinical.expressions import Expression, Named, SiteKey, in_english
from onkocode.questions.clinical.files import read_cells, read_lines
from onkocode.questions.clinical.fits import ranges, within
from onkocode.questions.clinical.grammar import gender, genitive, joined
from onkocode.questions.clinical.heldout import Heldout, words_of
from onkocode.questions.clinical.shortening import shortened
from onkocode.questions.clinical.tumours import Tumour
from onkocode.questions.clinical.wordings import Wording

HEADS = frozenset(
    (
        *("Karzinom", "Tumor", "Sarkom", "Lymphom", "Melanom", "Adenom", "Lipom", "Hämangiom", "Papillom", "Krebs"),
        *("Polyp", "Malignom", "Fibrom", "Zyste", "Angiosarkom", "Basaliom", "Nävus", "Myom", "Teratom", "Neoplasie"),
        "Raumforderung",
    )
)
SIDES = (
    *(("links", "linken"), ("li.", "linken"), ("li", "linken")),
    *(("rechts", "rechten"), ("re.", "rechten"), ("re", "rechten")),
)
HUNDRED = range(100)
# Of a hundred texts: how many tell the side where there is one, are prose, are in Latin where they can be, are short by
# the table for writing and by that for reading, have a compound parted.
SIDED, PROSE, LATIN, WRITTEN, READ, PARTED = 45, 20, 6, 40, 35, 8
DECORATED = (0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4)
JOINTS = (", ", ", ", ", ", " ", " ", "; ", " - ", ". ")
ORDER = ("grade", "size", "stage", "marker", "remission", "date", "therapy", "cause", "former")
REPEATED = 1  # letters; a longer word of the site does not stand in the name of the kind as well
# Organs of one sex, and words for a patient of the other.
OTHER_SEX = (
    (ranges("C51-C58"), re.compile(r"\bPatient(?:en)?\b|Prostata")),
    (ranges("C60-C63"), re.compile(r"\bPatientin\b|Ovarial|Endometrium|Zervix")),
)
RARE = frozenset(("cause", "former"))


@dataclass(frozen=True)
class Draft:
    """A text before it is read.

    Attributes:
        text: as written.
        rules: rows that its words are of.
        former: whether it speaks of a tumour of the past as well.
    """

    text: str
    rules: tuple[str, ...]
    former: bool = False


class Writer:
    """Writes texts.

    Args:
        sites: expressions of each key.
        worded: wordings of each row.
        heldout: what stays out of training.
        named: the sites that kinds name themselves.
        options: how texts are written.
    """

    def __init__(
        self,
        sites: Mapping[SiteKey, Sequence[Expression]],
        worded: Mapping[str, Sequence[Wording]],
        heldout: Heldout,
        named: Named,
        options: Clinical,
    ) -> None:
        self._heldout, self._named_sites, self._options = heldout, named, options
        self._table: Abbreviations = load_abbreviations(options.abbreviations)
        self._sites = {out: {key: self._of(found, out) for key, found in sites.items()} for out in (False, True)}
        self._kinds = {
            out: {key: [one for one in found if heldout.holds(one) == out] for key, found in worded.items()}
            for out in (False, True)
        }
        self._primaries = read_lines("primaries.txt")
        self._latin = _latin()

    def _of(self, expressions: Sequence[Expression], out: bool) -> list[Expression]:
        return [one for one in expressions if any(map(self._heldout.holds, one.wordings)) == out]

    def write(self, tumour: Tumour, pick: Pick, out: bool) -> Draft | None:
        """Return a text on a tumour; nothing where the draws do not go together.

        Args:
            tumour: to write about.
            pick: draws.
            out: with a wording that is held out of training, else without.
        """
        first, rules = self._named(tumour, pick, out)
        if not first:
            return None
        text, decorated = self._decorated(first, tumour, pick)
        if any(within(tumour.topography, organs) and words.search(text) for organs, words in OTHER_SEX):
            return None
        text, shortened_by = self._shortened(text, pick, out)
        return Draft(text, (*rules, *shortened_by), decorated)

    def _named(self, tumour: Tumour, pick: Pick, out: bool) -> tuple[str, tuple[str, ...]]:
        """Return the words for kind and site in a frame, with their rows."""
        in_site, in_kind = _held(out, tumour, pick)
        site = self._site(tumour, pick, in_site)
        if tumour.kind is None:
            return self._metastasis(site, pick) if site else ("", ())
        kinds = self._kinds[in_kind][str(tumour.kind.place)]
        if not kinds or (site is None and tumour.site is not None):
            return "", ()
        kind = pick(kinds)
        if site is None:
            return _framed(pick(frames("alone")), kind, None, tumour, pick), (kind.place,)
        if site.english != in_english(kind) or not self._named_sites.allows(kind, tumour.topography):
            return "", ()
        if {word for word in words_of(site.text) if len(word) > REPEATED}.intersection(words_of(kind.text)):
            return "", ()
        latin = self._latin.get((tumour.topography, tumour.morphology), ())
        if latin and not out and pick(HUNDRED) < LATIN:
            return pick(latin), (site.place, kind.place)
        style = "english" if site.english else "prose" if pick(HUNDRED) < PROSE else "note"
        return _framed(pick(frames(style)), kind, site, tumour, pick), (site.place, kind.place)

    def _site(self, tumour: Tumour, pick: Pick, out: bool) -> Expression | None:
        found = self._sites[out].get(tumour.site, []) if tumour.site else []
        return pick(found) if found else None

    def _metastasis(self, site: Expression, pick: Pick) -> tuple[str, tuple[str, ...]]:
        name = _metastasis_name(site, pick)
        parts = {"metastasis": name, "primary": pick(self._primaries)}
        return filled(pick(frames("metastasis")).text, pick, parts) if name else "", (site.place,)

    def _decorated(self, text: str, tumour: Tumour, pick: Pick) -> tuple[str, bool]:
        kind = tumour.kind
        groups = fitting(tumour.topography, kind.kind if kind else "", tumour.morphology[5:])
        wanted = [pick(sorted(groups.keys() - {"remission"})) for _ in range(pick(DECORATED))]
        wanted = [group for group in wanted if group not in RARE or pick(HUNDRED) < SIDED]
        chosen = {*wanted, *(["remission"] if tumour.remission else [])}
        former = "former" in chosen and not text.startswith(("Z. n.", "Zustand"))
        for group in ORDER:
            if group in chosen and (group != "former" or former):
                said = filled(pick(groups[group]).text, pick)
                text = f"{text.rstrip('.')}{pick(JOINTS)}{said}"
        return text, former

    def _shortened(self, text: str, pick: Pick, out: bool) -> tuple[str, list[str]]:
        rules: list[str] = []
        if pick(HUNDRED) < PARTED:
            text = split_compounds(text, pick)
        held = tuple(self._heldout.shorts)
        if pick(HUNDRED) < READ or out:
            text, rules = shortened(text, pick, without=() if out else held)
        if pick(HUNDRED) < WRITTEN:
            text = abbreviate(text, self._table, pick)
        if pick(HUNDRED) < 100 * self._options.typing_errors:
            text = mistype(text, pick)
        return text, rules


def _held(out: bool, tumour: Tumour, pick: Pick) -> tuple[bool, bool]:
    """Return which of site and kind is named by a wording that is held out."""
    if not out:
        return False, False
    if tumour.kind is None:
        return True, False
    if tumour.site is None:
        return False, True
    return pick(((True, False), (False, True)))


def _framed(frame: Frame, kind: Wording, site: Expression | None, tumour: Tumour, pick: Pick) -> str:
    """Return a frame with its parts; empty where it asks for one that there is none of."""
    parts = {"kind": kind.text, **_cases(kind)} | (_places(kind, site, tumour, pick) if site else {})
    if any(not parts[name] for name in frame.parts & parts.keys()):
        return ""
    text = filled(frame.text, pick, parts)
    begins = frame.text.startswith(("{kind}", "{site}")) and pick((True, True, False))
    return text[:1].upper() + text[1:] if begins and text[1:2].islower() else text


def _cases(kind: Wording) -> dict[str, str]:
    if not kind.gender:
        return {"dative": kind.text, "accusative": kind.text}
    cases = {"dative": DATIVE, "accusative": ACCUSATIVE}
    return {name: declined(kind.text, case) or "" for name, case in cases.items()}


def _places(kind: Wording, site: Expression, tumour: Tumour, pick: Pick) -> dict[str, str]:
    """Return the parts of a frame that name the site."""
    paired = PAIRED.match(tumour.topography) and not NO_SIDE.search(f"{site.text} {kind.text}")
    side, adjective = pick(SIDES) if paired and pick(HUNDRED) < SIDED else ("", "")
    behind = f" {side}" if side else ""
    of = genitive(site.noun) if site.noun else ""
    if of and adjective and pick((True, False)):
        article, _, noun = of.partition(" ")
        of = f"{article} {adjective} {noun}"
    elif of:
        of += behind
    single = bool(site.noun and kind.noun)
    return {
        "site": site.text + behind,
        "genitive": of,
        "where": of or f"{site.text}{behind}",
        "compound": joined(site.noun, kind.noun) + behind if single and kind.noun in HEADS else "",
        "hyphened": joined(site.noun, kind.noun, hyphen=True) + behind if single else "",
    }


def _metastasis_name(site: Expression, pick: Pick) -> str:
    plural = pick(("Metastasen", "Metastase", "Metastasen", "Filiae"))
    forms = [f"{plural} {site.text}"]
    if site.noun and gender(site.noun):
        forms += [f"{plural} {genitive(site.noun)}"]
        forms += [joined(site.noun, plural), joined(site.noun, plural, hyphen=True)] * 2
    return "" if site.english else pick(forms)


def _latin() -> dict[tuple[str, str], list[str]]:
    """Return Latin names by topography and morphology."""
    found: dict[tuple[str, str], list[str]] = {}
    for place in read_cells("latin.tsv"):
        for kind in read_cells("latin_kinds.tsv"):
            found.setdefault((place["topography"], kind["morphology"]), []).append(f"{kind['latin']} {place['latin']}")
    return found
