"""ICD-10-GM and OPS in ClaML 2.0.0, codes that are put together from modifiers included.

Source: ClaML (CEN/TS 14463) and its DTD. No official file of the two was at hand. How BfArM uses ClaML was taken from
programs that read its files (medicats, fhir-claml, cclaml); the rule for titles was checked on the `kodes` files, which
describe the same codes. Inferred, and untried on official files, are therefore:

- a modifier whose classes hold the point (".0", ".00"), or whose class has one already, adds to the class itself; else,
  where the class is subdivided, to its subclasses;
- a modifier class without a point, put to a code without one, follows a point ("T08" and "0" give "T08.0");
- several modifiers of a class follow one another; ``excludeOnPrecedingModifier`` names what one cannot follow;
- modifiers of blocks and chapters add nothing;
- a valid modifier class that the modifier lacks is passed over: such stood in OPS files of earlier years;
- a class of its own goes before an equal code from a modifier;
- a title is `preferredLong`, else `preferred`; in a code from a modifier, and in OPS after the point, it follows the
  title above it and a colon.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.claml_labels import Label, label_ids, title
from onkocode.catalogues.formats.claml_reading import (
    Claml,
    ClamlClass,
    ModifierClass,
    Use,
    check_claml,
    raise_unsound,
    read_claml,
)
from onkocode.catalogues.vocabulary.codes import ICD10, OPS, behaviour, category_of, is_tumour
from onkocode.catalogues.vocabulary.entries import entry_frame

TITLES = ("preferred", "preferredLong")
# Chapters of ICD-10-GM are written I to XXII.
ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
CHAPTERS = {ten * "X" + one: f"{10 * ten + n:02}" for ten in range(3) for n, one in enumerate(ROMAN)}


@dataclass(frozen=True)
class _System:
    name: str
    form: re.Pattern[str]  # a code
    category: re.Pattern[str]  # the three-character class that a code or a block begins with
    chained: bool  # titles from the point on follow that above


_ICD10GM = _System("ICD-10-GM", ICD10, re.compile(r"[A-Z]\d\d"), chained=False)
_OPS = _System("OPS", OPS, re.compile(r"\d-[0-9a-z]{2}"), chained=True)


@dataclass(frozen=True)
class _Code:
    title: str
    above: str  # the class that it is or, from a modifier, stands below


def parse_claml_icd10gm(path: Path) -> pl.DataFrame:
    """Return the label space of ICD-10-GM (schema Codes), the same as that of a `kodes` file.

    Raises:
        InputError: not XML, not ICD-10-GM, or a hierarchy, modifier or label that does not hold.
    """
    claml = read_claml(path, TITLES)
    check_claml(claml, path, _ICD10GM.name)
    codes = _codes(claml, path, _ICD10GM)
    chapters = {code: _chapter(claml, item.above) for code, item in codes.items()}
    problems = [f"class {code} is in no chapter I to XXII" for code, chapter in chapters.items() if not chapter]
    raise_unsound(path, _ICD10GM.name, problems)
    return _label_space(
        {
            "code": code,
            "system": "icd10gm",
            "title": item.title,
            "chapter": chapters[code],
            "group": _block(claml, item.above, _ICD10GM)[:3],
            "category": category_of(code, "icd10gm"),
            "behaviour": behaviour(code),
            "tumour": is_tumour(code),
        }
        for code, item in codes.items()
    )


def parse_claml_ops(path: Path, version: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return entries and label space of OPS.

    Entries are the titles of all codes, with the ids that a `kodes` file gives them, and the rubrics `inclusion` of the
    classes with the flag `inclusion`; those of modifier classes cannot be understood by themselves and are left out.

    Raises:
        InputError: not XML, not OPS, or a hierarchy, modifier or label that does not hold.
    """
    claml = read_claml(path, (*TITLES, "inclusion"))
    check_claml(claml, path, _OPS.name)
    codes = _codes(claml, path, _OPS)
    entries: list[dict[str, object]] = []
    for code, item in sorted(codes.items()):
        stem = f"ops-{version}:{code}"
        entries.append({"entry_id": stem, "kind": "procedure", "code": code, "text": item.title, "flags": []})
        labels = _inclusions(claml.classes.get(code))
        for entry_id, label in zip(label_ids(stem, labels), labels, strict=True):
            flags = ["inclusion"]
            entries.append(
                {"entry_id": entry_id, "kind": "procedure", "code": code, "text": label.text, "flags": flags}
            )
    space = _label_space(
        {
            "code": code,
            "system": "ops",
            "title": item.title,
            "chapter": code[0],
            "group": _block(claml, item.above, _OPS)[:4],
            "category": category_of(code, "ops"),
            "behaviour": None,
            "tumour": False,
        }
        for code, item in codes.items()
    )
    return entry_frame(entries, "ops", version), space


def _inclusions(item: ClamlClass | None) -> list[Label]:
    return [label for label in item.labels if label.rubric == "inclusion" and label.text] if item else []


def _label_space(rows: Iterator[dict[str, object]]) -> pl.DataFrame:
    """Sort as `kodes` files are, and mark as terminal what no longer code begins with."""
    codes = pl.DataFrame(list(rows), schema_overrides={"behaviour": pl.String}, infer_schema_length=None)
    codes = codes.sort("chapter", "code")
    above = {code[:end].rstrip(".-") for code in codes["code"] for end in range(1, len(code))}
    terminal = pl.Series([code not in above for code in codes["code"]], dtype=pl.Boolean)
    return codes.insert_column(3, terminal.alias("terminal"))


