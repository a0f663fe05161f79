"""Where a base model comes from: the Hub, a local directory, or the project's own tiny models."""

import json
import math
import os
from pathlib import Path
from typing import Any

from onkocode.records.errors import InputError
from onkocode.records.ids import digest, hash_file

# Weights are safetensors only: pickled weights can run code when they are loaded.
# Some repositories hold the same weights a second time as consolidated.safetensors, which is not asked for.
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
HUB_FILES = ["model*.safetensors", INDEX, "config.json", "generation_config.json"]
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TOKENIZER_FILES = ["tokenizer*", "special_tokens_map.json", "vocab.json", "merges.txt", "*.jinja", "tekken.json"]


def locate_base(base: dict[str, Any], built: Path | None) -> dict[str, Any]:
    """Return where the weights lie, after downloading them if they come from the Hub.

    Args:
        base: the recipe's `base`: {hub, revision}, {path} or {built}.
        built: directory of the tiny model, for {built}.

    Returns:
        `path`, `hub` and `revision` (resolved commit; None off the Hub).

    Raises:
        InputError: missing or gated model, no safetensors.
    """
    if "hub" in base:
        path, revision = snapshot(base["hub"], base["revision"], [*HUB_FILES, *TOKENIZER_FILES], "base")
        return {"path": str(path), "hub": base["hub"], "revision": revision}
    path = built if built is not None else Path(base["path"])
    if not (path / "config.json").is_file():
        raise InputError(f"{path}: no model directory (config.json is missing); see the recipe's base.path")
    return {"path": str(path), "hub": None, "revision": None}


def describe_base(path: Path) -> dict[str, Any]:
    """Return architecture, number of parameters (from the safetensors headers) and hashes of config and tokenizer.

    Raises:
        InputError: no safetensors there.
    """
    sizes: dict[str, int] = {}
    for file in weight_files(path):
        sizes |= tensor_sizes(file)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    if config.get("tie_word_embeddings"):
        sizes.pop("lm_head.weight", None)  # some files hold the tied matrix twice
    parameters = sum(sizes.values())
    hashes = {name: hash_file(path / name) for name in ("config.json", "tokenizer.json") if (path / name).is_file()}
    return {"architecture": config["model_type"], "parameters": parameters, "sha256": hashes}


def weight_files(path: Path) -> list[Path]:
    """Return the safetensors files of a model directory.

    Raises:
        InputError: no directory, no safetensors, or a part of them is missing.
    """
    index = path / INDEX
    names = [WEIGHTS]
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
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


def weights_identity(path: Path) -> str:
    """Return a hash that changes with the weights, from names, sizes and times of the files, cheap for any model."""
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in weight_files(path)]
    return digest(path.resolve(), *facts)


def tensor_sizes(file: Path) -> dict[str, int]:
    """Return the number of values of every tensor in a safetensors file, from its header."""
    from safetensors import safe_open

    with safe_open(str(file), framework="numpy") as tensors:
        return {name: math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118


def snapshot(hub: str, revision: str, patterns: list[str], key: str) -> tuple[Path, str]:
    """Download files of a Hub repository, unless they are in the local cache.

    Args:
        hub: Hub id.
        revision: branch, tag or commit.
        patterns: names of the files that are asked for; nothing else is downloaded.
        key: key of the recipe that names the repository, for messages.

    Returns:
        The directory and the commit that the revision resolves to.

    Raises:
        InputError: unknown, gated or private repository, or no network.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        path = Path(snapshot_download(hub, revision=revision, allow_patterns=patterns))
    except GatedRepoError:
        token = "is set" if os.environ.get("HF_TOKEN") else "is not set"
        raise InputError(
            f"{hub}: gated; accept its licence on its Hub page and set the environment variable HF_TOKEN "
            f"(which {token})"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{hub}: no such repository on the Hub, or private without HF_TOKEN; check {key}.hub"
        ) from None
    except RevisionNotFoundError:
        raise InputError(f"{hub}: has no revision {revision!r}; check {key}.revision") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise InputError(
            f"{hub}: cannot be fetched ({type(error).__name__}); download it where there is a network"
        ) from None
    return path, path.name
