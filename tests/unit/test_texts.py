from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.formats.texts import read_texts
from onkocode.cli import main
from onkocode.config.data import Columns
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of, write_table

TEXT = "Großzelliges Karzinom von Frau Müller"
HEADER = "id;text;icd10;topography\n"
GOOD = f"1;{TEXT};C50.9;C50.9\n"


def codes(system: str, **terminal: bool) -> pl.DataFrame:
    rows = [{"code": code.replace("_", "."), "system": system, "terminal": leaf} for code, leaf in terminal.items()]
    return pl.DataFrame(rows, schema=columns_of("codes"))


ICD = codes("icd10gm", C50=False, C50_9=True, C61=True)
AXES = [
    codes("topography", C50=False, C50_9=True, C61_9=True),
    codes("morphology", **{"8140/3": True, "8140/0": False}),
]
ICDO = pl.concat(AXES)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "texts.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, **columns: str) -> pl.DataFrame:
    return read_texts(path, "mine", Columns.model_validate(columns), ICD, ICDO)[0]


def notes(path: Path) -> list[str]:
    return read_texts(path, "mine", Columns.model_validate({}), ICD, ICDO)[1]


def test_rows_by_hand(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER.replace("\n", ";patient\n") + f" 1 ;{TEXT} ; C50.9;C50.9;P1\n2;PCa;C61;C61.9;P1\n")
    entries = read(path, cluster="patient")
    assert entries.select("entry_id", "kind", "code", "topography", "text", "cluster").rows() == [
        ("mine:1", "text", "C50.9", "C50.9", TEXT, "mine:P1"),
        ("mine:2", "text", "C61", "C61.9", "PCa", "mine:P1"),
    ]
    assert entries["text_key"].to_list() == ["grosszelliges karzinom von frau müller", "pca"]
    assert read(path)["cluster"].to_list() == ["mine:1", "mine:2"]


def test_an_empty_cell_is_no_placeholder(tmp_path: Path) -> None:
    assert notes(write(tmp_path, HEADER + f"1;{TEXT};C50.9;\n")) == []


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
        (
            "id;text;topography\n" + GOOD,
            r":1: no column 'icd10' \(found: id, text, topography\); rename .*texts\.mine",
        ),
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


