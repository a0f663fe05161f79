"""Morphologies that registries admit: their list, and that none of its codes is called non-existent."""

from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.fetching.sources import find_local, read_sources
from onkocode.catalogues.formats.detect import detect
from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.catalogues.vocabulary.label_space import label_spaces
from onkocode.evaluation.judging import judge_answers
from onkocode.evaluation.measuring import measure
from onkocode.evaluation.parsing import parse_answer
from onkocode.records.errors import InputError
from onkocode.records.schemas import write_table

from .conftest import ROOT, schema_of

LIST = """code;dignität;name;histologie;group
8140/3;3;Adenokarzinom o.n.A.;8140;04
8140/9;9;;8140;04
8004/1;1;Kombination nicht in ICDO3 Katalog enthalten, aber zulässig;8004;17
"""
KNOWN = pl.DataFrame(
    [("8140/3", "morphology", "Adenokarzinom", True, "", "", "8140", "malignant", True)],
    schema=schema_of("codes"),
    orient="row",
)


def listed(folder: Path, text: str = LIST) -> Path:
    path = folder / "morphologie.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_codes_with_a_name_are_admitted(tmp_path: Path) -> None:
    entries, codes = parse_catalogue("registries", "2019", listed(tmp_path))
    assert entries.is_empty()
    assert codes.select("code", "system", "terminal", "category").rows() == [
        ("8140/3", "morphology", True, "8140"),
        ("8004/1", "morphology", True, "8004"),
    ]
    write_table(codes, "codes", tmp_path / "codes.parquet")
    found = detect(listed(tmp_path).read_bytes())
    assert found is not None
    assert found.dataset == "registries"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LIST.replace("8004/1", "8004"), "line 4: '8004' is no morphology code"),
        (LIST + "8140/3;3;again;8140;04\n", "line 5: code '8140/3' stands in line 2 already"),
        (LIST.replace("code;", "kode;"), "code"),
        ("code;dignität;name;histologie;group\n8140/9;9;;8140;04\n", "none is admitted"),
    ],
)
def test_unsound_lists_name_the_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_catalogue("registries", "2019", listed(tmp_path, text))


def judged(folder: Path, answers: list[str], admitted: bool) -> pl.DataFrame:
    questions = [
        {"question_id": f"q{place}", "entry_id": f"e{place}", "cluster": f"e{place}", "task": "morphology"}
        | {"formulation_id": "f", "split": "test", "answer": "8140/3", "code": "8140/3"}
        for place in range(len(answers))
    ]
    predictions = [
        {"model": "a", "epoch": 1, "condition": "free", "dataset": "clinic", "question_id": f"q{place}", "rank": 1}
        | {"answer": answer}
        for place, answer in enumerate(answers)
    ]
    spaces = label_spaces(parse_catalogue("registries", "2019", listed(folder))[1]) if admitted else {}
    return judge_answers(
        pl.DataFrame(predictions, schema=schema_of("predictions")),
        pl.DataFrame(questions, schema=schema_of("questions")),
        label_spaces(KNOWN),
        spaces,
    )


def test_an_admitted_code_is_neither_of_the_catalogue_nor_called_non_existent(tmp_path: Path) -> None:
    rows = judged(tmp_path, ["8140/3", "8004/1", "8999/3", "keine"], admitted=True)
    assert rows["exists"].to_list() == [True, False, False, None]
    assert rows["admissible"].to_list() == [False, True, False, None]
    metrics = measure(rows, None, 10).filter(pl.col("method") == "clopper-pearson")
    rates = dict(metrics.filter(pl.col("denominator") == "valid").select("metric", "value").iter_rows())
    assert rates["nonexistent_rate"] == pytest.approx(1 / 3)
    assert rates["admissible_rate"] == pytest.approx(1 / 3)


def test_without_the_list_such_a_code_does_not_exist(tmp_path: Path) -> None:
    rows = judged(tmp_path, ["8140/3", "8004/1"], admitted=False)
    metrics = measure(rows, None, 10)
    assert rows["admissible"].to_list() == [None, None]
    assert "admissible_rate" not in metrics["metric"]
    assert set(metrics.filter(pl.col("metric") == "nonexistent_rate")["value"]) == {0.5}


@pytest.mark.catalogues
def test_none_of_the_real_lists_codes_is_called_non_existent(catalogues: Path) -> None:
    sources = read_sources(ROOT / "config/catalogues.tsv")
    files = {name: find_local(sources[name, "2019"], catalogues) for name in ("registries", "icdo3")}
    _, codes = parse_catalogue("registries", "2019", files["registries"] or Path())
    _, catalogue = parse_catalogue("icdo3", "2019", files["icdo3"] or Path())
    assert codes.height == 1268
    known, admitted = (label_spaces(table)["morphology"] for table in (catalogue, codes))
    lacking = [code for code in codes["code"] if not known.exists(code)]
    assert len(lacking) == 266
    assert all(admitted.exists(code) and parse_answer("morphology", code).value == code for code in lacking)
