"""Files of a model or adapter directory, read as far as it takes to tell a whole one from a broken one; no weights."""

import json
import math
from pathlib import Path
from typing import Any

from onkocode.records.errors import InputError

POINTER = b"version https://git-lfs.github.com/spec/v1"  # https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
LARGEST_HEADER = 100_000_000  # of a safetensors file, by its own reader
AGAIN = "fetch it again"

Shapes = dict[str, tuple[int, ...]]


def refuse_pointer(file: Path) -> None:
    """Raise InputError where a file is only the pointer that Git leaves in its place without Git LFS."""
    with file.open("rb") as stream:
        if stream.read(len(POINTER)) == POINTER:
            raise InputError(
                f"{file}: a Git LFS pointer in place of the file; run `git lfs pull` in its directory, or fetch the "
                "model with `hf download`"
            )


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        InputError: no such file, a Git LFS pointer, an empty or cut one, or other JSON than an object.
    """
    if not file.is_file():
        raise InputError(f"{file}: missing; fetch the whole model or adapter")
    refuse_pointer(file)
    content = file.read_bytes()
    if not content.strip():
        raise InputError(f"{file}: empty; {AGAIN}")
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: is not JSON, cut or broken ({error}); {AGAIN}") from None
    if not isinstance(found, dict):
        raise InputError(f"{file}: holds no JSON object but a {type(found).__name__}; {AGAIN}")
    return found


def tensor_shapes(file: Path) -> Shapes:
    """Return the shape of every tensor in a safetensors file, from its header.

    Raises:
        InputError: a Git LFS pointer, a cut file, or none of safetensors.
    """
    from safetensors import SafetensorError, safe_open

    refuse_pointer(file)
    try:
        with safe_open(str(file), framework="numpy") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{file}: {_damage(file) or f'broken ({error})'}; {AGAIN}") from None


def tensor_sizes(file: Path) -> dict[str, int]:
    """Return the number of values of every tensor in a safetensors file; raises InputError as `tensor_shapes`."""
    return {name: math.prod(shape) for name, shape in tensor_shapes(file).items()}


def _damage(file: Path) -> str | None:
    """Say how many bytes of a safetensors file are there and should be; None where that is not what is wrong.

    Eight bytes give the length of a JSON header, in which each tensor has its place behind the header
    (https://github.com/huggingface/safetensors#format).
    """
    size = file.stat().st_size
    if size == 0:
        return "empty"
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or (size < 8 + length <= LARGEST_HEADER):
            return f"cut after {size:,} bytes"
        if length > LARGEST_HEADER:
            return "no safetensors file"
        header = stream.read(length)
    try:
        ends = [part["data_offsets"][1] for name, part in json.loads(header).items() if name != "__metadata__"]
        whole = 8 + length + max(ends, default=0)
    except (ValueError, RecursionError, AttributeError, KeyError, IndexError, TypeError):
        return None
    return None if whole == size else f"has {size:,} of {whole:,} bytes"
