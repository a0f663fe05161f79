import re
import unicodedata
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from onkocode.catalogues.formats.encodings import decode
from onkocode.catalogues.formats.reading import matches, problems, read_bytes, read_lines, split_fields, split_table
from onkocode.records.errors import InputError

TEXT = "Größe\nÄnderung, Öse, Übel, Café – „Befund“\nAÑO Å\n"
PATH = Path("file.txt")


def write(folder: Path, data: bytes) -> Path:
    path = folder / "file.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_encodings_of_official_files_give_the_same_text(encoding: str) -> None:
    assert decode(TEXT.encode(encoding), PATH) == TEXT


def test_latin_1_is_a_part_of_windows_1252() -> None:
    letters = "".join(chr(code) for code in range(0xA0, 0x100))
    assert decode(letters.encode("latin-1"), PATH) == letters


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize(
    "text", ["„Fuß“\n", "„Ö“ – Ä…\n", "5 × 3 °C, 10 µm, § 3\n", "Menière, Sjögren, Guérin, Ångström\n"]
)
def test_letters_before_signs_are_not_taken_for_a_wrong_encoding(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding), PATH) == text


def test_decomposed_letters_are_composed() -> None:
    decomposed = unicodedata.normalize("NFD", TEXT)
    assert decomposed != TEXT
    assert decode(decomposed.encode(), PATH) == TEXT


@pytest.mark.parametrize("letter", "äöüÄÖÜßéç")
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_lines_in_different_encodings_are_an_error_that_names_both(letter: str, form: Literal["NFC", "NFD"]) -> None:
    umlaut = unicodedata.normalize(form, letter)
    data = b"ASCII\n" + f"x{umlaut}x\n".encode() + f"x{letter}x\n".encode("cp1252")
    with pytest.raises(InputError, match=r"file\.txt:3: not UTF-8 .*, but line 2 is: the file mixes encodings"):
        decode(data, PATH)


@pytest.mark.parametrize("letter", "äöüÄÖÜßéçí–„")
@pytest.mark.parametrize("between", ["cp1252", "latin-1"])
def test_text_that_was_encoded_twice_is_an_error(letter: str, between: str) -> None:
    data = f"ASCII\nx{letter}x\n".encode().decode(between).encode()
    with pytest.raises(InputError, match=r"file\.txt:2: the letters were encoded twice"):
        decode(data, PATH)


@pytest.mark.parametrize("encoding", ["cp850", "mac_roman"])
def test_umlauts_of_dos_and_old_macs_are_an_error(encoding: str) -> None:
    data = "Lunge\nMännliche Brustdrüse, Höhle\n".encode(encoding)
    with pytest.raises(InputError, match=r"file\.txt:2: not UTF-8 .*, nor Windows-1252 .*in line 2.*iconv -f CP850"):
        decode(data, PATH)


@pytest.mark.parametrize("byte", [0x81, 0x8D, 0x8F, 0x90, 0x9D])
def test_bytes_that_windows_1252_lacks_are_an_error(byte: int) -> None:
    with pytest.raises(InputError, match=f":1: not UTF-8 .byte 0xe4., nor Windows-1252 .byte 0x{byte:02x} in line 2"):
        decode("ä\n".encode("cp1252") + bytes([byte]) + b" \n", PATH)


@pytest.mark.parametrize(("sign", "name"), [("\ufffd", "U\\+FFFD"), ("\x84", "U\\+0084"), ("\x9f", "U\\+009F")])
def test_lost_letters_are_an_error(sign: str, name: str) -> None:
    with pytest.raises(InputError, match=rf":2: holds {name}, the mark of a conversion that went wrong; fetch"):
        decode(f"ä\nBr{sign}ste\n".encode(), PATH)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_told_apart(encoding: str) -> None:
    with pytest.raises(InputError, match=r"holds zero bytes, so it is UTF-16 or no text; convert .*iconv -f UTF-16"):
        decode(TEXT.encode(encoding), PATH)


