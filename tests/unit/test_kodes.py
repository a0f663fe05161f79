from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.formats.kodes import parse_icd10gm, parse_ops
from onkocode.catalogues.vocabulary.codes import behaviour, is_tumour
from onkocode.catalogues.vocabulary.label_space import LabelSpace
from onkocode.records.errors import InputError
from onkocode.records.schemas import empty_table, read_table, write_table


def icd(level: int, terminal: str, chapter: str, group: str, code: str, title: str) -> str:
    plain = code.replace(".", "")
    head = [str(level), terminal, "X", chapter, group, code + "-", code, plain, title, title, "", ""]
    return ";".join(head + ["9"] * 16) + "\n"


def ops(level: int, terminal: str, group: str, code: str, title: str) -> str:
    head = [str(level), terminal, "X", code[0], group, code, code, code.replace("-", ""), title, title]
    return ";".join(head + ["N"] * 8) + "\n"


ICD = (
    icd(3, "N", "02", "C50", "C50", "Bösartige Neubildung der Brust")
    + icd(4, "T", "02", "C50", "C50.9", "Brust, o.n.A.")
    + icd(4, "T", "02", "D00", "D05.1", "In-situ der Brust")
    + icd(4, "T", "02", "D10", "D24", "Gutartig, Brust")
    + icd(4, "T", "02", "D37", "D48.6", "Unsicher, Brust")
    + icd(5, "T", "04", "E10", "E10.20", "Diabetes")
)
OPS = (
    ops(3, "N", "5-87", "5-87", "Eingriffe")
    + ops(4, "T", "5-87", "5-870", "Exzision")
    + ops(5, "T", "5-87", "5-870.a", "x")
)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "kodes.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_icd10gm_by_hand(tmp_path: Path) -> None:
    codes = parse_icd10gm(write(tmp_path, ICD))
    columns = ["code", "title", "terminal", "chapter", "group", "category", "behaviour", "tumour"]
    assert codes.select(columns).rows() == [
        ("C50", "Bösartige Neubildung der Brust", False, "02", "C50", "C50", "malignant", True),
        ("C50.9", "Brust, o.n.A.", True, "02", "C50", "C50", "malignant", True),
        ("D05.1", "In-situ der Brust", True, "02", "D00", "D05", "in-situ", True),
        ("D24", "Gutartig, Brust", True, "02", "D10", "D24", "benign", True),
        ("D48.6", "Unsicher, Brust", True, "02", "D37", "D48", "uncertain", True),
        ("E10.20", "Diabetes", True, "04", "E10", "E10", None, False),
    ]


@pytest.mark.parametrize(
    ("code", "tumour", "found"),
    [
        ("B99", False, None),
        ("C00.0", True, "malignant"),
        ("C97", True, "malignant"),
        ("D00.0", True, "in-situ"),
        ("D09.9", True, "in-situ"),
        ("D10.0", True, "benign"),
        ("D36.9", True, "benign"),
        ("D37.0", True, "uncertain"),
        ("D48.9", True, "uncertain"),
        ("D50.0", False, None),
    ],
)
def test_limits_of_chapter_two(code: str, tumour: bool, found: str | None) -> None:
    assert is_tumour(code) is tumour
    assert behaviour(code) == found


def test_label_space_judges_codes(tmp_path: Path) -> None:
    space = LabelSpace.of(parse_icd10gm(write(tmp_path, ICD)), "icd10gm")
    assert [space.exists(code) for code in ("C50", "C50.9", "C50.8")] == [True, True, False]
    assert [space.is_terminal(code) for code in ("C50", "C50.9", "C50.8")] == [False, True, False]


