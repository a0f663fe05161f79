"""One attempt at an epoch: the trainer, its arguments, and how it ended."""

import gc
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from transformers import DataCollatorForSeq2Seq
from trl import SFTConfig

from onkocode.config.training import Training
from onkocode.models.architectures import read_architecture
from onkocode.models.costs import flop_per_token
from onkocode.models.gpus import peak_flops
from onkocode.models.loading import load_base
from onkocode.records.endings import cause_of
from onkocode.records.errors import InputError, Lack
from onkocode.records.limits import seconds_left
from onkocode.records.stopping import StopRequest, listening
from onkocode.tracking import TrackedRun
from onkocode.training.callbacks import EpochLog, Headway, Saves
from onkocode.training.checkpoints import LOG_FILE, step_of, truncate_log
from onkocode.training.sampler import EpochOrder
from onkocode.training.trainer import (
    EpochTrainer,
    NonFiniteError,
    Standstill,
    StandstillError,
    add_lora,
    keep_float32,
)

PATIENCE = 10  # steps without a gradient before an attempt ends: none in training that works, and soon over

Status = Literal["done", "stopped", "non-finite", "standstill", "out-of-memory", "disk-full"]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    `step` is the optimizer step that was not taken, where that is known; `lack` what was used up: memory, gpu-memory or
    disk-full.
    """

    status: Status
    message: str = ""
    step: int = 0
    lack: Lack | None = None


@dataclass(frozen=True)
class EpochData:
    """What an attempt trains on: base model, tokenised questions and their order, and where the epoch ends."""

    base: Path
    scratch: Path
    epoch: int
    tokenizer: Any
    examples: list[dict[str, list[int]]]
    order: EpochOrder


def step_size(settings: Training) -> int:
    """Return the questions per optimizer step, over all processes."""
    return settings.batch_size * settings.gradient_accumulation * settings.processes


def fit(data: EpochData, settings: Training, resume: Path | None, attempt: int, run: TrackedRun) -> Outcome:
    """Train from `resume`, or from fresh LoRA matrices, to the save at the end of the epoch.

    Args:
        data: questions, base model and directories.
        settings: the values in force in this attempt.
        resume: checkpoint to go on from.
        attempt: its number, 1 for the first; stands in the log.
        run: the W&B run, possibly switched off.
    """
    outcome = _outcome(data, settings, resume, attempt, run)
    if outcome.status not in ("done", "stopped"):
        gc.collect()  # the model of a failed attempt must be gone before the next one is loaded
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return outcome


def _outcome(data: EpochData, settings: Training, resume: Path | None, attempt: int, run: TrackedRun) -> Outcome:
    try:
        stopped = _fit(data, settings, resume, attempt, run)
    except NonFiniteError as error:
        return Outcome("non-finite", str(error), error.step)
    except StandstillError as error:
        return Outcome("standstill", str(error), error.step)
    except Exception as error:  # the writer of tokenizers raises nothing more precise
        lack = cause_of(error)
        if lack not in ("memory", "gpu-memory", "disk-full"):
            raise
        message = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return Outcome("disk-full" if lack == "disk-full" else "out-of-memory", message, lack=lack)
    return Outcome("stopped" if stopped else "done")


def _fit(data: EpochData, settings: Training, resume: Path | None, attempt: int, run: TrackedRun) -> bool:
    """Train; returns whether it was to stop before the end."""
    model = add_lora(load_base(data.base, settings.quantisation, settings.precision), settings)
    log = _epoch_log(data, settings, resume, attempt, _cost(data, model), run)
    request = StopRequest(data.scratch, seconds_left())
    trainer = EpochTrainer(
        model=model,
        args=_arguments(data, settings),
        train_dataset=Dataset.from_list(data.examples),
        processing_class=data.tokenizer,
        data_collator=DataCollatorForSeq2Seq(data.tokenizer, padding=True),
        callbacks=[
            log,
            Saves(data.epoch, log.last_step, settings.save_minutes, request),
            Headway(data.scratch, log.first_step, log.last_step),
        ],
    )
    trainer.order = data.order
    trainer.standstill = Standstill(min(PATIENCE, log.last_step - log.first_step))
    keep_float32(trainer.model)  # the trainer casts them to bf16 on quantised bases
    with listening(request):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    return bool(trainer.state.global_step < log.last_step)


def _cost(data: EpochData, model: Any) -> tuple[float, float | None] | None:
    """Return operations per token, and the peak rate of the GPUs in use; None for an unknown architecture."""
    try:
        architecture = read_architecture(data.base)
    except InputError:
        return None
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    labelled = sum(label != -100 for example in data.examples for label in example["labels"])
    share = labelled / sum(len(example["labels"]) for example in data.examples)
    peaks = [peak_flops(torch.cuda.get_device_name(index)) for index in range(torch.cuda.device_count())]
    known = [peak for peak in peaks if peak is not None]
    peak = sum(known) if known and len(known) == len(peaks) else None
    return flop_per_token(architecture, trainable, share), peak


def _epoch_log(
    data: EpochData,
    settings: Training,
    resume: Path | None,
    attempt: int,
    cost: tuple[float, float | None] | None,
    run: TrackedRun,
) -> EpochLog:
    """Return the log callback, with rows that an interrupted attempt wrote after its last save dropped."""
    size = step_size(settings)
    in_order = [data.order.lengths[index] for index in data.order.order(data.epoch - 1)]
    counts = [sum(in_order[start : start + size]) for start in range(0, len(in_order), size)]
    path = data.scratch / LOG_FILE
    truncate_log(path, step_of(resume) if resume else 0)
    rows = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    seconds = json.loads(rows[-1])["seconds"] if rows else 0.0
    return EpochLog(path, counts, (data.epoch - 1) * len(counts), seconds, attempt, size, cost, run)


def _arguments(data: EpochData, settings: Training) -> SFTConfig:
    """Return the trainer's arguments; every value that matters is set, because library defaults move."""
    schedule = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}[settings.schedule]
    on_gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(data.scratch),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=schedule,
        warmup_steps=settings.warmup_share,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch",
        bf16=settings.precision == "bf16" and on_gpu,
        fp16=False,
        activation_checkpointing=settings.activation_checkpointing,
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        use_cpu=not on_gpu,
        ddp_find_unused_parameters=False,
        seed=settings.seed,
        data_seed=settings.seed,
        logging_strategy="steps",
        logging_steps=settings.log_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="no",  # the callback `Saves` asks for saves
        save_total_limit=2,  # the last one, and the one before should it be damaged
        eval_strategy="no",
        report_to=[],
        dataloader_num_workers=0,
        disable_tqdm=False,
    )
