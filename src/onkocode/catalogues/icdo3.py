"""ICD-O-3 in ClaML 2.0.0. Source: ClaML, CEN/TS 14463; BfArM, ICD-O-3 second revision 2019."""

import re
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import polars as pl
from defusedxml.ElementTree import fromstring

from onkocode.catalogues.alphaid import entry_frame
from onkocode.catalogues.codes import MORPHOLOGY_BEHAVIOUR
from onkocode.catalogues.reading import decode, read_bytes
from onkocode.records.errors import InputError
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
        InputError: not XML, cut off, not ClaML, or without classes of either axis.
    """
    root = _root(path)
    entries: list[dict[str, object]] = []
    codes: list[dict[str, object]] = []
    ordinals: Counter[str] = Counter()
    for element in root.iter("Class"):
        raw = element.get("code", "")
        morphology = MORPHOLOGY_CODE.fullmatch(raw)
        if not morphology and not TOPOGRAPHY_CODE.fullmatch(raw):
            continue
        code = raw.replace(":", "/")
        kind = "morphology" if morphology else "topography"
        titles = []
        for rubric in element.findall("Rubric"):
            name, label = rubric.get("kind", ""), rubric.find("Label")
            if name not in LABEL_RUBRICS or label is None:
                continue
            text = label_text(label)
            if name == "preferred":
                titles.append(text)
            stem = f"icdo3-{version}:{code}:{name}:{digest(text)[:8]}"
            ordinals[stem] += 1
            obsolete = any(part.get("usage") == "obs" for part in rubric.iter())
            entries.append(
                {
                    "entry_id": f"{stem}:{ordinals[stem]}",
                    "kind": kind,
                    "code": code,
                    "text": text,
                    "flags": ["obsolete"] if obsolete else [],
                }
            )
        codes.append(_code_row(code, kind, titles[0] if titles else "", element))
    kinds = {row["system"] for row in codes}
    if kinds != {"topography", "morphology"}:
        raise InputError(f"{path}: holds no {' or '.join(sorted({'topography', 'morphology'} - kinds))} classes")
    return entry_frame(entries, "icdo3", version), pl.DataFrame(codes, infer_schema_length=None)


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
    pieces = [element.text or ""]
    for child in element:
        if child.tag != "Reference" and not (child.tag == "Term" and child.get("class") == "italic"):
            pieces.append(_plain(child))
        pieces.append(child.tail or "")
    return " ".join(pieces)


def _clean(text: str) -> str:
    return " ".join(text.split())


def _code_row(code: str, kind: str, title: str, element: Element) -> dict[str, object]:
    groups = [parent.get("code", "") for parent in element.findall("SuperClass")]
    topography = kind == "topography"
    return {
        "code": code,
        "system": kind,
        "title": title,
        "terminal": element.find("SubClass") is None,
        "chapter": "T" if topography else "M",
        "group": groups[0] if groups else "",
        "category": code[:3] if topography else code[:4],
        "behaviour": None if topography else MORPHOLOGY_BEHAVIOUR.get(code[-1]),
        "tumour": True,
    }


def _root(path: Path) -> Element:
    data = read_bytes(path)
    decode(data, path)
    try:
        root: Element = fromstring(data)
    except ParseError as error:
        raise InputError(
            f"{path}: line {error.position[0]}: not whole, well-formed XML ({error}); fetch the file again"
        ) from None
    if root.tag != "ClaML":
        raise InputError(f"{path}: is <{root.tag}>, not a ClaML file; check that it is the right file")
    return root
