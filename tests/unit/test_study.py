import copy
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from onkocode.config import data, models, recipes, schema, training
from onkocode.config.loading import merge
from onkocode.records.endings import Cause, Ending
from onkocode.records.errors import InputError
from onkocode.study import Study, requests, slices

FILES = [Path("config/config.yaml"), Path("config/quickstart.yaml")]

pytestmark = pytest.mark.usefixtures("in_root")


@pytest.fixture(scope="module")
def merged(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in FILES:
        merge(found, yaml.safe_load((root / file).read_text(encoding="utf-8")))
    return found


def changed(merged: dict[str, Any], path: str, value: object) -> Study:
    """Return the study of a configuration in which the key at a path has another value."""
    other = copy.deepcopy(merged)
    section = other
    *parents, last = path.split("/")
    for part in parents:
        section = section.setdefault(part, {})
    assert section.get(last) != value
    section[last] = value
    return Study(other, [])


def all_slices(study: Study, model: str = "tiny-qwen3-s") -> dict[str, str]:
    return {
        "data": slices.data(study, "example"),
        "columns": slices.columns(study, "example"),
        "tiny": slices.tiny_model(study, "qwen3-s"),
        "base": slices.base(study, model),
        "description": slices.description(study, model),
        "training": slices.training(study, model),
        "testing": slices.testing(study, model),
        "thinking": slices.thinking(study, model),
        "tracking": slices.option(study, "tracking"),
        "consent": slices.option(study, "consent"),
        "asked": slices.asked(study),
    }


RECIPE = "recipes/tiny-qwen3-s"


@pytest.mark.parametrize(
    ("path", "value", "concerned"),
    [
        (f"{RECIPE}/training/batch_size", 3, {"training"}),
        (f"{RECIPE}/training/system_prompt", "Kurz.", {"training", "testing", "thinking"}),
        (f"{RECIPE}/testing/batch_size", 3, {"testing", "thinking"}),
        (f"{RECIPE}/testing/quantisation", "none", {"testing", "thinking", "description"}),
        (f"{RECIPE}/training/quantisation", "4bit", {"training", "description"}),
        (f"{RECIPE}/label", "Other", {"description"}),
        (f"{RECIPE}/resources/memory_mb", 9000, set()),
        (f"{RECIPE}/resources/gpus_training", 1, {"description"}),
        (f"{RECIPE}/base", {"built": "qwen3-m"}, {"base", "description"}),
        ("recipes/tiny-llama/training/epochs", 7, set()),
        ("evaluation/bootstrap", 7, set()),
        ("evaluation/paper_ceilings", True, set()),
        ("evaluation/valid_floor", 0.5, set()),
        ("evaluation/entries", 7, {"testing"}),
        ("evaluation/tasks", ["icd10"], {"testing", "asked"}),
        ("thinking/tasks", ["icd10"], {"thinking", "asked"}),
        ("thinking/top_k", 7, {"thinking"}),
        ("tracking/project", "other", {"tracking"}),
        ("catalogues/accept_terms", True, {"consent"}),
        ("data/example/seed", 7, {"data"}),
        ("texts/example/columns/id", "nr", {"columns"}),
        ("texts/example/columns/morphology", "morphology", {"columns"}),
        ("tiny_models/qwen3-s/steps", 7, {"tiny"}),
    ],
)
def test_a_change_concerns_only_the_slices_that_depend_on_it(
    merged: dict[str, Any], path: str, value: object, concerned: set[str]
) -> None:
    before, after = all_slices(Study(merged, [])), all_slices(changed(merged, path, value))
    assert {name for name in before if before[name] != after[name]} == concerned


def test_slices_are_settings_of_their_verbs(merged: dict[str, Any]) -> None:
    found = {name: json.loads(text) for name, text in all_slices(Study(merged, [])).items()}
    assert data.Data.model_validate(found["data"]).heldout_labels == 0.1
    assert data.Columns.model_validate(found["columns"]).cluster == "patient"
    assert schema.TinyModel.model_validate(found["tiny"]).hidden_size == 64
    assert models.BaseModelSettings.model_validate(found["base"]).base.model_dump() == {"built": "qwen3-s"}
    assert recipes.LanguageModelConfig.model_validate(found["description"]).testing.quantisation == "8bit"
    assert training.Training.model_validate(found["training"]).epochs == 3
    assert training.Testing.model_validate(found["testing"]["testing"]).quantisation == "8bit"
    assert found["consent"] is False


def test_test_sets_are_not_read_again_for_a_column_that_is_not_set(merged: dict[str, Any]) -> None:
    usual = '"icd10":"icd10","id":"id","text":"text","topography":"topography"}'
    assert slices.columns(Study(merged, []), "example") == '{"cluster":"patient",' + usual
    without = changed(merged, "texts/example/columns", {})
    assert slices.columns(without, "example") == '{"cluster":null,' + usual


def test_jobs_of_the_quickstart(merged: dict[str, Any]) -> None:
    study = Study(merged, FILES)
    tiny, fitted = (
        ["tiny-qwen3-s", "tiny-qwen3-m", "tiny-llama"],
        ["majority-code", "nearest-label", "nearest-normal-form", "lexicon"],
    )
    assert study.models == tiny + fitted
    assert list(study.language_models) == study.trained_models == tiny
    assert study.fitted_models == fitted
    assert study.thinking_models == ["tiny-qwen3-s", "tiny-qwen3-m"]
    assert study.data_keys == ["example"]
    checkpoints = [(model, epoch) for model in tiny for epoch in (1, 2, 3)]
    assert study.trained_checkpoints == checkpoints
    assert study.checkpoints() == [*checkpoints, *((model, 1) for model in fitted)]
    assert study.epochs("tiny-llama", 0) == [0, 1, 2, 3]
    assert study.epochs("nearest-label", 0) == [1]  # without a base there is no epoch 0
    assert study.base_of("nearest-label") is None
    assert study.datasets() == ["catalogue", "example"]
    assert study.datasets("thinking") == ["example"]
    assert study.catalogue("icdo3", "example") == "icdo3-example"
    assert study.text_codes("icd10gm", "example") == "icd10gm-example"
    assert study.built("tiny-llama") == "llama"
    assert study.local_catalogue("ops", "example") == ["example/catalogues/ops/ops2024syst_kodes_example.txt"]


def test_a_fitted_coder_depends_on_its_own_keys(merged: dict[str, Any]) -> None:
    model, recipe = "nearest-label", "recipes/nearest-label"
    study = Study(merged, [])
    assert slices.coder(study, model) == '{"candidates":5,"kind":"nearest-label","ngrams":[2,5]}'
    for path, value in {"label": "Other", "family": "Other", "resources": {"memory_mb": 9}}.items():
        assert slices.coder(changed(merged, f"{recipe}/{path}", value), model) == slices.coder(study, model)
    assert slices.coder(changed(merged, f"{recipe}/candidates", 3), model) != slices.coder(study, model)
    description = json.loads(slices.description(study, model))
    assert description == {
        "kind": "nearest-label",
        "label": "Nearest label",
        "family": "Without training",
        "data": "example",
        "resources": {"gpus_training": 0, "gpus_testing": 0},
    }
    # how a language model answers is nothing to it
    assert list(json.loads(slices.testing(study, model))) == ["evaluation"]
    assert study.built(model) is None
    assert not study.is_published(model)
    assert [requests.memory_mb(study, model, [Ending("memory")] * tries) for tries in (0, 1)] == [2000, 4000]
    assert requests.gpus(study, model, "training", None, [Ending("gpus")]) == 0


def test_without_test_sets_nothing_thinks(merged: dict[str, Any]) -> None:
    study = changed(merged, "test_sets", [])
    assert study.thinking_models == []
    assert study.datasets() == ["catalogue"]


def test_jobs_of_the_paper(root: Path) -> None:
    study = Study(yaml.safe_load((root / FILES[0]).read_text(encoding="utf-8")), FILES[:1])
    assert len(study.checkpoints(0)) == 8 * 6 + 5
    assert study.thinking_models == ["qwen3-8b", "qwen3-14b", "qwen3-32b"]
    assert study.catalogue("icdo3", "catalogues-2024") == "icdo3-2019"
    assert study.built("qwen3-8b") is None
    assert (requests.gpus(study, "mistral-nemo", "training"), requests.gpus(study, "mistral-nemo", "testing")) == (2, 1)
    assert requests.gpu_model(study, "qwen3-8b", "training") == "a40"


def test_a_recipe_with_seeds_stands_for_one_model_per_seed(merged: dict[str, Any]) -> None:
    study = changed(merged, "recipes/tiny-qwen3-s/seeds", [4, 0])
    first, second = "tiny-qwen3-s.s4", "tiny-qwen3-s.s0"
    assert study.models == [first, second, *Study(merged, []).models[1:]]
    assert study.models_of["tiny-qwen3-s"] == [first, second]
    assert study.models_of["tiny-llama"] == ["tiny-llama"]
    assert study.has_replicates
    assert not Study(merged, []).has_replicates
    assert [study.language_models[model].training.seed for model in (first, second)] == [4, 0]
    assert study.recipes[second].config.label == merged["recipes"]["tiny-qwen3-s"]["label"] + ", seed 0"
    given = Study(merged, [])
    assert all_slices(study, second) == all_slices(given) | {"description": slices.description(study, second)}
    expected = json.loads(slices.description(given, "tiny-qwen3-s"))
    expected["label"] += ", seed 0"
    expected["training"]["seed"] = 0
    assert json.loads(slices.description(study, second)) == expected


def test_replicates_share_their_base(merged: dict[str, Any]) -> None:
    study = changed(merged, "recipes/tiny-qwen3-s/seeds", [4, 0])
    assert study.epochs("tiny-qwen3-s.s4", 0) == [0, 1, 2, 3]
    assert study.epochs("tiny-qwen3-s.s0", 0) == study.epochs("tiny-qwen3-s.s0") == [1, 2, 3]
    assert study.thinking_models == ["tiny-qwen3-s.s4", "tiny-qwen3-m"]
    assert [study.base_of(model) for model in study.language_models] == [
        "tiny-qwen3-s.s4",
        "tiny-qwen3-s.s4",
        "tiny-qwen3-m",
        "tiny-llama",
    ]
    assert len(study.trained_checkpoints) == 4 * 3


def test_gpus_that_a_recovery_was_given_hold_for_later_epochs(merged: dict[str, Any], tmp_path: Path) -> None:
    study = changed(merged, "recipes/tiny-llama/training/recovery", [{}, {"gpus": 2}])
    assert requests.gpus(study, "tiny-llama", "training", tmp_path) == 0  # not there yet
    (tmp_path / "state").mkdir()
    (tmp_path / "state/overrides.json").write_text('{"learning_rate":1e-5}\n')
    assert requests.gpus(study, "tiny-llama", "training", tmp_path) == 0
    (tmp_path / "state/overrides.json").write_text('{"gpus":2}\n')
    assert requests.gpus(study, "tiny-llama", "training", tmp_path) == 2
    assert requests.gpus(study, "tiny-llama", "testing") == 0


def test_no_gpu_type_where_no_gpu_is_asked_for(merged: dict[str, Any], tmp_path: Path) -> None:
    """SLURM would be asked for `a40:0`."""
    resources = {"gpus_training": 0, "gpus_testing": 1, "gpu_model": "a40"}
    other = copy.deepcopy(merged)
    other["recipes"]["tiny-llama"] |= {"resources": resources, "training": {"recovery": [{}, {"gpus": 2}]}}
    study = Study(other, [])
    assert requests.gpu_model(study, "tiny-llama", "training") == ""
    assert requests.gpu_model(study, "tiny-llama", "testing") == "a40"
    assert requests.gpu_model(study, "tiny-llama", "training", None, [Ending("gpus")]) == "a40"
    (tmp_path / "state").mkdir()
    (tmp_path / "state/overrides.json").write_text('{"gpus":2}\n')
    assert requests.gpu_model(study, "tiny-llama", "training", tmp_path) == "a40"
    assert requests.gpu_model(study, "nearest-label", "training") == ""


CAUSES = [cause for part in get_args(Cause) for cause in get_args(part)]


def test_each_cause_asks_for_more_of_what_was_lacking_and_of_nothing_else(merged: dict[str, Any]) -> None:
    other = copy.deepcopy(merged)
    other["recipes"]["tiny-llama"]["resources"] = {"memory_mb": 2000, "testing_hours": 0.5, "max_hours": 8}
    other["recipes"]["tiny-llama"]["training"] = {"recovery": [{}, {"gpus": 2}]}
    study = Study(other, [])
    more: dict[str, list[Any]] = {"memory": [], "training": [], "testing": [], "gpus": []}
    for cause in CAUSES:
        endings = [Ending(cause)]
        asked = {
            "memory": (requests.memory_mb(study, "tiny-llama", endings), 2000),
            "training": (requests.minutes(study, "tiny-llama", "training", endings), 60),
            "testing": (requests.minutes(study, "tiny-llama", "testing", endings), 30),
            "gpus": (requests.gpus(study, "tiny-llama", "training", None, endings), 0),
        }
        for what, (now, first) in asked.items():
            if now != first:
                assert now == (2 if what == "gpus" else 2 * first)
                more[what].append(cause)
    assert len(CAUSES) == 10
    assert more == {"memory": ["memory"], "training": ["time"], "testing": ["time"], "gpus": ["gpu-memory", "gpus"]}


def test_requests_grow_from_what_ran_out_up_to_the_ceilings(merged: dict[str, Any]) -> None:
    study = Study(merged, [])
    model, out = "tiny-llama", Ending("memory")
    base = study.recipes[model].config.resources.memory_mb
    assert base == 2000
    assert [requests.memory_mb(study, model, [out] * count) for count in range(5)] == [
        base,
        2 * base,
        4 * base,
        4 * base,
        4 * base,
    ]
    raised = changed(merged, f"recipes/{model}/resources", {"memory_mb": 10 * base, "max_memory_mb": 15 * base})
    given = Ending("memory", given_mb=base)
    assert requests.memory_mb(raised, model, [given]) == 10 * base  # the recipe gives more than what ran out
    assert requests.memory_mb(raised, model, [Ending("memory", given_mb=8 * base)]) == 15 * base
    late = Ending("time", given_seconds=3600)
    assert [requests.minutes(study, model, "testing", [late] * count) for count in (0, 1, 2)] == [30, 30, 30]
    limited = changed(merged, f"recipes/{model}/resources/max_hours", 3.0)
    assert [requests.minutes(limited, model, "testing", [late] * count) for count in (0, 1, 2)] == [30, 120, 120]
    assert requests.minutes(limited, model, "testing", [late, Ending("stopped"), Ending("time")]) == 180


def test_retries_of_the_largest_model_ask_for_the_same_unless_a_cause_says_otherwise(root: Path) -> None:
    study = Study(yaml.safe_load((root / FILES[0]).read_text(encoding="utf-8")), FILES[:1])
    model = "llama-3.3-70b"
    resources = study.recipes[model].config.resources
    for cause in ("stopped", "killed", "failed", "time"):
        for tries in range(3):
            endings = [Ending(cause, given_mb=resources.memory_mb, given_seconds=3600)] * tries
            assert requests.memory_mb(study, model, endings) == resources.memory_mb
            assert requests.minutes(study, model, "training", endings) == 60 * resources.training_hours
            assert requests.gpus(study, model, "training", None, endings) == resources.gpus_training


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"memory_mb": 2000, "max_memory_mb": 1000}, "max_memory_mb must not be below memory_mb"),
        ({"training_hours": 1, "testing_hours": 3, "max_hours": 2}, "max_hours must not be below training_hours or"),
    ],
)
def test_a_ceiling_below_the_first_request_is_refused(
    merged: dict[str, Any], resources: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=rf"recipes\.tiny-llama\.resources: .*{message}"):
        changed(merged, "recipes/tiny-llama/resources", resources)


