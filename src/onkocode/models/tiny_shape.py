"""The sizes of a tiny model; a plan asks for them without torch."""

from typing import Any

from onkocode.config.schema import TinyModel

VOCABULARY = 800  # on a CPU the output layer costs more than all others together


def sizes(shape: TinyModel, vocabulary: int = VOCABULARY) -> dict[str, Any]:
    """Return a tiny model's sizes as the keys of transformers' configurations.

    Args:
        shape: as configured.
        vocabulary: tokens; what a tokenizer has, once there is one, may be fewer.
    """
    found: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": shape.hidden_size,
        "intermediate_size": 3 * shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads // 2,
        "tie_word_embeddings": True,
    }
    if shape.architecture == "mixtral":
        found |= {"num_local_experts": 4, "num_experts_per_tok": 2}
    if shape.architecture == "qwen3":
        found |= {"head_dim": shape.hidden_size // shape.heads}
    return found
