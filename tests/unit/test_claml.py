import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any
from xml.sax.saxutils import escape

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.catalogues.formats.claml import parse_claml_icd10gm, parse_claml_ops
from onkocode.catalogues.formats.kodes import parse_icd10gm, parse_ops
from onkocode.records.ids import digest
from onkocode.records.schemas import columns_of
from tests.unit.claml_files import chapter, claml, cls, modifier, rubric, used, write

CODES, ENTRIES = columns_of("codes"), columns_of("entries")


def icd(folder: Path, body: str) -> pl.DataFrame:
    """Parse classes that lie in block T00-T99 of chapter XIX."""
    return parse_claml_icd10gm(write(folder, claml(chapter("XIX", "T00-T99") + body)))


def rows(codes: pl.DataFrame) -> list[tuple[str, str, bool]]:
    return list(codes.select("code", "title", "terminal").rows())


# -- the same label space as from kodes --

# terminal, kind (X = of its own, S = from a modifier), chapter, group, code, full title, short title
TABLE = [
    ("N", "X", "02", "C00", "C02", "Krebs der Zunge", "Krebs der Zunge"),
    ("T", "X", "02", "C00", "C02.0", "Krebs: Zungenrücken", "Zungenrücken"),
    ("N", "X", "02", "C81", "C88", "Krankheiten des Immunsystems", "Krankheiten des Immunsystems"),
    ("N", "X", "02", "C81", "C88.0", "Makroglobulinämie", "Makroglobulinämie"),
    ("T", "S", "02", "C81", "C88.00", "Makroglobulinämie: Ohne Remission", "Ohne Remission"),
    ("T", "S", "02", "C81", "C88.01", "Makroglobulinämie: In Remission", "In Remission"),
    ("T", "X", "02", "C97", "C97", "Mehrere Krebse", "Mehrere Krebse"),
    ("T", "X", "02", "D00", "D05", "In situ: Brust", "Brust"),
    ("N", "X", "04", "E10", "E10", "Diabetes", "Diabetes"),
    ("N", "S", "04", "E10", "E10.0", "Diabetes: Mit Koma", "Mit Koma"),
    ("T", "S", "04", "E10", "E10.01", "Diabetes: Mit Koma: Entgleist", "Entgleist"),
    ("N", "S", "04", "E10", "E10.9", "Diabetes: Ohne Folgen", "Ohne Folgen"),
    ("T", "S", "04", "E10", "E10.90", "Diabetes: Ohne Folgen: Nicht entgleist", "Nicht entgleist"),
    ("T", "S", "04", "E10", "E10.91", "Diabetes: Ohne Folgen: Entgleist", "Entgleist"),
    ("N", "X", "19", "T08", "T08", "Bruch der Wirbelsäule & mehr", "Bruch der Wirbelsäule & mehr"),
    ("T", "S", "19", "T08", "T08.0", "Bruch der Wirbelsäule & mehr: geschlossen [ohne Wunde]", "geschlossen"),
]
BLOCKS = (
    chapter("{02}", "C00-C97", "D00-D09")
    + cls("C00-C75", "C00-C97", kind="block")
    + cls("C00-C14", "C00-C75", kind="block")
    + cls("C81-C96", "C00-C97", kind="block")
    + cls("C97-C97", "C00-C97", kind="block")
    + chapter("{04}", "E10-E14")
    + chapter("{19}", "T08-T14")
)
BLOCK_OF = {"C00": "C00-C14", "C81": "C81-C96", "C97": "C97-C97", "D00": "D00-D09", "E10": "E10-E14", "T08": "T08-T14"}
USED = {
    "C88.0": used("S02", every="true"),
    "E10": used("S04_4", ".0", ".9", every="false") + used("S04_5"),
    "T08": used("S19", "0", every="false"),
}
MODIFIERS = (
    modifier("S02", {"0": "Ohne Remission", "1": "In Remission"})
    + modifier("S04_4", {".0": "Mit Koma", ".1": "Mit Azidose", ".9": "Ohne Folgen"})
    + modifier("S04_5", {"0": "Nicht entgleist", "1": "Entgleist"}, {"0": ["S04_4 .0", "S04_4 .1"]})
    + modifier("S19", {"0": rubric("preferred", "geschlossen") + rubric("preferredLong", "geschlossen [ohne Wunde]")})
)


