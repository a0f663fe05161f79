"""From keys to complete recipes: field default < preset < recipe."""

from functools import cache
from importlib import resources
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel

from onkocode.config.base import Section
from onkocode.config.changes import nullable_keys
from onkocode.config.coders import FitSettings
from onkocode.config.data import Data
from onkocode.config.recipes import LanguageModelConfig, RecipeConfig
from onkocode.config.schema import Config, Preset
from onkocode.config.training import Testing, Training

S = TypeVar("S", bound=Section)


class Recipe(BaseModel):
    """A recipe with every value filled in."""

    model: str
    config: RecipeConfig
    replicate_of: str | None = None  # the recipe's key, where `model` stands for one of its seeds

    @property
    def is_trained(self) -> bool:
        """Tell whether it is trained here, epoch by epoch."""
        return False

    @property
    def is_fitted(self) -> bool:
        """Tell whether it is fitted here, by one job."""
        return self.fit is not None

    @property
    def fit(self) -> FitSettings | None:
        """Return the settings of the job that fits it; None where no such job does."""
        return self.config if isinstance(self.config, FitSettings) else None

    @property
    def last_epoch(self) -> int:
        """Return the number of the last checkpoint; what has no epochs is epoch 1."""
        return 1


class ModelRecipe(Recipe):
    """A language model's recipe with every value filled in. Its base is epoch 0."""

    config: LanguageModelConfig
    training: Training
    testing: Testing

    @property
    def is_trained(self) -> bool:
        """Tell whether it is trained here: no adapter of somebody else, and no base model that is only tested."""
        return not self.config.is_published and self.training.epochs > 0

    @property
    def last_epoch(self) -> int:
        """Return the number of the last checkpoint; a published adapter is epoch 1."""
        return 1 if self.config.is_published else self.training.epochs


@cache
def builtin_presets() -> dict[str, Preset]:
    """Return the presets that ship with the package."""
    text = resources.files("onkocode.config").joinpath("presets.yaml").read_text(encoding="utf-8")
    return {name: Preset.model_validate(values) for name, values in yaml.safe_load(text).items()}


def presets(config: Config) -> dict[str, Preset]:
    """Return built-in presets and those of the configuration, which may not redefine a built-in one."""
    return builtin_presets() | config.presets


def resolve_recipe(config: Config, model: str) -> Recipe:
    """Return the complete recipe of a `{model}` key."""
    recipe = config.recipes[model]
    if isinstance(recipe, LanguageModelConfig):
        return resolve_model(config, model)
    return Recipe(model=model, config=recipe)


def resolve_model(config: Config, model: str) -> ModelRecipe:
    """Return the complete recipe of a language model; TypeError for a coder that is none."""
    recipe = config.recipes[model]
    if not isinstance(recipe, LanguageModelConfig):
        raise TypeError(f"{model} is no language model")
    preset = presets(config)[recipe.preset]
    return ModelRecipe(
        model=model,
        config=recipe,
        training=_filled_in(Training, preset.training, recipe.training),
        testing=_filled_in(Testing, preset.testing, recipe.testing),
    )


def replicates(config: Config, key: str) -> list[Recipe]:
    """Return what a recipe stands for: itself, or one complete recipe per seed.

    Replicates differ in the seed of training, in key and in label, and in nothing else.
    """
    recipe = resolve_recipe(config, key)
    if not isinstance(recipe, ModelRecipe):
        return [recipe]
    return [
        recipe.model_copy(
            update={
                "model": replicate_key(key, seed),
                "config": recipe.config.model_copy(update={"label": replicate_label(recipe.config.label, seed)}),
                "training": recipe.training.model_copy(update={"seed": seed}),
                "replicate_of": key,
            }
        )
        for seed in dict.fromkeys(recipe.config.seeds or [])
    ] or [recipe]


def replicate_key(key: str, seed: int) -> str:
    """Return the `{model}` key of a recipe with one of its seeds."""
    return f"{key}.s{seed}"


def replicate_label(label: str, seed: int) -> str:
    """Return the label of a recipe with one of its seeds."""
    return f"{label}, seed {seed}"


def resolve_data(config: Config, key: str) -> Data:
    """Return a data key with its preset's options filled in; a sample has no composed texts of a preset."""
    data = config.data[key]
    preset = presets(config)[data.preset].data
    if data.sample is not None:
        preset = preset.model_copy(update={"clinical": None})
    return _filled_in(Data, preset, data)


def _filled_in(section: type[S], *parts: Section) -> S:
    """Return a section with what the parts set, the last one first; null counts only where it is a value of its own."""
    nullable = nullable_keys(section)
    values: dict[str, Any] = {}
    for part in parts:
        given = part.model_dump(exclude_unset=True)
        values |= {key: value for key, value in given.items() if value is not None or key in nullable}
    return section.model_validate(values)
