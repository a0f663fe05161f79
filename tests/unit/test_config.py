import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from onkocode.config import Config, load_config, load_config_files, resolve_model, resolve_recipe
from onkocode.config import coders as coders_module
from onkocode.config import data as data_module
from onkocode.config import models as models_module
from onkocode.config import schema as schema_module
from onkocode.config import training as training_module
from onkocode.config.base import Section
from onkocode.config.resolve import builtin_presets
from onkocode.records.errors import InputError
from onkocode.steps.configuration import schema_text

TINY = ["tiny-qwen3-s", "tiny-qwen3-m", "tiny-llama"]
GOOD = """\
models: [a]
test_sets: [t]
recipes:
  a:
    label: A
    family: F
    base: {hub: org/name}
    data: d
  b: {label: B, family: F, base: {built: s}, data: d}
data:
  d: {alphaid: "2024", icd10gm: "2024", icdo3: "2019", ops: "2024"}
texts:
  t: {file: t.csv, icd10gm: "2024", icdo3: "2019"}
tiny_models:
  s: {architecture: llama, data: d}
"""


def write(folder: Path, text: str, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def complaints(folder: Path, text: str) -> list[str]:
    """Return the lines of the message, each beginning with a line number after the file's path was taken off."""
    with pytest.raises(InputError) as caught:
        load_config_files([write(folder, text)])
    first, *lines = str(caught.value).replace(f"{folder / 'config.yaml'}:", "").splitlines()
    assert first == "the configuration has mistakes:"
    return [line.strip() for line in lines]


# -- what is shipped --


def test_the_papers_configuration_is_sound(root: Path) -> None:
    config = load_config_files([root / "config/config.yaml"])
    assert len([model for model in config.models if resolve_recipe(config, model).is_trained]) == 8
    assert config.models[8:] == ["majority-code", "nearest-label", "lexicon", "classifier", "fusion"]
    assert set(config.models) == set(config.recipes)


def test_the_quickstart_runs_only_its_own_models_and_texts(quickstart: Config, root: Path) -> None:
    own = yaml.safe_load((root / "config/quickstart.yaml").read_text(encoding="utf-8"))
    fitted = ["majority-code", "nearest-label", "nearest-normal-form", "lexicon"]
    assert quickstart.models == own["models"] == [*TINY, *fitted]
    assert quickstart.test_sets == ["example"]
    assert quickstart.texts["example"].icd10gm == "example"
    assert len(quickstart.recipes) == 8 + 3 + 4 + 2  # the paper's are there, and classifier and fusion, but not run


def test_the_shipped_schema_is_that_of_the_code(root: Path) -> None:
    assert (root / "workflow/schemas/config.schema.json").read_text(encoding="utf-8") == schema_text()


def sections() -> list[type[BaseModel]]:
    modules = (schema_module, training_module, models_module, coders_module)
    found = [item for module in modules for item in vars(module).values() if isinstance(item, type)]
    return [item for item in dict.fromkeys(found) if issubclass(item, Section) and item is not Section]


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.__name__)
def test_every_field_has_a_description(section: type[BaseModel]) -> None:
    assert [name for name, field in section.model_fields.items() if not field.description] == []


def test_the_schema_describes_the_keys_of_a_change() -> None:
    keys = json.loads(schema_text())["$defs"]["TrainingChange"]["properties"]
    assert keys["learning_rate"]["description"] == "Peak learning rate."


@pytest.mark.parametrize(
    ("whole", "change", "without"),
    [
        (training_module.Training, training_module.TrainingChange, set()),
        (training_module.Testing, training_module.TestingChange, set()),
        (data_module.Data, data_module.DataChange, set(data_module.OF_A_DATA_KEY)),
    ],
)
def test_a_change_has_all_keys_and_sets_none(
    whole: type[BaseModel], change: type[BaseModel], without: set[str]
) -> None:
    assert without < set(whole.model_fields)
    assert list(change.model_fields) == [name for name in whole.model_fields if name not in without]
    assert change().model_dump(exclude_none=True) == {}
    assert change.__doc__
    assert "null = not set here" in change.__doc__


