"""The configuration: typed, checked as a whole before anything runs, and sliced for each rule."""

from onkocode.config.loading import load_config, load_config_files
from onkocode.config.resolve import (
    ModelRecipe,
    Recipe,
    replicates,
    resolve_data,
    resolve_model,
    resolve_recipe,
)
from onkocode.config.schema import Config

__all__ = [
    "Config",
    "ModelRecipe",
    "Recipe",
    "load_config",
    "load_config_files",
    "replicates",
    "resolve_data",
    "resolve_model",
    "resolve_recipe",
]
