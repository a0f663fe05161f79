"""What a ClaML file says of itself before its classes: which classification it is, and which version.

Sources: ClaML (CEN/TS 14463); BfArM's and the WHO's files. ICD-10-GM marks its classes with how they are used under
§ 295 and § 301 SGB V, whatever its title says. German ICD-O-3 of 2014 is the first revision (ICD-O-3.1), that of 2019
the second.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from onkocode.catalogues.vocabulary.codes import OPS

YEAR = r"(?<!\d)((?:19|20)\d\d)(?!\d)"
USE_IN_GERMANY = ("Para295", "Para301")
GERMAN_AUTHORITIES = ("DIMDI", "BFARM")
WHO = re.compile(r"\bWHO\b|World Health Organi[sz]ation|Weltgesundheitsorganisation", re.IGNORECASE)
GERMAN_MODIFICATION = re.compile(r"German Modification|\bGM\b", re.IGNORECASE)
REVISIONS = {"2014": ("erste[nr]?|first", "1"), "2019": ("zweite[nr]?|second", "2")}
REVISION = {
    year: re.compile(
        rf"(?<!\d){n}\.[\s_-]*revision|(?<![a-z])(?:{word})[\s_-]+revision|rev(?:ision)?[\s._-]*{n}(?!\d)|"
        rf"(?<![\d.])3\.{n}(?!\.?\d)",
        re.IGNORECASE,
    )
    for year, (word, n) in REVISIONS.items()
}
CLASSES: tuple[tuple[str, str], ...] = ((r"\d{4}[:/]\d", "icdo3"), (OPS.pattern, "ops"), (r"[A-Z]\d\d", "icd10gm"))
NAMES: tuple[tuple[str, str], ...] = (("ICD-?O", "icdo3"), ("ICD-?10-?GM", "icd10gm"), ("OPS", "ops"))


@dataclass
class ClamlHead:
    """What stands in the first part of a ClaML file; it is a target that the XML parser fills.

    Attributes:
        root: name of the outermost element.
        name: short name of the classification.
        version: as the title has it.
        titles: longer titles.
        authority: who issues it.
        german: a class says how it is used under German law.
        codes: of the classes that were seen.
    """

    root: str = ""
    name: str = ""
    version: str = ""
    titles: list[str] = field(default_factory=list)
    authority: str = ""
    german: bool = False
    codes: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take in the start of an element."""
        tag = tag.rpartition("}")[2]
        self.root = self.root or tag
        self._open.append(tag)
        if tag == "Title":
            self.name, self.version = attributes.get("name", ""), attributes.get("version", "")
        elif tag == "Identifier":
            self.authority = attributes.get("authority", "")
        elif tag == "Class":
            self.codes.append(attributes.get("code", "").strip())
        elif tag == "Meta" and attributes.get("name") in USE_IN_GERMANY:
            self.german = True
        elif tag == "Meta" and attributes.get("name") == "titleLong":
            self.titles.append(attributes.get("value", ""))

    def end(self, tag: str) -> None:
        """Take in the end of an element."""
        del tag
        self._open.pop()

    def data(self, text: str) -> None:
        """Take in text; that of the title counts."""
        if self._open[-1:] == ["Title"]:
            self.titles.append(text)

    def close(self) -> None:
        """End; there is nothing to do."""

    @property
    def dataset(self) -> str | None:
        """Which catalogue it is: by its name, else by its classes; None = none that is read here."""
        for pattern, dataset in NAMES:
            if re.match(pattern, self.name, re.IGNORECASE):
                return dataset
        plain = re.match("ICD-?10", self.name, re.IGNORECASE) is not None
        if self.is_who_edition or (self.name and not (plain and self.is_german)):
            return None
        found = [name for pattern, name in CLASSES if any(re.fullmatch(pattern, code) for code in self.codes)]
        return "icd10gm" if plain else found[0] if found else None

    @property
    def is_who_edition(self) -> bool:
        """Tell whether it is ICD-10 of the WHO, in whatever language."""
        if GERMAN_MODIFICATION.search(" ".join([self.name, *self.titles])):
            return False
        icd10 = re.match("ICD-?10", self.name, re.IGNORECASE) is not None or any(
            re.fullmatch(r"[ABD-Z]\d\d", code) for code in self.codes
        )
        return icd10 and WHO.search(" ".join([self.name, self.authority, *self.titles])) is not None

    @property
    def is_german(self) -> bool:
        """Tell whether something marks it as the German modification."""
        marked = GERMAN_MODIFICATION.search(" ".join(self.titles)) is not None
        return self.german or marked or self.authority.upper() in GERMAN_AUTHORITIES

    @property
    def year(self) -> str | None:
        """The version that it names; None = it names none.

        Not by Title/@date: that is the day of publication, mostly in the year before.
        """
        said = [self.version, self.name, " ".join(self.titles)]
        revision = revision_in(" ".join(said)) if self.dataset == "icdo3" else None
        years = (re.search(YEAR, text) for text in said)
        return revision or next((year.group(1) for year in years if year), None)


def read_head(head: str) -> ClamlHead:
    """Return what the beginning of a ClaML file says, as far as it is XML; comments and a DTD say nothing."""
    found = ClamlHead()
    with suppress(ParseError, DefusedXmlException, ValueError):  # what came before counts
        DefusedXMLParser(target=found).feed(head.lstrip())
    return found


def revision_in(text: str) -> str | None:
    """Return the year of the revision of ICD-O-3 that a text names; None where it names none, or both."""
    found = [year for year, pattern in REVISION.items() if pattern.search(text)]
    return found[0] if len(found) == 1 else None
