import json
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise, product
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onkocode.catalogues.fetching.sources import FOLDER_VARIABLE
from onkocode.catalogues.versions.changes import (
    CODE_CHANGES,
    ENTRY_CHANGES,
    KINDS,
    chain,
    compare_codes,
    compare_entries,
    count_codes,
    misfits,
    reverse,
)
from onkocode.catalogues.versions.opening import (
    CataloguePlace,
    MissingCatalogueError,
    links_between,
    open_catalogue,
    open_transitions,
)
from onkocode.catalogues.vocabulary.codes import behaviour, is_tumour
from onkocode.catalogues.vocabulary.entries import entry_frame
from onkocode.cli import main
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of

Rows = list[tuple[object, ...]]
COLUMNS = (Path(__file__).parents[2] / "config/catalogues.tsv").read_text(encoding="utf-8").splitlines()[0].split("\t")

# -- what the tests are made of; test_recode uses it too --


def space(*rows: str) -> pl.DataFrame:
    """Return a label space of rows such as "C50.1 title"; "C50/ title" is not terminal."""
    found = []
    for row in rows:
        code, title = row.split(" ", 1)
        name = code.removesuffix("/")
        found.append(
            {
                "code": name,
                "system": "icd10gm",
                "title": title,
                "terminal": name == code,
                "chapter": "02",
                "group": name[:1] + "00",
                "category": name[:3],
                "behaviour": behaviour(name),
                "tumour": is_tumour(name),
            }
        )
    return pl.DataFrame(found, schema=columns_of("codes"))


def table(*rows: str) -> pl.DataFrame:
    """Return transitions of rows such as "C01;C02.8;A;A", as in the official file."""
    fields = (row.split(";") for row in rows)
    return pl.DataFrame(
        [
            (*(None if code == "UNDEF" else code for code in (old, new)), f == "A", b == "A")
            for old, new, f, b in fields
        ],
        schema=columns_of("transitions"),
        orient="row",
    )


