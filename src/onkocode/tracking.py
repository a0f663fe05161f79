"""Weights & Biases as a mirror of metrics.jsonl and of metric tables; never of texts or answers.

A mirror never changes a result or an exit status: wandb runs in a process of its own (`tracking_process.py`), is waited
for within limits, and what fails costs a line in the log.
"""

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from onkocode.config.schema import Tracking

SCRIPT = Path(__file__).with_name("tracking_process.py")
KEY = "WANDB_API_KEY"

# Seconds that are waited for W&B at most.
OPENING = 15.0  # for its server to open a run, while the job goes on
STARTING = 20.0  # for an offline run to begin, once online has failed
CLOSING = 30.0  # at the end of a job, for the rest to be sent or written
LEAVING = 8.0  # at the end of a job that failed or was asked to stop: SLURM kills 30 s after it asked

CAUSE_LENGTH = 250
KEPT = "the numbers are kept in the metrics files of the results"


class TrackedRun:
    """One W&B run per job, or nothing when tracking is off.

    Resuming does not work offline, so every job, epoch and attempt is a run of its own; runs of a model share a group.
    When a run fails, all its numbers go to an offline run in the same folder, which `wandb sync` sends later.
    """

    def __init__(
        self, tracking: Tracking, model: str, job: str, epoch: int, config: Mapping[str, Any], folder: Path
    ) -> None:
        self._process: Process | None = None
        self._rows: list[bytes] = []
        self._second = False  # whether the offline run after a failure has begun
        if tracking.mode == "off":
            return
        self._called = {
            "project": tracking.project,
            "entity": tracking.entity,
            "group": model,
            "job_type": job,
            "name": f"{model}-epoch-{epoch}-{job}",
            "dir": str(folder),
            "mode": tracking.mode,
            "config": dict(config),
        }
        if tracking.mode == "online" and not os.environ.get(KEY):
            _say(self._begin_again(f"tracking.mode is online but {KEY} is not set", STARTING))
            return
        try:
            self._process = Process(self._called, os.environ)
        except OSError as error:
            _say(self._begin_again(str(error), STARTING))

    def log(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers, without waiting for W&B; ``step`` is the optimizer step."""
        if self._process is None:
            return
        row = dict(values) | ({} if step is None else {"train/global_step": step})
        self._rows.append(_line({"log": row}))
        if not self._process.send(self._rows[-1]):
            _say(self._begin_again(self._process.close(b"", 1) or "its process ended", STARTING))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the run, as failed when the block ended with an error; waits for W&B within limits."""
        if self._process is None:
            return
        limit = CLOSING if kind is None else LEAVING
        last, message = _line({"exit": 0 if kind is None else 1}), ""
        cause = self._process.close(last, limit)
        if cause is not None:
            message = self._begin_again(cause, min(STARTING, limit))
            again = self._process.close(last, limit) if self._process else None
            if again is not None:
                message = f"W&B failed ({cause}) and so did an offline run ({again}); {KEPT}"
        self._process = None
        if message:
            _say(message)

    def _begin_again(self, cause: str, limit: float) -> str:
        """Hand all numbers to an offline run, the first time; returns the message on what has become of them."""
        self._process = None
        if self._second:
            return f"the offline run failed ({cause}); {KEPT}"
        self._second = True
        try:
            # What is wrong may be a variable of the environment, which an offline run does not need.
            env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
            process = Process(self._called | {"mode": "offline"}, env)
        except OSError as error:
            return f"W&B failed ({cause}) and so did an offline run ({error}); {KEPT}"
        place = process.wait_until_open(limit)
        if place is None:
            return f"W&B failed ({cause}) and so did an offline run ({process.close(b'', 0)}); {KEPT}"
        process.send(b"".join(self._rows))
        self._process = process
        return f"W&B failed ({cause}); the numbers go to an offline run, send it with: wandb sync {place}"


class Process:
    """The process that serves one run.

    Args:
        called: arguments of wandb.init.
        env: its environment.

    Raises:
        OSError: if it cannot be started.
    """

    def __init__(self, called: Mapping[str, Any], env: Mapping[str, str]) -> None:
        # Of this job's own arguments, its file names among them, W&B sees nothing; nor does its maker get reports.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", str(SCRIPT)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**env, "WANDB_ERROR_REPORTING": "false"},
            start_new_session=True,  # Ctrl-C is for the job
        )
        assert self._process.stdin is not None  # noqa: S101
        os.set_blocking(self._process.stdin.fileno(), False)
        self._waiting, self._answers = b"", b""
        self.send(_line({"init": called, "opening": OPENING, "closing": CLOSING}))

    def send(self, lines: bytes) -> bool:
        """Hand over what the pipe takes and keep the rest; returns whether the process still lives."""
        self._waiting += lines
        if self._process.poll() is not None or self._process.stdin is None:
            return False
        try:
            while self._waiting:
                self._waiting = self._waiting[os.write(self._process.stdin.fileno(), self._waiting) :]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def wait_until_open(self, seconds: float) -> str | None:
        """Return the folder of the run once it is open; None if the process ends before, or not in time."""
        assert self._process.stdout is not None  # noqa: S101
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and "open" not in self._answer():
            if not select.select([self._process.stdout], [], [], left)[0]:
                break
            if not (part := os.read(self._process.stdout.fileno(), 65536)):
                break
            self._answers += part
        place: str | None = self._answer().get("open")
        return place

    def close(self, last: bytes, seconds: float) -> str | None:
        """Send what is left and wait for the end; returns the cause if the run did not end well, else None."""
        cause = f"no answer within {seconds:g} s"
        try:
            answers, _ = self._process.communicate(self._waiting + last, timeout=seconds)
            self._answers += answers
            cause = f"its process ended with status {self._process.returncode}"
        except subprocess.TimeoutExpired:
            self._process.kill()  # its own processes end with it
            self._process.wait()
        answer = self._answer()
        return None if answer.get("done") else _without_secrets(str(answer.get("cause", cause)))

    def _answer(self) -> dict[str, Any]:
        """Return all that was answered so far."""
        found: dict[str, Any] = {}
        for line in self._answers.splitlines():
            with suppress(ValueError):
                found |= json.loads(line)
        return found


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, default=str).encode() + b"\n"


def _without_secrets(cause: str) -> str:
    """Return a message of W&B as one short line, without the key and without a password in an address."""
    key = os.environ.get(KEY, "").strip()
    cause = " ".join((cause.replace(key, "…") if key else cause).split())
    cause = re.sub(r"//[^/@\s]*@", "//", cause)
    return cause if len(cause) <= CAUSE_LENGTH else f"{cause[:CAUSE_LENGTH]}…"


def _say(message: str) -> None:
    with suppress(OSError, ValueError):  # the log is full or closed
        print(f"onkocode: tracking: {message}", file=sys.stderr, flush=True)  # noqa: T201
