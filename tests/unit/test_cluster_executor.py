"""What the executor does by itself, without a cluster."""

import logging
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.iocontainers import ResourceList
from snakemake_executor_plugin_slurm.partitions import Partition as PluginPartition
from snakemake_executor_plugin_slurm.partitions import PartitionLimits
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from onkocode.cluster import slurm, work
from onkocode.cluster.adopting import twins
from onkocode.cluster.executor import Executor
from onkocode.cluster.failed_nodes import WHILE, FailedNodes
from onkocode.cluster.leaving import TELL, Silence
from onkocode.cluster.sending import send
from onkocode.cluster.slurm import BusyError, RefusedError, Row, SlurmError
from onkocode.cluster.submission import comment_of
from onkocode.cluster.verdicts import PATIENCE
from onkocode.cluster.watching import Watch, Watched
from onkocode.config.site import site_of

POLICY = (
    "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size "
    "and/or time limits)"
)
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
    silent.look(13.9)
    assert not silent.ended
    silent.look(14)
    assert silent.over.wait(10)


def test_time_without_jobs_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Silent(monkeypatch, 5)
    silent.look(300)
    assert not silent.ended


@pytest.mark.parametrize(
    ("message", "others", "raised"),
    [
        ("sbatch: error: Unable to contact slurm controller (connect failure)", False, BusyError),
        ("sbatch: error: Zero Bytes were transmitted or received", False, BusyError),
        ("sbatch: error: Slurm backup controller in standby mode", False, BusyError),
        ("sbatch: error: Invalid authentication credential", False, BusyError),
        ("sbatch: [Errno 11] Resource temporarily unavailable: 'sbatch'", False, BusyError),
        ("sbatch: error: AssocMaxSubmitJobLimit\n" + POLICY, True, BusyError),
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit\n" + POLICY, False, RefusedError),
        (POLICY, True, BusyError),
        (POLICY, False, RefusedError),
        ("sbatch: error: QOSMaxWallDurationPerJobLimit\n" + POLICY, True, RefusedError),
        ("sbatch: error: QOSMinGRES\n" + POLICY, True, RefusedError),
        ("sbatch: error: Invalid account or account/partition combination specified", True, RefusedError),
    ],
)
def test_what_sbatch_refuses_for_now_and_for_good(
    monkeypatch: pytest.MonkeyPatch, message: str, others: bool, raised: type[Exception]
) -> None:
    def fail(*_: object) -> str:
        raise SlurmError(message)

    monkeypatch.setattr(slurm, "run", fail)
    with pytest.raises(raised):
        send(["sbatch"], "", lambda: others)


def job(name: str, minutes: int) -> Any:
    resources = work.Resources(mem_mb=8000, runtime=minutes, bundle=8)
    return SimpleNamespace(name=name, threads=1, resources=resources, is_group=lambda: False)


def test_jobs_that_are_sent_together_fit_the_partition_together() -> None:
    site = site_of({"partitions": {"short": PARTITIONS["cpu"] | {"hours": 2}, "cpu": PARTITIONS["cpu"] | {"hours": 5}}})
    given: Any = object.__new__(Executor)
    given._partitions = [
        PluginPartition(name=name, limits=PartitionLimits(**limits))
        for name, limits in site.for_plugin()["partitions"].items()
    ]
    jobs = [job(str(number), 60) for number in range(8)]
    assert given.get_partition_arg(jobs[0]) == " -p short"
    assert given.get_partition_arg(work.together(jobs[:4])) == " -p cpu"
    found = list(work.fitting(work.bundles(jobs), given._has_room))
    assert [len(bundle) for bundle in found] == [4, 4]
    assert [job.name for bundle in found for job in bundle] == [job.name for job in jobs]
    assert [len(bundle) for bundle in work.fitting([[job("long", 999)]], given._has_room)] == [1]  # refused later


def test_a_job_that_slurm_got_twice_is_found_while_it_waits() -> None:
    def row(id_: str, state: str, *keys: str) -> Row:
        return Row(id_, state, comment=comment_of((key, "same") for key in keys))

    rows = [row("1", "RUNNING", "a"), row("2", "PENDING", "a"), row("3", "RUNNING", "a"), row("4", "PENDING", "a", "b")]
    rows += [row("5", "COMPLETED", "c"), row("6", "PENDING", "c"), row("7", "PENDING", "d"), Row("8", "PENDING")]
    found = twins({item.id: item for item in rows}, {"a": "1", "c": "5", "d": "7"})
    assert [item.id for item in found] == ["2"]


