"""Loading base models, plain or quantised by bitsandbytes, and adapters on them."""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def load_tokenizer(path: Path) -> Any:
    """Load a tokenizer that pads on the left, as batched generation needs it; a missing pad token becomes EOS."""
    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left", trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


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
    """
    gpus = torch.cuda.device_count()
    device_map: Any = {"": "cpu"} if gpus == 0 else {"": 0} if gpus == 1 else "auto"
    return AutoModelForCausalLM.from_pretrained(
        path,
        dtype=DTYPES[precision],
        device_map=device_map,
        quantization_config=quantisation_config(quantisation),
        use_safetensors=True,
        trust_remote_code=False,
    )


def load_adapter(model: Any, adapter: Path) -> Any:
    """Put a trained adapter on a base model, unmerged: merging in low precision can change answers."""
    return PeftModel.from_pretrained(model, adapter, is_trainable=False)
