"""What is alike in all ClaML files: how they are written, labels, and what makes them unsound."""

from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onkocode.catalogues.formats.claml import parse_claml_icd10gm, parse_claml_ops
from onkocode.catalogues.formats.claml_labels import label_text
from onkocode.records.errors import InputError
from tests.unit.claml_files import chapter, claml, cls, modifier, rubric, used, write

FILE = chapter("XIX", "T00-T99") + cls("T08", "T00-T99", "Übrige Brüche")


@pytest.mark.parametrize(
    "text",
    [
        claml(FILE, head='<!DOCTYPE ClaML SYSTEM "ClaML.dtd">\n'),
        claml(FILE, head='<!DOCTYPE ClaML PUBLIC "-//x//ClaML" "https://localhost/ClaML.dtd">\n'),
        claml(FILE).replace("<ClaML ", '<ClaML xmlns="http://localhost/claml" '),
        claml(FILE).replace("\n", "\r\n"),
        "\ufeff" + claml(FILE),
        claml(FILE).replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        claml(FILE).replace("Ü", "&#220;").replace("ü", "&#xFC;"),
    ],
)
def test_how_the_file_is_written_changes_nothing(tmp_path: Path, text: str | bytes) -> None:
    codes = parse_claml_icd10gm(write(tmp_path, text))
    assert codes.select("code", "title", "chapter", "group").rows() == [("T08", "Übrige Brüche", "19", "T00")]


def test_a_dtd_beside_the_file_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, '<!ENTITY aus "geholt">', "ClaML.dtd")
    text = claml(FILE.replace("Übrige", "&aus;"), head='<!DOCTYPE ClaML SYSTEM "ClaML.dtd">')
    with pytest.raises(InputError, match=r"not whole, well-formed XML .*undefined entity &aus;"):
        parse_claml_icd10gm(write(tmp_path, text))


# -- labels --


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("Karzinom (siehe <Reference>C50</Reference>)", "Karzinom"),
        ("Karzinom (siehe auch <Reference>C50</Reference> und <Reference>C51</Reference>), duktal", "Karzinom, duktal"),
        ("Karzinom, siehe auch <Reference>C50</Reference>", "Karzinom"),
        ("Karzinom, <Reference>C50</Reference>", "Karzinom"),
        ("Karzinom [<Reference>C50</Reference>] der Brust", "Karzinom der Brust"),
        ("Karzinom <Reference>C50</Reference> ; duktal", "Karzinom; duktal"),
        ("Karzinom<Reference>C50</Reference>der Brust", "Karzinom der Brust"),
        ("<Reference>C50</Reference> Karzinom", "Karzinom"),
        ("Karzinom (der Brust <Reference>C50</Reference>)", "Karzinom (der Brust)"),
        ("Deletion 5q- <Reference>C50</Reference>", "Deletion 5q-"),
        ("Karzinom – <Reference>C50</Reference>", "Karzinom"),
        ('Karzinom <Term class="italics">in situ</Term>, duktal', "Karzinom in situ, duktal"),
        ('Vitamin-B<Term class="subscript">12</Term>-Mangel', "Vitamin-B12-Mangel"),
        (
            'Tumor <Term class="italic">(Exkl.: Blase</Term> <Reference>D30</Reference><Term class="italic">)</Term>',
            "Tumor",
        ),
        ('Tumor <Term class="italics">siehe dort</Term>', "Tumor"),
        ("<Para>Erstens</Para><Para>zweitens</Para>", "Erstens zweitens"),
        ("<List><ListItem>eins</ListItem><ListItem>zwei</ListItem></List>", "eins zwei"),
        ("Stadium\u00a0I \n\t rechts", "Stadium\u00a0I rechts"),
        ("", ""),
    ],
)
def test_label_text_leaves_nothing_of_what_it_takes_out(label: str, text: str) -> None:
    assert label_text(fromstring(f"<Label>{label}</Label>")) == text  # noqa: S314


PIECES = st.one_of(
    st.sampled_from(["Karzinom", "(duktal)", "der", "Übergang"]),
    st.sampled_from(
        [
            "<Reference>C50.9</Reference>",
            '<Reference class="in brackets">8140/3</Reference>',
            "(siehe <Reference>C50</Reference>)",
            '<Term class="italic">(Exkl.: Haut <Reference>C44</Reference>)</Term>',
        ]
    ),
)


@given(st.lists(PIECES, max_size=12))
def test_a_label_keeps_its_words(pieces: list[str]) -> None:
    words = [piece for piece in pieces if "<" not in piece]
    assert label_text(fromstring(f"<Label>{' '.join(pieces)}</Label>")) == " ".join(words)  # noqa: S314


# -- unsound files --

BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 100}">' for n in range(9))
ICDO3 = cls("C50", "", "Brust") + cls("8500:3", "", "Karzinom")
OPS = chapter("5", "5-01...5-02") + cls("5-01", "5-01...5-02") + cls("5-010", "5-01", inside=used("M"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Text\n", "line 1: not whole, well-formed XML"),
        (claml(FILE)[:-20], r"line \d+: not whole, well-formed XML .*; fetch the file again"),
        (f"<!DOCTYPE ClaML [{BOMB}]><ClaML>&e8;</ClaML>", "declares XML entities .*refused"),
        ('<!DOCTYPE ClaML [<!ENTITY % x SYSTEM "x.dtd"> %x;]><ClaML/>', "declares XML entities .*refused"),
        ("<Katalog><Class code='T08'/></Katalog>", "is <Katalog>, not a ClaML file"),
        (claml(""), "holds no classes"),
        (claml(ICDO3, "ICD-O-3"), r"is ICD-O-3 \(title 'ICD-O-3'\), not ICD-10-GM; check"),
        (claml(ICDO3, ""), "is ICD-O-3 .*, not ICD-10-GM"),
        (claml(cls("C50", "", "Brust"), "ICD-O-3"), "is ICD-O-3 .*, not ICD-10-GM"),
        (claml(OPS, "OPS"), r"is OPS \(title 'OPS'\), not ICD-10-GM"),
        (claml(FILE, "ICD-10-WHO"), "is ICD-10-WHO .*, not ICD-10-GM"),
        (claml(FILE).replace("BfArM", "WHO"), "is ICD-10-WHO .*, not ICD-10-GM"),
        (
            claml(cls("b110", "", "Bewusstsein"), "ICF"),
            r"category 'b110' is not an ICD-10-GM code\n  no ICD-10-GM codes",
        ),
        (claml(chapter("XIX", "T00-T99")), "no ICD-10-GM codes"),
        (claml(FILE + cls("T08", "T00-T99")), "class T08 stands 2 times"),
        (claml(FILE + cls("T09", "T99")), "class T09: its superclass T99 is missing"),
        (claml(FILE + cls("T09", "T09")), "class T09 stands above itself"),
        (
            claml(FILE + cls("T09", "T10") + cls("T10", "T11") + cls("T11", "T10")),
            "fetch it again:\n  class T10 stands above itself\n  class T11 stands above itself$",
        ),
        (claml(FILE + cls("T09", "T00-T99", " ")), "class T09 has no label"),
        (claml(FILE + cls("T09", "T00-T99", rubric("inclusion", "Bruch"))), "class T09 has no label"),
        (claml(FILE + cls("T09.xx", "T08")), "category 'T09.xx' is not an ICD-10-GM code"),
        (claml(FILE + cls("T09", "XIX")), "class T09 is in no block of ICD-10-GM$"),
        (
            claml(FILE + cls("a-b", "XIX", kind="block") + cls("T09", "a-b")),
            r"in no block of ICD-10-GM \(but in 'a-b'\)",
        ),
        (claml(FILE.replace("XIX", "XXIII")), "class T08 is in no chapter I to XXII"),
        (claml(FILE.replace("XIX", "Verletzungen")), "class T08 is in no chapter I to XXII"),
        (
            claml(FILE + cls("T09", "T00-T99", inside=used("M"))),
            "class T09: its modifier M is missing or has no classes",
        ),
        (
            claml(FILE + cls("T09", "T00-T99", inside=used("M")) + modifier("M", {})),
            "class T09: its modifier M is missing or has no classes",
        ),
        (
            claml(FILE + modifier("M", {".0": "a"}) + modifier("M", {".0": "b"})),
            "class .0 of modifier M stands 2 times",
        ),
        (
            claml(FILE + cls("T09", "T00-T99", inside=used("M")) + modifier("M", {".0": rubric("text", "a")})),
            "class .0 of modifier M has no label",
        ),
        (
            claml(FILE + cls("T09", "T00-T99", inside=used("M", every="false")) + modifier("M", {".0": "a"})),
            "class T09: names no class that its modifier M has",
        ),
        (
            claml(FILE + cls("T09", "T00-T99", inside=used("M")) + modifier("M", {".000": "a"})),
            r"class T09: class .000 of modifier M makes 'T09.000', which is not an ICD-10-GM code",
        ),
        (
            claml(FILE + cls("T08.1", "T08", inside=used("M")) + modifier("M", {".0": "a"})),
            r"class T08.1: class .0 of modifier M makes 'T08.0', which",
        ),
    ],
)
def test_unsound_files_are_one_input_error(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        parse_claml_icd10gm(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (claml(FILE), r"is ICD-10-GM \(title 'ICD-10-GM'\), not OPS; check that it is the right file for OPS"),
        (claml(ICDO3, ""), "is ICD-O-3 .*, not OPS"),
        (claml(OPS, "OPS"), "class 5-010: its modifier M is missing"),
        (
            claml(OPS.replace("5-01...5-02", "Kopf").replace(used("M"), ""), "OPS"),
            r"class 5-01 is in no block of OPS \(but in 'Kopf'\)",
        ),
    ],
)
def test_unsound_ops_files_are_one_input_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_claml_ops(write(tmp_path, text), "2024")
