"""What each job asks the cluster for, and what its next try asks for after what happened to those before."""

from collections.abc import Sequence
from pathlib import Path

from onkocode.config import ModelRecipe
from onkocode.records.endings import Ending
from onkocode.study.jobs import Study
from onkocode.study.memory import UNKNOWN_MB, formula_mb
from onkocode.training.attempts import read_overrides

GROWTH = 2  # of what ran out, at the next try
MEMORY_CEILING = 4  # times what the first try asks for, where resources.max_memory_mb says nothing


def gpus(study: Study, model: str, stage: str, previous: Path | None = None, endings: Sequence[Ending] = ()) -> int:
    """Return the GPUs of a job; stage is training or testing.

    A training job that ended for want of GPUs, or of their memory, gets what the recovery policy asks for at most.
    What an epoch before was given in this way holds for the later ones.

    Args:
        study: the study.
        model: the `{model}` key.
        stage: training or testing.
        previous: directory of the epoch before.
        endings: how the tries before ended.
    """
    recipe = study.recipes[model]
    if stage == "testing":
        return recipe.config.resources.gpus_testing
    trained = study.language_models.get(model)
    wanting = any(ending.cause in ("gpus", "gpu-memory") for ending in endings)
    recovery = [step.gpus or 0 for step in trained.training.recovery] if trained and wanting else []
    kept = int(read_overrides(previous).get("gpus", 0))
    return max([recipe.config.resources.gpus_training, *recovery, kept])


def gpu_model(
    study: Study, model: str, stage: str, previous: Path | None = None, endings: Sequence[Ending] = ()
) -> str:
    """Return the GPU type of a job; empty = any, or no GPU at all: SLURM refuses a type of which none is asked for.

    Args:
        study: the study.
        model: the `{model}` key.
        stage: training or testing.
        previous: directory of the epoch before.
        endings: how the tries before ended.
    """
    if not gpus(study, model, stage, previous, endings):
        return ""
    return study.recipes[model].config.resources.gpu_model or ""


def memory_mb(study: Study, model: str, endings: Sequence[Ending] = ()) -> int:
    """Return main memory of a job in MB: more than in the first try only after tries that ran out of it."""
    resources = study.recipes[model].config.resources
    first = asked = _first_memory(study, model)
    for ending in endings:
        if ending.cause == "memory":
            asked = max(asked, GROWTH * (ending.given_mb or asked))
    return min(asked, resources.max_memory_mb or MEMORY_CEILING * first)


def _first_memory(study: Study, model: str) -> int:
    """Return what the recipe says, else what follows from the size of a language model."""
    recipe = study.recipes[model]
    if recipe.config.resources.memory_mb is not None:
        return recipe.config.resources.memory_mb
    if isinstance(recipe, ModelRecipe):
        return formula_mb(recipe, study.data[recipe.config.data], study.config.tiny_models)
    return UNKNOWN_MB


def minutes(study: Study, model: str, stage: str, endings: Sequence[Ending] = ()) -> int:
    """Return the time limit of a job in minutes: more than the recipe's only after tries that time was up for.

    Training that sees the end of its time saves and leaves, and goes on with the same limit.
    """
    resources = study.recipes[model].config.resources
    hours = resources.training_hours if stage == "training" else resources.testing_hours
    asked = hours
    for ending in endings:
        if ending.cause == "time":
            asked = max(asked, GROWTH * (asked if ending.given_seconds is None else ending.given_seconds / 3600))
    return int(60 * min(asked, resources.max_hours or hours))
