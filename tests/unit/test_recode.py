import csv
import json
import os
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.catalogues.fetching.sources import FOLDER_VARIABLE
from onkocode.catalogues.formats.delimited import read_delimited
from onkocode.catalogues.versions.changes import reverse
from onkocode.catalogues.versions.recode import (
    COUNTS,
    Plan,
    Row,
    make_plan,
    read_records,
    work_list,
    write_work_list,
)
from onkocode.catalogues.vocabulary.written_codes import Written, read_code
from onkocode.cli import main
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of
from tests.unit.test_changes import FROM_2023_TO_2024, NEW_2024, OLD_2023, space, table, write_sources, write_year

VERSIONS = ("2023", "2024")
MARKER = "Großzelliges Karzinom von Frau Müller"


def plan(*transitions: str, old: tuple[str, ...] = OLD_2023, new: tuple[str, ...] = NEW_2024) -> Plan:
    return make_plan(space(*old), space(*new), table(*transitions) if transitions else None, VERSIONS)


def rows_of(cells: list[str], with_plan: Plan) -> tuple[list[Row], Counter[str]]:
    counts: Counter[str] = Counter()
    records = [(f"r{line}", line, cell) for line, cell in enumerate(cells, 2)]
    return list(work_list(records, with_plan, counts, Counter())), counts


def advice(code: str, with_plan: Plan) -> tuple[str, str, str] | None:
    found = with_plan.of(code)
    return (found.action, found.new_code, found.candidates) if found else None


# -- what to do with a code --


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("C01", ("recode", "C02.8", "C02.8 Zunge, hinten")),
        ("C03.0", ("recode", "C03.9", "C03.9 Zahnfleisch o.n.A.")),
        ("C05.0", ("recode", "C05", "C05 Gaumen")),
        ("D47.7", ("recode", "D89.8", "D89.8 Störung der Abwehr")),
        ("C04", ("choose", "", "C04.0 Vorderer Mundboden | C04.1 Seitlicher Mundboden")),
        ("D18.08", ("choose", "", "D18.07 Gefäßtumor der Wirbel | D18.08 Gefäßtumor, sonst")),
        ("J44", ("choose", "", "J44.0 Bronchitis, mild | J44.1 Bronchitis, schwer")),
        ("C08", ("gone", "", "")),
        ("C02", ("check", "", "")),
        ("C99.9", ("check", "", "")),
        ("D18.07", ("check", "", "")),
        ("C02.0", None),
        ("C06", None),
        ("C07", None),
    ],
)
def test_advice_by_hand(code: str, expected: tuple[str, str, str] | None) -> None:
    assert advice(code, plan(*FROM_2023_TO_2024)) == expected


def test_notes_say_why() -> None:
    found = plan(*FROM_2023_TO_2024)
    notes = {code: found.of(code).note for code in ("C02", "C99.9", "D18.07", "C01", "C04", "C08")}  # type: ignore[union-attr]
    assert notes == {
        "C02": "not terminal in 2023, give the full code",
        "C99.9": "not a code of 2023",
        "D18.07": "not a code of 2023, but of 2024",
        "C01": "official automatic successor",
        "C04": "several successors",
        "C08": "no official successor",
    }


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("C01", ("gone", "", "")),
        ("C04", ("choose", "", "C04.0 Vorderer Mundboden | C04.1 Seitlicher Mundboden")),
        ("D18.08", None),
        ("C02.0", None),
        ("C02", ("check", "", "")),
    ],
)
def test_without_a_transition_table_the_label_spaces_decide(code: str, expected: tuple[str, str, str] | None) -> None:
    found = plan()
    assert advice(code, found) == expected
    assert expected is None or code == "C02" or "no transition table" in found.advice[code].note


