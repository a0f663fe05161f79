"""Jobs of an earlier Snakemake that go on, and jobs that SLURM got twice."""

import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from logging import Logger
from typing import Any

from onkocode.cluster import slurm, submission, work
from onkocode.cluster.job import read_records
from onkocode.cluster.sending import Sending
from onkocode.cluster.slurm import BusyError, Row, SlurmError

STARTED = time.time()
FRESH = 5.0  # seconds for which an answer of squeue counts: many jobs are submitted at once


class Queue:
    """The jobs of this user, as of lately."""

    def __init__(self, sending: Sending) -> None:
        self.sending = sending
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._looked = -float("inf")

    def rows(self) -> dict[str, Row]:
        """Return them by their numbers; raises BusyError where SLURM does not answer."""
        with self._lock:
            if time.monotonic() > self._looked + FRESH:
                try:
                    self._rows = slurm.queue()
                except SlurmError as error:
                    raise BusyError(f"squeue does not answer: {error}") from None
                self._looked = time.monotonic()
            return self._rows

    def has_living(self) -> bool:
        """Tell whether any waits or runs, so that a limit on their number will pass."""
        return any(row.alive for row in self.rows().values())

    def earlier(self, job: Any, own: Collection[str]) -> Row | None:
        """Return a job of an earlier Snakemake that waits or runs, and writes the same.

        Args:
            job: of Snakemake.
            own: SLURM jobs that this Snakemake has sent for it: of a bundle that runs, this job may have failed.

        Raises:
            BusyError: SLURM does not answer.
            RefusedError: there is one that computes it from something else.
        """
        free = [row for row in self.rows().values() if row.id not in own]
        return submission.adoptable(free, work.key(job, self.sending.folder), work.contents(job), self._fresh)

    def _fresh(self, row: Row) -> bool:
        """Tell whether a job came to a good end after this Snakemake looked at what is there."""
        if row.state != "COMPLETED":
            return False
        records = read_records(self.sending.records, row.id)
        return bool(records) and records[-1].file.stat().st_mtime > STARTED


def twins(rows: Mapping[str, Row], watched: Mapping[str, str]) -> Iterator[Row]:
    """Yield waiting jobs whose work other jobs, which live, do all of: SLURM took them although it did not say so.

    Args:
        rows: jobs of this user by their numbers.
        watched: numbers of the jobs that do the work, by key.
    """
    known = set(watched.values())
    for row in rows.values():
        keys = submission.keys_in(row.comment)
        if row.state != "PENDING" or row.id in known or not keys:
            continue
        others = [rows.get(watched.get(key, "")) for key in keys]
        if all(other is not None and other.alive for other in others):
            yield row


def end_twins(rows: Mapping[str, Row], watched: Mapping[str, str], logger: Logger) -> None:
    """Cancel what `twins` finds."""
    found = list(twins(rows, watched))
    with suppress(SlurmError):  # at the next look
        slurm.cancel([row.id for row in found])
        for row in found:
            logger.warning(f"SLURM job {row.id} was to do what another job does; it is cancelled")
