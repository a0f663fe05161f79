from pathlib import Path

import pytest

from onkocode.catalogues.codes import behaviour, is_tumour
from onkocode.catalogues.kodes import parse_icd10gm, parse_ops
from onkocode.catalogues.label_space import LabelSpace
from onkocode.records.errors import InputError


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
    entries, codes = parse_ops(write(tmp_path, f"5;5-87...5-88;5-87;Eingriffe{end}"), "2024")
    assert entries["entry_id"].to_list() == ["ops-2024:5-87"]
    assert codes.select("chapter", "group", "code", "title", "terminal").rows() == [
        ("5", "5-87...5-88", "5-87", "Eingriffe", True)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ICD[:-20], "the last line has no line end"),
        (ICD.encode("cp1252"), ":1: not UTF-8 .*WINDOWS-1252"),
        (ICD.replace(";9\n", "\n"), r"layout \(28 fields separated by ';'\)(.|\n)*line 1: 27 fields"),
        (ICD + icd(4, "T", "02", "C50", "C50.9", "noch einmal"), "line 7: code C50.9 stands in line 2 already"),
        (ICD + icd(4, "T", "02", "C50", "C50.xx", "Text"), "line 7: 'C50.xx' is not an ICD-10-GM code"),
        (ICD + icd(4, "X", "02", "C50", "C50.8", "Text"), r"line 7: second field must be T \(terminal\) or N, is 'X'"),
        (OPS, "layout .28 fields"),
        ("", "is empty"),
    ],
)
def test_unsound_icd10gm_names_file_and_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        parse_icd10gm(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OPS + OPS, "line 4: code 5-87 stands in line 1 already"),
        (OPS + "3;N\n", "line 4: 2 fields"),
        (OPS + ops(4, "ja", "5-87", "5-871", "Text"), "line 4: second field must be T"),
        (ICD, "line 1: 'C50' is not an OPS code"),
        ("a;b\n", r"OPS kodes layout \(9 fields(.|\n)*line 1: 2 fields"),
        ("5;g;5-8;Text\n", "line 1: '5-8' is not an OPS code"),
        ("<html><body>Fehler</body></html>\n", "is an HTML page"),
    ],
)
def test_unsound_ops_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        parse_ops(path, "2024")
    assert str(caught.value).startswith(str(path))