def test_failed_nodes_are_left_out_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("onkocode.cluster.failed_nodes.time.monotonic", lambda: now[0])
    nodes = FailedNodes()
    for row in (Row("1", "NODE_FAIL", node="gpu1"), Row("2", "FAILED", node="gpu2"), Row("3", "BOOT_FAIL"), None):
        nodes.note(row)
    assert nodes.names() == {"gpu1"}
    now[0] = WHILE
    assert nodes.names() == set()


def test_only_the_failed_node_has_what_a_job_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def run(command: list[str], *_: object) -> str:
        asked.append([word for word in command if word.startswith("--exclude")])
        if asked[-1]:
            raise SlurmError("Requested node configuration is not available")
        return "7\n"

    monkeypatch.setattr(slurm, "run", run)
    given: Any = object.__new__(Executor)
    given.sending = SimpleNamespace(
        logs=tmp_path,
        folder=tmp_path,
        site=None,
        script=lambda *_: "",
        arguments=lambda jobs, log, account, partition, nodes: ["sbatch", *(f"--exclude={node}" for node in nodes)],
    )
    given.failed, given.watch, given.logger = FailedNodes(), Watch(tmp_path), logging.getLogger("nodes")
    given.queue = SimpleNamespace(has_living=lambda: True)
    given.silence = SimpleNamespace(broken=lambda: None)
    given.format_job_exec = lambda job: ""
    given.get_partition_arg = lambda job: ""
    given.failed.note(Row("1", "NODE_FAIL", node="gpu1"))
    one = job("a", 60)
    one.output, one.params, one.wildcards = ["out"], {}, ()
    assert [info.external_jobid for info in given._submitted([one])] == ["7"]
    assert asked == [["--exclude=gpu1"], []]


def test_what_only_the_accounting_takes_for_alive_has_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(slurm, "accounted", lambda id_: Row(id_, "RUNNING"))
    one = job("a", 60)
    one.output, one.params = [], {}
    watched = Watched(one, "7", "key", tmp_path / "log", seen=-PATIENCE - 1)
    monkeypatch.setattr("onkocode.cluster.watching.time.monotonic", lambda: 0.0)
    assert Watch(tmp_path).look(watched, None).row is None


def test_a_file_system_that_hangs_ends_a_job_only_after_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    silent = Silent(monkeypatch, 5)
    given: Any = silent.executor
    monkeypatch.setattr("onkocode.cluster.executor.time.monotonic", lambda: silent.now)
    monkeypatch.setattr(slurm, "cancel", lambda ids: cancelled.extend(ids))
    cancelled: list[str] = []
    given.trouble, given.watch, given.logger = {}, Watch(tmp_path), logging.getLogger("hangs")
    given._give_up = lambda info, message: given_up.append(message)
    given_up: list[str] = []
    one = job("a", 60)
    one.wildcards = ()
    info = SubmittedJobInfo(one, external_jobid="7")
    for minute in (0, 1, 4):
        silent.now = 60 * minute
        assert given._in_trouble(info, ("7", "key"), OSError("Stale file handle")) is info
    assert not cancelled
    silent.now = 300
    assert given._in_trouble(info, ("7", "key"), OSError("Stale file handle")) is None
    assert cancelled == ["7"]
    assert "Stale file handle" in given_up[0]


def test_more_memory_is_asked_for_where_it_ran_out() -> None:
    given = ResourceList(fromdict={"runtime": 5, "mem_mb": 900, "gpu": 0})
    job = SimpleNamespace(is_group=lambda: False, resources=given)
    work.enlarge(job, None)
    assert dict(given.items()) == {"runtime": 5, "mem_mb": 900, "gpu": 0}
    work.enlarge(job, 1800)
    assert dict(given.items()) == {"runtime": 5, "mem_mb": 1800, "gpu": 0}
    assert (given.mem_mb, given.get("mem_mb"), list(given)) == (1800, 1800, [5, 1800, 0])
