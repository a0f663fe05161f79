"""trl's SFTTrainer with our order, a stop before non-finite weights, exact logs and a changeable learning rate."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from torch.utils.data import Sampler
from trl import SFTTrainer

from onkocode.config.training import Training
from onkocode.models.costs import model_shapes, rank_and_alpha
from onkocode.training.seams import BUILT, SCHEDULE, HookCalls, check_attributes, check_hooks


class NonFiniteError(RuntimeError):
    """The loss or gradient is not finite; the weights are still those of the step before."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class StandstillError(RuntimeError):
    """Step after step the gradient is exactly 0, so nothing is learned."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class Standstill:
    """Counts optimizer steps in a row whose gradient is exactly 0.

    Rounding makes a loss of exactly 0 out of a text that is known by heart, but hardly such a gradient, so the gradient
    is what counts.

    Args:
        patience: steps in a row that are too many.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.steps, self.loss = 0, 0.0

    def reached(self, norm: float, loss: float) -> bool:
        """Take note of a step's gradient norm and loss; tells whether these were too many."""
        if norm != 0:
            self.steps, self.loss = 0, 0.0
            return False
        self.steps, self.loss = self.steps + 1, self.loss + loss
        return self.steps >= self.patience


class EpochTrainer(SFTTrainer):  # type: ignore[misc]
    """SFTTrainer that takes questions in a given order and stops before an optimizer step that would spoil or waste.

    `standstill` counts the steps without a gradient.

    Raises:
        InputError: the libraries have changed a private part on which this rests.
    """

    order: Sampler[int]
    standstill: Standstill
    _loss_before: tuple[int, float] = (-1, 0.0)

    def __init__(self, *, callbacks: Sequence[Any] = (), **named: Any) -> None:
        check_hooks(SFTTrainer)
        self.hooks = HookCalls(self)
        super().__init__(callbacks=[self.hooks, *callbacks], **named)
        check_attributes(self, BUILT)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        self.hooks.count["_get_train_sampler"] += 1
        return self.order

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        self.hooks.count["_get_grad_norm"] += 1
        # Callbacks on logs come after the optimizer step, when the weights are lost already.
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if not math.isfinite(float(norm)) or not math.isfinite(float(self._tr_loss)):
            step = self.state.global_step + 1
            raise NonFiniteError(f"step {step}: gradient norm {float(norm)}, loss sum {float(self._tr_loss)}", step)
        self._refuse_standstill(float(norm))
        return norm

    def _refuse_standstill(self, norm: float) -> None:
        logged, total = self._globalstep_last_logged, float(self._tr_loss)  # a sum that begins again with every log
        loss = total - (self._loss_before[1] if self._loss_before[0] == logged else 0.0)
        self._loss_before = (logged, total)
        if not self.standstill.reached(norm, loss):
            return
        learned = any(row.get("loss", 0.0) > 0 for row in self.state.log_history)
        if self.standstill.loss == 0 and learned:
            return  # all questions are known by heart
        step = self.state.global_step + 1
        what = "gradient and loss were" if self.standstill.loss == 0 else "the gradient, but not the loss, was"
        raise StandstillError(f"step {step}: {what} exactly 0 for {self.standstill.steps} steps", step)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        self.hooks.count["_load_optimizer_and_scheduler"] += 1
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            set_learning_rate(self.optimizer, self.lr_scheduler, self.args.learning_rate)

    def _save_rng_state(self, output_dir: str) -> None:
        """Save with the random states what was not logged yet: a mean over steps before and after the save."""
        self.hooks.count["_save_rng_state"] += 1
        super()._save_rng_state(output_dir)
        unlogged = {
            "loss": float(self._tr_loss),
            "last_logged": self._globalstep_last_logged,
            "metrics": dict(self._metrics["train"]),
        }
        self._unlogged(output_dir).write_text(json.dumps(unlogged), encoding="utf-8")

    def _load_rng_state(self, checkpoint: str | None) -> None:
        self.hooks.count["_load_rng_state"] += 1
        super()._load_rng_state(checkpoint)
        if checkpoint is None or not self._unlogged(checkpoint).is_file():
            return
        unlogged = json.loads(self._unlogged(checkpoint).read_text(encoding="utf-8"))
        self._tr_loss.fill_(unlogged["loss"])
        self._globalstep_last_logged = unlogged["last_logged"]
        self._loss_before = (unlogged["last_logged"], unlogged["loss"])
        self._metrics["train"].clear()
        self._metrics["train"].update(unlogged["metrics"])

    def _unlogged(self, directory: str) -> Path:
        return Path(directory) / f"unlogged_{self.args.process_index}.json"


def set_learning_rate(optimizer: Any, scheduler: Any, rate: float) -> None:
    """Let a schedule that was loaded go on with another peak rate, which loading would silently ignore.

    Args:
        optimizer: loaded optimizer.
        scheduler: its loaded LambdaLR schedule.
        rate: the peak learning rate.

    Raises:
        InputError: torch or accelerate have changed a private part on which this rests.
    """
    schedule = getattr(scheduler, "scheduler", scheduler)  # accelerate wraps it
    check_attributes(schedule, SCHEDULE)
    if all(base == rate for base in schedule.base_lrs):
        return
    schedule.base_lrs = [rate for _ in schedule.base_lrs]
    factors = [factor(schedule.last_epoch) for factor in schedule.lr_lambdas]
    for group, factor in zip(optimizer.param_groups, factors, strict=True):
        group["initial_lr"], group["lr"] = rate, rate * factor
    schedule._last_lr = [rate * factor for factor in factors]


def add_lora(model: Any, settings: Training) -> Any:
    """Put freshly initialised LoRA matrices on a base model; they are kept in float32.

    PEFT casts the adapters of quantised bases to bf16 but reloads them as float32, so only float32 resumes exactly.
    """
    if settings.quantisation != "none":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=settings.activation_checkpointing)
    torch.manual_seed(settings.seed)
    targets = settings.target_modules
    rank, alpha = rank_and_alpha(settings, model.config.model_type, model_shapes(model))
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
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
