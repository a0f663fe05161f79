"""Weights & Biases as a mirror of metrics.jsonl and of metric tables; never of texts or answers."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from onkocode.config.schema import Tracking
from onkocode.records.errors import InputError


class Run:
    """One W&B run per job, or nothing when tracking is off.

    Resuming does not work offline, so every job, epoch and attempt is a run of its own; runs of a model share a group.
    """

    def __init__(
        self, tracking: Tracking, model: str, job: str, epoch: int, config: Mapping[str, Any], folder: Path
    ) -> None:
        self._run: Any = None
        if tracking.mode == "off":
            return
        if tracking.mode == "online" and not os.environ.get("WANDB_API_KEY"):
            raise InputError("tracking.mode is online but WANDB_API_KEY is not set; set it, or use offline")
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=tracking.project,
            entity=tracking.entity,
            group=model,
            job_type=job,
            name=f"{model}-epoch-{epoch}-{job}",
            dir=folder,
            mode=tracking.mode,
            config=dict(config),
            # Console output and code may hold what must not leave this machine.
            settings=wandb.Settings(console="off", save_code=False, disable_git=True, silent=True),
        )
        self._run.define_metric("train/*", step_metric="train/global_step")
        self._run.define_metric("evaluate/*", step_metric="evaluate/epoch")

    def log(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers; ``step`` is the optimizer step."""
        if self._run is not None:
            self._run.log(dict(values) | ({} if step is None else {"train/global_step": step}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the run, as failed when the block ended with an error."""
        if self._run is not None:
            self._run.finish(exit_code=0 if kind is None else 1)