def write_year(folder: Path, year: str, rows: Iterable[str], transitions: Sequence[str] = ()) -> None:
    """Write a kodes file, and the transition table from the year before, in the official layouts."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in space(*rows).iter_rows(named=True):
        kind, code = "T" if row["terminal"] else "N", row["code"]
        first = [str(len(code)), kind, "X", "02", row["group"], code, code, code.replace(".", ""), row["title"]]
        lines.append(";".join([*first, *["x"] * 18, "J"]))
    (folder / f"icd10gm{year}syst_kodes.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if transitions:
        name = f"icd10gm{year}syst_umsteiger_{int(year) - 1}_{year}.txt"
        (folder / name).write_text("\n".join(transitions) + "\n", encoding="utf-8")


def write_sources(folder: Path, years: Iterable[int] = (2023, 2024, 2025), alphaid: str = "") -> Path:
    """Write a table of sources with everything the verbs may ask for; ``alphaid`` is another pattern for Alpha-ID."""
    rows = [dict(zip(COLUMNS, COLUMNS, strict=True))]
    for year in years:
        files = {
            ("icd10gm", f"{year}"): f"icd10gm{year}syst_kodes*.txt",
            ("alphaid", f"{year}"): alphaid or f"icd10gm{year}_alphaidse*.txt",
            ("transitions", f"{year - 1}_{year}"): f"icd10gm{year}syst_umsteiger_{year - 1}_*.txt",
        }
        rows += [
            {"dataset": d, "version": v, "file": file, "terms": "MIT", "note": "own"} for (d, v), file in files.items()
        ]
    path = folder / "sources.tsv"
    path.write_text("".join("\t".join(row.get(name, "") for name in COLUMNS) + "\n" for row in rows), encoding="utf-8")
    return path


OLD_2023 = (
    "C01 Zungengrund",
    "C02/ Sonstige Teile der Zunge",
    "C02.0 Zungenrücken",
    "C03/ Zahnfleisch",
    "C03.0 Oben",
    "C03.1 Unten",
    "C04 Mundboden",
    "C05/ Gaumen",
    "C05.0 Harter Gaumen",
    "C06 Wange - innen",
    "C07 Ohrspeicheldrüse",
    "C08 Speicheldrüse mit Anhang",
    "D18/ Gefäßtumor",
    "D18.08 Gefäßtumor, sonst",
    "D47.7 Tumor, unklar ob gutartig",
    "J44 Bronchitis",
)
NEW_2024 = (
    "C02/ Sonstige Teile der Zunge",
    "C02.0 Zungenrücken",
    "C02.8 Zunge, hinten",
    "C03/ Zahnfleisch",
    "C03.9 Zahnfleisch o.n.A.",
    "C04/ Mundboden",
    "C04.0 Vorderer Mundboden",
    "C04.1 Seitlicher Mundboden",
    "C05 Gaumen",
    "C06  Wange – innen ",
    "C07 Große Ohrspeicheldrüse",
    "C09 Mandel",
    "D18/ Gefäßtumor",
    "D18.07 Gefäßtumor der Wirbel",
    "D18.08 Gefäßtumor, sonst",
    "D89.8 Störung der Abwehr",
    "J44/ Bronchitis",
    "J44.0 Bronchitis, mild",
    "J44.1 Bronchitis, schwer",
)
FROM_2023_TO_2024 = (
    "C01;C02.8;A;A",
    "C02.0;C02.0;A;A",
    "C03.0;C03.9;A;",
    "C03.1;C03.9;A;",
    "C04;C04.0;;A",
    "C04;C04.1;;A",
    "C05.0;C05;A;A",
    "C06;C06;A;A",
    "C07;C07;A;A",
    "C08;UNDEF;;",
    "UNDEF;C09;;",
    "D18.08;D18.07;;A",
    "D18.08;D18.08;;A",
    "D47.7;D89.8;A;",
    "J44;J44.0;;A",
    "J44;J44.1;;A",
)


def short(changes: pl.DataFrame) -> Rows:
    return changes.select("change", "old_code", "new_code").rows()


# -- codes --


IN_LABEL_SPACES = [
    ("added", None, "C02.8"),
    ("added", None, "C03.9"),
    ("added", None, "C04.0"),
    ("added", None, "C04.1"),
    ("added", None, "C09"),
    ("added", None, "D18.07"),
    ("removed", "C01", None),
    ("removed", "C03.0", None),
    ("removed", "C03.1", None),
    ("removed", "C05.0", None),
    ("removed", "C08", None),
    ("removed", "D47.7", None),
    ("renamed", "C07", "C07"),
    ("became-terminal", "C05", "C05"),
    ("no-longer-terminal", "C04", "C04"),
]
IN_TRANSITIONS = [
    ("split", "C04", "C04.0"),
    ("split", "C04", "C04.1"),
    ("split", "D18.08", "D18.07"),
    ("split", "D18.08", "D18.08"),
    ("merged", "C03.0", "C03.9"),
    ("merged", "C03.1", "C03.9"),
    ("moved", "C01", "C02.8"),
    ("moved", "C05.0", "C05"),
    ("moved", "D47.7", "D89.8"),
]


def test_every_kind_of_change_by_hand() -> None:
    changes = compare_codes(space(*OLD_2023), space(*NEW_2024), table(*FROM_2023_TO_2024))
    assert short(changes) == IN_LABEL_SPACES + IN_TRANSITIONS
    assert changes.schema == CODE_CHANGES
    assert list(count_codes(changes).items()) == list(zip(KINDS, (6, 6, 1, 1, 1, 2, 1, 3), strict=True))


def test_a_row_carries_titles_flags_and_group() -> None:
    rows = compare_codes(space(*OLD_2023), space(*NEW_2024), table(*FROM_2023_TO_2024)).rows()
    assert rows[0] == ("added", None, None, "C02.8", "Zunge, hinten", None, None, "C00")
    assert ("removed", "C08", "Speicheldrüse mit Anhang", None, None, None, None, "C00") in rows
    assert rows[-7] == ("split", "D18.08", "Gefäßtumor, sonst", "D18.07", "Gefäßtumor der Wirbel", False, True, "D00")
    assert rows[-5] == ("merged", "C03.0", "Oben", "C03.9", "Zahnfleisch o.n.A.", True, False, "C00")


def test_the_group_is_that_of_the_new_code() -> None:
    changes = compare_codes(space(*OLD_2023), space(*NEW_2024), table("C01;D89.8;A;A"))
    assert changes.filter(change="moved")["group"].to_list() == ["D00"]


def test_without_transitions_the_label_spaces_speak_alone() -> None:
    assert short(compare_codes(space(*OLD_2023), space(*NEW_2024), None)) == IN_LABEL_SPACES


def test_other_codes_are_listed_on_demand() -> None:
    changes = compare_codes(space(*OLD_2023), space(*NEW_2024), table(*FROM_2023_TO_2024), all_codes=True)
    others = [row for row in short(changes) if not any(code and is_tumour(str(code)) for code in row[1:])]
    assert others == [
        ("added", None, "D89.8"),
        ("added", None, "J44.0"),
        ("added", None, "J44.1"),
        ("no-longer-terminal", "J44", "J44"),
        ("split", "J44", "J44.0"),
        ("split", "J44", "J44.1"),
    ]
    assert changes.height == len(IN_LABEL_SPACES + IN_TRANSITIONS) + 6


def test_all_rows_of_a_split_are_listed_where_one_of_them_is_a_tumour() -> None:
    old, new = space("D76.0 Krankheit"), space("D47.7 Tumor", "D76.0 Krankheit", "D76.3 Syndrom")
    changes = compare_codes(old, new, table("D76.0;D47.7;;A", "D76.0;D76.0;;A", "D76.0;D76.3;;A"))
    assert short(changes)[1:] == [("split", "D76.0", code) for code in ("D47.7", "D76.0", "D76.3")]


@pytest.mark.parametrize(
    ("before", "after", "renamed"),
    [
        ("Wange", "Wange", False),
        ("Wange  innen", "Wange innen ", False),
        ("Wange - innen", "Wange–innen", False),
        ("Sog. „Wange“", 'Sog. "Wange"', False),
        ("Ma\u0308ander", "Mäander", False),
        ("Wange\u00a0innen", "Wange innen", False),
        ("Primärtumoren", "Primärtumore", True),
        ("Wange, innen", "Wange innen", True),
        ("Wange", "wange", True),
    ],
)
def test_typography_is_no_new_title(before: str, after: str, renamed: bool) -> None:
    changes = compare_codes(space(f"C06 {before}"), space(f"C06 {after}"), None)
    assert changes.height == renamed


def test_a_code_may_be_split_and_merged_at_once() -> None:
    old, new = space("C01 a", "C02 b"), space("C01 a", "C02 b")
    changes = compare_codes(old, new, table("C01;C01;;A", "C01;C02;;", "C02;C02;A;"))
    assert short(changes) == [
        ("split", "C01", "C01"),
        ("split", "C01", "C02"),
        ("merged", "C01", "C02"),
        ("merged", "C02", "C02"),
    ]


def test_no_change_is_an_empty_table() -> None:
    changes = compare_codes(space("C01 a"), space("C01 a"), table("C01;C01;A;A"))
    assert changes.schema == CODE_CHANGES
    assert changes.height == 0
    assert set(count_codes(changes).values()) == {0}


def test_codes_that_do_not_fit_the_table_are_named() -> None:
    old, new = space("C01 a", "C02/ b"), space("C01 a", "C02/ b")
    assert misfits(table("C01;C01;A;A", "UNDEF;C03;;", "C02;C01;;"), old, new) == ["C02", "C03"]
    assert misfits(table("C01;C01;A;A"), old, new) == []


# -- chains of years --


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        (["C01;C02;A;A"], ["C02;C03;A;A"], ["C01;C03;A;A"]),
        (["C01;C02;A;"], ["C02;C03;A;A"], ["C01;C03;A;"]),
        (["C01;C02;A;A"], ["C02;C03;;A"], ["C01;C03;;A"]),
        (["C01;C02;;A", "C01;C03;;A"], ["C02;C02;A;A", "C03;C04;A;A"], ["C01;C02;;A", "C01;C04;;A"]),
        # split, then merged: one successor, but no route is automatic both years
        (["C01;C02;;A", "C01;C03;;A"], ["C02;C04;A;", "C03;C04;A;"], ["C01;C04;;"]),
        # merged, then split
        (
            ["C01;C03;A;", "C02;C03;A;"],
            ["C03;C04;;A", "C03;C05;;A"],
            ["C01;C04;;", "C01;C05;;", "C02;C04;;", "C02;C05;;"],
        ),
        # gone in the first year, in the second, new in the first, in the second, for one year only
        (["C01;UNDEF;;"], ["C09;C09;A;A"], ["C01;UNDEF;;", "C09;C09;;"]),
        (["C01;C02;A;A"], ["C02;UNDEF;;"], ["C01;UNDEF;;"]),
        (["UNDEF;C01;;"], ["C01;C02;A;A"], ["UNDEF;C02;;"]),
        (["C01;C01;A;A"], ["C01;C01;A;A", "UNDEF;C02;;"], ["C01;C01;A;A", "UNDEF;C02;;"]),
        (["UNDEF;C01;;", "C02;C02;A;A"], ["C01;UNDEF;;", "C02;C02;A;A"], ["C02;C02;A;A"]),
        # one part of a split ends: the code still has a successor
        (["C01;C02;;A", "C01;C03;;A"], ["C02;UNDEF;;", "C03;C03;A;A"], ["C01;C03;;A"]),
        # a code that the other year's table lacks goes on, not automatically
        (["C01;C01;A;A"], ["C02;C02;A;A"], ["C01;C01;;", "C02;C02;;"]),
    ],
)
def test_two_years_by_hand(first: list[str], second: list[str], whole: list[str]) -> None:
    assert chain([table(*first), table(*second)]).rows() == table(*whole).rows()


def test_one_year_is_no_chain() -> None:
    only = table("C02;C03;A;", "C01;UNDEF;;")
    assert chain([only]).rows() == only.rows()


def test_split_then_merged_is_one_move_over_two_years() -> None:
    old, new = space("C01 a"), space("C04 d")
    whole = chain([table("C01;C02;;A", "C01;C03;;A"), table("C02;C04;A;", "C03;C04;A;")])
    assert short(compare_codes(old, new, whole))[2:] == [("moved", "C01", "C04")]


def test_split_then_merged_back_is_no_change() -> None:
    whole = chain([table("C01;C01;;A", "C01;C02;;A"), table("C01;C01;A;", "C02;C01;A;")])
    assert compare_codes(space("C01 a"), space("C01 a"), whole).height == 0


YEARS = st.lists(
    st.dictionaries(
        st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCD")),
        st.tuples(st.booleans(), st.booleans()),
        max_size=8,
    ),
    min_size=3,
    max_size=3,
)


def frame(pairs: dict[tuple[str, str], tuple[bool, bool]]) -> pl.DataFrame:
    """Return transitions of pairs; codes that lack a successor or a predecessor get UNDEF, so that all tables fit."""
    ends: Rows = [(code, None, False, False) for code in "ABCD" if all(old != code for old, _ in pairs)]
    ends += [(None, code, False, False) for code in "ABCD" if all(new != code for _, new in pairs)]
    rows: Rows = [(*pair, *flags) for pair, flags in pairs.items()]
    return pl.DataFrame(rows + ends, schema=columns_of("transitions"), orient="row")


@given(YEARS)
def test_a_chain_has_the_routes_that_can_be_walked(
    years: list[dict[tuple[str, str], tuple[bool, bool]]],
) -> None:
    expected: dict[tuple[str, str], list[bool]] = {}
    for route in product("ABCD", repeat=4):
        steps = list(pairwise(route))
        if all(step in year for step, year in zip(steps, years, strict=True)):
            flags = [year[step] for step, year in zip(steps, years, strict=True)]
            seen = expected.setdefault((route[0], route[-1]), [False, False])
            expected[route[0], route[-1]] = [seen[way] or all(flag[way] for flag in flags) for way in (0, 1)]
    rows = chain([frame(year) for year in years]).rows()
    assert {(old, new): [f, b] for old, new, f, b in rows if old and new} == expected
    assert {old for old, new, *_ in rows if new is None} == set("ABCD") - {old for old, _ in expected}
    assert {new for old, new, *_ in rows if old is None} == set("ABCD") - {new for _, new in expected}
    backward = chain([reverse(frame(year)) for year in reversed(years)])
    assert set(reverse(backward).rows()) == set(rows)


def test_links_between_years() -> None:
    assert links_between("2023", "2024") == ["2023_2024"]
    assert links_between("2022", "2025") == ["2022_2023", "2023_2024", "2024_2025"]
    assert links_between("2025", "2023") == ["2023_2024", "2024_2025"]
    assert links_between("example", "2024") == ["example_2024"]


# -- entries --


def entries(version: str, *rows: str) -> pl.DataFrame:
    """Return Alpha-ID entries of rows such as "I1 C01 text"; the code "-" is none, "!C01" stands in an invalid row."""
    found = []
    for row in rows:
        alpha_id, code, text = row.split(" ", 2)
        flags = ["invalid"] if code.startswith("!") else []
        name = code.removeprefix("!")
        found.append(
            {
                "entry_id": f"alphaid-{version}:{alpha_id}",
                "kind": "diagnosis",
                "code": None if name == "-" else name,
                "text": text,
                "flags": flags,
            }
        )
    return entry_frame(found, "alphaid", version)


def test_every_kind_of_changed_entry_by_hand() -> None:
    old = entries(
        "2023",
        "I1 C01 Zungenkrebs",
        "I2 C01 Zungengrundkrebs",
        "I3 C01 Tumor, umgezogen",
        "I4 C01 Krebs, gestrichen",
        "I5 C01 Krebs, ungültig",
        "I6 !C01 Schon ungültig",
        "I7 !C01 Wieder gültig",
        "I8 C01 Gleicher Text neue Nummer",
        "I9 C01 Gleicher Text, neue Nummer und Code",
        "I10 J44 Bronchitis",
        "I11 C07 Unverändert",
        "I12 C07 Ohne Code",
    )
    new = entries(
        "2024",
        "I1 C01 Zungenkrebs",
        "I2 C01 Zungengrundkarzinom",
        "I3 C02.8 Tumor,  umgezogen",
        "I5 !C01 Krebs, ungültig",
        "I6 !C01 Schon ungültig",
        "I7 C01 Wieder gültig",
        "I80 C01 gleicher text neue nummer",
        "I90 C02.8 Gleicher Text, neue Nummer und Code",
        "I10 J44.0 Bronchitis",
        "I11 C07 Unverändert",
        "I12 - Ohne Code",
        "I13 C09 Mandelkrebs",
    )
    changes = compare_codes(space("C01 a"), space("C01 a"), None)
    found = compare_entries(old, new, changes)
    assert found.schema == ENTRY_CHANGES
    assert found.rows() == [
        ("recoded", "I12", "I12", "C07", None, "Ohne Code", "Ohne Code"),
        ("recoded", "I3", "I3", "C01", "C02.8", "Tumor, umgezogen", "Tumor,  umgezogen"),
        ("recoded", "I9", "I90", "C01", "C02.8", *["Gleicher Text, neue Nummer und Code"] * 2),
        ("reworded", "I2", "I2", "C01", "C01", "Zungengrundkrebs", "Zungengrundkarzinom"),
        ("new", None, "I13", None, "C09", None, "Mandelkrebs"),
        ("new", None, "I7", None, "C01", None, "Wieder gültig"),
        ("gone", "I4", None, "C01", None, "Krebs, gestrichen", None),
        ("invalid", "I5", None, "C01", None, "Krebs, ungültig", None),
    ]
    assert compare_entries(old, new, changes, all_codes=True).height == found.height + 1


def test_a_text_that_stands_twice_is_matched_once_each() -> None:
    old = entries("2023", "I1 C01 Krebs", "I2 C02 Krebs")
    new = entries("2024", "I3 C02 Krebs", "I4 C01 Krebs", "I5 C01 Krebs")
    changes = compare_codes(space("C01 a"), space("C01 a"), None)
    assert compare_entries(old, new, changes).select("change", "new_id").rows() == [("new", "I5")]


def test_one_version_shows_the_entries_of_changed_codes() -> None:
    changes = compare_codes(space(*OLD_2023), space(*NEW_2024), table(*FROM_2023_TO_2024))
    old = entries("2023", "I1 D18.08 a", "I2 C07 renamed only", "I3 C08 b", "I4 !C08 c", "I5 C02.0 d", "I6 C02.8 e")
    assert [row[:5] for row in compare_entries(old, None, changes).rows()] == [
        ("affected", "I1", None, "D18.08", None),
        ("affected", "I3", None, "C08", None),
    ]
    assert [row[:5] for row in compare_entries(None, old, changes).rows()] == [
        ("affected", None, "I1", None, "D18.08"),
        ("affected", None, "I6", None, "C02.8"),
    ]
    assert compare_entries(None, None, changes).schema == ENTRY_CHANGES


# -- opening catalogues, and the verb --


@pytest.fixture
def years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three years of example files, 2023 to 2025, without Alpha-ID; returns the folder."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    folder = tmp_path / "files"
    write_year(folder, "2023", OLD_2023)
    write_year(folder, "2024", NEW_2024, FROM_2023_TO_2024)
    new_2025 = [row for row in NEW_2024 if not row.startswith(("D18.07", "C04."))]
    second = [f"{row.split()[0]};{row.split()[0]};A;A" for row in new_2025 if "/" not in row.split()[0]]
    second += ["C04.0;C04;A;", "C04.1;C04;A;", "D18.07;D18.08;A;"]
    rows = [row.replace("C04/", "C04") for row in new_2025]
    write_year(folder, "2025", rows, [row for row in second if row != "D18.08;D18.08;A;A"] + ["D18.08;D18.08;A;A"])
    write_sources(tmp_path)
    return folder


def diff(years: Path, *arguments: str) -> int:
    sources = str(years.parent / "sources.tsv")
    return main(["catalogues", "diff", *arguments, "--sources", sources, "--folder", str(years)])


def cells(report: str) -> set[tuple[str, ...]]:
    """Return the rows of all tables of a report."""
    lines = [line for line in report.split("\n") if line.startswith("|")]
    return {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines}


def moves(report: str) -> list[tuple[str, str]]:
    return sorted((row[1], row[3]) for row in cells(report) if row[0] == "moved" and len(row) == 8)


def test_the_report_is_printed(years: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(years, "2023", "2024") == 0
    report = capsys.readouterr().out
    assert "# ICD-10-GM 2023 → 2024: tumour codes (C00–D48)" in report
    assert "Terminal codes: 11 in 2023 (OLD), 11 in 2024 (NEW)." in report
    titles = ("Gefäßtumor, sonst", "Gefäßtumor der Wirbel")
    assert ("split", "D18.08", titles[0], "D18.07", titles[1], "no", "automatic", "D00") in cells(report)
    assert "Not available: Alpha-ID 2023 (" in report
    assert "ICD-O-3 and OPS are not compared" in report
    assert "J44" not in report


def test_tables_are_aligned_with_umlauts(years: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diff(years, "2023", "2024", "--all-codes")
    report = capsys.readouterr().out
    assert "J44.1" in report
    tables = [part.split("\n") for part in report.split("\n\n") if part.startswith("|")]
    assert [len({len(line) for line in lines}) for lines in tables] == [1, 1]
    assert [lines[0].count("|") for lines in tables] == [4, 9]


def test_the_files_of_a_report(years: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "report"
    assert diff(years, "2023", "2024", "--output", str(output)) == 0
    assert "24 rows of changes, 0 entries" in capsys.readouterr().out
    assert sorted(path.name for path in output.iterdir()) == [
        "changes.tsv",
        "entries.tsv",
        "provenance.json",
        "report.md",
    ]
    changes = pl.read_csv(output / "changes.tsv", separator="\t")
    assert changes.columns == list(CODE_CHANGES)
    assert short(changes) == IN_LABEL_SPACES + IN_TRANSITIONS
    assert (output / "entries.tsv").read_text(encoding="utf-8") == "\t".join(ENTRY_CHANGES) + "\n"
    assert "maschinenlesbaren Fassung" in (output / "report.md").read_text(encoding="utf-8")
    record = json.loads((output / "provenance.json").read_text(encoding="utf-8"))
    assert sorted(record["inputs"]) == ["icd10gm 2023", "icd10gm 2024", "transitions 2023_2024"]
    assert record["changes"]["split"] == 2
    assert diff(years, "2024", "2025", "--output", str(output)) == 0  # an earlier report is replaced
    assert "C04" in (output / "changes.tsv").read_text(encoding="utf-8")


def test_a_folder_with_other_files_is_never_replaced(
    years: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.md").write_text("x", encoding="utf-8")
    for output in (mine, mine / "thesis.md"):
        assert diff(years, "2023", "2024", "--output", str(output)) == 2
        assert "name a new or empty directory" in capsys.readouterr().err
    assert [path.name for path in mine.iterdir()] == ["thesis.md"]


def test_two_years_are_chained(years: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The split of D18.08 and that of C04 are merged back in 2025, so nothing is left of them."""
    assert diff(years, "2023", "2025") == 0
    report = capsys.readouterr().out
    assert moves(report) == [("C01", "C02.8"), ("C05.0", "C05"), ("D47.7", "D89.8")]
    assert "D18" not in report
    assert "C04" not in report
    assert diff(years, "2025", "2023") == 0
    assert moves(capsys.readouterr().out) == [("C02.8", "C01"), ("C05", "C05.0"), ("D89.8", "D47.7")]


