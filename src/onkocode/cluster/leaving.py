"""When Snakemake ends and its jobs go on: it was told to, or SLURM has not answered for too long."""

import threading
import time
from logging import Logger
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from onkocode.config.site import Site

ADOPTED = "its jobs in SLURM go on, and the next start adopts them"
TELL = 600.0  # seconds without an answer of SLURM, of which a person is told again and again
LONGEST = 60  # minutes without an answer, where no site file says otherwise


def leave(workflow: Any, words: str) -> None:
    """End Snakemake, and nothing else.

    In a thread of its own: this may be called while the scheduler holds the lock that is taken here.
    """
    threading.Thread(target=workflow.scheduler.executor_error_callback, args=(WorkflowError(words),)).start()


class Silence:
    """How long SLURM has not answered a Snakemake, which ends where that lasts too long."""

    def __init__(self, workflow: Any, site: Site | None, logger: Logger) -> None:
        self.workflow, self.logger = workflow, logger
        self.minutes = LONGEST if site is None else site.silent_minutes
        self.since: float | None = None
        self.told = 0.0

    def broken(self) -> None:
        """Take note that SLURM has answered."""
        self.since = None

    def bear(self, error: Exception) -> None:
        """Take note that it has not; tell a person about it, or end."""
        now = time.monotonic()
        if self.since is None:
            self.since = self.told = now
        silent = (now - self.since) / 60
        if silent >= self.minutes:
            self.broken()  # once
            words = f"SLURM has not answered for {self.minutes} min ({error}); Snakemake ends, {ADOPTED}"
            leave(self.workflow, f"{words}; start it again when squeue answers")
        elif now - self.told > TELL:
            self.told = now
            self.logger.warning(f"SLURM has not answered for {silent:.0f} of {self.minutes} min, waiting on: {error}")
