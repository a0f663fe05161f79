"""Attempts at an epoch: what went wrong, what changes next, and what stays changed for later epochs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onkocode.config.training import RecoveryStep, Training
from onkocode.records.errors import ShortageError
from onkocode.records.files import write_text

ATTEMPTS_FILE = "attempts.jsonl"
OVERRIDES_FILE = "overrides.json"
ENTRY = "recovery_entry"  # the last entry of the policy that changed something
CHANGEABLE = ("learning_rate", "max_grad_norm", "batch_size", "gradient_accumulation")


@dataclass(frozen=True)
class Attempt:
    """A failed attempt.

    `step` is the optimizer step that was not taken, `resumed_from` the step of the save that the attempt began with,
    `losses` what it had logged after the last save, which the next attempt goes over again: step, epoch, loss.
    `overrides` is what the next attempt changes, over all attempts together; `entry` the entry of the recovery policy
    that it takes, None where memory was missing.
    """

    cause: str  # non-finite | out-of-memory
    message: str
    epoch: int
    step: int
    resumed_from: int
    losses: list[tuple[int, float, float]]
    overrides: dict[str, Any]
    entry: int | None


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


def next_attempt(
    cause: str, settings: Training, overrides: dict[str, Any], attempts: list[Attempt]
) -> tuple[dict[str, Any], int | None] | None:
    """Return the overrides of the next attempt, and its entry of the policy; None when the policy has no further one.

    An entry that changed something stays in force for all later epochs, so none up to it is taken again: the rate would
    rise. Entries that change nothing (`{}`, another try) can be taken once in every epoch.

    Where the gradient stays 0, none could help.

    Args:
        cause: why the last attempt failed.
        settings: the recipe's values.
        overrides: those in force in the last attempt.
        attempts: earlier failed attempts at this epoch.
    """
    if cause == "standstill":
        return None
    if cause == "out-of-memory":
        smaller = _smaller_batches(in_force(settings, overrides), overrides)
        return None if smaller is None else (smaller, None)
    taken = max((attempt.entry for attempt in attempts if attempt.entry is not None), default=-1)
    for entry, step in enumerate(settings.recovery):
        changes = step.model_dump(exclude_none=True, exclude={"learning_rate", "learning_rate_factor", "max_grad_norm"})
        changes |= _calmer(step, settings, in_force(settings, overrides))
        if entry <= taken or (changes and entry <= overrides.get(ENTRY, -1)):
            continue
        return overrides | changes | ({ENTRY: entry} if changes else {}), entry
    return None


def _calmer(step: RecoveryStep, settings: Training, now: Training) -> dict[str, Any]:
    """Return rate and clipping of an entry, never above those in force: a preset's policy may not fit a recipe."""
    found: dict[str, Any] = {}
    rate = step.peak_rate(settings.learning_rate)
    if rate is not None:
        found["learning_rate"] = min(rate, now.learning_rate)
    if step.max_grad_norm is not None:
        found["max_grad_norm"] = min(step.max_grad_norm, now.max_grad_norm or step.max_grad_norm)
    return found


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
        ShortageError: fewer are visible.
    """
    wanted = overrides.get("gpus", 0)
    if visible < wanted:
        raise ShortageError(
            f"the recovery policy goes on with {wanted} GPUs, but this job sees {visible}; start it again with "
            f"{wanted} (a retry by the workflow asks for them)",
            "gpus",
        )
