"""The jobs of a study for the simulation: how many GPUs, how many hours, and what each waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onkocode.paper import paper
from onkocode.planning.plan import Plan
from onkocode.planning.simulation import Work
from onkocode.study import Study, requests

TRAINING = 1  # priority, as in workflow/rules/training.smk: the epochs of a model wait for each other
PLANNED, GIVEN = "predicted by the plan", "limits of the recipes, training_hours and testing_hours"


@dataclass(frozen=True)
class Hours:
    """Hours and GPUs of an epoch of a model, and where the hours are from."""

    hours: float
    gpus: int
    source: str


def hours_of(study: Study, plans: Sequence[Plan]) -> dict[str, Hours]:
    """Return what an epoch of each trained model takes; plans are those of one kind of GPU.

    A seed costs what the first of its recipe does. Without a predicted time it is the recipe's limit.
    """
    planned = {plan.model: plan for plan in plans}
    found = {}
    for model in study.trained_models:
        plan = planned.get(model) or planned.get(study.base_of(model) or model)
        gpus = requests.gpus(study, model, "training")
        if plan is None or plan.hours is None:
            found[model] = Hours(study.recipes[model].config.resources.training_hours, gpus, GIVEN)
        else:
            found[model] = Hours(plan.hours, plan.gpus, PLANNED)
    return found


def works_of(study: Study, hours: Mapping[str, Hours], models: Sequence[str]) -> list[Work]:
    """Return the jobs of the chosen models, each behind those that it waits for.

    Training and fitting first, then questions to each checkpoint: as the study asks, thinking, and under further
    conditions. Scoring, comparing and drawing take minutes and no GPU, and are left out.
    """
    works: list[Work] = []
    for model in models:
        for epoch in study.epochs(model) if model in hours else ():
            each = hours[model]
            before = (_trained(model, epoch - 1),) if epoch > 1 else ()
            works.append(Work(_trained(model, epoch), model, each.gpus, each.hours, TRAINING, before))
        if model in study.fitted_models:
            gpus, fitting = requests.gpus(study, model, "training"), study.recipes[model].config.resources
            works.append(Work(_trained(model, 1), model, gpus, fitting.training_hours))
    trained = {work.name for work in works}
    asked = {"free": study.checkpoints(0), "thinking": study.thinking_checkpoints, "conditions": study.asked_further}
    for condition, checkpoints in asked.items():
        for model, epoch in checkpoints:
            if model in models:
                before = (_trained(model, epoch),) if _trained(model, epoch) in trained else ()
                gpus, limit = requests.gpus(study, model, "testing"), study.recipes[model].config.resources
                name = f"{model}, epoch {epoch}, {condition}"
                works.append(Work(name, model, gpus, limit.testing_hours, 0, before))
    return works


def _trained(model: str, epoch: int) -> str:
    return f"{model}, epoch {epoch}"


def works_of_paper() -> list[Work]:
    """Return the fine-tunings of Table 3, its hours in equal parts over the epochs."""
    epochs = paper().training.epochs
    return [
        Work(
            _trained(run.label, epoch),
            run.label,
            run.gpus_training,
            run.hours / epochs,
            TRAINING,
            (_trained(run.label, epoch - 1),) if epoch > 1 else (),
        )
        for run in paper().models.rows
        for epoch in range(1, epochs + 1)
    ]
