"""ICD-O-3 in ClaML 2.0.0. Source: ClaML, CEN/TS 14463; BfArM, ICD-O-3 second revision 2019 and first revision 2014.

Of 2014 there was no official file: that its morphology may be written `8140/3` as well is inferred.
"""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.claml_labels import Label, label_ids, title
from onkocode.catalogues.formats.claml_reading import (
    MORPHOLOGY_CODE,
    Claml,
    ClamlClass,
    check_claml,
    raise_unsound,
    read_claml,
)
from onkocode.catalogues.vocabulary.codes import MORPHOLOGY_BEHAVIOUR, category_of
from onkocode.catalogues.vocabulary.entries import entry_frame

LABEL_RUBRICS = ("preferred", "inclusion")
TOPOGRAPHY_CODE = re.compile(r"C\d{2}(\.\d)?")
OBSOLETE_MARK = re.compile(r"\s*\[obs\.\]")


def parse_icdo3(path: Path, version: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return entries and label space of ICD-O-3.

    Entries are the rubrics `preferred` and `inclusion` of the classes `Cnn`, `Cnn.n` and `dddd:d` (or `dddd/d`), one
    each, without de-duplication. Morphology codes are written `8140/3`. Rubrics carry no id, so an entry's id is made
    of code, rubric, the first eight digits of the text's hash, and an ordinal among equal ones. Obsolete labels, marked
    by the file or by "[obs.]" in the text, have the flag `obsolete` and lose the mark.

    Raises:
        InputError: not XML, cut off, with entities of its own, not ICD-O-3, a class that stands twice or has no label,
            a hierarchy that does not hold, a label without text, or no classes of either axis.
    """
    claml = read_claml(path, LABEL_RUBRICS)
    check_claml(claml, path, "ICD-O-3")
    classes = [
        (item.code.replace(":", "/"), item)
        for item in claml.classes.values()
        if MORPHOLOGY_CODE.fullmatch(item.code) or TOPOGRAPHY_CODE.fullmatch(item.code)
    ]
    above = {parent for item in claml.classes.values() for parent in item.above}
    entries: list[dict[str, object]] = []
    codes: list[dict[str, object]] = []
    for code, item in classes:
        labels = [_without_mark(label) for label in item.labels]
        entries += _entries(code, labels, version)
        codes.append(_code_row(code, title(labels), claml, item, terminal=item.code not in above))
    counts = Counter(code for code, _ in classes)
    problems = [f"class {code} stands {n} times" for code, n in counts.items() if n > 1]
    problems += [f"class {entry['code']}: a label without text" for entry in entries if not entry["text"]]
    problems += [f"class {row['code']} has no label" for row in codes if not row["title"]]
    missing = sorted({"topography", "morphology"} - {str(row["system"]) for row in codes})
    problems += [f"no {system} classes" for system in missing]
    raise_unsound(path, "ICD-O-3", problems)
    return entry_frame(entries, "icdo3", version), pl.DataFrame(codes, infer_schema_length=None)


def _without_mark(label: Label) -> Label:
    text, marks = OBSOLETE_MARK.subn("", label.text)
    return replace(label, text=text, obsolete=label.obsolete or marks > 0)


def _entries(code: str, labels: list[Label], version: str) -> list[dict[str, object]]:
    ids = label_ids(f"icdo3-{version}:{code}", labels)
    return [
        {
            "entry_id": entry_id,
            "kind": _kind(code),
            "code": code,
            "text": label.text,
            "flags": ["obsolete"] if label.obsolete else [],
        }
        for entry_id, label in zip(ids, labels, strict=True)
    ]


def _kind(code: str) -> str:
    return "morphology" if "/" in code else "topography"


def _code_row(code: str, name: str, claml: Claml, item: ClamlClass, *, terminal: bool) -> dict[str, object]:
    kind = _kind(code)
    topography = kind == "topography"
    return {
        "code": code,
        "system": kind,
        "title": name,
        "terminal": terminal,
        "chapter": "T" if topography else "M",
        "group": claml.block(item.code),
        "category": category_of(code, kind),
        "behaviour": None if topography else MORPHOLOGY_BEHAVIOUR.get(code[-1]),
        "tumour": True,
    }
