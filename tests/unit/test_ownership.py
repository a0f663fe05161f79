"""One owner at a time."""

import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from onkocode.records import ownership
from onkocode.records.endings import read_endings, recorded
from onkocode.records.ownership import (
    MARK,
    LostError,
    OwnedError,
    check_owned,
    living,
    owning,
    read_mark,
    this_process,
)


@pytest.fixture(autouse=True)
def _no_owner() -> Iterator[None]:
    with patch.dict(os.environ):
        for name in (ownership.VARIABLE, "SLURM_JOB_ID", "SLURMD_NODENAME"):
            os.environ.pop(name, None)
        yield


def other(folder: Path, **changed: object) -> None:
    """Mark a folder as somebody else's."""
    folder.mkdir(exist_ok=True)
    mark = vars(this_process("other")) | {"node": "gpu9", "host": "gpu9", "job": "7"} | changed
    (folder / MARK).write_text(json.dumps(mark))


def test_marks_and_leaves_nothing(tmp_path: Path) -> None:
    with owning(tmp_path / "a", tmp_path / "b") as mine:
        assert living(tmp_path / "a") == living(tmp_path / "b") == mine
        check_owned(tmp_path / "a", tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "result").touch()
    with owning(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_an_owner_elsewhere_counts_while_it_gives_signs_of_life(tmp_path: Path) -> None:
    other(tmp_path)
    with pytest.raises(OwnedError, match=r"SLURM job 7 on node gpu9.*scancel 7"), owning(tmp_path):
        pytest.fail("two owners")
    before = (tmp_path / MARK).read_text()
    silent = time.time() - ownership.SILENCE - 5
    os.utime(tmp_path / MARK, (silent, silent))
    with owning(tmp_path) as mine:
        assert read_mark(tmp_path) == mine
    assert before != ""


def test_a_dead_process_of_this_machine_counts_no_longer(tmp_path: Path) -> None:
    here = this_process()
    # Its number was given to another process.
    other(tmp_path, node=here.node, host=here.host, pid=here.pid, started=here.started + 1)
    assert living(tmp_path) is None
    other(tmp_path, node=here.node, host=here.host)
    assert living(tmp_path) is not None


def test_who_only_looks_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other(tmp_path)
    now = (tmp_path / MARK).stat().st_mtime
    monkeypatch.delattr(Path, "touch")
    assert living(tmp_path, now + ownership.SILENCE - 1) is not None
    assert living(tmp_path, now + ownership.SILENCE + 1) is None
    assert living(tmp_path / "nothing", now) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"token": "x"}'])
def test_a_broken_mark_is_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / MARK).write_text(content)
    assert living(tmp_path) is None
    with owning(tmp_path) as mine:
        assert read_mark(tmp_path) == mine


def test_who_lost_a_folder_is_told_and_takes_nothing_away(tmp_path: Path) -> None:
    def work() -> None:
        with recorded(tmp_path):
            other(tmp_path)
            check_owned(tmp_path)

    with owning(tmp_path), pytest.raises(LostError, match="took this over"):
        work()
    assert read_mark(tmp_path) is not None
    assert [item.cause for item in read_endings(tmp_path)] == ["killed"]  # as the first owner left it: not ended


def test_without_a_mark_nothing_is_lost(tmp_path: Path) -> None:
    check_owned(tmp_path)
    with owning(tmp_path):
        (tmp_path / MARK).unlink()
        with pytest.raises(LostError, match="somebody took this over"):
            check_owned(tmp_path)


def test_marks_in_the_private_folder_are_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONKOCODE_PRIVATE", str(tmp_path / "private"))
    folders = [tmp_path / "private/scratch/a", tmp_path / "results/a"]
    with owning(*folders):
        assert [folder.stat().st_mode & 0o077 for folder in (*folders, tmp_path / "private")] == [0, 0o055, 0]


def test_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "BEAT", 0.05)
    with owning(tmp_path):
        os.utime(tmp_path / MARK, (0, 0))
        time.sleep(0.5)
        assert (tmp_path / MARK).stat().st_mtime > 0


def test_steps_of_a_job_share_its_mark(tmp_path: Path) -> None:
    with owning(tmp_path) as job:
        with owning(tmp_path) as step:
            assert step.token == job.token
            check_owned(tmp_path)
        assert read_mark(tmp_path) == job
        with patch.dict(os.environ):
            del os.environ[ownership.VARIABLE]  # somebody else on this machine
            with pytest.raises(OwnedError), owning(tmp_path):
                pytest.fail("two owners")
        (tmp_path / "part").mkdir()
        check_owned(tmp_path / "part")  # of a folder that is marked
    (tmp_path / "part").rmdir()


def _try(folder: Path, barrier: "multiprocessing.synchronize.Barrier", results: "multiprocessing.Queue[bool]") -> None:
    barrier.wait()
    try:
        with owning(folder):
            results.put(True)
            time.sleep(1.5)
    except OwnedError:
        results.put(False)


@pytest.mark.parametrize("stale", [False, True])
def test_of_many_at_once_one_gets_it(tmp_path: Path, stale: bool) -> None:
    folder = tmp_path / "scratch"
    if stale:
        other(folder)
        os.utime(folder / MARK, (0, 0))
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(8), context.Queue()
    processes = [context.Process(target=_try, args=(folder, barrier, results)) for _ in range(8)]
    for process in processes:
        process.start()
    got = [results.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert sum(got) == 1
