"""Requests: GPUs and time on other kinds of GPU than the recipe's own, the memory of answering, and main memory."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from onkocode.config import training as keys
from onkocode.config.loading import merge, merge_files
from onkocode.models.architectures import Architecture, architecture_from, known_architecture
from onkocode.models.gpus import named_gpu
from onkocode.paper import paper
from onkocode.planning.other_gpus import MARGIN, request_for, requests_text
from onkocode.planning.plan import make_plan
from onkocode.planning.testing_memory import cache_bytes, inference_bytes, memory_of_testing, needed_for_testing
from onkocode.records.endings import Ending
from onkocode.records.errors import InputError
from onkocode.study import Study, requests
from onkocode.study.memory import BASE, PER_PARAMETER, PER_QUESTION, STAGED, job_bytes

pytestmark = pytest.mark.usefixtures("in_root")

SMALL = architecture_from(
    {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100}
    | {"num_key_value_heads": 2, "head_dim": 4, "intermediate_size": 16},
    "test",
)


@pytest.fixture(scope="module")
def paper_study(root: Path) -> Study:
    files = [root / "config/config.yaml"]
    return Study(merge_files(files), files)


def changed(root: Path, model: str, **changes: Any) -> Study:
    merged: dict[str, Any] = {}
    for file in ("config/config.yaml", "config/quickstart.yaml"):
        merge(merged, yaml.safe_load((root / file).read_text(encoding="utf-8")))
    merged = copy.deepcopy(merged)
    merged["models"] = [model]
    merged["evaluation"]["primary"] = None
    for key, value in changes.items():
        old = merged["recipes"][model].get(key)
        merged["recipes"][model][key] = old | value if key == "resources" and old else value
    return Study(merged, [])


# -- answering, by hand ---------------------------------------------------------------------------------------------


def test_memory_of_answering_by_hand() -> None:
    # Of each layer 8 x 16 + 2 x 8 x 8 + 16 x 8 around attention (queries 16, keys 8), 3 x 8 x 16 in the MLP.
    attention, mlp, embeddings, norms = 2 * 384, 2 * 384, 2 * 800, 5 * 8
    assert SMALL.attention == attention
    assert SMALL.expert == mlp
    assert inference_bytes(SMALL, "none", "bf16") == 2 * (attention + mlp + embeddings + norms)
    rows = 2 * (16 + 2 * 8 + 8) + 2 * (2 * 16 + 8)  # each with a float32 scale
    assert inference_bytes(SMALL, "8bit", "bf16") == attention + mlp + 4 * rows + 2 * (embeddings + norms)
    nf4 = 0.5 + 1 / 64 + 4 / (64 * 256)
    assert inference_bytes(SMALL, "4bit", "fp32") == pytest.approx(nf4 * (attention + mlp) + 4 * (embeddings + norms))
    # Keys and values of 8 each, in bf16, for 3 questions of 50 tokens, of 2 layers and once more of one.
    assert cache_bytes(SMALL, "bf16", 3, 50) == 2 * 3 * 8 * 2 * 3 * 50
    testing = keys.Testing(batch_size=3, max_new_tokens=10)
    one = memory_of_testing(SMALL, testing, 1000, 40, 1)
    assert (one.cache, one.adapters, one.context) == (2 * 3 * 8 * 2 * 3 * 50, 4000, 600_000_000)
    assert one.moment == max(2 * 3 * 40 * (3 * 16 + 3 * 8), 3 * 100 * 6)
    two = memory_of_testing(SMALL, testing, 1000, 40, 2)
    assert two.cache == one.cache / 2
    layer = one.weights * (SMALL.parameters - embeddings) / SMALL.parameters / 2
    assert two.weights == pytest.approx(one.weights / 2 + layer)  # layers stay whole


def test_keys_and_values_are_those_of_a_real_cache() -> None:
    from transformers import DynamicCache

    cache = DynamicCache()
    for layer in range(SMALL.layers):
        shape = (3, SMALL.kv_heads, 50, SMALL.head_dim)
        cache.update(torch.zeros(shape, dtype=torch.bfloat16), torch.zeros(shape, dtype=torch.bfloat16), layer)
    stored = sum(part.nbytes for layer in cache.layers for part in (layer.keys, layer.values))
    assert cache_bytes(SMALL, "bf16", 3, 50) == stored * (SMALL.layers + 1) / SMALL.layers


def test_the_paper_tested_on_as_many_gpus_as_the_formula_needs(paper_study: Study) -> None:
    gpu = named_gpu(paper().models.gpu)
    for run, model in zip(paper().models.rows, paper_study.language_models, strict=True):
        architecture, testing = known_architecture(run.hub), paper_study.language_models[model].testing
        assert isinstance(architecture, Architecture)
        assert testing.quantisation == run.quantisation_testing
        assert needed_for_testing(architecture, testing, 16_400_000, 130, run.gpus_testing) <= gpu.memory


# -- requests -------------------------------------------------------------------------------------------------------


def test_on_the_own_kind_the_recipe_counts(paper_study: Study) -> None:
    for run, model in zip(paper().models.rows, paper_study.language_models, strict=True):
        training, testing = (request_for(paper_study, model, stage, "NVIDIA A40") for stage in ("training", "testing"))
        assert (training.gpus, testing.gpus) == (run.gpus_training, run.gpus_testing)
        resources = paper_study.recipes[model].config.resources
        assert training.minutes == 60 * resources.training_hours
        assert testing.minutes == 60 * resources.testing_hours
        assert training.memory_mb == resources.memory_mb


@pytest.mark.parametrize("gpu", ["L4", "A100-40", "RTX 4090", "H200"])
def test_the_fewest_gpus_that_hold_it(paper_study: Study, gpu: str, tmp_path: Path) -> None:
    from onkocode.planning.of_study import subject_of

    for model, recipe in paper_study.language_models.items():
        found = request_for(paper_study, model, "training", gpu, tmp_path)
        subject, kind = subject_of(paper_study, model, tmp_path), named_gpu(gpu)
        assert found.gpus in (1, 2, 4, 8)
        assert (1 + MARGIN) * make_plan(model, subject, recipe.training, kind, found.gpus).needed <= kind.memory
        fewer = found.gpus // 2
        assert not fewer or (1 + MARGIN) * make_plan(model, subject, recipe.training, kind, fewer).needed > kind.memory
        peaks = named_gpu("A40").peak("bf16"), kind.peak("bf16")
        expected = 60 * recipe.config.resources.training_hours * float(peaks[0] or 0) / float(peaks[1] or 1)
        assert found.minutes == pytest.approx(max(60, expected), abs=1)
    asked = {model: request_for(paper_study, model, "testing", gpu, tmp_path) for model in paper_study.language_models}
    slower = kind.peak("bf16") < named_gpu("A40").peak("bf16")  # type: ignore[operator]
    assert (asked["qwen3-8b"].minutes > 24 * 60) == slower  # never less than on the own kind
    assert asked["mixtral-8x7b"].gpus >= asked["qwen3-8b"].gpus


def test_what_fits_nowhere_or_cannot_compute_is_refused(paper_study: Study, root: Path) -> None:
    with pytest.raises(InputError, match=r"T4 cannot compute in bf16; set training\.precision"):
        request_for(paper_study, "qwen3-8b", "training", "T4")
    with pytest.raises(InputError, match="B52"):
        request_for(paper_study, "qwen3-8b", "training", "B52")
    resources = {"gpus_training": 2, "gpus_testing": 1}
    split = changed(root, "tiny-llama", training={"processes": 2, "batch_size": 100_000}, resources=resources)
    with pytest.raises(InputError, match=r"recipes\.tiny-llama: training needs .* on each of 2 x L4"):
        request_for(split, "tiny-llama", "training", "L4")


def test_without_gpus_none_is_asked_for(paper_study: Study, root: Path) -> None:
    assert request_for(paper_study, "lexicon", "training", "H200").gpus == 0
    found = request_for(changed(root, "tiny-llama"), "tiny-llama", "training", "H200")
    assert (found.gpus, found.gpu, found.memory_mb, found.minutes) == (0, "", 2000, 30)


def test_the_plan_says_what_to_ask_for(paper_study: Study, tmp_path: Path) -> None:
    text = requests_text(paper_study, paper_study.trained_models, "L4", tmp_path)
    assert max(map(len, text.splitlines())) <= 120
    (row,) = [line.split() for line in text.splitlines() if line.startswith("mixtral-8x7b   training")]
    assert row[2:5] == ["8", "128,000", "117.5"]
    assert "cannot compute in bf16" in requests_text(paper_study, ["qwen3-8b"], "T4", tmp_path)


# -- main memory ----------------------------------------------------------------------------------------------------


def test_main_memory_by_hand() -> None:
    each = PER_PARAMETER["none", "bf16"]
    assert job_bytes(1e9, "none", "bf16", 1000, False) == pytest.approx(BASE + each * 1e9 + 1000 * PER_QUESTION)
    assert job_bytes(70e9, "4bit", "bf16", 0, True) == pytest.approx(BASE + STAGED)
    assert job_bytes(1e6, "8bit", "fp32", 0, True) == pytest.approx(BASE + 1e6 * PER_PARAMETER["8bit", "bf16"])


@pytest.mark.parametrize(
    ("parameters", "quantisation", "precision", "questions", "measured"),
    [
        (11.0e6, "none", "fp32", 1000, 738e6),
        (125.7e6, "none", "fp32", 1000, 1385e6),
        (374.6e6, "none", "fp32", 1000, 2876e6),
        (374.6e6, "none", "bf16", 1000, 1623e6),
        (374.6e6, "8bit", "bf16", 1000, 2721e6),
        (374.6e6, "4bit", "bf16", 1000, 1762e6),
        (11.0e6, "none", "fp32", 100_000, 1640e6),
    ],
)
def test_the_formula_is_what_was_measured(
    parameters: float, quantisation: str, precision: str, questions: int, measured: float
) -> None:
    assert job_bytes(parameters, quantisation, precision, questions, False) == pytest.approx(measured, rel=0.15)


def test_a_recipe_without_memory_asks_by_the_formula(root: Path) -> None:
    unset = changed(root, "tiny-llama", resources={"memory_mb": None})
    first = requests.memory_mb(unset, "tiny-llama")
    assert 1500 <= first <= 2500  # the quickstart's recipes say 2000
    assert requests.memory_mb(unset, "tiny-llama", [Ending("memory")]) == 2 * first
    assert requests.memory_mb(unset, "tiny-llama", [Ending("memory")] * 5) == 4 * first
    hub: dict[str, Any] = {
        "base": {"hub": "Qwen/Qwen3-8B"},
        "resources": {"memory_mb": None},
        "data": "catalogues-2024",
    }
    hub["testing"] = {"quantisation": "none", "precision": "bf16"}
    large = changed(root, "tiny-llama", **hub, training={"quantisation": "none", "precision": "bf16"})
    on_cpu = requests.memory_mb(large, "tiny-llama")
    assert on_cpu > 2.5 * 8190 + 5000
    given = changed(
        root, "tiny-llama", **hub | {"parameters": 16.4e9}, training={"quantisation": "none", "precision": "bf16"}
    )
    assert requests.memory_mb(given, "tiny-llama") > 1.5 * on_cpu
    unknown = changed(root, "tiny-llama", **hub | {"base": {"hub": "some/model"}})
    assert requests.memory_mb(unknown, "tiny-llama") == 4000
    assert requests.memory_mb(changed(root, "lexicon", resources={"memory_mb": None}), "lexicon") == 4000


def test_stored_weights_tell_the_memory(root: Path, tmp_path: Path) -> None:
    (tmp_path / "model-00001-of-00001.safetensors").write_bytes(bytes(2_000_000))
    local = {"base": {"path": str(tmp_path)}, "resources": {"memory_mb": None}}
    small = requests.memory_mb(changed(root, "tiny-llama", **local), "tiny-llama")
    with (tmp_path / "model-00001-of-00001.safetensors").open("r+b") as stream:
        stream.truncate(2_000_000_000)
    assert requests.memory_mb(changed(root, "tiny-llama", **local), "tiny-llama") > small + 3000


def test_paper_recipes_ask_for_what_they_say(paper_study: Study) -> None:
    for model, recipe in paper_study.recipes.items():
        assert requests.memory_mb(paper_study, model) == recipe.config.resources.memory_mb
