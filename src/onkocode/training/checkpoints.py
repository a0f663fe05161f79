"""Checkpoints: saves within an epoch (scratch), and the finished epoch as adapter and state."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from onkocode.models.locate import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from onkocode.records.errors import InputError
from onkocode.records.files import new_directory

COMPLETE = "complete.json"
ADAPTER_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
STATE_FILES = ("optimizer.pt", "scheduler.pt", "trainer_state.json")
LOG_FILE = "metrics.jsonl"


def mark_complete(checkpoint: Path, step: int, epoch: int) -> None:
    """Write the mark that a checkpoint is whole, with the size of each file; the last thing that a save does."""
    write_sizes(checkpoint, {"step": step, "epoch": epoch})


def write_sizes(directory: Path, facts: dict[str, int]) -> None:
    """Write the sizes of all files of a directory into it, with further facts."""
    sizes = {file.name: file.stat().st_size for file in sorted(directory.iterdir()) if file.is_file()}
    temporary = directory / f".{COMPLETE}.tmp"
    temporary.write_text(json.dumps(facts | {"sizes": sizes}), encoding="utf-8")
    temporary.replace(directory / COMPLETE)


def damaged(directory: Path, needed: Sequence[str]) -> list[Path]:
    """Return the files of a directory that are missing or not in their marked size, and needed ones without a mark."""
    try:
        sizes = json.loads((directory / COMPLETE).read_text(encoding="utf-8"))["sizes"]
    except (OSError, ValueError, KeyError, TypeError):
        return [directory / COMPLETE]
    files = {directory / name: size for name, size in sizes.items()}
    bad = [file for file, size in files.items() if not file.is_file() or file.stat().st_size != size]
    return bad + [directory / name for name in needed if name not in sizes]


def is_complete(checkpoint: Path) -> bool:
    """Tell whether a checkpoint has its mark, all needed files, and each in its marked size."""
    return not damaged(checkpoint, (*ADAPTER_FILES, *STATE_FILES))


def step_of(checkpoint: Path) -> int:
    """Return the global step that stands at the end of a checkpoint's name."""
    return int(checkpoint.name.rsplit("-", 1)[1])


def latest_checkpoint(scratch: Path) -> Path | None:
    """Return the newest whole checkpoint of an interrupted job; broken ones are passed over."""
    found = [path for path in scratch.glob("checkpoint-*") if is_complete(path)]
    return max(found, key=step_of, default=None)


def assemble(previous: Path, scratch: Path, ends_at: int, begins_at: int) -> Path:
    """Put adapter and state of the epoch before together again as the checkpoint that the Trainer resumes from.

    Args:
        previous: directory of the epoch before.
        scratch: directory of this job's saves.
        ends_at: optimizer step at which the epoch before must have ended.
        begins_at: optimizer step at which this one begins; another number where its steps hold more or fewer questions,
            and then the counters of the state are set to it.

    Raises:
        InputError: files of the epoch before are missing, or it was trained on other data.
    """
    missing = [previous / "adapter" / name for name in ADAPTER_FILES if not (previous / "adapter" / name).is_file()]
    missing += damaged(previous / "state", STATE_FILES)
    if missing:
        names = ", ".join(map(str, missing))
        raise InputError(f"{previous}: incomplete epoch, {names} is missing or cut; train that epoch again")
    step = json.loads((previous / "state" / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]
    if step != ends_at:
        raise InputError(
            f"{previous}: ends at step {step}, but this epoch begins at step {ends_at}; it was trained on other data "
            "or in other batches, train it again"
        )
    target = scratch / f"previous-{begins_at}"
    with new_directory(target) as temporary:
        for file in [*(previous / "adapter").iterdir(), *(previous / "state").iterdir()]:
            if file.is_file() and file.name not in ("provenance.json", COMPLETE, "README.md"):
                shutil.copy2(file, temporary / file.name)
        if begins_at != ends_at:
            _set_step(temporary, begins_at)
    return target


def _set_step(checkpoint: Path, step: int) -> None:
    """Set the counters of trainer, schedule and log to another step."""
    import torch

    from onkocode.training.seams import check_entries

    trainer = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    (checkpoint / "trainer_state.json").write_text(json.dumps(trainer | {"global_step": step}), encoding="utf-8")
    schedule = torch.load(checkpoint / "scheduler.pt", weights_only=True)
    counters = {"last_epoch": step, "_step_count": step + 1}
    check_entries(schedule, counters)
    torch.save(schedule | counters, checkpoint / "scheduler.pt")
    for file in checkpoint.glob("unlogged_*.json"):
        unlogged = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(unlogged | {"last_logged": step}), encoding="utf-8")


def publish(checkpoint: Path, adapter: Path, state: Path, log: Path, metrics: Path) -> None:
    """Turn the checkpoint at the end of an epoch into the declared outputs."""
    with new_directory(adapter) as temporary:
        for name in ADAPTER_FILES:
            shutil.copy2(checkpoint / name, temporary / name)
    with new_directory(state) as temporary:
        for file in checkpoint.iterdir():
            if file.is_file() and file.name not in (*ADAPTER_FILES, COMPLETE, "README.md") and "token" not in file.name:
                shutil.copy2(file, temporary / file.name)
        write_sizes(temporary, {})
    metrics.parent.mkdir(parents=True, exist_ok=True)
    partial = metrics.with_name(f".{metrics.name}.tmp")
    shutil.copy2(log, partial)
    partial.replace(metrics)


def truncate_log(log: Path, step: int) -> None:
    """Drop the rows that an interrupted job logged after the save that is resumed from."""
    if not log.is_file():
        return
    rows = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    kept = [line for line in rows if json.loads(line)["step"] <= step]
    temporary = log.with_name(f".{log.name}.tmp")
    temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    temporary.replace(log)