def test_a_missing_link_is_named_and_the_label_spaces_are_compared(
    years: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (years / "icd10gm2025syst_umsteiger_2024_2025.txt").unlink()
    assert diff(years, "2023", "2025") == 0
    report = capsys.readouterr().out
    assert "Not available: transition table 2024_2025 (" in report
    assert "only the label spaces are compared" in report
    assert ("split", "unknown") in {row[:2] for row in cells(report)}
    assert ("added", "3") in {row[:2] for row in cells(report)}
    assert moves(report) == []


def test_codes_out_of_place_are_reported(years: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = years / "icd10gm2024syst_umsteiger_2023_2024.txt"
    path.write_text(path.read_text(encoding="utf-8") + "UNDEF;C99.8;;\n", encoding="utf-8")
    assert diff(years, "2023", "2024") == 0
    assert "name 1 code(s) that are not terminal in the version of their side (C99.8)" in capsys.readouterr().out


def test_changed_entries_are_shown_and_counted(years: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"1|I{number}|D18.08|||||Gefäßtumor Nr. {number}" for number in range(100, 130)]
    for year in ("2023", "2024"):
        (years / f"icd10gm{year}_alphaidse_edvtxt_x.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        lines = [line.replace("D18.08", "D18.07") for line in lines[1:]]
    assert diff(years, "2023", "2024") == 0
    report = capsys.readouterr().out
    assert "| recoded | 29      |" in report
    assert "| gone    | 1       |" in report
    assert "… and 10 more; `--output DIR`" in report
    assert report.count("| recoded |") == 1 + 20
    assert "Alpha-ID 2023 (" not in report


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2023", "2023"), "both versions are 2023; name two different ones"),
        (
            ("2023", "1999"),
            r"no row for icd10gm 1999 (known versions: 2023, 2024, 2025); take one of them or add a row",
        ),
    ],
)
def test_bad_versions(
    years: Path, arguments: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diff(years, *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_missing_label_space_says_what_to_do(years: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (years / "icd10gm2023syst_kodes.txt").unlink()
    assert diff(years, "2023", "2024") == 2
    error = capsys.readouterr().err
    assert "icd10gm 2023" in error
    assert "icd10gm2023syst_kodes*.txt" in error
    with pytest.raises(MissingCatalogueError, match=rf"name it with --folder or {FOLDER_VARIABLE}"):
        open_catalogue("icd10gm", "2023", CataloguePlace(tmp_path / "sources.tsv", consent=True))
    assert diff(tmp_path / "nowhere", "2023", "2024") == 2


def test_a_broken_file_is_an_error_even_where_it_is_optional(years: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = years / "icd10gm2024syst_umsteiger_2023_2024.txt"
    path.write_text("C01;C02\n" * 3, encoding="utf-8")
    assert diff(years, "2023", "2024") == 2
    assert str(path) in capsys.readouterr().err


def test_a_broken_archive_is_an_error_too(years: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = years / "icd10gm2024syst_umsteiger_2023_2024.txt"
    path.write_bytes(b"PK\x03\x04" + b"x" * 50)
    assert diff(years, "2023", "2024") == 2
    assert f"{path}: not a whole zip file" in capsys.readouterr().err


def test_opening_leaves_nothing_behind_and_tells_where_a_file_came_from(
    years: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    place = CataloguePlace(tmp_path / "sources.tsv", years)
    found, codes = open_catalogue("icd10gm", "2024", place)
    assert (found.height, codes.height) == (0, len(NEW_2024))
    assert open_transitions("2023_2024", place).height == len(FROM_2023_TO_2024)
    assert place.facts["icd10gm 2024"]["origin"] == str(years / "icd10gm2024syst_kodes.txt")
    assert list(temporary.iterdir()) == []
    with pytest.raises(InputError):
        open_catalogue("icd10gm", "2022", place)


def test_a_file_with_an_address_is_downloaded_with_consent_only(
    years: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    handler = partial(SimpleHTTPRequestHandler, directory=str(years))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        rows = [dict(zip(COLUMNS, COLUMNS, strict=True))]
        url = f"http://127.0.0.1:{server.server_port}/icd10gm2024syst_kodes.txt"
        rows.append({"dataset": "icd10gm", "version": "2024", "file": "icd10gm2024*.txt", "url": url, "terms": "MIT"})
        table = tmp_path / "web.tsv"
        table.write_text("".join("\t".join(row.get(name, "") for name in COLUMNS) + "\n" for row in rows), "utf-8")
        assert open_catalogue("icd10gm", "2024", CataloguePlace(table, consent=True))[1].height == len(NEW_2024)
        with pytest.raises(MissingCatalogueError, match="terms of use must be accepted"):
            open_catalogue("icd10gm", "2024", CataloguePlace(table))
        server.shutdown()


def test_the_verb_needs_no_heavy_library(years: Path) -> None:
    import subprocess

    code = (
        "import sys\nfrom onkocode.cli import main\n"
        f"main(['catalogues', 'diff', '2023', '2024', '--sources', {str(years.parent / 'sources.tsv')!r}, "
        f"'--folder', {str(years)!r}])\nassert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


# -- the official files; every count was compared with the raw files --


@pytest.fixture
def official(catalogues: Path, tmp_path: Path) -> tuple[Path, Path]:
    sources = write_sources(tmp_path, alphaid="no-such-file")
    stand_in = "reconstructed_alphaidse2024_like.txt"
    text = sources.read_text(encoding="utf-8")
    sources.write_text(text.replace("alphaid\t2024\tno-such-file", f"alphaid\t2024\t{stand_in}"), encoding="utf-8")
    return sources, catalogues


def official_diff(official: tuple[Path, Path], output: Path, *arguments: str) -> tuple[dict[str, object], pl.DataFrame]:
    sources, folder = official
    place = ["--sources", str(sources), "--folder", str(folder), "--output", str(output)]
    assert main(["catalogues", "diff", *arguments, *place]) == 0
    record = json.loads((output / "provenance.json").read_text(encoding="utf-8"))
    return record["changes"], pl.read_csv(output / "changes.tsv", separator="\t")


@pytest.mark.catalogues
def test_2023_to_2024(official: tuple[Path, Path], tmp_path: Path) -> None:
    counts, changes = official_diff(official, tmp_path / "out", "2023", "2024")
    assert counts == dict.fromkeys(KINDS, 0) | {"added": 1, "split": 1}
    assert changes.select("change", "old_code", "new_code", "forward", "backward").rows() == [
        ("added", None, "D18.07", None, None),
        ("split", "D18.08", "D18.07", False, True),
        ("split", "D18.08", "D18.08", False, True),
    ]
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "Terminal codes: 831 in 2023 (OLD), 832 in 2024 (NEW)." in report
    assert "not terminal in the version of their side" not in report
    entries = pl.read_csv(tmp_path / "out" / "entries.tsv", separator="\t")
    assert entries.group_by("change", "new_code").len().sort("new_code").rows() == [
        ("affected", "D18.07", 2),
        ("affected", "D18.08", 14),
    ]


@pytest.mark.catalogues
def test_2023_to_2024_all_codes(official: tuple[Path, Path], tmp_path: Path) -> None:
    counts, _ = official_diff(official, tmp_path / "out", "2023", "2024", "--all-codes")
    found = {"added": 37, "renamed": 12, "no-longer-terminal": 8, "split": 14}
    assert counts == dict.fromkeys(KINDS, 0) | found


@pytest.mark.catalogues
def test_2024_to_2025_by_label_spaces(official: tuple[Path, Path], tmp_path: Path) -> None:
    counts, changes = official_diff(official, tmp_path / "out", "2024", "2025")
    unknown = dict.fromkeys(("split", "merged", "moved"), "unknown")
    assert counts == dict.fromkeys(KINDS, 0) | {"renamed": 1} | unknown
    assert changes["old_code"].to_list() == ["C97"]
    assert "832 in 2024 (OLD), 832 in 2025" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    counts, _ = official_diff(official, tmp_path / "out", "2024", "2025", "--all-codes")
    found = {"added": 27, "removed": 3, "renamed": 1, "no-longer-terminal": 5}
    assert counts == dict.fromkeys(KINDS, 0) | found | unknown
