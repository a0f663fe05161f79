from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.formats.icdo3 import parse_icdo3
from onkocode.records.errors import InputError
from onkocode.records.ids import digest

CLASSES = """\
<Class code="T" kind="chapter"><SubClass code="C50-C50"/></Class>
<Class code="C50-C50" kind="block"><SuperClass code="T"/><SubClass code="C50"/>
  <Rubric kind="preferred"><Label>Block</Label></Rubric></Class>
<Class code="C50" kind="category"><SuperClass code="C50-C50"/><SubClass code="C50.9"/>
  <Rubric kind="preferred"><Label xml:lang="de">Brust<Reference class="in brackets">C44.5</Reference></Label></Rubric>
  <Rubric kind="exclusion"><Label>Haut</Label></Rubric>
</Class>
<Class code="C50.9" kind="category"><SuperClass code="C50"/>
  <Rubric kind="preferred"><Label>Brust  o.n.A.</Label></Rubric>
  <Rubric kind="inclusion"><Label>Mamma</Label></Rubric>
  <Rubric kind="inclusion"><Label>Mamma</Label></Rubric>
</Class>
<Class code="M" kind="chapter"><SubClass code="850-854"/></Class>
<Class code="850-854" kind="block"><SuperClass code="M"/><SubClass code="8500:3"/></Class>
<Class code="8500:3" kind="category"><SuperClass code="850-854"/>
  <Rubric kind="preferred"><Label>Duktales Karzinom</Label></Rubric>
  <Rubric kind="inclusion" usage="obs"><Label>Alter Name</Label></Rubric>
  <Rubric kind="inclusion"><Label><Fragment type="list" usage="obs">Sehr alt</Fragment></Label></Rubric>
</Class>
"""


def claml(classes: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ClaML version="2.0.0">\n{classes}</ClaML>\n'


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "claml.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def label_of(folder: Path, label: str) -> str:
    entries, _ = parse_icdo3(write(folder, claml(CLASSES.replace("Brust  o.n.A.", label))), "2019")
    return str(entries["text"][1])


def test_classes_by_hand(tmp_path: Path) -> None:
    entries, codes = parse_icdo3(write(tmp_path, claml(CLASSES)), "2019")
    assert entries.select("kind", "code", "text", "flags").rows() == [
        ("topography", "C50", "Brust", []),
        ("topography", "C50.9", "Brust o.n.A.", []),
        ("topography", "C50.9", "Mamma", []),
        ("topography", "C50.9", "Mamma", []),
        ("morphology", "8500/3", "Duktales Karzinom", []),
        ("morphology", "8500/3", "Alter Name", ["obsolete"]),
        ("morphology", "8500/3", "Sehr alt", ["obsolete"]),
    ]
    columns = ["code", "system", "title", "terminal", "chapter", "group", "category", "behaviour"]
    assert codes.select(columns).rows() == [
        ("C50", "topography", "Brust", False, "T", "C50-C50", "C50", None),
        ("C50.9", "topography", "Brust o.n.A.", True, "T", "C50-C50", "C50", None),
        ("8500/3", "morphology", "Duktales Karzinom", True, "M", "850-854", "8500", "malignant"),
    ]


def test_ids_tell_code_rubric_text_and_ordinal(tmp_path: Path) -> None:
    entries, _ = parse_icdo3(write(tmp_path, claml(CLASSES)), "2019")
    mamma = digest("Mamma")[:8]
    assert entries["entry_id"][2:4].to_list() == [
        f"icdo3-2019:C50.9:inclusion:{mamma}:1",
        f"icdo3-2019:C50.9:inclusion:{mamma}:2",
    ]
    assert entries["entry_id"].n_unique() == 7


def test_a_label_in_front_changes_no_other_id(tmp_path: Path) -> None:
    before, _ = parse_icdo3(write(tmp_path, claml(CLASSES)), "2019")
    more = CLASSES.replace(
        '<Rubric kind="inclusion"><Label>Mamma', '<Rubric kind="inclusion"><Label>Neu</Label></Rubric>\n\\g', 1
    ).replace("\\g", '<Rubric kind="inclusion"><Label>Mamma')
    after, _ = parse_icdo3(write(tmp_path, claml(more)), "2019")
    assert set(after["entry_id"]) - set(before["entry_id"]) == {f"icdo3-2019:C50.9:inclusion:{digest('Neu')[:8]}:1"}
    assert set(before["entry_id"]) < set(after["entry_id"])


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ('Lippe<Reference class="in brackets" code="C44.0">C44.0</Reference>', "Lippe"),
        ('Lippe <Term class="italic">siehe Anmerkung</Term> außen', "Lippe außen"),
        ("<Term class='bold'>Äußere</Term> Lippe", "Äußere Lippe"),
        ("Ober- \n\t und Unterlippe", "Ober- und Unterlippe"),
        ('<Fragment type="list">Haut von</Fragment><Fragment type="list">Gesicht</Fragment>', "Haut von Gesicht"),
        (
            '<Fragment class="synlist">Adenom</Fragment><Fragment class="synlist">Drüsentumor'
            '<Reference class="in brackets">D12</Reference></Fragment>',
            "Adenom, Drüsentumor",
        ),
        (
            '<Fragment type="list">Haut</Fragment><Fragment><Reference>C44</Reference></Fragment>'
            "<Fragment>Ohr</Fragment>",
            "Haut Ohr",
        ),
    ],
)
def test_label_text_by_hand(tmp_path: Path, label: str, text: str) -> None:
    assert label_of(tmp_path, label) == text