def test_ops_kodes_by_hand(tmp_path: Path) -> None:
    entries, codes = parse_ops(write(tmp_path, b"\xef\xbb\xbf" + OPS.replace("\n", "\r\n").encode()), "2024")
    assert entries.select("entry_id", "kind", "code", "text", "flags").rows() == [
        ("ops-2024:5-87", "procedure", "5-87", "Eingriffe", []),
        ("ops-2024:5-870", "procedure", "5-870", "Exzision", []),
        ("ops-2024:5-870.a", "procedure", "5-870.a", "x", []),
    ]
    assert codes.select("code", "terminal", "category", "tumour").rows() == [
        ("5-87", False, "5-87", False),
        ("5-870", True, "5-87", False),
        ("5-870.a", True, "5-87", False),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ops_three_character_classes_by_hand(tmp_path: Path, end: str) -> None:
    text = f"1;1-40;1-40;Probe ohne Schnitt{end}1;1-40;1-42;Probe am Mund{end}5;5-87;5-87;Eingriffe{end}"
    entries, codes = parse_ops(write(tmp_path, text), "2024")
    assert entries["entry_id"].to_list() == ["ops-2024:1-40", "ops-2024:1-42", "ops-2024:5-87"]
    assert codes.select("chapter", "group", "code", "title", "terminal").rows() == [
        ("1", "1-40", "1-40", "Probe ohne Schnitt", True),
        ("1", "1-40", "1-42", "Probe am Mund", True),
        ("5", "5-87", "5-87", "Eingriffe", True),
    ]


def test_ops_groups_are_no_classes(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r":2: the group's first class is missing.*`gruppen`.*give the kodes or dreist"
    ):
        parse_ops(write(tmp_path, "1;1-10;1-10;Untersuchung\n1;1-20;1-33;Organe\n"), "2024")


def test_ops_list_of_labels_by_hand(tmp_path: Path) -> None:
    text = 'code;label\n5-87;Eingriffe\n5-870;"Exzision; klein"\n5-88;Anderes\n'
    entries, codes = parse_ops(write(tmp_path, text), "2023")
    assert entries.select("entry_id", "text").rows() == [
        ("ops-2023:5-87", "Eingriffe"),
        ("ops-2023:5-870", "Exzision; klein"),
        ("ops-2023:5-88", "Anderes"),
    ]
    # Terminal is what has no finer code in the list.
    assert codes.select("code", "terminal", "chapter", "group", "category").rows() == [
        ("5-87", False, "5", "", "5-87"),
        ("5-870", True, "5", "", "5-87"),
        ("5-88", True, "5", "", "5-88"),
    ]


@pytest.mark.parametrize("width", [9, 10, 14, 16, 18])
def test_ops_kodes_of_any_year(tmp_path: Path, width: int) -> None:
    text = "".join(";".join(line.split(";")[:width]) + "\n" for line in OPS.splitlines())
    assert parse_ops(write(tmp_path, text), "2010")[1].equals(parse_ops(write(tmp_path, OPS), "2010")[1])


def test_thirty_fields_until_2017_are_read_alike(tmp_path: Path) -> None:
    rows = [line.split(";") for line in ICD.splitlines()]
    older = "".join(";".join([*row[:21], "999", row[21], "999", *row[22:]]) + "\n" for row in rows)
    assert older.split("\n", 1)[0].count(";") == 29
    assert parse_icd10gm(write(tmp_path, older)).equals(parse_icd10gm(write(tmp_path, ICD)))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_icd10gm_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    assert parse_icd10gm(write(tmp_path, ICD.encode(encoding))).equals(parse_icd10gm(write(tmp_path, ICD)))


def test_the_last_line_may_lack_its_end_only_where_a_cut_would_show(tmp_path: Path) -> None:
    ends = ICD.replace(";9\n", ";J\n")
    assert parse_icd10gm(write(tmp_path, ends.removesuffix("\n"))).equals(parse_icd10gm(write(tmp_path, ICD)))
    for cut in (ends[:-2], ends[:-3], ICD[:-1], ICD[:-20]):
        with pytest.raises(InputError, match=":6: the last line has no line end"):
            parse_icd10gm(write(tmp_path, cut))


@pytest.mark.parametrize("table", ["icd10gm", "ops"])
def test_one_row_is_a_whole_table(tmp_path: Path, table: str) -> None:
    kodes = write(tmp_path, ICD.splitlines()[-1] + "\n" if table == "icd10gm" else OPS.splitlines()[0] + "\n")
    codes = parse_icd10gm(kodes) if table == "icd10gm" else parse_ops(kodes, "2024")[1]
    path = tmp_path / "codes.parquet"
    write_table(codes, "codes", path)
    assert read_table(path, "codes").schema == empty_table("codes").schema
    assert codes.select(empty_table("codes").columns).schema == empty_table("codes").schema


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ICD.replace(";9\n", "\n"), r"layout \(28 or 30 fields separated by ';'\)(.|\n)*line 1: 27 fields"),
        (ICD + icd(4, "T", "02", "C50", "C50.9", "noch einmal"), "line 7: code 'C50.9' stands in line 2 already"),
        (ICD + icd(4, "T", "02", "C50", "C50.xx", "Text"), "line 7: 'C50.xx' is not an ICD-10-GM code"),
        (ICD + icd(4, "X", "02", "C50", "C50.8", "Text"), r"line 7: second field must be T \(terminal\) or N, is 'X'"),
        (ICD + icd(4, "T", "02", "C50", "C50.8", " "), "line 7: code 'C50.8' has no title"),
        (OPS, "layout .28 or 30 fields"),
        ("", "is empty"),
    ],
)
def test_unsound_icd10gm_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        parse_icd10gm(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OPS + OPS, "line 4: code '5-87' stands in line 1 already"),
        (OPS + "3;N\n", "line 4: 2 fields"),
        (OPS + ops(4, "ja", "5-87", "5-871", "Text"), "line 4: second field must be T"),
        (ICD, "line 1: 'C50' is not an OPS code"),
        ("a;b\n", r"OPS kodes layout \(9 to 30 fields(.|\n)*line 1: 2 fields"),
        ("5;5-8;5-8;Text\n", "line 1: '5-8' is not an OPS code"),
        ("code;label\n5-8;Text\n", "line 2: '5-8' is not an OPS code"),
        ("code;title\n5-87;Text\n", "column 'label' is missing"),
        ("code;label\n5-87;Text", ":2: the last line has no line end"),
        ("5;5-87;5-87;Text", ":1: the last line has no line end"),
        (OPS.removesuffix("\n"), ":3: the last line has no line end"),
        ("<html><body>Fehler</body></html>\n", "is an HTML page"),
    ],
)
def test_unsound_ops_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        parse_ops(path, "2024")
    assert str(caught.value).startswith(str(path))


@pytest.mark.catalogues
@pytest.mark.parametrize(
    ("year", "codes", "terminal"), [("2023", 16_756, 831), ("2024", 16_793, 832), ("2025", 16_817, 832)]
)
def test_real_icd10gm(catalogues: Path, year: str, codes: int, terminal: int) -> None:
    space = parse_icd10gm(next(catalogues.rglob(f"icd10gm{year}syst_kodes*.txt")))
    assert space.height == codes
    assert space.filter(pl.col("tumour") & pl.col("terminal")).height == terminal


@pytest.mark.catalogues
def test_real_lists_of_ops(catalogues: Path) -> None:
    _, of_2024 = parse_ops(next(catalogues.rglob("ops2024syst_dreisteller.txt")), "2024")
    assert of_2024.height == 239
    entries, of_2023 = parse_ops(next(catalogues.rglob("ops2023_3_4digit_labels*.csv")), "2023")
    assert (entries.height, of_2023.filter("terminal").height) == (1_853, 1_614)
    with pytest.raises(InputError, match="`gruppen`"):
        parse_ops(next(catalogues.rglob("ops2024syst_gruppen.txt")), "2024")
