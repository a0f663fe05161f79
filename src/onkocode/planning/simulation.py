"""How long a study takes on so many GPUs: jobs that wait for each other, a queue, and a limit on time. Pure functions.

The queue is that of SLURM with backfill: jobs start by priority, then in the order in which they came. The first that
does not fit has the GPUs reserved that it will need, and others pass it only if they do not keep it waiting (EASY:
Lifka 1995, "The ANL/IBM SP scheduling system"). All hours are known before, so that the outcome is always the same.
"""

import math
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from onkocode.records.errors import InputError

RELOAD_MINUTES = 10.0  # assumed: a job that goes on loads base, adapter and state anew, and computes from its last save
LEAVING_MINUTES = 3.0  # training saves and leaves so long before its limit (training/stopping.py)
ROUNDING = 1e-6  # hours; sums of hours are no further apart


@dataclass(frozen=True)
class Work:
    """A job: the GPUs that it holds, its hours, and the jobs that it waits for. Higher priorities start first."""

    name: str
    model: str
    gpus: int
    hours: float
    priority: int = 0
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limit:
    """The longest job of a partition in hours (None = no limit), and what each further start costs in minutes.

    Raises:
        InputError: minutes below 0, or a limit that leaves no time to work in.
    """

    hours: float | None = None
    reload_minutes: float = RELOAD_MINUTES

    def __post_init__(self) -> None:
        if self.reload_minutes < 0:
            raise InputError(f"--reload-minutes {self.reload_minutes:g} is below 0")
        lost = self.reload_minutes + LEAVING_MINUTES
        if self.hours is not None and 60 * self.hours <= lost:
            raise InputError(f"--limit {self.hours:g}: a job loses {lost:g} minutes by leaving and reloading")


@dataclass(frozen=True)
class Outcome:
    """What a simulation found.

    Attributes:
        hours: until the last job has ended.
        gpu_hours: hours times the GPUs that are held, reloading included.
        submissions: starts of all jobs.
        chain: the longest chain of jobs that wait for each other, which no number of GPUs shortens.
        chain_hours: what it takes.
        ends: when each job ended.
        left_out: jobs that need more GPUs than there are, and those that wait for them.
    """

    hours: float
    gpu_hours: float
    submissions: int
    chain: tuple[Work, ...]
    chain_hours: float
    ends: Mapping[str, float]
    left_out: tuple[Work, ...]

    def utilisation(self, gpus: int) -> float:
        """Return the share of the GPUs' time that is used; 0 where nothing takes time."""
        return self.gpu_hours / (gpus * self.hours) if gpus and self.hours else 0.0


def pieces(hours: float, limit: Limit) -> list[float]:
    """Return how long a job holds its GPUs in each of its starts.

    It leaves in time before the limit, queues again, and spends the first minutes of each further start on reloading.
    """
    if limit.hours is None or hours <= limit.hours:
        return [hours]
    reload, longest = limit.reload_minutes / 60, limit.hours - LEAVING_MINUTES / 60
    found, left = [longest], hours - longest
    while left > 0:
        found.append(min(longest, reload + left))
        left -= found[-1] - reload
    return found


def longest_chain(works: Sequence[Work], limit: Limit) -> tuple[Work, ...]:
    """Return the jobs that one after the other take longest; `works` stand behind those that they wait for."""
    best: dict[str, tuple[float, tuple[Work, ...]]] = {}
    for work in works:
        before = max((best[name] for name in work.after), key=lambda found: found[0], default=(0.0, ()))
        best[work.name] = (before[0] + sum(pieces(work.hours, limit)), (*before[1], work))
    return max(best.values(), key=lambda found: found[0], default=(0.0, ()))[1]


