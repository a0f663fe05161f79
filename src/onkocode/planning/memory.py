"""What LoRA training takes in memory and on disk, part by part, in bytes. Pure functions, without torch.

The parts follow what transformers, PEFT, bitsandbytes and trl keep for the five architectures. A test compares them
with the tensors that live during a training step on a CPU; what only a GPU could show is marked as assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from onkocode.config.training import Training
from onkocode.models.architectures import Architecture, Matrix
from onkocode.models.costs import ADAMW, FP32, save_bytes, trainable_parameters

BF16 = 2
NF4_BLOCK, NF4_GROUP = 64, 256  # weights with one scale; scales with one scale of their own (double quantisation)
NF4 = 0.5 + 1 / NF4_BLOCK + FP32 / (NF4_BLOCK * NF4_GROUP)  # 0.516; Dettmers et al. 2023, "QLoRA", section 3
HEAD_TILE = (4096, 32_768)  # tokens and columns of the vocabulary that trl's output layer computes at once
CONTEXT = 600_000_000  # assumed: CUDA context and the workspace of cuBLAS
TOKENIZER = 15_000_000  # assumed: tokenizer files, which the Trainer copies into every save
SAVES = 4  # the epoch before, two that are kept, and the one that is being written


@dataclass(frozen=True)
class Memory:
    """Bytes on the fullest GPU while it trains."""

    weights: float
    adapters: float
    gradients: float
    optimizer: float
    activations: float
    experts: float  # dequantised, as autograd keeps them
    moment: float  # the larger of output layer and backward pass of one layer
    context: float

    @property
    def total(self) -> float:
        """All parts together."""
        return float(sum(getattr(self, field.name) for field in fields(self)))


@dataclass(frozen=True)
class Batch:
    """What is computed at once: tokens with padding, and those of them that carry a label."""

    tokens: float
    labelled: float


def weight_bytes(architecture: Architecture, quantisation: str, precision: str) -> float:
    """Return the bytes of a base model as it lies in memory while an adapter is trained on it.

    Before training on a quantised base, PEFT casts everything that is not quantised to float32: embedding, output
    layer, norms, and with 8 bits the experts too, which bitsandbytes passes over.
    """
    experts = architecture.expert * max(1, architecture.experts)
    rest = architecture.embeddings + architecture.small + architecture.router
    if quantisation == "none":
        width = BF16 if precision == "bf16" else FP32
        return float(architecture.parameters * width)
    if quantisation == "4bit":
        return (architecture.attention + experts) * NF4 + rest * FP32
    hidden, inner = architecture.hidden_size, architecture.intermediate_size
    rows = architecture.layers * (architecture.queries + 2 * architecture.keys + hidden)  # a scale for each
    if architecture.experts:
        return architecture.attention + rows * FP32 + (experts + rest) * FP32
    return architecture.attention + experts + (rows + architecture.layers * (2 * inner + hidden)) * FP32 + rest * FP32


def loading_bytes(architecture: Architecture, quantisation: str, precision: str) -> float:
    """Return the bytes of a base model right after loading: experts are quantised, or cast, only then."""
    if not architecture.experts or quantisation == "none":
        return weight_bytes(architecture, quantisation, precision)
    attention = architecture.attention * (NF4 if quantisation == "4bit" else 1)
    return attention + (architecture.parameters - architecture.attention) * BF16


def activation_bytes(
    architecture: Architecture, settings: Training, rank: int, targets: Mapping[str, Matrix], on_gpu: bool = True
) -> float:
    """Return the bytes per token that all layers keep for the backward pass, without activation checkpointing.

    Per layer: the inputs of the norms in float32; queries, keys and values repeated for all heads, and the output of
    attention; three vectors of the MLP's width; and of every adapted matrix its own copy of the input. Quantised bases
    keep the MLP's vectors in float32, since their norms put out float32.

    Args:
        architecture: of the base.
        settings: quantisation, precision and dropout count.
        rank: of the LoRA matrices.
        targets: the adapted matrices.
        on_gpu: dropout keeps a byte per value on a GPU, four on a CPU.
    """
    a = architecture
    compute, stream = _compute(settings), _stream(settings)
    norms = 2 * FP32 * a.hidden_size + (FP32 * (a.queries + a.keys) if a.model_type == "qwen3" else 0)
    attention = 4 * compute * a.queries + FP32 * a.heads
    if a.experts:
        mlp = a.active_experts * compute * (3 * a.intermediate_size + a.hidden_size)
    else:
        mlp = 3 * stream * a.intermediate_size
    if settings.quantisation == "8bit":  # bitsandbytes keeps the inputs of its matrices, from reading its source
        mlp += 2 * FP32 * a.hidden_size + (0 if a.experts else FP32 * a.intermediate_size)
    mask = (1 if on_gpu else FP32) if settings.lora_dropout else 0
    adapted = sum((compute + mask) * matrix.inputs + compute * rank for matrix in targets.values() if matrix.inner)
    return a.layers * (norms + attention + mlp) + adapted


def training_memory(
    architecture: Architecture, settings: Training, rank: int, targets: Mapping[str, Matrix], batch: Batch, gpus: int
) -> Memory:
    """Return the memory of the fullest GPU, or on the CPU the tensors of training.

    With several processes each GPU holds everything; one process splits the layers over its GPUs, and the last one
    computes the output layer too.

    Args:
        architecture: of the base.
        settings: the recipe's training values.
        rank: of the LoRA matrices.
        targets: the adapted matrices.
        batch: of one process.
        gpus: that the job has; 0 = it computes on the CPU.
    """
    shares = max(1, gpus) if settings.processes == 1 else 1
    trainable = trainable_parameters(rank, targets.values())
    weights = weight_bytes(architecture, settings.quantisation, settings.precision)
    body = architecture.parameters - architecture.embeddings
    layer = weights * body / architecture.parameters / architecture.layers if shares > 1 else 0  # layers stay whole
    kept = activation_bytes(architecture, settings, rank, targets) * batch.tokens
    experts = 0.0
    if settings.quantisation == "4bit" and architecture.experts:
        experts = BF16 * float(architecture.expert * architecture.experts)
    backward = _backward_bytes(architecture, settings, batch)
    if settings.activation_checkpointing:  # a layer's input stays, the rest is there while the layer is recomputed
        backward += (kept + experts) / architecture.layers
        kept = architecture.layers * architecture.hidden_size * _stream(settings) * batch.tokens
        experts = 0.0
    return Memory(
        weights=weights / shares + layer,
        adapters=trainable * FP32 / shares,
        gradients=trainable * FP32 / shares * (2 if settings.processes > 1 else 1),  # DDP keeps a copy in its buckets
        optimizer=trainable * ADAMW / shares,
        activations=kept / shares,
        experts=experts / shares,
        moment=max(head_bytes(architecture, settings, batch), backward),
        context=CONTEXT if gpus else 0,
    )


def head_bytes(architecture: Architecture, settings: Training, batch: Batch) -> float:
    """Return the bytes of the output layer and the loss: trl computes tiles of the vocabulary and keeps no logits."""
    tokens, columns = HEAD_TILE
    compute = _compute(settings)
    cast = 0 if settings.quantisation == "none" else min(columns, architecture.vocabulary) * architecture.hidden_size
    tile = min(batch.labelled, tokens) * columns
    return (tile + cast) * compute + batch.labelled * architecture.hidden_size * (FP32 + compute)


def _backward_bytes(architecture: Architecture, settings: Training, batch: Batch) -> float:
    """Return what the backward pass of a layer holds: gradients of its vectors, and one matrix dequantised."""
    inner = 3 * max(1, architecture.active_experts) * architecture.intermediate_size
    gradients = batch.tokens * _stream(settings) * (inner + 2 * architecture.hidden_size)
    if settings.quantisation == "none":
        return gradients
    return gradients + BF16 * float(architecture.hidden_size * architecture.intermediate_size)


def _compute(settings: Training) -> int:
    """Return the bytes of a value that matrices are multiplied with."""
    return BF16 if settings.precision == "bf16" else FP32


def _stream(settings: Training) -> int:
    """Return the bytes of a value between the layers: norms of a quantised base put out float32."""
    return _compute(settings) if settings.quantisation == "none" else FP32


def disk_bytes(base: float, trainable: int, epochs: int) -> dict[str, float]:
    """Return bytes on disk: `base` weights, `scratch` while an epoch is trained, `epochs` for good.

    An epoch keeps the adapter and AdamW's state, all in float32; a save holds the same and the tokenizer.
    """
    epoch = save_bytes(trainable)
    return {"base": base, "scratch": SAVES * (epoch + TOKENIZER), "epochs": float(epochs * epoch)}
