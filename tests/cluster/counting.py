"""A workflow of jobs that count, run by the executor under test on the cluster under test."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.slurm import answer, wait_until
from tests.cluster.worker import expected

ROOT = Path(__file__).resolve().parents[2]
SNAKEFILE = """
import json
from pathlib import Path

from onkocode.cluster import executor, hooks
from onkocode.records.endings import read_endings

executor.install()
jobs = json.loads(Path("jobs.json").read_text())


onstart:
    if workflow.non_local_exec:
        hooks.check_fits(workflow)
        hooks.end_on_signals(workflow)


def memory(wildcards):
    asked = jobs[wildcards.name].get("mem_mb", 1500)
    for ending in read_endings(Path(f"scratch/{wildcards.name}")):
        asked *= 2 if ending.cause == "memory" else 1
    return asked


def of(key, default):
    return lambda wildcards: jobs[wildcards.name].get(key, default)


rule all:
    input:
        [f"out/{name}/result.txt" for name in jobs],


rule count:
    output:
        "out/{name}/result.txt",
    log:
        "logs/count/{name}.log",
    resources:
        mem_mb=memory,
        runtime=of("runtime", 10),
        gpu=of("gpu", 0),
        gres=of("gres", ""),
        bundle=of("bundle", 1),
    params:
        scratch=lambda wildcards: f"scratch/{wildcards.name}" if of("saves", True)(wildcards) else "",
        key=lambda wildcards: json.dumps(jobs[wildcards.name].get("words", [])),
        words=lambda wildcards: jobs[wildcards.name].get("words", []),
    shell:
        "python -m tests.cluster.worker --scratch scratch/{wildcards.name:q} --output {output:q} {params.words:q} "
        ">> {log:q} 2>&1"
"""
SITE = {
    "partitions": {
        "cpu": {"hours": 24, "memory_mb": 64000, "cores": 16},
        "gpu": {"hours": 24, "memory_mb": 64000, "cores": 16, "gpus": {"a40": 2}},
    }
}


class Counting:
    """The workflow in a folder of its own."""

    def __init__(self, root: Path, jobs: Mapping[str, Mapping[str, Any]], site: Mapping[str, Any] = SITE) -> None:
        self.root = root
        (root / "config").mkdir(parents=True)
        (root / "Snakefile").write_text(SNAKEFILE)
        (root / "jobs.json").write_text(json.dumps(jobs))
        (root / "config/site.yaml").write_text(json.dumps(site))
        (root / "profiles").symlink_to(ROOT / "profiles")
        (root / "slurm").symlink_to("profiles/slurm")
        self.output = root / "snakemake.log"

    def start(self, *arguments: str, python: str = sys.executable) -> "subprocess.Popen[bytes]":
        """Start Snakemake with the project's profile, looking more often than a person would."""
        command = [python, "-m", "snakemake", "--profile", "slurm", "--latency-wait", "5"]
        command += ["--slurm-init-seconds-before-status-checks", "2", "--slurm-logdir", "logs/slurm", *arguments]
        environment = self.environment()
        with self.output.open("ab") as output:
            return subprocess.Popen(
                command, cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def words(self, name: str) -> list[str]:
        """What the step of a job is told."""
        found: list[str] = json.loads((self.root / "jobs.json").read_text())[name]["words"]
        return found

    def run(self, *arguments: str, seconds: float = 300) -> int:
        """Run Snakemake to its end, which must come in time."""
        return ended(self.start(*arguments), seconds)

    def unlock(self) -> None:
        subprocess.run(
            [sys.executable, "-m", "snakemake", "--unlock"],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            capture_output=True,
            check=True,
        )

    @property
    def said(self) -> str:
        """What Snakemake has printed."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def steps(self, name: str) -> list[int]:
        """The steps that were done, in order."""
        file = self.root / "steps.log"
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return [int(line[1]) for line in lines if line[0] == name]

    def is_exact(self, name: str, steps: int) -> bool:
        """Tell whether the result is that of an undisturbed run, and nothing was left behind."""
        return (self.root / f"out/{name}/result.txt").read_text() == expected(steps)

    def wait_for_step(self, name: str, step: int, seconds: float = 180) -> None:
        wait_until(lambda: step in self.steps(name), seconds, f"step {step} of {name}; {self.said[-2000:]}")

    def log(self, name: str) -> str:
        return (self.root / f"logs/count/{name}.log").read_text()


def ended(process: "subprocess.Popen[bytes]", seconds: float = 300) -> int:
    """Wait for the end; a process that does not end in time is killed and fails the test."""
    end = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > end:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise AssertionError(f"no end after {seconds:.0f} s")
        time.sleep(0.2)
    return int(process.returncode)


def running_job(name: str, seconds: float = 180) -> str:
    """Return the SLURM job that runs under a name; waits for it."""
    found: list[str] = []

    def look() -> bool:
        found[:] = answer("squeue", "-h", "-t", "RUNNING", f"--name={name}", "-o", "%i").split()
        return bool(found)

    wait_until(look, seconds, f"a running job {name}")
    return found[0]
