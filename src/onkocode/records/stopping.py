"""Leaving early and cleanly: signals, the file that asks a job to stop, and the end of the time that SLURM gives it."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
STOP_FILE = "stop"
LOOK = 2.0  # seconds between two looks for the file at least: file systems are shared
EARLY = 180.0  # seconds before the end of a job's time at which it leaves: a step and a save
SAVING = 30.0  # seconds for a save and the way out, where a piece of work takes longer than that


class StopRequest:
    """Whether this process is to stop: by a signal, by the file that others write, by the time of its job.

    Args:
        scratch: where the file lies.
        seconds: those that the job has still; None = no limit.
    """

    def __init__(self, scratch: Path, seconds: float | None = None) -> None:
        self.file = scratch / STOP_FILE
        self._asked, self._looked = False, float("-inf")
        self._end = None if seconds is None else time.monotonic() + seconds
        self._early = min(EARLY, (seconds or 0) / 4)  # of a short time most is used all the same

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take note of a signal."""
        self._asked = True

    @property
    def asked(self) -> bool:
        """Whether somebody asked, by a signal or by the file; it is for ever."""
        if not self._asked and time.monotonic() - self._looked >= LOOK:
            with suppress(OSError):  # a file system that hangs is no wish
                self._asked = self.file.exists()
            self._looked = time.monotonic()
        return self._asked

    def here(self, needed: float = 0.0) -> bool:
        """Tell whether to leave now.

        Args:
            needed: seconds that the next piece of work takes, after which there is to be time for a save.
        """
        margin = max(self._early, needed + min(SAVING, self._early))
        return self.asked or (self._end is not None and time.monotonic() >= self._end - margin)


def forget_stop(scratch: Path) -> None:
    """Remove a stop file that an earlier job was meant by."""
    with suppress(OSError):
        (scratch / STOP_FILE).unlink()


@contextmanager
def listening(request: StopRequest) -> Iterator[None]:
    """Hand the signals to a request while the block runs."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    before = {number: signal.signal(number, request) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
