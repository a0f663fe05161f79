import csv
import io
import unicodedata
from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.formats.alphaid import parse_alphaid
from onkocode.catalogues.formats.parse import parse_catalogue
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
SEVEN = """\
1|I1|C50.9||||Karzinom der Brust
1|I2|E10.20+|N08.3*|U69.0!|I79.2|Diabetes mit Folgen
1|I3|D61.0|||124|Seltene Anämie
"""
SIX = """\
1|I1|C50.9|||Karzinom der Brust
0|I2|A17.0+|G01*||Hirnhautentzündung bei Tuberkulose
1|I3|||U80.0!|Erreger mit Resistenz
"""
SUBSET = """\
Alpha-ID;Label;ICD-10-Code;Tumordiagnose
I1;Karzinom der Brust;C50.9;1
I2;"Lymphom mit ""t"" (1;19)";C83.5;1
I3;Anämie;D61.0;0
"""


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


def test_seven_fields_tell_second_code_and_orpha_number_by_content(tmp_path: Path) -> None:
    entries = parse_alphaid(write(tmp_path, SEVEN), "2021")
    assert entries.select("entry_id", "code", "text", "flags").rows() == [
        ("alphaid-2021:I1", "C50.9", "Karzinom der Brust", []),
        ("alphaid-2021:I2", "E10.20", "Diabetes mit Folgen", ["dagger", "second-primary"]),
        ("alphaid-2021:I3", "D61.0", "Seltene Anämie", ["orpha"]),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1"])
def test_six_fields_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    entries = parse_alphaid(write(tmp_path, SIX.encode(encoding)), "2014")
    assert entries.select("entry_id", "code", "text", "flags").rows() == [
        ("alphaid-2014:I1", "C50.9", "Karzinom der Brust", []),
        ("alphaid-2014:I2", "A17.0", "Hirnhautentzündung bei Tuberkulose", ["invalid", "dagger"]),
        ("alphaid-2014:I3", None, "Erreger mit Resistenz", ["additional-only"]),
    ]


@pytest.mark.parametrize("text", [SUBSET, SUBSET.removesuffix("\n")])
def test_list_with_header_knows_quotes(tmp_path: Path, text: str) -> None:
    entries = parse_alphaid(write(tmp_path, text), "2024")
    assert entries.select("entry_id", "code", "text", "flags").rows() == [
        ("alphaid-2024:I1", "C50.9", "Karzinom der Brust", []),
        ("alphaid-2024:I2", "C83.5", 'Lymphom mit "t" (1;19)', []),
        ("alphaid-2024:I3", "D61.0", "Anämie", []),
    ]


def test_official_layout_knows_no_quotes(tmp_path: Path) -> None:
    text = '1|I1|C50.9|||||"Knoten"; in der Brust\n1|I2|C50.9|||||"Offen\n'
    assert parse_alphaid(write(tmp_path, text), "2024")["text"].to_list() == ['"Knoten"; in der Brust', '"Offen']


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark_change_nothing(tmp_path: Path, prefix: bytes) -> None:
    plain = parse_alphaid(write(tmp_path, ROWS), "2024")
    assert parse_alphaid(write(tmp_path, prefix + ROWS.replace("\n", "\r\n").encode()), "2024").equals(plain)


def test_decomposed_umlauts_are_composed(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", ROWS)
    assert decomposed != ROWS
    assert parse_alphaid(write(tmp_path, decomposed), "2024").equals(parse_alphaid(write(tmp_path, ROWS), "2024"))


def test_a_form_feed_within_a_text_ends_no_line(tmp_path: Path) -> None:
    entries = parse_alphaid(write(tmp_path, "1|I1|C50.9|||||Karzinom\x0cder\u2028Brust\n"), "2024")
    assert entries["text_key"].to_list() == ["karzinom der brust"]


@pytest.mark.parametrize("row", ["1|I1|C50.9|||||Text\n", "1|I1|||U80.0!|||Text\n", "1|I1|C50.9|||Text\n"])
def test_one_row_is_a_whole_table(tmp_path: Path, row: str) -> None:
    path = tmp_path / "entries.parquet"
    write_table(parse_alphaid(write(tmp_path, row), "2024"), "entries", path)
    assert read_table(path, "entries").schema == empty_table("entries").schema


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROWS[:-10], ":7: the last line has no line end, so the file was cut off; fetch it again"),
        (ROWS[:-30], ":7: the last line has no line end, so the file was cut off; fetch it again"),
        (ROWS + "1|I8|C50.9||||Text\n", r"Alpha-ID layout \(8 or 7 or 6 fields(.|\n)*line 8: 7 fields"),
        (ROWS.replace("|", ";"), r"layout \(8 or 7 or 6 fields(.|\n)*line 1: 1 fields(.|\n)*… and 4 more"),
        (ROWS + "1|I2|C50.9|||||Text\n", "line 8: Alpha-ID 'I2' stands in line 2 already"),
        (ROWS + "1|I2|C50.9|||||A\n1|I2|C50.9|||||B\n", "line 9: Alpha-ID 'I2' stands in line 2 already"),
        ("1||C50.9|||||Text\n1||C50.9|||||Text\n", "line 1: the Alpha-ID is empty\n  line 2: the Alpha-ID is empty$"),
        ("1|X1|C50.9|||||Text\n", "line 1: 'X1' is not an Alpha-ID$"),
        ("2|I1|C50.9|||||Text\n", "line 1: first field must be 0 or 1, is '2'"),
        ("1|I1|C5O.9|||||Text\n", "line 1: 'C5O.9' is not an ICD-10-GM code"),
        ("1|I1|C50.٣|||||Text\n", "line 1: 'C50.٣' is not an ICD-10-GM code"),
        ("1|I1|C50.-|||||Text\n", r"line 1: 'C50\.-' is not an ICD-10-GM code"),
        ("1|I1|C50.9|G1*||||Text\n", "line 1: asterisk code 'G1\\*' is not"),
        ("1|I1|C50.9||80.0!|||Text\n", "line 1: additional code '80.0!' is not"),
        ("1|I1|C50.9|||124||Text\n", "line 1: second code '124' is not"),
        ("1|I1|C50.9|||ORPHA1|Text\n", "line 1: second code 'ORPHA1' is not"),
        ("1|I1|C50.9||||| \n", "line 1: the text is empty"),
        (SUBSET.replace("C50.9", "C50,9"), "line 2: 'C50,9' is not an ICD-10-GM code"),
        (SUBSET.replace("Label", "Text"), ":1: not in the Alpha-ID list layout.*\n  column 'Label' is missing"),
        (SUBSET.replace("Tumordiagnose", "Label"), "column 'Label' stands twice\n  column 'Tumordiagnose' is missing"),
        (SUBSET.split("\n")[0] + "\n", "has a header but no rows"),
        (SUBSET + 'I4;"offen;C50.9;1\n', r":5: not a sound CSV line \(.*\); mend the quotes"),
        (SUBSET.removesuffix(";0\n") + ";", ":4: the last line has no line end"),
    ],
)
def test_unsound_files_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        parse_alphaid(path, "2024")
    assert str(caught.value).startswith(str(path))


