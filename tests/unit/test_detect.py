from pathlib import Path

import pytest

from onkocode.catalogues.detect import HEAD, Detected, detect, refuse_another, year_in_name
from onkocode.catalogues.sources import read_sources
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
        ("A00.0;A00.0;A;A\n", "icd10gm2024syst_umsteiger_2023_20221206_2024.txt", ("transitions", "2024", "4 fields")),
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
        (claml("", '<Class code="5" kind="chapter"/><Class code="5-87"/>'), "", ("ops", None, "ClaML")),
        (claml("", '<Class code="A00"/>'), "", ("icd10gm", None, "ClaML")),
    ],
)
def test_content_tells_the_dataset(text: str, name: str, expected: tuple[str, str | None, str]) -> None:
    for data in (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.replace("\n", "\r\n").encode("latin-1")):
        assert detect(data, name) == Detected(*expected)  # type: ignore[arg-type]


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
    assert kinds["icd10gm2024syst_umsteiger_2023_20221206_2024.txt"] == ("transitions", "2024", "4 fields")
    assert kinds["icdo32019_claml.xml"] == ("icdo3", "2019", "ClaML")
    assert kinds["ops2024syst_dreisteller.txt"] == ("ops", "2024", "dreisteller")
    assert kinds["ops2023_3_4digit_labels_from_MAPCARE.csv"] == ("ops", "2023", "code;label")
    assert kinds["icdo_icd10_solid_tumours_65c.csv"] == ("crosswalk", "2019", "tab-separated")
    assert not {"ops2024syst_gruppen.txt", "ops2024syst_kapitel.txt", "icd10gm2024syst_gruppen.txt"} & kinds.keys()
