"""Jobs that are killed again and again end with exactly the weights of undisturbed ones."""

import shutil
import signal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.records.ids import digest
from onkocode.records.schemas import write_table
from onkocode.training.checkpoints import latest_checkpoint, step_of
from tests.unit.killed_job import PLACES, run
from tests.unit.ranks import PROCESSES
from tests.unit.training_jobs import rows_of, same, same_state, train, without_clock

STEPS = 14  # an epoch of 28 questions in batches of 2


def kill_until_done(
    base: Path, table: Path, folder: Path, epoch: int, changes: dict[str, Any], seed: str
) -> list[tuple[int, str]]:
    """Start a job and kill it, again and again, until it ends by itself; returns where it was killed."""
    kills: list[tuple[int, str]] = []
    while not (folder / f"epoch-{epoch}" / "attempts.jsonl").is_file():
        save = latest_checkpoint(folder / "scratch" / f"epoch-{epoch}")
        begin = step_of(save) if save else (epoch - 1) * STEPS
        draw = int(digest(seed, epoch, len(kills))[:8], 16)
        step, place = begin + 1 + draw % 2, PLACES[draw // 2 % len(PLACES)]
        again = (step, place) in kills
        step = 0 if step > epoch * STEPS or again else step
        process = PROCESSES.Process(target=run, args=(base, table, folder, epoch, changes, step, place))
        process.start()
        process.join(timeout=180)
        assert process.exitcode in (0, -signal.SIGKILL), f"step {step}, {place}: {process.exitcode}"
        if process.exitcode:
            kills.append((step, place))
    return kills


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("llama", {"batch_size": 2}),
    "accumulated": ("qwen3", {"batch_size": 1, "gradient_accumulation": 2, "log_steps": 3, "schedule": "cosine"}),
    "4bit": ("llama", {"batch_size": 2, "quantisation": "4bit", "group_by_length": False}),
}
killed: dict[str, list[tuple[int, str]]] = {}


@pytest.mark.parametrize("name", CASES)
def test_killed_again_and_again(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, name: str
) -> None:
    architecture, changes = CASES[name]
    base, table = tiny_models[architecture], tmp_path / "questions.parquet"
    write_table(small_questions, "questions", table)
    killed[name] = []
    for epoch in (1, 2):
        train(base, small_questions, tmp_path / "calm", epoch, **changes)
        killed[name] += kill_until_done(base, table, tmp_path / "killed", epoch, changes, name)
        calm, other = (tmp_path / folder / f"epoch-{epoch}" for folder in ("calm", "killed"))
        assert same(calm, other)
        assert same_state(calm, other)
        assert without_clock(rows_of(calm)) == without_clock(rows_of(other))
    shutil.rmtree(tmp_path / "killed")


def test_there_were_at_least_thirty_kills_at_all_places() -> None:
    """Counts what the tests above did; they run in this order."""
    assert set(killed) == set(CASES)
    everywhere = [place for kills in killed.values() for _, place in kills]
    assert len(everywhere) >= 30
    assert set(everywhere) == set(PLACES)