@pytest.mark.parametrize(
    ("change", "values"),
    [
        (training_module.TrainingChange, {"learning_rate": 0}),
        (training_module.TrainingChange, {"lora_dropout": 1}),
        (training_module.TrainingChange, {"recovery": [{"gpus": 0}]}),
        (training_module.TestingChange, {"precision": "fp64"}),
        (data_module.DataChange, {"ops_classes": []}),
        (data_module.DataChange, {"seed": 1}),
    ],
)
def test_a_change_has_the_constraints_of_the_whole(change: type[BaseModel], values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        change.model_validate(values)


# -- the paper's values --


def test_paper_preset_has_the_papers_values() -> None:
    training = builtin_presets()["paper"].training.model_dump(exclude_unset=True)
    assert training == {
        "epochs": 5,
        "lora_rank": 8,
        "lora_alpha": 16,
        "lora_dropout": 0.1,
        "target_modules": None,
        "learning_rate": 5e-5,
        "weight_decay": 0.01,
        "batch_size": 6,
        "gradient_accumulation": 1,
        "schedule": "linear",
        "warmup_share": 0.0,
        "max_grad_norm": 1.0,
        "precision": "bf16",
        "loss": "full",
        "system_prompt": None,
        "group_by_length": False,
    }


@pytest.mark.parametrize(
    ("model", "hub", "parameters", "training", "testing", "gpus", "batch_size"),
    [
        ("qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct-1M", 7.61e9, "none", "none", (1, 1), 6),
        ("llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct", 8.03e9, "none", "none", (1, 1), 6),
        ("qwen3-8b", "Qwen/Qwen3-8B", 8.19e9, "none", "none", (1, 1), 6),
        ("mistral-nemo", "mistralai/Mistral-Nemo-Instruct-2407", 12.2e9, "none", "8bit", (2, 1), 6),
        ("qwen3-14b", "Qwen/Qwen3-14B", 14.8e9, "8bit", "8bit", (1, 1), 2),
        ("qwen3-32b", "Qwen/Qwen3-32B", 32.8e9, "8bit", "8bit", (2, 1), 6),
        ("mixtral-8x7b", "mistralai/Mixtral-8x7B-Instruct-v0.1", 46.7e9, "4bit", "4bit", (2, 2), 6),
        ("llama-3.3-70b", "meta-llama/Llama-3.3-70B-Instruct", 70.6e9, "4bit", "4bit", (2, 2), 4),
    ],
)
def test_recipes_are_those_of_table_3(
    root: Path, model: str, hub: str, parameters: float, training: str, testing: str, gpus: Any, batch_size: int
) -> None:
    recipe = resolve_model(load_config_files([root / "config/config.yaml"]), model)
    resources = recipe.config.resources
    assert recipe.config.base.model_dump() == {"hub": hub, "revision": "main"}
    assert recipe.config.parameters == parameters
    assert (recipe.training.quantisation, recipe.testing.quantisation) == (training, testing)
    assert (resources.gpus_training, resources.gpus_testing) == gpus
    assert recipe.training.batch_size == batch_size
    assert recipe.training.learning_rate == (1e-5 if model == "qwen3-32b" else 5e-5)
    assert recipe.config.thinking == model.startswith("qwen3")


# -- precedence --


def test_field_default_then_preset_then_recipe(tmp_path: Path) -> None:
    text = GOOD + (
        "presets:\n"
        "  mine:\n"
        "    training: {batch_size: 3, epochs: 2, learning_rate: 0.1, target_modules: all-linear}\n"
        "    testing: {batch_size: 7, max_new_tokens: 9}\n"
    )
    changes = (
        "    preset: mine\n"
        "    training: {epochs: 4, learning_rate: null, target_modules: null}\n"
        "    testing: {batch_size: 8}\n"
    )
    text = text.replace("    data: d\n  b:", f"    data: d\n{changes}  b:")
    recipe = resolve_model(load_config_files([write(tmp_path, text)]), "a")
    training = recipe.training
    assert training.weight_decay == 0.01  # field default
    assert training.batch_size == 3  # preset
    assert training.epochs == 4  # recipe
    assert training.learning_rate == 0.1  # null in a recipe = not set
    assert training.target_modules is None  # null is a value of its own here
    assert (recipe.testing.batch_size, recipe.testing.max_new_tokens, recipe.testing.precision) == (8, 9, "bf16")


def test_a_later_file_merges_mappings_and_replaces_lists(tmp_path: Path) -> None:
    later = "models: [b]\nrecipes:\n  b: {label: Other}\n"
    config = load_config_files([write(tmp_path, GOOD), write(tmp_path, later, "later.yaml")])
    assert config.models == ["b"]
    assert (config.recipes["b"].label, config.recipes["b"].family) == ("Other", "F")
    assert config.recipes["a"].label == "A"


# -- mistakes --


def test_the_pattern_of_these_tests_is_sound(tmp_path: Path) -> None:
    assert load_config_files([write(tmp_path, GOOD)]).models == ["a"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "data: d\n  b",
            "data: d\n    presett: paper\n  b",
            "9: recipes.a.presett: unknown key; did you mean 'preset'?",
        ),
        (
            "data: d\n  b",
            "data: d\n    training: {lora_rnk: 3}\n  b",
            "9: recipes.a.training.lora_rnk: unknown key; did you mean 'lora_rank'?",
        ),
        ("test_sets: [t]", "testsets: [t]", "2: testsets: unknown key; did you mean 'test_sets'?"),
        ("test_sets: [t]", "quux: 3", "2: quux: unknown key; remove it"),
        (
            "{hub: org/name}",
            "{hub: org/name, revison: x}",
            "7: recipes.a.base.revison: unknown key; did you mean 'revision'?",
        ),
        (
            "{hub: org/name}",
            "{hub: org/name, path: x}",
            "7: recipes.a.base: must hold exactly one of hub, path and built",
        ),
        ("{hub: org/name}", "{hubb: org/name}", "7: recipes.a.base: must hold exactly one of hub, path and built"),
        (
            "{hub: org/name}",
            "{hub: name}",
            r"7: recipes.a.base.hub: String should match pattern '^[\w.-]+/[\w.-]+$' (is 'name')",
        ),
        ("models: [a]", "models: [a, a]", "1: models: 'a' stands 2 times; each name once"),
        ("test_sets: [t]", "test_sets: [t, t]", "2: test_sets: 't' stands 2 times; each name once"),
        ("models: [a]", "models: []", "1: models: List should have at least 1 item after validation, not 0"),
        ("models: [a]", "models: [aa]", "1: models: 'aa' is not a key of `recipes`; did you mean 'a'?"),
        ("models: [a]", "models: [xyz]", "1: models: 'xyz' is not a key of `recipes` (known: a, b)"),
        ("test_sets: [t]", "test_sets: [mine]", "2: test_sets: 'mine' is not a key of `texts` (known: t)"),
        ("data: d\n  b", "data: dd\n  b", "8: recipes.a.data: 'dd' is not a key of `data`; did you mean 'd'?"),
        (
            "data: d\n  b",
            "data: d\n    preset: papr\n  b",
            "9: recipes.a.preset: 'papr' is not a key of `presets`; did you mean 'paper'?",
        ),
        ("built: s", "built: x", "9: recipes.b.base: 'x' is not a key of `tiny_models` (known: s)"),
        ("llama, data: d", "llama, data: x", "15: tiny_models.s.data: 'x' is not a key of `data` (known: d)"),
        (
            "llama, data: d",
            "llama, data: d, hidden_size: 100",
            "15: tiny_models.s.hidden_size: must be a multiple of twice the heads (8)",
        ),
        (
            "data: d\n  b",
            "data: d\n    training: {epochs: -1}\n  b",
            "9: recipes.a.training.epochs: Input should be greater than or equal to 0 (is -1)",
        ),
        (
            'alphaid: "2024"',
            "alphaid: ../2024",
            "11: data.d.alphaid: String should match pattern '^[A-Za-z0-9_.]+$' (is '../2024')",
        ),
        ('alphaid: "2024"', "alphaid: 2024", "11: data.d.alphaid: must be text: put it in quotes, '2024'"),
        ('alphaid: "2024", ', "", "11: data.d.alphaid: required key is missing"),
        ("models: [a]\n", "", "models: required key is missing"),
        ("label: B,", "label: A,", None),
        ("models: [a]\n", "models: [a, b]\nevaluation: {bootstrap: 1}\n", None),
        ("  b: {label: B", "  a: {label: B", "9: recipes.a: stands twice (first in line 4); rename or remove one"),
        (
            "file: t.csv,",
            "file: t.csv, columns: {text: id},",
            "13: texts.t.columns: the columns text, icd10, topography, morphology, id and cluster must be different",
        ),
        (
            "tiny_models:",
            "presets:\n  paper: {}\ntiny_models:",
            "15: presets.paper: redefines a built-in preset; choose another name",
        ),
        (
            "  b: {label: B",
            "  B: {label: B",
            "9: recipes.B.[key]: String should match pattern '^[a-z0-9][a-z0-9._-]*$' (is 'B')",
        ),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(tmp_path: Path, old: str, new: str, complaint: str | None) -> None:
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    if complaint is None:
        load_config_files([write(tmp_path, text)])
    else:
        assert complaints(tmp_path, text) == [complaint]


OWN = "data: d\n    preset: recommended\n    "


@pytest.mark.parametrize(
    ("added", "mistakes"),
    [
        ("seeds: [3, 1, 2]", []),
        ("training: {learning_rate: 1.0e-7, recovery: [{learning_rate_factor: 1}, {learning_rate: 1.0e-8}]}", []),
        ("training: {learning_rate: 1.0e-7, processes: 2}", []),  # the preset's recovery is in shares of the rate
        ("training: {processes: 2}\n    resources: {gpus_training: 2}", []),
        ("training: {max_grad_norm: 0.0}", []),
        ("seeds: [1, 2, 1]", ["10: recipes.a.seeds: 1 stands 2 times; each seed once"]),
        ("seeds: [-1]", ["10: recipes.a.seeds.0: Input should be greater than or equal to 0 (is -1)"]),
        ("seeds: [4294967296]", ["10: recipes.a.seeds.0: Input should be less than 4294967296 (is 4294967296)"]),
        ("seeds: []", ["10: recipes.a.seeds: List should have at least 1 item after validation, not 0"]),
        (
            "seeds: [1]\n    training: {seed: 4}",
            ["11: recipes.a.training.seed: stands beside seeds, which give the seeds of training; remove one"],
        ),
        (
            "seeds: [1]\n    training: {epochs: 0}",
            ["10: recipes.a.seeds: means nothing to a model that is not trained here; remove it"],
        ),
        (
            "seeds: [0]\n  a.s0: {label: C, family: F, base: {built: s}, data: d}",
            ["10: recipes.a.seeds: seed 0 makes the key a.s0, which is a recipe already; rename one"],
        ),
        (
            "training: {recovery: [{}, {learning_rate: 1.0e-3}]}",
            ["10: recipes.a.training.recovery.1: the learning rate 0.001 is above that before it, 0.0002; lower it"],
        ),
        (
            "training: {recovery: [{learning_rate_factor: 0.2}, {learning_rate_factor: 0.5}]}",
            ["10: recipes.a.training.recovery.1: the learning rate 0.0001 is above that before it, 4e-05; lower it"],
        ),
        (
            "training: {max_grad_norm: 0.1, recovery: [{max_grad_norm: 0.3}]}",
            ["10: recipes.a.training.recovery.0: max_grad_norm 0.3 is looser than that before it, 0.1; lower it"],
        ),
        ("training: {max_grad_norm: 0.1}", []),  # the preset's policy is looser, and has no effect then
        ("kind: published-adapter\n    adapter: {path: x}\n    resources: {gpus_training: 3}", []),
        (
            "training: {recovery: [{learning_rate: 1.0e-9, learning_rate_factor: 0.1}]}",
            ["10: recipes.a.training.recovery.0: set learning_rate or learning_rate_factor, not both"],
        ),
        (
            "training: {recovery: [{learning_rate_factor: 2}]}",
            ["10: recipes.a.training.recovery.0.learning_rate_factor: Input should be less than or equal to 1 (is 2)"],
        ),
        (
            "training: {processes: 2}\n    resources: {gpus_training: 1}",
            [
                "11: recipes.a.resources.gpus_training: is 1, but 2 data-parallel processes take a GPU each; set it to "
                "2, or to 0 for the processor"
            ],
        ),
        (
            "training: {processes: 2, recovery: [{gpus: 4}]}",
            ["10: recipes.a.training.recovery.0.gpus: is 4, but 2 data-parallel processes take a GPU each; remove it"],
        ),
    ],
)
def test_values_that_contradict_each_other(tmp_path: Path, added: str, mistakes: list[str]) -> None:
    text = GOOD.replace("data: d\n  b", f"{OWN}{added}\n  b")
    if mistakes:
        assert complaints(tmp_path, text) == mistakes
    else:
        load_config_files([write(tmp_path, text)])


FITTED = "  {key}: {{kind: {kind}, label: C, family: F, data: d{more}}}\n"
KINDS = ", ".join(coders_module.KINDS)
OF_OTHERS = "means nothing to this kind of coder, only to nearest-label, classifier; remove it, or set another kind"


@pytest.mark.parametrize("key", ["c", "llm", "nearest-label", "data"])  # keys that are words of the schema too
@pytest.mark.parametrize(
    ("kind", "more", "mistakes"),
    [
        ("majority-code", "", []),
        ("majority-code", ", candidates: 3, resources: {memory_mb: 9}", []),
        ("nearest-label", ", ngrams: [3, 3]", []),
        ("nearest-label", ", ngram: [3, 3]", ["ngram: unknown key; did you mean 'ngrams'?"]),
        ("nearest-label", ", resources: {memory: 9}", ["resources.memory: unknown key; did you mean 'memory_mb'?"]),
        ("nearest-label", ", quux: 1", ["quux: unknown key; remove it"]),
        (
            "majority-code",
            ", ngrams: [2, 3], base: {hub: a/b}",
            [
                f"ngrams: {OF_OTHERS}",
                "base: means nothing to this kind of coder, only to llm, published-adapter; remove it, or set another "
                "kind",
            ],
        ),
        ("nearest-label", ", ngrams: [3, 2]", ["ngrams: the shortest must not be longer than the longest"]),
        ("nearest-label", ", ngrams: [3]", ["ngrams: List should have at least 2 items after validation, not 1"]),
        ("nearest-label", ", ngrams: [0, 2]", ["ngrams.0: Input should be greater than or equal to 1 (is 0)"]),
        ("lexicon", ", tables: my/tables", []),
        ("lexicon", ", normalise: true", [f"normalise: {OF_OTHERS}"]),
        (
            "classifier",
            ", tables: a",
            ["tables: means nothing to a coder that compares texts as they are written; remove it (is 'a')"],
        ),
        (
            "fusion",
            ", members: [{kind: lexicon}]",
            ["members: List should have at least 2 items after validation, not 1"],
        ),
        (
            "fusion",
            ", members: [{kind: lexicon}, {kind: nearest-label, ngram: [2, 3]}]",
            ["members.1.ngram: unknown key; did you mean 'ngrams'?"],
        ),
        (
            "fusion",
            ", members: [{kind: lexicon}, {kind: llm}]",
            ["members.1: kind must be one of majority-code, nearest-label, lexicon, classifier"],
        ),
        ("majority-code", ", candidates: 0", ["candidates: Input should be greater than or equal to 1 (is 0)"]),
        ("majority-kode", "", [f"kind: must be one of {KINDS} (is 'majority-kode'); did you mean 'majority-code'?"]),
        ("null", "", [f"kind: must be one of {KINDS} (is None)"]),
        ("[llm]", "", [f"kind: must be one of {KINDS} (is ['llm']); did you mean 'llm'?"]),
    ],
)
def test_mistakes_of_a_recipe_of_every_kind(
    tmp_path: Path, key: str, kind: str, more: str, mistakes: list[str]
) -> None:
    text = GOOD.replace("data:\n", FITTED.format(key=key, kind=kind, more=more) + "data:\n", 1)
    if mistakes:
        assert complaints(tmp_path, text) == [f"10: recipes.{key}.{mistake}" for mistake in mistakes]
    else:
        recipe = resolve_recipe(load_config_files([write(tmp_path, text)]), key)
        assert (recipe.is_fitted, recipe.is_trained, recipe.last_epoch) == (True, False, 1)


def test_data_of_a_fitted_coder_is_a_reference(tmp_path: Path) -> None:
    text = GOOD.replace(
        "data:\n", FITTED.format(key="c", kind="majority-code", more="").replace("d}", "dd}") + "data:\n", 1
    )
    assert complaints(tmp_path, text) == ["10: recipes.c.data: 'dd' is not a key of `data`; did you mean 'd'?"]


def test_a_recipe_that_holds_no_keys_is_named(tmp_path: Path) -> None:
    text = GOOD.replace("data:\n", "  c: 3\ndata:\n", 1)
    assert complaints(tmp_path, text) == ["10: recipes.c: must be a mapping of keys"]


def test_keys_of_another_kind_are_told_of_a_language_model(tmp_path: Path) -> None:
    text = GOOD.replace("    data: d\n  b", "    data: d\n    candidates: 3\n  b")
    fitted = ", ".join(kind for kind in coders_module.KINDS if coders_module.fit_settings(kind))
    assert complaints(tmp_path, text) == [
        f"9: recipes.a.candidates: means nothing to this kind of coder, only to {fitted}; remove it, or set another "
        "kind"
    ]


def test_seeds_of_a_recipe_that_its_preset_does_not_train(tmp_path: Path) -> None:
    text = GOOD.replace("data: d\n  b", "data: d\n    preset: still\n    seeds: [0, 1]\n  b")
    text += "presets: {still: {training: {epochs: 0, processes: 4}}}\n"
    assert complaints(tmp_path, text) == [
        "10: recipes.a.seeds: means nothing to a model that is not trained here; remove it"
    ]


def test_equal_labels_of_models_that_run_are_refused(tmp_path: Path) -> None:
    text = GOOD.replace("models: [a]", "models: [a, b]").replace("label: B", "label: A")
    assert complaints(tmp_path, text) == ["9: recipes.b.label: 'A' is the label of a too; figures need distinct labels"]


@pytest.mark.parametrize("name", ["catalogue", "metrics"])
def test_reserved_names_are_refused(tmp_path: Path, name: str) -> None:
    text = GOOD.replace("test_sets: [t]", f"test_sets: [{name}]").replace("  t: {", f"  {name}: {{")
    assert complaints(tmp_path, text) == [f"2: test_sets: {name!r} is a reserved name; choose another"]


def test_all_mistakes_at_once_of_all_kinds(tmp_path: Path) -> None:
    text = GOOD.replace("models: [a]", "models: [a, c]").replace("family: F\n", "family: F\n    colour: red\n")
    text = text.replace("    data: d\n", "    data: x\n    training: {epochs: -1}\n")
    assert complaints(tmp_path, text) == [
        "10: recipes.a.training.epochs: Input should be greater than or equal to 0 (is -1)",
        "7: recipes.a.colour: unknown key; remove it",
        "1: models: 'c' is not a key of `recipes` (known: a, b)",
        "9: recipes.a.data: 'x' is not a key of `data` (known: d)",
    ]


def test_of_two_files_the_one_that_won_is_named(tmp_path: Path) -> None:
    files = [write(tmp_path, GOOD), write(tmp_path, "\nrecipes:\n  b: {datta: x}\n", "later.yaml")]
    with pytest.raises(InputError, match=r"later\.yaml:3: recipes\.b\.datta: unknown key; did you mean 'data'\?"):
        load_config_files(files)


def test_of_two_files_the_one_that_holds_the_key_is_named(tmp_path: Path) -> None:
    first = GOOD.replace("data: d\n  b", "data: d\n    training: {epochs: -1}\n  b")
    files = [write(tmp_path, first), write(tmp_path, "recipes:\n  a: {label: Other}\n", "later.yaml")]
    with pytest.raises(InputError, match=r"config\.yaml:9: recipes\.a\.training\.epochs"):
        load_config_files(files)


def test_without_files_the_key_is_named() -> None:
    merged = yaml.safe_load(GOOD) | {"models": ["z"]}
    with pytest.raises(InputError, match=r"\n  models: 'z' is not a key of `recipes`"):
        load_config(merged)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such configuration file"),
        (b"", "must hold a mapping of keys"),
        (b"- a\n- b\n", "must hold a mapping of keys"),
        (b"models: [a\n", r"not valid YAML in UTF-8: (.|\n)*line 2"),
        ("label: Größe".encode("latin-1"), "not valid YAML in UTF-8"),
        (b"a: !!python/object/apply:os.system [true]\n", "not valid YAML in UTF-8"),
    ],
)
def test_unreadable_files_are_one_input_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_config_files([path])
    assert str(caught.value).startswith(str(path))
