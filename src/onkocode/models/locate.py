"""Where a base model comes from: the Hub, a local directory, or the project's own tiny models."""

import math
from pathlib import Path
from typing import Any

from onkocode.models.hub.snapshot import snapshot
from onkocode.models.model_files import Shapes, read_object, tensor_shapes
from onkocode.records.errors import InputError
from onkocode.records.ids import digest, hash_file

# Weights are safetensors only: pickled weights can run code when they are loaded.
# Some repositories hold the same weights a second time as consolidated.safetensors, which is not asked for.
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
HUB_FILES = ["model*.safetensors", INDEX, "config.json", "generation_config.json"]
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TOKENIZER_FILES = ["tokenizer*", "special_tokens_map.json", "vocab.json", "merges.txt", "*.jinja", "tekken.json"]
MODEL_FILES = [*HUB_FILES, *TOKENIZER_FILES]  # all that is asked of a base model's repository


def locate_base(base: dict[str, Any], built: Path | None, commit: str | None = None) -> dict[str, Any]:
    """Return where the weights lie, after downloading them if they come from the Hub.

    Args:
        base: the recipe's `base`: {hub, revision}, {path} or {built}.
        built: directory of the tiny model, for {built}.
        commit: what the revision was resolved to before, so that it stays; None: not yet.

    Returns:
        `path`, `hub` and `revision` (resolved commit; None off the Hub).

    Raises:
        InputError: missing or gated model, no safetensors.
    """
    if "hub" in base:
        path, revision = snapshot(base["hub"], commit or base["revision"], MODEL_FILES, "base")
        return {"path": str(path), "hub": base["hub"], "revision": revision}
    path = built if built is not None else Path(base["path"])
    if not (path / "config.json").is_file():
        raise InputError(f"{path}: no model directory (config.json is missing); see the recipe's base.path")
    return {"path": str(path), "hub": None, "revision": None}


def describe_base(path: Path) -> dict[str, Any]:
    """Return architecture, number of parameters (from the safetensors headers) and hashes of config and tokenizer.

    Raises:
        InputError: no safetensors there, or broken files.
    """
    sizes = {name: math.prod(shape) for name, shape in weight_shapes(path).items()}
    config = read_object(path / "config.json")
    if config.get("tie_word_embeddings"):
        sizes.pop("lm_head.weight", None)  # some files hold the tied matrix twice
    parameters = sum(sizes.values())
    hashes = {name: hash_file(path / name) for name in ("config.json", "tokenizer.json") if (path / name).is_file()}
    return {"architecture": config["model_type"], "parameters": parameters, "sha256": hashes}


def weight_files(path: Path) -> list[Path]:
    """Return the safetensors files of a model directory.

    Raises:
        InputError: no directory, no safetensors, a part of them is missing, or a broken index.
    """
    names = sorted(set(_index(path).values())) or [WEIGHTS]
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        raise InputError(
            f"{path}: {missing[0]} is missing; only safetensors are loaded; fetch the whole model or convert it"
        )
    return [path / name for name in names]


def adapter_weights(adapter: Path) -> Path:
    """Return the weights of an adapter directory; raises InputError where there are none.

    Without this check PEFT would ask the Hub for them, or load pickled weights.
    """
    weights = adapter / ADAPTER_WEIGHTS
    if not weights.is_file():
        raise InputError(f"{adapter}: no adapter ({ADAPTER_WEIGHTS} is missing); train that epoch first")
    return weights


def _index(path: Path) -> dict[str, str]:
    """Return the file of each tensor, as the index says; empty without an index."""
    file = path / INDEX
    if not file.is_file():
        return {}
    places = read_object(file).get("weight_map")
    sound = isinstance(places, dict) and all(isinstance(name, str) for name in places.values())
    if not sound or not places:
        raise InputError(f"{file}: has no weight_map of tensors and their files; fetch it again")
    outside = next((name for name in places.values() if Path(name).name != name), None)
    if outside is not None:
        raise InputError(f"{file}: names the file {outside!r} outside of the model's directory; fetch the model again")
    return dict(places)


def weight_shapes(path: Path) -> Shapes:
    """Return the shape of every tensor of a model, from the headers of its safetensors files.

    Raises:
        InputError: a file is missing, cut or broken, or lacks a tensor that the index places in it.
    """
    by_file = {file.name: tensor_shapes(file) for file in weight_files(path)}
    lacking = [(name, file) for name, file in _index(path).items() if name not in by_file[file]]
    if lacking:
        name, where = lacking[0]
        raise InputError(
            f"{path / where}: has no tensor {name}, which {INDEX} places in it ({len(lacking)} such tensors); fetch "
            "the whole model again"
        )
    return {name: shape for shapes in by_file.values() for name, shape in shapes.items()}


def weights_identity(path: Path) -> str:
    """Return a hash that changes with the weights, from names, sizes and times of the files, cheap for any model."""
    return digest(path.resolve(), *weights_facts(path))


def weights_facts(path: Path) -> list[tuple[str, int, int]]:
    """Return name, size in bytes and time of each file of the weights; a model that was moved keeps them."""
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in weight_files(path)]
