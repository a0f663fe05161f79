"""LoRA adapters of others, and whether an adapter fits a base model: names first, then every tensor."""

import re
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onkocode.models.hub.snapshot import snapshot
from onkocode.models.locate import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from onkocode.models.model_files import read_object, tensor_sizes
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file

# Beside the adapter, what its author says of it. Nothing that could hold code or pickled weights is asked for.
TEXTS = ["README.md", "LICENSE*", "NOTICE*"]
ADAPTER_FILES = [ADAPTER_CONFIG, ADAPTER_WEIGHTS, *TEXTS]
LORA_B = "_B"  # lora_B of a linear layer, lora_embedding_B of an embedding
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
HUB_CACHE = re.compile(r"models--([\w.-]+?)--([\w.-]+)/snapshots/")


def locate_adapter(adapter: Mapping[str, Any], commit: str | None = None) -> dict[str, Any]:
    """Return where a published adapter lies, after downloading it if it comes from the Hub.

    Args:
        adapter: the recipe's `adapter`: {hub, revision} or {path}.
        commit: what the revision was resolved to before, so that it stays; None: not yet.

    Returns:
        `path`, `hub` and `revision` (resolved commit; None off the Hub).

    Raises:
        InputError: no such adapter, a gated one, or one without safetensors.
    """
    if "hub" in adapter:
        path, revision = snapshot(adapter["hub"], commit or adapter["revision"], ADAPTER_FILES, "adapter")
        located = {"path": str(path), "hub": adapter["hub"], "revision": revision}
    else:
        path = Path(adapter["path"])
        located = {"path": str(path), "hub": None, "revision": None}
    read_adapter_config(path, str(adapter.get("hub") or path))
    return located


def read_adapter_config(adapter: Path, name: str = "") -> dict[str, Any]:
    """Return the configuration of a LoRA adapter whose weights are safetensors.

    Args:
        adapter: its directory.
        name: what messages call it; the directory by default.

    Raises:
        InputError: no adapter, pickled weights, broken files, or another method than LoRA.
    """
    name = name or str(adapter)
    if not (adapter / ADAPTER_CONFIG).is_file():
        raise InputError(
            f"{name}: no adapter ({ADAPTER_CONFIG} is missing); a whole model is tested as the base of a recipe with "
            "training.epochs: 0"
        )
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        found = sorted(file.name for file in adapter.glob("adapter_model*"))
        raise InputError(
            f"{name}: {ADAPTER_WEIGHTS} is missing{f' (there is {found[0]})' if found else ''}; pickled weights can "
            "run code when they are loaded, so only safetensors are; ask the author for them, or convert the adapter"
        )
    config = read_object(adapter / ADAPTER_CONFIG)
    tensor_sizes(adapter / ADAPTER_WEIGHTS)  # a cut file is refused
    if config.get("peft_type") != "LORA":
        raise InputError(
            f"{name}: an adapter of the type {config.get('peft_type') or 'unknown'}; only LORA is supported"
        )
    if config.get("megatron_config"):  # PEFT would import a module of the adapter's choice
        raise InputError(f"{name}: made for Megatron; only adapters for transformers are supported")
    return config


def named_base(config: Mapping[str, Any]) -> str | None:
    """Return the Hub id of the base that an adapter's configuration names; None where it names a local directory."""
    name = str(config.get("base_model_name_or_path") or "")
    cached = HUB_CACHE.search(name)
    if cached:
        return f"{cached[1]}/{cached[2]}"
    return name if HUB_ID.fullmatch(name) and not Path(name).exists() else None


def check_base(config: Mapping[str, Any], base: Mapping[str, Any], trained_on: str | None, name: str) -> None:
    """Refuse a base that goes by another name than the one the adapter was trained on.

    Args:
        config: the adapter's configuration.
        base: record of prepare-model.
        trained_on: Hub id by which the adapter may call this base as well.
        name: what messages call the adapter.

    Raises:
        InputError: the adapter names another base.
    """
    named, hub = named_base(config), base.get("hub")
    known = {str(known).casefold() for known in (hub, trained_on) if known}
    if named is None or hub is None or named.casefold() in known:
        return
    raise InputError(
        f"{name}: was trained on {named}, but the base is {hub}; correct the base, or set adapter.trained_on: {named} "
        "if it is the same model"
    )


def check_fits(base: Path, adapter: Path) -> None:
    """Refuse an adapter whose tensors are not those that the base model's modules take, by name and shape.

    PEFT itself only warns, and answers with matrices that were never trained. The model is built without its weights.

    Raises:
        InputError: the adapter belongs to another base.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on tied embeddings, which matter for merging alone
            shape = AutoConfig.from_pretrained(base, trust_remote_code=False)
            config = LoraConfig.from_pretrained(str(adapter))
            config.init_lora_weights, config.inference_mode = True, True  # other ways to begin need the base's weights
            model = get_peft_model(AutoModelForCausalLM.from_config(shape), config, low_cpu_mem_usage=True)
            loaded = model.load_adapter(str(adapter), "default", torch_device="cpu", low_cpu_mem_usage=True)
    except (ValueError, RuntimeError, TypeError, KeyError) as error:
        shown = " ".join(str(error).split())
        raise InputError(
            f"{adapter}: does not fit the base model in {base}; is it the base that the adapter was trained on? "
            f"({shown[:200]})"
        ) from None
    wrong = [("is missing", key) for key in loaded.missing_keys] + [
        ("has no place", key) for key in loaded.unexpected_keys
    ]
    if wrong:
        raise InputError(
            f"{adapter}: does not fit the base model in {base}: {len(wrong)} tensors differ, e.g. {wrong[0][1]} "
            f"{wrong[0][0]}; is it the base that the adapter was trained on?"
        )


def check_values(adapter: Path) -> None:
    """Refuse an adapter that was never trained, or holds values that are not finite.

    Raises:
        InputError: all products of its matrices are 0, so that it answers as its base does; or NaN and infinity.
    """
    from safetensors.torch import load_file

    file = adapter / ADAPTER_WEIGHTS
    weights = load_file(str(file))
    spoiled = sum(not bool(values.isfinite().all()) for values in weights.values())
    if spoiled:
        raise InputError(f"{file}: {spoiled} of {len(weights)} tensors hold NaN or infinity; ask the author for others")
    # LoRA adds B·A, and training begins with B = 0; all other tensors replace some of the base.
    if not any("lora_" not in name or (LORA_B in name and bool(values.any())) for name, values in weights.items()):
        raise InputError(
            f"{file}: its matrices B are all 0, so it answers exactly as the base model does; it was saved before it "
            "was trained, ask the author for the trained one"
        )


def copy_adapter(adapter: Path, target: Path) -> dict[str, Any]:
    """Copy an adapter and its author's texts, and nothing else, into an existing directory.

    Returns:
        Facts for the provenance: hash of the weights and number of trained values.
    """
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        shutil.copyfile(adapter / name, target / name)
    copy_texts(adapter, target)
    weights = target / ADAPTER_WEIGHTS
    return {"adapter_sha256": hash_file(weights), "trainable_parameters": sum(tensor_sizes(weights).values())}


def copy_texts(adapter: Path, target: Path) -> None:
    """Copy what the author says of an adapter: card, licence, notice."""
    for pattern in TEXTS:
        for file in sorted(adapter.glob(pattern)):
            if file.is_file():
                shutil.copyfile(file, target / file.name)
