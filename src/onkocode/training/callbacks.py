"""Trainer callbacks: the log, saves by the clock, the end of the epoch, and how far it is."""

import json
import resource
import sys
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from transformers import TrainerCallback

from onkocode.models.costs import throughput
from onkocode.records.ownership import check_owned
from onkocode.records.progress import Progress
from onkocode.records.stopping import StopRequest
from onkocode.tracking import TrackedRun
from onkocode.training.agreement import agree, in_parallel
from onkocode.training.checkpoints import mark_complete

LOGGED = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "mean_token_accuracy": "token_accuracy",
}


class EpochLog(TrainerCallback):  # type: ignore[misc]
    """Appends a row to metrics.jsonl at every log of the Trainer, and mirrors it to W&B.

    Args:
        path: metrics.jsonl in scratch.
        token_counts: tokens of each optimizer step of this epoch, in order.
        first_step: global step at which this epoch began.
        seconds_before: seconds that interrupted attempts at this epoch had spent up to the save resumed from.
        attempt: number of the attempt, 1 for the first.
        step_size: questions per optimizer step; the last step of an epoch may have fewer.
        cost: floating-point operations per token, and the peak rate of all GPUs; None where unknown.
        run: the W&B run, possibly switched off.
    """

    def __init__(
        self,
        path: Path,
        token_counts: list[int],
        first_step: int,
        seconds_before: float,
        attempt: int,
        step_size: int,
        cost: tuple[float, float | None] | None,
        run: TrackedRun,
    ) -> None:
        self.path, self.first_step, self.attempt, self.run = path, first_step, attempt, run
        self.step_size, self.cost = step_size, cost
        self.before: tuple[int, float] | None = None  # step and time of the row before
        self.last_step = first_step + len(token_counts)
        self.tokens = [0, *accumulate(token_counts)]
        self.seconds_before, self.start = seconds_before, time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Write one row; the Trainer's summary at the end of training, which has no loss, is left out."""
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        row: dict[str, Any] = {"step": state.global_step, "epoch": round(state.epoch, 6), "attempt": self.attempt}
        row |= {name: float(logs[key]) for key, name in LOGGED.items() if key in logs}
        row["tokens"] = self.tokens[min(state.global_step - self.first_step, len(self.tokens) - 1)]
        row["seconds"] = round(self.seconds_before + time.monotonic() - self.start, 3)
        row["peak_memory_mb"] = peak_memory_mb()
        row |= self._speed(state.global_step)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        self.run.log({f"train/{name}": value for name, value in row.items() if name != "step"}, row["step"])

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock of the first row with the first step, not with the loading before it."""
        if self.before is None:
            self.before = (state.global_step, time.monotonic())

    def _speed(self, step: int) -> dict[str, float]:
        """Return tokens and questions per second since the row before, and the share of the GPUs' peak."""
        begin, since = self.before or (step, time.monotonic())
        self.before = (step, time.monotonic())
        first, last = (min(number - self.first_step, len(self.tokens) - 1) for number in (begin, step))
        tokens, questions = self.tokens[last] - self.tokens[first], (step - begin) * self.step_size
        per_token, peak = self.cost or (0.0, None)
        speed = throughput(tokens, questions, self.before[1] - since, per_token, peak)
        return {name: round(value, 6) for name, value in speed.items() if value is not None}


class Saves(TrainerCallback):  # type: ignore[misc]
    """Saves every so many minutes and at the end of the epoch, which also ends the job.

    Args:
        epoch: the epoch of this job.
        last_step: global step at which it ends.
        minutes: between saves.
        request: tells whether the job was asked to stop.
    """

    def __init__(self, epoch: int, last_step: int, minutes: float, request: StopRequest) -> None:
        self.epoch, self.last_step, self.seconds, self.request = epoch, last_step, 60 * minutes, request
        self.saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Save when the time has come, or leave when asked to; the last step is saved once its row is logged."""
        if state.global_step == self.last_step:
            return
        if agree(time.monotonic() - self.saved >= self.seconds):  # a clock of its own would part the processes
            control.should_save = True
        if agree(self.request.here()):
            control.should_save = control.should_training_stop = True
        if control.should_save:
            check_owned(Path(args.output_dir))

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Log, save and stop at the end of the epoch, unless the job was asked to leave before."""
        if state.global_step == self.last_step:
            check_owned(Path(args.output_dir))
            control.should_log = control.should_save = control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the save as whole."""
        self.saved = time.monotonic()
        if in_parallel():
            distributed.barrier()  # every process has written its own files before the save counts as whole
        if state.is_world_process_zero:
            mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}", state.global_step, self.epoch)


class Headway(TrainerCallback):  # type: ignore[misc]
    """Writes how far the epoch is.

    Args:
        scratch: of the job.
        first_step: global step at which the epoch began.
        last_step: global step at which it ends.
    """

    def __init__(self, scratch: Path, first_step: int, last_step: int) -> None:
        self.scratch, self.first_step, self.last_step = scratch, first_step, last_step
        self.progress: Progress | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin to count, in one of the processes that train together."""
        if state.is_world_process_zero:
            done = state.global_step - self.first_step
            self.progress = Progress(self.scratch, "training", self.last_step - self.first_step, done)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Remember the last loss."""
        if self.progress is not None and logs and "loss" in logs:
            self.progress.loss = float(logs["loss"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write, where it is time to."""
        if self.progress is not None:
            self.progress.advance(state.global_step - self.first_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write how far this try came."""
        if self.progress is not None:
            self.progress.close()


def peak_memory_mb() -> float:
    """Return the peak memory of this process: of the GPUs when there are any, else resident main memory."""
    if torch.cuda.is_available():
        return round(float(sum(map(torch.cuda.max_memory_allocated, range(torch.cuda.device_count())))) / 2**20, 1)
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale, 1)