def test_a_label_may_be_nested_deeply(tmp_path: Path) -> None:
    label = "<p>" * 3000 + "Brust" + "</p>" * 3000
    assert label_of(tmp_path, f"Vorn {label} hinten") == "Vorn Brust hinten"


def test_a_mark_in_the_text_makes_a_label_obsolete(tmp_path: Path) -> None:
    """Some labels of 2019 have the printed mark and no usage."""
    mark = "Altes Wort<Reference>C50.9</Reference> [obs.]"
    synonyms = '<Fragment class="synlist">Altes Wort [obs.]</Fragment><Fragment class="synlist">AW [obs.]</Fragment>'
    for label, text in ((mark, "Altes Wort"), (synonyms, "Altes Wort, AW"), ("Brust [Mamma]", "Brust [Mamma]")):
        entries, codes = parse_icdo3(write(tmp_path, claml(CLASSES.replace("Duktales Karzinom", label))), "2019")
        assert entries.filter(code="8500/3").select("text", "flags").rows()[0] == (
            text,
            ["obsolete"] if "obs" in label else [],
        )
        assert codes["title"][-1] == text


def test_morphology_may_be_written_with_a_slash(tmp_path: Path) -> None:
    """The first revision of 2014 may have it."""
    colon = parse_icdo3(write(tmp_path, claml(CLASSES)), "2014")
    slash = parse_icdo3(write(tmp_path, claml(CLASSES.replace("8500:3", "8500/3"))), "2014")
    assert [frame.rows() for frame in slash] == [frame.rows() for frame in colon]
    assert slash[1]["code"][-1] == "8500/3"


def test_a_group_is_the_innermost_block(tmp_path: Path) -> None:
    between = '<Class code="C50" kind="category"><SuperClass code="C50.X"/>'
    inner = '<Class code="C50.X" kind="block"><SuperClass code="C50-C50"/></Class>\n'
    text = CLASSES.replace('<Class code="C50" kind="category"><SuperClass code="C50-C50"/>', inner + between)
    _, codes = parse_icdo3(write(tmp_path, claml(text)), "2019")
    assert codes["group"].to_list() == ["C50.X", "C50.X", "850-854"]


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
def test_byte_order_mark_line_ends_and_declared_encoding_change_nothing(tmp_path: Path, prefix: bytes) -> None:
    plain, _ = parse_icdo3(write(tmp_path, claml(CLASSES)), "2019")
    text = claml(CLASSES).replace("\n", "\r\n").replace("UTF-8", "ISO-8859-1")
    same, _ = parse_icdo3(write(tmp_path, prefix + text.encode()), "2019")
    assert same.equals(plain)


