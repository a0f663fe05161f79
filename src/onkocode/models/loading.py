"""Loading base models, plain or quantised by bitsandbytes, and adapters on them."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from onkocode.models.base_check import check_files
from onkocode.models.compiling import compiling_later
from onkocode.models.cpu_memory import keep_freed_memory
from onkocode.models.locate import ADAPTER_CONFIG, adapter_weights
from onkocode.models.model_files import read_object, tensor_shapes
from onkocode.models.placement import check_bf16, check_placed, refused_as_spilled
from onkocode.records.errors import InputError

with compiling_later():
    from bitsandbytes.nn.parametrize import replace_parameter_4bit
    from peft import PeftModel

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def quantisation_config(quantisation: str) -> BitsAndBytesConfig | None:
    """Return the bitsandbytes configuration: int8, or nf4 with double quantisation and bf16 compute."""
    if quantisation == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    if quantisation == "4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    return None


def load_base(path: Path, quantisation: str, precision: str) -> Any:
    """Load a base model from a local directory onto the GPUs that are there, or the CPU.

    Args:
        path: directory with config and safetensors.
        quantisation: none, 8bit or 4bit.
        precision: bf16 or fp32, for everything that is not quantised.

    Raises:
        InputError: no directory, no safetensors in it, broken files, weights that lack tensors of the model, a GPU that
            cannot compute in bf16 where that is asked for, or GPUs that cannot hold the model.
    """
    check_files(path)
    gpus = torch.cuda.device_count()
    if gpus == 0:
        keep_freed_memory()
    # One of several data-parallel processes holds a whole model on its own GPU.
    own = int(os.environ["LOCAL_RANK"]) if "LOCAL_RANK" in os.environ else 0 if gpus == 1 else None
    if gpus and precision == "bf16":
        check_bf16(path, list(range(gpus)) if own is None else [own])
    device_map: Any = {"": "cpu"} if gpus == 0 else "auto" if own is None else {"": own}
    model = _loaded(path, quantisation, precision, device_map, gpus)
    if quantisation == "4bit":
        _quantise_experts(model)
        if gpus == 0:
            _keep_weights_as_they_are(model)
    return model


def _loaded(path: Path, quantisation: str, precision: str, device_map: Any, gpus: int) -> Any:
    """Load a model as a whole, all of its tensors from its files."""
    try:
        model, loaded = AutoModelForCausalLM.from_pretrained(
            path,
            output_loading_info=True,
            dtype=DTYPES[precision],
            device_map=device_map,
            quantization_config=quantisation_config(quantisation),
            use_safetensors=True,
            trust_remote_code=False,
        )
    except ValueError as error:
        raise refused_as_spilled(path, error, gpus) or error from None
    _refuse_random(path, loaded["missing_keys"])
    if gpus:
        check_placed(path, model, gpus)
    return model


def _refuse_random(path: Path, missing: Collection[str]) -> None:
    """Refuse a model of which tensors were not in its files: transformers fills them with random values."""
    if missing:
        raise InputError(
            f"{path}: {len(missing)} tensors of the model are not in its safetensors, e.g. {min(missing)}; fetch the "
            "whole model again"
        )


def _quantise_experts(model: Any) -> None:
    """Quantise the experts of a mixture, which transformers fuses into 3-D parameters that bitsandbytes passes over.

    They are nearly all of Mixtral's weights, and preparing for training would even cast them to float32.
    """
    fused = [
        (module, name)
        for module in model.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.ndim == 3 and parameter.is_floating_point()
    ]
    for module, name in fused:
        replace_parameter_4bit(module, name, compress_statistics=True, quant_type="nf4")


def _keep_weights_as_they_are(model: Any) -> None:
    """Stop bitsandbytes from repacking 4-bit weights at the first answer.

    On CPUs with AVX512-BF16 it does so, which fails where a row is no multiple of 64 values and spoils later training.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def load_adapter(model: Any, adapter: Path) -> Any:
    """Put a trained adapter on a base model, unmerged: merging in low precision can change answers.

    Raises:
        InputError: no adapter there, or broken files.
    """
    weights = adapter_weights(adapter)
    read_object(adapter / ADAPTER_CONFIG)
    tensor_shapes(weights)
    return PeftModel.from_pretrained(model, adapter, is_trainable=False)
