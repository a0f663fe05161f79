"""Faults in the tables of clinical language: each kind by a small table, and what is no fault."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onkocode.cli import main
from onkocode.language.check import check_form, check_tables, replaced_rows
from onkocode.language.code_checks import FORMS
from onkocode.language.covering import covers, impossible, same
from onkocode.language.entries import Problem, read_entries
from onkocode.language.patterns import Alternative, Matcher, parse_pattern
from onkocode.language.rows import READERS, shipped

HEADERS = {table: next(line for line in shipped(table).splitlines() if not line.startswith("#")) for table in READERS}


Own = dict[str, tuple[str, str]]


def tables(**rows: str) -> Own:
    """Return tables of a user's: rows by table, cells parted by a semicolon."""
    return {
        table: (f"mine/{table}.tsv", "\n".join([HEADERS[table], *written.replace(";", "\t").split("\n")]))
        for table, written in rows.items()
    }


def faults(own: Own, spaces: Mapping[str, frozenset[str]] | None = None) -> list[tuple[str, str, int]]:
    return [(found.kind, found.place.table, found.place.line) for found in check_tables(own, spaces or {})]


def said(own: Own) -> str:
    return "\n".join(map(str, check_tables(own, {})))


SOUND = tables(
    abbreviations="UKN;Universitätsklinikum\nMX;Mammakarzinom;Mamma | Brust\nMX;Magenkarzinom;Magen",
    sites="breast;C50.4;Oberaußenwort;breast",
    regions="lump;Beulenort;C44.3;C49.0;C41.0;C77.0;C76.0;yes",
    procedures="Nieskopie;stomach;C16.9",
    histologies="8140/3;epithelial;Quarkom drüsig;C16.9?\n8010/3;epithelial;Quarkom",
    haematology="9823/3;lymphoid;Quarkose;C42.1;C91.10",
    behaviour="quarkfrei;0",
    cues="Quarkverdacht;uncertain;clause",
    metastases="C00.0-C00.9;C79.88",
    combination="0;8140;C16.0;D13.1",
    finer="C44.59;Quarkrand;C44.50",
    alternatives="8130/2 8580-8589;C67.0-C67.9;D09.0 C67.9",
)


def test_sound_tables_have_no_faults() -> None:
    assert check_tables(SOUND, {}) == []
    assert set(SOUND) == set(READERS)


