"""score-answers: one job from the answers of a checkpoint to its rates."""

from pathlib import Path

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import columns_of, read_table, write_table

from .conftest import question_rows, schema_of
from .scoring import score, score_command

NAMES = ("catalogue", "clinic")


@pytest.fixture
def files(tmp_path: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Predictions and questions of two data sets; the first answer of each is wrong, the last one of no form."""
    predictions, questions = ({name: tmp_path / f"{kind}-{name}.parquet" for name in NAMES} for kind in "pq")
    for name in NAMES:
        rows = question_rows(name, None if name == "catalogue" else "test")
        write_table(pl.DataFrame(rows, schema=schema_of("questions")), "questions", questions[name])
        answers = ["C00.1", *[row["answer"] for row in rows[1:-1]], "?"]
        facts = {"model": "m", "epoch": 2, "condition": "free", "dataset": name, "rank": 1, "tokens": 3, "seconds": 0.1}
        given = [
            facts | {"question_id": row["question_id"], "answer": answer}
            for row, answer in zip(rows, answers, strict=True)
        ]
        table = pl.DataFrame([{key: row.get(key) for key in schema_of("predictions")} for row in given])
        write_table(table, "predictions", predictions[name])
    return predictions, questions


def test_one_job_judges_measures_and_summarises(tmp_path: Path, files: tuple[dict[str, Path], dict[str, Path]]) -> None:
    summary = tmp_path / "results" / "summary.html"
    judged, metrics = score(tmp_path, *files, "--summary", str(summary))
    for path, name in zip(judged, NAMES, strict=True):
        rows = read_table(path, "judged")
        assert rows.schema == pl.Schema(columns_of("judged"))
        assert (rows.height, rows["valid"].sum(), rows["exact"].sum()) == (32, 31, 30)
        assert set(rows["dataset"]) == {name}
        assert set(read_provenance(path)["inputs"]) == {"predictions", "questions", "icd10gm", "icdo3"}
    rates = read_table(metrics, "metrics")
    assert rates.schema == pl.Schema(columns_of("metrics"))
    assert set(rates["dataset"]) == set(NAMES)
    assert rates.filter(pl.col("metric").str.starts_with("gain")).is_empty()
    assert set(read_provenance(metrics)["inputs"]) == {str(path) for path in judged}
    assert "m, epoch 2" in summary.read_text(encoding="utf-8")
    shown = pl.read_csv(summary.with_suffix(".tsv"), separator="\t")
    assert set(shown["metric"]) == set(rates["metric"])
    assert read_provenance(summary)["inputs"]


def test_gains_are_those_over_the_baseline(tmp_path: Path, files: tuple[dict[str, Path], dict[str, Path]]) -> None:
    judged, _ = score(tmp_path, *files)
    _, metrics = score(tmp_path, *files, "--baseline", *map(str, judged))
    gains = read_table(metrics, "metrics").filter(pl.col("metric").str.starts_with("gain"))
    assert gains["value"].unique().to_list() == [0.0]
    assert not (tmp_path / "results" / "summary.html").exists()


def test_what_is_wrong_with_the_files_is_said(
    tmp_path: Path, files: tuple[dict[str, Path], dict[str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, questions = files
    judged, output = {name: tmp_path / f"j-{name}.parquet" for name in NAMES}, tmp_path / "metrics.parquet"
    assert main(score_command(tmp_path, predictions, {"clinic": questions["clinic"]}, judged, output)) == 2
    assert "must have the same names" in capsys.readouterr().err
    swapped = dict(zip(NAMES, reversed(questions.values()), strict=True))
    assert main(score_command(tmp_path, predictions, swapped, judged, output)) == 2
    assert "data set 'catalogue': the predictions answer questions that are not in" in capsys.readouterr().err
    predictions["clinic"].write_bytes(b"no table")
    assert main(score_command(tmp_path, predictions, questions, judged, output)) == 2
    assert "p-clinic.parquet: not a readable table" in capsys.readouterr().err
    assert main(score_command(tmp_path, predictions | {"clinic": questions["clinic"]}, questions, judged, output)) == 2
    assert "q-clinic.parquet: holds questions-3, expected predictions-3" in capsys.readouterr().err
    assert not output.exists()
