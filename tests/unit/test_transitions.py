from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.formats.transitions import parse_transitions
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of

ROWS = """\
A00.0;A00.0;A;A
B18.8;B18.80;;A
B18.8;B18.88;;A
D46.5;D46.6;A;
C88.0;UNDEF;;
UNDEF;U69.75;;
UNDEF;U69.76;;
Z99.9;Z99.9;A;A
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "icd10gm2024syst_umsteiger_2023_2024.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("text", [ROWS, ROWS.removesuffix("\n"), ROWS.replace("\n", "\r\n"), "\ufeff" + ROWS])
def test_rows_by_hand(tmp_path: Path, text: str) -> None:
    rows = parse_transitions(write(tmp_path, text))
    assert dict(rows.schema) == columns_of("transitions")
    assert rows.rows() == [
        ("A00.0", "A00.0", True, True),
        ("B18.8", "B18.80", False, True),
        ("B18.8", "B18.88", False, True),
        ("D46.5", "D46.6", True, False),
        ("C88.0", None, False, False),
        (None, "U69.75", False, False),
        (None, "U69.76", False, False),
        ("Z99.9", "Z99.9", True, True),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROWS[:-2], ":8: the last line has no line end"),  # Z99.9;Z99.9;A; would be read as not automatic
        (ROWS + "A01.0;A01.0;A\n", r"transition layout \(4 fields(.|\n)*line 9: 3 fields"),
        (ROWS + "A01.0;A01.0;a;A\n", "line 9: third field must be A or empty, is 'a'"),
        (ROWS + "A01.0;A01.0;A;J\n", "line 9: fourth field must be A or empty, is 'J'"),
        (ROWS + "a01.0;A01.0;A;A\n", "line 9: 'a01.0' is neither an ICD-10-GM code nor UNDEF"),
        (ROWS + "A01.0;A01.-;A;A\n", "line 9: 'A01.-' is neither"),
        (ROWS + "A01.0; A01.0;A;A\n", "line 9: ' A01.0' is neither"),
        (ROWS + "UNDEF;UNDEF;;\n", "line 9: no code on either side"),
        (ROWS + "A00.0;A00.0;A;A\n", "line 9: 'A00.0' → 'A00.0' stands in line 1 already"),
        (ROWS + "Z99.9;Z99.8;A;\n", "line 8: 'Z99.9' goes over to several codes automatically\n  line 9: 'Z99.9' goes"),
        (ROWS + "Z99.8;Z99.9;;A\n", "line 8: 'Z99.9' goes back to several codes automatically\n  line 9: 'Z99.9' goes"),
    ],
)
def test_unsound_files_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        parse_transitions(path)
    assert str(caught.value).startswith(str(path))


def test_no_code_may_go_over_to_several_codes(tmp_path: Path) -> None:
    rows = parse_transitions(write(tmp_path, "UNDEF;U69.75;A;A\nUNDEF;U69.76;A;A\nC88.0;UNDEF;A;A\nC88.1;UNDEF;A;A\n"))
    assert rows.height == 4


def test_another_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"is an Alpha-ID file .8 fields., not ICD-10-GM transition; give the ICD-10-GM"
    ):
        parse_transitions(write(tmp_path, "1|I1|C50.9|||||Text\n"))


@pytest.mark.catalogues
def test_the_real_table_of_2024(catalogues: Path) -> None:
    rows = parse_transitions(next(catalogues.rglob("icd10gm2024syst_umsteiger_*.txt")))
    assert rows.height == 14_290
    assert rows.filter("forward").height == 14_247
    assert rows.filter("backward").height == 14_289
    assert rows.filter(pl.col("old").is_null()).rows() == [(None, "U69.75", False, False)]
    assert rows["new"].null_count() == 0


@pytest.mark.catalogues
def test_the_real_table_joins_the_codes_of_both_years(catalogues: Path) -> None:
    from onkocode.catalogues.formats.kodes import parse_icd10gm

    rows = parse_transitions(next(catalogues.rglob("icd10gm2024syst_umsteiger_*.txt")))
    for side, year in (("old", "2023"), ("new", "2024")):
        codes = parse_icd10gm(next(catalogues.rglob(f"icd10gm{year}syst_kodes*.txt")))
        assert set(rows[side].drop_nulls()) == set(codes.filter("terminal")["code"])
