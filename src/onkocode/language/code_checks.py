"""Whether the codes in the tables are codes, and exist."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from onkocode.catalogues.vocabulary.codes import ICD10
from onkocode.language.combination import Combinations
from onkocode.language.entries import Entry, Problem
from onkocode.language.rows import Combination, Dispute, Finer, Histology, Procedure, Region, Site

Spaces = Mapping[str, Collection[str]]  # terminal codes by system
FORMS = {
    "icd10gm": ICD10,
    "topography": re.compile(r"C([0-7]\d\.\d|80\.9)", re.ASCII),
    "morphology": re.compile(r"[89]\d{3}/[01236]", re.ASCII),
}
NUMBERS = re.compile(r"[89]\d{3}-[89]\d{3}", re.ASCII)  # a range, whatever the behaviour
NAMES = {"icd10gm": "code of ICD-10-GM", "topography": "topography", "morphology": "morphology"}
EXAMPLES = {"icd10gm": "C50.9", "topography": "C50.9", "morphology": "8140/3"}
NO_NEOPLASM = "-"


def codes_of(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield the codes in a row, each with its system."""
    row = entry.row
    if isinstance(row, Site | Procedure):
        yield "topography", row.code
    elif isinstance(row, Region):
        yield from (("topography", code) for code in row.codes.values())
    elif isinstance(row, Histology):
        yield "morphology", row.code
        yield from (("topography", row.site) for _ in range(bool(row.site)))
        yield from (("icd10gm", row.icd10) for _ in range(row.icd10 not in ("", NO_NEOPLASM)))
    elif isinstance(row, Combination):
        yield "icd10gm", row.icd10
        yield from (("topography", end) for ends in row.topographies for end in ends)
    elif isinstance(row, Finer):
        yield from (("icd10gm", code) for code in (row.icd10, row.finer))
    elif isinstance(row, Dispute):
        yield from (("icd10gm", code) for code in row.codes)
        yield from (("topography", end) for ends in row.topographies for end in ends)
        yield from (("morphology", code) for code in row.morphologies if not NUMBERS.fullmatch(code))


def malformed_codes(entry: Entry) -> Iterator[Problem]:
    """Yield the codes of a row that are none by their form."""
    for system, code in codes_of(entry):
        if not FORMS[system].fullmatch(code):
            yield Problem("malformed", entry.place, f"{code!r} is no {NAMES[system]} like {EXAMPLES[system]}")


def unknown_codes(entry: Entry, spaces: Spaces, known: Spaces) -> Iterator[Problem]:
    """Yield the codes of a row that do not exist.

    Args:
        entry: the row.
        spaces: of the catalogues that were named.
        known: what counts for a system without catalogue.
    """
    for system, code in dict.fromkeys(codes_of(entry)):
        if not FORMS[system].fullmatch(code):
            continue
        if system in spaces and code not in spaces[system]:
            yield Problem("code", entry.place, f"{NAMES[system]} {code} does not exist, or is not terminal")
        elif system not in spaces and system in known and code not in known[system]:
            unsure = "stands in no table of the program; look it up in a catalogue (--icd10gm, --icdo3)"
            yield Problem("code", entry.place, f"{NAMES[system]} {code} {unsure}")


def known_codes(shipped: Iterable[Entry]) -> dict[str, frozenset[str]]:
    """Return the topographies in shipped tables, and the codes of ICD-10-GM that their rules may lead to."""
    found: dict[str, set[str]] = {"topography": set(), "icd10gm": set(), "morphology": set()}
    for entry in shipped:
        for system, code in codes_of(entry):
            found[system].add(code)
    same = Combinations((), ())
    found["icd10gm"] |= {same.icd10(site, "8000/3")[0] or "" for site in found["topography"]}
    return {system: frozenset(found[system]) for system in ("topography", "icd10gm")}
