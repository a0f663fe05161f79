"""Explanations: every code with the words, the rule and the line of the table; and the verb that prints them."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onkocode.cli import main
from onkocode.language.explaining import Explanation, explain, table_lines, write_explanation
from onkocode.language.lexicon import build_lexicon, load_tables, shipped_lexicon
from onkocode.language.rows import READERS, shipped

WIDTH = 100
TEXT = "Z. n. Urothel-Ca des Harnleiters li., pTa"


def explained(text: str) -> Explanation:
    return explain(shipped_lexicon(), table_lines(), text)


def test_every_step_shows_the_line_that_it_names() -> None:
    found = explained(TEXT)
    assert found.subject is not None
    lines = {step.decides: step.line for step in found.subject.steps}
    assert "Harnleiter" in lines["topography"]
    assert lines["topography"].split("\t")[1] == found.subject.topography
    assert lines["morphology"].split("\t")[0][:4] in ("8120", "8130")
    assert lines["icd10"].split("\t")[3] == found.subject.icd10 == "D09.1"
    for step in found.subject.steps:
        table, _, number = step.rule.partition(":")
        assert shipped(table.removesuffix(".tsv")).splitlines()[int(number) - 1] == step.line


def test_abbreviations_facts_and_cues_are_named() -> None:
    found = explained(TEXT)
    read_as = {short.written: short for short in found.abbreviations}
    assert read_as["li."].meaning == "links"
    assert read_as["Z. n."].meaning == "Zustand nach"
    for short in found.abbreviations:
        line = shipped("abbreviations").splitlines()[int(short.rule.partition(":")[2]) - 1]
        assert line.split("\t")[1].split() == short.meaning.replace(" - ", "-").split()
    assert [(fact.kind, fact.words) for fact in found.facts] == [("T", "pTa")]
    assert [(cue.kind, cue.words) for cue in found.cues] == [("history", "Z. n.")]


@pytest.mark.parametrize(
    ("text", "tumour"),
    [("Magenkarzinom", True), ("Lipom", True), ("Leistenhernie", False), ("kein Magenkarzinom", False)],
)
def test_whether_it_is_a_tumour(text: str, tumour: bool) -> None:
    assert explained(text).tumour is tumour


def test_other_codes_and_sites_are_told() -> None:
    found = explained("Karzinom von Magen und Leber")
    assert found.subject is not None
    assert found.subject.sites == ("C22.0",)
    assert "C22.7" in found.subject.alternatives
    written = write_explanation(found, WIDTH)
    assert re.search(r"^  or +C22\.7\b", written, flags=re.MULTILINE)
    assert re.search(r"^  sites, too +C22\.0", written, flags=re.MULTILINE)


def test_a_users_line_is_told_from_one_of_the_program() -> None:
    line = next(
        n for n, row in enumerate(shipped("abbreviations").splitlines(), 1) if row.split("\t")[0].strip(".") == "li"
    )
    content = "\n".join(
        ["abbreviation\tmeaning\tcontext", *[f"Q{n}\tQuark\t" for n in range(2, line)], "MaKa\tMagenkarzinom\t"]
    )
    own = {"abbreviations": ("mine/abbreviations.tsv", content)}
    found = explain(build_lexicon(load_tables(own)), table_lines(own), "MaKa li.")
    assert [(short.written, short.rule) for short in found.abbreviations] == [
        ("MaKa", f"mine/abbreviations.tsv:{line}"),
        ("li.", f"abbreviations.tsv:{line}"),
    ]


@given(st.text(max_size=120))
def test_any_text_is_explained_within_the_width(text: str) -> None:
    written = write_explanation(explained(text), WIDTH)
    assert written.startswith(text)
    assert "tumour" in written


def test_lines_of_tables_are_cut_to_the_width() -> None:
    written = write_explanation(explained(TEXT), 60)
    table_rows = [line for line in written.splitlines() if line.startswith(" " * 16)]
    assert table_rows
    assert max(map(len, table_rows)) <= 60


# -- the verb --


def test_the_verb_prints_codes_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["language", "explain", TEXT, "Leistenhernie"]) == 0
    out = capsys.readouterr().out
    for part in (
        TEXT,
        "D09.1",
        "C66.9",
        "8130/2",
        "sites.tsv:",
        "abbreviations.tsv:",
        "Leistenhernie",
        "names no tumour",
    ):
        assert part in out


def test_the_verb_prints_an_object_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", iter(["Magenkarzinom\n", "\n", "- Leistenhernie\n"]))
    assert main(["language", "explain", "--json", "-", "-Mamma-Ca"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]
    assert [(one["text"], one["tumour"]) for one in found] == [
        ("Magenkarzinom", True),
        ("- Leistenhernie", False),
        ("-Mamma-Ca", True),
    ]
    assert found[0]["subject"]["icd10"] == "C16.9"


def test_the_verb_reads_a_users_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "abbreviations.tsv").write_text(
        "abbreviation\tmeaning\tcontext\nMaKa\tMagenkarzinom\t\n", encoding="utf-8"
    )
    assert main(["language", "explain", "--tables", str(tmp_path), "MaKa"]) == 0
    out = capsys.readouterr().out
    assert "C16.9" in out
    assert f"{tmp_path}/abbreviations.tsv:2" in out


def test_tables_that_cannot_be_read_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sites.tsv").write_text("organ\tcode\tpattern\tunder\nstomach\tC16\tQuark\t\n", encoding="utf-8")
    assert main(["language", "explain", "--tables", str(tmp_path), "MaKa"]) == 2
    assert f"{tmp_path}/sites.tsv:2" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--jsn", "Quarkom"], ["Quarkom", "--tabels"]])
def test_no_text_is_repeated_where_a_command_is_wrong(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["language", "explain", *arguments]) == 2
    told = capsys.readouterr()
    assert "Quarkom" not in told.out + told.err
    assert "--help" in told.err


def test_a_line_that_is_not_utf8_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", iter(["Magenkarzinom\n", "Quark\udce4rzinom\n"]))
    assert main(["language", "explain", "-"]) == 2
    told = capsys.readouterr().err
    assert "line 2" in told
    assert "Quark" not in told


def test_texts_are_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["language", "explain", TEXT]) == 0
    assert list(tmp_path.iterdir()) == []


def test_lines_of_all_tables_are_known() -> None:
    assert set(table_lines().lines) == {f"{table}.tsv" for table in READERS}
