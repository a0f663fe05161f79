"""The settings slice of each job: exactly the keys that it depends on, as JSON. An edit elsewhere repeats nothing.

Where a slice has options that change no result, a job is repeated when its key changes, which is the slice with these
options at their defaults.
"""

from typing import Any

from pydantic import BaseModel

from onkocode.config.base import Mark
from onkocode.config.marks import at_default, effective, marked
from onkocode.config.recipes import RecipeConfig
from onkocode.config.schema import Evaluation
from onkocode.config.training import Training
from onkocode.records.ids import canonical_json
from onkocode.reporting.registry import find
from onkocode.study import requests
from onkocode.study.jobs import Study
from onkocode.tasks import PROTOCOL, TASKS


def data(study: Study, data_key: str) -> str:
    """Settings of build-questions."""
    return as_json(study.data[data_key])


def asked(study: Study) -> str:
    """Settings of check-inputs: what decides whether anything of a data set is asked."""
    found = {"evaluation": study.config.evaluation.model_dump(mode="json", include={"tasks", "splits"})}
    if study.thinking_models:
        found["thinking"] = study.config.thinking.model_dump(mode="json", include={"tasks"})
    return canonical_json(found)


def leakage(study: Study) -> str:
    """Settings of check-leakage."""
    return as_json(study.config.leakage)


def formulations(study: Study, test_set: str) -> str | list[str]:
    """Settings of build-text-questions: the version of the formulations, and tasks beyond the protocol's.

    Where there are none, the version alone, as it always was: otherwise an upgrade would ask all models again.
    """
    version = study.config.texts[test_set].formulations
    asked = {*study.config.evaluation.tasks, *study.config.thinking.tasks}
    further = [task for task in TASKS if task in asked and task not in PROTOCOL]
    return [version, "--tasks", *further] if further else version


def columns(study: Study, test_set: str) -> str:
    """Settings of read-texts; morphology only where it is set, so that older test sets are not read again."""
    columns = study.config.texts[test_set].columns
    unset = {"morphology"} - columns.model_fields_set
    return canonical_json({key: value for key, value in effective(columns).items() if key not in unset})


def tiny_model(study: Study, built: str) -> str:
    """Settings of pretrain-model."""
    return as_json(study.config.tiny_models[built])


def base(study: Study, model: str) -> str:
    """Settings of prepare-model: the base and nothing else, since training is repeated when they change."""
    return canonical_json({"base": effective(study.language_models[model].config.base)})


def description(study: Study, model: str) -> str:
    """Settings of describe-model: what figures and tables name."""
    resources = {
        "gpus_training": requests.gpus(study, model, "training"),
        "gpus_testing": requests.gpus(study, model, "testing"),
    }
    named = {"kind", "label", "family", "base", "parameters", "data", "thinking"}
    shown = {key: value for key, value in effective(study.recipes[model].config).items() if key in named}
    return canonical_json(shown | _model_description(study, model) | {"resources": resources})


def _model_description(study: Study, model: str) -> dict[str, Any]:
    """Return what is named of the training and testing of a language model; nothing for another coder."""
    recipe = study.language_models.get(model)
    if recipe is None:
        return {}
    training: dict[str, Any] = {"quantisation": recipe.training.quantisation}
    if not study.epochs(model):
        training["epochs"] = 0
    if recipe.replicate_of is not None:
        training["seed"] = recipe.training.seed
    return {"training": training, "testing": {"quantisation": recipe.testing.quantisation}}


def coder(study: Study, model: str) -> str:
    """Settings of fit-coder: the kind and its own keys."""
    shared = set(RecipeConfig.model_fields)
    own = {key: value for key, value in effective(study.recipes[model].config).items() if key not in shared}
    return canonical_json(own)


def adapter(study: Study, model: str) -> str:
    """Settings of fetch-adapter."""
    recipe = study.language_models[model].config
    return canonical_json({"adapter": None if recipe.adapter is None else effective(recipe.adapter)})


def training(study: Study, model: str) -> str:
    """Settings of train-epoch."""
    return as_json(study.language_models[model].training)