def kodes_of(table: Iterable[tuple[str, ...]]) -> str:
    lines = []
    for terminal, kind, number, group, code, full, short in table:
        level = str(len(code.replace(".", "")))
        head = [level, terminal, kind, number, group, code, code, code.replace(".", ""), full, "", short, ""]
        lines.append(";".join(head + ["9"] * 12 + ["J", "J", "N", "J"]) + "\n")
    return "".join(lines)


def classes_of(table: Iterable[tuple[str, ...]]) -> list[str]:
    found = []
    for _, kind, _, group, code, full, short in table:
        if kind == "X":
            labels = rubric("preferred", escape(short)) + (
                rubric("preferredLong", escape(full)) if full != short else ""
            )
            above = BLOCK_OF[group] if len(code) == 3 else code[: 3 if len(code) == 5 else 5]
            found.append(cls(code, above, labels, USED.get(code, "")))
    return found


@pytest.mark.parametrize("numbers", [("II", "IV", "XIX"), ("2", "4", "19"), ("02", "04", "19")])
@pytest.mark.parametrize("backwards", [False, True])
def test_claml_gives_the_label_space_of_kodes(tmp_path: Path, numbers: Sequence[str], backwards: bool) -> None:
    blocks = BLOCKS
    for key, number in zip(("02", "04", "19"), numbers, strict=True):
        blocks = blocks.replace(f"{{{key}}}", number)
    parts = [blocks, MODIFIERS, *classes_of(TABLE)]
    text = claml("".join(reversed(parts) if backwards else parts))
    found = parse_claml_icd10gm(write(tmp_path, text)).select(list(CODES))
    expected = parse_icd10gm(write(tmp_path, kodes_of(TABLE), "icd10gm2024syst_kodes.txt")).select(list(CODES))
    assert found.rows() == expected.rows()
    assert found.schema == expected.schema == CODES


# -- modifiers --


@pytest.mark.parametrize(
    ("use", "codes"),
    [
        (used("M"), ["T00.0", "T00.1", "T00.2"]),
        (used("M", every="true"), ["T00.0", "T00.1", "T00.2"]),
        (used("M", ".0", ".2", every="false"), ["T00.0", "T00.2"]),
        (used("M", ".0", ".2"), ["T00.0", "T00.2"]),
        (used("M", ".1", ".7"), ["T00.1"]),
        (used("M") + '<ExcludeModifier code="M"/>', []),
        ("", []),
    ],
)
def test_which_classes_of_a_modifier_are_valid(tmp_path: Path, use: str, codes: list[str]) -> None:
    body = cls("T00", "T00-T99", "Bruch", use) + modifier("M", {".0": "a", ".1": "b", ".2": "c"})
    assert icd(tmp_path, body)["code"].to_list() == ["T00", *codes]


def test_modifiers_follow_one_another(tmp_path: Path) -> None:
    """Where none can follow, the code is complete."""
    ops = chapter("5", "5-01...5-02") + cls("5-01", "5-01...5-02", "Kopf") + cls("5-010", "5-01", "Schnitt", "{}")
    uses = used("A") + used("B")
    parts = modifier("A", {".0": "rechts", ".1": "links"}) + modifier("B", {"0": "tief"}, {"0": ["A .1"]})
    _, codes = parse_claml_ops(write(tmp_path, claml(ops.replace("{}", uses) + parts, "OPS")), "2024")
    assert rows(codes) == [
        ("5-01", "Kopf", False),
        ("5-010", "Schnitt", False),
        ("5-010.0", "Schnitt: rechts", False),
        ("5-010.00", "Schnitt: rechts: tief", True),
        ("5-010.1", "Schnitt: links", True),
    ]


def test_a_class_of_its_own_goes_before_one_from_a_modifier(tmp_path: Path) -> None:
    body = cls("T00", "T00-T99", "Bruch", used("M")) + cls("T00.1", "T00", "Eigener Titel")
    assert rows(icd(tmp_path, body + modifier("M", {".0": "a", ".1": "b"}))) == [
        ("T00", "Bruch", False),
        ("T00.0", "Bruch: a", True),
        ("T00.1", "Eigener Titel", True),
    ]


