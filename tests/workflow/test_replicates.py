"""A recipe with several seeds: planned by single targets, and run as far as its table."""

import json
from typing import Any

import polars as pl
import pytest
import yaml

from tests.workflow.conftest import Project, copy_project, job_counts

FILES = ("--configfile", "config/quickstart.yaml", "mine.yaml")


def write(project: Project, seeds: list[int], **more: Any) -> Project:
    """Write a small study of one recipe with several seeds."""
    mine = {"models": ["tiny-llama"], "test_sets": [], "evaluation": {"entries": 10, "tasks": ["icd10"]}}
    mine |= {"recipes": {"tiny-llama": {"seeds": seeds, "training": {"epochs": 1}}}}
    mine |= {"tiny_models": {"llama": {"hidden_size": 32, "layers": 1, "steps": 20}}}
    mine |= {"data": {"example": {"sample": {"codes": 20}}}}
    (project.root / "mine.yaml").write_text(yaml.safe_dump(mine | more), encoding="utf-8")
    return project


@pytest.fixture
def seeds(project: Project) -> Project:
    return write(project, [0, 1])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run with two seeds, as far as its tables."""
    project = write(copy_project(tmp_path_factory.mktemp("replicates") / "project"), [0, 1])
    project.run(*FILES, "--cores", "2", "--", *(f"results/tables/{name}.tsv" for name in ("replicates", "models")))
    return project


def test_replicates_share_their_base_and_are_single_targets(seeds: Project) -> None:
    output = seeds.run(*FILES, "-n").stdout
    whole = job_counts(output)
    assert (whole["train_epoch"], whole["pretrain_model"]) == (2, 1)
    assert "Writing the table replicates" in output
    assert whole["evaluate_checkpoint"] == 3  # the base once
    assert job_counts(seeds.run(*FILES, "-n", "--", "results/tiny-llama.done").stdout)["train_epoch"] == 2
    one = seeds.run(*FILES, "-n", "--", "results/tiny-llama.s1.done").stdout
    assert job_counts(one)["train_epoch"] == 1
    assert "Training tiny-llama.s1, epoch 1" in one
    assert "Asking tiny-llama.s0, epoch 0" in one  # gains are differences to the base


def test_without_seeds_there_is_no_table_of_replicates(project: Project) -> None:
    assert "Writing the table replicates" not in project.run(*FILES[:2], "-n").stdout


def test_replicates_differ_and_are_summarised(finished: Project) -> None:
    first, second = (finished.root / f"results/training/tiny-llama.s{seed}/epoch-1" for seed in (0, 1))
    weights = [(folder / "adapter/adapter_model.safetensors").read_bytes() for folder in (first, second)]
    assert weights[0] != weights[1]
    metrics = pl.read_parquet(finished.root / "results/metrics.parquet")
    gains = metrics.filter(pl.col("metric").str.starts_with("gain"))
    assert set(gains["model"]) == {"tiny-llama.s0", "tiny-llama.s1"}
    assert not (finished.root / "results/evaluation/tiny-llama.s1/epoch-0").exists()
    table = pl.read_csv(finished.root / "results/tables/replicates.tsv", separator="\t")
    assert set(table["recipe"]) == {"tiny-llama"}
    assert table["seeds"].unique().to_list() == ["0, 1"]
    assert (table["low"] <= table["mean"]).all()
    labels = pl.read_csv(finished.root / "results/tables/models.tsv", separator="\t")["label"].to_list()
    assert labels == ["Tiny Llama, seed 0", "Tiny Llama, seed 1"]


def test_a_further_seed_is_trained_at_once_although_a_test_set_came_in(finished: Project) -> None:
    trained = "results/training/tiny-llama.s{}/epoch-1/adapter"
    before = (finished.root / trained.format(0) / "adapter_model.safetensors").stat().st_mtime_ns
    inputs = finished.root / "results/inputs.json"
    assert json.loads(inputs.read_text(encoding="utf-8"))["texts"] == {}
    write(finished, [0, 7], test_sets=["example"])
    finished.run(*FILES, "--cores", "2", "--", trained.format(7))
    assert (finished.root / trained.format(7)).is_dir()
    assert set(json.loads(inputs.read_text(encoding="utf-8"))["texts"]) == {"example"}
    assert (finished.root / trained.format(0) / "adapter_model.safetensors").stat().st_mtime_ns == before
    assert not (finished.root / "results/models/tiny-llama.s7/base.json").exists()  # it is that of the first seed