def training_key(study: Study, model: str) -> str:
    """Return what train-epoch depends on; of the number of epochs only where the learning rate does."""
    settings = at_default(study.language_models[model].training, Mark.NEUTRAL)
    if not settings.depends_on_total:
        settings = settings.model_copy(update={"epochs": Training.model_fields["epochs"].default})
    return as_json(settings)


def testing(study: Study, model: str) -> str:
    """Settings of evaluate-checkpoint under the condition free."""
    return _testing(study, model, study.config.evaluation)


def testing_key(study: Study, model: str) -> str:
    """Return what evaluate-checkpoint depends on under the condition free."""
    return _testing(study, model, at_default(study.config.evaluation, Mark.NEUTRAL))


def thinking(study: Study, model: str) -> str:
    """Settings of evaluate-checkpoint under the condition thinking."""
    mode = study.config.thinking.model_copy(update={"trained": False})  # says which jobs there are, not what they do
    return canonical_json(_asking(study, model) | {"thinking": effective(mode)})


def conditions(study: Study, model: str) -> str:
    """Settings of evaluate-conditions."""
    return _conditions(study, model, study.config.evaluation)


def conditions_key(study: Study, model: str) -> str:
    """Return what evaluate-conditions depends on."""
    return _conditions(study, model, at_default(study.config.evaluation, Mark.NEUTRAL))


def _conditions(study: Study, model: str, evaluation: Evaluation) -> str:
    asked = {key: effective(evaluation)[key] for key in ("tasks", "entries", "seed", "shard")}
    further = {key: value for key, value in effective(study.config.conditions).items() if key != "asked"}
    return canonical_json(_asking(study, model) | {"evaluation": asked, "conditions": further})


def comparing(study: Study) -> str:
    """Settings of compare-checkpoints."""
    asked: dict[str, Any] = {key: effective(study.config.evaluation)[key] for key in ("primary", "choice")}
    if asked["primary"] is not None:  # of a recipe with seeds, the first
        named = {key: asked["primary"][key] for key in ("model", "against")}
        asked["primary"] |= {key: study.models_of.get(name, [name])[0] for key, name in named.items()}
    return canonical_json({"texts": study.test_sets, "bases": study.bases} | asked)


def overview(study: Study) -> str:
    """Settings of break-down."""
    asked = {key: effective(study.config.evaluation)[key] for key in ("least_cell", "bootstrap")}
    data = {model: recipe.config.data for model, recipe in study.recipes.items()}
    return canonical_json({"data": data, "bases": study.bases} | asked)


def item(study: Study, name: str) -> str:
    """Settings of draw: those that the figure or table reads."""
    evaluation = study.config.evaluation
    every = evaluation.model_dump(include={"valid_floor", "paper_ceilings"}) | {"texts": study.test_sets}
    return canonical_json({key: every[key] for key in find(name).settings})


def option(study: Study, name: str) -> str:
    """Settings that change no result: `tracking` (W&B) or `consent` to the terms of the catalogues."""
    if name == "tracking":
        return as_json(study.config.tracking)
    return canonical_json(study.config.catalogues.accept_terms)


def merged(study: Study) -> str:
    """Return the whole configuration, for the record."""
    return canonical_json(study.config.model_dump(mode="json", exclude_unset=True))


def _testing(study: Study, model: str, evaluation: Evaluation) -> str:
    later = marked(Evaluation, Mark.ASIDE)
    asked = {key: value for key, value in effective(evaluation).items() if key not in later}
    return canonical_json(_asking(study, model) | {"evaluation": asked})


def _asking(study: Study, model: str) -> dict[str, Any]:
    """Return how a language model answers; nothing for another coder, which has its settings with it."""
    recipe = study.language_models.get(model)
    if recipe is None:
        return {}
    return {
        "testing": effective(recipe.testing),
        "system_prompt": recipe.training.system_prompt,
        "formulations": study.data[recipe.config.data].formulations,
    }


def as_json(section: BaseModel) -> str:
    """Return the values of a section as canonical JSON; added options only where they are not at their defaults."""
    return canonical_json(effective(section))