def test_a_modifier_of_a_subdivided_class_is_handed_down(tmp_path: Path) -> None:
    body = (
        cls("T00", "T00-T99", "Bruch", used("M"))
        + cls("T00.0", "T00", "Hals")
        + cls("T00.1", "T00", "Arm", '<ExcludeModifier code="M"/>')
        + cls("T00.2", "T00", "Bein", used("N"))
        + cls("T00.3", "T00", "Fuß", used("N"))
        + cls("T00.38", "T00.3", "Zehe")
        + cls("T00.4", "T00", "Hand")
        + cls("T00.48", "T00.4", "Finger")
        + modifier("M", {"0": "zu", "1": "offen"})
        + modifier("N", {"9": "unklar"})
    )
    assert rows(icd(tmp_path, body)) == [
        ("T00", "Bruch", False),
        ("T00.0", "Hals", False),
        ("T00.00", "Hals: zu", True),
        ("T00.01", "Hals: offen", True),
        ("T00.1", "Arm", True),
        ("T00.2", "Bein", False),
        ("T00.29", "Bein: unklar", True),
        ("T00.3", "Fuß", False),
        ("T00.38", "Zehe", True),
        ("T00.39", "Fuß: unklar", True),
        ("T00.4", "Hand", False),
        ("T00.48", "Finger", True),
    ]


def test_subclasses_that_are_missing_and_foreign_labels_change_nothing(tmp_path: Path) -> None:
    """WHO's subclasses that ICD-10-GM lacks are still named in its files."""
    inside = '<Meta name="Para295" value="P"/><SubClass code="T00.5"/>'
    label = rubric("exclusion", "anderes") + rubric("preferred", "Bruch") + rubric("inclusion", "Knick")
    assert rows(icd(tmp_path, cls("T00", "T00-T99", label, inside))) == [("T00", "Bruch", True)]


# -- OPS --

OPS_BODY = (
    chapter("5", "5-37...5-39")
    + cls("5-38", "5-37...5-39", "Eingriffe an Gefäßen")
    + cls(
        "5-380", "5-38", rubric("preferred", "Öffnung") + rubric("inclusion", "Entfernung eines Gerinnsels"), used("G")
    )
    + cls("5-386", "5-38", "Entnahme")
    + cls("5-386.a", "5-386", "Tiefe Venen", used("G", ".a5"))
    + cls("5-38x", "5-38", "Andere", used("G", ".0x"))
    + modifier(
        "G", {".00": "A. carotis", ".0x": "Sonstige", ".0": "Kopf", ".a": "Venen", ".a5": "V. femoralis", ".x": "?"}
    )
)
OPS_TITLES = [
    ("5-38", "Eingriffe an Gefäßen", False),
    ("5-380", "Öffnung", False),
    ("5-380.0", "Öffnung: Kopf", False),
    ("5-380.00", "Öffnung: Kopf: A. carotis", True),
    ("5-380.0x", "Öffnung: Kopf: Sonstige", True),
    ("5-380.a", "Öffnung: Venen", False),
    ("5-380.a5", "Öffnung: Venen: V. femoralis", True),
    ("5-380.x", "Öffnung: ?", True),
    ("5-386", "Entnahme", False),
    ("5-386.a", "Entnahme: Tiefe Venen", False),
    ("5-386.a5", "Entnahme: Tiefe Venen: V. femoralis", True),
    ("5-38x", "Andere", False),
    ("5-38x.0", "Andere: Kopf", False),
    ("5-38x.0x", "Andere: Kopf: Sonstige", True),
]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", ["category", "block"])
def test_ops_by_hand(tmp_path: Path, backwards: bool, kind: str) -> None:
    """A three-character class is a code, of whatever kind it is said to be."""
    body = OPS_BODY.replace('code="5-38" kind="category"', f'code="5-38" kind="{kind}"').splitlines(keepends=True)
    text = claml("".join(reversed(body) if backwards else body), "OPS")
    entries, codes = parse_claml_ops(write(tmp_path, text), "2024")
    assert rows(codes) == OPS_TITLES
    assert codes.select("chapter", "group", "category").unique().rows() == [("5", "5-37", "5-38")]
    text = "Entfernung eines Gerinnsels"
    inclusions = entries.filter(pl.col("flags").list.contains("inclusion"))
    assert inclusions.select("entry_id", "code", "text").rows() == [
        (f"ops-2024:5-380:inclusion:{digest(text)[:8]}:1", "5-380", text)
    ]