@pytest.mark.parametrize(
    ("transitions", "expected"),
    [
        (("C01;C01;;A",), None),  # nothing to choose from
        (("C01;C01;A;A", "C01;C02;;A"), None),  # officially the code goes on
        (("C01;C01;;A", "C01;C02;A;A"), ("recode", "C02", "C01 a | C02 b")),
        (("C01;C02;;A",), ("choose", "", "C02 b")),
        (("C01;C03;A;A",), ("choose", "", "C03 (not in that version)")),
        (("C01;C02.0;A;A", "C01;C02;;A"), ("choose", "", "C02 b | C02.0 (not in that version)")),
        (("C02;C02;A;A",), None),  # the table lacks the code
    ],
)
def test_flags_decide(transitions: tuple[str, ...], expected: tuple[str, str, str] | None) -> None:
    found = plan(*transitions, old=("C01 a", "C02 b"), new=("C01 a", "C02 b"))
    assert advice("C01", found) == expected


def test_the_officially_only_one_that_is_not_automatic_is_said_to_be_so() -> None:
    found = plan("C01;C02;;A", old=("C01 a",), new=("C02 b",))
    assert found.advice["C01"].note == "one successor, officially not automatic"


# -- codes as written --


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("C50.9", "C50.9"),
        ("c50.9", "C50.9"),
        (" C50.9 ", "C50.9"),
        ("C 50.9", "C50.9"),
        ("C50.9\u00a0", "C50.9"),
        ("C509", "C50.9"),
        ("d1808", "D18.08"),
        ("C50,9", "C50.9"),
        ("C61", "C61"),
        ("C50.-", "C50"),
        ("C50.9-", "C50.9"),
        ("D63.0*", "D63.0"),
        ("C90.00+", "C90.00"),
        ("B95.6!", "B95.6"),
        ("C50.9+*", "C50.9"),
        ("", None),
        ("C5", None),
        ("C50.999", None),
        ("C50.9 C61", None),
        ("C50.9, C61", None),
        ("50.9", None),
        ("8140/3", None),
        ("5-870", None),
        ("C50.9 G", "C50.9"),
        ("C٥0.9", None),
        ("ß50.9", None),
        (MARKER, None),
        ("C50.9" + " " * 40, "C50.9"),
    ],
)
def test_codes_as_people_write_them(cell: str, code: str | None) -> None:
    assert read_code(cell, "icd10gm").code == code


@settings(deadline=None)
@given(st.from_regex(r"\A[A-Z][0-9]{2}(\.[0-9]{1,2})?\Z"))
def test_the_usual_form_stays(code: str) -> None:
    assert read_code(code, "icd10gm") == Written(code)
    assert read_code(code.replace(".", ""), "icd10gm").code == code
    assert read_code(f" {code.lower()}+", "icd10gm").code == code


# -- the work list --


def test_rows_by_hand() -> None:
    cells = ["C01", "c04", "C02.0", "C020", "", "  ", "C08+", MARKER, "C02.-", "C01"]
    rows, counts = rows_of(cells, plan(*FROM_2023_TO_2024))
    assert rows == [
        Row("r2", 2, "C01", "", "recode", "C02.8", "C02.8 Zunge, hinten", "official automatic successor"),
        Row("r3", 3, "C04", "c04", "choose", "", rows[1].candidates, "several successors"),
        Row("r8", 8, "C08", "C08+", "gone", "", "", "no official successor"),
        Row("r9", 9, "", "", "check", "", "", "the cell holds no single code"),
        Row("r10", 10, "C02", "C02.-", "check", "", "", "not terminal in 2023, give the full code"),
        Row("r11", 11, "C01", "", "recode", "C02.8", "C02.8 Zunge, hinten", "official automatic successor"),
    ]
    assert counts == {
        "recode": 2,
        "choose": 1,
        "gone": 1,
        "unreadable": 1,
        "not-terminal": 1,
        "unaffected": 2,
        "empty": 2,
        "normalised": 4,
    }
    assert set(counts) - {"normalised"} <= set(COUNTS)


