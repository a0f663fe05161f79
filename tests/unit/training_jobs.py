"""Small training jobs that the tests of training share: 28 questions, tiny models, one or several epochs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import torch
from safetensors.torch import load_file

from onkocode.config.schema import Tracking
from onkocode.config.training import Training
from onkocode.records.schemas import write_table
from onkocode.tracking import TrackedRun
from onkocode.training.epoch import EpochJob, train_epoch

# 28 training questions in batches of 4 make 7 steps an epoch.
BASIC = {
    "epochs": 2,
    "lora_rank": 4,
    "lora_alpha": 8,
    "lora_dropout": 0.1,
    "target_modules": "all-linear",
    "learning_rate": 2e-2,
    "schedule": "linear",
    "weight_decay": 0.0,
    "batch_size": 4,
    "max_grad_norm": 1.0,
    "precision": "fp32",
    "loss": "answer",
    "group_by_length": True,
    "log_steps": 1,
}
STEPS = 7
CLOCK = ("seconds", "peak_memory_mb", "tokens_per_second", "examples_per_second", "model_flop_utilisation")


def settings(**changes: Any) -> Training:
    return Training.model_validate(BASIC | changes)


def train(
    base: Path, questions: pl.DataFrame, folder: Path, epoch: int = 1, save_minutes: float = 20, **changes: Any
) -> dict[str, Any]:
    """Train one epoch below a folder, on the epoch before in the same folder."""
    previous = folder / f"epoch-{epoch - 1}" if epoch > 1 else None
    job = EpochJob(base, epoch, previous, folder / "scratch" / f"epoch-{epoch}", folder / f"epoch-{epoch}")
    run = TrackedRun(Tracking.model_validate({}), "tiny", "train", epoch, {}, folder)
    return train_epoch(job, questions, settings(save_minutes=save_minutes, **changes), run)


def rows_of(epoch: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (epoch / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def without_clock(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key not in CLOCK} for row in rows]


def adapter_of(epoch: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(epoch / "adapter" / "adapter_model.safetensors"))


def same(one: Path, other: Path) -> bool:
    """Tell whether two finished epochs have the same weights, bit for bit."""
    first, second = adapter_of(one), adapter_of(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def same_state(one: Path, other: Path) -> bool:
    """Tell whether two finished epochs have the same optimizer and schedule, bit for bit."""
    for name in ("optimizer.pt", "scheduler.pt"):
        first, second = (torch.load(epoch / "state" / name, weights_only=True) for epoch in (one, other))
        if not _equal(first, second):
            return False
    return True


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(_equal(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


def command(base: Path, questions: pl.DataFrame, folder: Path, epoch: int, **changes: Any) -> list[str]:
    """Return the arguments of train-epoch, with the files that it reads written below the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    record, table = folder / "base.json", folder / "questions.parquet"
    record.write_text(json.dumps({"path": str(base), "hub": None, "revision": None}), encoding="utf-8")
    write_table(questions, "questions", table)
    arguments = ["train-epoch", "--model", "tiny", "--epoch", str(epoch), "--base", str(record)]
    arguments += ["--questions", str(table), "--settings", json.dumps(BASIC | changes)]
    arguments += ["--previous", str(folder / f"epoch-{epoch - 1}")] if epoch > 1 else []
    return [*arguments, "--scratch", str(folder / "scratch"), "--output", str(folder / f"epoch-{epoch}")]


def start(arguments: list[str], log: Path, **variables: str) -> "subprocess.Popen[bytes]":
    """Start the verb as a process of its own; what it says goes to a file."""
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "onkocode.cli", *arguments],
            stdout=stream,
            stderr=stream,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | variables,
        )


def wait_for_save(process: "subprocess.Popen[bytes]", scratch: Path, log: Path) -> None:
    """Wait until a first save of a running job is whole; fails when the job ends before, or after four minutes."""
    deadline = time.monotonic() + 240
    while not list(scratch.glob("checkpoint-*/complete.json")):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.002)
