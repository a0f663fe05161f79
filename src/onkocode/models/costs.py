"""What LoRA training costs in parameters and floating-point operations. Pure functions, without torch."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onkocode.config.training import Training
from onkocode.models.architectures import Architecture, Matrix, architecture_from
from onkocode.records.errors import InputError

Targets = Sequence[str] | str
# What PEFT adapts where the recipe names nothing; a test compares it with PEFT's own table. PEFT has an entry for
# Mixtral as well, but does not reach it: since transformers fused the experts, it asks for names.
DEFAULT_TARGETS = dict.fromkeys(("qwen2", "qwen3", "llama", "mistral"), ("q_proj", "v_proj"))
FP32, ADAMW = 4, 8  # bytes of a trained parameter, and of its two moments in float32
EXPERT_PARTS = ("gate", "w1", "w2", "w3")  # parameters, not modules: PEFT adapts them without dropout only


# -- LoRA parameters ------------------------------------------------------------------------------------------------


def default_targets(model_type: str) -> Targets:
    """Return what PEFT adapts where the recipe names nothing; raises InputError when it has no default."""
    if model_type in DEFAULT_TARGETS:
        return DEFAULT_TARGETS[model_type]
    table: Mapping[str, Targets] = {}
    if model_type != "mixtral":
        from peft.utils import constants  # imports torch

        table = constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    if model_type not in table:
        raise InputError(f"target_modules: PEFT has no default for {model_type}; name them, e.g. [q_proj, v_proj]")
    return table[model_type]


def target_names(shapes: Mapping[str, Matrix], targets: Targets) -> list[str]:
    """Return which matrices get LoRA, by PEFT's rules: those whose names end so, or all inner ones with all-linear.

    Raises:
        InputError: none of the names fits.
    """
    if isinstance(targets, str):
        return [name for name, matrix in shapes.items() if matrix.inner]
    found = [name for name in shapes if any(name == target or name.endswith(f".{target}") for target in targets)]
    if not found:
        raise InputError(f"target_modules: the model has no layers of the names {', '.join(targets)}")
    return found


def lora_unit(shapes: Mapping[str, Matrix], targets: Targets) -> int:
    """Return the trainable parameters of rank 1; rank r has r times as many."""
    return trainable_parameters(1, [shapes[name] for name in target_names(shapes, targets)])


def trainable_parameters(rank: int, matrices: Iterable[Matrix]) -> int:
    """Return the parameters of LoRA on these matrices.

    A matrix of (inputs, outputs) gets A with (rank, inputs) and B with (outputs, rank). Source: Hu et al. 2021, "LoRA".
    """
    return rank * sum(matrix.ranks * (matrix.inputs + matrix.outputs) for matrix in matrices)


def save_bytes(trainable: int) -> int:
    """Return the bytes on disk of an adapter and the state of its optimizer: float32, and AdamW's two moments."""
    return trainable * (FP32 + ADAMW)


def lora_rank_for(parameters_wanted: int, shapes: Mapping[str, Matrix], targets: Targets) -> int:
    """Return the rank whose trainable parameters come closest to those wanted; at least 1."""
    return max(1, round(parameters_wanted / lora_unit(shapes, targets)))


def rank_and_alpha(settings: Training, model_type: str, shapes: Mapping[str, Matrix]) -> tuple[int, float]:
    """Return LoRA's rank and alpha: the recipe's, or with lora_parameters the closest rank and the same ratio."""
    if settings.lora_parameters is None:
        return settings.lora_rank, settings.lora_alpha
    targets = settings.target_modules or default_targets(model_type)
    rank = lora_rank_for(settings.lora_parameters, shapes, targets)
    alpha = settings.lora_alpha * rank / settings.lora_rank
    return rank, int(alpha) if alpha.is_integer() else alpha


def model_shapes(model: Any) -> dict[str, Matrix]:
    """Return the matrices of a loaded model that LoRA can adapt, quantised or not, by name.

    Args:
        model: a causal language model of transformers.
    """
    output, found = model.get_output_embeddings(), {}
    for name, module in model.named_modules():
        if hasattr(module, "in_features") and hasattr(module, "out_features"):
            found[name] = Matrix(module.in_features, module.out_features, inner=module is not output)
        elif hasattr(module, "num_embeddings"):
            found[name] = Matrix(module.num_embeddings, module.embedding_dim, inner=False)
    if model.config.model_type == "mixtral":
        config = architecture_from(model.config.to_dict(), "the loaded model")
        found = config.matrices() | found  # the experts are parameters, not modules
    return found


def check_experts(targets: Iterable[str], dropout: float) -> None:
    """Refuse what PEFT refuses for a mixture of experts; raises InputError.

    Args:
        targets: names of the matrices that get LoRA.
        dropout: the recipe's lora_dropout.
    """
    parts = {name.rsplit(".", 1)[-1] for name in targets} & set(EXPERT_PARTS)
    if parts and dropout:
        raise InputError(
            "target_modules: PEFT adapts experts and router only with lora_dropout 0; set it, or name the attention's "
            "layers, e.g. [q_proj, v_proj]"
        )
    if len(parts & {"w1", "w3"}) == 1:
        raise InputError("target_modules: w1 and w3 of the experts are one parameter; name both or neither")


# -- operations -----------------------------------------------------------------------------------------------------


def flop_per_token(
    architecture: Architecture,
    trainable: int,
    labelled: float = 1.0,
    recomputed: bool = False,
    tiled_head: bool = False,
) -> float:
    """Return floating-point operations per token of one training step on a frozen model with LoRA.

    Twice the weights forward and twice backward, since frozen weights need no gradient of their own; three times twice
    the trainable parameters. Attention scores are left out: below 1 % at the length of these questions.

    Args:
        architecture: of the base.
        trainable: LoRA parameters.
        labelled: share of the tokens that the output layer is applied to.
        recomputed: count the second forward pass of activation checkpointing.
        tiled_head: count the second pass of trl's output layer, which keeps no logits.
    """
    again = 1 if recomputed else 0
    body = (4 + 2 * again) * architecture.active + (6 + 2 * again) * trainable
    return body + labelled * (6 if tiled_head else 4) * architecture.head


def throughput(
    tokens: int, examples: int, seconds: float, flop_per_token: float, peak_flops: float | None
) -> dict[str, float | None]:
    """Return speed: tokens and examples per second, and the share of the GPU's peak.

    Args:
        tokens: tokens trained on, without padding.
        examples: questions trained on.
        seconds: time they took; none of the rates is known for 0.
        flop_per_token: of the function of that name, without recomputation (Chowdhery et al. 2022, "PaLM", appendix B).
        peak_flops: of all GPUs that compute at the same time; None = not known.
    """
    if seconds <= 0:
        return dict.fromkeys(("tokens_per_second", "examples_per_second", "model_flop_utilisation"))
    rate = tokens / seconds
    return {
        "tokens_per_second": rate,
        "examples_per_second": examples / seconds,
        "model_flop_utilisation": None if not peak_flops else rate * flop_per_token / peak_flops,
    }
