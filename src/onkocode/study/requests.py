"""What each job asks the cluster for."""

from pathlib import Path

from onkocode.study.jobs import Study
from onkocode.training.attempts import read_overrides


def gpus(study: Study, model: str, stage: str, attempt: int = 1, previous: Path | None = None) -> int:
    """Return the GPUs of a job; stage is training or testing.

    A retry of a training job gets what the recovery policy asks for at most, since the first try may have ended for
    want of them. What an epoch before was given in this way holds for the later ones.

    Args:
        study: the study.
        model: the `{model}` key.
        stage: training or testing.
        attempt: 1, or more for a retry.
        previous: directory of the epoch before.
    """
    recipe = study.recipes[model]
    if stage == "testing":
        return recipe.config.resources.gpus_testing
    trained = study.language_models.get(model)
    recovery = [step.gpus or 0 for step in trained.training.recovery] if trained and attempt > 1 else []
    kept = int(read_overrides(previous).get("gpus", 0))
    return max([recipe.config.resources.gpus_training, *recovery, kept])


def gpu_model(study: Study, model: str) -> str:
    """Return the GPU type of a recipe; empty = any."""
    return study.recipes[model].config.resources.gpu_model or ""


def memory_mb(study: Study, model: str, attempt: int) -> int:
    """Return main memory of a job; doubled with every retry, since running out shows as a plain failure."""
    return int(study.recipes[model].config.resources.memory_mb * 2 ** (attempt - 1))


def minutes(study: Study, model: str, stage: str, attempt: int) -> int:
    """Return the time limit of a job in minutes; doubled with every retry."""
    resources = study.recipes[model].config.resources
    hours = resources.training_hours if stage == "training" else resources.testing_hours
    return int(60 * hours * 2 ** (attempt - 1))