@pytest.mark.parametrize(
    "names",
    [
        {"morphology": "text"},
        {"morphology": "id"},
        {"id": "text"},
        {"cluster": "text"},
        {"icd10": "topography"},
        {"cluster": "icd10"},
    ],
)
def test_one_column_cannot_mean_two_things(names: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be different"):
        Columns.model_validate(names)
    assert Columns.model_validate({"cluster": "id"}).cluster == "id"


# -- codes of another year --


def read_verb(folder: Path, icd: str = "icd10gm-2024", icdo: str = "icdo3-2014") -> tuple[int, Path]:
    """Run read-texts on the file in a folder; returns its status and where the entries would be."""
    output = folder / "private" / "entries.parquet"
    command = ["read-texts", "--key", "mine", "--file", str(folder / "texts.csv"), "--output", str(output)]
    codes_of = {"icd10gm": icd, "icdo3": icdo}
    command += [word for name, at in codes_of.items() for word in (f"--{name}", str(folder / at / "codes.parquet"))]
    return main(command), output


@pytest.fixture
def several_years(tmp_path: Path) -> Path:
    tables = {
        "icd10gm-2024": ICD,
        "icd10gm-2023": codes("icd10gm", C50_8=True),
        "icd10gm-2022": codes("icd10gm", C50_8=True, C50_9=True),
        "icdo3-2014": ICDO,
        "icdo3-2019": codes("morphology", **{"8500/3": True}),
        "somewhere": ICD,
    }
    for name, table in tables.items():
        sound = table.with_columns(title=pl.lit("t"), chapter=pl.lit(""), group=pl.lit(""), category=pl.lit("C50"))
        write_table(sound.with_columns(tumour=pl.lit(True)), "codes", tmp_path / name / "codes.parquet")
    (tmp_path / "icd10gm-2021").mkdir()
    (tmp_path / "icd10gm-2021" / "codes.parquet").write_bytes(b"cut")
    return tmp_path


def test_a_code_of_another_year_names_the_years_that_have_it(
    several_years: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = HEADER.replace("\n", ";morphology\n")
    path = write(several_years, header + f"1;{TEXT};C50.9;C50.9;\n2;{TEXT};C50.8;C50.9;8500/3\n3;{TEXT};C58;;\n")
    status, output = read_verb(several_years)
    said = capsys.readouterr().err
    assert status == 2
    assert said == (
        f"onkocode read-texts: {path}: 3 problem(s) in the test set 'mine':\n"
        "  line 3: column 'icd10': 'C50.8' does not exist in this version of ICD-10-GM (icd10gm-2024, but in "
        "icd10gm-2022 and icd10gm-2023)\n"
        "  line 3: column 'morphology': '8500/3' does not exist in this version of ICD-O-3 morphology (icdo3-2014, but "
        "in icdo3-2019)\n"
        "  line 4: column 'icd10': 'C58' does not exist in this version of ICD-10-GM (icd10gm-2024)\n"
        "mend these codes, or name the version that all codes of the file follow under texts.mine.icd10gm and "
        "texts.mine.icdo3; `onkocode catalogues recode` lists what changes between two years\n"
    )
    assert not output.exists()
    assert list(output.parent.iterdir()) == []


def test_where_files_do_not_tell_the_year_no_other_is_named(
    several_years: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(several_years, HEADER + f"1;{TEXT};C50.8;C50.9\n")
    assert read_verb(several_years, icd="somewhere")[0] == 2
    assert "'C50.8' does not exist in this version of ICD-10-GM\nmend these codes" in capsys.readouterr().err
    assert read_verb(several_years, icd="icd10gm-2022")[0] == 0


# -- codes as written, and columns that may be missing --


def test_codes_are_kept_in_the_usual_form_and_notes_say_what_was_taken_off(tmp_path: Path) -> None:
    lines = ["1;a;C50.9 G;C50.9 L;8140/3", "2;b;c50,9;C509;M8140:3", "3;c;C61!;;", "4;d;C61;k.A.;-", ";;;;", ";;;;"]
    path = write(tmp_path, HEADER.replace("\n", ";morphology\n") + "\n".join(lines))
    assert read(path).select("code", "topography", "morphology").rows() == [
        ("C50.9", "C50.9", "8140/3"),
        ("C50.9", "C50.9", "8140/3"),
        ("C61", None, None),
        ("C61", None, None),
    ]
    assert notes(path) == [
        "3 code(s) had marks taken off: 1 certainty, 1 side, 1 exclamation mark",
        "3 code(s) were put into the usual form: 1 small letter, 1 comma, 1 missing dot, 1 prefix, 1 colon",
        "1 placeholder(s) stand for no topography",
        "1 placeholder(s) stand for no morphology",
        "2 empty row(s) were passed over",
    ]


def test_nothing_to_note_about_an_ordinary_file(tmp_path: Path) -> None:
    assert notes(write(tmp_path, HEADER + GOOD)) == []


@pytest.mark.parametrize("header", ["id;text;icd10", "id;text;icd10;topography", "id;text;icd10;morphology"])
def test_topography_and_morphology_may_be_missing(tmp_path: Path, header: str) -> None:
    cells = {"id": "1", "text": "a", "icd10": "C61", "topography": "C61.9", "morphology": "8140/3"}
    names = header.split(";")
    entries = read(write(tmp_path, f"{header}\n{';'.join(cells[name] for name in names)}\n"))
    expected = tuple(cells[name] if name in names else None for name in ("topography", "morphology"))
    assert entries.select("topography", "morphology").row(0) == expected
    assert entries.schema["topography"] == entries.schema["morphology"] == pl.String


@pytest.mark.parametrize("axis", ["topography", "morphology"])
def test_a_column_that_is_named_must_be_there(tmp_path: Path, axis: str) -> None:
    with pytest.raises(InputError, match=r":1: no column 'ICDO' \(found: id, text, icd10, topography\); rename"):
        read(write(tmp_path, HEADER + GOOD), **{axis: "ICDO"})


def test_a_column_called_morphology_may_mean_something_else(tmp_path: Path) -> None:
    path = write(tmp_path, "id;morphology;icd10\n1;Drüsen;C61\n")
    assert read(path, text="morphology").select("text", "morphology").row(0) == ("Drüsen", None)


@pytest.mark.parametrize(
    ("codes_of_row", "message"),
    [
        ("C50.8 G;C50.9;", r"column 'icd10': 'C50.8' does not exist in this version of ICD-10-GM"),
        ("C50.- V;C50.9;", r"column 'icd10': 'C50' is not terminal in ICD-10-GM"),
        ("C50.9X;C50.9;", r"column 'icd10' holds no ICD-10-GM code \(expected a form like C50.9\)"),
        ("C50.9 C61;C50.9;", r"column 'icd10' holds several codes \(expected"),
        ("-;C50.9;", r"column 'icd10' holds a placeholder \(expected"),
        ("C61;C50.9 C61.9;", r"column 'topography' holds several codes"),
        ("C61;Prostata;", r"column 'topography' holds no ICD-O-3 topography code \(expected a form like C50.9\)"),
        ("C61;C61.9;8500/3", r"column 'morphology': '8500/3' does not exist in this version of ICD-O-3 morphology"),
        ("C61;C61.9;8140/0", r"column 'morphology': '8140/0' is not terminal"),
        ("C61;C61.9;Adeno", r"column 'morphology' holds no ICD-O-3 morphology code \(expected a form like 8140/3\)"),
    ],
)
def test_each_fault_of_a_code_has_its_message(tmp_path: Path, codes_of_row: str, message: str) -> None:
    path = write(tmp_path, HEADER.replace("\n", ";morphology\n") + f"1;a;{codes_of_row}\n")
    with pytest.raises(InputError, match=rf"1 problem\(s\) in the test set 'mine':\n  line 2: {message}") as caught:
        read(path)
    assert not any(word in str(caught.value) for word in ("Prostata", "Adeno"))


@pytest.mark.parametrize("text", ["\u200b", "\u3164\u2800", "\ufeff \u00ad"])
def test_invisible_characters_are_no_text_and_no_id(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"1 problem.*\n  line 2: column 'text' is empty$"):
        read(write(tmp_path, HEADER + f"1;{text};C61;\n"))
    with pytest.raises(InputError, match=r"1 problem.*\n  line 2: column 'id' is empty$"):
        read(write(tmp_path, HEADER + f"{text};a;C61;\n"))
    with pytest.raises(InputError, match=r"1 problem.*\n  line 3: the id stands in line 2 already$"):
        read(write(tmp_path, HEADER + f"1;a;C61;\n{text}1;b;C61;\n"))
    assert read(write(tmp_path, HEADER + f"1;a{text}b;C61;\n"))["text"].item().replace(" ", "") == "ab"
