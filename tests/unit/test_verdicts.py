"""What is to be done about a job on a cluster, case by case."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from onkocode.cluster.job import TRY_AGAIN, Record
from onkocode.cluster.slurm import WAITING, Row, code_of, hopeless
from onkocode.cluster.verdicts import IN_VAIN, PATIENCE, Seen, judge
from onkocode.records.endings import Ending

RECORD = Record(Path("1-0.json"), ["train_epoch.a.1"], ["key"], "gpu1", "2026-01-01T00:00:00+00:00", "ended", [1])


def seen(state: str | None, cause: str | None = None, record: Record | None = RECORD, **further: object) -> Seen:
    row = None if state is None else Row("1", state, code=further.pop("code", None))  # type: ignore[arg-type]
    ending = None if cause is None else Ending(cause)  # type: ignore[arg-type]
    return replace(Seen(row, [] if record is None else [record], ending, "job.log"), **further)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "cause", "action", "words"),
    [
        ("COMPLETED", None, "done", ""),
        ("FAILED", "stopped", "again", "left to go on"),
        ("FAILED", "time", "again", "time was up"),
        ("TIMEOUT", "killed", "again", "time was up"),
        ("TIMEOUT", None, "again", "time was up"),
        ("PREEMPTED", "killed", "again", "pre-empted"),
        ("PREEMPTED", None, "again", "pre-empted"),
        ("NODE_FAIL", None, "again", "node failed"),
        ("BOOT_FAIL", None, "again", "node failed"),
        ("FAILED", "memory", "retry", "ran out of memory"),
        ("CANCELLED", "memory", "retry", "ran out of memory"),
        ("OUT_OF_MEMORY", None, "retry", "ran out of memory"),
        ("FAILED", "gpu-memory", "retry", "gpu-memory"),
        ("FAILED", "gpus", "retry", "gpus"),
        ("FAILED", "disk-full", "fail", "job.log"),
        ("FAILED", "refused", "fail", "job.log"),
        ("FAILED", "failed", "retry", "exit code 1"),
        ("FAILED", None, "retry", "job.log"),
        ("CANCELLED", "killed", "retry", "cancelled"),
        ("CANCELLED", "stopped", "retry", "cancelled"),
        ("DEADLINE", None, "retry", "failed"),
    ],
)
def test_ends(state: str, cause: str, action: str, words: str) -> None:
    verdict = judge(seen(state, cause, code=1 if state == "FAILED" else None))
    assert verdict.action == action
    assert words in verdict.message


@pytest.mark.parametrize("state", [*sorted(WAITING), "RUNNING", "COMPLETING", "POWER_UP_NODE", "OF_A_LATER_SLURM"])
def test_waiting_and_running(state: str) -> None:
    assert judge(seen(state)).action == "wait"


def test_goes_on_as_often_as_it_comes_further() -> None:
    assert judge(seen("FAILED", "stopped", in_vain=IN_VAIN - 1)).action == "again"
    given_up = judge(seen("FAILED", "stopped", in_vain=IN_VAIN))
    assert given_up.action == "fail"
    assert "training_hours" in given_up.message


@pytest.mark.parametrize("reason", ["PartitionTimeLimit", "InvalidAccount", "BadConstraints", "(JobHeldAdmin)"])
def test_waits_for_what_will_not_pass(reason: str) -> None:
    waiting = replace(seen("PENDING"), row=Row("1", "PENDING", reason))
    assert judge(waiting).action == "wait"
    late = judge(replace(waiting, waiting=PATIENCE))
    assert late.action == "cancel"
    assert reason in late.message


@pytest.mark.parametrize("reason", ["Priority", "Resources", "JobHeldUser", "Dependency", "None", ""])
def test_waits_for_what_will_pass(reason: str) -> None:
    assert hopeless(reason) is None
    assert judge(replace(seen("PENDING", waiting=10**6), row=Row("1", "PENDING", reason))).action == "wait"


def test_forgotten(tmp_path: Path) -> None:
    running = replace(RECORD, file=tmp_path / "1-0.json", status="running", codes=[])
    running.write()
    assert judge(seen(None, missing=PATIENCE - 1)).action == "wait"
    assert judge(seen(None, record=None, missing=PATIENCE)).action == "again"
    assert judge(seen(None, record=running, missing=PATIENCE)).action == "wait"
    os.utime(running.file, (0, 0))
    assert judge(seen(None, record=running, missing=PATIENCE)).action == "again"
    assert judge(seen(None, record=replace(RECORD, codes=[0]), missing=PATIENCE)).action == "done"
    assert judge(seen(None, record=replace(RECORD, codes=[0, 3]), missing=PATIENCE)).action == "retry"


def test_a_copy_waits_for_the_owner() -> None:
    owned = replace(RECORD, status="owned", codes=[], message="SLURM job 7 works at this already")
    assert judge(seen("FAILED", record=owned, owned=True)).action == "wait"
    assert judge(seen("FAILED", record=owned, outputs=True)).action == "done"
    assert judge(seen("FAILED", record=owned)).action == "again"


def test_a_node_that_was_taken_for_dead_has_done_it() -> None:
    good = replace(RECORD, codes=[0])
    assert judge(seen("NODE_FAIL", record=good, outputs=True)).action == "done"
    assert judge(seen("NODE_FAIL", record=good)).action == "again"


@pytest.mark.parametrize("code", [126, 127])
def test_environment_is_missing(code: int) -> None:
    verdict = judge(replace(seen("FAILED", record=None), row=Row("1", "FAILED", node="gpu1", code=code)))
    assert verdict.action == "fail"
    assert "gpu1" in verdict.message


def test_site_starts_it_again() -> None:
    refused = replace(RECORD, status="refused", message="the site started this job again")
    verdict = judge(seen("CANCELLED", record=refused))
    assert verdict.action == "retry"
    assert "the site started" in verdict.message


@pytest.mark.parametrize(
    "reason",
    [
        "ReqNodeNotAvail, Reserved for maintenance",
        "ReqNodeNotAvail, UnavailableNodes:gpu1",
        "PartitionDown",
        "PartitionInactive",
        "PartitionNodeLimit",
        "NodeDown",
        "AssociationJobLimit",
        "QOSMaxNodePerUserLimit",
    ],
)
def test_waits_for_what_will_pass_and_says_so(reason: str) -> None:
    waiting = replace(seen("PENDING", waiting=PATIENCE), row=Row("1", "PENDING", reason))
    verdict = judge(waiting)
    assert verdict.action == "wait"
    assert reason in verdict.message
    assert judge(replace(waiting, waiting=PATIENCE - 1)).message == ""


@pytest.mark.parametrize(("code", "action"), [(1, "retry"), (TRY_AGAIN, "again")])
def test_a_record_that_is_not_there_may_still_come(code: int, action: str) -> None:
    """Shared file systems show new files late."""
    without = replace(seen("FAILED", record=None), row=Row("1", "FAILED", code=code))
    assert judge(without).action == "wait"
    assert judge(replace(without, ended=PATIENCE)).action == action
    stale = replace(RECORD, keys=["a", "b"], codes=[0], status="running")
    assert judge(seen("FAILED", record=stale, index=1)).action == "wait"
    assert judge(seen("FAILED", record=stale, index=1, ended=PATIENCE)).action == "again"


def test_a_small_job_whose_turn_did_not_come_is_not_done() -> None:
    left = replace(RECORD, keys=["a", "b", "c", "d"], codes=[0, 0])
    assert judge(seen(None, record=left, index=3, missing=PATIENCE)).action == "again"


def test_a_small_job_that_the_kernel_killed_asks_for_more() -> None:
    record = replace(RECORD, keys=["a", "b"], codes=[137])
    assert judge(seen("RUNNING", record=record, index=0)).lacks_memory


@pytest.mark.parametrize(("text", "code"), [("0:0", 0), ("3:0", 3), ("0:9", 137), ("", None), ("1", None)])
def test_exit_codes(text: str, code: int | None) -> None:
    assert code_of(text) == code


@pytest.mark.parametrize(("cause", "action"), [(None, "retry"), ("failed", "retry"), ("disk-full", "fail")])
def test_memory_that_slurm_alone_saw(cause: str | None, action: str) -> None:
    verdict = judge(seen("FAILED", cause, exceeded=True, code=1))
    assert verdict.action == action
    assert verdict.lacks_memory == (action == "retry")
    assert not judge(seen("FAILED", "gpu-memory")).lacks_memory


@pytest.mark.parametrize(("index", "action"), [(1, "retry"), (2, "again")])
def test_of_small_jobs_the_one_that_ran_lacks_memory(index: int, action: str) -> None:
    """The first ended well, the second ran when SLURM ended them all, the third did not begin."""
    record = replace(RECORD, keys=["a", "b", "c"], codes=[0])
    verdict = judge(seen("OUT_OF_MEMORY", None, record, index=index, exceeded=True))
    assert (verdict.action, verdict.lacks_memory) == (action, action == "retry")
