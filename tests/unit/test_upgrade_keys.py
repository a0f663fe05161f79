"""What makes a job run again: today's settings are what an earlier version made of them, and added options are no part.

An option that was added without `Mark.ADDED` fails here, because every study of an earlier version would train again.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from onkocode.config.base import Mark, Section
from onkocode.config.changes import Change, keys_of
from onkocode.config.marks import at_default, effective, marked
from onkocode.config.schema import Config, Evaluation
from onkocode.config.training import RecoveryStep, Training
from onkocode.records.ids import canonical_json
from onkocode.study import Study, slices
from tests.conftest import ROOT

STORED = json.loads((ROOT / "tests/upgrade/settings.json").read_text(encoding="utf-8"))
CASES = [(study, name) for study, stored in STORED.items() for name in stored["slices"]]

pytestmark = pytest.mark.usefixtures("in_root")


@pytest.fixture(scope="module")
def studies() -> dict[str, Study]:
    return {name: Study(stored["config"], []) for name, stored in STORED.items()}


def made(study: Study, name: str) -> str:
    kind, _, key = name.partition(" ")
    function = getattr(slices, kind)
    found: str = function(study, key) if key else function(study)
    return found


@pytest.mark.parametrize(("study", "name"), CASES)
def test_settings_are_those_of_an_earlier_version(studies: dict[str, Study], study: str, name: str) -> None:
    assert made(studies[study], name) == STORED[study]["slices"][name]


def test_keys_are_the_settings_where_nothing_neutral_is_set(studies: dict[str, Study]) -> None:
    for study in [studies[name] for name in ("paper", "quickstart", "sample", "recovery")]:
        for model in study.models:
            assert slices.training_key(study, model) == slices.training(study, model)
            assert slices.testing_key(study, model) == slices.testing(study, model)


@pytest.mark.parametrize(
    ("section", "option", "value", "reaches"),
    [("training", "save_minutes", 7, "training"), ("evaluation", "shard", 7, "testing")],
)
def test_an_edit_of_a_neutral_option_reaches_the_job_and_leaves_its_key(
    studies: dict[str, Study], section: str, option: str, value: object, reaches: str
) -> None:
    config = json.loads(json.dumps(STORED["recovery"]["config"]))
    holder = config["recipes"]["recovering"] if section == "training" else config
    holder.setdefault(section, {})[option] = value
    before, after = studies["recovery"], Study(config, [])
    for kind in ("training", "testing"):
        changed = getattr(slices, kind)(after, "recovering") != getattr(slices, kind)(before, "recovering")
        assert changed == (kind == reaches)
        key = getattr(slices, f"{kind}_key")
        assert key(after, "recovering") == key(before, "recovering")


def test_each_neutral_option_has_a_key_without_it() -> None:
    """A neutral option of another section would need a key of its job, like these two."""
    found = {
        name: sorted(marked(section, Mark.NEUTRAL))
        for name, section in sections(Config)
        if marked(section, Mark.NEUTRAL)
    }
    assert found == {"Training": ["save_minutes"], "Evaluation": ["shard"]}


def sections(root: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    """Return the sections of the configuration that hold values."""
    found: list[type[BaseModel]] = [Training, root]
    for section in found:
        for field in section.model_fields.values():
            found += [inner for inner in _models(field.annotation) if inner not in found]
    return [(section.__name__, section) for section in found if not issubclass(section, Change)]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models(inner)]


class LaterStep(RecoveryStep):
    """A step with an option that came later."""

    patience: Annotated[int, Mark.ADDED] = 0


class Part(Section):
    """A section that came later."""

    size: int = 1
    grain: Annotated[float, Mark.ADDED] = Field(0.5, gt=0)


class LaterTraining(Training):
    """Training with options that came later, at every depth."""

    recovery: Annotated[list[LaterStep], Mark.ASIDE] = Field([])  # type: ignore[assignment]
    warmup_floor: Annotated[float, Mark.ADDED] = Field(0.0, ge=0)
    parts: Annotated[dict[str, Part], Mark.ADDED] = Field({})
    part: Annotated[Part | None, Mark.ADDED] = None


def key(**changes: Any) -> str:
    values = json.loads(STORED["recovery"]["slices"]["training recovering"])
    return slices.as_json(at_default(LaterTraining.model_validate(values | changes), Mark.NEUTRAL))


def test_an_added_option_at_its_default_is_no_part_of_a_key() -> None:
    stored = STORED["recovery"]["slices"]["training recovering"]
    steps = json.loads(stored)["recovery"]
    assert len(steps) == 2
    assert key() == stored
    assert key(warmup_floor=0, recovery=[step | {"patience": 0} for step in steps]) == stored
    others = [
        key(warmup_floor=0.1),
        key(recovery=[steps[0], steps[1] | {"patience": 2}]),
        key(part={"size": 1}),
        key(part={"grain": 0.7}),
        key(parts={"a": {}}),
        key(parts={"a": {"grain": 0.7}}),
    ]
    assert len({stored, *others}) == 1 + len(others)
    assert json.loads(key(part={}))["part"] == json.loads(key(parts={"a": {}}))["parts"]["a"] == {"size": 1}
    assert LaterTraining.model_validate(json.loads(key(part={"grain": 0.7}))).part == Part(grain=0.7)


@keys_of(LaterTraining)
class LaterChange(Change):
    """What a recipe sets of it."""


def test_a_recipe_may_set_an_added_option_back_to_its_default() -> None:
    """What is left out of keys is not left out where a preset says something else."""
    assert LaterChange.model_validate({"warmup_floor": 0.0}).model_dump(exclude_unset=True) == {"warmup_floor": 0.0}


def test_saves_within_an_epoch_outlive_options_that_do_not_touch_them(tmp_path: Path) -> None:
    from onkocode.training.checkpoints import mark_complete
    from onkocode.training.epoch import EpochJob, _open_scratch

    base, scratch = tmp_path / "base", tmp_path / "scratch"
    base.mkdir()
    (base / "model.safetensors").write_bytes(b"weights")
    job, examples = EpochJob(base, 1, None, scratch, tmp_path / "output"), [{"input_ids": [1, 2], "labels": [2]}]
    settings = LaterTraining.model_validate(json.loads(STORED["recovery"]["slices"]["training recovering"]))
    save = scratch / "checkpoint-5"

    def kept(changes: dict[str, Any]) -> bool:
        _open_scratch(job, Training.model_validate(json.loads(slices.as_json(settings))), {}, examples)
        save.mkdir(exist_ok=True)
        mark_complete(save, 5, 1)
        _open_scratch(job, settings.model_copy(update=changes), {}, examples)
        return save.exists()

    assert kept({})
    assert all(kept({name: value}) for name, value in {"save_minutes": 7, "log_steps": 7, "recovery": []}.items())
    assert not kept({"warmup_floor": 0.1})
    assert not kept({"batch_size": 3})


def test_what_is_judged_later_is_no_part_of_what_is_asked() -> None:
    aside = ["bootstrap", "choice", "least_cell", "paper_ceilings", "primary", "registries", "valid_floor"]
    assert sorted(marked(Evaluation, Mark.ASIDE)) == aside
    assert canonical_json(effective(Evaluation())) == canonical_json(Evaluation().model_dump(mode="json"))
