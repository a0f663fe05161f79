"""Which jobs there are: models, epochs, data sets, and the catalogues that they read."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from onkocode.catalogues.fetching.sources import catalogue_folder, find_local, read_sources
from onkocode.catalogues.formats.parse import DATASETS, REGISTRIES
from onkocode.config import ModelRecipe, Recipe, load_config, replicates, resolve_data
from onkocode.config.base import CATALOGUE, CONSTRAINED, FREE
from onkocode.config.coders import table_folders, takes_codes
from onkocode.config.data import Data
from onkocode.config.models import BuiltBase, LocalAdapter
from onkocode.models.locate import ADAPTER_WEIGHTS
from onkocode.questions.formulations import load_formulations
from onkocode.records.arguments import as_argument
from onkocode.records.errors import InputError, first_of
from onkocode.records.files import PROJECT, located
from onkocode.study.totals import retrained
from onkocode.tasks import TASKS


class Study:
    """The configured study."""

    def __init__(self, merged: Mapping[str, Any], files: Sequence[Path], project: Path = PROJECT) -> None:
        self.config = load_config(merged, files)
        self.project = project
        self.models_of: dict[str, list[str]] = {}  # models by the key of their recipe: one, or one per seed
        self.recipes: dict[str, Recipe] = {}
        for key in self.config.models:
            found = {recipe.model: recipe for recipe in replicates(self.config, key)}
            self.models_of[key] = list(found)
            self.recipes |= found
        self.models = list(self.recipes)
        self.language_models: dict[str, ModelRecipe] = {
            model: recipe for model, recipe in self.recipes.items() if isinstance(recipe, ModelRecipe)
        }
        self.data: dict[str, Data] = {key: resolve_data(self.config, key) for key in self.config.data}
        self.test_sets = list(self.config.test_sets)
        self.sources_file = as_argument(located(self.config.catalogues.sources, project))
        self.sources = read_sources(Path(self.sources_file))
        self._check_sources()
        self._check_tables()
        for version in self._formulations():
            load_formulations(version)  # raises InputError when it is unknown

    # -- jobs -------------------------------------------------------------------------------------------------------

    @cached_property
    def data_keys(self) -> list[str]:
        """Data keys in use, in the order of the models."""
        return list(dict.fromkeys(recipe.config.data for recipe in self.recipes.values()))

    @cached_property
    def thinking_models(self) -> list[str]:
        """Models whose thinking mode is tested; it is asked about test sets only, and of the base, so of one seed."""
        return [
            model
            for model, recipe in self.language_models.items()
            if recipe.config.thinking and self.test_sets and self.base_of(model) == model
        ]

    @property
    def has_replicates(self) -> bool:
        """Tell whether a recipe is trained with several seeds."""
        return any(recipe.replicate_of is not None for recipe in self.recipes.values())

    def is_published(self, model: str) -> bool:
        """Tell whether a model is an adapter of somebody else, which is tested here, not trained."""
        return model in self.language_models and self.language_models[model].config.is_published

    def epochs(self, model: str, first: int = 1) -> list[int]:
        """Epochs of a model; 0 is the base model, and what is not trained in epochs counts as epoch 1.

        The replicates of a recipe share their base, which is tested as epoch 0 of the first one.
        """
        tests_base = self.base_of(model) == model
        return list(range(first if tests_base else max(first, 1), self.recipes[model].last_epoch + 1))

    def base_of(self, model: str) -> str | None:
        """Return the model whose epoch 0 is a model's base: itself, or the first of its replicates; None: no base."""
        if model not in self.language_models:
            return None
        return self.models_of[self.recipes[model].replicate_of or model][0]

    def checkpoints(self, first: int = 1) -> list[tuple[str, int]]:
        """All pairs of model and epoch."""
        return [(model, epoch) for model in self.models for epoch in self.epochs(model, first)]

    @cached_property
    def trained_models(self) -> list[str]:
        """Models that are trained here, epoch by epoch."""
        return [model for model, recipe in self.recipes.items() if recipe.is_trained]

    @property
    def trained_checkpoints(self) -> list[tuple[str, int]]:
        """The pairs of model and epoch that are trained here."""
        return [(model, epoch) for model in self.trained_models for epoch in self.epochs(model)]

    @cached_property
    def fitted_models(self) -> list[str]:
        """Coders that are fitted here, by one job."""
        return [model for model, recipe in self.recipes.items() if recipe.is_fitted]

    def datasets(self, condition: str = FREE) -> list[str]:
        """Data sets that are asked under a condition."""
        return [CATALOGUE, *self.test_sets] if condition in (FREE, CONSTRAINED) else self.test_sets

    @property
    def further(self) -> list[str]:
        """Further conditions that language models are asked under."""
        return list(self.config.conditions.asked) if self.language_models else []

    @property
    def conditions(self) -> list[str]:
        """`<condition>/<data set>` of all further conditions."""
        return [f"{condition}/{dataset}" for condition in self.further for dataset in self.datasets(condition)]

    @property
    def asked_further(self) -> list[tuple[str, int]]:
        """The pairs of language model and epoch that are asked under further conditions."""
        return [pair for pair in self.checkpoints(0) if self.conditions and pair[0] in self.language_models]

    @property
    def thinking_checkpoints(self) -> list[tuple[str, int]]:
        """The pairs of model and epoch whose thinking mode is tested: the base and, where asked for, the last epoch."""
        bases = [(model, 0) for model in self.thinking_models]
        if not self.config.thinking.trained:
            return bases
        trained = [(model, self.recipes[model].last_epoch) for model in self.thinking_models]
        return bases + [pair for pair in trained if pair[1] > 0]

    @property
    def bases(self) -> dict[str, str]:
        """The model whose epoch 0 is the base, by model; of language models."""
        found = {model: self.base_of(model) for model in self.models}
        return {model: base for model, base in found.items() if base is not None}

    # -- catalogues -------------------------------------------------------------------------------------------------

    def catalogues(self, dataset: str, data_key: str) -> list[str]:
        """Return `<dataset>-<version>` of a data key for each of its versions, the leading one first."""
        return [f"{dataset}-{version}" for version in self._versions(dataset, data_key)]

    def catalogue(self, dataset: str, data_key: str) -> str:
        """Return `<dataset>-<version>` of a data key's leading version."""
        return self.catalogues(dataset, data_key)[0]

    def _versions(self, dataset: str, data_key: str) -> list[str]:
        value = getattr(self.data[data_key], dataset)
        return value if isinstance(value, list) else [] if value is None else [value]

    def local_catalogue(self, dataset: str, version: str) -> list[str]:
        """Return the local file of a catalogue as a list: empty when it is to be downloaded."""
        named = self.config.catalogues.files.get(f"{dataset}-{version}")
        if named is not None:
            return [as_argument(named)]
        source = self.sources[dataset, version]
        found = find_local(source, None, self.project)
        if found is None:
            found = find_local(source, catalogue_folder(self.config.catalogues.folder))
        return [] if found is None else [as_argument(found)]

    def text_file(self, test_set: str) -> str:
        """Return the file of a test set."""
        return as_argument(located(self.config.texts[test_set].file, self.project))

    def text_codes(self, dataset: str, test_set: str) -> str:
        """Return `<dataset>-<version>` of the label space that a test set's codes follow."""
        return f"{dataset}-{getattr(self.config.texts[test_set], dataset)}"

    def label_space(self, catalogue: str, dataset: str, model: str) -> str:
        """Return `<catalogue>-<version>` of the label space that the answers of a model to a data set are judged by."""
        if dataset == CATALOGUE:
            return self.catalogue(catalogue, self.recipes[model].config.data)
        return self.text_codes(catalogue, dataset)

    def judged_by(self, catalogue: str, condition: str) -> list[str]:
        """Return the data sets whose answers are judged by a catalogue; users' texts have no codes of OPS."""
        if catalogue != "ops":
            return self.datasets(condition)
        asked = condition == FREE and any(TASKS[task].system == "ops" for task in self.config.evaluation.tasks)
        return [CATALOGUE] if asked else []

    @property
    def registries(self) -> list[str]:
        """`registries-<version>` of the list of codes that registries admit; none where none is named."""
        version = self.config.evaluation.registries
        return [] if version is None else [f"{REGISTRIES}-{version}"]

    def answered_spaces(self, model: str) -> list[str]:
        """Return `<dataset>-<version>` of the label spaces of which a coder may answer codes that no label has."""
        recipe = self.recipes[model]
        if recipe.fit is None or not takes_codes(recipe.fit):
            return []
        return [self.catalogue(dataset, recipe.config.data) for dataset in ("icd10gm", "icdo3")]

    def own_tables(self, model: str) -> list[str]:
        """Return the files of a user's tables that a coder is fitted with."""
        folders = self._table_folders(model)
        return [as_argument(file) for folder in folders for file in sorted(folder.glob("*.tsv"))]

    def _table_folders(self, model: str) -> list[Path]:
        fit = self.recipes[model].fit
        return [located(folder, self.project) for folder in table_folders(fit)] if fit else []

    def _check_tables(self) -> None:
        for model in self.fitted_models:
            for folder in self._table_folders(model):
                from onkocode.language.saved import (
                    read_sound,
                )  # only here: every job of the workflow imports this module

                try:
                    read_sound(folder)
                except InputError as error:
                    raise InputError(f"recipes.{model}: tables: {error}") from None

    def _formulations(self) -> set[str]:
        data, texts = self.data, self.config.texts
        return {data[key].formulations for key in self.data_keys} | {texts[key].formulations for key in self.test_sets}

    def _check_sources(self) -> None:
        tiny = [self.config.tiny_models[built].data for built in map(self.built, self.models) if built is not None]
        keys = [*self.data_keys, *tiny]
        used = [(d, v) for key in keys for d in (*DATASETS, "crosswalk") for v in self._versions(d, key)]
        used += [(d, getattr(self.config.texts[key], d)) for key in self.test_sets for d in ("icd10gm", "icdo3")]
        listed = self.config.evaluation.registries
        used += [] if listed is None else [(REGISTRIES, listed)]
        problems = []
        files = self.config.catalogues.files
        for key in files:
            if key.partition("-")[0] not in (*DATASETS, "crosswalk", "transitions", REGISTRIES) or "-" not in key:
                problems.append(f"catalogues.files: {key!r} is not of the form <dataset>-<version>, e.g. alphaid-2024")
        for dataset, version in dict.fromkeys(used):
            if (dataset, version) not in self.sources and f"{dataset}-{version}" not in files:
                known = ", ".join(v for d, v in self.sources if d == dataset) or "none"
                problems.append(f"no row for {dataset} {version} (known versions: {known}); add one")
        if problems:
            raise InputError(f"{self.config.catalogues.sources}: the configuration needs more:\n{first_of(problems)}")

    # -- what jobs read -----------------------------------------------------------------------------------------------

    def tiny_formulations(self, built: str) -> str:
        """Version of the formulations that shape a tiny model's vocabulary."""
        return self.data[self.config.tiny_models[built].data].formulations

    def warnings(self, environment: Mapping[str, str]) -> list[str]:
        """Return what a person should know before a long run starts, and what to do."""
        found = [
            f"texts.{key}.columns names no cluster: each text counts as a patient of its own, and where patients have "
            "several, intervals are too narrow"
            for key in self.test_sets
            if self.config.texts[key].columns.cluster is None
        ]
        if self.config.tracking.mode == "online" and not environment.get("WANDB_API_KEY"):
            found.append("tracking.mode is online but WANDB_API_KEY is not set: runs are written offline")
        return found + self.retrained(Path(self.config.pathvars.get("results", "results")))

    def retrained(self, results: Path) -> list[str]:
        """Return what changed numbers of epochs train again of what lies in a directory of results."""
        found = [retrained(self.language_models[m], results / "training" / m) for m in self.trained_models]
        return [text for text in found if text is not None]

    def built(self, model: str) -> str | None:
        """Return the key of the tiny model that is a recipe's base, if it is one."""
        recipe = self.language_models.get(model)
        base = recipe and recipe.config.base
        return base.built if isinstance(base, BuiltBase) else None

    def local_adapter(self, model: str) -> list[str]:
        """Return what a published adapter in a local directory is fetched from, so that a change is seen; else none."""
        adapter = self.language_models[model].config.adapter
        if not isinstance(adapter, LocalAdapter):
            return []
        weights = adapter.path / ADAPTER_WEIGHTS
        return [as_argument(weights if weights.is_file() else adapter.path)]
