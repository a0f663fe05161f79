"""W&B runs, read back from the files that an offline run leaves."""

import json
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.config.schema import Tracking
from onkocode.records.errors import InputError
from onkocode.records.schemas import write_table
from onkocode.tracking import TrackedRun

from .conftest import LABELS, TEMPLATES, schema_of
from .scoring import score

OFFLINE = Tracking.model_validate({"mode": "offline", "project": "trial"})
BLOCK, HEADER = 32768, 7


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def records(folder: Path) -> list[Any]:
    """Return the records of the only run below a folder, once its end is on the disk: W&B writes in the background."""
    from wandb.proto.wandb_internal_pb2 import Record

    files = list(folder.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 1
    deadline = time.monotonic() + 60
    found: list[Any] = []
    while not any(record.WhichOneof("record_type") == "exit" for record in found):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        found = [Record.FromString(data) for data in chunks(files[0].read_bytes())]
    return found


def chunks(data: bytes) -> Iterator[bytes]:
    """Yield the entries of a LevelDB log after W&B's header of 7 bytes.

    Format: https://github.com/google/leveldb/blob/main/doc/log_format.md
    """
    assert data[:4] == b":W&B"
    position, parts = HEADER, b""
    while position + HEADER <= len(data):
        left = BLOCK - position % BLOCK
        if left < HEADER:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + HEADER])
        parts += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def history(found: list[Any]) -> list[dict[str, Any]]:
    rows = []
    for record in found:
        if record.WhichOneof("record_type") == "history":
            rows.append(
                {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            )
    return rows


def run_record(found: list[Any]) -> Any:
    runs = [record.run for record in found if record.WhichOneof("record_type") == "run"]
    assert len(runs) >= 1
    return runs[0]


def test_offline_run_holds_numbers_and_its_group(tmp_path: Path) -> None:
    with TrackedRun(OFFLINE, "tiny-llama", "train", 2, {"seed": 3}, tmp_path) as run:
        run.log({"train/loss": 1.5}, 10)
        run.log({"train/loss": 0.25}, 20)
    found = records(tmp_path)
    described = run_record(found)
    assert described.run_group == "tiny-llama"
    assert described.job_type == "train"
    assert described.display_name == "tiny-llama-epoch-2-train"
    assert described.project == "trial"
    assert {item.key: json.loads(item.value_json) for item in described.config.update}["seed"] == 3
    logged = [(row["train/global_step"], row["train/loss"]) for row in history(found)]
    assert logged == [(10, 1.5), (20, 0.25)]
    exits = [record.exit.exit_code for record in found if record.WhichOneof("record_type") == "exit"]
    assert exits == [0]


def test_failed_job_closes_its_run_as_failed(tmp_path: Path) -> None:
    with pytest.raises(InputError), TrackedRun(OFFLINE, "tiny", "train", 1, {}, tmp_path):
        raise InputError("no")
    exits = [record.exit.exit_code for record in records(tmp_path) if record.WhichOneof("record_type") == "exit"]
    assert exits == [1]


def test_off_writes_nothing_and_does_not_need_wandb(tmp_path: Path) -> None:
    with TrackedRun(Tracking.model_validate({}), "tiny", "train", 1, {}, tmp_path / "run") as run:
        run.log({"train/loss": 1.0}, 1)
    assert list(tmp_path.iterdir()) == []


def test_training_is_mirrored_without_any_text(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    write_table(small_questions, "questions", tmp_path / "questions.parquet")
    (tmp_path / "base.json").write_text(json.dumps({"path": str(tiny_models["llama"])}), encoding="utf-8")
    settings = {"epochs": 1, "batch_size": 7, "precision": "fp32", "log_steps": 1, "learning_rate": 1e-2}
    command = ["train-epoch", "--model", "tiny", "--epoch", "1", "--base", str(tmp_path / "base.json")]
    command += ["--questions", str(tmp_path / "questions.parquet"), "--settings", json.dumps(settings)]
    command += ["--tracking", '{"mode": "offline"}', "--scratch", str(tmp_path / "scratch" / "epoch-1")]
    assert main([*command, "--output", str(tmp_path / "epoch-1")]) == 0
    written = [json.loads(line) for line in (tmp_path / "epoch-1" / "metrics.jsonl").read_text("utf-8").splitlines()]
    found = records(tmp_path / "scratch")
    mirrored = [(row["train/global_step"], row["train/loss"]) for row in history(found)]
    assert mirrored == [(row["step"], row["loss"]) for row in written]
    assert len(mirrored) == 4
    assert run_record(found).run_group == "tiny"
    no_text_in(
        tmp_path / "scratch", [text for _, text, _ in LABELS] + [t.split("{}")[0][:-1] for t in TEMPLATES.values()]
    )


def no_text_in(folder: Path, texts: list[str]) -> None:
    """Check all files of a run, as bytes and as records."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 2
    for path in files:
        content = path.read_bytes()
        for text in texts:
            assert text.encode() not in content, path
            assert json.dumps(text)[1:-1].encode() not in content, path


def measure(folder: Path, tracking: str) -> Path:
    """Run score-answers on four answers of a patient each; returns the metrics."""
    answer = {"model": "tiny", "epoch": 3, "condition": "free", "dataset": "clinic", "rank": 1, "tokens": 4}
    asked: dict[str, object] = {
        "task": "icd10",
        "block": "icd10",
        "formulation_id": "icd10-01",
        "split": "test",
        "code": "C50.9",
    }
    asked |= {"question": "ICD-10-Code?", "text": "Ca", "accepted": [], "origin_id": "secret"}
    rows: list[dict[str, object]] = [
        {"question_id": f"q{number}", "entry_id": f"secret-{number}", "cluster": f"patient-{number}"}
        | {"answer": "C50.9" if number < 3 else "C50.4", "seconds": 0.5}
        for number in range(4)
    ]
    files = {name: folder / f"{name}.parquet" for name in ("predictions", "questions")}
    for name, more in (("predictions", answer), ("questions", asked)):
        table = pl.DataFrame([{key: (row | more).get(key) for key in schema_of(name)} for row in rows], schema_of(name))
        write_table(table, name, files[name])
    _, output = score(folder, {"clinic": files["predictions"]}, {"clinic": files["questions"]}, "--tracking", tracking)
    return output


def test_metrics_are_mirrored_as_numbers(tmp_path: Path) -> None:
    measure(tmp_path, '{"mode": "offline"}')
    found = records(tmp_path / "results")
    assert run_record(found).job_type == "evaluate"
    (row,) = history(found)
    assert row["evaluate/epoch"] == 3
    assert row["evaluate/free/clinic/icd10/all/accuracy/all"] == 0.75
    assert row["evaluate/free/clinic/icd10/all/accuracy/valid"] == 0.75
    assert all(isinstance(value, int | float) for value in row.values())
    no_text_in(tmp_path / "results" / "wandb", ["secret-", "patient-"])


def test_run_names_neither_machine_nor_user_nor_files_nor_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_USERNAME", "meier-private")
    monkeypatch.setenv("SLURM_JOB_ACCOUNT", "account-private")
    monkeypatch.setattr("sys.argv", ["train-epoch", "/home/private-folder/questions.parquet"])
    with TrackedRun(OFFLINE, "tiny", "train", 1, {}, tmp_path) as run:
        run.log({"train/loss": 1.5}, 10)
    records(tmp_path)
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    assert [path.name for path in (folder / "files").rglob("*") if path.is_file()] == []
    (file,) = folder.glob("*.wandb")
    sent = file.read_bytes()
    for name in (socket.gethostname(), "private", sys.executable, "tracking_process", str(tmp_path), str(Path.cwd())):
        assert name.encode() not in sent, name
