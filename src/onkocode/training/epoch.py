"""Training of one epoch: from questions and the epoch before to an adapter and a state."""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from datasets import Dataset
from transformers import DataCollatorForSeq2Seq
from trl import SFTConfig

from onkocode.config.schema import Training
from onkocode.models.loading import load_base, load_tokenizer
from onkocode.models.prompts import encode_examples, prompt_format
from onkocode.models.sources import tensor_sizes, weights_identity
from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.records.ids import canonical_json, digest, hash_file, hash_rows
from onkocode.tracking import Run
from onkocode.training.callbacks import EpochLog, Saves
from onkocode.training.checkpoints import (
    ADAPTER_FILES,
    LOG_FILE,
    assemble,
    latest_checkpoint,
    publish,
    step_of,
    truncate_log,
)
from onkocode.training.order import EpochOrder
from onkocode.training.trainer import EpochTrainer, NonFiniteError, add_lora, keep_float32


@dataclass(frozen=True)
class EpochJob:
    """Paths of one training job. `previous` is the directory of the epoch before, None for the first."""

    base: Path
    epoch: int
    previous: Path | None
    scratch: Path
    output: Path


def train_epoch(job: EpochJob, questions: pl.DataFrame, settings: Training, run: Run) -> dict[str, Any]:
    """Train one epoch and write `adapter/`, `state/` and `metrics.jsonl` below the job's output.

    An interrupted job goes on from its last whole save in scratch and ends with the weights of an undisturbed one. The
    caller removes scratch once everything that belongs to the output is written.

    Args:
        job: the paths.
        questions: schema QUESTIONS; only the split `train` is used.
        settings: the recipe's training values.
        run: the W&B run, possibly switched off.

    Returns:
        Facts for the provenance.

    Raises:
        InputError: no questions, a question that is too long, an epoch before that does not fit, or a non-finite
            gradient.
    """
    rows = questions.filter(pl.col("split") == "train").sort("question_id")
    if rows.is_empty():
        raise InputError("the data set has no training questions")
    tokenizer = load_tokenizer(job.base)
    form = prompt_format(tokenizer, settings.system_prompt)
    answers = rows["answer"].to_list()
    examples = encode_examples(tokenizer, form, rows["question"].to_list(), answers, settings.loss, settings.max_length)
    lengths = [len(example["input_ids"]) for example in examples]
    order = EpochOrder(
        rows["question_id"].to_list(), lengths, settings.seed, _step_size(settings), settings.group_by_length
    )
    steps = math.ceil(rows.height / _step_size(settings))

    _open_scratch(job, settings, examples)
    resume = latest_checkpoint(job.scratch)
    if resume is None and job.previous is not None:
        resume = assemble(job.previous, job.scratch)
        if step_of(resume) != steps * (job.epoch - 1):
            raise InputError(
                f"{job.previous}: ends at step {step_of(resume)}, but epoch {job.epoch} begins at step "
                f"{steps * (job.epoch - 1)}; it was trained on other data or in other batches, train it again"
            )
    done = step_of(resume) if resume else 0
    if done < steps * job.epoch:  # else the job was killed between the last save and its publication
        _fit(job, settings, tokenizer, examples, order, resume, run)
    final = job.scratch / f"checkpoint-{steps * job.epoch}"
    publish(final, job.output / "adapter", job.output / "state", job.scratch / LOG_FILE, job.output / LOG_FILE)
    return {
        "questions": rows.height,
        "steps": steps * job.epoch,
        "trainable_parameters": sum(tensor_sizes(final / ADAPTER_FILES[1]).values()),
        "prompt_sha256": form.sha256,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }


def _open_scratch(job: EpochJob, settings: Training, examples: Sequence[dict[str, list[int]]]) -> None:
    """Make the scratch directory, without saves of a job with other settings, data, base or epoch before."""
    chosen = settings.model_dump(mode="json", exclude={"save_minutes", "log_steps"})
    before = hash_file(job.previous / "adapter" / ADAPTER_FILES[1]) if job.previous else None
    data = hash_rows((example["input_ids"], example["labels"]) for example in examples)
    key = digest(job.epoch, canonical_json(chosen), weights_identity(job.base), before, data)
    mark = job.scratch / "job.sha256"
    if not (mark.is_file() and mark.read_text(encoding="utf-8") == key):
        for stale in [*job.scratch.glob("checkpoint-*"), *job.scratch.glob("previous-*")]:
            shutil.rmtree(stale)
        (job.scratch / LOG_FILE).unlink(missing_ok=True)
    job.scratch.mkdir(parents=True, exist_ok=True)
    write_text(mark, key)


def _fit(
    job: EpochJob,
    settings: Training,
    tokenizer: Any,
    examples: list[dict[str, list[int]]],
    order: EpochOrder,
    resume: Path | None,
    run: Run,
) -> None:
    """Train from `resume`, or from fresh LoRA matrices, to the save at the end of the epoch."""
    model = add_lora(load_base(job.base, settings.quantisation, settings.precision), settings)
    log = _epoch_log(job, order, settings, resume, run)
    trainer = EpochTrainer(
        model=model,
        args=_arguments(job, settings),
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True),
        callbacks=[log, Saves(job.epoch, log.last_step, settings.save_minutes)],
    )
    trainer.order = order
    keep_float32(trainer.model)  # the trainer casts them to bf16 on quantised bases
    try:
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    except NonFiniteError as error:
        record = {"epoch": job.epoch, "cause": "non-finite", "message": str(error)}
        write_text(job.scratch / "failure.json", json.dumps(record) + "\n")
        raise InputError(
            f"training stopped before the weights were damaged: {error}. The last good save is "
            f"{latest_checkpoint(job.scratch) or resume or 'the base model'}; lower learning_rate or set max_grad_norm "
            "in the recipe"
        ) from None


def _step_size(settings: Training) -> int:
    return settings.batch_size * settings.gradient_accumulation


def _epoch_log(job: EpochJob, order: EpochOrder, settings: Training, resume: Path | None, run: Run) -> EpochLog:
    """Return the log callback, with rows that an interrupted attempt wrote after its last save dropped."""
    size = _step_size(settings)
    in_order = [order.lengths[index] for index in order.order(job.epoch - 1)]
    counts = [sum(in_order[start : start + size]) for start in range(0, len(in_order), size)]
    path = job.scratch / LOG_FILE
    truncate_log(path, step_of(resume) if resume else 0)
    rows = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    seconds = json.loads(rows[-1])["seconds"] if rows else 0.0
    return EpochLog(path, counts, (job.epoch - 1) * len(counts), seconds, run)


def _arguments(job: EpochJob, settings: Training) -> SFTConfig:
    """Return the trainer's arguments; every value that matters is set, because library defaults move."""
    schedule = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}[settings.schedule]
    on_gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(job.scratch),
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
