"""What a recipe's jobs should ask for on another kind of GPU than its own: how many GPUs, memory, time, and why."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onkocode.config import ModelRecipe
from onkocode.models.gpus import Gpu, find_gpu, named_gpu
from onkocode.planning.calibration import Speed, paper_speed
from onkocode.planning.of_study import subject_of
from onkocode.planning.plan import Plan, Subject, make_plan
from onkocode.planning.plan_text import wrapped
from onkocode.planning.testing_memory import needed_for_testing
from onkocode.records.errors import InputError
from onkocode.study import Study, requests
from onkocode.text_tables import Cell, text_table

COUNTS = (1, 2, 4, 8)  # GPUs of one node
MARGIN = 0.1  # assumed: what an allocator wastes by fragments, and what the formulas cannot see
ROOM = 1.5  # of predicted hours, as the recipes of the paper have over its hours
LEAST_MINUTES = 60
GB = 1e9
NOTE = (
    "For `resources` of a recipe, with gpu_model: the name that your cluster has for {gpu}. GPUs: the fewest of 1, 2, "
    "4, 8 that hold the model while it loads, trains or answers, with {margin} % of the need to spare; by formulas, "
    "not measured. hours: the limit of the recipe, times what training is predicted to take here and on its own kind "
    "of GPU; answering, which waits for memory more than for arithmetic, is not taken to be faster."
)


@dataclass(frozen=True)
class Request:
    """What a job asks the cluster for, and why; minutes are its limit on time, memory is main memory."""

    gpus: int
    gpu: str
    memory_mb: int
    minutes: int
    why: str


def request_for(study: Study, model: str, stage: str, gpu_name: str, results: Path | None = None) -> Request:
    """Return what a job asks for on a kind of GPU.

    On the recipe's own kind, or where it asks for no GPU, that is what the recipe says.

    Args:
        study: the study.
        model: the `{model}` key.
        stage: training or testing.
        gpu_name: as the table of GPUs, torch or SLURM name it.
        results: directory of results; None = that of the configuration.

    Raises:
        InputError: a GPU that is not in the table, a base of which nothing is known, or a model that fits on no number
            of these GPUs, or cannot compute there in bf16.
    """
    recipe, own_name = study.language_models.get(model), study.recipes[model].config.resources.gpu_model
    asked = requests.gpus(study, model, stage)
    memory, minutes = requests.memory_mb(study, model), requests.minutes(study, model, stage)
    if recipe is None or not asked:
        return Request(0, "", memory, minutes, "the recipe asks for no GPU")
    own = find_gpu(own_name or "")
    if gpu_name == own_name or (own is not None and own == find_gpu(gpu_name)):
        return Request(asked, gpu_name, memory, minutes, "the recipe is written for it")
    gpu = named_gpu(gpu_name)
    precision = recipe.training.precision if stage == "training" else recipe.testing.precision
    if gpu.peak(precision) is None:
        raise InputError(f"{gpu.name} cannot compute in bf16; set {stage}.precision to fp32, or name another GPU")
    folder = results or Path(study.config.pathvars.get("results", "results"))
    subject = subject_of(study, model, folder)
    count, needed = _fewest(recipe, stage, subject, gpu)
    limit, reason = _minutes(recipe, stage, subject, (gpu, count), (own, asked), minutes)
    return Request(count, gpu_name, memory, limit, f"{needed / GB:.1f} of {gpu.memory / GB:.1f} GB each; {reason}")


def _fewest(recipe: ModelRecipe, stage: str, subject: Subject, gpu: Gpu) -> tuple[int, float]:
    """Return the smallest number of GPUs on which a stage fits, and the bytes that each needs."""
    processes = recipe.training.processes
    # Data-parallel processes hold a whole model on each GPU, so that only their own number of GPUs is of use.
    counts = [processes] if stage == "training" and processes > 1 else COUNTS
    needed = math.inf
    for count in counts:
        needed = _needed(recipe, stage, subject, gpu, count)
        if needed * (1 + MARGIN) <= gpu.memory:
            return count, needed
    raise InputError(
        f"recipes.{recipe.model}: {stage} needs {needed / GB:.1f} GB on each of {counts[-1]} x {gpu.name}, which have "
        f"{gpu.memory / GB:.1f} GB, of which {100 * MARGIN:.0f} % of the need should stay free; quantise, lower "
        f"{stage}.batch_size, or name a larger GPU"
    )


def _needed(recipe: ModelRecipe, stage: str, subject: Subject, gpu: Gpu, count: int) -> float:
    plan = make_plan(recipe.model, subject, recipe.training, gpu, count)
    if stage == "training":
        return plan.needed
    longest = recipe.training.max_length if subject.lengths is None else subject.lengths.longest
    trainable = 0 if recipe.config.is_published else plan.trainable
    return needed_for_testing(subject.architecture, recipe.testing, trainable, longest, count)


def _minutes(
    recipe: ModelRecipe, stage: str, subject: Subject, new: tuple[Gpu, int], own: tuple[Gpu | None, int], asked: int
) -> tuple[int, str]:
    """Return the limit on time, and how it follows from the recipe's, which is for its own kind of GPU."""
    here = _hours(recipe, subject, *new)
    there = None if own[0] is None else _hours(recipe, subject, own[0], own[1])
    if here is None or (own[0] is not None and there is None):
        return asked, "the time of the recipe, since nothing tells the speed"
    if there is None or own[0] is None:
        if stage == "testing":
            return asked, "the time of the recipe"
        return _whole(60 * ROOM * here), f"{here:.1f} h an epoch are predicted, and half as much again"
    factor = here / there
    if stage == "testing" and factor < 1:  # generating waits for memory more than for arithmetic
        return asked, f"the time on {own[0].name}"
    return _whole(factor * asked), f"{factor:.2f} x the time on {own[0].name}"


def _whole(minutes: float) -> int:
    return max(LEAST_MINUTES, math.ceil(minutes))


def _hours(recipe: ModelRecipe, subject: Subject, gpu: Gpu, count: int) -> float | None:
    """Return the predicted hours of an epoch; None where nothing tells them."""
    speed: Speed | None = paper_speed(gpu, recipe.training.precision)
    plan: Plan = make_plan(recipe.model, subject, recipe.training, gpu, count, speed)
    return plan.hours


def requests_text(study: Study, models: Sequence[str], gpu: str, results: Path) -> str:
    """Return what the jobs of these models should ask for on a kind of GPU, for the terminal."""
    rows: list[Sequence[Cell]] = []
    for model in models:
        for stage in ("training", "testing"):
            try:
                found = request_for(study, model, stage, gpu, results)
                rows.append([model, stage, found.gpus, found.memory_mb, round(found.minutes / 60, 1), found.why])
            except InputError as error:
                rows.append([model, stage, None, None, None, _short(error, model)])
    shown = text_table(["recipe", "stage", "GPUs", "memory_mb", "hours", ""], rows, left=2)
    note = wrapped(NOTE.format(gpu=gpu, margin=f"{100 * MARGIN:.0f}"))
    return f"What to ask for on {gpu}\n\n{shown}\n\n{note}"


def _short(error: InputError, model: str) -> str:
    return str(error).removeprefix(f"recipes.{model}: ").partition(";")[0].partition(", which")[0]
