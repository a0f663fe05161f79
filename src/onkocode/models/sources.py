"""Where a base model comes from: the Hub, a local directory, or the project's own tiny models."""

import json
import math
import os
from pathlib import Path
from typing import Any

from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file

# Weights are safetensors only: pickled weights can run code when they are loaded.
HUB_FILES = ["*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json"]
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
        path, revision = _snapshot(base["hub"], base["revision"])
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
    from safetensors import safe_open

    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise InputError(f"{path}: holds no *.safetensors; only safetensors are loaded, convert the weights first")
    parameters = 0
    for file in weights:
        with safe_open(str(file), framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 -- not a dict
                parameters += math.prod(tensors.get_slice(name).get_shape())
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    hashes = {name: hash_file(path / name) for name in ("config.json", "tokenizer.json") if (path / name).is_file()}
    return {"architecture": config["model_type"], "parameters": parameters, "sha256": hashes}


def _snapshot(hub: str, revision: str) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        path = Path(snapshot_download(hub, revision=revision, allow_patterns=[*HUB_FILES, *TOKENIZER_FILES]))
    except GatedRepoError:
        token = "is set" if os.environ.get("HF_TOKEN") else "is not set"
        raise InputError(
            f"{hub}: gated; accept its licence on its Hub page and set the environment variable HF_TOKEN "
            f"(which {token})"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(f"{hub}: no such model on the Hub, or private without HF_TOKEN; check base.hub") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise InputError(
            f"{hub}: cannot be fetched ({type(error).__name__}); download it where there is a network"
        ) from None
    return path, path.name
