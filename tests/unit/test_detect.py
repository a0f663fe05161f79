from pathlib import Path

import pytest

from onkocode.catalogues.fetching.sources import read_sources
from onkocode.catalogues.formats.detect import HEAD, Detected, detect, refuse_another
from onkocode.catalogues.formats.names import version_in_name, year_in_name
from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.records.errors import InputError

KODES = "4;T;X;02;C50;C50.9;C50.9;C509;Brust;Brust;Brust;;P;P" + ";9" * 14 + "\n"
OPS_KODES = "4;T;X;5;5-87;5-87-;5-870;5870;Exzision;Eingriffe;Exzision;;;N;N;9999;9999;N\n"
CROSSWALK = "Version\tTopographie\tTopographie Text\tMorphologiecodes\tDignität\tDefault\tICD10\tICD-10 Text\n"


def claml(title: str, classes: str = "", meta: str = "") -> str:
    start = '<?xml version="1.0"?>\n<!-- <Title name="OPS" version="1999"/> -->\n<ClaML version="2.0.0">'
    return f"{start}{meta}<Identifier uid='x'/>{title}{classes}</ClaML>"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("1|I1|C50.9|||||Text\n", "icd10gm2024_alphaidse_edvtxt_20230929.txt", ("alphaid", "2024", "8 fields")),
        ("1|I1|C50.9||||Text\n", "icd102020_alphaid_edvtxt_20191004.txt", ("alphaid", "2020", "7 fields")),
        ("0|I1|C50.9|||Text\n", "icd10gm2014_alphaid_edvascii_20130930.txt", ("alphaid", "2014", "6 fields")),
        ("Alpha-ID;Label;ICD-10-Code;Tumordiagnose\nI1;Text;C50.9;1\n", "", ("alphaid", None, "list with header")),
        (KODES, "icd10gm2024syst_kodes.txt", ("icd10gm", "2024", "kodes")),
        (KODES, "icd10gmsyst_kodes2011.txt", ("icd10gm", "2011", "kodes")),
        (OPS_KODES, "ops2017syst_kodes.txt", ("ops", "2017", "kodes")),
        ("5;5-87;5-87;Eingriffe\n", "dreisteller.txt", ("ops", None, "dreisteller")),
        ("code;label\n5-87;Eingriffe\n", "ops2023_labels.csv", ("ops", "2023", "code;label")),
        ("A00.0;A00.0;A;A\n", "icd10gm2024syst_umsteiger_2023_2024.txt", ("transitions", "2023_2024", "4 fields")),
        ("UNDEF;U69.75;;\n", "", ("transitions", None, "4 fields")),
        (CROSSWALK, "icdo_icd10.csv", ("crosswalk", None, "tab-separated")),
        (CROSSWALK + "ICD-O-3.2 2019\tC50\n", "2020.csv", ("crosswalk", "2019", "tab-separated")),
        (claml('<Title name="ICD-10-GM" version="2024" date="2023-09-15">x</Title>'), "", ("icd10gm", "2024", "ClaML")),
        (claml("<Title date='2022-10-21' name='OPS' version='2023'>x</Title>"), "a2020.xml", ("ops", "2023", "ClaML")),
        (
            claml(
                '<Title date="2020-11-27" name="ICD-O-3" version="Zweite Revision">x</Title>',
                meta='<Meta name="titleLong" value="ICD-O, Zweite Revision 2019"/>',
            ),
            "",
            ("icdo3", "2019", "ClaML"),
        ),
        (claml('<Title name="ICD-O-3" date="2020-11-27">x</Title>'), "icdo32019_claml.xml", ("icdo3", "2019", "ClaML")),
        (claml("", '<Class kind="category" code="8140:3"/>'), "", ("icdo3", None, "ClaML")),
        (CROSSWALK + "ICD-O-3.2\tC50\n", "", ("crosswalk", "2019", "tab-separated")),
        (claml('<Title name="ICD-10-GM 2024"/>'), "a2023.xml", ("icd10gm", "2024", "ClaML")),
        (claml('<Title name="ICD-10-GM">Version 2024, Stand 2023</Title>'), "", ("icd10gm", "2024", "ClaML")),
        (claml("<Title version='2024' name=\"ICD-10-GM\" x='a > b'/>"), "", ("icd10gm", "2024", "ClaML")),
        (claml("", '<Class code="5" kind="chapter"/><Class code="5-87"/>'), "", ("ops", None, "ClaML")),
        (claml("", '<Class code="A00"/>'), "", ("icd10gm", None, "ClaML")),
    ],
)
def test_content_tells_the_dataset(text: str, name: str, expected: tuple[str, str | None, str]) -> None:
    for data in (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.replace("\n", "\r\n").encode("latin-1")):
        assert detect(data, name) == Detected(*expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "year"),
    [
        ("Erste Revision", "2014"),
        ("Dritte Ausgabe, Erste Revision 2014", "2014"),
        ("1. Revision, Stand 2019", "2014"),
        ("Revision 1", "2014"),
        ("rev1", "2014"),
        ("First Revision (2013)", "2014"),
        ("ICD-O-3.1", "2014"),
        ("zweite Revision", "2019"),
        ("Revision 2", "2019"),
        ("Second revision", "2019"),
        ("3.2", "2019"),
        ("10. Revision", None),
        ("Revision 12", None),
        ("Dritte Ausgabe", None),
    ],
)
@pytest.mark.parametrize("place", ["version", "titleLong", "text", "name"])
def test_a_revision_of_icdo3_is_a_version(words: str, year: str | None, place: str) -> None:
    title = {
        "version": f'<Title name="ICD-O-3" version="{words}" date="2020-11-27"/>',
        "text": f'<Title name="ICD-O-3" date="2020-11-27">{words}</Title>',
    }.get(place, '<Title name="ICD-O-3" date="2020-11-27"/>')
    meta = f'<Meta name="titleLong" value="{words}"/>' if place == "titleLong" else ""
    name = f"icdo3 {words}.xml" if place == "name" else "icdo3.xml"
    found = detect(claml(title, meta=meta).encode(), name)
    assert found is not None
    assert found.version == year


