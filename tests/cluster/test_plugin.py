"""The faults of Snakemake's SLURM plugin that docs/slurm_plugin.md describes, with the plugin as it is.

A test that fails here is good news: the plugin was mended, and what the workflow does in its place can go.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.counting import ended
from tests.cluster.slurm import Cluster, Options, answer, cluster, wait_until

pytestmark = [pytest.mark.usefixtures("possible"), pytest.mark.full]
SNAKEFILE = 'rule wait:\n    output: "done"\n    {resources}\n    shell: "sleep {seconds}; touch {{output}}"\n'
PATIENCE = 60.0  # seconds after the end of the job, in which a plugin without the fault would have ended several times


class Plain:
    """Snakemake with the plugin alone."""

    def __init__(self, root: Path, seconds: int = 30, resources: str = "") -> None:
        root.mkdir()
        self.root = root
        line = f"resources: {resources}" if resources else "threads: 1"
        (root / "Snakefile").write_text(SNAKEFILE.format(resources=line, seconds=seconds))

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "snakemake", "--executor", "slurm", "--jobs", "1", "--verbose"]
        if "--slurm-init-seconds-before-status-checks" not in arguments:
            command += ["--slurm-init-seconds-before-status-checks", "1"]
        command += ["--default-resources", "slurm_partition=cpu", "runtime=5", "mem_mb=500", *arguments]
        with (self.root / "said.log").open("wb") as log:
            return subprocess.Popen(command, cwd=self.root, stdout=log, stderr=log, env=os.environ)

    @property
    def said(self) -> str:
        return (self.root / "said.log").read_text(errors="replace")


def jobs(state: str) -> list[str]:
    return answer("squeue", "-h", "--states=all", "-o", "%i %T").split() if state == "any" else ids(state)


def ids(state: str) -> list[str]:
    return answer("squeue", "-h", "-t", state, "-o", "%i").split()


def cancelled(site: Cluster) -> None:
    wait_until(lambda: bool(ids("RUNNING")), 60, "a running job")
    subprocess.run(["scancel", *ids("RUNNING")], check=True)


def preempted(site: Cluster) -> None:
    wait_until(lambda: bool(ids("RUNNING")), 60, "a running job")
    for _ in range(2):
        words = ["--gpus-per-node=2", "--time=2", "--output=/dev/null", "--wrap", "sleep 100"]
        subprocess.run(["sbatch", "-p", "urgent", *words], check=True, capture_output=True)
    wait_until(lambda: bool(ids("PREEMPTED")), 60, "pre-emption")


def finished(site: Cluster) -> None:
    wait_until(lambda: bool(jobs("any")), 60, "a job")
    wait_until(lambda: not jobs("any"), 120, "the job to be forgotten")


def pending(site: Cluster) -> None:
    wait_until(lambda: "PartitionTimeLimit" in answer("squeue", "-h", "-o", "%r"), 60, "the reason")


CASES: dict[str, tuple[Options, int, str, tuple[str, ...], Callable[[Cluster], None]]] = {
    "1 cancelled": (Options(accounting=True), 30, "", (), cancelled),
    "2 pre-empted": (
        Options(preempt="CANCEL"),
        60,
        'gpu=2, slurm_partition="gpu"',
        ("--slurm-status-command", "squeue"),
        preempted,
    ),
    "3 forgotten": (
        Options(min_job_age=2),
        1,
        "",
        ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "20"),
        finished,
    ),
    "4 sacct without accounting": (
        Options(min_job_age=2),
        1,
        "",
        ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "20"),
        finished,
    ),
    "6 waits for what will not pass": (Options(limits="NO"), 1, "runtime=10000", (), pending),
}


@pytest.mark.parametrize("case", CASES)
def test_waits_for_ever(tmp_path: Path, case: str) -> None:
    options, seconds, resources, arguments, happens = CASES[case]
    with cluster(tmp_path / "slurm", options) as site:
        plain = Plain(tmp_path / "study", seconds, resources)
        process = plain.start(*arguments)
        try:
            happens(site)
            time.sleep(PATIENCE)
            assert process.poll() is None, plain.said[-3000:]
            if case.startswith("4"):
                assert "Falling back to 'sacct'" in plain.said
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def test_asks_for_no_gpus_of_a_kind(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm", Options(gres_only=True)):
        plain = Plain(tmp_path / "study", 1, 'gpu=0, gpu_model="a40"')
        assert ended(plain.start(), 120) != 0
        assert "--gpus=a40:0" in plain.said
