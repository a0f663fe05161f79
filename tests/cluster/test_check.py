"""`onkocode cluster` on a real SLURM: what describe writes passes check, and each mistake is told with its key."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.counting import ROOT
from tests.cluster.slurm import Options, cluster, missing

pytestmark = [pytest.mark.usefixtures("possible"), pytest.mark.full]

SITE = Path("config/site.yaml")
# The example's study, with a model that asks for GPUs.
ASKING = {"recipes": {"tiny-qwen3-s": {"resources": {"gpus_training": 2, "gpus_testing": 1, "gpu_model": "a40"}}}}
# What this machine lacks: the made-up GPUs have no driver, and torch may be the one for processors.
NO_GPU = ("no GPU driver on node gpu", "has no CUDA, so that node gpu")


class Checked:
    """A working directory on the cluster, and what was said there last."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "asking.yaml").write_text(yaml.safe_dump(ASKING))
        self.said = ""
        self.status = 0

    def run(self, *words: str) -> list[str]:
        """Run a verb; returns the lines that are not ok."""
        done = subprocess.run(
            [sys.executable, "-m", "onkocode.cli", "cluster", *words],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}"},
            capture_output=True,
            text=True,
            timeout=500,
        )
        self.said, self.status = done.stdout + done.stderr, done.returncode
        return [line for line in done.stdout.splitlines() if line.startswith(("wrong ", "warning "))]

    def describe(self) -> dict[str, Any]:
        """Write the site file; returns what it holds."""
        assert self.run("describe", "--output", str(SITE)) == [], self.said
        assert self.status == 0, self.said
        found: dict[str, Any] = yaml.safe_load((self.root / SITE).read_text())
        return found

    def check(self, *words: str) -> list[str]:
        files = [ROOT / "config/config.yaml", ROOT / "config/quickstart.yaml", self.root / "asking.yaml"]
        return self.run("check", "--config", *map(str, files), *words)

    def mistaken(self, site: Mapping[str, Any], **change: Any) -> str:
        """Return what is wrong with a site file that was changed; that something is ends with status 2."""
        (self.root / SITE).write_text(yaml.safe_dump({**site, **change}))
        found = "\n".join(line for line in self.check("--no-jobs") if line.startswith("wrong"))
        assert self.status == 2, self.said
        (self.root / SITE).write_text(yaml.safe_dump(site))
        return found


def test_what_is_described_passes_the_check(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm"):
        study = Checked(tmp_path / "study")
        site = study.describe()
        assert site["partitions"]["gpu"] == {"hours": 24, "memory_mb": 64000, "cores": 16, "gpus": {"a40": 2}}
        assert (site["gpu_request"], site["account"]) == ("gpus", None)
        assert study.check("--no-jobs") == [], study.said
        assert study.status == 0
        assert "sbatch" not in study.said
        assert "training of tiny-qwen3-s: 2 a40" in study.said

        unfitting = [line for line in study.check("--wait", "4") if not any(words in line for words in NO_GPU)]
        assert unfitting == [], study.said
        assert "ok       partition cpu: node cpu1: sees the same folders and the same software" in study.said
        assert study.said.count("sees the same folders") == 3
        assert "1 GPUs were asked for" not in study.said
        assert not [path.name for path in study.root.iterdir() if path.name.startswith(".")]

        other = {"partitions": {"gpus": site["partitions"]["gpu"]}}
        found = study.mistaken(site, **other)
        assert "partition gpus: not on this cluster (there are: cpu, gpu, urgent)" in found
        assert "correct `partitions.gpus` in config/site.yaml" in found
        longer = {"partitions": {**site["partitions"], "gpu": {**site["partitions"]["gpu"], "hours": 48}}}
        assert "set `partitions.gpu.hours` in config/site.yaml to 24" in study.mistaken(site, **longer)
        more = {"partitions": {**site["partitions"], "gpu": {**site["partitions"]["gpu"], "gpus": {"a40": 4}}}}
        assert "correct `partitions.gpu.gpus` in config/site.yaml" in study.mistaken(site, **more)
        assert "correct `options` in config/site.yaml" in study.mistaken(site, options=["--no-such-option"])


def test_cluster_that_knows_no_gpus_option(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm", Options(gres_only=True)):
        study = Checked(tmp_path / "study")
        site = study.describe()
        assert site["gpu_request"] == "gres"
        assert study.check("--no-jobs") == [], study.said
        found = study.mistaken(site, gpu_request="gpus")
        assert "select/cons_res knows no --gpus; set `gpu_request` in config/site.yaml to gres" in found


def test_account_that_does_not_exist(tmp_path: Path) -> None:
    reason = missing(accounting=True)
    if reason is not None:
        pytest.skip(reason)
    options = Options(accounting=True, min_job_age=60, further=("AccountingStorageEnforce=associations,qos",))
    with cluster(tmp_path / "slurm", options):
        study = Checked(tmp_path / "study")
        site = study.describe()
        assert site["account"] is None  # SLURM gives root an account of its own beside this one
        assert "yours are lab, root" in (study.root / SITE).read_text()
        (study.root / SITE).write_text(yaml.safe_dump({**site, "account": "lab"}))
        assert study.check("--no-jobs") == [], study.said
        assert "ok       account: lab" in study.said
        assert "known for 60 s (MinJobAge), after that by sacct" in study.said
        found = study.mistaken(site, account="lb")
        assert "account: lb is none of yours (lab, root); correct `account` in config/site.yaml" in found
        assert "SLURM would not take it" in found
        assert "correct `qos` in config/site.yaml" in study.mistaken(site, qos="fastest")
