"""Main memory of a model's jobs where its recipe does not say, by what was measured (benchmarks/memory_of_jobs.py)."""

import math
from collections.abc import Mapping
from pathlib import Path

from onkocode.config import ModelRecipe
from onkocode.config.data import Data
from onkocode.config.models import BuiltBase, HubBase
from onkocode.config.schema import TinyModel
from onkocode.models.architectures import architecture_from, known_architecture
from onkocode.models.tiny_shape import sizes
from onkocode.paper import paper

UNKNOWN_MB = 4000  # where nothing tells how large the base is, and of coders that are no language models
# Measured on a CPU with Llamas of 11 to 375 million parameters stored in bf16, as resident memory at most, mapped
# weights included; the larger of training and evaluation. Least squares leave 108 MB over at most.
BASE = 670e6  # bytes: Python, torch and transformers, and a job of a tiny model
PER_PARAMETER = {("none", "fp32"): 5.9, ("none", "bf16"): 2.6, ("8bit", "bf16"): 5.7, ("4bit", "bf16"): 3.0}
PER_QUESTION = 9500  # bytes of a training question of 60 tokens: tokens, labels, text
ROOM = 1.25
STEP_MB = 500
# Assumed: on a GPU, weights are mapped and moved on part by part. Pages of a file are not counted, since the system
# takes them back when memory is wanted.
STAGED = 8e9  # bytes: CUDA's libraries, and the weights that are on their way
SAMPLE = 50_000  # questions of a sample or of the example, at most


def job_bytes(parameters: float, quantisation: str, precision: str, questions: int, on_gpu: bool) -> float:
    """Return the bytes that a job of training or evaluation holds at most.

    Args:
        parameters: of the base.
        quantisation: none, 8bit or 4bit.
        precision: bf16 or fp32.
        questions: of training.
        on_gpu: the weights end on a GPU.
    """
    each = PER_PARAMETER["none", precision] if quantisation == "none" else PER_PARAMETER[quantisation, "bf16"]
    weights = each * parameters
    return BASE + (min(weights, STAGED) if on_gpu else weights) + PER_QUESTION * questions


def formula_mb(recipe: ModelRecipe, data: Data, tiny_models: Mapping[str, TinyModel]) -> int:
    """Return the main memory that the jobs of a recipe ask for, in MB: the larger of training and testing, with room.

    Args:
        recipe: of a language model.
        data: its data key.
        tiny_models: of the configuration.
    """
    parameters = parameters_of(recipe, tiny_models)
    if parameters is None:
        return UNKNOWN_MB
    questions, resources = questions_of(data), recipe.config.resources
    stages: list[tuple[str, str, int]] = [
        (recipe.testing.quantisation, recipe.testing.precision, resources.gpus_testing)
    ]
    if recipe.is_trained:
        training = recipe.training
        stages.append((training.quantisation, training.precision, resources.gpus_training))
    most = max(job_bytes(parameters, kind, precision, questions, gpus > 0) for kind, precision, gpus in stages)
    return STEP_MB * math.ceil(ROOM * most / 1e6 / STEP_MB)


def questions_of(data: Data) -> int:
    """Return the training questions of a data key, roughly: of all catalogues those of the paper."""
    part = data.sample is not None or "example" in (*data.alphaid, data.icd10gm, *data.icdo3, *data.ops)
    return SAMPLE if part else paper().questions.total


def parameters_of(recipe: ModelRecipe, tiny_models: Mapping[str, TinyModel]) -> float | None:
    """Return the parameters of a base: as the recipe says, else as its shape does; None where nothing tells them."""
    base = recipe.config.base
    if recipe.config.parameters is not None:
        return recipe.config.parameters
    if isinstance(base, HubBase):
        known = known_architecture(base.hub)
        return None if known is None else float(known.parameters)
    if isinstance(base, BuiltBase):
        shape = tiny_models[base.built]
        return float(architecture_from({"model_type": shape.architecture, **sizes(shape)}, base.built).parameters)
    return _stored(base.path)


def _stored(path: Path) -> float | None:
    """Return the parameters of a local directory by the size of its files, which are taken for bf16."""
    sizes = [file.stat().st_size for file in path.glob("model*.safetensors")]
    return sum(sizes) / 2 if sizes else None
