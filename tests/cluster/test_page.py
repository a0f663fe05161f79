"""Follows docs/cluster.md on a real SLURM, from a fresh clone to the figures."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cluster.slurm import Options, answer, cluster
from tests.workflow.conftest import ROOT

pytestmark = [pytest.mark.usefixtures("possible"), pytest.mark.full]
PAGE = ROOT / "docs/cluster.md"


def commands(section: str) -> list[str]:
    """Return the commands of a section of the page."""
    text = PAGE.read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def test_from_nothing_to_the_first_figures(tmp_path: Path) -> None:
    clone = tmp_path / "onkocode"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    given = commands("From nothing to the first figures")
    assert len(given) == 6
    # On a machine without GPUs the check says so, and goes on being followed.
    script = "\n".join(line + (" || [ $? = 2 ]" if "cluster check" in line else "") for line in given)
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with cluster(tmp_path / "slurm", Options(cores=2)):  # all nodes share the cores of this machine
        done = subprocess.run(
            ["bash", "-e", "-x", "-c", script],
            cwd=clone,
            env=environment | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
        names = answer("squeue", "-h", "--states=all", "-o", "%j").split()
        assert any(name.startswith("train_epoch.") for name in names)
    figures = sorted(path.name for path in (clone / "results/figures").glob("*.svg"))
    assert len(figures) > 5
    assert "gpu1" in (clone / "config/site.yaml").read_text() or "gpu" in (clone / "config/site.yaml").read_text()
