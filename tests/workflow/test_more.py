"""Epochs, models and years that are added to finished work: what runs, and what stays."""

import re
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.conftest import ROOT, Project, copy_project, job_counts

COMMAND = ["snakemake", "-s", str(ROOT / "Snakefile"), "--directory"]
LINE = "Training ([a-z0-9.-]+), epoch ([0-9]+)"
WORK = {"pretrain_model", "build_questions", "train_epoch", "evaluate_checkpoint", "evaluate_thinking"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small finished study, which is only planned: `plain` has two epochs under a cosine schedule."""
    root = tmp_path_factory.mktemp("finished")
    with tarfile.open(ROOT / "tests/upgrade/study.tar.xz") as archive:
        archive.extractall(root, filter="data")
    project = Project(root)
    # What an upgrade writes anew hides what follows from it in a dry run.
    project.command([*COMMAND, str(root), "--cores", "1", "--", "results/inputs.json", "results/options/tracking.json"])
    return project


def planned(study: Project, changes: dict[str, Any]) -> str:
    (study.root / "mine.yaml").write_text(yaml.safe_dump(changes), encoding="utf-8")
    return study.command([*COMMAND, str(study.root), "-n", "--configfile", str(study.root / "mine.yaml")]).stdout


def trained(output: str) -> list[tuple[str, str]]:
    return sorted(re.findall(LINE, output))


def recipe(**changes: Any) -> dict[str, Any]:
    common = {"label": "New", "family": "Qwen3", "base": {"built": "smallest"}, "data": "example", "preset": "tiny"}
    return common | {"training": {"epochs": 1, "lora_rank": 2, "lora_alpha": 4}} | changes


def test_a_third_epoch_under_a_falling_rate_trains_all_again_and_says_so(study: Project) -> None:
    changes = {"recipes": {"plain": {"training": {"epochs": 3}}}}
    assert trained(planned(study, changes)) == [("plain", "1"), ("plain", "2"), ("plain", "3")]
    said = study.command(["onkocode", "plan", "--config", "config/config.yaml", "mine.yaml"]).stdout
    assert "Note: recipes.plain: epochs 2 -> 3 under a cosine schedule trains all 3 again" in said
    assert "recovering: epochs" not in said


def test_a_ninth_model_repeats_nothing(study: Project) -> None:
    output = planned(study, {"models": ["plain", "recovering", "new"], "recipes": {"new": recipe()}})
    assert trained(output) == [("new", "1")]
    assert {rule: count for rule, count in job_counts(output).items() if rule in WORK} == {
        "train_epoch": 1,
        "evaluate_checkpoint": 2,  # its base and its epoch
    }


def test_a_further_year_stands_beside_the_old_one(study: Project) -> None:
    later = {"alphaid": "example", "icd10gm": "example", "icdo3": "example", "ops": "example", "sample": {"codes": 3}}
    changes = {"data": {"later": later}, "recipes": {"new": recipe(data="later")}}
    output = planned(study, changes | {"models": ["plain", "recovering", "new"]})
    assert trained(output) == [("new", "1")]
    counts = job_counts(output)
    assert (counts["build_questions"], counts["evaluate_checkpoint"]) == (1, 2)
    assert "evaluate_thinking" not in counts


def test_a_second_epoch_under_a_constant_rate_leaves_the_first(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    mine: dict[str, Any] = {
        "models": ["tiny-llama"],
        "test_sets": [],
        "data": {"example": {"sample": {"codes": 2}}},
        "tiny_models": {"llama": {"hidden_size": 16, "layers": 1, "heads": 2, "steps": 5}},
        "recipes": {"tiny-llama": {"training": {"epochs": 1, "schedule": "constant", "warmup_share": 0.0}}},
    }
    files = ("--configfile", "config/quickstart.yaml", "mine.yaml")
    target = "results/training/tiny-llama/epoch-{}/adapter"
    (project.root / "mine.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    project.run(*files, "--cores", "2", "--", target.format(1))
    mine["recipes"]["tiny-llama"]["training"]["epochs"] = 2
    (project.root / "mine.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    assert trained(project.run(*files, "-n", "--", target.format(2)).stdout) == [("tiny-llama", "2")]
    project.run(*files, "--cores", "2", "--", target.format(2))
    assert "Nothing to be done" in project.run(*files, "-n", "--", target.format(1)).stdout


def test_a_large_study_is_planned() -> None:
    """Nine models of two epochs: epochs, questions with and without conditions; benchmarks/scale.py has a hundred."""
    command = [sys.executable, str(ROOT / "benchmarks/scale.py"), "--models", "9", "--epochs", "2"]
    said = Project(ROOT).command(command).stdout
    found = re.fullmatch(r"9 models, 2 epochs: ([0-9,]+) jobs, .* CPU time\), ([0-9,]+) MB\n", said)
    assert found is not None, said
    jobs, megabytes = (int(number.replace(",", "")) for number in found.groups())
    assert jobs >= 9 * (2 + 2 * 3 + 2 * 3)
    assert megabytes < 1000
