"""The jobs that are watched, and what is seen of each: by SLURM, by its own records, and in its folders."""

import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from onkocode.cluster import slurm, work
from onkocode.cluster.job import Record, read_records
from onkocode.cluster.slurm import Row
from onkocode.cluster.verdicts import PATIENCE, Seen
from onkocode.records.endings import Ending, conclude_memory
from onkocode.records.ownership import living


@dataclass
class Watched:
    """A submitted job, and what was seen of it so far."""

    job: Any
    id: str
    key: str
    log: Path
    row: Row | None = None
    seen: float = field(default_factory=time.monotonic)  # when SLURM knew of it last
    reason: str = ""
    since: float = field(default_factory=time.monotonic)  # when it began to wait for that reason
    told: str = ""
    ended: float | None = None  # when it was first seen to have ended
    in_vain: int | None = None  # counted once, at its end


class Watch:
    """What is seen of jobs; `records` is the folder of what they write themselves."""

    def __init__(self, records: Path) -> None:
        self.records = records
        self.jobs: dict[tuple[str, str], Watched] = {}  # by the number of the SLURM job and the key
        self.before: dict[str, list[str]] = defaultdict(list)  # by key: the SLURM jobs that were sent for it
        self._far: dict[str, tuple[float, int]] = {}  # by key: how far a job had come, and how often no further since

    def add(self, watched: Watched) -> None:
        """Watch a job from now on."""
        self.jobs[watched.id, watched.key] = watched
        self.before[watched.key].append(watched.id)

    def forget(self, key: str) -> None:
        """Forget how far a job had come: it is done."""
        self._far.pop(key, None)

    def look(self, watched: Watched, row: Row | None) -> Seen:
        """Return what is known of a job now; `row` is what squeue says of it."""
        now = time.monotonic()
        row = self._row(watched, row, now)
        ended = row is None or not row.alive
        watched.ended = (watched.ended or now) if ended else None
        exceeded = ended and (row is None or row.state != "COMPLETED") and work.exceeded_memory(watched.log)
        if exceeded:
            _conclude_memory(watched)
        records = read_records(self.records, watched.id)
        folder = work.scratch(watched.job)
        return Seen(
            row=row,
            records=records,
            ending=_ending(watched, records),
            log=str(watched.log),
            in_vain=self._in_vain(watched) if ended else 0,
            ended=now - watched.ended if watched.ended is not None else 0.0,
            missing=now - watched.seen,
            waiting=now - watched.since,
            outputs=ended and all(Path(file).exists() for file in work.outputs(watched.job)),
            index=_index(watched, records),
            exceeded=exceeded,
            owned=ended and folder is not None and living(folder) is not None,
        )

    def _row(self, watched: Watched, row: Row | None, now: float) -> Row | None:
        """Complete what squeue says: from the accounting what it has forgotten, and the exit code of what ended."""
        if row is None and now - watched.seen > PATIENCE:
            row = slurm.accounted(watched.id)
            if row is not None and row.alive:
                row = None  # the accounting missed its end
        if row is not None:
            watched.seen = now
            if row.reason != watched.reason:
                watched.reason, watched.since = row.reason, now
            if not row.alive and row.code is None:
                row = replace(row, code=slurm.exit_code(row.id))
        watched.row = row
        return row

    def _in_vain(self, watched: Watched) -> int:
        """Count how often a job ended since it came further last."""
        if watched.in_vain is None:
            folder = work.scratch(watched.job)
            far = work.progress(folder) if folder else -1.0
            before, count = self._far.get(watched.key, (-2.0, 0))
            watched.in_vain = 0 if far > before else count + 1
            self._far[watched.key] = (max(far, before), watched.in_vain)
        return watched.in_vain


def _index(watched: Watched, records: list[Record]) -> int | None:
    """Return the place of a small job among those that were sent together; None where it was sent alone."""
    keys = records[-1].keys if records else []
    return keys.index(watched.key) if len(keys) > 1 and watched.key in keys else None


def _ending(watched: Watched, records: list[Record]) -> Ending | None:
    """Return why the step of a job ended; not that of jobs before."""
    began = records[0].began if records else ""
    found = [item for item in work.endings(watched.job) if began and item.began >= began]
    return found[-1] if found else None


def _conclude_memory(watched: Watched) -> None:
    """Let the step's record say so where SLURM ended it for its memory: it had no time to write that itself."""
    folder, given = work.scratch(watched.job), watched.job.resources.get("mem_mb")
    if folder is not None and given:
        conclude_memory(folder, int(given))
