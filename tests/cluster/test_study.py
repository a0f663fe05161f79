"""The study itself on a real SLURM, reduced to one model and two epochs."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.counting import SITE, ended, running_job
from tests.cluster.slurm import Options, cluster, scontrol, wait_until
from tests.workflow.conftest import Project, copy_project

pytestmark = pytest.mark.usefixtures("possible")
MODEL = "tiny-qwen3-s"
SMALL = {
    "models": [MODEL],
    "tiny_models": {"qwen3-s": {"steps": 20}},
    "recipes": {
        MODEL: {
            "training": {"epochs": 2},
            "testing": {"quantisation": "none"},
            "thinking": False,
            "resources": {
                "gpus_training": 2,
                "gpus_testing": 1,
                "gpu_model": "a40",
                "memory_mb": 3000,
                "training_hours": 0.5,
                "testing_hours": 0.25,
            },
        }
    },
    "evaluation": {"entries": 10, "tasks": ["icd10"], "primary": None, "bootstrap": 20},
    "conditions": {"asked": []},
}
ARGUMENTS = ["--profile", "slurm", "--configfile", "config/quickstart.yaml", "small.json", "--latency-wait", "10"]
ARGUMENTS += ["--slurm-init-seconds-before-status-checks", "2"]


def study(folder: Path) -> Project:
    project = copy_project(folder)
    (folder / "small.json").write_text(json.dumps(SMALL))
    (folder / "config/site.yaml").write_text(json.dumps(SITE))
    return project


def start(project: Project, *arguments: str) -> "subprocess.Popen[bytes]":
    with (project.root / "said.log").open("ab") as log:
        return subprocess.Popen(
            ["snakemake", *ARGUMENTS, *arguments],
            cwd=project.root,
            env=project.variables({}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def said_by(project: Project) -> str:
    return (project.root / "said.log").read_text()


def asked(job: dict[str, str]) -> tuple[str, str, str, str]:
    """What SLURM was asked for: partition, GPUs, memory, time."""
    gpus = re.search(r"gres:gpu:(\S+)", job.get("TresPerJob", ""))
    return (job["Partition"], gpus.group(1) if gpus else "", job["MinMemoryNode"], job["TimeLimit"])


def test_reduced_quickstart(tmp_path: Path) -> None:
    """All jobs ask for what they should, and a Snakemake that dies while an epoch is trained costs nothing."""
    with cluster(tmp_path / "slurm"):
        project = study(tmp_path / "study")
        first = start(project, f"results/{MODEL}.done")
        training = running_job(f"train_epoch.{MODEL}.1", 150)
        first.send_signal(signal.SIGKILL)
        first.wait()
        # It must not end before the next Snakemake looks, however slow this machine is.
        subprocess.run(["scontrol", "suspend", training], check=True)
        project.run("--unlock", *ARGUMENTS[2:5])
        second = start(project, f"results/{MODEL}.done")
        wait_until(lambda: f"{training} of an earlier run goes on" in said_by(project), 120, "adoption")
        subprocess.run(["scontrol", "resume", training], check=True)
        assert ended(second, 400) == 0, said_by(project)
        jobs = [scontrol(str(number)) for number in range(1, 30)]
        named = {job["JobName"]: asked(job) for job in jobs if job}
        gpu = {
            "train_epoch": ("gpu", "a40:2", "3000M", "00:30:00"),
            "evaluate_checkpoint": ("gpu", "a40:1", "3000M", "00:15:00"),
        }
        assert named == {
            "build_questions.example": ("cpu", "", "2000M", "00:30:00"),
            "pretrain_model.qwen3-s": ("cpu", "", "2000M", "00:30:00"),
            "check_leakage.example": ("cpu", "", "4000M", "02:00:00"),
            **{f"train_epoch.{MODEL}.{epoch}": gpu["train_epoch"] for epoch in (1, 2)},
            **{f"evaluate_checkpoint.{MODEL}.{epoch}": gpu["evaluate_checkpoint"] for epoch in (0, 1, 2)},
            **{f"score_checkpoint.{MODEL}.{epoch}": ("cpu", "", "8000M", "01:00:00") for epoch in (0, 1, 2)},
        }
        assert {job["JobState"] for job in jobs if job} == {"COMPLETED"}
        attempts = [json.loads(line) for line in _rows(project, "metrics.jsonl")]
        assert [row["step"] for row in attempts] == sorted({row["step"] for row in attempts})
        assert not list((project.root / "scratch").rglob("owner.json"))


def _rows(project: Project, name: str) -> list[str]:
    files = [project.root / f"results/training/{MODEL}/epoch-{epoch}/{name}" for epoch in (1, 2)]
    return [line for file in files for line in file.read_text().splitlines()]


def weights(project: Project) -> list[bytes]:
    files = [f"results/training/{MODEL}/epoch-{epoch}/adapter/adapter_model.safetensors" for epoch in (1, 2)]
    return [(project.root / file).read_bytes() for file in files]


@pytest.mark.full
def test_weights_of_a_disturbed_study_are_those_of_an_undisturbed_one(tmp_path: Path) -> None:
    """Pre-emption, a short partition, a cancelled job and a dead Snakemake, one after the other, in one study."""
    undisturbed = study(tmp_path / "undisturbed")
    undisturbed.run(
        "--cores", "2", "--configfile", "config/quickstart.yaml", "small.json", "--", f"results/{MODEL}.done"
    )
    with cluster(tmp_path / "slurm", Options(preempt="REQUEUE")):
        project = study(tmp_path / "study")
        first = start(project, f"results/{MODEL}.done")
        running_job(f"train_epoch.{MODEL}.1", 200)
        time.sleep(12)  # until it trains
        for _ in range(2):
            sleep = ["--gpus-per-node=2", "--time=1", "--output=/dev/null", "--wrap", "sleep 15"]
            subprocess.run(["sbatch", "-p", "urgent", *sleep], check=True, capture_output=True)
        wait_until(lambda: "PENDING" in _states(f"train_epoch.{MODEL}.1"), 60, "pre-emption")
        job = running_job(f"train_epoch.{MODEL}.1", 300)
        time.sleep(12)
        subprocess.run(["scancel", job], check=True)
        running_job(f"train_epoch.{MODEL}.2", 300)
        first.send_signal(signal.SIGTERM)
        ended(first, 30)
        assert ended(start(project, f"results/{MODEL}.done"), 500) == 0, said_by(project)
        assert weights(project) == weights(undisturbed)


def _states(name: str) -> str:
    found = subprocess.run(["squeue", "-h", f"--name={name}", "-o", "%T"], capture_output=True, text=True, check=True)
    return found.stdout
