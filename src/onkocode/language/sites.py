"""The site of a tumour: named outright, as a part of an organ, by a region and the tissue, or by the kind of tumour."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from onkocode.language.lexicon import Lexicon
from onkocode.language.mentions import Mention
from onkocode.language.nodes import Named, find_nodes
from onkocode.language.patterns import Match
from onkocode.language.rows import Histology, Region, Site
from onkocode.language.text import Text
from onkocode.language.tissues import (
    BROAD,
    GANGLIONIC,
    OVERLAPPING,
    SKIN_ORGANS,
    SQUAMOUS,
    TISSUE_OF,
    TISSUES_ALONE,
    UNKNOWN,
    is_vague,
    nervous_site,
    own_part,
    usual_site,
)

NEAR = 4  # units


@dataclass
class SiteFinder:
    """Finds the site of one tumour.

    Args:
        lexicon: the tables.
        text: taken apart.
        mention: the tumour.
        histology: what it is; None for a metastasis.
    """

    lexicon: Lexicon
    text: Text
    mention: Mention
    histology: Histology | None

    def find(self) -> Named:
        """Return the site."""
        kind = self.histology.kind if self.histology else ""
        if self.histology is not None and self.text.roles.cues.get("unknown"):
            return Named(UNKNOWN, "unknown")
        if kind == "lymphoid":
            return self._lymphoid()
        if self.histology is None and (nodes := self._nodes()):
            return nodes
        found = own_part(self._overlapping(self._solid(kind)), usual_site(self.histology))
        return nervous_site(found, kind)

    def _overlapping(self, named: Named) -> Named:
        """Return the code of several parts where the text says that the tumour lies over them."""
        words = {feature for place in self.mention.places for feature in self.text.features[place]}
        code = f"{named.code[:3]}.8"
        return replace(named, code=code) if words >= OVERLAPPING and code in self.lexicon.organ_of else named

    def _solid(self, kind: str) -> Named:
        origin = [place for place in self.mention.places if self.text.roles.has(place, "origin")]
        rest = [place for place in self.mention.places if place not in self.mention.head]
        default = usual_site(self.histology)
        strong = default if default and default.basis == "kind" else None
        vague = None
        for tier in (origin, self.mention.head):
            named = self._in(tier, kind)
            if named and not self._yields(named, default):
                finer = self._finer(named)
                if not is_vague(finer.code):
                    return finer
                vague = vague or finer
        if strong:
            return self._finer(strong)
        told = self.by_procedure() if self.histology else None
        for places in (rest, self.mention.places):
            named = self._in(places, kind)
            if named and (self._yields(named, default) or (told and named.code.startswith("C77"))):
                continue
            if named and not (is_vague(named.code) and vague):
                return self._finer(named)
        return self._finer(told) if told else vague or self._finer(default or Named(UNKNOWN, "unknown"))

    def _yields(self, named: Named, default: Named | None) -> bool:
        """Tell whether a region says less than the kind of tumour does."""
        if default is None or self.histology is None:
            return False
        if self.histology.kind == "thymic" and named.code.startswith("C38"):
            return True
        if default.code.startswith("C75") and named.code.startswith("C71"):
            return True  # a craniopharyngioma, wherever it reaches
        if self.histology.kind in ("myeloid", "plasma") and default.basis == "kind":
            return True
        return ("region" in named.basis and default.basis == "kind") or (
            named.basis == "loose region" and self.histology.kind != "placeholder" and default.basis == "guess"
        )

    def _lymphoid(self) -> Named:
        """Return the site of a lymphoma: an organ beside lymph nodes and marrow, else the region of the nodes."""
        rest = [place for place in self.mention.places if place not in self.mention.head]
        default = usual_site(self.histology)
        if default and default.basis == "kind" and default.code.startswith("C42"):
            return default
        skin = self._region(self.mention.places, "skin", sure=False) if self._is_skin() else None
        if skin:
            return skin
        if default and default.code.startswith("C38"):
            return self._region(self.mention.places, "soft", sure=True) or default
        organ = self._organ(self.mention.head, without=("C77", "C42", *BROAD))
        nodes = self._nodes()
        if organ or nodes:
            return self._finer(organ) if organ else nodes or Named(UNKNOWN, "unknown")
        if default and default.basis == "kind":
            return self._finer(default)
        organ = self._organ(rest, without=("C77", "C42", *BROAD)) or self._organ(
            self.mention.head, without=("C77", *BROAD)
        )
        organ = organ or self.by_procedure()
        return self._finer(organ) if organ else default or Named("C77.9", "guess")

    def _nodes(self) -> Named | None:
        return find_nodes(self.lexicon, self.text, self.mention.places, self._is_lymphoid())

    def _is_lymphoid(self) -> bool:
        return self.histology is not None and self.histology.kind == "lymphoid"

    def _is_skin(self) -> bool:
        rows = (self._row(match) for match in self._sites(self.mention.places))
        skin = (row.code for row in rows if not row.under)
        own = self.histology is not None and self.histology.site.startswith("C44")
        return own or any(code.startswith("C44") for code in skin)

    def _sites(self, places: Sequence[int]) -> list[Match]:
        return self.text.matches(self.lexicon.sites, places)

    def _in(self, places: Sequence[int], kind: str) -> Named | None:
        if not places:
            return None
        organ = self._organ(places)
        tissue = self._tissue(kind)
        region = self._region(places, tissue or self._loose_tissue(), tissue is not None)
        if organ and organ.code in TISSUES_ALONE:
            near = self._region(self.mention.places, TISSUES_ALONE[organ.code], sure=True)
            return near or organ
        if (tissue == "soft" or kind == "vascular") and (bone := self._bone(places)):
            return bone
        if region and tissue and (organ is None or self._leaves(organ, tissue, kind)):
            return region
        return organ or region

    def _tissue(self, kind: str) -> str | None:
        if self.histology is not None and int(self.histology.code[:4]) in GANGLIONIC:
            return "nerve"
        return TISSUE_OF.get(kind)

    def _leaves(self, organ: Named, tissue: str, kind: str) -> bool:
        """Tell whether an organ is only where a tumour of a tissue lies: a basalioma of the nose is of its skin."""
        if tissue == "skin" and kind != "vascular":
            return not organ.code.startswith(SKIN_ORGANS)
        return organ.code[:3] in ("C76", "C49", "C44")

    def _bone(self, places: Sequence[int]) -> Named | None:
        """Return a bone that is named outright, as no skin lies on it."""
        for match in self.text.matches(self.lexicon.regions, places):
            row = self.lexicon.regions.rows[match.row]
            if "skin" not in row.codes and row.codes.get("bone", "").startswith(("C40", "C41")):
                return Named(row.codes["bone"], "region", row.place, match.places)
        return None

    def _loose_tissue(self) -> str:
        if self.histology is None:
            return "other"
        squamous = int(self.histology.code[:4]) in SQUAMOUS or self.histology.code.endswith("/2")
        return "skin" if squamous else "other"

    def _organ(self, places: Sequence[int], without: tuple[str, ...] = ("C80",)) -> Named | None:
        matches = self._sites(places)
        outright = [
            match for match in matches if not self._row(match).under and not self._row(match).code.startswith(without)
        ]
        if not outright:
            return None
        first = min(outright, key=self._preference)
        same = [match for match in outright if self._row(match).organ == self._row(first).organ]
        best = min(same, key=lambda match: (self._is_general(match), -match.weight, match.places[-1]))
        others = tuple(dict.fromkeys(self._row(match).code for match in outright if match is not best))
        row = self._row(best)
        return Named(row.code, "named", row.place, best.places, others)

    def _row(self, match: Match) -> Site:
        return self.lexicon.sites.rows[match.row]

    def _preference(self, match: Match) -> tuple[bool, bool, int, int]:
        """Order sites: those in the word that names the tumour first, then by the words asked for, then the first."""
        head = self.mention.histology.places if self.mention.histology else ()
        tokens = {self.text.units[place].token for place in head}
        beside = any(self.text.units[place].token in tokens for place in match.places)
        vague = is_vague(self._row(match).code) or self._is_spread(match)
        return vague, not beside, match.places[0], -match.weight

    def _is_spread(self, match: Match) -> bool:
        """Tell whether a site stands before a word like metastasiert, which says so of it (zerebral metastasiert)."""
        return any(
            self.text.roles.has(place, "spread")
            for place in range(match.places[-1] + 1, match.places[-1] + NEAR)
            if place < len(self.text.units)
        )

    def _is_general(self, match: Match) -> bool:
        return self._row(match).code.endswith(".9")

    def _region(self, places: Sequence[int], tissue: str, sure: bool) -> Named | None:
        matches = self.text.matches(self.lexicon.regions, places)
        rows = [(self.lexicon.regions.rows[match.row], match) for match in matches]
        coded = [(code, row, match) for row, match in rows if (code := _code(row, tissue))]
        if not coded:
            return None
        coded.sort(key=lambda item: (item[0].endswith(".9"), -item[2].weight, item[2].places[0]))
        codes = tuple(dict.fromkeys(code for code, _, _ in coded))
        code, row, match = coded[0]
        return Named(code, "region" if sure else "loose region", row.place, match.places, codes[1:])

    def by_procedure(self) -> Named | None:
        """Return the organ that a procedure tells; one of the past tells nothing of a metastasis."""
        places = [
            place
            for place in range(len(self.text.units))
            if self.histology is not None or not self.text.roles.has(place, "history")
        ]
        matches = self.text.matches(self.lexicon.procedures, places)
        if matches:
            best = max(matches, key=lambda match: match.weight)
            row = self.lexicon.procedures.rows[best.row]
            return Named(row.code, "procedure", row.place, best.places)
        spots = [place for place in places if self.text.roles.has(place, "procedure")]
        tissue = TISSUE_OF.get(self.histology.kind, "other") if self.histology else "other"
        found = (self._organ(spots) or self._region(spots, tissue, sure=True)) if spots else None
        return Named(found.code, "procedure", found.place, found.words) if found else None

    def _finer(self, named: Named) -> Named:
        """Return a part of the organ where one is named."""
        organ = self._organ_with(named.code)
        if organ is None:
            return named
        fitting = self._parts(organ, self._present()) or self._parts(organ, self._taken())
        if not fitting:
            return named
        best = min(fitting, key=lambda match: (-match.weight, not self._row(match).under, match.places[0]))
        elsewhere = best.weight <= len(named.words) or set(best.places).isdisjoint(self.mention.head)
        if named.basis == "named" and not named.code.endswith(".9") and elsewhere:
            return named
        row = self._row(best)
        others = tuple(dict.fromkeys(code for match in fitting if (code := self._row(match).code) != row.code))
        joined = next(
            (match for match in fitting if self._row(match).code in others and self._joined(best, match)), None
        )
        if joined and (whole := f"{row.code[:3]}.8") in self.lexicon.organ_of:
            return Named(whole, "part", row.place, tuple(sorted({*best.places, *joined.places})), (row.code, *others))
        return Named(row.code, "part", row.place, tuple(sorted({*named.words, *best.places})), others)

    def _present(self) -> list[int]:
        """Return the units that tell of the tumour as it is, not of what was before."""
        if "history" in self.mention.roles:
            return self.mention.places
        return [place for place in self.mention.places if not self.text.roles.has(place, "history")]

    def _taken(self) -> list[int]:
        """Return the units that tell what was taken of the tumour (Oberlappenresektat), not in the past."""
        roles = self.text.roles
        places = range(len(self.text.units))
        return [place for place in places if roles.has(place, "procedure") and not roles.has(place, "history")]

    def _parts(self, organ: str, places: Sequence[int]) -> list[Match]:
        matches = [match for match in self._sites(places) if self._is_part(match, organ)]
        return [match for match in matches if self._row(match).under or not self._is_general(match)]

    def _joined(self, one: Match, other: Match) -> bool:
        """Tell whether two parts are named together: Glans und Präputium."""
        first, second = sorted((one, other), key=lambda match: match.places[0])
        left, right = self.text.units[first.places[-1]].token, self.text.units[second.places[0]].token
        between = [token.text.lower() for token in self.text.tokens[left + 1 : right]]
        return between in (["und"], ["/"], ["+"], ["und", "des"], ["und", "der"])

    def _is_part(self, match: Match, organ: str) -> bool:
        row = self._row(match)
        return organ in row.under or (row.organ == organ and not row.under)

    def _organ_with(self, code: str) -> str | None:
        return self.lexicon.organ_of.get(code) or self.lexicon.organ_of.get(f"{code[:3]}.9")


def _code(row: Region, tissue: str) -> str | None:
    if tissue == "nerve":
        soft = row.codes.get("soft")
        return f"C47{soft[3:]}" if soft and soft.startswith("C49") else None
    return row.codes.get(tissue)
