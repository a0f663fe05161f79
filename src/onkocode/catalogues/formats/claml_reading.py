"""Reading ClaML 2.0.0, the XML in which BfArM publishes ICD-10-GM, OPS and ICD-O-3: classes, modifiers, labels.

Source: ClaML (CEN/TS 14463) and its DTD. A ``Class`` names its ``SuperClass``; its labels stand in ``Rubric`` elements.
Places of a code that many classes share stand once, as ``ModifierClass``, and are put to a class by ``ModifiedBy``.
"""

import io
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from onkocode.catalogues.formats.claml_labels import Label, children_of, labels_of, tag_of
from onkocode.catalogues.formats.encodings import decode
from onkocode.catalogues.formats.reading import read_bytes
from onkocode.catalogues.vocabulary.codes import OPS
from onkocode.records.errors import InputError, first_of

MORPHOLOGY_CODE = re.compile(r"\d{4}[:/]\d")
READ = ("Class", "Modifier", "ModifierClass", "Title", "Identifier")
EXCLUDED = "excludeOnPrecedingModifier"  # Meta of a modifier class: "<modifier> <class>" that it cannot follow


@dataclass(frozen=True, slots=True)
class Use:
    """``ModifiedBy``: a modifier, and the classes of it that are valid here; None = all."""

    modifier: str
    valid: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ClamlClass:
    """A chapter, block or category."""

    code: str
    kind: str
    above: tuple[str, ...]
    uses: tuple[Use, ...]
    excluded: frozenset[str]  # modifiers that a class above has and that are not used here
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class ModifierClass:
    """Places that a modifier adds to a code; ``excluded`` holds (modifier, class) that they cannot follow."""

    code: str
    excluded: frozenset[tuple[str, str]]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Claml:
    """A ClaML file.

    Attributes:
        name: short name of the classification; may be empty.
        authority: who issues it; may be empty.
        codes: codes of all classes in the order of the file, repeated ones too.
        classes: by code.
        modifiers: their classes.
    """

    name: str
    authority: str
    codes: tuple[str, ...]
    classes: dict[str, ClamlClass]
    modifiers: dict[str, tuple[ModifierClass, ...]]

    def lineage(self, code: str) -> Iterator[ClamlClass]:
        """Yield the class and those above it; the hierarchy must have been checked."""
        step: str | None = code
        while step in self.classes:
            yield self.classes[step]
            step = next(iter(self.classes[step].above), None)

    def block(self, code: str) -> str:
        """Return the innermost block around a class; empty where there is none."""
        return next((item.code for item in self.lineage(code) if item.kind == "block"), "")


def read_claml(path: Path, rubrics: Collection[str]) -> Claml:
    """Read classes and modifiers with the labels of the given rubrics; nothing is fetched, a DTD neither.

    Raises:
        InputError: not XML, cut off, with entities of its own, or not ClaML.
    """
    classes: list[ClamlClass] = []
    modifiers: dict[str, list[ModifierClass]] = {}
    name = authority = ""
    for tag, element in _elements(path):
        code = element.get("code", "").strip()
        if tag == "Class":
            classes.append(_class(code, element, rubrics))
        elif tag == "Modifier":
            modifiers.setdefault(code, [])
        elif tag == "ModifierClass":
            modifiers.setdefault(element.get("modifier", ""), []).append(_modifier_class(code, element, rubrics))
        elif tag == "Identifier":
            authority = element.get("authority", "")
        else:
            name = element.get("name") or (element.text or "").strip()
    return Claml(
        name,
        authority,
        tuple(item.code for item in classes),
        {item.code: item for item in classes},
        {modifier: tuple(items) for modifier, items in modifiers.items()},
    )


