"""What the executor does by itself, without a cluster."""

import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from onkocode.cluster import slurm, work
from onkocode.cluster.executor import Executor
from onkocode.cluster.leaving import TELL, Silence
from onkocode.cluster.slurm import SlurmError
from onkocode.config.site import site_of

PARTITIONS = {"cpu": {"hours": 24, "memory_mb": 64000, "cores": 16}}


class Silent:
    """An executor on a cluster that does not answer, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, minutes: int | None) -> None:
        self.now, self.over = 0.0, threading.Event()
        self.ended: list[str] = []
        self.answers = False
        monkeypatch.setattr("onkocode.cluster.leaving.time.monotonic", lambda: self.now)
        monkeypatch.setattr(slurm, "queue", self.queue)
        settings: dict[str, Any] = {"partitions": PARTITIONS} | ({"silent_minutes": minutes} if minutes else {})
        workflow = SimpleNamespace(scheduler=SimpleNamespace(executor_error_callback=self.end))
        self.executor = object.__new__(Executor)
        self.executor.silence = Silence(workflow, site_of(settings), logging.getLogger("silent"))

    def queue(self) -> dict[str, Any]:
        if self.answers:
            return {}
        raise SlurmError("Connection refused")

    def end(self, error: Exception) -> None:
        self.ended.append(str(error))
        self.over.set()

    def look(self, minute: float) -> Any:
        self.now = 60 * minute
        return self.executor._look()


def test_silence_is_told_and_ends_snakemake_in_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    silent = Silent(monkeypatch, None)
    for minute in range(60):
        assert silent.look(minute) is None
    assert len(caplog.messages) == 59 // (TELL / 60 + 1)
    assert not silent.ended
    silent.look(60)
    assert silent.over.wait(10)
    assert "not answered for 60 min (Connection refused)" in silent.ended[0]
    assert "jobs in SLURM go on" in silent.ended[0]


def test_an_answer_ends_the_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Silent(monkeypatch, 5)
    silent.look(4)
    silent.answers = True
    assert silent.look(4.5) == {}
    silent.answers = False
    silent.look(9)
    assert not silent.ended
    silent.look(9.5)
    assert silent.over.wait(10)


def test_more_memory_is_asked_for_where_it_ran_out() -> None:
    given: dict[str, int] = {"mem_mb": 900}
    job = SimpleNamespace(is_group=lambda: False, resources=given)
    work.enlarge(job, None)
    assert given == {"mem_mb": 900}
    work.enlarge(job, 1800)
    assert given == {"mem_mb": 1800}