def test_ops_gives_the_label_space_and_entries_of_kodes(tmp_path: Path) -> None:
    lines = [
        ";".join(
            [str(len(re.sub("[.-]", "", code))), "T" if terminal else "N", "X", "5", "5-37", code, code, "", title]
        )
        for code, title, terminal in OPS_TITLES
    ]
    expected = parse_ops(write(tmp_path, "".join(f"{line}\n" for line in lines), "ops2024syst_kodes.txt"), "2024")
    entries, codes = parse_claml_ops(write(tmp_path, claml(OPS_BODY, "OPS")), "2024")
    assert codes.select(list(CODES)).rows() == expected[1].select(list(CODES)).rows()
    preferred = entries.filter(pl.col("flags").list.len() == 0)
    assert preferred.select(list(ENTRIES)).rows() == expected[0].select(list(ENTRIES)).rows()


def test_an_ops_title_that_holds_the_one_above_is_not_prefixed(tmp_path: Path) -> None:
    long = rubric("preferred", "rechts") + rubric("preferredLong", "Schnitt am Kopf, rechts")
    body = chapter("5", "5-01...5-02") + cls("5-01", "5-01...5-02") + cls("5-010", "5-01", "Schnitt am Kopf")
    _, codes = parse_claml_ops(write(tmp_path, claml(body + cls("5-010.0", "5-010", long), "OPS")), "2024")
    assert codes["title"][-1] == "Schnitt am Kopf, rechts"


def test_ops_labels_without_text_are_left_out(tmp_path: Path) -> None:
    empty = rubric("preferred", "Kopf") + rubric("inclusion", "<Reference code='5-02'>5-02</Reference>")
    body = chapter("5", "5-01...5-02") + cls("5-01", "5-01...5-02", empty)
    assert parse_claml_ops(write(tmp_path, claml(body, "OPS")), "2024")[0]["text"].to_list() == ["Kopf"]


# -- any hierarchy --

DIGITS = st.sets(st.sampled_from("0123456789"), min_size=1, max_size=4)
# What a four-character class is divided into: nothing, classes of their own, or some classes of a modifier.
FIFTH = st.one_of(st.none(), st.tuples(st.just("own"), DIGITS), st.tuples(st.just("modified"), DIGITS))
FOURTH = st.one_of(st.none(), st.dictionaries(st.sampled_from("0123456789"), FIFTH, min_size=1, max_size=4), DIGITS)
TREES = st.dictionaries(st.integers(0, 99).map(lambda n: f"T{n:02}"), FOURTH, min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(tree=TREES, pointed=st.booleans(), order=st.randoms(use_true_random=False))
def test_any_hierarchy_gives_its_codes_and_which_are_terminal(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any], pointed: bool, order: Random
) -> None:
    """A set of digits below a category stands for a modifier of its own, with all its classes."""
    parts = [chapter("XIX", "T00-T99"), modifier("FIVE", {digit: f"fünf {digit}" for digit in "0123456789"})]
    expected: dict[str, bool] = {}
    for code, fourth in tree.items():
        expected[code] = fourth is None
        use = used(code) if isinstance(fourth, set) else ""
        parts.append(cls(code, "T00-T99", code, use))
        if isinstance(fourth, set):
            point = "." if pointed else ""
            parts.append(modifier(code, {f"{point}{digit}": f"vier {digit}" for digit in fourth}))
            expected |= {f"{code}.{digit}": True for digit in fourth}
        for digit, fifth in fourth.items() if isinstance(fourth, dict) else ():
            longer = f"{code}.{digit}"
            kind, digits = fifth or ("", set())
            expected |= {longer: not digits} | {f"{longer}{last}": True for last in digits}
            parts.append(cls(longer, code, longer, used("FIVE", *sorted(digits)) if kind == "modified" else ""))
            parts += [cls(f"{longer}{last}", longer) for last in digits if kind == "own"]
    order.shuffle(parts)
    path = write(tmp_path_factory.mktemp("claml"), claml("".join(parts)))
    codes = parse_claml_icd10gm(path)
    assert dict(codes.select("code", "terminal").rows()) == expected
    assert codes["code"].to_list() == sorted(expected)
