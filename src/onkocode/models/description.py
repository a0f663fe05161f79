"""What figures and tables say of a coder."""

from collections.abc import Mapping
from typing import Any

from onkocode.config.recipes import LanguageModelConfig, RecipeConfig
from onkocode.records.errors import InputError

ONLY_MODELS = ("architecture", "hub", "revision", "parameters", "quantisation_training", "quantisation_testing")


def describe(
    recipe: RecipeConfig, base: Mapping[str, Any] | None = None, replicate_of: str | None = None
) -> dict[str, Any]:
    """Return what is said of a coder; what only language models have is null for others.

    Args:
        recipe: of the coder.
        base: the record of prepare-model, for a language model.
        replicate_of: key of the recipe that it is one seed of.

    Raises:
        InputError: a language model without its base.
    """
    said = {
        "kind": getattr(recipe, "kind", None),
        "label": recipe.label,
        "family": recipe.family,
        "thinking": False,
        "trained": False,
        "gpus_training": recipe.resources.gpus_training,
        "gpus_testing": recipe.resources.gpus_testing,
    }
    if not isinstance(recipe, LanguageModelConfig):
        return said | dict.fromkeys(ONLY_MODELS)
    if base is None:
        raise InputError("--base is needed for a language model")
    replicate = {"replicate_of": replicate_of, "seed": recipe.training.seed} if replicate_of else {}
    return said | _of_language_model(recipe, base) | replicate


def _of_language_model(recipe: LanguageModelConfig, base: Mapping[str, Any]) -> dict[str, Any]:
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
