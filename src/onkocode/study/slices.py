"""The settings slice of each job: exactly the keys that it depends on, as JSON. An edit elsewhere repeats nothing."""

from typing import Any

from pydantic import BaseModel

from onkocode.config.coders import RecipeConfig
from onkocode.records.ids import canonical_json
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
    return canonical_json(columns.model_dump(mode="json", exclude={"morphology"} - columns.model_fields_set))


def tiny_model(study: Study, built: str) -> str:
    """Settings of pretrain-model."""
    return as_json(study.config.tiny_models[built])


def base(study: Study, model: str) -> str:
    """Settings of prepare-model: the base and nothing else, since training is repeated when they change."""
    return canonical_json({"base": study.language_models[model].config.base.model_dump(mode="json")})


def description(study: Study, model: str) -> str:
    """Settings of describe-model: what figures and tables name."""
    resources = {
        "gpus_training": requests.gpus(study, model, "training"),
        "gpus_testing": requests.gpus(study, model, "testing"),
    }
    shown = study.recipes[model].config.model_dump(
        mode="json", include={"kind", "label", "family", "base", "parameters", "data", "thinking"}
    )
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
    return canonical_json(study.recipes[model].config.model_dump(mode="json", exclude=shared))


def adapter(study: Study, model: str) -> str:
    """Settings of fetch-adapter."""
    return canonical_json(study.language_models[model].config.model_dump(mode="json", include={"adapter"}))


def training(study: Study, model: str) -> str:
    """Settings of train-epoch."""
    return as_json(study.language_models[model].training)


def testing(study: Study, model: str) -> str:
    """Settings of evaluate-checkpoint under the condition free."""
    later = {"bootstrap", "paper_ceilings", "valid_floor"}
    evaluation = study.config.evaluation.model_dump(mode="json", exclude=later)
    return canonical_json(_asking(study, model) | {"evaluation": evaluation})


def thinking(study: Study, model: str) -> str:
    """Settings of evaluate-checkpoint under the condition thinking."""
    return canonical_json(_asking(study, model) | {"thinking": study.config.thinking.model_dump(mode="json")})


def option(study: Study, name: str) -> str:
    """Settings that change no result: `tracking` (W&B) or `consent` to the terms of the catalogues."""
    if name == "tracking":
        return as_json(study.config.tracking)
    return canonical_json(study.config.catalogues.accept_terms)


def merged(study: Study) -> str:
    """Return the whole configuration, for the record."""
    return canonical_json(study.config.model_dump(mode="json", exclude_unset=True))


def _asking(study: Study, model: str) -> dict[str, Any]:
    """Return how a language model answers; nothing for another coder, which has its settings with it."""
    recipe = study.language_models.get(model)
    if recipe is None:
        return {}
    return {
        "testing": recipe.testing.model_dump(mode="json"),
        "system_prompt": recipe.training.system_prompt,
        "formulations": study.data[recipe.config.data].formulations,
    }


def as_json(section: BaseModel) -> str:
    """Return a section with all its values as canonical JSON."""
    return canonical_json(section.model_dump(mode="json"))
