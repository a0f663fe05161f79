"""Where a base comes from and what is said about it."""

import json
import os
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from onkocode.cli import main
from onkocode.models.loading import load_base
from onkocode.models.locate import describe_base, locate_base, weight_files, weights_identity
from onkocode.models.model_files import tensor_sizes
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file

from .conftest import ARCHITECTURES


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_parameters_are_those_of_the_model(tiny_models: dict[str, Path], architecture: str) -> None:
    described = describe_base(tiny_models[architecture])
    model = load_base(tiny_models[architecture], "none", "fp32")
    assert described["parameters"] == model.num_parameters()
    assert described["architecture"] == architecture
    assert described["sha256"]["config.json"] == hash_file(tiny_models[architecture] / "config.json")
    assert set(described["sha256"]) == {"config.json", "tokenizer.json"}


def test_tied_matrix_that_is_stored_twice_counts_once(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_models["llama"], base)
    weights = load_file(base / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    assert describe_base(base)["parameters"] == describe_base(tiny_models["llama"])["parameters"] == 28384


def split(base: Path, target: Path) -> None:
    """Copy a model with its weights in two files, as large models are published."""
    shutil.copytree(base, target)
    load_base(base, "none", "fp32").save_pretrained(target, max_shard_size="100KB")
    (target / "model.safetensors").unlink(missing_ok=True)


def test_weights_in_several_files_and_a_second_copy_of_them(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    base = tmp_path / "base"
    split(tiny_models["llama"], base)
    files = [path.name for path in weight_files(base)]
    assert len(files) >= 2
    assert all(name.startswith("model-0000") for name in files)
    shutil.copy2(tiny_models["llama"] / "model.safetensors", base / "consolidated.safetensors")
    assert describe_base(base)["parameters"] == 28384


def test_half_fetched_model_is_an_error(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    base = tmp_path / "base"
    split(tiny_models["llama"], base)
    last = weight_files(base)[-1]
    last.unlink()
    with pytest.raises(InputError, match=last.name):
        describe_base(base)


def test_directory_without_safetensors_is_an_error(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy2(tiny_models["llama"] / "config.json", tmp_path / "config.json")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(InputError, match="only safetensors are loaded"):
        describe_base(tmp_path)


def test_located_bases(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    found = locate_base({"path": str(tiny_models["llama"])}, None)
    assert found == {"path": str(tiny_models["llama"]), "hub": None, "revision": None}
    built = locate_base({"built": "llama"}, tiny_models["qwen3"])
    assert built["path"] == str(tiny_models["qwen3"])
    with pytest.raises(InputError, match=r"config\.json is missing"):
        locate_base({"path": str(tmp_path)}, None)
    with pytest.raises(InputError, match="no model directory"):
        locate_base({"built": "llama"}, tmp_path / "none")


def test_model_that_cannot_be_fetched_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="nobody/nothing: cannot be fetched"):
        locate_base({"hub": "nobody/nothing", "revision": "main"}, None)


def test_sizes_come_from_the_header(tiny_models: dict[str, Path]) -> None:
    sizes = tensor_sizes(tiny_models["llama"] / "model.safetensors")
    assert sizes["model.embed_tokens.weight"] == 500 * 32
    assert sizes["model.norm.weight"] == 32
    assert sum(sizes.values()) == 28384


def test_identity_changes_with_the_weights(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_models["llama"], base)
    first = weights_identity(base)
    assert weights_identity(base) == first
    assert weights_identity(tiny_models["llama"]) != first
    os.utime(base / "model.safetensors", ns=(1, 1))
    assert weights_identity(base) != first


def test_prepare_model_writes_what_training_reads(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "base.json"
    settings = json.dumps({"base": {"path": str(tiny_models["qwen3"])}})
    assert main(["prepare-model", "--settings", settings, "--output", str(output)]) == 0
    record = json.loads(output.read_text(encoding="utf-8"))
    assert record["path"] == str(tiny_models["qwen3"])
    assert record["architecture"] == "qwen3"
    assert record["parameters"] == describe_base(tiny_models["qwen3"])["parameters"]
    assert main(["prepare-model", "--settings", '{"base": {"built": "x"}}', "--output", str(output)]) == 2
