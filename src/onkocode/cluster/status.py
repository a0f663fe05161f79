"""How far a study is: what each of its jobs does, from files and the queue of SLURM alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from onkocode.cluster.expected import Job
from onkocode.cluster.reasons import Fault, fault_of, last_cause, why_waiting
from onkocode.cluster.sources import SILENCE, Progress, Queued, Sources, Start
from onkocode.records.endings import ENDINGS_FILE
from onkocode.records.ownership import MARK, Owner, living

State = Literal["done", "running", "queued", "waiting", "failed", "stale"]
STALE = "goes on when Snakemake is started"
QUIET = 3600.0  # seconds without a line, after which the log of a job tells of no Snakemake that is out of sight
UNSURE = "no line in its log for {hours} h, and nothing tells whether the Snakemake that began it runs"
LOOK = "look whether that Snakemake runs, on the machine where it was started; if not, start it again"
AGAIN = "tried again by the Snakemake that runs"


@dataclass(frozen=True)
class Status:
    """What a job does.

    Attributes:
        job: the job.
        state: done; running; queued (in SLURM); waiting (for another job, or for Snakemake); failed; stale (it has
            begun, and nobody works at it).
        reason: why it waits or has failed.
        next: what a person can do; empty = nothing.
        progress: of a running job, where it says so.
        slurm: number of its SLURM job.
        where: node and SLURM job, or process, that works at it.
        cause: the kind of failure.
        told_by: the log that says more, where it is not that of the rule.
    """

    job: Job
    state: State
    reason: str = ""
    next: str = ""
    progress: Progress | None = None
    slurm: str = ""
    where: str = ""
    cause: str = ""
    told_by: str = ""

    @property
    def log(self) -> str:
        """The log to look into."""
        return self.told_by or self.job.log

    def as_record(self) -> dict[str, Any]:
        """Return it for programs."""
        job, progress = self.job, self.progress
        named = ("done", "total", "unit", "loss", "left_seconds", "silent_seconds", "percent")
        return {
            "name": job.name,
            "stage": job.stage,
            "rule": job.rule,
            "model": job.model or None,
            "epoch": job.epoch,
            "state": self.state,
            "cause": self.cause or None,
            "reason": self.reason,
            "next": self.next,
            "log": self.log,
            "slurm_job": self.slurm or None,
            "where": self.where or None,
            "progress": None if progress is None else {name: getattr(progress, name) for name in named},
        }


def look(jobs: Sequence[Job], sources: Sources) -> list[Status]:
    """Return what each job does, in their order; a job that waits for another says so."""
    found: dict[str, Status] = {}
    for job in jobs:
        found[job.name] = _status(job, sources, found.get(job.after))
    return list(found.values())


def as_record(statuses: Sequence[Status], sources: Sources) -> dict[str, Any]:
    """Return all of it for programs; times are in seconds and in UTC."""
    stages = list(dict.fromkeys(item.job.stage for item in statuses))
    of = {stage: Counter(item.state for item in statuses if item.job.stage == stage) for stage in stages}
    return {
        "version": 1,
        "when": datetime.fromtimestamp(sources.now, UTC).isoformat(timespec="seconds"),
        "snakemake_runs": sources.started is not None,
        "slurm_trouble": sources.trouble or None,
        "counts": of,
        "jobs": [item.as_record() for item in statuses],
    }


def _status(job: Job, sources: Sources, before: Status | None) -> Status:
    done = all(sources.tree.has(output) for output in job.outputs)
    row = sources.row(job)
    if row is not None and row.waits:
        reason, advice = why_waiting(row)
        return Status(job, "queued", reason, advice, slurm=row.id)
    scratch = job.scratch if job.scratch and sources.tree.names(job.scratch) else ""
    start = None if done else sources.start(job)
    owner = living(Path(scratch), sources.now) if scratch and sources.tree.has(f"{scratch}/{MARK}") else None
    if done and owner is None and (row is None or not row.alive or row.state == "COMPLETING"):
        return Status(job, "done")
    if owner is not None or (row is not None and row.alive) or _beats(sources, scratch, start):
        return _running(job, sources, scratch, _Worker(row, owner, start))
    fault = fault_of(job, sources, row, start)
    return _idle(job, sources, before, scratch) if fault is None else _ended(job, sources, fault)


@dataclass(frozen=True)
class _Worker:
    """Who works at a job, by what is known of it."""

    row: Queued | None
    owner: Owner | None
    start: Start | None

    @property
    def slurm(self) -> str:
        if self.row is not None and self.row.alive:
            return self.row.id
        if self.owner is not None:
            return self.owner.job
        return self.start.id if self.start is not None else ""

    def __str__(self) -> str:
        node = self.row.node if self.row is not None and self.row.alive else ""
        node = node or (self.start.node if self.start is not None and self.start.status == "running" else "")
        if self.owner is not None and not self.slurm:
            return str(self.owner)
        parts = [f"SLURM job {self.slurm}" if self.slurm else "", f"on node {node}" if node else ""]
        return " ".join(part for part in parts if part)


def _running(job: Job, sources: Sources, scratch: str, worker: _Worker) -> Status:
    progress = sources.progress(scratch) if scratch else None
    return Status(job, "running", progress=progress, slurm=worker.slurm, where=str(worker))


def _beats(sources: Sources, scratch: str, start: Start | None) -> bool:
    """Tell whether a job without a known owner gave a sign of life lately: a running one does so every 20 s."""
    if start is not None and start.status == "running" and sources.now - start.when < SILENCE:
        return True
    if not scratch or sources.tree.has(f"{scratch}/{MARK}"):
        return False  # its owner is dead
    age = sources.age(f"{scratch}/{ENDINGS_FILE}")
    return age is not None and age < SILENCE and last_cause(Path(scratch)) == "running"


def _ended(job: Job, sources: Sources, fault: Fault) -> Status:
    if sources.started is not None and fault.age > sources.now - sources.started:
        return Status(job, "waiting", f"{AGAIN}; before: {fault.reason}", cause=fault.cause)
    state: State = "stale" if fault.pauses else "failed"
    return Status(job, state, fault.reason, fault.next, cause=fault.cause, told_by=fault.log)


def _idle(job: Job, sources: Sources, before: Status | None, scratch: str) -> Status:
    """Return what a job does that has not failed: it has not begun, or nothing tells of its end."""
    if scratch:
        return Status(job, "stale", "begun, and nobody works at it", STALE)
    run = sources.run
    age = sources.age(job.log) if run is not None and sources.tree.has(job.log) else None
    if run is not None and age is not None and age <= sources.now - run.since:
        if run.seen or age < QUIET:
            return Status(job, "running")
        return Status(job, "stale", UNSURE.format(hours=int(age / 3600)), LOOK)
    if before is None or before.state == "done":
        return Status(job, "waiting", "not begun")
    failed = ", which has failed" if before.state == "failed" else ""
    return Status(job, "waiting", f"waits for {before.job.name}{failed}")
