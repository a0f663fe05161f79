"""Shapes of decoder models: how many parameters there are, where, and which of them LoRA adapts.

Everything here is counted from a config.json, so no weights and no torch are needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from onkocode.models.model_files import read_object
from onkocode.records.errors import InputError

MODEL_TYPES = ("qwen2", "qwen3", "llama", "mistral", "mixtral")


class Matrix(NamedTuple):
    """A matrix that LoRA can adapt; one of rank r adds ``ranks`` · r · (inputs + outputs) parameters.

    ``ranks`` is above 1 for experts: PEFT gives a fused parameter a rank for each of them. ``inner`` is false for
    embedding and output layer, which `all-linear` leaves out.
    """

    inputs: int
    outputs: int
    ranks: int = 1
    inner: bool = True


@dataclass(frozen=True)
class Architecture:
    """Shape of a decoder model. `source` says where the numbers are from."""

    model_type: str
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    vocabulary: int
    tied: bool
    attention_bias: bool
    experts: int  # 0 = dense
    active_experts: int
    source: str

    @property
    def queries(self) -> int:
        """Width of the queries of all heads together."""
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        """Width of the keys (and of the values) of all heads together."""
        return self.kv_heads * self.head_dim

    @property
    def attention(self) -> int:
        """Weights of the linear layers around attention, over all layers."""
        return self.layers * 2 * self.hidden_size * (self.queries + self.keys)

    @property
    def expert(self) -> int:
        """Weights of one expert in every layer; of a dense model, those of all its MLPs."""
        return self.layers * 3 * self.hidden_size * self.intermediate_size

    @property
    def router(self) -> int:
        """Weights that choose the experts."""
        return self.layers * self.hidden_size * self.experts

    @property
    def head(self) -> int:
        """Weights of the output layer, which are those of the embedding where the two are tied."""
        return self.vocabulary * self.hidden_size

    @property
    def embeddings(self) -> int:
        """Weights of embedding and output layer together, as they lie in memory."""
        return self.head * (1 if self.tied else 2)

    @property
    def small(self) -> int:
        """Norms and biases."""
        norms = self.hidden_size * (2 * self.layers + 1)
        if self.model_type == "qwen3":
            norms += 2 * self.head_dim * self.layers
        biases = self.queries + 2 * self.keys if self.attention_bias else 0
        if self.attention_bias and self.model_type != "qwen2":
            biases += self.hidden_size  # the others have one on the output projection, too
        return norms + biases * self.layers

    @property
    def parameters(self) -> int:
        """All parameters."""
        mlp = self.expert * max(1, self.experts)
        return self.embeddings + self.attention + mlp + self.router + self.small

    @property
    def active(self) -> int:
        """Weights between embedding and output layer that one token is multiplied with."""
        return self.attention + self.expert * max(1, self.active_experts) + self.router

    def matrices(self) -> dict[str, Matrix]:
        """Return every matrix that LoRA can adapt, by the name under which PEFT knows it.

        The experts of Mixtral go by their names of transformers 4 (w1, w2, w3), as in PEFT, which adapts the fused
        parameters in their place: w1 and w3 together with twice the rank, each expert by itself.
        """
        hidden, inner = self.hidden_size, self.intermediate_size
        layer = {
            "self_attn.q_proj": Matrix(hidden, self.queries),
            "self_attn.k_proj": Matrix(hidden, self.keys),
            "self_attn.v_proj": Matrix(hidden, self.keys),
            "self_attn.o_proj": Matrix(self.queries, hidden),
        }
        if self.experts:
            layer["mlp.gate"] = Matrix(hidden, self.experts)
            layer["mlp.experts.w1"] = layer["mlp.experts.w3"] = Matrix(hidden, 2 * inner, self.experts)
            layer["mlp.experts.w2"] = Matrix(inner, hidden, self.experts)
        else:
            layer["mlp.gate_proj"] = layer["mlp.up_proj"] = Matrix(hidden, inner)
            layer["mlp.down_proj"] = Matrix(inner, hidden)
        found = {f"model.layers.{n}.{name}": matrix for n in range(self.layers) for name, matrix in layer.items()}
        found["model.embed_tokens"] = Matrix(self.vocabulary, hidden, inner=False)
        found["lm_head"] = Matrix(hidden, self.vocabulary, inner=False)
        return found


def architecture_from(config: Mapping[str, Any], source: str) -> Architecture:
    """Return the shape that a config.json describes.

    Args:
        config: its keys.
        source: where it is from, for messages and for the plan.

    Raises:
        InputError: a model type whose layers are not known here, or a key is missing.
    """
    kind = config.get("model_type")
    if kind not in MODEL_TYPES:
        raise InputError(f"{source}: model type {kind!r} cannot be counted (known: {', '.join(MODEL_TYPES)})")
    try:
        heads = config["num_attention_heads"]
        experts = config["num_local_experts"] if kind == "mixtral" else 0
        return Architecture(
            model_type=kind,
            hidden_size=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or (128 if kind == "qwen3" else config["hidden_size"] // heads),
            intermediate_size=config["intermediate_size"],
            vocabulary=config["vocab_size"],
            # transformers leaves out of config.json what is its default: not tied in all five model types.
            tied=bool(config.get("tie_word_embeddings", False)),
            attention_bias=kind == "qwen2" or (kind in ("llama", "qwen3") and bool(config.get("attention_bias"))),
            experts=experts,
            active_experts=config["num_experts_per_tok"] if experts else 0,
            source=source,
        )
    except KeyError as error:
        raise InputError(f"{source}: config.json has no {error.args[0]}; is it the whole file?") from None


def read_architecture(directory: Path) -> Architecture:
    """Return the shape of a model directory; raises InputError when its config.json cannot be read."""
    path = directory / "config.json"
    config = read_object(path)
    return architecture_from(config, str(path))


@cache
def known() -> dict[str, Any]:
    """Return the table that ships with the package: `models` by Hub id, and `tokens` by tokenizer."""
    text = resources.files("onkocode.models").joinpath("architectures.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table


def known_architecture(hub: str) -> Architecture | None:
    """Return the shape of a model of the table, None when it is not in there."""
    model = known()["models"].get(hub)
    return None if model is None else architecture_from(model["config"], "table")


def known_tokenizer(architecture: Architecture) -> str | None:
    """Return which tokenizer of the table a model has: that of the models with its type and vocabulary."""
    for model in known()["models"].values():
        config = model["config"]
        if (config["model_type"], config["vocab_size"]) == (architecture.model_type, architecture.vocabulary):
            return str(model["tokens"])
    return None