def check_claml(claml: Claml, path: Path, wanted: str) -> None:
    """Check that the file is the wanted classification and that its hierarchy holds.

    Raises:
        InputError: another classification, no classes, a class that stands twice, a superclass or modifier that does
            not exist, a class above itself.
    """
    found = classification(claml)
    if found not in ("", wanted):
        raise InputError(
            f"{path}: is {found} (title {claml.name!r}), not {wanted}; check that it is the right file for {wanted}"
        )
    if not claml.classes:
        raise InputError(f"{path}: holds no classes; check that it is the right file for {wanted}")
    problems = [f"class {code} stands {n} times" for code, n in Counter(claml.codes).items() if n > 1]
    for modifier, items in claml.modifiers.items():
        counts = Counter(item.code for item in items)
        problems += [f"class {code} of modifier {modifier} stands {n} times" for code, n in counts.items() if n > 1]
    for item in claml.classes.values():
        problems += [f"class {item.code}: its superclass {c} is missing" for c in item.above if c not in claml.classes]
        problems += [
            f"class {item.code}: its modifier {use.modifier} is missing or has no classes"
            for use in item.uses
            if not claml.modifiers.get(use.modifier)
        ]
    problems += [f"class {code} stands above itself" for code in _in_a_circle(claml)]
    raise_unsound(path, wanted, problems)


def raise_unsound(path: Path, wanted: str, problems: list[str]) -> None:
    """Raise InputError when there are problems."""
    if problems:
        raise InputError(f"{path}: not a sound {wanted} file; fetch it again:\n{first_of(problems)}")


def classification(claml: Claml) -> str:
    """Return which classification a file holds, from its codes and then its title; empty where neither tells."""
    name = claml.name.upper()
    if any(MORPHOLOGY_CODE.fullmatch(code) for code in claml.classes) or "ICD-O" in name:
        return "ICD-O-3"
    if any(OPS.fullmatch(code) for code in claml.classes):
        return "OPS"
    if "WHO" in (*name.split("-"), claml.authority.upper()):
        return "ICD-10-WHO"
    # C00 to C80 are topography in ICD-O-3 and tumours in ICD-10.
    return "ICD-10-GM" if any(re.fullmatch(r"[ABD-Z]\d\d(\.\d+)?", code) for code in claml.classes) else ""


def _elements(path: Path) -> Iterator[tuple[str, Element]]:
    """Yield what is read of a file, each element whole; then it is emptied, so that memory holds one at a time."""
    # As text: the encoding is known, so that named in the XML declaration does not matter.
    text = io.StringIO(decode(read_bytes(path), path))
    tag = ""
    try:
        for _, element in iterparse(text):
            tag = tag_of(element)
            if tag in READ:
                yield tag, element
                element.clear()
    except DefusedXmlException as error:
        raise InputError(
            f"{path}: declares XML entities ({type(error).__name__}), as no official file does; refused. "
            "Fetch the file again"
        ) from None
    except ParseError as error:
        raise InputError(
            f"{path}: line {error.position[0]}: not whole, well-formed XML ({error}); fetch the file again"
        ) from None
    if tag != "ClaML":  # the last element to end is the root
        raise InputError(f"{path}: is <{tag}>, not a ClaML file; check that it is the right file")


def _class(code: str, element: Element, rubrics: Collection[str]) -> ClamlClass:
    children = children_of(element)
    return ClamlClass(
        code=code,
        kind=element.get("kind", ""),
        above=tuple(child.get("code", "") for child in children["SuperClass"]),
        uses=tuple(Use(child.get("code", ""), _valid(child)) for child in children["ModifiedBy"]),
        excluded=frozenset(child.get("code", "") for child in children["ExcludeModifier"]),
        labels=labels_of(children["Rubric"], rubrics),
    )


def _valid(use: Element) -> tuple[str, ...] | None:
    """Files up to 2013 name valid classes without all="false" as well."""
    codes = tuple(child.get("code", "") for child in children_of(use)["ValidModifierClass"])
    return codes if codes or use.get("all") == "false" else None


def _modifier_class(code: str, element: Element, rubrics: Collection[str]) -> ModifierClass:
    children = children_of(element)
    pairs = [child.get("value", "").split() for child in children["Meta"] if child.get("name") == EXCLUDED]
    excluded = frozenset((pair[0], pair[1]) for pair in pairs if len(pair) == 2)
    return ModifierClass(code, excluded, labels_of(children["Rubric"], rubrics))


def _in_a_circle(claml: Claml) -> list[str]:
    """Return the classes that lead back to themselves by their first superclasses."""
    done: set[str] = set()
    circles: list[str] = []
    for code in claml.classes:
        way: dict[str, None] = {}
        step: str | None = code
        while step in claml.classes and step not in done and step not in way:
            way[step] = None
            step = next(iter(claml.classes[step].above), None)
        if step in way:
            steps = list(way)
            circles += steps[steps.index(str(step)) :]
        done.update(way)
    return circles
