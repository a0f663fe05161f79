"""Which version the name of a catalogue file tells."""

import re
from pathlib import Path

from onkocode.catalogues.formats.claml_head import YEAR, revision_in

# The first year after the system's name; digits of the name itself (icd102020_, icdo32019) are none of the year.
YEAR_IN_NAME = re.compile(
    r"(?:icd-?10(?:-?gm)?|icd-?o-?3(?:rev-?\d)?|ops|alphaid(?:-?se)?)(?:\D(?:.*?\D)??)?((?:19|20)\d\d)(?!\d)"
)
# Two years may touch (umsteiger20042005.txt): eight digits of a day have a month instead of the second 20.
TWO_YEARS = re.compile(r"(?<!\d)(20\d\d)(20\d\d)?(?!\d)")


def year_in_name(name: str) -> str | None:
    """Return the year that a file name gives to its catalogue; None where it has none."""
    name = Path(name).name.lower()
    found = YEAR_IN_NAME.search(name) or re.search(YEAR, name)
    return found.group(1) if found else None


def version_in_name(dataset: str, name: str) -> str | None:
    """Return the version that a file name tells; None where it tells none.

    Of a transition table both years (2023_2024), or the one that it has. A revision of ICD-O-3 counts more than a year.
    """
    if dataset == "transitions":
        years = sorted({year for pair in TWO_YEARS.findall(Path(name).name) for year in pair if year})
        return "_".join(years) if len(years) in (1, 2) else None
    return (revision_in(Path(name).name) if dataset == "icdo3" else None) or year_in_name(name)
