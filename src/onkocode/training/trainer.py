"""trl's SFTTrainer with three changes: our order, a stop before non-finite weights, and float32 LoRA weights."""

import math
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from torch.utils.data import Sampler
from trl import SFTTrainer

from onkocode.config.schema import Training


class NonFiniteError(RuntimeError):
    """The loss or gradient is not finite; the weights are still those of the step before."""


class EpochTrainer(SFTTrainer):  # type: ignore[misc]
    """SFTTrainer that takes questions in a given order and stops before an optimizer step on non-finite gradients."""

    order: Sampler[int]

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self.order

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        # Callbacks on logs come after the optimizer step, when the weights are lost already.
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if not math.isfinite(float(norm)) or not math.isfinite(float(self._tr_loss)):
            raise NonFiniteError(
                f"step {self.state.global_step + 1}: gradient norm {float(norm)}, loss sum {float(self._tr_loss)}"
            )
        return norm


def add_lora(model: Any, settings: Training) -> Any:
    """Put freshly initialised LoRA matrices on a base model; they are kept in float32.

    PEFT casts the adapters of quantised bases to bf16 but reloads them as float32, so only float32 resumes exactly.
    """
    if settings.quantisation != "none":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=settings.activation_checkpointing)
    torch.manual_seed(settings.seed)
    targets = settings.target_modules
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=targets if targets is None or isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(model, config)
    keep_float32(model)
    return model


def keep_float32(model: Any) -> None:
    """Cast the trainable parameters to float32."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
