"""How sites and kinds of tumours are named: wordings by what they mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from onkocode.language.lexicon import Lexicon
from onkocode.language.rows import Site
from onkocode.language.text import take_apart
from onkocode.questions.clinical.grammar import is_english, listed
from onkocode.questions.clinical.wordings import Wording

BASES = 4  # wordings of an organ that its parts are named with
NODES = "nodes"


@dataclass(frozen=True)
class Expression:
    """Words for a site.

    Attributes:
        text: as it stands behind a tumour.
        wordings: that it is made of.
        noun: where it is a noun alone.
        english: whether it is English.
        place: row that gives the code.
    """

    text: str
    wordings: tuple[Wording, ...]
    noun: str
    english: bool
    place: str


SiteKey = tuple[str, str]  # topography; the tissue of a region, or nothing


def in_english(wording: Wording) -> bool:
    """Tell whether a wording is English."""
    return any(is_english(word) for word in wording.text.split())


@dataclass
class Named:
    """The sites that kinds of tumours name themselves (Nierenzellkarzinom).

    Args:
        lexicon: the tables.
    """

    lexicon: Lexicon
    _known: dict[str, list[set[str]]] = field(default_factory=dict)

    def allows(self, wording: Wording, topography: str) -> bool:
        """Tell whether a kind of tumour names no organ but that of a topography."""
        if wording.text not in self._known:
            self._known[wording.text] = self._categories(wording.text)
        return all(topography[:3] in categories for categories in self._known[wording.text])

    def _categories(self, text: str) -> list[set[str]]:
        features = take_apart(self.lexicon, text).features
        sites = (self.lexicon.sites.rows[match.row] for match in self.lexicon.sites.matches(features))
        regions = (self.lexicon.regions.rows[match.row] for match in self.lexicon.regions.matches(features))
        named = [{row.code[:3]} for row in sites if not row.under]
        named += [set(categories.split()) for name, categories in listed("site").items() if name in text.lower()]
        return [*named, *({code[:3] for code in row.codes.values()} for row in regions)]


def site_expressions(lexicon: Lexicon, worded: Mapping[str, Sequence[Wording]]) -> dict[SiteKey, list[Expression]]:
    """Return the expressions for each topography, and for each of a tissue that a region has.

    Args:
        lexicon: the tables.
        worded: wordings of each row.
    """
    found: dict[SiteKey, list[Expression]] = {}
    bases = {row.organ: row for row in reversed(lexicon.sites.rows) if not row.under}
    for row in lexicon.sites.rows:
        for expression in _of_part(row, bases, worded) if row.under else _plain(str(row.place), worded):
            found.setdefault((row.code, ""), []).append(expression)
    for region in lexicon.regions.rows:
        for tissue, code in region.codes.items():
            if tissue != NODES or region.stations:
                found.setdefault((code, tissue), []).extend(_plain(str(region.place), worded))
    return found


def _plain(place: str, worded: Mapping[str, Sequence[Wording]]) -> Iterator[Expression]:
    for wording in worded[place]:
        noun = wording.noun if wording.gender else ""
        yield Expression(wording.text, (wording,), noun, in_english(wording), place)


def _of_part(row: Site, bases: Mapping[str, Site], worded: Mapping[str, Sequence[Wording]]) -> Iterator[Expression]:
    """Yield the names of a part that counts only beside its organ, with the organ."""
    for organ in (bases[key] for key in row.under if key in bases):
        for base in worded[str(organ.place)][:BASES]:
            for part in worded[str(row.place)]:
                if in_english(base) == in_english(part):
                    text = f"{base.text} {part.text}"
                    yield Expression(text, (base, part), "", in_english(part), str(row.place))