@pytest.mark.parametrize(
    ("data", "right"),
    [
        ('<?xml version="1.0" encoding="ISO-8859-1"?><a>ä</a>'.encode("latin-1"), True),
        ("<?xml version='1.0' encoding='windows-1252'?><a>ä</a>".encode("cp1252"), True),
        ('<?xml version="1.0" encoding="UTF-8"?><a>ä</a>'.encode("latin-1"), False),
        ('<?xml version="1.0"?><a>ä</a>'.encode("latin-1"), False),
        (b"\xef\xbb\xbf" + "<a>ä</a>".encode("latin-1"), False),
    ],
)
def test_xml_must_be_in_the_encoding_it_claims(data: bytes, right: bool) -> None:
    if right:
        assert "<a>ä</a>" in decode(data, PATH)
    else:
        with pytest.raises(InputError, match=r":1: not UTF-8 \(byte 0xe4\), though the file begins as UTF-8"):
            decode(data, PATH)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PK\x03\x04rest", "a ZIP archive or an Excel workbook"),
        (b"\x1f\x8brest", "a gzip archive"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\xd0\xcf\x11\xe0\xa1", "an old Excel or Word document"),
        (b"7z\xbc\xaf'\x1c", "a 7-Zip archive"),
    ],
)
def test_other_kinds_of_file_are_named(tmp_path: Path, data: bytes, kind: str) -> None:
    with pytest.raises(InputError, match=rf"file\.txt: is {kind}, not a text file; unpack it"):
        read_bytes(write(tmp_path, data))


@pytest.mark.parametrize("data", [b"a\nb\n", b"a\r\nb\r\n", b"a\r\nb\n", b"\xef\xbb\xbfa\nb\r\n"])
def test_line_ends_may_be_mixed(tmp_path: Path, data: bytes) -> None:
    lines = read_lines(write(tmp_path, data))
    assert (lines.lines, lines.ended) == (["a", "b"], True)


@pytest.mark.parametrize(("data", "line"), [(b"a\rb\r", 1), (b"a\nb\rc\n", 2), (b"a\r\nb\r\r\n", 2)])
def test_a_carriage_return_alone_is_an_error(tmp_path: Path, data: bytes, line: int) -> None:
    with pytest.raises(InputError, match=rf":{line}: a carriage return without line feed; convert the line ends"):
        read_lines(write(tmp_path, data))


def test_fields_are_named_by_the_layout_of_the_first_line(tmp_path: Path) -> None:
    layouts = {3: ("a", "b"), 2: ("b", "a")}
    three = split_fields(read_lines(write(tmp_path, b"1;2;3\n4;5;6\n")), ";", layouts, "test")
    assert three.rows(named=True) == [{"line": 1, "a": "1", "b": "2"}, {"line": 2, "a": "4", "b": "5"}]
    two = split_fields(read_lines(write(tmp_path, b"1;2\n")), ";", layouts, "test")
    assert two.rows(named=True) == [{"line": 1, "b": "1", "a": "2"}]


@pytest.mark.parametrize(
    ("data", "accepted"), [(b"a;A\nb;A", True), (b"a;A\nb;", False), (b"a;A\nb", False), (b"a;B\nb;B", False)]
)
def test_a_last_line_without_end_must_show_that_it_is_whole(tmp_path: Path, data: bytes, accepted: bool) -> None:
    lines = read_lines(write(tmp_path, data))
    if accepted:
        assert split_fields(lines, ";", {2: ("a", "b")}, "test", whole=["A"])["b"].to_list() == ["A", "A"]
    else:
        with pytest.raises(InputError, match=":2: the last line has no line end, so the file was cut off; fetch it"):
            split_fields(lines, ";", {2: ("a", "b")}, "test", whole=["A"])


def test_a_table_gives_the_columns_asked_for(tmp_path: Path) -> None:
    lines = read_lines(write(tmp_path, b'x,line,y\n1,2,"3, ""4"""\n'))
    frame = split_table(lines, ",", {"y": "b", "x": "a"}, "test")
    assert frame.rows(named=True) == [{"line": 2, "b": '3, "4"', "a": "1"}]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("C5O.9", "'C5O.9'"),
        ("ja", "'ja'"),
        ("Karzinom", "a value of 8 characters"),
        ("Karzinom, G3", "a value of 12 characters"),
    ],
)
def test_messages_repeat_codes_but_no_texts(value: str, shown: str) -> None:
    rows = pl.DataFrame({"line": [7], "code": [value]})
    assert problems(rows, [(pl.lit(True), "{code} is wrong")]) == [f"line 7: {shown} is wrong"]


@pytest.mark.parametrize(
    ("value", "right"), [("C50", True), ("C50\n", False), ("xC50", False), ("C٥٠", False), ("C5", False)]
)
def test_codes_match_as_a_whole_and_in_ascii(value: str, right: bool) -> None:
    assert pl.DataFrame({"code": [value]}).select(matches("code", re.compile(r"C\d\d"))).item() is right
