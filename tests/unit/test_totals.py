"""Another number of epochs: what stays valid, what is trained again, and what a person is told of it."""

import copy
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from onkocode.config.loading import merge
from onkocode.config.training import Training
from onkocode.study import Study, slices
from onkocode.study.totals import retrained

from .training_jobs import rows_of, same, same_state, train, without_clock

FILES = [Path("config/config.yaml"), Path("config/quickstart.yaml")]

MODEL = "tiny-qwen3-s"

pytestmark = pytest.mark.usefixtures("in_root")


@pytest.fixture(scope="module")
def merged(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in FILES:
        merge(found, yaml.safe_load((root / file).read_text(encoding="utf-8")))
    return found


def study(merged: dict[str, Any], **training: Any) -> Study:
    other = copy.deepcopy(merged)
    other["recipes"][MODEL]["training"] = training
    return Study(other, [])


def finished(results: Path, totals: dict[int, int], seconds: float = 1800) -> Path:
    """Write records of epochs that were trained as ones of so many."""
    folder = results / "training" / MODEL
    for epoch, total in totals.items():
        (folder / f"epoch-{epoch}" / "adapter").mkdir(parents=True)
        record = json.dumps({"settings": {"epochs": total}})
        (folder / f"epoch-{epoch}" / "adapter" / "provenance.json").write_text(record, encoding="utf-8")
        row = json.dumps({"seconds": seconds})
        (folder / f"epoch-{epoch}" / "metrics.jsonl").write_text(f"{row}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("schedule", "warmup", "depends"),
    [("constant", 0, False), ("constant", 0.1, True), ("linear", 0, True), ("cosine", 0, True)],
)
def test_only_a_constant_rate_lets_finished_epochs_stay(
    merged: dict[str, Any], schedule: str, warmup: float, depends: bool
) -> None:
    values: dict[str, Any] = {"schedule": schedule, "warmup_share": warmup}
    assert Training.model_validate(values).depends_on_total == depends
    five, six = (study(merged, epochs=epochs, **values) for epochs in (5, 6))
    assert (slices.training_key(five, MODEL) != slices.training_key(six, MODEL)) == depends
    assert json.loads(slices.training(six, MODEL))["epochs"] == 6  # the job itself is told
    other = study(merged, epochs=5, learning_rate=1e-3, **values)
    assert slices.training_key(other, MODEL) != slices.training_key(five, MODEL)


def test_a_constant_study_of_five_epochs_keeps_its_key(merged: dict[str, Any]) -> None:
    found = study(merged, epochs=5, schedule="constant", warmup_share=0)
    assert slices.training_key(found, MODEL) == slices.training(found, MODEL)


def test_an_added_epoch_is_that_of_an_undisturbed_run(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    """Two epochs of two and a third of three are, bit for bit, three epochs of three; under a falling rate not."""
    for schedule, equal in (("constant", True), ("linear", False)):
        added, whole = tmp_path / schedule / "added", tmp_path / schedule / "whole"
        for epoch in (1, 2, 3):
            train(tiny_models["llama"], small_questions, added, epoch, epochs=max(2, epoch), schedule=schedule)
            train(tiny_models["llama"], small_questions, whole, epoch, epochs=3, schedule=schedule)
            one, other = added / f"epoch-{epoch}", whole / f"epoch-{epoch}"
            assert same(one, other) == equal
            assert not equal or same_state(one, other)
            assert not equal or without_clock(rows_of(one)) == without_clock(rows_of(other))


def test_what_is_trained_again_is_said_with_its_cost(merged: dict[str, Any], tmp_path: Path) -> None:
    folder = finished(tmp_path, dict.fromkeys(range(1, 6), 5), seconds=3600)
    on_gpus = copy.deepcopy(merged)
    on_gpus["recipes"][MODEL]["resources"] |= {"gpus_training": 2}
    found = retrained(study(on_gpus, epochs=6, schedule="linear").language_models[MODEL], folder)
    assert found is not None
    assert found.startswith(f"recipes.{MODEL}: epochs 5 -> 6 under a linear schedule trains all 6 again (12 GPU-hours,")
    assert "copy the recipe under a new key" in found
    for unchanged in (study(merged, epochs=5), study(merged, epochs=6, schedule="constant", warmup_share=0)):
        assert retrained(unchanged.language_models[MODEL], folder) is None
    fewer = retrained(study(merged, epochs=4, schedule="cosine").language_models[MODEL], folder)
    assert fewer is not None
    assert "epochs 5 -> 4 under a cosine schedule trains all 4 again (4 hours, as the finished ones took)" in fewer


def test_epochs_that_are_trained_already_are_not_counted(merged: dict[str, Any], tmp_path: Path) -> None:
    folder = finished(tmp_path, {1: 6, 2: 6, 3: 5, 4: 5, 5: 5})
    (folder / "epoch-6" / "adapter").mkdir(parents=True)  # broken off
    found = retrained(study(merged, epochs=6).language_models[MODEL], folder)
    assert found is not None
    assert "trains epochs 3 to 6 again (2 hours, as" in found


def test_without_records_nothing_is_said(merged: dict[str, Any], tmp_path: Path) -> None:
    recipe = study(merged, epochs=6).language_models[MODEL]
    assert retrained(recipe, tmp_path / "none") is None
    folder = finished(tmp_path, {1: 5})
    (folder / "epoch-1" / "metrics.jsonl").write_text("", encoding="utf-8")
    assert "(3 hours, at most, by training_hours)" in str(retrained(recipe, folder))
    (folder / "epoch-1" / "adapter" / "provenance.json").write_text('{"settings": null}', encoding="utf-8")
    assert retrained(recipe, folder) is None


def test_the_start_of_a_run_warns(merged: dict[str, Any], tmp_path: Path) -> None:
    finished(tmp_path, {1: 2, 2: 2})
    other = copy.deepcopy(merged)
    other["recipes"][MODEL]["training"] = {"epochs": 4}
    other["pathvars"] = {"results": str(tmp_path)}
    (found,) = [text for text in Study(other, []).warnings({}) if MODEL in text]
    assert "epochs 2 -> 4" in found
