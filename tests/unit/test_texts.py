from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.texts import read_texts
from onkocode.config.data import Columns
from onkocode.records.errors import InputError
from onkocode.records.schemas import CODES

TEXT = "Großzelliges Karzinom von Frau Müller"
HEADER = "id;text;icd10;topography\n"
GOOD = f"1;{TEXT};C50.9;C50.9\n"


def codes(system: str, **terminal: bool) -> pl.DataFrame:
    rows = [{"code": code.replace("_", "."), "system": system, "terminal": leaf} for code, leaf in terminal.items()]
    return pl.DataFrame(rows, schema=CODES)


ICD = codes("icd10gm", C50=False, C50_9=True, C61=True)
ICDO = codes("topography", C50=False, C50_9=True, C61_9=True)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "texts.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, **columns: str) -> pl.DataFrame:
    return read_texts(path, "mine", Columns.model_validate(columns), ICD, ICDO)


def test_rows_by_hand(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER.replace("\n", ";patient\n") + f" 1 ;{TEXT} ; C50.9;C50.9;P1\n2;PCa;C61;C61.9;P1\n")
    entries = read(path, cluster="patient")
    assert entries.select("entry_id", "kind", "code", "topography", "text", "cluster").rows() == [
        ("mine:1", "text", "C50.9", "C50.9", TEXT, "mine:P1"),
        ("mine:2", "text", "C61", "C61.9", "PCa", "mine:P1"),
    ]
    assert entries["text_key"].to_list() == ["grosszelliges karzinom von frau müller", "pca"]
    assert read(path)["cluster"].to_list() == ["mine:1", "mine:2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_separators_and_line_ends(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    content = (HEADER + GOOD).replace(";", separator).replace("\n", end)
    assert read(write(tmp_path, content.encode(encoding)))["text"].to_list() == [TEXT]


def test_a_quoted_cell_may_hold_separator_quote_and_line_end(tmp_path: Path) -> None:
    entries = read(write(tmp_path, HEADER + '1;"Ca; ""rechts""\nMamma";C50.9;C50.9\n'))
    assert entries["text"].to_list() == ['Ca; "rechts"\nMamma']
    assert entries["text_key"].to_list() == ['ca; "rechts" mamma']


def test_empty_lines_and_columns_of_no_interest_do_no_harm(tmp_path: Path) -> None:
    entries = read(write(tmp_path, HEADER.replace("\n", ";;\n") + "\n" + GOOD.replace("\n", ";;\n") + "\n"))
    assert entries["entry_id"].to_list() == ["mine:1"]


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    path = write(tmp_path, "Nr;Diagnose;ICD;ICDO\n" + GOOD)
    assert read(path, id="Nr", text="Diagnose", icd10="ICD", topography="ICDO").height == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (HEADER, "the test set 'mine' has no rows"),
        ((HEADER + GOOD).encode("utf-16"), ":1: holds zero bytes, so it is UTF-16 or no text; save it as UTF-8"),
        (b"id;text\n1;\x81\x8d\n", r":2: not UTF-8 \(.*nor Windows-1252 .* in line 2\); .*iconv -f CP850"),
        ("<html><body>Anmeldung</body></html>", "is an HTML page"),
        ("id;text;icd10\n" + GOOD, r":1: no column 'topography' \(found: id, text, icd10\); rename .*texts\.mine\.col"),
        (GOOD, r":1: no column 'id', .*none of the columns is there; is the first line a header\?"),
        ("id;text;icd10;topography;text\n" + GOOD, r":1: column 'text' stands twice; rename or remove one"),
        (HEADER + f"1;{TEXT};C50.9\n", "line 2: 3 fields instead of 4"),
        (HEADER + f"1;{TEXT};C50.9;C50.9;x\n", "line 2: 5 fields instead of 4"),
        (HEADER + GOOD + GOOD, "line 3: the id stands in line 2 already"),
        (HEADER + f"1;{TEXT};;C50.9\n", "line 2: column 'icd10' is empty"),
        (HEADER + "1; ;C50.9;C50.9\n", "line 2: column 'text' is empty"),
        (
            HEADER + f"1;{TEXT};C50.8;C50.9\n",
            "line 2: column 'icd10': 'C50.8' does not exist in this version of ICD-10",
        ),
        (
            HEADER + f"1;{TEXT};C50;C50.9\n",
            "line 2: column 'icd10': 'C50' is not terminal in ICD-10-GM; give the full",
        ),
        (
            HEADER + f"1;{TEXT};C50.9;C50\n",
            "line 2: column 'topography': 'C50' is not terminal in ICD-O-3 topography",
        ),
        (HEADER + f"1;{TEXT};C61;C61\n", "line 2: column 'topography': 'C61' does not exist"),
        (
            HEADER + f"1;C50.9;{TEXT};C50.9\n",
            r"line 2: column 'icd10' holds no ICD-10-GM code \(expected a form like",
        ),
        (HEADER + f'1;"{TEXT};C50.9;C50.9\n', r":2: not a sound CSV line \(unexpected end of data\)"),
        (HEADER + f'1;"{TEXT}" re.;C50.9;C50.9\n', r":2: not a sound CSV line"),
    ],
)
def test_unsound_files_name_file_and_line_and_never_a_text(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "Karzinom" not in str(caught.value)
    assert "Müller" not in str(caught.value)


def test_all_mistakes_are_counted_and_the_first_ten_named(tmp_path: Path) -> None:
    rows = "".join(f"{number};{TEXT};X99;C50.9\n" for number in range(12))
    with pytest.raises(InputError, match=r"12 problem\(s\) in the test set 'mine':\n  line 2: (.|\n)*… and 2 more"):
        read(write(tmp_path, HEADER + rows))


@pytest.mark.parametrize("names", [{"id": "text"}, {"cluster": "text"}, {"icd10": "topography"}, {"cluster": "icd10"}])
def test_one_column_cannot_mean_two_things(names: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be different ones"):
        Columns.model_validate(names)
    assert Columns.model_validate({"cluster": "id"}).cluster == "id"
