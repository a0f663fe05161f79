"""What figures and tables say of a coder."""

from collections.abc import Mapping
from typing import Any

from onkocode.config.coders import LanguageModelConfig, RecipeConfig


def describe_recipe(model: str, kind: str, recipe: RecipeConfig) -> dict[str, Any]:
    """Return what is said of every coder; what only language models have is null."""
    return {
        "model": model,
        "kind": kind,
        "label": recipe.label,
        "family": recipe.family,
        "architecture": None,
        "hub": None,
        "revision": None,
        "parameters": None,
        "thinking": False,
        "trained": False,
        "quantisation_training": None,
        "quantisation_testing": None,
        "gpus_training": recipe.resources.gpus_training,
        "gpus_testing": recipe.resources.gpus_testing,
    }


def describe_language_model(recipe: LanguageModelConfig, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a language model; `base` is the record of prepare-model."""
    return {
        "architecture": base["architecture"],
        "hub": base["hub"],
        "revision": base["revision"],
        "parameters": int(recipe.parameters or base["parameters"]),
        "thinking": recipe.thinking,
        "trained": not recipe.is_published and recipe.training.epochs != 0,
        "quantisation_training": recipe.training.quantisation or "none",
        "quantisation_testing": recipe.testing.quantisation or "none",
    }
