"""How jobs end, and what the next try concludes: from what a process says, and from what a killed one had written."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from onkocode.records import endings
from onkocode.records.endings import ENDINGS_FILE, Cause, Ending, cause_of, read_endings, recorded, resident_mb
from onkocode.records.errors import InputError, ShortageError, StoppedError
from onkocode.records.limits import memory_given

GPU = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 44.42 GiB"
CPU = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (StoppedError("asked to stop"), "stopped"),
        (KeyboardInterrupt(), "stopped"),
        (InputError("a column is missing"), "refused"),
        (InputError("texts.csv: line 8: No space left on device"), "refused"),
        (InputError("texts.csv: line 7: not enough memory"), "refused"),  # a user's words are no cause
        (ShortageError("fewer GPUs", "gpus"), "gpus"),
        (ShortageError("one question", "gpu-memory"), "gpu-memory"),
        (MemoryError(), "memory"),
        (RuntimeError(CPU), "memory"),
        (torch.OutOfMemoryError(GPU), "gpu-memory"),
        (RuntimeError("CUDA error: out of memory"), "gpu-memory"),
        (OSError(12, "Cannot allocate memory"), "memory"),
        (OSError(28, "No space left on device"), "disk-full"),
        (RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"), "disk-full"),
        (RuntimeError("shape mismatch"), "failed"),
        (SystemExit(1), "failed"),
    ],
)
def test_the_cause_that_an_error_tells(error: BaseException, cause: str, tmp_path: Path) -> None:
    assert cause_of(error) == cause
    with pytest.raises(ShortageError if cause == "disk-full" else type(error)), recorded(tmp_path):
        raise error
    (ending,) = read_endings(tmp_path)
    assert ending.cause == cause


def test_what_another_try_cannot_help(tmp_path: Path) -> None:
    causes = [cause for part in get_args(Cause) for cause in get_args(part)]
    assert {cause for cause in causes if Ending(cause).in_vain} == {"refused", "disk-full"}
    (tmp_path / ENDINGS_FILE).write_text('[{"cause": "failed"}]')  # of a version that knew no better
    assert [(ending.cause, ending.in_vain) for ending in read_endings(tmp_path)] == [("failed", False)]


@pytest.mark.parametrize("others", [False, True])
def test_a_job_that_is_done_leaves_no_record_of_earlier_tries(tmp_path: Path, others: bool) -> None:
    folder = tmp_path / "scratch"
    for _ in range(2):
        with pytest.raises(MemoryError), recorded(folder):
            raise MemoryError
    assert [ending.cause for ending in read_endings(folder)] == ["memory", "memory"]
    with recorded(folder):
        assert [ending.cause for ending in read_endings(folder)] == ["memory", "memory", "killed"]  # were it so
        if others:
            (folder / "save").write_text("")
    assert [path.name for path in tmp_path.rglob("*")] == (["scratch", "save"] if others else [])


HOUR = 3600.0


@pytest.mark.parametrize(
    ("ending", "cause"),
    [
        (Ending("running", seconds=100, peak_mb=3000), "killed"),  # nothing is known of what it was given
        (Ending("running", seconds=100, peak_mb=3000, given_mb=64000, given_seconds=HOUR), "killed"),
        (Ending("running", seconds=100, peak_mb=57600, given_mb=64000, given_seconds=HOUR), "memory"),
        (Ending("running", seconds=100, peak_mb=57500, given_mb=64000, given_seconds=HOUR), "killed"),
        (Ending("running", seconds=100, peak_mb=1500, given_mb=2000), "memory"),  # Snakemake takes its part
        (Ending("running", seconds=100, peak_mb=1400, given_mb=2000), "killed"),
        (Ending("running", seconds=100, peak_mb=40, given_mb=400), "killed"),
        (Ending("running", seconds=HOUR - 61, peak_mb=10, given_seconds=HOUR), "killed"),
        (Ending("running", seconds=HOUR - 60, peak_mb=10, given_seconds=HOUR), "time"),
        (Ending("running", seconds=HOUR, peak_mb=64000, given_mb=64000, given_seconds=HOUR), "time"),
        (Ending("running", seconds=70, given_seconds=100.0), "killed"),
        (Ending("running", seconds=75, given_seconds=100.0), "time"),
        (Ending("stopped", seconds=HOUR, peak_mb=64000, given_mb=64000, given_seconds=HOUR), "stopped"),
    ],
)
def test_what_a_killed_process_had_used_up(ending: Ending, cause: str, tmp_path: Path) -> None:
    (tmp_path / ENDINGS_FILE).write_text(json.dumps([vars(ending)]))
    assert [found.cause for found in read_endings(tmp_path)] == [cause]


@pytest.mark.parametrize("text", ["", "[{", "{}", "[7]", '[{"cause": "memory", "other": 1}]', '"memory"', "null"])
def test_a_record_that_cannot_be_read_asks_for_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / ENDINGS_FILE).write_text(text)
    assert read_endings(tmp_path) == []
    with pytest.raises(MemoryError), recorded(tmp_path):
        raise MemoryError
    assert [ending.cause for ending in read_endings(tmp_path)] == ["memory"]


def test_a_place_that_cannot_be_written_ends_no_job(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with recorded(tmp_path / "file" / "below"):
        pass
    with pytest.raises(InputError), recorded(tmp_path / "file" / "below"):
        raise InputError("the user's mistake")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"SLURM_MEM_PER_NODE": "48000"}, 48000),
        ({"SLURM_MEM_PER_NODE": "0"}, None),
        ({"SLURM_MEM_PER_CPU": "2000", "SLURM_CPUS_ON_NODE": "4"}, 8000),
        ({"SLURM_MEM_PER_CPU": "2000"}, None),
        ({"SLURM_MEM_PER_NODE": "48G"}, None),
    ],
)
def test_memory_that_slurm_gives(
    variables: dict[str, str], expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert memory_given() == expected


# -- real processes --

CHILD = """
block = bytearray({mb} * 2**20)
for place in range(0, len(block), 4096): block[place] = 1
import time; time.sleep(600)
"""


def hold(megabytes: int) -> str:
    """Return a script that fills memory and holds it."""
    return CHILD.format(mb=megabytes)


def job(folder: Path, script: str, **variables: str) -> "subprocess.Popen[bytes]":
    """Start a process that runs a script under a record."""
    begin = "from pathlib import Path; from onkocode.records.endings import recorded\n"
    begin += f"with recorded(Path({str(folder)!r})):\n"
    body = "".join(f"    {line}\n" for line in script.splitlines())
    return subprocess.Popen([sys.executable, "-c", begin + body], env=os.environ | variables)


def wait_until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def last(folder: Path) -> Ending:
    return (read_endings(folder) or [Ending("running")])[-1]


@pytest.mark.parametrize(
    ("script", "taken", "cause"),
    [
        (hold(760), 720, "memory"),
        (hold(200), 150, "killed"),
        # of another process that it started, as those that train together
        (f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold(760)!r}])", 720, "memory"),
    ],
)
def test_a_process_that_is_killed_with_its_memory_full(tmp_path: Path, script: str, taken: int, cause: str) -> None:
    process = job(tmp_path, script, SLURM_MEM_PER_NODE="1200")
    wait_until(lambda: last(tmp_path).peak_mb >= taken)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    process.kill()
    process.wait()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    ending = last(tmp_path)
    assert (ending.cause, ending.given_mb) == (cause, 1200)
    assert taken <= ending.peak_mb < taken + 200


def test_a_process_that_is_killed_at_the_end_of_its_time(tmp_path: Path) -> None:
    (tmp_path / "squeue").write_text("#!/bin/sh\necho 0:04\n")
    (tmp_path / "squeue").chmod(0o755)
    beat = "from onkocode.records import endings; endings.BEAT = 0"
    process = job(
        tmp_path / "job",
        f"{beat}\nimport time; time.sleep(600)",
        SLURM_JOB_ID="7",
        PATH=f"{tmp_path}:{os.environ['PATH']}",
    )
    wait_until(lambda: last(tmp_path / "job").seconds > 0)
    assert last(tmp_path / "job").cause == "killed"
    wait_until(lambda: last(tmp_path / "job").seconds >= 4)
    process.kill()
    process.wait()
    ending = last(tmp_path / "job")
    assert ending.cause == "time"
    assert ending.given_seconds == pytest.approx(4, abs=1)


def test_an_allocation_that_is_refused_is_told(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))"
    process = job(tmp_path, f"{limit}\nblock = bytearray(8 * 2**30)")
    assert process.wait() == 1
    assert last(tmp_path).cause == "memory"


def test_memory_of_mapped_files_does_not_count(tmp_path: Path) -> None:
    import mmap

    (tmp_path / "weights").write_bytes(bytes(200 * 2**20))
    before = resident_mb()
    with (tmp_path / "weights").open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[place] for place in range(0, len(mapped), 4096)) == 0
        assert resident_mb() - before < 50
    block = bytearray(b"x") * (200 * 2**20)
    assert resident_mb() - before > 150
    assert len(block) == 200 * 2**20


def test_a_process_that_fails_since_one_of_its_own_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1000")
    monkeypatch.setattr(endings, "resident_mb", lambda: 950.0)
    several = RuntimeError("the training processes ended with status 1")
    for error, cause in ((several, "memory"), (InputError("the user's mistake"), "refused")):
        with pytest.raises(type(error)), recorded(tmp_path):
            raise error
        assert last(tmp_path).cause == cause
