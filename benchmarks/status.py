"""How long `onkocode status` takes on a large study that is half done, from Python's start to the last line.

    python benchmarks/status.py --models 100 --epochs 10

The study is made up in a temporary folder: every output, log, record of a SLURM job and scratch folder is there, and a
program that answers like squeue with a line for every tenth job.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from onkocode.cluster.expected import Job, study_jobs
from onkocode.cluster.submission import comment_of, key_of
from onkocode.config.loading import merge_files
from onkocode.study import Study

ROOT = Path(__file__).parents[1]
SHIPPED = [ROOT / "config/config.yaml", ROOT / "config/quickstart.yaml"]


def main() -> None:
    """Make the study, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        files = [*SHIPPED, configuration(folder, options.models, options.epochs)]
        jobs = study_jobs(Study(merge_files(files), files))
        for number, job in enumerate(jobs):
            make(folder, job, number)
        squeue(folder, jobs)
        best, cpu, lines = measured(folder, files, options.repeats)
        said = f"{options.models} models x {options.epochs} epochs, {len(jobs)} jobs"
        print(f"{said}: {best:.2f} s, {cpu:.2f} s of CPU (best of {options.repeats}), {lines} lines")


def configuration(folder: Path, models: int, epochs: int) -> Path:
    """Write the configuration of a study of many models."""
    names = [f"model-{number:03d}" for number in range(models)]
    recipe = merge_files(SHIPPED)["recipes"]["tiny-llama"]
    training = recipe["training"] | {"epochs": epochs}
    recipes = {name: recipe | {"label": name, "training": training} for name in names}
    file = folder / "many.yaml"
    file.write_text(
        yaml.safe_dump({"models": names, "recipes": recipes, "evaluation": {"primary": None}}), encoding="utf-8"
    )
    return file


def make(folder: Path, job: Job, number: int) -> None:
    """Make all files of a job; of every third one the outputs are missing, as of one that runs or has failed."""
    (folder / job.log).parent.mkdir(parents=True, exist_ok=True)
    (folder / job.log).write_text("step\n" * 200 + "onkocode: a message\n", encoding="utf-8")
    for output in job.outputs if number % 3 else ():
        (folder / output).parent.mkdir(parents=True, exist_ok=True)
        (folder / output).touch()
    if job.scratch:
        scratch = folder / job.scratch
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / "endings.json").write_text(
            json.dumps([{"cause": "failed" if number % 2 else "running"}]), encoding="utf-8"
        )
        (scratch / "progress.json").write_text(
            json.dumps({"done": number, "total": 5000, "unit": "step"}), encoding="utf-8"
        )
    record = {"names": [job.name], "keys": [key_of(job.outputs, folder)], "status": "ended", "codes": [0]}
    file = folder / f"logs/slurm/jobs/{1000 + number}-0.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record), encoding="utf-8")


def squeue(folder: Path, jobs: Sequence[Job]) -> None:
    """Write a program that answers like squeue."""
    comments = [comment_of([(key_of(job.outputs, folder), "contents")]) for job in jobs[::10]]
    rows = [f"{number}|PENDING|Priority||N/A|0:00|name|{text}\n" for number, text in enumerate(comments)]
    (folder / "rows").write_text("".join(rows), encoding="utf-8")
    program = folder / "programs/squeue"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec cat {folder}/rows\n", encoding="utf-8")
    program.chmod(0o755)


def measured(folder: Path, files: Sequence[Path], repeats: int) -> tuple[float, float, int]:
    """Return the seconds and the CPU seconds of the fastest run, and the lines that it prints."""
    command = [sys.executable, "-m", "onkocode.cli", "status", "--config", *map(str, files)]
    environment = os.environ | {"PATH": f"{folder}/programs:{os.environ['PATH']}"}
    times, lines = [], 0
    for _ in range(repeats):
        began, before = time.perf_counter(), used()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=True)
        times.append((time.perf_counter() - began, used() - before))
        lines = len(done.stdout.splitlines())
    return *min(times), lines


def used() -> float:
    """Return the CPU seconds of all processes that were started and have ended."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


if __name__ == "__main__":
    main()
