import unicodedata
from pathlib import Path

import pytest

from onkocode.catalogues.formats.delimited import read_delimited, visible
from onkocode.records.errors import InputError

INVISIBLE = [
    chr(code)
    for code in range(0x30000)
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zs", "Zl", "Zp") and chr(code) not in "\n\r\t"
]
INVISIBLE += [
    "\u034f",
    "\u115f",
    "\u1160",
    "\u17b4",
    "\u2800",
    "\u3164",
    "\ufe0f",
    "\uffa0",
    "\U000e0061",
    "\U000e0101",
]


def write(folder: Path, data: bytes) -> Path:
    path = folder / "file.csv"
    path.write_bytes(data)
    return path


def rows(folder: Path, text: str, encoding: str = "utf-8") -> list[tuple[int, list[str]]]:
    return list(read_delimited(write(folder, text.encode(encoding)))[1])


@pytest.mark.parametrize("sign", INVISIBLE, ids=lambda sign: f"{ord(sign):x}")
def test_nobody_sees_it(sign: str) -> None:
    assert visible(sign) == ""
    assert visible(f"{sign} \u200b{sign}\u0301") == ""
    assert visible(f"{sign}C50.9{sign}") == "C50.9"
    inside = visible(f"C5{sign}0.9")
    assert inside == (f"C5{sign}0.9" if sign.isspace() else "C50.9")


@pytest.mark.parametrize("text", ["Ca", "ä", "a\nb", "漢", "–", "5", "€", "a\u00a0b", "e\u0323", "☢", "\ue000", "-"])
def test_what_is_seen_stays(text: str) -> None:
    assert visible(text) == text
    assert visible(f"\ufeff {text}\u00a0") == text


def test_letters_are_composed(tmp_path: Path) -> None:
    text = "Nr;Größe\n1;Drüse Å\n"
    header, found = read_delimited(write(tmp_path, unicodedata.normalize("NFD", text).encode()))
    assert (header, list(found)) == (["Nr", "Größe"], [(2, ["1", "Drüse Å"])])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_line_ends_and_lines(tmp_path: Path, encoding: str, end: str, separator: str) -> None:
    text = '\n;;\nid;b;c\n1;"ä\n\nö";x\n;;\n\n2;y;z\n ; ;\n'.replace("\n", end).replace(";", separator)
    header, found = read_delimited(write(tmp_path, text.encode(encoding)))
    assert (header, found.header_line) == (["id", "b", "c"], 3)
    assert list(found) == [(4, ["1", f"ä{end}{end}ö", "x"]), (9, ["2", "y", "z"])]
    assert found.empty == 2
    assert found.note == ["2 empty row(s) were passed over"]


@pytest.mark.parametrize("text", ["id;b\n1;a\rb\n", "id;b\r1;a\n2;b\n", "id\r;b\n"])
def test_a_carriage_return_between_line_feeds_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"file\.csv:[12]: a carriage return without line feed outside of quotes"):
        rows(tmp_path, text)


def test_a_carriage_return_in_quotes_is_part_of_the_cell(tmp_path: Path) -> None:
    assert rows(tmp_path, 'id;b\n1;"a\rb"\n2;c\n') == [(2, ["1", "a\rb"]), (3, ["2", "c"])]


@pytest.mark.parametrize("last", ["\u200b;\u3164", '"";""', " ;\u00a0", ";;;;", ";"])
def test_rows_of_separators_are_empty(tmp_path: Path, last: str) -> None:
    _, found = read_delimited(write(tmp_path, f"id;b\n1;a\n{last}\n".encode()))
    assert list(found) == [(2, ["1", "a"])]
    assert found.empty == 1


def test_a_row_with_any_filled_cell_stays(tmp_path: Path) -> None:
    assert rows(tmp_path, "id;b\n;a\n1;\n;-\n") == [(2, ["", "a"]), (3, ["1", ""]), (4, ["", "-"])]


def test_nothing_to_note_about_empty_lines(tmp_path: Path) -> None:
    _, found = read_delimited(write(tmp_path, b"id;b\n\n1;a\n\n\n"))
    assert (list(found), found.note) == ([(3, ["1", "a"])], [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "Drüse\nHöhle".encode() + "\nFüße".encode("cp1252"),
            r":3: not UTF-8 .* but line 1 is: the file mixes .*; save",
        ),
        (
            "Lunge\nFüße\n".encode("cp1252") + "Höhle".encode(),
            r":2: not UTF-8 .* but line 3 is: the file mixes .*; save",
        ),
        ("a\nDrüse".encode().decode("cp1252").encode(), r":2: the letters were encoded twice; save it as UTF-8"),
        ("a\nb\nDr\ufffdse".encode(), r":3: holds U\+FFFD, the mark of a conversion that went wrong; save it as UTF-8"),
        ("a\nDrüse".encode("cp850"), r":2: not UTF-8 .*, nor Windows-1252 \(byte 0x81 in line 2\); find out"),
        ("a\nDrüse".encode("mac_roman"), r":2: not UTF-8 .*, nor Windows-1252 \(byte 0x9f in line 2\); find out"),
        ("a\nDrüse".encode("utf-16"), r":1: holds zero bytes, so it is UTF-16 or no text; save it as UTF-8"),
    ],
)
def test_wrong_letters_are_refused_without_repeating_them(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=r"file\.csv" + message) as caught:
        read_delimited(write(tmp_path, data))
    assert not [word for word in ("Drüse", "Höhle", "Füße", "hle") if word in str(caught.value)]
