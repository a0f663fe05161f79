"""Checks of a whole configuration: references between keys, and values that contradict each other."""

import difflib
from collections.abc import Iterator, Mapping, Sequence

from onkocode.config.base import CATALOGUE
from onkocode.config.models import BuiltBase
from onkocode.config.recipes import LanguageModelConfig
from onkocode.config.resolve import (
    ModelRecipe,
    builtin_presets,
    presets,
    replicate_key,
    replicates,
    resolve_data,
    resolve_model,
)
from onkocode.config.schema import Config

KeyPath = tuple[str | int, ...]


def cross_check(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Yield what single fields cannot know: references between keys, and names given twice."""
    yield from _references(("models",), config.models, config.recipes, "recipes")
    yield from _references(("test_sets",), config.test_sets, config.texts, "texts")
    for section, names, reserved in (
        ("models", config.models, {CATALOGUE}),
        ("test_sets", config.test_sets, {CATALOGUE, "metrics"}),  # the results of a test set lie beside metrics.parquet
    ):
        for name in sorted(reserved & set(names)):
            yield (section,), f"{name!r} is a reserved name; choose another"
    for name in sorted(set(config.presets) & set(builtin_presets())):
        yield ("presets", name), "redefines a built-in preset; choose another name"
    for name, folder in config.pathvars.items():
        if set(folder) & set("{}\n") or not folder.strip():
            yield ("pathvars", name), "must be the name of a folder without braces and line breaks; choose another"
    for key, data in config.data.items():
        yield from _references(("data", key, "preset"), [data.preset], presets(config), "presets")
        if data.preset in presets(config):
            resolved = resolve_data(config, key)
            needing = [name for name in ("topography_from_alphaid", "links") if getattr(resolved, name)]
            if needing and resolved.crosswalk is None:
                yield ("data", key), f"{needing[0]} needs the key crosswalk (a version of the ICD-O-3 to ICD-10 rules)"
    for key, recipe in config.recipes.items():
        yield from _references(("recipes", key, "data"), [recipe.data], config.data, "data")
        if isinstance(recipe, LanguageModelConfig):
            yield from _check_language_model(config, key, recipe)
    for key, tiny in config.tiny_models.items():
        yield from _references(("tiny_models", key, "data"), [tiny.data], config.data, "data")
        if tiny.hidden_size % (2 * tiny.heads):
            yield ("tiny_models", key, "hidden_size"), f"must be a multiple of twice the heads ({2 * tiny.heads})"
    labels: dict[str, str] = {}
    for key in dict.fromkeys(config.models):
        for replicate in replicates(config, key) if key in config.recipes and _complete(config, key) else []:
            label = replicate.config.label
            if label in labels:
                yield (
                    ("recipes", key, "label"),
                    f"{label!r} is the label of {labels[label]} too; figures need distinct labels",
                )
            labels.setdefault(label, replicate.model)


def _check_language_model(config: Config, key: str, recipe: LanguageModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """Yield what is wrong with a language model's recipe."""
    yield from _references(("recipes", key, "preset"), [recipe.preset], presets(config), "presets")
    if isinstance(recipe.base, BuiltBase):
        yield from _references(("recipes", key, "base"), [recipe.base.built], config.tiny_models, "tiny_models")
    yield from _check_adapter(key, recipe)
    resolved = resolve_model(config, key) if _complete(config, key) else None
    yield from _check_seeds(config, key, recipe, resolved)
    if resolved is not None and resolved.is_trained:
        yield from _check_recovery(resolved)
        yield from _check_processes(resolved)


def _check_adapter(key: str, recipe: LanguageModelConfig) -> Iterator[tuple[KeyPath, str]]:
    """Yield where a recipe's kind and its adapter contradict each other, and what means nothing to an adapter."""
    path = ("recipes", key)
    if not recipe.is_published:
        if recipe.adapter is not None:
            yield (
                (*path, "kind"),
                "must be published-adapter for a recipe with an adapter; set it, or remove the adapter",
            )
        return
    if recipe.adapter is None:
        yield (*path, "adapter"), "is needed by kind: published-adapter; give hub or path"
    for name in sorted(recipe.training.model_fields_set - {"system_prompt"}):
        yield (*path, "training", name), "means nothing to a published adapter, which is not trained here; remove it"


def _check_seeds(
    config: Config, key: str, recipe: LanguageModelConfig, resolved: ModelRecipe | None
) -> Iterator[tuple[KeyPath, str]]:
    """Yield what is wrong with a recipe's seeds; it is resolved where its preset exists."""
    path = ("recipes", key, "seeds")
    if recipe.seeds is None:
        return
    if resolved is not None and not resolved.is_trained:
        yield path, "means nothing to a model that is not trained here; remove it"
    if recipe.training.seed is not None:
        yield ("recipes", key, "training", "seed"), "stands beside seeds, which give the seeds of training; remove one"
    for seed in sorted(set(recipe.seeds)):
        if recipe.seeds.count(seed) > 1:
            yield path, f"{seed} stands {recipe.seeds.count(seed)} times; each seed once"
        if replicate_key(key, seed) in config.recipes:
            yield path, f"seed {seed} makes the key {replicate_key(key, seed)}, which is a recipe already; rename one"


def _check_recovery(recipe: ModelRecipe) -> Iterator[tuple[KeyPath, str]]:
    """Yield the entries of a recipe's own recovery policy that would make a run bolder: rate up, or clipping looser."""
    if recipe.config.training.recovery is None:
        return  # a preset's policy, which fits some recipes better than others
    rate, norm = recipe.training.learning_rate, recipe.training.max_grad_norm
    for number, step in enumerate(recipe.training.recovery):
        path = ("recipes", recipe.model, "training", "recovery", number)
        new = step.peak_rate(recipe.training.learning_rate)
        if new is not None and new > rate:
            yield path, f"the learning rate {new:g} is above that before it, {rate:g}; lower it"
        if step.max_grad_norm is not None and 0 < norm < step.max_grad_norm:
            yield path, f"max_grad_norm {step.max_grad_norm:g} is looser than that before it, {norm:g}; lower it"
        rate, norm = new or rate, step.max_grad_norm or norm


def _check_processes(recipe: ModelRecipe) -> Iterator[tuple[KeyPath, str]]:
    """Yield numbers of processes and GPUs that do not go together."""
    processes, gpus = recipe.training.processes, recipe.config.resources.gpus_training
    if processes > 1 and gpus not in (0, processes):
        yield (
            ("recipes", recipe.model, "resources", "gpus_training"),
            f"is {gpus}, but {processes} data-parallel processes take a GPU each; set it to {processes}, or to 0 for "
            "the processor",
        )
    for number, step in enumerate(recipe.training.recovery):
        if processes > 1 and step.gpus not in (None, processes):
            yield (
                ("recipes", recipe.model, "training", "recovery", number, "gpus"),
                f"is {step.gpus}, but {processes} data-parallel processes take a GPU each; remove it",
            )


def _complete(config: Config, key: str) -> bool:
    """Tell whether a recipe can be resolved: it has no preset, or one that exists."""
    recipe = config.recipes[key]
    return not isinstance(recipe, LanguageModelConfig) or recipe.preset in presets(config)


def _references(
    path: KeyPath, names: Sequence[str], known: Mapping[str, object], section: str
) -> Iterator[tuple[KeyPath, str]]:
    for name in dict.fromkeys(names):
        if name not in known:
            yield path, f"{name!r} is not a key of `{section}`{_suggest(name, known)}"
        if names.count(name) > 1:
            yield path, f"{name!r} stands {names.count(name)} times; each name once"


def _suggest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f" (known: {', '.join(known) or 'none'})"
