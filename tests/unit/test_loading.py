"""Loading of bases and adapters: quantisation, safetensors only, no foreign code."""

import json
import shutil
from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import pytest
import torch

from onkocode.models.loading import load_adapter, load_base, quantisation_config
from onkocode.models.tokenizing import load_tokenizer
from onkocode.records.errors import InputError

from .conftest import ARCHITECTURES

IDS = torch.tensor([[3, 40, 50, 60, 70]])


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return torch.as_tensor(model.eval()(IDS).logits).float()


def linears(model: Any) -> dict[str, type]:
    return {name: type(module) for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_plain_load_has_the_asked_precision(
    tiny_models: dict[str, Path], architecture: str, precision: str, dtype: torch.dtype
) -> None:
    model = load_base(tiny_models[architecture], "none", precision)
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    assert set(linears(model).values()) == {torch.nn.Linear}


@pytest.mark.parametrize(
    ("quantisation", "kind", "stored"),
    [("8bit", bnb.nn.Linear8bitLt, torch.int8), ("4bit", bnb.nn.Linear4bit, torch.uint8)],
)
@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama", "mistral"])
def test_quantised_modules_are_those_of_bitsandbytes(
    tiny_models: dict[str, Path], architecture: str, quantisation: str, kind: type, stored: torch.dtype
) -> None:
    model = load_base(tiny_models[architecture], quantisation, "fp32")
    found = linears(model)
    inner = {name: type_ for name, type_ in found.items() if "layers" in name}
    assert len(inner) == 7
    assert set(inner.values()) == {kind}
    assert found["lm_head"] is torch.nn.Linear  # the output layer stays as it is
    assert model.get_submodule("model.layers.0.mlp.up_proj").weight.dtype == stored
    plain = logits(load_base(tiny_models[architecture], "none", "fp32"))
    coarse = logits(model)
    assert not torch.equal(plain, coarse)
    likeness = torch.nn.functional.cosine_similarity(plain.flatten(), coarse.flatten(), dim=0)
    assert likeness > 0.9


def test_experts_of_a_mixture_are_quantised_too(tiny_models: dict[str, Path]) -> None:
    model = load_base(tiny_models["mixtral"], "4bit", "fp32")
    inner = [(name, value) for name, value in model.named_parameters() if value.ndim > 1 and "layers" in name]
    coarse = {name for name, value in inner if value.dtype == torch.uint8}
    assert {name for name, _ in inner} - coarse == {"model.layers.0.mlp.gate.weight"}  # the router stays as it is
    assert len([name for name in coarse if "experts" in name]) == 2
    plain = logits(load_base(tiny_models["mixtral"], "none", "fp32"))
    likeness = torch.nn.functional.cosine_similarity(plain.flatten(), logits(model).flatten(), dim=0)
    assert 0.9 < likeness < 1


def test_four_bits_are_nf4_with_double_quantisation() -> None:
    config = quantisation_config("4bit")
    assert config is not None
    assert config.load_in_4bit
    assert config.bnb_4bit_quant_type == "nf4"
    assert config.bnb_4bit_use_double_quant
    assert config.bnb_4bit_compute_dtype == torch.bfloat16
    assert quantisation_config("none") is None


def test_pickled_weights_are_refused(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_models["llama"], base)
    model = load_base(base, "none", "fp32")
    torch.save(model.state_dict(), base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    with pytest.raises(InputError, match="only safetensors"):
        load_base(base, "none", "fp32")


def test_pickled_adapter_is_refused(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    model = load_base(tiny_models["llama"], "none", "fp32")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2}), encoding="utf-8")
    torch.save({}, adapter / "adapter_model.bin")
    with pytest.raises(InputError, match=r"adapter_model\.safetensors is missing"):
        load_adapter(model, adapter)
    with pytest.raises(InputError, match="train that epoch first"):
        load_adapter(model, tmp_path / "nothing")


@pytest.mark.parametrize("kind", ["foreign", "llama"])
def test_code_in_a_model_directory_is_not_run(tiny_models: dict[str, Path], tmp_path: Path, kind: str) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_models["llama"], base)
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config["model_type"] = kind
    config["auto_map"] = {"AutoConfig": "foreign.Config", "AutoModelForCausalLM": "foreign.Model"}
    (base / "config.json").write_text(json.dumps(config), encoding="utf-8")
    witness = tmp_path / "was run"
    (base / "foreign.py").write_text(f"open({str(witness)!r}, 'w')\n", encoding="utf-8")
    if kind == "foreign":
        with pytest.raises(
            InputError, match=r"'foreign' cannot be loaded: it comes with code of its own, which is never"
        ):
            load_base(base, "none", "fp32")
    else:  # the class that transformers has by that name is taken
        assert type(load_base(base, "none", "fp32")).__module__.startswith("transformers.")
    assert not witness.exists()


def test_missing_directory_is_an_error(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    with pytest.raises(InputError, match=str(missing)):
        load_base(missing, "none", "fp32")
    with pytest.raises(InputError, match=str(missing)):
        load_tokenizer(missing)


def test_directory_without_tokenizer_is_an_error(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy2(tiny_models["llama"] / name, tmp_path / name)
    with pytest.raises(InputError, match="no tokenizer"):
        load_tokenizer(tmp_path)


def test_tokenizer_pads_on_the_left_and_always_has_a_pad_token(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_models["llama"])
    assert tokenizer.padding_side == "left"
    assert tokenizer.pad_token == "<|finetune_right_pad_id|>"  # noqa: S105 -- no password
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    shutil.copy2(tiny_models["llama"] / "config.json", tmp_path)
    assert load_tokenizer(tmp_path).pad_token == "<|eot_id|>"  # noqa: S105
