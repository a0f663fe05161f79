"""Attempts at an epoch: what went wrong, what changes next, and what stays changed for later epochs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onkocode.config.training import Training
from onkocode.records.errors import InputError
from onkocode.records.files import write_text

ATTEMPTS_FILE = "attempts.jsonl"
OVERRIDES_FILE = "overrides.json"
CHANGEABLE = ("learning_rate", "max_grad_norm", "batch_size", "gradient_accumulation")


@dataclass(frozen=True)
class Attempt:
    """A failed attempt.

    `step` is the optimizer step that was not taken, `resumed_from` the step of the save that the attempt began with,
    `losses` what it had logged after the last save, which the next attempt goes over again: step, epoch, loss.
    `overrides` is what the next attempt changes, over all attempts together.
    """

    cause: str  # non-finite | out-of-memory
    message: str
    epoch: int
    step: int
    resumed_from: int
    losses: list[tuple[int, float, float]]
    overrides: dict[str, Any]


def read_attempts(path: Path) -> list[Attempt]:
    """Return the failed attempts of a job; a line that was cut off by a kill is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [Attempt(**json.loads(line)) for line in lines]


def write_attempts(attempts: list[Attempt], path: Path) -> None:
    """Write the failed attempts of a job, atomically; an empty file says that there were none."""
    write_text(path, "".join(json.dumps(asdict(attempt), ensure_ascii=False) + "\n" for attempt in attempts))


def read_overrides(previous: Path | None) -> dict[str, Any]:
    """Return the overrides that the epoch before ended with."""
    path = previous / "state" / OVERRIDES_FILE if previous else None
    if path is None or not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def in_force(settings: Training, overrides: dict[str, Any]) -> Training:
    """Return the settings with overrides in force."""
    return settings.model_copy(update={key: overrides[key] for key in CHANGEABLE if key in overrides})


def next_overrides(
    cause: str, settings: Training, overrides: dict[str, Any], attempts: list[Attempt]
) -> dict[str, Any] | None:
    """Return what the next attempt changes; None when the policy has no further one.

    Args:
        cause: why the last attempt failed.
        settings: the recipe's values.
        overrides: those in force in the last attempt.
        attempts: earlier failed attempts at this epoch.
    """
    if cause == "out-of-memory":
        return _smaller_batches(in_force(settings, overrides), overrides)
    used = sum(attempt.cause == "non-finite" for attempt in attempts)
    if used >= len(settings.recovery):
        return None
    step = settings.recovery[used]
    changes = step.model_dump(exclude_none=True, exclude={"learning_rate", "learning_rate_factor"})
    rate = step.peak_rate(settings.learning_rate)
    return overrides | changes | ({} if rate is None else {"learning_rate": rate})


def _smaller_batches(now: Training, overrides: dict[str, Any]) -> dict[str, Any] | None:
    """Halve the questions that a device holds at once, at least, with as many per optimizer step as before."""
    together = now.batch_size * now.gradient_accumulation
    smaller = next((size for size in range(now.batch_size // 2, 0, -1) if together % size == 0), None)
    if smaller is None:
        return None
    return overrides | {"batch_size": smaller, "gradient_accumulation": together // smaller}


def check_gpus(overrides: dict[str, Any], visible: int) -> None:
    """Refuse to go on with fewer GPUs than the recovery policy asks for.

    Raises:
        InputError: fewer are visible.
    """
    wanted = overrides.get("gpus", 0)
    if visible < wanted:
        raise InputError(
            f"the recovery policy goes on with {wanted} GPUs, but this job sees {visible}; start it again with "
            f"{wanted} (a retry by the workflow asks for them)"
        )
