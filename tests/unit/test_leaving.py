"""Evaluations that have to leave save their answers, and the next ones end with those of an undisturbed one."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.coders import constrained_model, generation
from onkocode.coders.language_model import Checkpoint
from onkocode.records import progress, stopping
from onkocode.records.endings import read_endings
from onkocode.records.progress import PROGRESS_FILE
from onkocode.records.schemas import read_table
from onkocode.records.stopping import STOP_FILE

from .test_conditions import ALL
from .test_conditions import arguments as arguments_of_conditions
from .test_evaluate_verb import BOTH, TESTING, THINKING, Place, place, random_adapter
from .test_recovery import squeue

__all__ = ["place", "random_adapter"]
LEFT = 75
SMALL = {
    "testing": TESTING["testing"] | {"batch_size": 12},
    "thinking": THINKING["thinking"] | {"batch_size": 3, "share": 0.5},
    "evaluation": {"shard": 1000},
}
# Epoch and data sets by condition, and the tries that a batch in each of them makes.
RUNS = {"free": (1, BOTH, 3), "thinking": (0, ("clinic",), 4)}


def command(place: Place, condition: str, run: str) -> list[str]:
    epoch, data_sets, _ = RUNS[condition]
    return place.arguments(run, epoch, condition, data_sets, **SMALL)


def predicted(place: Place, condition: str, run: str) -> list[pl.DataFrame]:
    """Return all but the seconds; the batches too are those of an undisturbed run."""
    return [read_table(place.predictions(run, name), "predictions").drop("seconds") for name in RUNS[condition][1]]


def same(one: list[pl.DataFrame], other: list[pl.DataFrame]) -> bool:
    return len(one) == len(other) and all(left.equals(right) for left, right in zip(one, other, strict=True))


def without_time(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let SLURM say that there is no time left."""
    squeue(folder, "echo 0:00")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def tries(arguments: list[str]) -> list[int]:
    """Run a command until it ends otherwise than by leaving; returns all statuses."""
    found = [main(arguments)]
    while found[-1] == LEFT and len(found) < 60:
        found.append(main(arguments))
    return found


def before_batch(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, number: int, act: Callable[[], object]
) -> None:
    """Do something when a batch with a number, from 1 on, is about to be answered."""
    original, count = getattr(module, name), [0]

    def counted(*given: Any, **named: Any) -> Any:
        count[0] += 1
        if count[0] == number:
            act()
        return original(*given, **named)

    monkeypatch.setattr(module, name, counted)


@pytest.mark.parametrize("condition", RUNS)
def test_an_evaluation_of_many_time_limits_ends_like_an_undisturbed_one(
    place: Place, condition: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert main(command(place, condition, "calm")) == 0
    without_time(monkeypatch, tmp_path)
    found = tries(command(place, condition, "left"))
    assert found == [LEFT] * (RUNS[condition][2] - 1) + [0]  # a batch in each
    assert same(predicted(place, condition, "left"), predicted(place, condition, "calm"))
    assert not (place.private / "scratch" / "left").exists()


def test_conditions_of_many_time_limits_end_like_undisturbed_ones(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few: dict[str, Any] = {"testing": {"precision": "fp32", "batch_size": 8, "max_new_tokens": 6}}
    few |= {"conditions": {"share": 0.5, "questions": 2, "top": 3, "batch_size": 5}}
    arguments = arguments_of_conditions(place, 1, **few)
    outputs = {name: place.private / "predictions" / name / "clinic.parquet" for name in ALL}

    def answered() -> list[pl.DataFrame]:
        return [read_table(path, "predictions").drop("seconds") for path in outputs.values()]

    assert main(arguments) == 0
    calm = answered()
    for path in place.private.rglob("*.parquet"):
        path.unlink()
    without_time(monkeypatch, tmp_path)
    found = tries(arguments)
    assert found[-1] == 0
    # 16 and 4 questions in batches of 8 and 1; of the label spaces, 8 texts per task in batches of 5.
    assert len(found) == 2 + 4 + 4
    assert same(answered(), calm)
    assert not (place.private / "scratch").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_lets_the_batch_end_and_saves(
    place: Place, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(place, "free", "calm")) == 0
    with monkeypatch.context() as patch:
        before_batch(patch, generation, "_generate", 2, lambda: os.kill(os.getpid(), number))
        assert main(command(place, "free", "left")) == LEFT
    said = capsys.readouterr().err
    assert (
        "asked to stop, or out of time; the answers to 24 of 32 questions are saved; start the same job again" in said
    )
    scratch = place.private / "scratch" / "left"
    assert [ending.cause for ending in read_endings(scratch)] == ["stopped"]
    assert not place.predictions("left", "clinic").exists()
    assert main(command(place, "free", "left")) == 0
    assert same(predicted(place, "free", "left"), predicted(place, "free", "calm"))


def test_the_stop_file_is_heard_between_batches(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "LOOK", 0.0)
    scratch = place.private / "scratch" / "left"
    before_batch(monkeypatch, generation, "_generate", 1, (scratch / STOP_FILE).touch)
    assert main(command(place, "free", "left")) == LEFT
    assert json.loads((scratch / PROGRESS_FILE).read_text(encoding="utf-8"))["done"] == 12
    assert main(command(place, "free", "left")) == 0  # the file is one of the job before


def test_a_stop_file_that_comes_while_the_model_is_loaded_costs_no_batch(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = place.private / "scratch" / "left"
    before_batch(monkeypatch, Checkpoint, "load", 1, (scratch / STOP_FILE).touch)
    before_batch(monkeypatch, generation, "_generate", 1, lambda: pytest.fail("a batch was begun"))
    assert main(command(place, "free", "left")) == LEFT


def test_a_constrained_answer_hears_the_stop_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "LOOK", 0.0)
    stop = place.private / "scratch" / STOP_FILE
    arguments = arguments_of_conditions(place, 1, ("constrained",), conditions={"batch_size": 3})
    before_batch(monkeypatch, constrained_model, "rank_candidates", 2, stop.touch)
    assert main(arguments) == LEFT
    found = json.loads(stop.with_name(PROGRESS_FILE).read_text(encoding="utf-8"))
    assert (found["done"], found["total"]) == (6, 16)
    assert [ending.cause for ending in read_endings(stop.parent)] == ["stopped"]
    assert main(arguments) == 0
    assert not stop.parent.exists()


def test_progress_of_all_conditions_together(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(progress, "write_text", lambda path, text: written.append(json.loads(text)))
    monkeypatch.setattr(progress, "EVERY", 0.0)
    assert main(arguments_of_conditions(place, 1)) == 0
    done = [row["done"] for row in written]
    assert done == sorted(done)
    assert {row["total"] for row in written} == {16 + 4 + 16}
    assert (written[0]["task"], written[0]["unit"], done[-1]) == ("answering", "question", 36)
    numbers = {type(row[key]) for row in written for key in row.keys() - {"task", "unit", "updated"}}
    assert numbers <= {int, float, type(None)}  # the folder is private
