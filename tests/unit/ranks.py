"""Data-parallel processes without torchrun: forked from one that has imported torch, so that a start costs nothing.

A test puts this module in the place of `subprocess` in `onkocode.training.processes`.
"""

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from subprocess import TimeoutExpired
from typing import Any

import torch

from onkocode.records.ownership import VARIABLE
from onkocode.training.callbacks import Saves
from onkocode.training.worker import work

# Imports torch once. There is one such server, so what others start from it is named here as well.
PROCESSES = multiprocessing.get_context("forkserver")
PRELOADED = ("ranks", "killed_job", "killed_evaluation", "frozen")
PROCESSES.set_forkserver_preload([f"tests.unit.{name}" for name in PRELOADED])
# The server keeps the environment of its start, which may fall into a job that has marked its folders; what it starts
# later is no part of that job.
os.environ.pop(VARIABLE, None)


def work_through() -> None:
    """Run an attempt over all epochs in one go: what jobs of one epoch each are compared with."""
    setattr(Saves, "on_epoch_end", _go_on)  # noqa: B010
    work()


def _go_on(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
    """Log and save at the end of every epoch, and train on."""
    control.should_log = control.should_save = True


def _rank(environment: dict[str, str], target: Callable[[], None]) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    target()


class Popen:
    """The processes that a command of torchrun asks for; no others can be started."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], target: Callable[[], None] = work, **_: Any
    ) -> None:
        """Start them, each with the variables that torchrun would set."""
        (count,) = (int(word.partition("=")[2]) for word in command if word.startswith("--nproc_per_node="))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = dict(env) | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        shared |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
        self.ranks = [
            PROCESSES.Process(target=_rank, args=(shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, target))
            for rank in range(count)
        ]
        for rank in self.ranks:
            rank.start()

    def wait(self, timeout: float = 240) -> int:
        """Return the highest exit code; raises TimeoutExpired while one of them works."""
        deadline = time.monotonic() + timeout
        for rank in self.ranks:
            rank.join(max(0, deadline - time.monotonic()))
            if rank.exitcode is None:
                if any(other.exitcode for other in self.ranks):
                    self._end()  # what waits for one that failed waits for ever
                raise TimeoutExpired("ranks", timeout)
        return max(abs(rank.exitcode or 0) for rank in self.ranks)

    def _end(self) -> None:
        for rank in self.ranks:
            rank.terminate()
