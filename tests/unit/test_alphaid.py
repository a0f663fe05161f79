from pathlib import Path

import pytest

from onkocode.catalogues.alphaid import parse_alphaid
from onkocode.records.errors import InputError
from onkocode.records.schemas import empty_table, read_table, write_table

ROWS = """\
1|I1|C50.9|||||Karzinom der Brust
0|I2|C50.9|||||Alter Eintrag
1|I3|A17.0+|G01*||||Hirnhautentzündung bei Tuberkulose
1|I4|||U80.0!|||Erreger mit Resistenz
1|I5|E10.20+|N08.3*|U69.0!|I79.2||Diabetes mit Folgen
1|I6|C41.8|||||  Sarkom des Beckens  
1|I7|D61.0||||124|Seltene Anämie
"""  # noqa: W291


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "alphaid.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_by_hand(tmp_path: Path) -> None:
    entries = parse_alphaid(write(tmp_path, ROWS), "2024")
    assert entries.select("entry_id", "code", "text", "flags").rows() == [
        ("alphaid-2024:I1", "C50.9", "Karzinom der Brust", []),
        ("alphaid-2024:I2", "C50.9", "Alter Eintrag", ["invalid"]),
        ("alphaid-2024:I3", "A17.0", "Hirnhautentzündung bei Tuberkulose", ["dagger"]),
        ("alphaid-2024:I4", None, "Erreger mit Resistenz", ["additional-only"]),
        ("alphaid-2024:I5", "E10.20", "Diabetes mit Folgen", ["dagger", "second-primary"]),
        ("alphaid-2024:I6", "C41.8", "Sarkom des Beckens", []),
        ("alphaid-2024:I7", "D61.0", "Seltene Anämie", ["orpha"]),
    ]
    assert entries["text_key"][2] == "hirnhautentzündung bei tuberkulose"
    assert entries["cluster"].to_list() == entries["entry_id"].to_list()
    assert set(entries["dataset"]) == {"alphaid"}
    assert set(entries["version"]) == {"2024"}


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark_change_nothing(tmp_path: Path, prefix: bytes) -> None:
    plain = parse_alphaid(write(tmp_path, ROWS), "2024")
    assert parse_alphaid(write(tmp_path, prefix + ROWS.replace("\n", "\r\n").encode()), "2024").equals(plain)


def test_a_form_feed_within_a_text_ends_no_line(tmp_path: Path) -> None:
    entries = parse_alphaid(write(tmp_path, "1|I1|C50.9|||||Karzinom\x0cder\u2028Brust\n"), "2024")
    assert entries["text_key"].to_list() == ["karzinom der brust"]


@pytest.mark.parametrize("row", ["1|I1|C50.9|||||Text\n", "1|I1|||U80.0!|||Text\n"])
def test_one_row_is_a_whole_table(tmp_path: Path, row: str) -> None:
    path = tmp_path / "entries.parquet"
    write_table(parse_alphaid(write(tmp_path, row), "2024"), "entries", path)
    assert read_table(path, "entries").schema == empty_table("entries").schema


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (" \n\n", "is empty"),
        (ROWS[:-10], "the last line has no line end, so the file was cut off; fetch it again"),
        ("<!DOCTYPE html>\n<html>", "is an HTML page, not a catalogue file; download the file itself again"),
        (ROWS.encode("latin-1"), r":3: not UTF-8 \(byte 0xfc\); convert the file.*WINDOWS-1252"),
        (ROWS.encode("utf-16"), "holds zero bytes, so it is UTF-16 or no text; convert the file.*UTF-16"),
        (ROWS.encode("utf-16-le"), "holds zero bytes, so it is UTF-16 or no text"),
        (ROWS + "1|I8|C50.9||||Text\n", r"not in the Alpha-ID-SE layout \(8 fields(.|\n)*line 8: 7 fields"),
        (ROWS.replace("|", ";"), r"layout \(8 fields(.|\n)*line 1: 1 fields(.|\n)*… and 4 more"),
        (ROWS + "1|I2|C50.9|||||Text\n", "line 8: Alpha-ID I2 stands in line 2 already"),
        ("1||C50.9|||||Text\n", "line 1: the Alpha-ID is empty"),
        ("2|I1|C50.9|||||Text\n", "line 1: first field must be 0 or 1, is '2'"),
        ("1|I1|C5O.9|||||Text\n", "line 1: 'C5O.9' is not an ICD-10-GM code"),
        ("1|I1|C50.-|||||Text\n", r"line 1: 'C50\.-' is not an ICD-10-GM code"),
        ("1|I1|C50.9||||| \n", "line 1: the text is empty"),
    ],
)
def test_unsound_files_name_file_and_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        parse_alphaid(path, "2024")
    assert str(caught.value).startswith(str(path))


def test_all_mistakes_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1: .*\n.*line 2: .*\n.*line 3: "):
        parse_alphaid(write(tmp_path, "3|I1|C50.9|||||A\n1|I2|X|||||B\n1|I3|C50.9|||||\n"), "2024")


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: cannot be read \(No such file or directory\); check the path"):
        parse_alphaid(tmp_path / "none.txt", "2024")
