"""ICD-O-3 in ClaML 2.0.0. Source: ClaML, CEN/TS 14463; BfArM, ICD-O-3 second revision 2019."""

import re
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import polars as pl
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from onkocode.catalogues.alphaid import entry_frame
from onkocode.catalogues.codes import MORPHOLOGY_BEHAVIOUR
from onkocode.catalogues.reading import decode, read_bytes
from onkocode.records.errors import InputError, first_of
from onkocode.records.ids import digest

LABEL_RUBRICS = ("preferred", "inclusion")
MORPHOLOGY_CODE = re.compile(r"\d{4}:\d")
TOPOGRAPHY_CODE = re.compile(r"C\d{2}(\.\d)?")


def parse_icdo3(path: Path, version: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return entries and label space of ICD-O-3.

    Entries are the rubrics `preferred` and `inclusion` of the classes `Cnn`, `Cnn.n` and `dddd:d`, one each, without
    de-duplication. Morphology codes are written `8140/3`. Rubrics carry no id, so an entry's id is made of code,
    rubric, the first eight digits of the text's hash, and an ordinal among equal ones.

    Raises:
        InputError: not XML, cut off, with entities of its own, not ClaML, a class that stands twice, a label without
            text, or no classes of either axis.
    """
    root = _root(path)
    entries: list[dict[str, object]] = []
    codes: list[dict[str, object]] = []
    elements = list(root.iter("Class"))
    above = {element.get("code", ""): _superclass(element) for element in elements}
    for element in elements:
        raw = element.get("code", "")
        if MORPHOLOGY_CODE.fullmatch(raw) or TOPOGRAPHY_CODE.fullmatch(raw):
            labels = _labels(element)
            entries += _entries(raw, labels, version)
            codes.append(_code_row(raw, labels, above, terminal=element.find("SubClass") is None))
    problems = [f"class {code} stands {n} times" for code, n in Counter(row["code"] for row in codes).items() if n > 1]
    problems += [f"class {entry['code']}: a label without text" for entry in entries if not entry["text"]]
    missing = sorted({"topography", "morphology"} - {str(row["system"]) for row in codes})
    problems += [f"no {system} classes" for system in missing]
    if problems:
        raise InputError(f"{path}: not a sound ICD-O-3 file; fetch it again:\n{first_of(problems)}")
    return entry_frame(entries, "icdo3", version), pl.DataFrame(codes, infer_schema_length=None)


def _labels(element: Element) -> list[tuple[str, str, bool]]:
    """Return rubric, text, and whether it is obsolete, of the labels of a class."""
    found = []
    for rubric in element.findall("Rubric"):
        name, label = rubric.get("kind", ""), rubric.find("Label")
        if name in LABEL_RUBRICS and label is not None:
            found.append((name, label_text(label), any(part.get("usage") == "obs" for part in rubric.iter())))
    return found


def _entries(raw: str, labels: list[tuple[str, str, bool]], version: str) -> list[dict[str, object]]:
    code = raw.replace(":", "/")
    ordinals: Counter[str] = Counter()
    entries: list[dict[str, object]] = []
    for rubric, text, obsolete in labels:
        stem = f"icdo3-{version}:{code}:{rubric}:{digest(text)[:8]}"
        ordinals[stem] += 1
        entries.append(
            {
                "entry_id": f"{stem}:{ordinals[stem]}",
                "kind": _kind(raw),
                "code": code,
                "text": text,
                "flags": ["obsolete"] if obsolete else [],
            }
        )
    return entries


def label_text(label: Element) -> str:
    """Return a label as plain text: cross references and editorial notes (italic) are left out, list parts joined.

    Parts of a synonym list are joined by a comma, parts of a composed label ("Haut von" + "Gesicht") by a space.
    """
    fragments = label.findall("Fragment")
    if not fragments:
        return _clean(_plain(label))
    parts = [part for part in (_clean(_plain(fragment)) for fragment in fragments) if part]
    synonyms = any(fragment.get("class") == "synlist" for fragment in fragments)
    return (", " if synonyms else " ").join(parts)


def _plain(element: Element) -> str:
    """Return the text of an element without references and italic terms; a loop, so that no depth is too much."""
    pieces: list[str] = []
    waiting: list[Element | str] = [element]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        pieces.append(item.text or "")
        for child in reversed(item):
            waiting.append(child.tail or "")
            if child.tag != "Reference" and not (child.tag == "Term" and child.get("class") == "italic"):
                waiting.append(child)
    return "".join(pieces)


def _clean(text: str) -> str:
    return " ".join(text.split())


def _kind(raw: str) -> str:
    return "morphology" if MORPHOLOGY_CODE.fullmatch(raw) else "topography"


def _superclass(element: Element) -> str:
    parent = element.find("SuperClass")
    return "" if parent is None else parent.get("code", "")


def _code_row(
    raw: str, labels: list[tuple[str, str, bool]], above: dict[str, str], terminal: bool
) -> dict[str, object]:
    code, kind = raw.replace(":", "/"), _kind(raw)
    topography = kind == "topography"
    return {
        "code": code,
        "system": kind,
        "title": next((text for rubric, text, _ in labels if rubric == "preferred"), ""),
        "terminal": terminal,
        "chapter": "T" if topography else "M",
        "group": above.get(code[:3], "") if topography else above[raw],
        "category": code[:3] if topography else code[:4],
        "behaviour": None if topography else MORPHOLOGY_BEHAVIOUR.get(code[-1]),
        "tumour": True,
    }


def _root(path: Path) -> Element:
    text = decode(read_bytes(path), path)
    try:
        # As text: the encoding is known, so that named in the XML declaration does not matter.
        root: Element = fromstring(text)
    except DefusedXmlException as error:
        raise InputError(
            f"{path}: declares XML entities ({type(error).__name__}), as no official file does; refused. "
            "Fetch the file again"
        ) from None
    except ParseError as error:
        raise InputError(
            f"{path}: line {error.position[0]}: not whole, well-formed XML ({error}); fetch the file again"
        ) from None
    if root.tag != "ClaML":
        raise InputError(f"{path}: is <{root.tag}>, not a ClaML file; check that it is the right file")
    return root
