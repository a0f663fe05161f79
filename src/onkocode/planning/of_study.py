"""The plans of a study: one per recipe and kind of GPU, from the bases, questions and runs that there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onkocode.config import ModelRecipe
from onkocode.models.gpus import Gpu, find_gpu
from onkocode.planning.available import count_questions, find_base, find_lengths
from onkocode.planning.calibration import Speed, paper_speed
from onkocode.planning.past_runs import CPU, RunAndPlan, compare_with_plans, measured_speed, rates_by_device, read_runs
from onkocode.planning.plan import Plan, Subject, make_plan
from onkocode.records.endings import Ending
from onkocode.records.errors import InputError
from onkocode.study import Study, requests

TRIES = 3  # of a training job, with the two retries of profiles/slurm


@dataclass(frozen=True)
class StudyPlan:
    """Plans, how earlier runs compare with theirs, the recipes that are planned, why others are not, and all named."""

    plans: list[Plan]
    compared: list[RunAndPlan]
    models: list[str]
    left_out: list[str]
    named: list[str]


def plan_study(study: Study, chosen: Sequence[str], gpus: Sequence[Gpu], results: Path) -> StudyPlan:
    """Return the plans of the chosen recipes, or of all; raises InputError where one cannot be planned."""
    named = _named(study, chosen)
    models, left_out = _trained(study, named)
    # Runs of other recipes tell the speed as well.
    # Of the seeds of a recipe one run counts: the others would predict its time all too well.
    run = [
        model
        for model in study.models
        if model in models or (study.base_of(model) == model and (results / "training" / model).is_dir())
    ]
    subjects = {model: subject_of(study, model, results) for model in run}
    runs = read_runs(results, run)
    rates = rates_by_device(runs, subjects)
    plans: list[Plan] = []
    for model in models:
        recipe = study.language_models[model]
        kinds: list[Gpu | None] = [*gpus] or [_asked(recipe)]
        for gpu in kinds:
            late = [Ending("time")] * TRIES
            asked = [requests.minutes(study, model, "training", late[:tries]) / 60 for tries in range(TRIES)]
            plans.append(_plan(recipe, subjects[model], gpu, _speed(recipe, gpu, rates), asked))
    return StudyPlan(plans, compare_with_plans(runs, subjects), models, left_out, named)


def _named(study: Study, chosen: Sequence[str]) -> list[str]:
    """Return the models that a person named, all seeds of a recipe with it; those of the study where none was."""
    unknown = [model for model in chosen if model not in study.recipes and model not in study.models_of]
    if unknown:
        known = ", ".join(dict.fromkeys([*study.models_of, *study.recipes]))
        raise InputError(f"--model {unknown[0]}: not among `models` (known: {known})")
    named = [model for key in chosen for model in study.models_of.get(key, [key])]  # a recipe is all of its seeds
    return list(dict.fromkeys(named)) or study.models


def _trained(study: Study, models: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the recipes that are trained, and why others are not planned."""
    alike = {model: first for model in models if (first := study.base_of(model)) != model and first in models}
    models = [model for model in models if model not in alike]
    trained = [model for model in models if study.recipes[model].is_trained]
    if not trained:
        raise InputError("none of the recipes is trained here, so there is nothing to plan")
    left_out = [f"{model} is not trained here" for model in models if model not in trained + study.fitted_models]
    left_out += [f"{model} is fitted in one job" for model in models if model in study.fitted_models]
    return trained, left_out + [f"{model} costs what {first} does" for model, first in alike.items()]


def subject_of(study: Study, model: str, results: Path) -> Subject:
    """Return base and questions of a recipe; raises InputError where nothing tells the base."""
    recipe = study.language_models[model]
    try:
        found = find_base(recipe.config.base, study.config.tiny_models, results)
    except InputError as error:
        raise InputError(f"recipes.{model}: {error}") from None
    table = results / "questions" / f"{recipe.config.data}.parquet"
    count, source = count_questions(table, study.data[recipe.config.data])
    return Subject(found.architecture, found.bytes, count, source, find_lengths(found, table, recipe.training))


def _plan(recipe: ModelRecipe, subject: Subject, gpu: Gpu | None, speed: Speed | None, asked: Sequence[float]) -> Plan:
    resources = recipe.config.resources
    count = 0 if gpu is None else max(1, resources.gpus_training, recipe.training.processes)
    try:
        return make_plan(recipe.model, subject, recipe.training, gpu, count, speed, asked)
    except InputError as error:
        raise InputError(f"recipes.{recipe.model}: {error}") from None


def _asked(recipe: ModelRecipe) -> Gpu | None:
    """Return the GPU that a recipe asks the cluster for; None when it asks for none, or in words of its own."""
    resources = recipe.config.resources
    return find_gpu(resources.gpu_model) if resources.gpus_training and resources.gpu_model else None


def _speed(recipe: ModelRecipe, gpu: Gpu | None, rates: Mapping[str, Mapping[str, float]]) -> Speed | None:
    """Return the speed of one's own runs on that device; where there are none, that of the paper."""
    measured = measured_speed(CPU if gpu is None else gpu.name, rates)
    if measured is not None or gpu is None:
        return measured
    return paper_speed(gpu, recipe.training.precision)