FAULTS: dict[str, tuple[Own, list[tuple[str, str, int]]]] = {
    "too many cells": (tables(finer="C44.59;a;C44.50;note\nC44.59;b;C44.50"), [("malformed", "finer", 2)]),
    "unknown role": (tables(cues="Quark;rumour;clause"), [("malformed", "cues", 2)]),
    "unknown reach": (tables(cues="Quark;history;everywhere"), [("malformed", "cues", 2)]),
    "excluded word of a cue": (tables(cues="Quark -Käse;history;clause"), [("malformed", "cues", 2)]),
    "bracket without partner": (
        tables(behaviour="quarkfrei;0\n(quark/frei;0\nfrei);0"),
        [("malformed", "behaviour", 3), ("malformed", "behaviour", 4)],
    ),
    "excluded words side by side": (
        tables(sites='stomach;C16.9;Quark -"in situ"\nstomach;C16.9;Käse -(in situ/Milch)'),
        [("malformed", "sites", 2), ("malformed", "sites", 3)],
    ),
    "empty pattern": (tables(procedures=";stomach;C16.9"), [("malformed", "procedures", 2)]),
    "only excluded words": (tables(sites="stomach;C16.9;-Quark"), [("malformed", "sites", 2)]),
    "abbreviation without meaning": (tables(abbreviations="QX;"), [("malformed", "abbreviations", 2)]),
    "abbreviation of marks": (tables(abbreviations="+/-;Quark"), [("malformed", "abbreviations", 2)]),
    "no range of morphology": (tables(combination="0;814;C16.0;D13.1"), [("malformed", "combination", 2)]),
    "no list of topographies": (tables(metastases="C16;C78.8"), [("malformed", "metastases", 2)]),
    "topography that is none": (tables(sites="stomach;C16;Quark"), [("malformed", "sites", 2)]),
    "morphology that is none": (tables(histologies="8140;epithelial;Quarkom"), [("malformed", "histologies", 2)]),
    "code of ICD-10 that is none": (
        tables(haematology="9823/3;lymphoid;Quarkose;C42.1;C91,10"),
        [("malformed", "haematology", 2)],
    ),
    "disputed codes that are none": (
        tables(alternatives="8130;C67.0-C67.9;D09.0 C67,9"),
        [("malformed", "alternatives", 2), ("malformed", "alternatives", 2)],
    ),
    "axes swapped": (
        tables(histologies="C16.9;epithelial;Quarkom;8140/3"),
        [("malformed", "histologies", 2), ("malformed", "histologies", 2)],
    ),
    "code that nothing leads to": (tables(finer="C44.59;Quark;C44.99"), [("code", "finer", 2)]),
    "unknown organ": (tables(sites="breast;C50.4;Quark;brest, breast"), [("name", "sites", 2)]),
    "no organ": (tables(procedures="Nieskopie;;C16.9"), [("name", "procedures", 2)]),
    "unknown kind": (tables(histologies="8140/3;epitelial;Quarkom"), [("name", "histologies", 2)]),
    "unknown behaviour": (tables(behaviour="quarkfrei;benign"), [("name", "behaviour", 2)]),
    "unknown word for stations": (
        tables(regions="lump;Beulenort;C44.3;C49.0;C41.0;C77.0;C76.0;ja"),
        [("name", "regions", 2)],
    ),
    "cycle": (
        tables(abbreviations="QX;Quarkexamen\nAB;BC Quark\nBC;Quark CD\nCD;AB"),
        [("cycle", "abbreviations", line) for line in (3, 4, 5)],
    ),
    "abbreviation with two meanings": (
        tables(abbreviations="QX;Quark\nQX;Käse"),
        [("contradiction", "abbreviations", 3)],
    ),
    "two meanings under one condition": (
        tables(abbreviations="QX;Quark;Magen | Darm\nQX;Käse;Darm | Magen"),
        [("contradiction", "abbreviations", 3)],
    ),
    "abbreviation behind one without condition": (
        tables(abbreviations="quarkex;Quark\nquarkex;Käse;Magen"),
        [("never", "abbreviations", 3)],
    ),
    "condition that excludes itself": (
        tables(abbreviations="QX;Quark;Magen | !Magen"),
        [("never", "abbreviations", 2)],
    ),
    "site with two codes": (
        tables(sites="stomach;C16.0;Quark\nstomach;C16.1;Käse | Quarks"),
        [("contradiction", "sites", 3)],
    ),
    "part with two codes": (
        tables(sites="breast;C50.1;Quark;breast\nbreast;C50.2;Quark;breast"),
        [("contradiction", "sites", 3)],
    ),
    "region with two codes": (
        tables(regions="a;Quark;C44.3;-;-;-;C76.0\nb;Quark;C44.4;-;-;-;C76.0"),
        [("contradiction", "regions", 3)],
    ),
    "cue with two roles": (tables(cues="Quark;history;after\nQuark;current;after"), [("contradiction", "cues", 3)]),
    "behaviour twice": (tables(behaviour="Quark;0\nQuark;2"), [("contradiction", "behaviour", 3)]),
    "finer code twice": (tables(finer="C44.59;Quark;C44.50\nC44.59;Quark;C44.59"), [("contradiction", "finer", 3)]),
    "histology with two codes": (
        tables(histologies="8140/3;epithelial;Quark (gut/böse)\n8010/3;epithelial;(böse/gut) Quark"),
        [("contradiction", "histologies", 3)],
    ),
    "rule with two codes": (
        tables(combination="0;8140;C16.0;D13.1\n0;8140;C16.0;D13.9"),
        [("contradiction", "combination", 3)],
    ),
    "rule behind a wider one": (
        tables(combination="0;8000-8200;C16.0-C16.9;D13.1\n0;8140 8150;C16.2-C16.3;D13.9"),
        [("never", "combination", 3)],
    ),
    "histology behind a more general one": (
        tables(histologies="8010/3;epithelial;Quarkom\n8140/3;epithelial;drüsig Quarkom | Käse"),
        [("never", "histologies", 3)],
    ),
    "histology behind a beginning": (
        tables(histologies="8010/3;epithelial;quarko~\n8140/3;epithelial;Quarkoblastom"),
        [("never", "histologies", 3)],
    ),
    "general row before those of the program": (
        tables(histologies="8010/3;epithelial;Adenokarzinom"),
        [("never", "histologies", 2)],
    ),
    "row behind those of haematology": (
        tables(histologies="8010/3;epithelial;Kahler"),
        [("never", "histologies", 2)],
    ),
    "word asked for and forbidden": (
        tables(sites='stomach;C16.0;Quark -Quarks | "guter Quark" -Quark'),
        [("never", "sites", 2), ("never", "sites", 2)],
    ),
    "beginning forbidden": (tables(sites="stomach;C16.0;Quarkom -quark~"), [("never", "sites", 2)]),
    "choice forbidden": (tables(sites="stomach;C16.0;(Quark/Käse) Ort -Käse"), [("never", "sites", 2)]),
    "word that is left out of texts": (tables(sites="stomach;C16.0;(an der Quark/Käse) Ort"), [("never", "sites", 2)]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found_with_their_line(name: str) -> None:
    own, expected = FAULTS[name]
    assert faults(own) == [(kind, f"mine/{table}.tsv", line) for kind, table, line in expected]


def test_a_missing_column_is_told_once() -> None:
    own = {"finer": ("mine/finer.tsv", "# own\nicd10\tpatern\tfiner\nC44.59\ta\tC44.50\nC44.59\tb\tC44.50")}
    assert [str(found) for found in check_tables(own, {})] == [
        "mine/finer.tsv:2: no column 'pattern'; the header names the columns"
    ]


def test_faults_of_all_tables_are_told_at_once() -> None:
    own = {
        table: source
        for kind in ("cycle", "unknown role", "no organ", "finer code twice")
        for table, source in FAULTS[kind][0].items()
    }
    assert {found.kind for found in check_tables(own, {})} == {"cycle", "malformed", "name", "contradiction"}


NO_FAULTS = {
    "an abbreviation that stays as it is": tables(abbreviations="QX;QX Gen\nQY;QY"),
    "meanings that differ by their ending": tables(abbreviations="QX;Quark\nQX;Quarks"),
    "capitals tell two abbreviations apart": tables(abbreviations="QX;Quark\nqx.;Käse"),
    "conditions tell two meanings apart": tables(abbreviations="QX;Quark;Magen\nQX;Käse;Darm\nQX;Milch"),
    "a part of two organs": tables(sites="breast;C50.1;Quark;breast\nstomach;C16.1;Quark;stomach"),
    "a special histology before a general one": tables(
        histologies="8140/3;epithelial;drüsig Quarkom\n8010/3;epithelial;Quarkom"
    ),
    "a general one that excludes the special one": tables(
        histologies="8010/3;epithelial;Quarkom -drüsig\n8140/3;epithelial;drüsig Quarkom"
    ),
    "one choice of two behind another row": tables(
        histologies="8010/3;epithelial;drüsig Quarkom\n8140/3;epithelial;(drüsig/gut) Quarkom"
    ),
    "words side by side before the same words anywhere": tables(
        histologies='8010/3;epithelial;"drüsiges Quarkom"\n8140/3;epithelial;drüsig Quarkom'
    ),
    "the same code twice": tables(histologies="8140/3;epithelial;Quarkom\n8140/3;epithelial;drüsig Quarkom"),
    "a special row whose code an earlier one gives": tables(
        histologies="8140/3;epithelial;drüsig Quarkom\n8010/3;epithelial;Quarkom\n8140/3;epithelial;gut drüsig Quarkom"
    ),
    "an abbreviation in capitals behind one in small letters": tables(abbreviations="qx.;Quark\nQX;Käse;Magen"),
    "another behaviour": tables(combination="0;8140;C16.0;D13.1\n1;8140;C16.0;D37.1"),
    "a row of the program's that is replaced": tables(abbreviations="Ca;Kalzium"),
}


@pytest.mark.parametrize("name", NO_FAULTS)
def test_what_is_no_fault(name: str) -> None:
    assert said(NO_FAULTS[name]) == ""


def test_catalogues_decide_where_they_are_named() -> None:
    own = tables(histologies="8140/3;epithelial;Quarkom;C16.9;C16.9", finer="C44.59;Quark;C44.99")
    spaces = {
        "icd10gm": frozenset(("C44.59", "C44.99")),
        "topography": frozenset(("C16.9",)),
        "morphology": frozenset(("8010/3",)),
    }
    found = check_tables(own, spaces)
    assert faults(own, spaces) == [("code", "mine/histologies.tsv", 2)] * 2
    assert {re.search(r"\b[C8]\S+", problem.message).group() for problem in found} == {"8140/3", "C16.9"}  # type: ignore[union-attr]
    assert all(problem.message.count("C16.9") == 0 or "ICD-10-GM" in problem.message for problem in found)


@given(st.text("C0123456789./", max_size=8))
def test_topography_and_morphology_cannot_be_swapped(code: str) -> None:
    assert not (FORMS["topography"].fullmatch(code) and FORMS["morphology"].fullmatch(code))


def test_form_alone_is_checked_before_a_text_is_read() -> None:
    own = FAULTS["axes swapped"][0] | FAULTS["cycle"][0]
    assert {problem.kind for problem in check_form(own)} == {"malformed"}


def test_rows_of_the_program_that_are_replaced_are_named() -> None:
    own = tables(abbreviations="Ca;Kalzium\nQX;Quark", sites="stomach;C16.0;Magen")
    notes = replaced_rows(own)
    assert [re.sub(r"\d+$", "n", note) for note in notes] == [
        "mine/abbreviations.tsv:2 replaces abbreviations.tsv:n",
        "mine/sites.tsv:2 replaces sites.tsv:n",
    ]
    place = notes[1].rpartition(":")[2]
    assert "Magen" in shipped("sites").splitlines()[int(place) - 1]


# -- what follows from patterns --

WORDS = st.sampled_from(["Quark", "Käse", "Milch", "quar~", "Rahm"])
PIECES = st.one_of(
    WORDS,
    st.lists(WORDS, min_size=2, max_size=3).map(lambda words: f"({'/'.join(words)})"),
    st.lists(WORDS, min_size=2, max_size=2).map(lambda words: f'"{" ".join(words)}"'),
)
PATTERNS = st.tuples(st.lists(PIECES, min_size=1, max_size=3), st.lists(WORDS.map("-{}".format), max_size=2)).map(
    lambda parts: parse_pattern(" ".join([*parts[0], *parts[1]]))[0]
)
TEXTS = st.lists(st.sampled_from(["quark", "kes", "milch", "ram", "quarks", "other"]), max_size=5)


def matches(alternative: Alternative, text: list[str]) -> bool:
    features = [{word, *(["quar~"] if word.startswith("quar") else [])} for word in text]
    return bool(Matcher([(alternative,)]).matches(features))


@given(PATTERNS, PATTERNS, TEXTS)
def test_what_covers_another_matches_whatever_it_matches(
    general: Alternative, special: Alternative, text: list[str]
) -> None:
    if covers(general, special) and matches(special, text):
        assert matches(general, text)


@given(PATTERNS, TEXTS)
def test_what_never_matches_matches_nothing(alternative: Alternative, text: list[str]) -> None:
    assert covers(alternative, alternative)
    assert same(alternative, alternative)
    if impossible(alternative).startswith("never"):
        assert not matches(alternative, text)


# -- the tables of the program --


@pytest.fixture(scope="module")
def of_program() -> list[Problem]:
    return check_tables({}, {})


@pytest.mark.parametrize("kind", ["malformed", "code", "name", "cycle"])
def test_tables_of_the_program_are_clean(of_program: list[Problem], kind: str) -> None:
    assert [str(problem) for problem in of_program if problem.kind == kind] == []


@pytest.mark.parametrize(
    "table",
    ["abbreviations", "regions", "procedures", "behaviour", "finer", "combination", "metastases", "alternatives"],
)
def test_tables_of_the_program_contradict_nothing(of_program: list[Problem], table: str) -> None:
    assert [str(problem) for problem in of_program if problem.place.table == f"{table}.tsv"] == []


def test_every_row_of_the_program_is_looked_at() -> None:
    entries = read_entries({}, [])
    lines = {table: [line for line in shipped(table).splitlines() if line and line[0] != "#"] for table in READERS}
    assert {table: len(rows) for table, rows in entries.items()} == {
        table: len(rows) - 1 for table, rows in lines.items()
    }


# -- the verb --

Write = Callable[[Own], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def files(own: Own) -> Path:
        for table, (_, content) in own.items():
            (tmp_path / f"{table}.tsv").write_text(content, encoding="utf-8")
        return tmp_path

    return files


def test_the_verb_tells_faults_with_file_and_line(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(FAULTS["cycle"][0] | FAULTS["no organ"][0])
    assert main(["language", "check", "--tables", str(folder)]) == 2
    told = capsys.readouterr().err
    assert [f"{folder}/abbreviations.tsv:{line}:" in told for line in (2, 3, 4, 5)] == [False, True, True, True]
    assert f"{folder}/procedures.tsv:2: names no organ" in told


def test_the_verb_says_what_is_sound_and_what_is_replaced(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tables(abbreviations="Ca;Kalzium"))
    assert main(["language", "check", "--tables", str(folder)]) == 0
    replaced, sound = capsys.readouterr().out.splitlines()
    assert replaced.startswith(f"{folder}/abbreviations.tsv:2 replaces abbreviations.tsv:")
    assert "no fault found" in sound


def test_the_verb_looks_codes_up_in_files(write: Write, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tables(sites="stomach;C16.9;Quark\nstomach;C16.7;Käse"))
    icdo3 = root / "example/catalogues/icdo3/icdo32019_claml_example.xml"
    assert main(["language", "check", "--tables", str(folder), "--icdo3", str(icdo3)]) == 2
    told = capsys.readouterr().err
    assert "sites.tsv:3: topography C16.7 does not exist" in told
    assert "sites.tsv:2" not in told


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("abbreviations.tsv", b"abbreviation\tmeaning\tcontext\nM\xe4\tMamma\t\n", "byte 30 is not UTF-8"),
        ("organs.tsv", b"organ\tcode\n", "no table of that name"),
        ("sites.txt", b"organ\tcode\n", "holds no table"),
    ],
)
def test_folders_that_hold_no_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, content: bytes, told: str
) -> None:
    (tmp_path / file).write_bytes(content)
    assert main(["language", "check", "--tables", str(tmp_path)]) == 2
    assert told in capsys.readouterr().err


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["language", "check", "--tables", str(tmp_path / "none")]) == 2
    assert "no folder" in capsys.readouterr().err
