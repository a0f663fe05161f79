"""One of the processes that train an epoch together: `python -m onkocode.training.worker`, started by torchrun."""

import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from onkocode.config.schema import Tracking
from onkocode.config.training import Training
from onkocode.models.compiling import compiling_later
from onkocode.records.files import write_text
from onkocode.records.schemas import read_table
from onkocode.tracking import TrackedRun

with compiling_later():
    from onkocode.training.epoch import EpochJob, epoch_data
    from onkocode.training.fit import Outcome, fit
    from onkocode.training.processes import ATTEMPT, ATTEMPT_VARIABLE, UNTOLD
    from onkocode.training.room import remove_unfinished

FAILED = 3


def work() -> None:
    """Take part in the attempt that the parent described; the outcome goes to a file."""
    description = json.loads(Path(os.environ[ATTEMPT_VARIABLE]).read_text(encoding="utf-8"))
    job = TypeAdapter(EpochJob).validate_python(description["job"])
    settings = Training.model_validate(description["settings"])
    _, task = epoch_data(job, read_table(Path(description["questions"]), "questions"), settings)
    off = TrackedRun(Tracking(), "", "train", job.epoch, {}, job.scratch.parent)  # the parent tells the numbers
    resume = description["resume"] and Path(description["resume"])
    outcome = fit(task, settings, resume, description["attempt"], off)
    if outcome.status not in ("done", "stopped"):
        _tell(outcome, job.scratch)
        os._exit(FAILED)  # the others may wait for this one for ever
    if os.environ.get("RANK") == "0":
        write_text(job.scratch / "outcome.json", json.dumps(asdict(outcome)))


def _tell(outcome: Outcome, scratch: Path) -> None:
    """Write why the attempt failed; on a full disk, where others may be writing still, a new name has to do."""
    if outcome.status == "disk-full":
        remove_unfinished(scratch)
    try:
        write_text(scratch / "outcome.json", json.dumps(asdict(outcome)))
    except OSError:
        if outcome.status == "disk-full":
            with suppress(OSError):  # another process was first
                (scratch / ATTEMPT).rename(scratch / UNTOLD)


if __name__ == "__main__":
    work()