CLASS = '<Class code="A00" kind="category">{}<Rubric kind="preferred"><Label>x</Label></Rubric></Class>'
USED = '<Meta name="Para295" value="P"/>'


@pytest.mark.parametrize(
    ("title", "meta", "authority", "in_class", "german"),
    [
        ("ICD-10", "", "", USED, True),
        ("ICD-10", "", "", USED.replace("295", "301"), True),
        ("ICD10", "", "DIMDI", "", True),
        ("ICD-10", "", "BfArM", "", True),
        ("ICD-10", "10. Revision - German Modification", "", "", True),
        ("ICD-10", "10. Revision", "", "", False),
        ("ICD-10", "10. Revision - WHO-Ausgabe", "DIMDI", "", False),
        ("ICD-10", "10. Revision", "WHO", "", False),
        ("ICD-10-WHO", "", "DIMDI", "", False),
        ("ICD-10-CM", "", "", "", False),
        ("ICD-10-GM", "10. Revision, WHO und DIMDI", "", "", True),
        ("", "10. Revision - WHO-Ausgabe", "", "", False),
        ("", "10. Revision", "", "", True),
    ],
)
def test_which_icd10_is_the_german_one(title: str, meta: str, authority: str, in_class: str, german: bool) -> None:
    known = f'<Meta name="copyright" value="WHO, DIMDI"/><Meta name="titleLong" value="{meta}"/>'
    text = claml(f'<Title name="{title}" version="2024"/>', CLASS.format(in_class), known)
    found = detect(text.replace("uid='x'", f'authority="{authority}" uid="x"').encode(), "any.xml")
    assert found == (Detected("icd10gm", "2024", "ClaML") if german else None)


@pytest.mark.parametrize(
    "before",
    [
        '<!-- <ClaML><Title name="OPS" version="1999"/></ClaML> -->',
        '<!DOCTYPE ClaML SYSTEM "ClaML.dtd">',
        '<!DOCTYPE ClaML [ <!ELEMENT Title (#PCDATA)> <!-- <Title name="OPS" version="1999"/> --> ]>',
        '<?note <Title name="OPS" version="1999"/> ?>',
    ],
)
def test_what_stands_outside_the_elements_says_nothing(before: str) -> None:
    inside = '<!-- > <Title name="OPS" version="1998"/> --><![CDATA[<Title name="OPS" version="1997"/>]]>'
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{before}<ClaML version="2.0.0">{inside}'
    text += '<Title name="ICD-10-GM" version="2024"/></ClaML>'
    assert detect(text.encode(), "x2001.xml") == Detected("icd10gm", "2024", "ClaML")


def test_a_file_that_says_another_year_is_not_parsed_as_this_one(tmp_path: Path) -> None:
    path = tmp_path / "file.xml"
    path.write_text(claml('<Title name="OPS" version="2023"/>'), encoding="utf-8")
    refuse_another("ops", path, "2023")
    refuse_another("ops", path, "own")
    with pytest.raises(InputError, match=r"file\.xml: should be OPS 2024 but says that it is version 2023"):
        parse_catalogue("ops", "2024", path)
    named = path.rename(tmp_path / "ops2023.txt")
    named.write_text(OPS_KODES, encoding="utf-8")
    with pytest.raises(InputError, match="says that it is version 2023"):
        parse_catalogue("ops", "2024", named)