def _codes(claml: Claml, path: Path, system: _System) -> dict[str, _Code]:
    """Return all codes: classes in the form of a code, and what modifiers add to them."""
    classes = {code: item for code, item in claml.classes.items() if system.form.fullmatch(code)}
    problems = [
        f"category {code!r} is not an {system.name} code"
        for code, item in claml.classes.items()
        if item.kind == "category" and code not in classes
    ]
    problems += [f"class {code} has no label" for code, item in classes.items() if not title(item.labels)]
    problems += [
        f"class {part.code} of modifier {modifier} has no label"
        for modifier in sorted({use.modifier for item in classes.values() for use in item.uses})
        for part in claml.modifiers[modifier]
        if not title(part.labels)
    ]
    for code in classes:
        block = _block(claml, code, system)
        if not system.category.match(block):
            problems.append(f"class {code} is in no block of {system.name}" + (f" (but in {block!r})" if block else ""))
    if not classes:
        problems.append(f"no {system.name} codes")
    codes: dict[str, _Code] = {}
    for code in sorted(classes):  # so that a code comes after those above it
        codes[code] = _Code(_class_title(classes[code], codes, system), code)
    for code, uses in _modified(claml, classes):
        problems += _add_modified(codes, code, uses, claml, system)
    raise_unsound(path, system.name, problems)
    return codes


def _class_title(item: ClamlClass, codes: Mapping[str, _Code], system: _System) -> str:
    own = title(item.labels)
    above = codes.get(next(iter(item.above), ""))
    if not system.chained or "." not in item.code or above is None or own.startswith(above.title):
        return own
    return f"{above.title}: {own}"


def _modified(claml: Claml, classes: Mapping[str, ClamlClass]) -> Iterator[tuple[str, tuple[Use, ...]]]:
    """Yield the codes that modifiers add places to, with these modifiers."""
    below: dict[str, list[str]] = defaultdict(list)
    for code, item in classes.items():
        below[next(iter(item.above), "")].append(code)
    for code, item in classes.items():
        uses = tuple(use for use in item.uses if use.modifier not in item.excluded)
        if not uses:
            continue
        pointed = any(part.code.startswith(".") for part in claml.modifiers[uses[0].modifier])
        if pointed or "." in code or code not in below:
            yield code, uses
            continue
        # Handed down to the subclasses that are not subdivided themselves.
        for child in below[code]:
            handed = tuple(use for use in uses if use.modifier not in classes[child].excluded)
            if handed and not classes[child].uses and child not in below:
                yield child, handed


def _add_modified(
    codes: dict[str, _Code], code: str, uses: tuple[Use, ...], claml: Claml, system: _System
) -> list[str]:
    """Add what the modifiers of a class, one after the other, make of its code; return what does not hold."""
    problems: list[str] = []
    ends: list[tuple[str, frozenset[tuple[str, str]]]] = [(code, frozenset())]  # with the modifier classes within
    for use in uses:
        parts = _valid_parts(claml, use)
        if not parts:
            problems.append(f"class {code}: names no class that its modifier {use.modifier} has")
        further = []
        for end, within in ends:
            made: dict[str, str] = {}
            for part in parts:
                longer = _joined(end, part.code)
                if part.excluded & within:
                    continue
                if not longer.startswith(end) or not system.form.fullmatch(longer):
                    problems.append(
                        f"class {code}: class {part.code} of modifier {use.modifier} makes {longer!r}, which is not an "
                        f"{system.name} code"
                    )
                    continue
                made[longer] = part.code
                if longer not in codes:
                    codes[longer] = _Code(f"{codes[_prefix(longer, codes)].title}: {title(part.labels)}", code)
            last = [item for item in made if not any(other != item and other.startswith(item) for other in made)]
            further += [(item, within | {(use.modifier, made[item])}) for item in last]
        ends = further
    return problems


def _valid_parts(claml: Claml, use: Use) -> list[ModifierClass]:
    """Return the classes of a modifier that a use names, and those above them; shorter ones first."""
    parts = sorted(claml.modifiers[use.modifier], key=lambda part: len(part.code))
    named = [part.code for part in parts if use.valid is None or part.code in use.valid]
    return [part for part in parts if any(code.startswith(part.code) for code in named)]


def _joined(code: str, places: str) -> str:
    if places.startswith("."):
        return code.partition(".")[0] + places
    return f"{code}{places}" if "." in code else f"{code}.{places}"


def _prefix(code: str, codes: Mapping[str, _Code]) -> str:
    """Return the longest shorter code that a code begins with."""
    return next(code[:end] for end in range(len(code) - 1, 0, -1) if code[:end] in codes)


def _block(claml: Claml, code: str, system: _System) -> str:
    """Return the innermost block around a class; a three-character class is none, of whatever kind it may be."""
    blocks = (item.code for item in claml.lineage(code) if item.kind == "block")
    return next((block for block in blocks if not system.form.fullmatch(block)), "")


def _chapter(claml: Claml, code: str) -> str:
    """Return the chapter as two digits; empty where there is none."""
    chapter = next((item.code for item in claml.lineage(code) if item.kind == "chapter"), "")
    number = f"{int(chapter):02}" if re.fullmatch(r"\d{1,2}", chapter) else CHAPTERS.get(chapter, "")
    return number if "01" <= number <= "22" else ""
