"""A test set of which no text has a topography, from its file to figures and tables."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.config.schema import Thinking
from onkocode.evaluation.sampling import text_questions, thinking_questions
from onkocode.records.schemas import columns_of, read_table, write_table
from onkocode.reporting.summary import write_performance_summary
from tests.conftest import Tables
from tests.unit.reported import draw, model, study_files
from tests.unit.scoring import score_command
from tests.unit.test_cli import tables

Files = dict[str, Path]


@pytest.fixture(
    params=["id;text;icd10\n1;Ca G;C50.9\n2;Ca H;C50.4\n", "id;text;icd10;topography\n1;a;C50.9;\n2;b;C50.4;-\n"]
)
def files(request: pytest.FixtureRequest, tmp_path: Path, example: Tables) -> Files:
    """Tables of the catalogues, entries and questions of the test set."""
    found = tables(tmp_path, example) | {name: tmp_path / f"{name}.parquet" for name in ("entries", "questions")}
    (tmp_path / "mine.csv").write_text(request.param, encoding="utf-8")
    read = ["read-texts", "--key", "mine", "--file", str(tmp_path / "mine.csv"), "--output", str(found["entries"])]
    assert main([*read, "--icd10gm", str(found["icd10gm-codes"]), "--icdo3", str(found["icdo3-codes"])]) == 0
    assert main(["build-text-questions", "--texts", str(found["entries"]), "--output", str(found["questions"])]) == 0
    return found


def test_nothing_is_asked_about_the_topography(files: Files) -> None:
    questions = read_table(files["questions"], "questions")
    assert dict(questions.group_by("task").len().rows()) == {"icd10": 24, "tumour": 12}
    only = Thinking.model_validate({"tasks": ["topography"]})
    assert text_questions(questions, ["topography"]).is_empty()
    assert thinking_questions(questions, only).is_empty()
    assert thinking_questions(questions, Thinking.model_validate({"share": 0.5}))["entry_id"].n_unique() == 1


def test_it_is_compared_with_the_training_labels(files: Files, tmp_path: Path) -> None:
    training, report, pairs = (tmp_path / name for name in ("training.parquet", "leakage.json", "pairs.parquet"))
    questions = read_table(files["questions"], "questions").with_columns(split=pl.lit("train"))
    write_table(questions, "questions", training)
    texts = ["--texts", f"mine={files['entries']}"]
    given = ["--questions", str(training), *texts, "--output", str(report), "--pairs", str(pairs)]
    assert main(["check-leakage", *given]) == 0
    assert json.loads(report.read_text(encoding="utf-8"))["test_sets"]["mine"]["exact"] == 2


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, None),
        ({"evaluation": {"tasks": ["topography", "tumour"]}}, None),
        ({"evaluation": {"tasks": ["topography"]}}, r"data set 'mine': .* evaluation\.tasks \(topography\); none of"),
        ({"evaluation": {}, "thinking": {"tasks": ["topography"]}}, r"'mine': .* thinking\.tasks \(topography\)"),
        ({"evaluation": {}, "thinking": {"tasks": ["icd10"]}}, None),
        (
            {"evaluation": {"splits": ["heldout_label"]}},
            r"'catalogue': .* in evaluation\.splits; name",
        ),
    ],
)
def test_what_would_not_be_asked_is_said_before_any_training(
    files: Files, tmp_path: Path, settings: dict[str, Any], missing: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    training, inputs = tmp_path / "training.parquet", tmp_path / "inputs.json"
    other = read_table(files["questions"], "questions").with_columns(split=pl.lit("train"))
    named = {"task": pl.lit("topography"), "block": pl.lit("topography")}
    topographies = other.with_columns(question_id="other-" + pl.col("question_id"), **named)
    write_table(pl.concat([other, topographies]), "questions", training)
    given = [
        "--questions",
        f"d={training}",
        "--texts",
        f"mine={files['questions']}",
        "--settings",
        json.dumps(settings),
    ]
    assert main(["check-inputs", *given, "--output", str(inputs)]) == (2 if missing else 0)
    assert inputs.exists() == (missing is None)
    if missing is None:
        assert json.loads(inputs.read_text(encoding="utf-8"))["texts"] == {"mine": {"texts": 2, "clusters": 2}}
    else:
        said = capsys.readouterr().err
        assert re.search(missing, said)
        assert "Ca G" not in said
        assert "columns" in said or "splits" in said


def metrics_of(files: Files, folder: Path, epoch: int, condition: str, answer: str) -> Path:
    """Judge and measure one checkpoint that always gives the same answer."""
    ids = read_table(files["questions"], "questions")["question_id"]
    row = {"model": "a", "epoch": epoch, "condition": condition, "dataset": "mine", "rank": 1, "answer": answer}
    row |= {"tokens": 2, "seconds": 0.1, "batch": 1}
    predictions = pl.DataFrame([row | {"question_id": one} for one in ids], schema=columns_of("predictions"))
    stem = folder / f"{epoch}-{condition}"
    paths = [Path(f"{stem}-{name}.parquet") for name in ("predictions", "judged", "metrics")]
    write_table(predictions, "predictions", paths[0])
    tables = ({"mine": paths[0]}, {"mine": files["questions"]}, {"mine": paths[1]})
    baseline = ["--baseline", str(folder / "0-free-judged.parquet")] if (epoch, condition) != (0, "free") else []
    assert main([*score_command(folder, *tables, paths[2]), *baseline, "--tracking", '{"mode": "off"}']) == 0
    return paths[2]


def test_it_is_measured_drawn_and_tabulated(files: Files, tmp_path: Path) -> None:
    checkpoints = [(0, "free", "C50.8"), (0, "thinking", "Ja, C50.9G"), (1, "free", "Ja, C50.9")]
    metrics = [metrics_of(files, tmp_path, *checkpoint) for checkpoint in checkpoints]
    assert set(pl.concat([pl.read_parquet(path) for path in metrics])["task"]) == {"icd10", "tumour"}
    found = study_files(tmp_path, pl.concat([read_table(path, "metrics") for path in metrics]), [model("a")], ["mine"])
    for name in ("accuracy_by_epoch", "size_accuracy", "thinking_mode", "performance"):
        path = tmp_path / f"{name}.{'html' if name == 'performance' else 'svg'}"
        assert "ICD-10" in draw(name, found, path, texts=["mine"])
    write_performance_summary(metrics, "a", 1, tmp_path / "summary.html")
    draw("replicates", found, tmp_path / "replicates.html", texts=["mine"])
    assert "topography" not in (tmp_path / "performance.html").read_text(encoding="utf-8").lower()
