"""Why a job has failed, in a line, and what to do next."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from onkocode.cluster.expected import Job
from onkocode.cluster.slurm import hopeless, passing
from onkocode.cluster.sources import Queued, Sources, Start, read_json
from onkocode.cluster.tails import last_lines
from onkocode.records.endings import ENDINGS_FILE, read_endings

LONGEST = 300  # characters of a reason
LEFT = 75  # exit code of a job that left to go on later
# How the command line tells of an error; what it says of W&B never ends a job.
SAID = re.compile(r"onkocode(?!: tracking:)( [a-z-]+){0,2}: \S")
RAISED = re.compile(r"([A-Za-z_][\w.]*\.)?[A-Z]\w*(Error|Exception|Interrupt|Exit)\b")
DIED = re.compile(r"Killed|Segmentation fault|Fatal Python error|Bus error|\S*sh: .*\b(Killed|Aborted|Terminated)\b")

START = "start Snakemake again"
GOES_ON = f"goes on by itself while Snakemake runs, else {START}"
MORE = "asks for more at the next try"
CAUSES = {
    "memory": ("out of main memory", f"{MORE}; or set resources.max_memory_mb of the recipe"),
    "gpu-memory": ("out of GPU memory", f"{MORE}; or set resources, training.recovery or quantisation of the recipe"),
    "gpus": ("fewer GPUs than it goes on with", f"{MORE}; or set resources.gpus_training of the recipe"),
    "disk-full": ("the disk is full", f"make room in {{folder}}, {START}"),
    "stopped": ("it was asked to stop, and has saved", GOES_ON),
    "time": ("its time was up", GOES_ON),
    "killed": ("it was killed", f"{START}: it goes on from its last save"),
    "node": ("its node failed", GOES_ON),
    "cancelled": ("it was cancelled (scancel)", f"{START}: it goes on from its last save"),
}
PAUSES = ("stopped", "time", "node")  # nothing is wrong: it goes on
LOOK = "see to what the log says, then {start}"
OF_STATES = {
    "OUT_OF_MEMORY": "memory",
    "TIMEOUT": "time",
    "CANCELLED": "cancelled",
    "NODE_FAIL": "node",
    "BOOT_FAIL": "node",
    "PREEMPTED": "stopped",
}
WAITS = {
    "Priority": "others go first",
    "Resources": "no node is free",
    "Dependency": "another job goes first",
    "BeginTime": "it is put off",
    "JobHeldUser": "it is held; scontrol release {id}",
}


@dataclass(frozen=True)
class Fault:
    """Why a job ended; `age` is that of what says so, in seconds, `pauses` tells that nothing is wrong."""

    cause: str
    reason: str
    next: str
    age: float
    log: str
    pauses: bool = False


def fault_of(job: Job, sources: Sources, row: Queued | None, start: Start | None) -> Fault | None:
    """Return why a job that does not run ended before it was done; None where nothing tells of an end.

    The step's own record comes first, then SLURM, then the record of the SLURM job, then the log.
    """
    file = f"{job.scratch}/{ENDINGS_FILE}" if job.scratch else ""
    endings = read_endings(Path(job.scratch)) if file and sources.tree.has(file) else []
    cause, age = (str(endings[-1].cause), sources.age(file)) if endings else ("", None)
    if cause in ("", "killed", "failed") and row is not None and row.state in OF_STATES:
        cause = OF_STATES[row.state]
    log, said = _logged(job, sources, row.id if row is not None else start.id if start is not None else "")
    if not cause and start is not None and start.status in ("ended", "refused") and any(start.codes):
        cause, age = ("stopped" if LEFT in start.codes else "failed"), sources.now - start.when
        said = said or start.message or f"exit code {max(start.codes)}"
    if not cause and row is not None and row.state == "FAILED":
        cause, age, said = "failed", 0.0, said or f"SLURM job {row.id} failed before it began"
    if not cause and not said:
        return None
    return _fault(job, cause or "failed", said, (sources.age(log) or 0.0) if age is None else age, log)


def _logged(job: Job, sources: Sources, slurm: str) -> tuple[str, str]:
    """Return the log that tells why a job ended, and what it says: that of SLURM where the rule had no time to."""
    said = _said(job.log) if sources.tree.has(job.log) else ""
    other = "" if said or not slurm else sources.slurm_log(job, slurm)
    if not other:
        return job.log, said
    said = _said(other)
    return (other, said) if said or not sources.tree.has(job.log) else (job.log, "")


def last_cause(scratch: Path) -> str:
    """Return why the last try of a job ended by its own record; running = it has written no end yet."""
    with suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        return str(json.loads((scratch / ENDINGS_FILE).read_bytes())[-1]["cause"])
    return ""


def _fault(job: Job, cause: str, said: str, age: float, log: str) -> Fault:
    reason, advice = CAUSES.get(cause, ("", LOOK.format(start=START)))
    advice = advice.format(folder=job.scratch or Path(job.outputs[0]).parent)
    if not reason:
        reason = _shortened(str(read_json(Path(job.scratch or ".") / "failure.json").get("message", "")))
        reason = said or reason or f"it ended as {cause}"
    return Fault(cause, reason, advice, age, log, cause in PAUSES)


def _said(log: str) -> str:
    """Return the line of a log that tells of an error; empty where none does."""
    lines = last_lines(Path(log), lines=50)
    for form in (SAID, RAISED, DIED):
        for line in reversed(lines):
            if form.match(line):
                return _shortened(line)
    return ""


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def why_waiting(row: Queued) -> tuple[str, str]:
    """Return why SLURM lets a job wait, and what to do where it would wait for ever."""
    words = WAITS.get(row.reason, "").format(id=row.id) or passing(row.reason)
    reason = f"{words} ({row.reason})" if words else row.reason or row.state.lower()
    if row.starts:
        reason += f", may start {row.starts.replace('T', ' ')[:16]}"
    elif row.place:
        reason += f", place {row.place} among your jobs"
    return reason, hopeless(row.reason) or ""
