"""Data-parallel training on one node: a parent that starts the processes (see `worker`) by torchrun.

All processes die together and torchrun turns their exit codes into 1, so the cause travels in a file.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from onkocode.config.training import Training
from onkocode.records.files import write_text
from onkocode.records.stopping import StopRequest, listening
from onkocode.training.epoch import EpochJob, Launch
from onkocode.training.fit import Outcome

ATTEMPT = "attempt.json"
UNTOLD = "untold"  # what the description of an attempt is renamed to where a full disk takes no outcome
ATTEMPT_VARIABLE = "ONKOCODE_ATTEMPT"  # tells a process of torchrun where its attempt is described


def launcher(job: EpochJob, questions: Path) -> Launch:
    """Return the function that runs one attempt in processes of its own.

    Args:
        job: the paths.
        questions: table of questions (schema Questions).
    """

    def launch(settings: Training, resume: Path | None, attempt: int) -> Outcome:
        description = {"job": asdict(job), "questions": questions, "settings": settings.model_dump(mode="json")}
        description |= {"resume": resume, "attempt": attempt}
        write_text(job.scratch / ATTEMPT, json.dumps(description, default=str))
        result, untold = job.scratch / "outcome.json", job.scratch / UNTOLD
        for old in (result, untold):
            old.unlink(missing_ok=True)
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc_per_node={settings.processes}", "--module", "onkocode.training.worker"]
        env = os.environ | {ATTEMPT_VARIABLE: str(job.scratch / ATTEMPT)}
        request, told = StopRequest(job.scratch), False
        with listening(request):
            # Sessions of their own: a signal to the parent's group would make torchrun kill them before they save.
            process = subprocess.Popen(command, env=env, start_new_session=True)  # noqa: S603
            while True:
                if request.asked and not told:
                    with suppress(OSError):
                        request.file.touch()
                        told = True
                try:
                    code = process.wait(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    continue
        if not result.is_file():
            if untold.exists():
                return Outcome("disk-full", "no room even to say more", lack="disk-full")
            raise RuntimeError(f"the training processes ended with status {code}; see the messages above")
        return Outcome(**json.loads(result.read_text(encoding="utf-8")))

    return launch
