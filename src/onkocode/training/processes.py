"""Data-parallel training on one node: a parent that starts the processes by torchrun, and what each of them does.

All processes die together and torchrun turns their exit codes into 1, so the cause travels in a file.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import polars as pl

from onkocode.config.training import Training
from onkocode.records.files import write_text
from onkocode.tracking import TrackedRun
from onkocode.training.epoch import EpochJob, Launch, epoch_data
from onkocode.training.fit import Outcome, fit
from onkocode.training.stopping import StopRequest, listening

ATTEMPT_VARIABLE = "ONKOCODE_ATTEMPT"  # tells a process of torchrun where its attempt is described
FAILED = 3


def launcher(job: EpochJob, arguments: Sequence[str]) -> Launch:
    """Return the function that runs one attempt in processes of its own.

    Args:
        job: the paths.
        arguments: the arguments of this very command, which the processes are given as well.
    """

    def launch(settings: Training, resume: Path | None, attempt: int) -> Outcome:
        description = {"settings": settings.model_dump(mode="json"), "resume": resume, "attempt": attempt}
        write_text(job.scratch / "attempt.json", json.dumps(description, default=str))
        result = job.scratch / "outcome.json"
        result.unlink(missing_ok=True)
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc_per_node={settings.processes}", "--module", "onkocode.cli", *arguments]
        env = os.environ | {ATTEMPT_VARIABLE: str(job.scratch / "attempt.json")}
        request = StopRequest(job.scratch)
        with listening(request):
            # Sessions of their own: a signal to the parent's group would make torchrun kill them before they save.
            process = subprocess.Popen(command, env=env, start_new_session=True)  # noqa: S603
            while True:
                if request.asked:
                    request.file.touch()
                try:
                    code = process.wait(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    continue
        if not result.is_file():
            raise RuntimeError(f"the training processes ended with status {code}; see the messages above")
        return Outcome(**json.loads(result.read_text(encoding="utf-8")))

    return launch


def is_worker() -> bool:
    """Tell whether this process is one of those that a parent started."""
    return ATTEMPT_VARIABLE in os.environ


def work(job: EpochJob, questions: pl.DataFrame, run: TrackedRun) -> None:
    """Take part in the attempt that the parent described; the outcome goes to a file."""
    description = json.loads(Path(os.environ[ATTEMPT_VARIABLE]).read_text(encoding="utf-8"))
    settings = Training.model_validate(description["settings"])
    _, task = epoch_data(job, questions, settings)
    resume = Path(description["resume"]) if description["resume"] else None
    outcome = fit(task, settings, resume, description["attempt"], run)
    if outcome.status not in ("done", "stopped"):
        write_text(job.scratch / "outcome.json", json.dumps(asdict(outcome)))
        os._exit(FAILED)  # the others may wait for this one for ever
    if os.environ.get("RANK") == "0":
        write_text(job.scratch / "outcome.json", json.dumps(asdict(outcome)))
