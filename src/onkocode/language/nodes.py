"""A named site, and the regions of lymph nodes: of a lymphoma, or of metastases."""

from collections.abc import Sequence
from dataclasses import dataclass

from onkocode.language.lexicon import Lexicon
from onkocode.language.patterns import Match
from onkocode.language.rows import Place
from onkocode.language.text import Text

ANY, SEVERAL = "C77.9", "C77.8"


@dataclass(frozen=True)
class Named:
    """A site and how it was found.

    Attributes:
        code: topography.
        basis: named, part, region, procedure, kind, guess or unknown.
        place: the row of the table.
        words: indices of the units that name it.
        others: further codes that were named too.
    """

    code: str
    basis: str
    place: Place | None = None
    words: tuple[int, ...] = ()
    others: tuple[str, ...] = ()


def find_nodes(lexicon: Lexicon, text: Text, places: Sequence[int], lymphoid: bool) -> Named | None:
    """Return the region of lymph nodes, C77.8 for several; None where none are named.

    Args:
        lexicon: the tables.
        text: taken apart.
        places: the units that count.
        lymphoid: of a lymphoma, the name of a region stands for its nodes.
    """
    rows = [(lexicon.sites.rows[match.row], match) for match in text.matches(lexicon.sites, places)]
    nodes = [(row, match) for row, match in rows if row.code.startswith("C77")]
    named = [] if all(row.under for row, _ in nodes) else [(row.code, row.place, match) for row, match in nodes]
    found = [*named, *_regions(lexicon, text, places, bool(named))] if named or lymphoid else []
    if not found:
        return None
    sure = [item for item in found if item[0] != ANY]
    regions = [item for item in sure if item[0] != SEVERAL]
    if len({code for code, _, _ in regions}) == 1:
        sure = regions  # several nodes of one region
    codes = tuple(dict.fromkeys(code for code, _, _ in sure))
    code, place, match = (sure or found)[0]
    return Named(SEVERAL if len(codes) > 1 else code, "named", place, match.places, codes[1:])


def _regions(lexicon: Lexicon, text: Text, places: Sequence[int], said: bool) -> list[tuple[str, Place, Match]]:
    """Return regions by the code of their nodes; unless nodes are said, only those whose name stands for them."""
    matches = text.matches(lexicon.regions, places)
    rows = [(lexicon.regions.rows[match.row], match) for match in matches]
    coded = [(row.codes.get("nodes", ""), row, match) for row, match in rows if said or row.stations]
    return [(code, row.place, match) for code, row, match in coded if code.startswith("C77")]
