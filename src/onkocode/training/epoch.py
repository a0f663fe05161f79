"""Training of one epoch, in as many attempts as it needs: from questions and the epoch before to adapter and state."""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import torch

from onkocode.config.base import Mark
from onkocode.config.marks import effective, marked
from onkocode.config.training import Training
from onkocode.models.locate import weights_identity
from onkocode.models.model_files import tensor_sizes
from onkocode.models.prompts import PromptFormat, encode_examples, prompt_format
from onkocode.models.tokenizing import load_tokenizer
from onkocode.records.endings import cause_of
from onkocode.records.errors import InputError, ShortageError, StoppedError
from onkocode.records.files import write_text
from onkocode.records.ids import canonical_json, digest, hash_file, hash_rows
from onkocode.records.ownership import check_owned
from onkocode.records.room import no_room
from onkocode.tracking import TrackedRun
from onkocode.training.attempts import (
    ATTEMPTS_FILE,
    OVERRIDES_FILE,
    Attempt,
    check_gpus,
    in_force,
    next_attempt,
    read_attempts,
    read_overrides,
    write_attempts,
)
from onkocode.training.checkpoints import (
    ADAPTER_FILES,
    LOG_FILE,
    assemble,
    is_complete,
    latest_checkpoint,
    publish,
    step_of,
)
from onkocode.training.fit import EpochData, Outcome, fit, step_size
from onkocode.training.room import check_room, remove_unfinished, save_size
from onkocode.training.sampler import EpochOrder

Launch = Callable[[Training, Path | None, int], Outcome]


@dataclass(frozen=True)
class EpochJob:
    """Paths of one training job. `previous` is the directory of the epoch before, None for the first."""

    base: Path
    epoch: int
    previous: Path | None
    scratch: Path
    output: Path


def train_epoch(
    job: EpochJob, questions: pl.DataFrame, settings: Training, run: TrackedRun, launch: Launch | None = None
) -> dict[str, Any]:
    """Train one epoch and write `adapter/`, `state/`, `metrics.jsonl` and `attempts.jsonl` below the job's output.

    An interrupted job goes on from its last whole save in scratch and ends with the weights of an undisturbed one. The
    caller removes scratch once everything that belongs to the output is written.

    Args:
        job: the paths.
        questions: schema Questions; only the split `train` is used.
        settings: the recipe's training values.
        run: the W&B run, possibly switched off.
        launch: starts the processes of an attempt; needed where settings.processes > 1.

    Returns:
        Facts for the provenance.

    Raises:
        InputError: no questions, a question that is too long, an epoch before that does not fit, non-finite gradients
            or missing memory after the last attempt of the policy, gradients that stay 0, or a full disk.
        StoppedError: somebody asked to stop; everything up to there is saved.
    """
    try:
        return _train(job, questions, settings, run, launch)
    except Exception as error:
        if cause_of(error) == "disk-full":
            remove_unfinished(job.scratch, job.output)  # what filled the disk is of no use to anybody
        raise


def _train(
    job: EpochJob, questions: pl.DataFrame, settings: Training, run: TrackedRun, launch: Launch | None
) -> dict[str, Any]:
    """Train one epoch, as `train_epoch` says."""
    form, data = epoch_data(job, questions, settings)
    overrides = read_overrides(job.previous)
    _open_scratch(job, settings, overrides, data.examples)
    log = job.scratch / ATTEMPTS_FILE
    attempts = read_attempts(log)
    if attempts:
        overrides = attempts[-1].overrides
    while True:
        check_gpus(overrides, torch.cuda.device_count())
        now = in_force(settings, overrides)
        data = with_order(data, now)
        steps = math.ceil(len(data.examples) / step_size(now))
        resume = _start(job, settings, now, len(data.examples))
        final = job.scratch / f"checkpoint-{steps * job.epoch}"
        if is_complete(final):
            break  # the job was killed between the last save and its publication
        check_room(job.scratch, save_size(job.base, now))
        number = len(attempts) + 1
        outcome = fit(data, now, resume, number, run) if launch is None else launch(now, resume, number)
        if outcome.status in ("stopped", "disk-full"):
            raise _left(outcome, job, now)
        if outcome.status == "done":
            break
        attempts.append(_failed(outcome, job, resume, settings, overrides, attempts))
        write_attempts(attempts, log)
        overrides = attempts[-1].overrides
    check_owned(job.scratch, job.output)
    write_text(final / OVERRIDES_FILE, canonical_json(overrides) + "\n")
    publish(final, job.output / "adapter", job.output / "state", job.scratch / LOG_FILE, job.output / LOG_FILE)
    write_attempts(attempts, job.output / ATTEMPTS_FILE)
    return {
        "questions": len(data.examples),
        "steps": steps * job.epoch,
        "trainable_parameters": sum(tensor_sizes(final / ADAPTER_FILES[1]).values()),
        "prompt_sha256": form.sha256,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "failed_attempts": len(attempts),
        "overrides": overrides,
    }


def epoch_data(job: EpochJob, questions: pl.DataFrame, settings: Training) -> tuple[PromptFormat, EpochData]:
    """Tokenise the training questions; raises InputError when there are none or one is too long."""
    rows = questions.filter(pl.col("split") == "train").sort("question_id")
    if rows.is_empty():
        raise InputError("the data set has no training questions")
    tokenizer = load_tokenizer(job.base)
    form = prompt_format(tokenizer, settings.system_prompt)
    answers = rows["answer"].to_list()
    examples = encode_examples(tokenizer, form, rows["question"].to_list(), answers, settings.loss, settings.max_length)
    lengths = [len(example["input_ids"]) for example in examples]
    ids = rows["question_id"].to_list()
    order = EpochOrder(ids, lengths, settings.seed, step_size(settings), settings.group_by_length)
    return form, EpochData(job.base, job.scratch, job.epoch, tokenizer, examples, order)