def test_a_doctype_without_entities_is_harmless(tmp_path: Path) -> None:
    text = claml(CLASSES).replace("<ClaML", '<!DOCTYPE ClaML SYSTEM "ClaML.dtd">\n<ClaML', 1)
    assert parse_icdo3(write(tmp_path, text), "2019")[0].height == 7


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 100}">' for n in range(9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (claml(CLASSES)[:900], r"line \d+: not whole, well-formed XML .*; fetch the file again"),
        (claml(CLASSES).removesuffix("</ClaML>\n"), "not whole, well-formed XML"),
        ("<Katalog><Class code='C50'/></Katalog>\n", "is <Katalog>, not a ClaML file; check that it is the right file"),
        ("1|I1|C50.9|||||Karzinom\n", "line 1: not whole, well-formed XML"),
        ("", "is empty"),
        ("<!DOCTYPE html><html></html>", "is an HTML page"),
        (claml(CLASSES).encode("utf-16"), "holds zero bytes, so it is UTF-16"),
        (claml(CLASSES.replace("Mamma", "Mämma")).encode("latin-1"), r":12: not UTF-8 \(byte 0xe4\)"),
        (f"<!DOCTYPE ClaML [{BOMB}]>\n<ClaML>&e8;</ClaML>", "declares XML entities .*refused"),
        (
            '<!DOCTYPE ClaML [<!ENTITY x SYSTEM "file:///etc/hostname">]>\n<ClaML>&x;</ClaML>',
            "declares XML entities .*refused",
        ),
        (claml(CLASSES + '<Class code="C50.9" kind="category"/>'), "class C50.9 stands 2 times"),
        (claml(CLASSES.replace("Brust  o.n.A.", " ")), "class C50.9: a label without text"),
        (claml(CLASSES.replace("8500:3", "9999")), "no morphology classes"),
        (claml(CLASSES.replace('"C50', '"X50')), "no topography classes"),
        (claml(""), "holds no classes; check that it is the right file for ICD-O-3"),
        (claml(CLASSES.replace("850-854", "X").replace("8500:3", "X1")), "no morphology classes"),
        (claml(CLASSES + '<Class code="8500/3" kind="category"/>'), "class 8500/3 stands 2 times"),
        (claml(CLASSES + '<Class code="8501:3" kind="category"/>'), "class 8501/3 has no label"),
        (claml(CLASSES.replace('<Class code="T"', '<Class code="Z"')), "class C50-C50: its superclass T is missing"),
        (claml('<Class code="J18" kind="category"/>'), r"is ICD-10-GM \(title ''\), not ICD-O-3; check"),
        (claml('<Class code="5-01" kind="category"/>'), "is OPS .*, not ICD-O-3; check"),
    ],
)
def test_unsound_files_are_one_input_error(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        parse_icdo3(path, "2019")
    assert str(caught.value).startswith(str(path))


@pytest.mark.catalogues
def test_labels_of_the_real_file_are_plain(catalogues: Path) -> None:
    entries, _ = parse_icdo3(next(iter(sorted(catalogues.rglob("icdo3*2019*claml*.xml")))), "2019")
    rules = {
        "white space": r"\s\s|^\s|\s$|[\t\r\n]| [,;:.]|[(\[] ",
        "what is left of a reference": r"C\d\d\.[\d-]|\d{4}/\d|[,;:(\[/–]$|^[,;:.)\]]|\(\s*\)|\[\s*\]",
        "notes and marks": r"siehe|Exkl|Hinw|\[obs",
    }
    for rule, pattern in rules.items():
        assert entries.filter(pl.col("text").str.contains(pattern))["entry_id"].to_list() == [], rule
    brackets = [(text.count("("), text.count("["), text.count(")"), text.count("]")) for text in entries["text"]]
    assert [counts for counts in brackets if counts[:2] != counts[2:]] == []
    assert entries.filter(pl.col("flags").list.contains("obsolete")).height == 270