def test_the_file_is_what_german_excel_opens(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    write_work_list([Row("ä;1", 2, "C01", "", "recode", "C02.8", "C02.8 Zunge, hinten", "x")], path)
    assert (
        path.read_bytes()
        == (
            "\ufeffid;line;old_code;written;action;new_code;candidates;note\r\n"
            '"ä;1";2;C01;;recode;C02.8;C02.8 Zunge, hinten;x\r\n'
        ).encode()
    )
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_work_list([], path)


CODES = st.sampled_from(["C01", "C02", "C03", "C04"])
PAIRS = st.dictionaries(st.tuples(CODES, CODES), st.tuples(st.booleans(), st.booleans()), max_size=8)


def sound(pairs: dict[tuple[str, str], tuple[bool, bool]]) -> pl.DataFrame:
    """Return transitions with at most one automatic successor and predecessor per code, as the official tables have."""
    rows: list[tuple[str, str, bool, bool]] = []
    for (old, new), (forward, backward) in pairs.items():
        forward &= not any(row[0] == old and row[2] for row in rows)
        backward &= not any(row[1] == new and row[3] for row in rows)
        rows.append((old, new, forward, backward))
    return pl.DataFrame(rows, schema=columns_of("transitions"), orient="row")


@settings(deadline=None)  # the machine may be busy
@given(PAIRS, st.sets(CODES, min_size=1), st.sets(CODES, min_size=1))
def test_properties_of_every_plan(
    pairs: dict[tuple[str, str], tuple[bool, bool]], before: set[str], after: set[str]
) -> None:
    pairs = {(old, new): flags for (old, new), flags in pairs.items() if old in before and new in after}
    transitions = sound(pairs)
    old, new = space(*(f"{code} x" for code in sorted(before))), space(*(f"{code} x" for code in sorted(after)))
    there = make_plan(old, new, transitions, VERSIONS)
    back = make_plan(new, old, reverse(transitions), VERSIONS)
    for code in before:
        found = there.of(code)
        successors = [n for o, n in pairs if o == code]
        if successors == [code] or (not successors and code in after):
            assert found is None  # what goes on unchanged is never listed
        if code not in after:
            assert found is not None  # what is removed always is
        if found is None:
            assert code in after
            continue
        assert [part.split()[0] for part in found.candidates.split(" | ") if part] == sorted(successors)
        assert (found.action == "gone") == (not successors)
        if found.action == "recode":
            assert found.new_code in after
            assert found.new_code != code
            if transitions.filter(old=code, new=found.new_code)["backward"].item():
                returned = back.of(found.new_code)
                assert returned is not None
                assert returned.new_code == code


# -- reading records --


def records(path: Path, **columns: str) -> list[tuple[str, int, str]]:
    return list(read_records(path, columns.get("id", "id"), columns.get("column", "icd10"), []))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_separators_and_line_ends(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    path = tmp_path / "records.csv"
    text = f'id;text;icd10\nä1;"{MARKER}\nrechts";C01\n\n2;x;C04\n'.replace(";", separator).replace("\n", end)
    path.write_bytes(text.encode(encoding))
    assert records(path) == [("ä1", 2, "C01"), ("2", 5, "C04")]


def test_rows_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text("id;icd10\n" + "1;C01\n" * 3 + '1;"C01\n', encoding="utf-8")
    header, rows = read_delimited(path)
    assert header == ["id", "icd10"]
    assert next(rows) == (2, ["1", "C01"])
    with pytest.raises(InputError, match=r"records.csv:5: not a sound CSV line \(unexpected end of data\)"):
        list(rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("id;icd10\n", "has a header but no records"),
        (f"id;text\n1;{MARKER}\n", r":1: no column 'icd10' \(found: id, text\); name them with --id and --column"),
        (f"{MARKER};C01\n{MARKER};C02\n", "none of the columns is there; is the first line a header"),
        ("id;icd10;icd10\n1;C01;C01\n", "column 'icd10' stands twice"),
        (
            f"id;text;icd10\n1;{MARKER};links;C01\n",
            r"1 line\(s\) with another number(.|\n)*line 2: 4 fields instead of 3",
        ),
        (f'id;text;icd10\n1;"{MARKER}" x;C01\n', ":2: not a sound CSV line"),
        (f"id;text;icd10\n1;{MARKER};C01\n".encode("utf-16"), "save it as UTF-8"),
        (b"PK\x03\x04xyz", "is a ZIP archive or an Excel workbook"),
    ],
)
def test_unsound_files_never_show_a_text(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "records.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        records(path)
    assert str(caught.value).startswith(str(path))
    assert "Karzinom" not in str(caught.value)
    assert "Müller" not in str(caught.value)


# -- the verb --


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Catalogue files of 2023 and 2024, and coded records with a marker in every text; returns the folder."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    write_year(tmp_path / "files", "2023", OLD_2023)
    write_year(tmp_path / "files", "2024", NEW_2024, FROM_2023_TO_2024)
    write_sources(tmp_path)
    codes = ["C01", "C020", "D18.08", "C03.0", MARKER, "", "C02", "C99.9", f"C01 {MARKER}", "C08"]
    lines = [f"Fall {number};{MARKER};{code};{MARKER}" for number, code in enumerate(codes, 1)]
    (tmp_path / "records.csv").write_text("\n".join(["id;text;icd10;Arzt", *lines]), encoding="cp1252")
    return tmp_path


def recode(clinic: Path, *arguments: str, years: tuple[str, str] = ("2023", "2024")) -> int:
    place = ["--sources", str(clinic / "sources.tsv"), "--folder", str(clinic / "files")]
    versions = ["--from", years[0], "--to", years[1]]
    return main(["catalogues", "recode", str(clinic / "records.csv"), *versions, *place, *arguments])


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+A1", "'+A1"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("＝1+1", "'＝1+1"),
        ("-5", "-5"),
        ("+49,5", "+49,5"),
        ("F=1", "F=1"),
        ("", ""),
    ],
)
def test_no_cell_of_the_work_list_is_computed(cell: str, shown: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = [Row(cell, 2, "C01", cell, "check", cell, cell, "x"), Row("7", 3, "C01", "", "check", "", "", "x")]
    assert write_work_list(rows, path) == int(cell != shown)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        (_, first, second) = csv.reader(stream, delimiter=";")
    assert first == [shown, "2", "C01", shown, "check", shown, shown, "x"]
    assert second[0] == "7"


def test_ids_that_begin_as_formulas_are_told(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (clinic / "records.csv").read_text(encoding="cp1252").replace("Fall 4;", "=1+1;").replace("Fall 5;", "-3;")
    (clinic / "records.csv").write_text(lines, encoding="cp1252")
    assert recode(clinic) == 0
    assert "1 record(s) with a cell that begins as a formula; ' stands before it." in capsys.readouterr().out


def test_the_work_list_beside_the_file(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recode(clinic) == 0
    with (clinic / "records.csv.recode.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    assert [(row["id"], row["line"], row["old_code"], row["action"], row["new_code"]) for row in rows] == [
        ("Fall 1", "2", "C01", "recode", "C02.8"),
        ("Fall 3", "4", "D18.08", "choose", ""),
        ("Fall 4", "5", "C03.0", "recode", "C03.9"),
        ("Fall 5", "6", "", "check", ""),
        ("Fall 7", "8", "C02", "check", ""),
        ("Fall 8", "9", "C99.9", "check", ""),
        ("Fall 9", "10", "", "check", ""),
        ("Fall 10", "11", "C08", "gone", ""),
    ]
    printed = capsys.readouterr().out.split("\n")
    numbers = [line.rsplit(None, 1)[-1] for line in printed[1:11]]
    assert numbers == ["10", "2", "1", "1", "1", "1", "2", "1", "1", "1"]
    assert printed[11] == f"{clinic / 'records.csv.recode.csv'}: 8 record(s) to look at"
    record = json.loads((clinic / "records.csv.recode.csv.provenance.json").read_text(encoding="utf-8"))
    assert record["counts"]["recode"] == 2
    assert "transitions 2023_2024" in record["inputs"]


def test_no_text_leaves_the_file(clinic: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {path for path in clinic.rglob("*") if path.is_file()}
    assert recode(clinic) == 0
    written = {path for path in clinic.rglob("*") if path.is_file()} - before
    assert {path.name for path in written} == {"records.csv.recode.csv", "records.csv.recode.csv.provenance.json"}
    seen = "".join(path.read_text(encoding="utf-8") for path in written) + "".join(capfd.readouterr())
    assert "Fall 10" in seen
    assert [word for word in ("Großzelliges", "Karzinom", "Frau", "Müller", "Arzt") if word in seen] == []


def test_the_list_is_private_and_the_folder_stays_as_it_is(clinic: Path) -> None:
    clinic.chmod(0o755)
    before = os.umask(0o022)
    try:
        assert recode(clinic) == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in clinic.glob("records.csv.*")}
    assert modes == {"records.csv.recode.csv": 0o600, "records.csv.recode.csv.provenance.json": 0o600}
    assert clinic.stat().st_mode & 0o777 == 0o755


def test_another_file_is_not_overwritten(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = clinic / "records.csv.recode.csv"
    assert recode(clinic) == 0
    first = output.read_bytes()
    assert recode(clinic) == 0  # the same list again
    output.write_bytes(first + b"done\r\n")
    capsys.readouterr()
    assert recode(clinic) == 2
    assert "exists with other content" in capsys.readouterr().err
    assert output.read_bytes() == first + b"done\r\n"
    assert recode(clinic, "--output", str(clinic / "records.csv")) == 2
    assert recode(clinic, "--output", str(clinic / "new" / "list.csv")) == 0
    assert (clinic / "new" / "list.csv").read_bytes() == first
    assert [path.name for path in clinic.rglob("*.tmp*")] == []


def test_an_unsound_file_leaves_no_list(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = clinic / "records.csv"
    path.write_text(path.read_text(encoding="cp1252") + f"\n1;{MARKER}\n", encoding="utf-8")
    assert recode(clinic) == 2
    error = capsys.readouterr().err
    assert "line 12: 2 fields instead of 4" in error
    assert "Karzinom" not in error
    assert list(clinic.glob("records.csv.*")) == []
    assert list(clinic.glob(".records*")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--column", "code"), "no column 'code' (found: id, text, icd10, Arzt); name them with --id and --column"),
        (("--id", "icd10"), "--id and --column both name 'icd10'"),
        (("--to", "2023"), "both versions are 2023"),
        (("--to", "2031"), "no row for icd10gm 2031"),
    ],
)
def test_bad_arguments(
    clinic: Path, arguments: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recode(clinic, *arguments) == 2
    assert message in capsys.readouterr().err


def test_without_the_table_the_list_says_what_it_cannot_know(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clinic / "files" / "icd10gm2024syst_umsteiger_2023_2024.txt").unlink()
    assert recode(clinic) == 0
    printed = capsys.readouterr().out
    assert "Not available: transition table 2023_2024" in printed
    assert "nor splits in which the old code goes on" in printed
    assert "D18.08" not in (clinic / "records.csv.recode.csv").read_text(encoding="utf-8-sig")


def test_what_was_taken_off_the_codes_is_said_and_no_cell_repeated(
    clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [
        "C01 G",
        "C01R",
        "c01†",
        "C02.0 (L) V",
        "ICD-10: C08",
        "C01/C02.0",
        "C01x",
        "k. A.",
        "\u200b",
        "C01 Müller",
    ]
    lines = [";;", "id;text;icd10", *[f"{n};a;{cell}" for n, cell in enumerate(cells)], ";;", " ;;\u00a0"]
    (clinic / "records.csv").write_text("\r\n".join(lines), encoding="utf-8")
    assert recode(clinic) == 0
    with (clinic / "records.csv.recode.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    assert [(row["id"], row["line"], row["old_code"], row["written"], row["note"]) for row in rows] == [
        ("0", "3", "C01", "C01 G", "official automatic successor"),
        ("1", "4", "C01", "C01R", "official automatic successor"),
        ("2", "5", "C01", "c01†", "official automatic successor"),
        ("4", "7", "C08", "ICD-10: C08", "no official successor"),
        ("5", "8", "", "", "the cell holds several codes"),
        ("6", "9", "", "", "the cell holds no single code"),
        ("7", "10", "", "", "the cell holds a placeholder"),
        ("9", "12", "", "", "the cell holds no single code"),
    ]
    printed = capsys.readouterr().out
    assert (
        "read all the same: 5\n4 code(s) had marks taken off: 2 certainty, 2 side, 1 cross\n2 empty row(s)" in printed
    )
    record = json.loads((clinic / "records.csv.recode.csv.provenance.json").read_text(encoding="utf-8"))
    assert record["notes"][0] == "3 code(s) were put into the usual form: 1 small letter, 1 brackets, 1 prefix"


def test_there_and_back(clinic: Path) -> None:
    assert recode(clinic) == 0
    assert recode(clinic, "--output", str(clinic / "back.csv"), years=("2024", "2023")) == 0
    text = (clinic / "back.csv").read_text(encoding="utf-8-sig")
    assert "Fall 1;2;C01;;check;;;not a code of 2024, but of 2023" in text
    (clinic / "records.csv").write_text("id;icd10\n1;C02.8\n2;C03.9\n3;D18.07\n", encoding="utf-8")
    assert recode(clinic, "--output", str(clinic / "again.csv"), years=("2024", "2023")) == 0
    rows = (clinic / "again.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
    assert [row.split(";")[2:6] for row in rows] == [
        ["C02.8", "", "recode", "C01"],
        ["C03.9", "", "choose", ""],
        ["D18.07", "", "recode", "D18.08"],
    ]


def test_a_hundred_thousand_records(clinic: Path) -> None:
    lines = (f"{number};{MARKER};{'D1808' if number % 2 else 'C02.0'}\n" for number in range(100_000))
    (clinic / "records.csv").write_text("id;text;icd10\n" + "".join(lines), encoding="utf-8")
    start = time.perf_counter()
    assert recode(clinic) == 0
    assert time.perf_counter() - start < 10
    assert (clinic / "records.csv.recode.csv").read_bytes().count(b"\r\n") == 50_001


# -- the official files --


@pytest.mark.catalogues
@pytest.mark.parametrize(
    ("years", "expected"),
    [
        (("2023", "2024"), {"unaffected": 830, "choose": 1}),
        (("2024", "2023"), {"unaffected": 831, "recode": 1}),
        (("2024", "2025"), {"unaffected": 832}),
    ],
)
def test_every_terminal_tumour_code(
    catalogues: Path, tmp_path: Path, years: tuple[str, str], expected: dict[str, int]
) -> None:
    kodes = next(catalogues.rglob(f"icd10gm{years[0]}syst_kodes*.txt"))
    fields = [line.split(";") for line in kodes.read_text(encoding="utf-8").splitlines()]
    codes = [row[6] for row in fields if row[1] == "T" and "C00" <= row[6] < "D49"]
    path = tmp_path / "records.csv"
    path.write_text("Nr,ICD\n" + "".join(f"{n},{code}\n" for n, code in enumerate(codes)), encoding="utf-8")
    place = ["--sources", str(write_sources(tmp_path)), "--folder", str(catalogues)]
    verb = ["catalogues", "recode", str(path), "--from", years[0], "--to", years[1], "--id", "Nr", "--column", "ICD"]
    assert main([*verb, *place]) == 0
    record = json.loads((tmp_path / "records.csv.recode.csv.provenance.json").read_text(encoding="utf-8"))
    assert {count: n for count, n in record["counts"].items() if n} == expected
