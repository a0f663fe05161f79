"""The lists of clinical test texts: sound data, and what the reader has once got right stays right."""

import csv
from pathlib import Path

import polars as pl
import pytest

from onkocode.language.lexicon import shipped_lexicon
from onkocode.language.reading import read

FOLDER = Path(__file__).parents[1] / "language"
LISTS = sorted((FOLDER / "lists").glob("*.csv"))
COLUMNS = ["id", "text", "icd10", "topography", "morphology", "derivable", "also", "note"]
# Of all lists together; a change that costs more has broken something.
FLOOR = {"icd10": 0.935, "topography": 0.935, "morphology": 0.905}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=";"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_lists_are_sound(path: Path) -> None:
    found = rows(path)
    assert len(found) >= 100
    assert list(found[0]) == COLUMNS
    assert len({row["id"] for row in found}) == len({row["text"] for row in found}) == len(found)
    assert {row["derivable"] for row in found} <= {"yes", "category", "no"}
    for row in found:
        assert bool(row["topography"]) <= bool(row["icd10"]), row["id"]


def test_every_list_has_the_figures_of_its_first_run() -> None:
    table = pl.read_csv(FOLDER / "first_runs.tsv", separator="\t")
    assert sorted(table["list"]) == [path.stem for path in LISTS]
    assert (table["icd10"] <= table["category"]).all()
    assert (table["category"] <= table["texts"]).all()
    sizes = {path.stem: len(rows(path)) for path in LISTS}
    assert dict(table.select("list", "texts").iter_rows()) == sizes


@pytest.mark.parametrize("measure", FLOOR)
def test_what_was_read_right_stays_right(measure: str) -> None:
    lexicon = shipped_lexicon()
    asked = [row for path in LISTS for row in rows(path) if row[measure]]
    findings = [read(lexicon, row["text"]).subject for row in asked]
    right = [getattr(finding, measure, None) == row[measure] for finding, row in zip(findings, asked, strict=True)]
    assert sum(right) / len(right) >= FLOOR[measure]


def test_texts_without_a_tumour_are_told() -> None:
    lexicon = shipped_lexicon()
    empty = [row for path in LISTS for row in rows(path) if not row["icd10"] and row["derivable"] == "yes"]
    assert len(empty) > 30
    named = [
        row["id"]
        for row in empty
        if (finding := read(lexicon, row["text"]).subject) and "C00" <= (finding.icd10 or "") < "D49"
    ]
    assert len(named) <= 0.1 * len(empty), named