def simulate(works: Sequence[Work], gpus: int, limit: Limit | None = None) -> Outcome:
    """Run all jobs on so many GPUs.

    Args:
        works: each behind those that it waits for; jobs without GPUs wait for nothing else.
        gpus: that the study gets at once.
        limit: of the partition; None = none.
    """
    limit = limit or Limit()
    possible, left_out = _possible(works, gpus)
    parts = {work.name: pieces(work.hours, limit) for work in possible}
    ends = _Queue(possible, parts, gpus).run()
    chain = longest_chain(possible, limit)
    return Outcome(
        hours=max(ends.values(), default=0.0),
        gpu_hours=math.fsum(work.gpus * piece for work in possible for piece in parts[work.name]),
        submissions=sum(map(len, parts.values())),
        chain=chain,
        chain_hours=math.fsum(piece for work in chain for piece in parts[work.name]),
        ends=ends,
        left_out=left_out,
    )


def _possible(works: Sequence[Work], gpus: int) -> tuple[list[Work], tuple[Work, ...]]:
    """Return the jobs that can run on so many GPUs, and the others."""
    out: dict[str, Work] = {}
    for work in works:
        if work.gpus > gpus or any(name in out for name in work.after):
            out[work.name] = work
    return [work for work in works if work.name not in out], tuple(out.values())


class _Queue:
    """Jobs that run, and jobs that wait."""

    def __init__(self, works: Sequence[Work], parts: Mapping[str, list[float]], gpus: int) -> None:
        self.parts = {name: list(found) for name, found in parts.items()}
        self.free, self.now, self.ticket = gpus, 0.0, count()
        self.ends: dict[str, float] = {}
        self.missing = {work.name: len(work.after) for work in works}
        self.behind: dict[str, list[Work]] = {work.name: [] for work in works}
        for work in works:
            for name in work.after:
                self.behind[name].append(work)
        self.waiting: list[tuple[int, int, Work]] = []  # by priority, then by when they came
        self.running: list[tuple[float, int, Work]] = []
        for work in works:
            if not work.after:
                self._queue(work)

    def run(self) -> dict[str, float]:
        """Return when each job ended."""
        while self.waiting or self.running:
            self._start()
            self._wait()
        return self.ends

    def _ended(self, work: Work) -> None:
        self.ends[work.name] = self.now
        for other in self.behind[work.name]:
            self.missing[other.name] -= 1
            if not self.missing[other.name]:
                self._queue(other)

    def _queue(self, work: Work) -> None:
        insort(self.waiting, (-work.priority, next(self.ticket), work))

    def _start(self) -> None:
        """Start what fits: in order, and behind a job that does not fit, what does not keep it waiting."""
        reserved: tuple[float, int] | None = None
        for entry in list(self.waiting):
            work, hours = entry[2], self.parts[entry[2].name][0]
            if work.gpus > self.free:
                reserved = reserved or self._reservation(work)
                continue
            if reserved is not None and work.gpus and self.now + hours > reserved[0] + ROUNDING:
                if work.gpus > reserved[1]:
                    continue
                reserved = (reserved[0], reserved[1] - work.gpus)
            self.waiting.remove(entry)
            self.parts[work.name].pop(0)
            self.free -= work.gpus
            self.running.append((self.now + hours, entry[1], work))

    def _reservation(self, work: Work) -> tuple[float, int]:
        """Return when a job can start at the latest, and the GPUs that it leaves free then."""
        free = self.free
        for end, _, running in sorted(self.running, key=lambda entry: entry[:2]):
            free += running.gpus
            if free >= work.gpus:
                return end, free - work.gpus
        raise AssertionError(f"{work.name} can never start")  # left out before

    def _wait(self) -> None:
        """Go on to the next end of a job: it is done, or queues again."""
        self.now = min(end for end, *_ in self.running)
        ended = sorted((entry for entry in self.running if entry[0] <= self.now), key=lambda entry: entry[1])
        self.running = [entry for entry in self.running if entry[0] > self.now]
        for _, _, work in ended:
            self.free += work.gpus
            if self.parts[work.name]:
                self._queue(work)
            else:
                self._ended(work)
