"""How far a running job is: a small file of numbers beside its saves, for whoever looks at a study while it runs."""

import json
import math
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from onkocode.records.files import write_text

PROGRESS_FILE = "progress.json"
EVERY = 10.0  # seconds between two writings at least, the first and the last step aside

Task = Literal["training", "answering", "fitting"]
UNITS: dict[Task, str] = {"training": "step", "answering": "question", "fitting": "step"}


class Progress:
    """Writes how far a try of a job is. A file that cannot be written stops no job.

    The file holds `task`, `done` of `total` in `unit`, the last `loss` (null: there is none), `seconds` since this try
    began to work, `left_seconds` at the speed of this try (null: not known yet), and `updated`, its time in UTC.

    Args:
        folder: scratch of the job.
        task: what it does.
        total: steps, or questions.
        done: of them before this try.
    """

    def __init__(self, folder: Path, task: Task, total: int = 0, done: int = 0) -> None:
        self._file, self._task = folder / PROGRESS_FILE, task
        self.total, self.done, self._before = total, done, done
        self.loss: float | None = None
        self._start = time.monotonic()
        self._written: tuple[float, int] | None = None  # when, and what was done then

    def begin(self) -> None:
        """Let the clock run from now on: what came before, such as loading a model, says nothing about the speed."""
        self._start = time.monotonic()

    def extend(self, done: int) -> None:
        """Take into account what was done before this try, and shows only now."""
        self.done += done
        self._before += done

    def advance(self, done: int) -> None:
        """Take note of what is done by now; write it where it is time to."""
        self.done = done
        now = time.monotonic()
        if self._written is None or done >= self.total or now - self._written[0] >= EVERY:
            self._write(now)

    def close(self) -> None:
        """Write how far this try came, where that is not written yet."""
        if self._written is not None and self._written[1] != self.done:
            self._write(time.monotonic())

    def _write(self, now: float) -> None:
        self._written = (now, self.done)
        with suppress(OSError):
            write_text(self._file, json.dumps(self._record(now - self._start)) + "\n")

    def _record(self, seconds: float) -> dict[str, Any]:
        here = self.done - self._before
        left = None if here <= 0 else (self.total - self.done) * seconds / here
        loss = self.loss if self.loss is not None and math.isfinite(self.loss) else None
        return {
            "task": self._task,
            "done": self.done,
            "total": self.total,
            "unit": UNITS[self._task],
            "loss": loss,
            "seconds": round(seconds, 1),
            "left_seconds": left if left is None else round(left, 1),
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
        }
