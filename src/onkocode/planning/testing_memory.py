"""What answering takes in memory, part by part, in bytes. Pure functions, without torch; a GPU could not be asked.

Weights are those of inference, without the casts that PEFT makes before training. Of the keys and values, every layer
keeps those of all tokens (Pope et al. 2022, "Efficiently Scaling Transformer Inference", section 2.1), in the number
of the key heads (Ainslie et al. 2023, "GQA").
"""

from dataclasses import dataclass, fields

from onkocode.config.training import Testing
from onkocode.models.architectures import Architecture
from onkocode.models.costs import FP32
from onkocode.planning.memory import BF16, CONTEXT, NF4, loading_bytes


@dataclass(frozen=True)
class AnsweringMemory:
    """Bytes on the fullest GPU while it answers."""

    weights: float
    adapters: float
    cache: float
    moment: float
    context: float

    @property
    def total(self) -> float:
        """All parts together."""
        return float(sum(getattr(self, field.name) for field in fields(self)))


def inference_bytes(architecture: Architecture, quantisation: str, precision: str) -> float:
    """Return the bytes of a base model that answers: linear layers quantised, all else in the given precision.

    bitsandbytes passes over the output layer, and with 8 bits over the experts; int8 has a float32 scale for each row.
    """
    a = architecture
    width = BF16 if precision == "bf16" else FP32
    experts = a.expert * max(1, a.experts)
    rest = float((a.embeddings + a.small + a.router) * width)
    if quantisation == "none":
        return float(a.parameters * width)
    if quantisation == "4bit":
        return (a.attention + experts) * NF4 + rest
    rows = a.layers * (a.queries + 2 * a.keys + a.hidden_size)
    if a.experts:
        return a.attention + rows * FP32 + float(experts * width) + rest
    return a.attention + experts + (rows + a.layers * (2 * a.intermediate_size + a.hidden_size)) * FP32 + rest


def cache_bytes(architecture: Architecture, precision: str, batch: int, tokens: int) -> float:
    """Return the bytes of keys and values: two vectors for each layer, key head and token.

    One layer's stand twice while the next token's are put behind them.
    """
    width = BF16 if precision == "bf16" else FP32
    return 2.0 * (architecture.layers + 1) * architecture.keys * width * batch * tokens


def memory_of_testing(
    architecture: Architecture, settings: Testing, trainable: int, prompt: int, gpus: int
) -> AnsweringMemory:
    """Return the memory of the fullest GPU, where one process splits the layers over all of them.

    Args:
        architecture: of the base.
        settings: the recipe's testing values: a whole batch answers up to max_new_tokens.
        trainable: parameters of the adapter, kept in float32; 0 = the base alone.
        prompt: tokens of the longest question.
        gpus: that the job has; 0 = it computes on the CPU.
    """
    a, shares, batch = architecture, max(1, gpus), settings.batch_size
    width = BF16 if settings.precision == "bf16" else FP32
    weights = inference_bytes(a, settings.quantisation, settings.precision)
    layer = weights * (a.parameters - a.embeddings) / a.parameters / a.layers if shares > 1 else 0.0
    # Reading the prompts computes one layer of all their tokens; the last token of each goes on to the vocabulary.
    inner = 3 * max(1, a.active_experts) * a.intermediate_size + 3 * a.hidden_size
    dequantised = 0.0 if settings.quantisation == "none" else BF16 * float(a.hidden_size * a.intermediate_size)
    moment = max(width * batch * prompt * inner + dequantised, batch * a.vocabulary * (width + FP32))
    return AnsweringMemory(
        weights=weights / shares + layer,
        adapters=trainable * FP32 / shares,
        cache=cache_bytes(a, settings.precision, batch, prompt + settings.max_new_tokens) / shares,
        moment=float(moment),
        context=CONTEXT if gpus else 0,
    )


def needed_for_testing(architecture: Architecture, settings: Testing, trainable: int, prompt: int, gpus: int) -> float:
    """Return the bytes that the fullest GPU must have, while loading or answering."""
    loading = inference_loading_bytes(architecture, settings) / max(1, gpus) + (CONTEXT if gpus else 0)
    return max(memory_of_testing(architecture, settings, trainable, prompt, gpus).total, loading)


def inference_loading_bytes(architecture: Architecture, settings: Testing) -> float:
    """Return the bytes right after loading, when experts are not quantised yet."""
    if architecture.experts:
        return loading_bytes(architecture, settings.quantisation, settings.precision)
    return inference_bytes(architecture, settings.quantisation, settings.precision)
