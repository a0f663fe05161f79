"""Evaluations that are killed at any moment and run again end with the answers of undisturbed ones."""

import json
import signal
import time
from pathlib import Path

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.records.ids import digest
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import read_table, write_table
from tests.unit.killed_evaluation import run
from tests.unit.ranks import PROCESSES

from .conftest import question_rows, schema_of
from .test_evaluate_verb import BOTH, TESTING, THINKING, Place, random_adapter

# So many saves that a kill falls into any part of one.
SMALL = {
    "evaluation": {"shard": 1},
    "testing": TESTING["testing"] | {"batch_size": 2},
    "thinking": THINKING["thinking"] | {"batch_size": 2, "share": 1.0},
}
RUNS = {"free": (1, BOTH), "thinking": (0, ("clinic",))}  # epoch and data sets by condition
PROMPTS = {"free": 64, "thinking": 24}
RATHER_EARLIER = 0.8


@pytest.fixture(scope="module")
def place(tiny_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("killed")
    for name, split, mark in (("catalogue", None, ""), ("clinic", "test", " (Klinik)")):
        rows = [row | {"question": f"{row['question']}{mark}"} for row in question_rows(name, split)]
        write_table(pl.DataFrame(rows, schema=schema_of("questions")), "questions", folder / f"{name}.parquet")
    (folder / "base.json").write_text(json.dumps({"path": str(tiny_models["qwen3"])}), encoding="utf-8")
    random_adapter(tiny_models["qwen3"], folder / "adapter")
    return Place(folder, folder / "adapter")


@pytest.fixture(scope="module")
def calm(place: Place) -> dict[str, float]:
    """Seconds from the first question to the end, of an undisturbed run under each condition."""
    return {condition: evaluate(place, condition, f"{condition}-calm", None)[1] for condition in RUNS}


def command_of(place: Place, condition: str, name: str) -> list[str]:
    epoch, data_sets = RUNS[condition]
    return place.arguments(name, epoch, condition, data_sets, **SMALL)


def evaluate(place: Place, condition: str, name: str, moment: float | None) -> tuple[bool, float]:
    """Evaluate in a process that is killed so many seconds after it began to answer; None = it is not.

    Returns:
        Whether it was killed before its end, and how long it had been answering.
    """
    answering, done = PROCESSES.Event(), PROCESSES.Event()
    process = PROCESSES.Process(target=run, args=(command_of(place, condition, name), answering, done))
    process.start()
    assert answering.wait(timeout=120)
    began = time.monotonic()
    done.wait(timeout=120 if moment is None else moment)
    seconds = time.monotonic() - began
    if moment is not None:
        process.kill()
    process.join(timeout=120)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0 and not done.is_set(), seconds


def predicted(place: Place, name: str, data_set: str) -> pl.DataFrame:
    return read_table(place.predictions(name, data_set), "predictions")


def saved_keys(place: Place, name: str) -> set[str]:
    """Return the keys of the answers that were saved; every file but a hidden one must be whole."""
    scratch, kept = place.private / "scratch" / name, place.answers(name)
    files = [path for folder in (scratch, kept) for path in folder.rglob("*.parquet") if path.name[0] != "."]
    return {key for path in files for key in read_table(path, "answers")["key"]}


def kill(place: Place, condition: str, seconds: float, number: int, of: int) -> tuple[str, int]:
    """Kill a run in its part of the time, at a moment that is drawn; returns its name, and the answers saved then."""
    share = (number + int(digest("killed evaluation", condition, number)[:8], 16) / 16**8) / of
    for again in range(20):
        name = f"{condition}-{number}-{again}"
        killed, _ = evaluate(place, condition, name, seconds * share * RATHER_EARLIER**again)
        if killed:
            return name, len(saved_keys(place, name))
    raise AssertionError("every run was done before it could be killed")


def check_again(place: Place, condition: str, name: str, saved: int) -> None:
    """Run a killed evaluation again and compare it with the undisturbed one."""
    data_sets = RUNS[condition][1]
    for data_set in data_sets:  # as a whole, or not at all
        assert not place.predictions(name, data_set).exists() or predicted(place, name, data_set).height
    assert main(command_of(place, condition, name)) == 0
    for data_set in data_sets:
        found, expected = (predicted(place, run, data_set) for run in (name, f"{condition}-calm"))
        assert found["question_id"].is_unique().all()
        assert found.drop("seconds", "batch").equals(expected.drop("seconds", "batch"))
        assert read_provenance(place.predictions(name, data_set))["asked"] == PROMPTS[condition] - saved
    assert len(saved_keys(place, name)) == PROMPTS[condition]
    assert not (place.private / "scratch" / name).exists()


def kill_and_check(place: Place, condition: str, seconds: float, points: int) -> list[int]:
    """Kill at points over the time in which a job answers; returns how many answers had been saved at each."""
    found = []
    for number in range(points):
        name, saved = kill(place, condition, seconds, number, points)
        found.append(saved)
        check_again(place, condition, name, saved)
    return found


@pytest.mark.parametrize(("condition", "points"), [("free", 2), ("thinking", 1)])
def test_a_killed_evaluation_goes_on(place: Place, calm: dict[str, float], condition: str, points: int) -> None:
    found = kill_and_check(place, condition, calm[condition], points)
    assert min(found) < PROMPTS[condition]


@pytest.mark.full
@pytest.mark.parametrize("condition", RUNS)
def test_an_evaluation_that_is_killed_at_twenty_moments(place: Place, calm: dict[str, float], condition: str) -> None:
    found = kill_and_check(place, condition, calm[condition], 20)
    print(condition, round(calm[condition], 2), "s,", "saved when killed:", *found)
    assert len(set(found)) > 5  # all over the time
