import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["Snakefile", "workflow", "config", "profiles", "example", "benchmarks", "README.md", "docs"]


@dataclass
class Project:
    """A copy of the workflow in a directory of its own, run with this environment's Snakemake."""

    root: Path

    def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return self.command(["snakemake", *arguments], environment, check)

    def command(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        variables = self.variables(environment or {})
        done = subprocess.run(command, cwd=self.root, env=variables, capture_output=True, text=True, encoding="utf-8")
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
        return done

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        variables = {key: value for key, value in os.environ.items() if key != "ONKOCODE_CATALOGUES"}
        variables |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
        return {**variables, **environment}


def copy_project(target: Path, further: Sequence[str] = ()) -> Project:
    target.mkdir(parents=True, exist_ok=True)
    for part in [*PARTS, *further]:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, target / part)
    (target / "slurm").symlink_to("profiles/slurm")
    return Project(target)


@pytest.fixture
def project(tmp_path):
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory):
    """The complete quickstart, as `./run quickstart` calls it."""
    copy = copy_project(tmp_path_factory.mktemp("quickstart") / "project")
    began = time.monotonic()
    copy.run("--configfile", "config/quickstart.yaml", "--cores", "all")
    print(f"quickstart: {time.monotonic() - began:.0f} s")
    return copy


def job_counts(output: str) -> dict[str, int]:
    """Read the job statistics that a dry run prints."""
    lines = output.splitlines()
    if "Job stats:" not in lines:
        return {}
    counts = {}
    for line in lines[lines.index("Job stats:") + 3 :]:
        fields = line.split()
        if len(fields) != 2:
            break
        counts[fields[0]] = int(fields[1])
    return counts
