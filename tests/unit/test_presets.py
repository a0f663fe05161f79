"""The presets and the recipes of the paper's study: what is printed, what is inferred, and what follows from both."""

import math
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from onkocode.config import ModelRecipe, load_config_files, resolve_recipe, training
from onkocode.config.data import Data
from onkocode.config.resolve import builtin_presets
from onkocode.config.training import Training
from onkocode.paper import paper
from onkocode.training.fit import step_size

# Values that the paper prints; all others of its preset are inferred.
PRINTED: dict[str, dict[str, Any]] = {
    "training": {
        name: getattr(paper().training, name)
        for name in ("epochs", "lora_rank", "lora_alpha", "lora_dropout", "learning_rate", "weight_decay", "batch_size")
    },
    "testing": {"short_answer": True},
}
KEYS = [
    *("qwen2.5-7b", "llama-3.1-8b", "qwen3-8b", "mistral-nemo"),
    *("qwen3-14b", "qwen3-32b", "mixtral-8x7b", "llama-3.3-70b"),
]
STUDY = dict(zip(KEYS, paper().models.rows, strict=True))
RATES = {"qwen3-32b": 1e-5}  # after its gradients were not finite
# Epoch and number of published checkpoints.
CHECKPOINTS = {"llama-3.1-8b": (2, 172_706), "llama-3.3-70b": (1, 129_529)}


@pytest.fixture(scope="module")
def recipes(root: Path) -> dict[str, Any]:
    config = load_config_files([root / "config/config.yaml"])
    return {model: recipe for model in config.models if (recipe := resolve_recipe(config, model)).is_trained}


def commented(preset: str, section: str) -> dict[str, str]:
    """Return the comment of each key of a built-in preset: beside it, or in the lines before it."""
    text = resources.files("onkocode.config").joinpath("presets.yaml").read_text(encoding="utf-8")
    block = re.search(rf"^{preset}:\n(.*?)(?=^\S)", text, flags=re.DOTALL | re.MULTILINE)
    assert block
    lines = re.search(rf"^  {section}:\n((?:    .*\n)+)", block.group(1), flags=re.MULTILINE)
    assert lines
    found, before = {}, ""
    for line in lines.group(1).splitlines():
        key, _, comment = line.partition("#")
        if named := re.match(r"    (\w+):", key):
            found[named.group(1)] = (before + comment).strip()
        before = before + comment if not key.strip() else ""
    return found


@pytest.mark.parametrize("section", PRINTED)
def test_the_paper_preset_says_which_values_are_inferred_and_why(section: str) -> None:
    values = getattr(builtin_presets()["paper"], section).model_dump(exclude_unset=True)
    assert {key: value for key, value in values.items() if key in PRINTED[section]} == PRINTED[section]
    comments = commented("paper", section)
    assert set(comments) == set(values)
    for key, comment in comments.items():
        reason = re.match(r"inferred: (.+)", comment)
        assert (reason is None) == (key in PRINTED[section]), key
        assert reason is None or len(reason.group(1)) >= len("as in training"), key


@pytest.mark.parametrize("section", ["training", "testing"])
def test_the_recommended_preset_justifies_what_differs_from_the_paper(section: str) -> None:
    paper, other = (
        getattr(builtin_presets()[name], section).model_dump(exclude_unset=True) for name in ("paper", "recommended")
    )
    assert set(other) >= set(paper)  # nothing is left to a default that may move
    comments = commented("recommended", section)
    assert set(comments) == set(other)
    for key, value in other.items():
        if key not in paper or value != paper[key]:
            assert len(comments[key]) > 20, key


def test_the_recommended_preset_has_a_recovery_policy() -> None:
    assert len(builtin_presets()["recommended"].training.recovery or []) == 2
    assert builtin_presets()["paper"].training.recovery is None


@pytest.mark.parametrize("preset", ["paper", "recommended", "tiny"])
def test_a_preset_is_complete_with_the_defaults(preset: str) -> None:
    chosen = builtin_presets()[preset]
    Training.model_validate(chosen.training.model_dump(exclude_unset=True))
    training.Testing.model_validate(chosen.testing.model_dump(exclude_unset=True))


@pytest.mark.parametrize(("section", "values"), [("data", Data), ("training", Training), ("testing", training.Testing)])
def test_defaults_are_the_papers_values(section: str, values: type[BaseModel]) -> None:
    """What stands in no preset is as in the paper, so that the two never say different things."""
    paper = getattr(builtin_presets()["paper"], section).model_dump(exclude_unset=True)
    defaults = {key: field.get_default(call_default_factory=True) for key, field in values.model_fields.items()}
    assert {key: defaults[key] for key in paper} == paper


def falling(training: Training) -> bool:
    """Tell whether no step of the policy raises the learning rate or loosens the clipping."""
    own, norm = training.learning_rate, training.max_grad_norm or math.inf
    rate = own
    for step in training.recovery:
        now = step.peak_rate(own) or rate
        if now > rate or (step.max_grad_norm or norm) > norm:
            return False
        rate, norm = now, step.max_grad_norm or norm
    return True


def test_no_recovery_makes_a_run_bolder(root: Path) -> None:
    for name, preset in builtin_presets().items():
        assert falling(Training.model_validate(preset.training.model_dump(exclude_none=True))), name
    for file in sorted(set((root / "config").glob("*.yaml")) - set((root / "config").glob("site.*"))):
        config = load_config_files([root / "config/config.yaml", file])
        resolved = [resolve_recipe(config, model) for model in config.recipes]
        models = [recipe for recipe in resolved if isinstance(recipe, ModelRecipe)]
        assert len(models) >= 8
        for recipe in models:
            assert falling(recipe.training), (file, recipe.model)


@pytest.mark.parametrize("model", STUDY)
def test_the_recipes_of_the_study_are_those_of_the_paper(recipes: dict[str, Any], model: str) -> None:
    printed, recipe = STUDY[model], recipes[model]
    found = recipe.config.resources
    assert (recipe.config.label, recipe.config.base.hub) == (printed.label, printed.hub)
    assert recipe.config.parameters == pytest.approx(printed.parameters * 1e9)
    assert (found.gpus_training, found.gpus_testing) == (printed.gpus_training, printed.gpus_testing)
    assert (recipe.training.quantisation or "none") == printed.quantisation_training
    assert (recipe.testing.quantisation or "none") == printed.quantisation_testing
    assert found.gpu_model == paper().models.gpu.lower()
    assert step_size(recipe.training) == printed.batch
    assert recipe.training.processes == 1
    rate = RATES.get(model, paper().training.learning_rate)
    assert (recipe.training.learning_rate, recipe.training.max_grad_norm) == (rate, 1.0)


def test_the_study_is_that_of_table_3(recipes: dict[str, Any]) -> None:
    assert list(recipes) == list(STUDY)


@pytest.mark.parametrize(("model", "published"), CHECKPOINTS.items())
def test_steps_are_those_of_published_checkpoints(
    recipes: dict[str, Any], model: str, published: tuple[int, int]
) -> None:
    epoch, number = published
    assert epoch * math.ceil(paper().questions.total / step_size(recipes[model].training)) == number


def test_recovery_of_qwen3_14b_is_what_happened(recipes: dict[str, Any]) -> None:
    """First resumed with nothing changed; then the values with which Qwen3-32B became stable, on the one GPU it has."""
    first, second = (step.model_dump(exclude_none=True) for step in recipes["qwen3-14b"].training.recovery)
    stable = recipes["qwen3-32b"].training
    assert first == {}
    assert second == {"learning_rate": stable.learning_rate, "max_grad_norm": stable.max_grad_norm}
