"""Jobs of one epoch are one job of all epochs, bit for bit: weights, optimizer, schedule and logged values.

Continuous integration runs combinations in which every pair of values occurs, one of them with five epochs and the
others with three; `-m full` runs all of them with five.
"""

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.config.resolve import builtin_presets
from onkocode.config.training import Training
from onkocode.training import processes
from onkocode.training.checkpoints import STATE_FILES
from tests.unit import ranks
from tests.unit.training_jobs import command, rows_of, same, same_state, without_clock

EPOCHS, FEWER = 5, 3
ARCHITECTURES = ("qwen2", "qwen3", "llama", "mistral", "mixtral")
VALUES = {
    "architecture": ARCHITECTURES,
    "quantisation": ("none", "8bit", "4bit"),
    "accumulation": (1, 2),
    "processes": (1, 2),
    "preset": ("paper", "recommended"),
}
Case = tuple[Any, ...]
PAIRWISE: list[Case] = [
    ("qwen2", "none", 1, 2, "recommended"),
    ("qwen3", "8bit", 2, 2, "paper"),
    ("llama", "4bit", 1, 2, "paper"),
    ("mistral", "none", 2, 2, "paper"),
    ("mixtral", "4bit", 2, 2, "recommended"),
    ("qwen2", "8bit", 2, 1, "paper"),
    ("qwen2", "4bit", 2, 1, "recommended"),
    ("qwen3", "none", 1, 1, "paper"),
    ("qwen3", "4bit", 1, 1, "recommended"),
    ("llama", "none", 2, 1, "recommended"),
    ("llama", "8bit", 1, 1, "recommended"),
    ("mistral", "8bit", 1, 1, "recommended"),
    ("mistral", "4bit", 1, 1, "paper"),
    ("mixtral", "none", 1, 1, "paper"),
    ("mixtral", "8bit", 2, 1, "recommended"),
]
ALL: list[Case] = list(itertools.product(*VALUES.values()))


def pairs(case: Case) -> Iterator[tuple[tuple[str, Any], tuple[str, Any]]]:
    """Yield every pair of named values of a case."""
    yield from itertools.combinations(zip(VALUES, case, strict=True), 2)


def test_every_pair_of_values_occurs() -> None:
    wanted = {pair for case in ALL for pair in pairs(case)}
    assert wanted - {pair for case in PAIRWISE for pair in pairs(case)} == set()


def of_preset(case: Case, epochs: int) -> dict[str, Any]:
    """Return the training values of a case: those of the preset, as far as they make sense on 28 questions."""
    architecture, quantisation, accumulation, processes, preset = case
    values = {key: value for key, value in builtin_presets()[preset].training.model_dump().items() if value is not None}
    values |= {"epochs": epochs, "quantisation": quantisation, "gradient_accumulation": accumulation}
    values |= {
        "processes": processes,
        "log_steps": 2,
        "learning_rate": 5e-3,
        "batch_size": min(4, values["batch_size"]),
    }
    if architecture == "mixtral":
        values["target_modules"] = ["q_proj", "v_proj"]  # the experts cannot take LoRA with dropout
    return Training.model_validate(values).model_dump(mode="json")


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start processes in no time. That those of torchrun train the same is tested with recovery."""
    monkeypatch.setattr(processes, "subprocess", ranks)


def check(case: Case, base: Path, questions: pl.DataFrame, folder: Path, epochs: int = EPOCHS) -> None:
    values = of_preset(case, epochs)
    for epoch in range(1, epochs + 1):
        assert main(command(base, questions, folder / "jobs", epoch, **values)) == 0
    whole = in_one_run(base, questions, folder / "whole", values)
    jobs = folder / "jobs"
    assert same(jobs / f"epoch-{epochs}", whole)
    assert same_state(jobs / f"epoch-{epochs}", whole)
    rows = [row for epoch in range(1, epochs + 1) for row in rows_of(jobs / f"epoch-{epoch}")]
    logged = [json.loads(line) for line in (folder / "whole/scratch/metrics.jsonl").read_text().splitlines()]
    assert without_counts(rows) == without_counts(logged)
    assert len({row["loss"] for row in rows}) > epochs


def without_counts(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """Leave out what a job counts from the beginning of its epoch, and the first row that each job logs by itself."""
    kept = without_clock(rows)
    return [{key: value for key, value in row.items() if key != "tokens"} for row in kept]


def in_one_run(base: Path, questions: pl.DataFrame, folder: Path, values: dict[str, Any]) -> Path:
    """Train all epochs in one go; returns the last checkpoint, laid out like an epoch."""
    command(base, questions, folder, 1, **values)
    scratch = folder / "scratch"
    scratch.mkdir()
    attempt = scratch / "attempt.json"
    job = {"base": base, "epoch": 1, "previous": None, "scratch": scratch, "output": folder / "epoch-1"}
    description = {"job": job, "questions": folder / "questions.parquet", "settings": values}
    attempt.write_text(json.dumps(description | {"resume": None, "attempt": 1}, default=str), encoding="utf-8")
    count = f"--nproc_per_node={values['processes']}"
    through = ranks.Popen([count], os.environ | {"ONKOCODE_ATTEMPT": str(attempt)}, target=ranks.work_through)
    assert through.wait(timeout=240) == 0
    last = max(scratch.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    (folder / "adapter").symlink_to(last)
    (folder / "state").symlink_to(last)
    assert all((last / name).is_file() for name in STATE_FILES)
    return folder


@pytest.mark.parametrize("case", PAIRWISE, ids=lambda case: "-".join(map(str, case)))
def test_jobs_of_one_epoch_are_one_job(
    case: Case, tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    check(case, tiny_models[case[0]], small_questions, tmp_path, EPOCHS if case == PAIRWISE[0] else FEWER)


@pytest.mark.full
@pytest.mark.parametrize(
    "case", [case for case in ALL if case not in PAIRWISE], ids=lambda case: "-".join(map(str, case))
)
def test_all_combinations(
    case: Case, tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    check(case, tiny_models[case[0]], small_questions, tmp_path)