def test_all_mistakes_are_named_together_in_the_order_of_the_lines(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1: .*\n.*line 2: .*\n.*line 3: "):
        parse_alphaid(write(tmp_path, "1|I1|C50.9|||||\n1|I2|X|||||B\n3|I3|C50.9|||||A\n"), "2024")


def test_a_text_in_a_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a value of 24 characters is not an ICD-10-GM code") as caught:
        parse_alphaid(write(tmp_path, "1|I1|Mammakarzinom beidseits |||||C50.9\n"), "2024")
    assert "karzinom" not in str(caught.value)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: cannot be read \(No such file or directory\); check the path"):
        parse_alphaid(tmp_path / "none.txt", "2024")


@pytest.mark.catalogues
def test_the_real_list_of_tumour_labels(catalogues: Path) -> None:
    path = next(catalogues.rglob("alphaid2024_tumour_subset.csv"))
    entries, _ = parse_catalogue("alphaid", "2024", path)
    assert (entries.height, entries["code"].n_unique()) == (12_021, 776)
    # Read again with another reader: 27 rows have a `;` within quotes.
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), delimiter=";"))[1:]
    assert entries["text"].to_list() == [row[1] for row in rows]
    assert entries.filter(pl.col("flags").list.len() > 0).height == 0


@pytest.mark.catalogues
def test_seven_fields_of_the_real_sample_are_those_of_eight(catalogues: Path, tmp_path: Path) -> None:
    path = next(catalogues.rglob("icd10gm2020_alphaid_se_muster_edvtxt*.txt"))
    rows = [line.split("|") for line in path.read_text(encoding="utf-8").splitlines()]
    plain = "".join("|".join([*row[:6], row[7]]) + "\n" for row in rows)  # as Alpha-ID without Orpha numbers had it
    eight, seven = parse_alphaid(path, "2020"), parse_alphaid(write(tmp_path, plain.encode("cp1252")), "2020")
    without = eight.with_columns(flags=pl.col("flags").list.filter(pl.element() != "orpha"))
    assert seven.equals(without)
    assert seven.filter(pl.col("flags").list.contains("second-primary")).height == 22