def test_the_who_edition_is_named(tmp_path: Path) -> None:
    path = tmp_path / "icd.xml"
    meta = '<Meta name="titleLong" value="10. Revision - WHO-Ausgabe"/>'
    path.write_text(claml('<Title name="ICD-10" version="2019"/>', CLASS, meta), encoding="utf-8")
    with pytest.raises(InputError, match=r"icd\.xml: is ICD-10 of the WHO, not ICD-10-GM"):
        parse_catalogue("icd10gm", "2019", path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\xff\xfe1\x00|\x00",
        b"PK\x03\x04",
        b"<html><body>Title name='OPS'</body></html>",
        b"<svg><ClaML/></svg>",
        b"<",
        b"id;text;icd10;topography\n1;Mammakarzinom;C50.9;C50.9\n",
        b"A00;A09;01;Infektionen\nA15;A19;01;Tuberkulose\n",  # groups of ICD-10-GM
        b"1;1-10;1-10;Untersuchung\n1;1-20;1-33;Organe\n",  # groups of OPS
        b"01;Infektionen\n",  # chapters
        b"code;label\nC50;Brust\n",
        claml('<Title name="ICD-10-WHO" version="2019">x</Title>', '<Class code="A00"/>').encode(),
        claml("", "").encode(),
    ],
)
def test_what_no_parser_reads_is_nothing(data: bytes) -> None:
    assert detect(data, "icd10gm2024syst_kodes.txt") is None


def test_a_bad_line_hides_nothing() -> None:
    rows = ["1|I1|C50.9|||||Text"] * 3 + ["kaputt"]
    assert detect("\n".join(rows).encode()) == Detected("alphaid", None, "8 fields")


def test_only_the_beginning_counts() -> None:
    row = b"1|I1|C50.9|||||" + b"x" * 5_000 + b"\n"
    data = row * 60
    assert len(data) > HEAD
    assert detect(data) == detect(data[: HEAD + 1]) == Detected("alphaid", None, "8 fields")
    assert detect(row + b"\0" * 2 * HEAD) == Detected("alphaid", None, "8 fields")


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("icd10gm2024syst_kodes.txt", "2024"),
        ("icd102020_alphaidse_edvtxt_20191004.txt", "2020"),
        ("icd10gm2022_alphaidse_edvtxt_20210930_20211008.txt", "2022"),
        ("icdo32019_claml.xml", "2019"),
        ("icdo3rev2-2019syst-claml-20210129.zip", "2019"),
        ("ICD10GM2025SYST-META.ZIP", "2025"),
        ("icd-10-gm_version2026.xml", "2026"),
        ("x1gmt2015.zip", "2015"),
        ("alphaid.txt", None),
        ("icd10_solid_tumours_65c.csv", None),
        ("kodes_20221206.txt", None),
        ("icd10gm_20221206.txt", None),
        ("folder2023/ops.txt", None),
    ],
)
def test_year_in_names(name: str, year: str | None) -> None:
    assert year_in_name(name) == year


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("icd10gm2024syst_umsteiger_2023_20221206_2024.txt", "2023_2024"),
        ("umsteiger_icd10gmsyst2011_icd10gmsyst2012.txt", "2011_2012"),
        ("umsteiger20042005.txt", "2004_2005"),
        ("umsteiger_2005.txt", "2005"),
        ("umsteiger_20221206.txt", None),
        ("umsteiger_2021_2022_2023.txt", None),
        ("2023/umsteiger.txt", None),
    ],
)
def test_both_years_in_the_name_of_a_transition_table(name: str, version: str | None) -> None:
    assert version_in_name("transitions", name) == version


def test_another_dataset_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text(OPS_KODES, encoding="utf-8")
    refuse_another("ops", path)
    refuse_another("ops", tmp_path / "none.txt")  # the parser says that it is missing
    with pytest.raises(
        InputError, match=r"file\.txt: is an OPS file \(kodes\), not ICD-10-GM; give the ICD-10-GM file"
    ):
        refuse_another("icd10gm", path)


def test_the_example_files_are_recognised(root: Path) -> None:
    sources = read_sources(root / "config/catalogues.tsv")
    for (dataset, version), source in sources.items():
        if version == "example":
            path = root / source.file
            found = detect(path.read_bytes(), path.name)
            assert found is not None
            assert found.dataset == dataset


@pytest.mark.catalogues
def test_the_real_files_are_recognised(catalogues: Path) -> None:
    found = {path.name: detect(path.read_bytes(), path.name) for path in catalogues.rglob("*") if path.is_file()}
    kinds = {name: (kind.dataset, kind.version, kind.layout) for name, kind in found.items() if kind}
    assert kinds["icd10gm2020_alphaid_se_muster_edvtxt_20191004.txt"] == ("alphaid", "2020", "8 fields")
    assert kinds["alphaid2024_tumour_subset.csv"] == ("alphaid", "2024", "list with header")
    assert kinds["icd10gm2023syst_kodes_20221206.txt"] == ("icd10gm", "2023", "kodes")
    assert kinds["icd10gm2024syst_umsteiger_2023_20221206_2024.txt"] == ("transitions", "2023_2024", "4 fields")
    assert kinds["icdo32019_claml.xml"] == ("icdo3", "2019", "ClaML")
    assert kinds["ops2024syst_dreisteller.txt"] == ("ops", "2024", "dreisteller")
    assert kinds["ops2023_3_4digit_labels_from_MAPCARE.csv"] == ("ops", "2023", "code;label")
    assert kinds["icdo_icd10_solid_tumours_65c.csv"] == ("crosswalk", "2019", "tab-separated")
    assert not {"ops2024syst_gruppen.txt", "ops2024syst_kapitel.txt", "icd10gm2024syst_gruppen.txt"} & kinds.keys()
