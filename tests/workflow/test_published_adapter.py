"""Plans of studies with models that are not trained here: adapters of others, and bases that are only tested."""

from typing import Any

import pytest
import yaml

from tests.workflow.conftest import Project, job_counts

PUBLISHED = {
    "kind": "published-adapter",
    "label": "Published",
    "family": "Llama",
    "base": {"built": "llama"},
    "adapter": {"hub": "somebody/adapter", "revision": "v1"},
    "data": "example",
    "preset": "tiny",
}
MERGED = {
    "label": "Merged",
    "family": "Merged",
    "base": {"path": "merged"},
    "data": "example",
    "preset": "tiny",
    "training": {"epochs": 0},
    "testing": {"short_answer": False},
}


def plan(project: Project, models: list[str], *targets: str, **recipes: Any) -> str:
    mine = {"models": models, "recipes": {"published": PUBLISHED, "merged": MERGED} | recipes}
    (project.root / "mine.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    files = ("config/quickstart.yaml", "mine.yaml")
    return project.run("--configfile", *files, "-n", *(("--", *targets) if targets else ())).stdout


def block(output: str, message: str) -> str:
    """Return what the plan says of the job with a message."""
    return output.split(message)[1].split("\n\n")[0]


def test_published_adapter_is_fetched_and_tested_but_not_trained(project: Project) -> None:
    output = plan(project, ["tiny-llama", "published"])
    counts = job_counts(output)
    assert counts["train_epoch"] == 3  # those of the other model
    assert counts["fetch_adapter"] == 1
    assert counts["evaluate_checkpoint"] == 4 + 2
    assert counts["score_checkpoint"] == 4 + 2
    assert counts["draw_figure"] == 4 + 2
    assert "Training published" not in output
    assert "results/models/published/adapter" in block(output, "Asking published, epoch 1")
    assert "adapter" not in block(output, "Asking published, epoch 0")
    curves = block(output, "Drawing loss_curves")
    assert "results/training/tiny-llama/epoch-3/metrics.jsonl" in curves
    assert "results/training/published" not in output
    fetching = block(output, "Fetching the published adapter")
    assert "results/models/published/base.json" in fetching


def test_base_that_is_only_tested_has_one_evaluation(project: Project) -> None:
    (project.root / "merged").mkdir()
    output = plan(project, ["tiny-llama", "merged"])
    counts = job_counts(output)
    assert counts["train_epoch"] == 3
    assert counts["evaluate_checkpoint"] == 4 + 1
    assert "Asking merged, epoch 0" in output
    assert "Asking merged, epoch 1" not in output
    assert "results/training/merged" not in output


def test_study_without_any_training_is_planned_without_its_figure(project: Project) -> None:
    output = plan(project, ["published", "merged"])
    counts = job_counts(output)
    assert "train_epoch" not in counts
    assert counts["evaluate_checkpoint"] == 2 + 1
    assert (counts["draw_figure"], counts["write_table"]) == (3 + 2, 3 + 9)
    assert "Drawing loss_curves" not in output
    assert job_counts(plan(project, ["published", "merged"], "training")) == {"training": 1, "total": 1}
    assert job_counts(plan(project, ["published"], "results/published.done"))["evaluate_checkpoint"] == 2


def test_nothing_trains_in_the_place_of_a_published_adapter(project: Project) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"MissingRuleException|No rule to produce"):
        plan(project, ["tiny-llama", "published"], "results/training/published/epoch-1/adapter")


def test_adapter_that_is_not_there_is_named(project: Project) -> None:
    with pytest.raises(pytest.fail.Exception, match="nowhere"):
        plan(project, ["published"], published=PUBLISHED | {"adapter": {"path": "nowhere"}})