def test_the_record_is_a_sound_configuration(merged: dict[str, Any]) -> None:
    assert Study(json.loads(slices.merged(Study(merged, []))), []).models == Study(merged, []).models


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "data/example/ops",
            "1999",
            r"catalogues\.tsv: .*\n  no row for ops 1999 \(known versions: example, 2014, .*, 2026.*\); add",
        ),
        ("texts/example/icdo3", "1", r"no row for icdo3 1 \(known versions: example, 2014, 2019\); add one"),
        ("data/example/formulations", "v0", r"formulations 'v0' do not exist \(known: v1\)"),
        ("texts/example/formulations", "v0", r"formulations 'v0' do not exist \(known: v1\)"),
        ("catalogues/sources", "none.tsv", "none.tsv: not a readable table of sources"),
    ],
)
def test_what_is_not_there_is_said_before_any_job(merged: dict[str, Any], path: str, value: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(merged, path, value)


def test_all_missing_sources_are_named_together(merged: dict[str, Any]) -> None:
    other = copy.deepcopy(merged)
    other["data"]["example"] |= {"ops": "1", "alphaid": "2"}
    with pytest.raises(InputError, match=r"no row for alphaid 2 .*\n  no row for ops 1 "):
        Study(other, [])


def test_sources_of_a_tiny_models_own_data_are_checked(merged: dict[str, Any]) -> None:
    other = copy.deepcopy(merged)
    other["data"]["corpus"] = other["data"]["example"] | {"ops": "7"}
    other["tiny_models"]["llama"]["data"] = "corpus"
    with pytest.raises(InputError, match="no row for ops 7 "):
        Study(other, [])


def test_a_users_folder_is_searched(merged: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "ops2024syst_kodes_20231201.txt"
    file.write_text("text\n")
    study = changed(merged, "catalogues/folder", str(tmp_path))
    assert study.local_catalogue("ops", "2024") == [str(file)]
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}: no file for icdo3 2019")):
        study.local_catalogue("icdo3", "2019")


def test_without_a_folder_a_catalogue_is_downloaded(merged: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONKOCODE_CATALOGUES", raising=False)
    assert Study(merged, []).local_catalogue("icdo3", "2019") == []


def test_online_tracking_without_a_key_is_told_before_anything_runs(merged: dict[str, Any]) -> None:
    online = changed(merged, "tracking/mode", "online")
    (warning,) = online.warnings({})
    assert "WANDB_API_KEY is not set" in warning
    assert online.warnings({"WANDB_API_KEY": "key"}) == []
    assert changed(merged, "tracking/mode", "offline").warnings({}) == []


def test_questions_on_texts_are_built_again_only_for_further_tasks(merged: dict[str, Any]) -> None:
    """The parameter of earlier versions stays what it was, so that an upgrade asks nothing again."""
    usual = changed(merged, "evaluation/tasks", ["tumour", "icd10", "topography"])
    assert slices.formulations(usual, "example") == "v1"
    assert slices.formulations(changed(merged, "evaluation/tasks", ["icd10"]), "example") == "v1"
    every = changed(merged, "evaluation/tasks", ["icd10", "topography", "morphology", "tumour", "tumour-icd10"])
    assert slices.formulations(every, "example") == ["v1", "--tasks", "morphology", "tumour-icd10"]
    other = copy.deepcopy(merged)
    other["evaluation"]["tasks"], other["thinking"]["tasks"] = ["icd10"], ["morphology"]
    assert slices.formulations(Study(other, []), "example") == ["v1", "--tasks", "morphology"]
