"""The tumours that a text speaks of: which of its units belong to each, and which of them it is about."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from onkocode.language.lexicon import Lexicon
from onkocode.language.patterns import Match
from onkocode.language.roles import Segment
from onkocode.language.rows import Histology
from onkocode.language.spelling import fold
from onkocode.language.text import Text
from onkocode.language.tissues import is_vague
from onkocode.language.words import Unit

UNUSED = ("negated", "family", "infiltrated", "procedure", "unknown")
WITHIN = frozenset(("in", "im", "am", "an", "auf"))
CARCINOMAS = ("epithelial", "skin", "salivary", "thymic", "neuroendocrine")
LINKING = frozenset(fold(word) for word in ("eines", "einer", "von", "vom", "des", "of", "from", "aus", "durch", "der"))


@dataclass
class Mention:
    """A tumour that a text speaks of.

    Attributes:
        kind: primary, metastasis, or origin (no more than where a metastasis comes from).
        head: units of the segment that names it.
        places: all its units, head included, in the order of the text.
        histology: what the head says.
        roles: of the head.
        bare: of a metastasis, that no site is said beside it.
        explains: of a metastasis, the tumour that it is said to be.
    """

    kind: str
    head: list[int]
    places: list[int]
    histology: Match | None
    roles: set[str] = field(default_factory=set)
    bare: bool = False
    explains: "Mention | None" = None


def preferred(matches: Sequence[Match], units: Sequence[Unit]) -> Match:
    """Return the first match, or one that reads more of the same word (Cystadenolymphom is no Lymphom)."""
    first = matches[0]
    tokens = {units[place].token for place in first.places}
    if len(tokens) > 1:
        return first
    rivals = [first]
    rivals += [
        match
        for match in matches
        if {units[place].token for place in match.places} == tokens and set(match.places) > set(first.places)
    ]
    return max(rivals, key=lambda match: match.letters)


def find_mentions(lexicon: Lexicon, text: Text) -> list[Mention]:
    """Return the tumours of a text in its order; where it speaks of alternatives alone, these."""
    return _Finder(lexicon, text).mentions() or _Finder(lexicon, text, alternatives=True).mentions()


def find_considered(lexicon: Lexicon, text: Text) -> list[Mention]:
    """Return the tumours that a text names as alternatives (DD Onkozytom)."""
    if "alternative" not in text.roles.cues:
        return []
    return [
        mention for mention in _Finder(lexicon, text, alternatives=True).mentions() if _is_considered(text, mention)
    ]


def _is_considered(text: Text, mention: Mention) -> bool:
    named = mention.histology.places if mention.histology else mention.head
    return any(text.roles.has(place, "alternative") for place in named)


@dataclass
class _Finder:
    lexicon: Lexicon
    text: Text
    alternatives: bool = False
    found: list[Mention] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)  # units before the first tumour
    grown: set[int] = field(default_factory=set)  # units behind a word like infiltration that name a tumour

    def mentions(self) -> list[Mention]:
        for part in self.text.parts:
            spread = [place for place in range(part.start, part.end) if self.text.roles.has(place, "infiltrated")]
            if spread and self.text.matches(self.lexicon.histologies, spread):
                self.grown.update(spread)
        for part in self.text.parts:
            for kind, places in self._phrases(part):
                if places:
                    self._take(kind, places, part.opener)
        return self.found

    def _phrases(self, part: Segment) -> list[tuple[str, list[int]]]:
        """Return the units of a segment, parted into what is said of a metastasis and of a primary tumour."""
        places = list(range(part.start, part.end))
        spots = [place for place in places if self.text.roles.has(place, "metastasis") and self._counts(place)]
        if not spots:
            return [("metastasis" if self._is_spread(places) else "primary", places)]
        spot = spots[0]
        token = self.text.units[spot].token
        own = [place for place in places if self.text.units[place].token == token]
        before = [place for place in places if self.text.units[place].token < token]
        after = [
            place
            for place in places
            if self.text.units[place].token > token and not (place in spots and self._histology([place]))
        ]
        if self._is_adjective(spot, [*before, *own], after):
            return [("primary", [place for place in places if place != spot])]
        named = self._histology([place for place in own if place < spot])
        if named:  # Melanommetastase
            return [("metastasis", [spot, *before, *after]), ("primary", [place for place in own if place < spot])]
        first: list[tuple[str, list[int]]] = []
        if self._histology(before):
            cut = self._last_filler(before, spot)
            first = [("primary", [place for place in before if self.text.units[place].token < cut])]
            before = [place for place in before if self.text.units[place].token > cut]
        head = next((place for place in after if self._histology([place])), None)
        if head is None:
            return [*first, ("metastasis", [*before, *own, *after])]
        cut = self._phrase_start(spot, head)
        mine = [place for place in after if place < cut]
        theirs = [place for place in after if place >= cut]
        if not (self._organs([*before, *own, *mine]) or self._region([*before, *own, *mine])):
            within = self._within(head)
            mine, theirs = (
                [*mine, *(place for place in theirs if place >= within)],
                [place for place in theirs if place < within],
            )
        return [*first, ("metastasis", [*before, *own, *mine]), ("primary", theirs)]

    def _sites(self, places: Sequence[int]) -> list[Match]:
        return self.text.matches(self.lexicon.sites, places)

    def _region(self, places: Sequence[int]) -> bool:
        return bool(self.text.matches(self.lexicon.regions, places))

    def _within(self, head: int) -> int:
        """Return the first unit behind a tumour and a word like "im": where its metastases are."""
        units, tokens = self.text.units, self.text.tokens
        number = next(
            (at for at in range(units[head].token + 1, len(tokens)) if tokens[at].text.lower() in WITHIN), len(tokens)
        )
        return next((place for place in range(head, len(units)) if units[place].token > number), len(units))

    def _is_adjective(self, spot: int, before: Sequence[int], after: Sequence[int]) -> bool:
        """Tell whether a metastasis that is cut short is a word for the tumour behind it (met. Mamma-Ca)."""
        token = self.text.tokens[self.text.units[spot].token]
        written = self.text.written[token.start : token.end]
        small = written[:1].islower() and self.text.written != self.text.written.lower()
        short = len(written) < len("metastase") and not written.endswith("s")  # mets, metas: a plural
        return small and short and bool(self._histology(after)) and not self._histology(before)

    def _last_filler(self, before: Sequence[int], spot: int) -> int:
        """Return the last token before a metastasis that its words do not reach over."""
        token = self.text.units[spot].token
        start = self.text.units[before[0]].token
        joining = [number for number in range(start, token) if fold(self.text.tokens[number].text) in ("und", "and")]
        return joining[-1] if joining else token

    def _is_spread(self, places: Sequence[int]) -> bool:
        """Tell whether a segment without a tumour is said to be of one elsewhere (Osteolyse LWK 2, metastatisch)."""
        return any(self.text.roles.has(place, "spread") for place in places) and self._histology(places) is None

    def _phrase_start(self, spot: int, head: int) -> int:
        """Return the first unit of the phrase that a tumour stands in, behind a metastasis."""
        units, tokens = self.text.units, self.text.tokens
        for number in range(units[head].token - 1, units[spot].token, -1):
            if fold(tokens[number].text) in LINKING:
                return next(place for place in range(spot, head + 1) if units[place].token > number)
        return next(place for place in range(spot + 1, head + 1) if units[place].token > units[spot].token)

    def _counts(self, place: int) -> bool:
        roles = self.text.roles.of_unit[place] - ({"infiltrated"} if place in self.grown else set())
        return roles.isdisjoint(UNUSED)

    def _histology(self, places: Sequence[int]) -> Match | None:
        without = () if self.alternatives else ("alternative",)
        counted = [place for place in places if self._counts(place) and not self.text.roles.has(place, *without)]
        if not counted:
            return None
        matches = self.text.matches(self.lexicon.histologies, counted)
        return preferred(matches, self.text.units) if matches else None

    def _is_site_of_bare(self, opener: str) -> bool:
        """Tell whether a segment behind a colon says where a metastasis without a site is."""
        last = self.found[-1] if self.found else None
        return opener == ":" and last is not None and last.kind == "metastasis" and last.bare

    def _is_origin(self, places: Sequence[int], opener: str) -> bool:
        """Tell whether a segment names where a metastasis comes from (Knochenmetastasen, Primärtumor Prostata)."""
        if not self.found or self.found[-1].kind != "metastasis" or not self._organs(places):
            return False
        return opener in ("(", fold("bei")) or "origin" in self._roles(places)

    def _take(self, kind: str, places: list[int], opener: str) -> None:
        if kind == "metastasis":
            bare = not (self._organs(places) or self._region(places))
            self.found.append(Mention(kind, places, [*self.waiting, *places], None, self._roles(places), bare))
            self.waiting = []
            return
        counted = [place for place in places if self._counts(place)]
        histology = self._histology(counted)
        if histology is None:
            if "free" in self._roles(places):
                return
            if self._is_site_of_bare(opener):
                self.found[-1].places = [*self.found[-1].places, *counted]
                self.found[-1].bare = False
            elif self._is_origin(counted, opener):
                self.found.append(Mention("origin", counted, counted, None, self._roles(counted)))
            elif self._is_another_site(counted):
                self._take_again(counted)
            elif self.found:
                self._add(counted)
            else:
                self.waiting += counted
            return
        new = Mention("primary", counted, counted, histology, self._roles(counted))
        last = self.found[-1] if self.found else None
        if last and opener != fold("wegen") and self._same(last, new):
            self._merge(last, new)
            return
        if not self.found and self.waiting:
            new.places = sorted({*self.waiting, *new.places})
        self.found.append(new)

    def _add(self, places: list[int]) -> None:
        """Add what is said without a tumour to the last one, and to those before it at the same organ."""
        last = self.found[-1]
        of_all = not self._organs(last.head) and bool(self._sites(places) or self._region(places))
        for mention in self.found:
            if mention is last or (mention.kind == last.kind == "primary" and of_all):
                mention.places = sorted({*mention.places, *places})

    def _is_another_site(self, places: Sequence[int]) -> bool:
        """Tell whether a segment names where the same tumour is now (Basaliom Schulter 2019, jetzt Wange)."""
        if not self.found or self.found[-1].kind != "primary" or "current" not in self._roles(places):
            return False
        named = self.text.matches(self.lexicon.regions, places)
        return "current" not in self.found[-1].roles and bool(self._organs(places) or named)

    def _take_again(self, places: list[int]) -> None:
        last = self.found[-1]
        name = list(last.histology.places) if last.histology else []
        self.found.append(Mention("primary", places, sorted({*name, *places}), last.histology, self._roles(places)))

    def _roles(self, places: Sequence[int]) -> set[str]:
        return {role for place in places for role in self.text.roles.of_unit[place]}

    def _same(self, last: Mention, new: Mention) -> bool:
        """Tell whether two segments name one tumour: no other site, and one of the names says more of the same."""
        if last.kind != new.kind or last.histology is None or new.histology is None:
            return False
        if ("history" in last.roles) != ("history" in new.roles):
            return False
        sites = self._organs(last.places), self._organs(new.head)
        if sites[0] and sites[1] and not sites[0] & sites[1]:
            return False
        rows = self.lexicon.histologies.rows
        one, other = rows[last.histology.row], rows[new.histology.row]
        if one.kind != "placeholder" and one.code[-1] == "3" and other.code[-1] in "02" and other.kind != "placeholder":
            return False  # an invasive tumour, and one in situ or benign beside it
        if one.code.endswith("/6") or other.code.endswith("/6"):
            return False
        general = "placeholder" in (one.kind, other.kind) or _is_carcinoma(one, other) or _is_carcinoma(other, one)
        return general or one.kind == other.kind or one.code == other.code

    def _organs(self, places: Sequence[int]) -> set[str]:
        sites = [self.lexicon.sites.rows[match.row] for match in self._sites(places)]
        return {site.organ for site in sites if not site.under and not is_vague(site.code)}

    def _merge(self, last: Mention, new: Mention) -> None:
        places = sorted({*last.places, *new.places})
        named = self.lexicon.histologies.rows[last.histology.row] if last.histology else None
        if named and named.kind == "placeholder":
            last.head = sorted({*last.head, *new.head})
        last.places = places
        last.histology = self._histology(places) or last.histology


def _is_carcinoma(general: Histology, other: Histology) -> bool:
    """Tell whether a name says no more than carcinoma, and another is one."""
    return general.code[:4] in ("8000", "8001", "8010") and other.kind in CARCINOMAS and other.code[-1] in "23"
