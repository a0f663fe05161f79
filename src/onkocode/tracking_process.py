"""The process that talks to W&B for a job: whatever wandb does here, the job goes on.

`tracking.py` starts this file as a script and writes lines of JSON to it: how to open the run, {"log": {...}} per row,
and {"exit": status} at the end. It answers {"open": folder} once the run is open, then {"done": true} or its cause.
"""

import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

GRACE = 30  # seconds; a job that lives would have ended this process before


def main() -> None:
    """Serve one run and leave at once, without what wandb does at the end of an interpreter."""
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.SIG_IGN)  # the job decides when the run ends
    lines, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    for number in (0, 1, 2):  # what wandb starts would hold the pipes open
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    try:
        mirror(lines, answers)
        last: dict[str, Any] = {"done": True}
    except BaseException as error:  # wandb may call sys.exit
        last = {"cause": f"{type(error).__name__}: {error}"}
    with suppress(OSError):  # the job may be gone
        answer(answers, last)
    os._exit(0)


def answer(answers: TextIO, message: Mapping[str, Any]) -> None:
    """Send one line to the job."""
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def mirror(lines: TextIO, answers: TextIO) -> None:
    """Open the run, log rows and close it; a job that ended without a word has failed.

    Raises:
        OSError: the files of an offline run are not all on the disk.
    """
    first = json.loads(next(lines))
    signal.alarm(int(first["opening"]) + GRACE)  # ends this process, should nobody be left who does
    run, wandb = opened(first)
    signal.alarm(0)
    folder = Path(run.dir).parent
    answer(answers, {"open": str(folder)})
    status, written = 1, 0
    for line in lines:
        message = json.loads(line)
        if "exit" in message:
            status = message["exit"]
            break
        run.log(message["log"])
        written += sum(map(len, message["log"]))
    signal.alarm(int(first["closing"]) + GRACE)
    run.finish(exit_code=status)
    wandb.teardown()
    # wandb does not notice a full disk. Every row holds the names of its numbers.
    if first["init"]["mode"] == "offline" and sum(file.stat().st_size for file in folder.glob("*.wandb")) < written:
        raise OSError("the offline run is not whole; is the disk full?")


def opened(first: dict[str, Any]) -> tuple[Any, Any]:
    """Return an open run, and wandb."""
    import wandb

    folder = Path(first["init"]["dir"]) / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} cannot be written")  # wandb would write to a folder of its own choice
    # Console output, code, arguments and names of files, users and machines may hold what must not leave this machine.
    private = {
        "console": "off",
        "save_code": False,
        "disable_code": True,
        "disable_git": True,
        "program": "",
        "host": "",
    }
    private |= {"x_disable_meta": True, "x_disable_machine_info": True, "x_disable_stats": True}
    private |= {"x_save_requirements": False, "silent": True}
    limits = {"init_timeout": first["opening"], "finish_timeout": first["closing"] - 2, "finish_timeout_raises": True}
    run = wandb.init(**first["init"], settings=wandb.Settings(**private, **limits))
    run.define_metric("train/*", step_metric="train/global_step")
    run.define_metric("evaluate/*", step_metric="evaluate/epoch")
    return run, wandb


if __name__ == "__main__":
    main()
