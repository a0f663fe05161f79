"""Where a model lies: on GPUs that can compute with it, and as a whole."""

from collections import Counter
from pathlib import Path
from typing import Any

import torch

from onkocode.records.errors import InputError

BF16_CAPABILITY = (8, 0)  # of CUDA, from which on bf16 is computed and not emulated, as torch says in torch.cuda
ELSEWHERE = {"cpu": "in main memory", "disk": "on the disk"}
# How transformers and accelerate say that they would not spill a model that is quantised, a mixture, or too large.
SPILL_WORDS = ("dispatched on the CPU or the disk", "weights offloaded to the disk", "need to be offloaded")


def check_bf16(path: Path, gpus: list[int]) -> None:
    """Refuse GPUs without bf16, on which it would be emulated, or fail after the model was loaded.

    Args:
        path: the model that is to be loaded in bf16.
        gpus: the numbers of the GPUs that it is to be loaded onto.

    Raises:
        InputError: one of them has none.
    """
    if torch.version.hip:
        return  # AMD's have it
    old = [torch.cuda.get_device_name(gpu) for gpu in gpus if torch.cuda.get_device_capability(gpu) < BF16_CAPABILITY]
    if old:
        raise InputError(
            f"{path}: is to be loaded in bf16, which {' and '.join(sorted(set(old)))} cannot compute; set "
            "testing.precision (in training: training.precision) to fp32, which needs twice the memory, or ask for "
            "another GPU by resources.gpu_model"
        )


def check_placed(path: Path, model: Any, gpus: int) -> None:
    """Refuse a model of which parts lie in main memory or on the disk: each answer would fetch them again.

    Args:
        path: its directory.
        model: the model, as transformers loaded and placed it.
        gpus: how many there are.

    Raises:
        InputError: not all of it lies on GPUs.
    """
    # A model that lies in one place as a whole has no such map.
    placed = getattr(model, "hf_device_map", None) or {"": model.device.type}
    counts = Counter(map(str, placed.values()))
    spilled = [f"{counts[place]} {name}" for place, name in ELSEWHERE.items() if counts[place]]
    if spilled:
        raise _too_large(path, f"of its {len(placed)} modules, {' and '.join(spilled)}", gpus)


def refused_as_spilled(path: Path, error: ValueError, gpus: int) -> InputError | None:
    """Return what is wrong where transformers does not load a model that GPUs cannot hold; None: something else."""
    spilled = any(words in str(error) for words in SPILL_WORDS)
    return _too_large(path, "modules in main memory or on the disk", gpus) if spilled else None


def _too_large(path: Path, where: str, gpus: int) -> InputError:
    return InputError(
        f"{path}: the {gpus} GPU(s) of this job cannot hold the model, which would have {where} and take many times as "
        "long; ask for more GPUs (resources.gpus_testing, for training resources.gpus_training) or larger ones "
        "(resources.gpu_model), or quantise it (testing.quantisation, training.quantisation)"
    )
