"""When a process leaves: signals, the stop file, the end of its time; and what it writes on how far it is."""

import json
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onkocode.coders.course import Course
from onkocode.records import progress
from onkocode.records.errors import StoppedError
from onkocode.records.progress import EVERY, PROGRESS_FILE, Progress
from onkocode.records.stopping import EARLY, LOOK, SAVING, SIGNALS, STOP_FILE, StopRequest, forget_stop, listening


class Clock:
    """Stands in for the time that only goes on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_the_stop_file_is_looked_for_every_two_seconds_at_most(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, exists = [], Path.exists

    def counted(path: Path, **named: bool) -> bool:
        looks.append(path)
        return exists(path, **named)

    monkeypatch.setattr(Path, "exists", counted)
    request = StopRequest(tmp_path)
    assert not any(request.here() for _ in range(50))
    assert looks == [tmp_path / STOP_FILE]
    (tmp_path / STOP_FILE).touch()
    clock.now += LOOK - 0.01
    assert not request.here()
    clock.now += 0.01
    assert request.here()
    (tmp_path / STOP_FILE).unlink()
    clock.now += LOOK
    assert request.here()  # a wish is not taken back
    assert len(looks) == 2


def test_a_file_system_that_does_not_answer_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(path: Path, **named: bool) -> bool:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "exists", hangs)
    assert not StopRequest(tmp_path).here()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_a_wish_while_somebody_listens(tmp_path: Path, number: signal.Signals) -> None:
    before, request = signal.getsignal(number), StopRequest(tmp_path)
    with listening(request):
        os.kill(os.getpid(), number)
        assert request.here()
    assert signal.getsignal(number) == before


def test_another_thread_than_the_main_one_hears_no_signals(tmp_path: Path) -> None:
    heard = []

    def work() -> None:
        with listening(StopRequest(tmp_path)):
            heard.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard


@pytest.mark.parametrize(
    ("seconds", "needed", "left"),
    [
        (7200.0, 0.0, EARLY),
        (7200.0, EARLY - SAVING - 1, EARLY),
        (7200.0, 600.0, 600 + SAVING),  # a batch that would not be done in time is not begun
        (100.0, 0.0, 25.0),
        (100.0, 60.0, 85.0),
    ],
)
def test_time_is_up_when_the_next_piece_of_work_would_not_be_saved(
    tmp_path: Path, clock: Clock, seconds: float, needed: float, left: float
) -> None:
    request = StopRequest(tmp_path, seconds)
    clock.now = 1000 + seconds - left - 1
    assert not request.here(needed)
    clock.now += 1
    assert request.here(needed)
    assert not request.asked  # nobody did


def test_a_stop_file_from_before_is_removed(tmp_path: Path) -> None:
    (tmp_path / STOP_FILE).touch()
    forget_stop(tmp_path)
    assert not StopRequest(tmp_path).here()
    forget_stop(tmp_path)
    forget_stop(tmp_path / "nowhere")


def test_a_job_that_was_asked_before_it_begins_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / STOP_FILE).touch()
    course = Course(tmp_path)
    course.announce(10, 3)
    with pytest.raises(StoppedError, match="answers to 3 of 10 questions are saved"), course.answering():
        raise AssertionError("it began")


# -- how far it is --


def read(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / PROGRESS_FILE).read_text(encoding="utf-8"))
    return found


def test_progress_is_written_at_the_first_and_last_step_and_every_ten_seconds(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    monkeypatch.setattr(progress, "write_text", lambda path, text: written.append(json.loads(text)["done"]))
    headway = Progress(tmp_path, "training", total=100, done=20)
    for done in range(21, 101):
        clock.now += 1
        headway.advance(done)
    headway.close()
    assert written == [21, 31, 41, 51, 61, 71, 81, 91, 100]
    assert EVERY == 10


def test_what_progress_says(tmp_path: Path, clock: Clock) -> None:
    headway = Progress(tmp_path, "training", total=100, done=20)
    headway.advance(20)
    assert read(tmp_path)["left_seconds"] is None  # no speed yet
    clock.now += 40
    headway.loss = 0.25
    headway.advance(30)
    found = read(tmp_path)
    updated = datetime.fromisoformat(str(found.pop("updated")))
    assert abs(updated - datetime.now(UTC)) < timedelta(minutes=5)
    assert found == {
        "task": "training",
        "done": 30,
        "total": 100,
        "unit": "step",
        "loss": 0.25,
        "seconds": 40.0,
        "left_seconds": 280.0,  # 70 steps of 4 s: those before this try took as long as they took
    }
    headway.loss = float("nan")  # no JSON
    headway.advance(100)
    assert (read(tmp_path)["loss"], read(tmp_path)["left_seconds"]) == (None, 0.0)


def test_how_far_a_try_came_is_written_when_it_leaves(tmp_path: Path, clock: Clock) -> None:
    headway = Progress(tmp_path, "answering", total=100)
    headway.close()
    assert not (tmp_path / PROGRESS_FILE).exists()  # it did not come to its first step
    headway.advance(1)
    headway.advance(2)
    assert read(tmp_path)["done"] == 1
    headway.close()
    assert (read(tmp_path)["done"], read(tmp_path)["unit"]) == (2, "question")


def test_a_progress_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    Progress(tmp_path / "file" / "below", "training", 2).advance(1)
