"""A training job that is killed at a chosen step, at a chosen place within it. Runs in a process of its own."""

import os
import signal
from pathlib import Path
from typing import Any

from onkocode.records.schemas import read_table
from onkocode.training import checkpoints, epoch
from onkocode.training.callbacks import Saves
from onkocode.training.trainer import EpochTrainer
from tests.unit.training_jobs import train

PLACES = ("forward", "gradient", "weights-saved", "before-mark", "after-mark", "published-adapter")


def run(base: Path, table: Path, folder: Path, number: int, changes: dict[str, Any], step: int, place: str) -> None:
    """Train an epoch with a save at every step, and die at ``step`` (0 = do not)."""
    if step:
        _arm(step, place)
    train(base, read_table(table, "questions"), folder, number, save_minutes=1e-9, **changes)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(step: int, place: str) -> None:
    training_step, grad_norm = EpochTrainer.training_step, EpochTrainer._get_grad_norm
    save_states, on_save, mark = EpochTrainer._save_rng_state, Saves.on_save, checkpoints.publish

    def forward(trainer: Any, *rest: Any) -> Any:
        if place == "forward" and trainer.state.global_step + 1 == step:
            _die()
        return training_step(trainer, *rest)

    def gradient(trainer: Any, *rest: Any, **named: Any) -> Any:
        if place == "gradient" and trainer.state.global_step + 1 == step:
            _die()
        return grad_norm(trainer, *rest, **named)

    def states(trainer: Any, output_dir: str) -> None:
        if place == "weights-saved" and trainer.state.global_step == step:
            _die()
        save_states(trainer, output_dir)

    def saved(callback: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if place == "before-mark" and state.global_step == step:
            _die()
        on_save(callback, args, state, control, **kwargs)
        if place == "after-mark" and state.global_step == step:
            _die()

    def publish(checkpoint: Path, adapter: Path, state: Path, log: Path, metrics: Path) -> None:
        mark(checkpoint, adapter, state, log, metrics)
        if place == "published-adapter":
            _die()

    for owner, name, replacement in (
        (EpochTrainer, "training_step", forward),
        (EpochTrainer, "_get_grad_norm", gradient),
        (EpochTrainer, "_save_rng_state", states),
        (Saves, "on_save", saved),
        (epoch, "publish", publish),
    ):
        setattr(owner, name, replacement)