def with_order(data: EpochData, settings: Training) -> EpochData:
    """Return the data with the order that belongs to the settings' batches."""
    old = data.order
    return replace(
        data, order=EpochOrder(old.ids, old.lengths, settings.seed, step_size(settings), settings.group_by_length)
    )


def _start(job: EpochJob, settings: Training, now: Training, count: int) -> Path | None:
    """Return the checkpoint that the next attempt goes on from; None = fresh LoRA matrices.

    Saves of this epoch count only while the questions per optimizer step are theirs.
    """
    mark = job.scratch / "step_size"
    if not (mark.is_file() and mark.read_text(encoding="utf-8") == str(step_size(now))):
        for stale in job.scratch.glob("checkpoint-*"):
            shutil.rmtree(stale)
        (job.scratch / LOG_FILE).unlink(missing_ok=True)
        write_text(mark, str(step_size(now)))
    resume = latest_checkpoint(job.scratch)
    if resume is not None or job.previous is None:
        return resume
    before = math.ceil(count / step_size(in_force(settings, read_overrides(job.previous))))
    steps = math.ceil(count / step_size(now))
    return assemble(job.previous, job.scratch, before * (job.epoch - 1), steps * (job.epoch - 1))


def _failed(
    outcome: Outcome,
    job: EpochJob,
    resume: Path | None,
    settings: Training,
    overrides: dict[str, Any],
    attempts: list[Attempt],
) -> Attempt:
    """Return the record of a failed attempt; raises InputError when nothing is left to try."""
    save = latest_checkpoint(job.scratch) or resume
    following = next_attempt(outcome.status, settings, overrides, attempts)
    if following is None:
        record = {"epoch": job.epoch, "step": outcome.step, "cause": outcome.status, "message": outcome.message}
        write_text(job.scratch / "failure.json", json.dumps(record | {"attempts": len(attempts) + 1}) + "\n")
        message = f"{_account(outcome, len(attempts) + 1)} The last good save is {save or 'the base model'}."
        raise ShortageError(message, outcome.lack) if outcome.lack else InputError(message)
    changed, entry = following
    rows = [json.loads(line) for line in _log_lines(job.scratch / LOG_FILE)]
    last = step_of(save) if save else 0
    losses = [(int(row["step"]), float(row["epoch"]), float(row["loss"])) for row in rows if row["step"] > last]
    return Attempt(
        cause=outcome.status,
        message=outcome.message,
        epoch=job.epoch,
        step=outcome.step,
        resumed_from=step_of(resume) if resume else 0,
        losses=losses,
        overrides=changed,
        entry=entry,
    )


def _account(outcome: Outcome, attempts: int) -> str:
    """Say plainly why training ended and what a person can do."""
    if outcome.status == "out-of-memory":
        return (
            f"out of memory with a single question per device ({outcome.message}); turn on activation_checkpointing, "
            "quantise the base, or give the recipe more or larger GPUs."
        )
    if outcome.status == "standstill":
        return (
            f"training stopped since nothing was learned: {outcome.message}; run prepare-model again, which checks "
            "tokenizer, chat template and weights of the base, and look at target_modules of the recipe."
        )
    return (
        f"training stopped before the weights were damaged: {outcome.message} (attempt {attempts}); lower "
        "learning_rate, set max_grad_norm, or add a step to training.recovery in the recipe."
    )


def _left(outcome: Outcome, job: EpochJob, settings: Training) -> Exception:
    save = latest_checkpoint(job.scratch)
    where = f"the last whole save is {save}" if save else "nothing was saved yet"
    if outcome.status == "stopped":
        return StoppedError(f"asked to stop, or out of time; {where}; start the same job again to go on")
    remove_unfinished(job.scratch)
    return no_room(job.scratch, outcome.message, save_size(job.base, settings), where)


def _log_lines(log: Path) -> list[str]:
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return [line for line in lines if line.endswith("}")]


def _open_scratch(
    job: EpochJob, settings: Training, overrides: dict[str, Any], examples: Sequence[dict[str, list[int]]]
) -> None:
    """Make the scratch directory, without saves of a job with other settings, data, base or epoch before."""
    passed_over = marked(Training, Mark.NEUTRAL, Mark.ASIDE)
    chosen = {key: value for key, value in effective(settings).items() if key not in passed_over}
    before = hash_file(job.previous / "adapter" / ADAPTER_FILES[1]) if job.previous else None
    data = hash_rows((example["input_ids"], example["labels"]) for example in examples)
    key = digest(job.epoch, canonical_json([chosen, overrides]), weights_identity(job.base), before, data)
    mark = job.scratch / "job.sha256"
    if not (mark.is_file() and mark.read_text(encoding="utf-8") == key):
        for stale in [*job.scratch.glob("checkpoint-*"), *job.scratch.glob("previous-*")]:
            shutil.rmtree(stale)
        for name in (LOG_FILE, ATTEMPTS_FILE):
            (job.scratch / name).unlink(missing_ok=True)
    job.scratch.mkdir(parents=True, exist_ok=True)
    remove_unfinished(job.scratch)  # of a job that was killed
    write_text(mark, key)
