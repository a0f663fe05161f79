"""Leaving early and cleanly: signals, and the end of the time that SLURM gives a job."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from torch import distributed

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
STOP_FILE = "stop"
EARLY = 180.0  # seconds before the end of a job's time at which it leaves: a step and a save


class StopRequest:
    """Whether this job is to stop: by a signal, by the file with which a parent tells its processes, by its time.

    Args:
        scratch: where the parent's file lies.
        seconds: those that the job has still; None = no limit.
    """

    def __init__(self, scratch: Path, seconds: float | None = None) -> None:
        self.file = scratch / STOP_FILE
        self.asked = False
        # Of a short time most is used all the same.
        self.deadline = None if seconds is None else time.monotonic() + seconds - min(EARLY, seconds / 4)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take note of a signal."""
        self.asked = True

    def here(self) -> bool:
        """Tell whether any process of this job was asked; all of them get the same answer at the same step."""
        late = self.deadline is not None and time.monotonic() >= self.deadline
        return agree(self.asked or late or (in_parallel() and self.file.exists()))


def in_parallel() -> bool:
    """Tell whether this process is one of several that train together."""
    several: bool = distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
    return several


def agree(wish: bool) -> bool:
    """Return whether any of the processes that train together wishes so; the same answer in all of them."""
    if not in_parallel():
        return wish
    value = torch.tensor(int(wish))
    if distributed.get_backend() == "nccl":
        value = value.cuda()
    distributed.all_reduce(value, op=distributed.ReduceOp.MAX)
    agreed: bool = value.item() > 0
    return agreed


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
