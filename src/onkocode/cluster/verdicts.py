"""What is to be done about a job, from what SLURM says of it, what it wrote itself, and what happened to it before."""

from dataclasses import dataclass
from typing import Literal

from onkocode.cluster.job import TRY_AGAIN, Record
from onkocode.cluster.slurm import Row, hopeless, passing
from onkocode.records.endings import Ending

Action = Literal["wait", "done", "again", "retry", "fail", "cancel"]
IN_VAIN = 3  # times that a job may be sent again without having come further
NOT_FOUND = 127  # of a shell: no such command
UNUSABLE = 126  # of a shell: the command cannot be run
KILLED = 137  # of a shell: by SIGKILL, of which the kernel makes use where memory runs out

# Ends that no further try could change; what to do stands in the message of the step itself.
FINAL = {"disk-full", "refused"}
LACKING = {"memory", "gpu-memory", "gpus"}


@dataclass(frozen=True)
class Verdict:
    """What is to be done, and a message that says why, and what a person can do.

    `again` sends the job again, which counts as no failure; `retry` lets the workflow try it once more, of which there
    are few; `fail` gives it up; `cancel` does so as well, after cancelling it. `lacks_memory` says that it ran
    out of main memory.
    """

    action: Action
    message: str = ""
    lacks_memory: bool = False


@dataclass(frozen=True)
class Seen:
    """What is known of a job.

    Attributes:
        row: what SLURM says; None = it knows of no such job any more.
        records: what each of its starts wrote.
        ending: why the step ended, as it wrote itself; None = it did not.
        log: where the job's output is.
        in_vain: times that it was sent again without having come further.
        ended: seconds since it was first seen to have ended.
        missing: seconds since SLURM knew of it last.
        waiting: seconds that it has waited for the same reason.
        exceeded: SLURM wrote that it ended it for its memory.
        outputs: all its outputs are there.
        owned: somebody else is still at it.
        index: its place among small jobs that were sent together; None = it was sent alone.
    """

    row: Row | None
    records: list[Record]
    ending: Ending | None
    log: str
    in_vain: int = 0
    ended: float = 0.0
    missing: float = 0.0
    waiting: float = 0.0
    exceeded: bool = False
    outputs: bool = False
    owned: bool = False
    index: int | None = None


PATIENCE = 60.0  # seconds that a job may be missing, or wait for a reason that will not pass, before something is done


def judge(seen: Seen) -> Verdict:
    """Return what is to be done about a job."""
    if seen.index is not None and seen.index < len(seen.records[-1].codes):
        return _in_bundle(seen, seen.records[-1].codes[seen.index])
    if seen.row is None:
        return _gone(seen)
    if seen.row.alive:
        return _alive(seen, seen.row)
    if seen.row.state == "COMPLETED":
        return Verdict("done")
    return _ended(seen, seen.row.state, seen.row.code)


def _in_bundle(seen: Seen, code: int) -> Verdict:
    """Decide about one of several small jobs that has had its turn, while the others may still run."""
    if code == 0:
        return Verdict("done")
    message = f"it failed with exit code {code}; {_where(seen)} says why"
    return Verdict("retry", message, lacks_memory=code == KILLED)


def _alive(seen: Seen, row: Row) -> Verdict:
    if seen.waiting < PATIENCE or not (row.state == "PENDING" or "HOLD" in row.state):
        return Verdict("wait")
    advice = hopeless(row.reason)
    if advice is not None:
        return Verdict("cancel", f"SLURM would never start it ({row.reason}): {advice}")
    words = passing(row.reason)
    return Verdict("wait", f"SLURM lets it wait ({row.reason}): {words}" if words else "")


def _gone(seen: Seen) -> Verdict:
    """Decide about a job that neither the controller nor the accounting knows."""
    if seen.missing < PATIENCE:
        return Verdict("wait")
    last = seen.records[-1] if seen.records else None
    if last is None:
        return _again(seen, "SLURM has forgotten it before it began")
    if last.status == "running":
        return Verdict("wait") if last.beats() else _again(seen, "SLURM has forgotten it, and it gives no sign of life")
    if last.good:
        return Verdict("done")
    return _ended(seen, "FAILED", max(last.codes, default=None))


def _ended(seen: Seen, state: str, code: int | None) -> Verdict:
    last = seen.records[-1] if seen.records else None
    if seen.outputs and any(record.good for record in seen.records):
        return Verdict("done")  # on a node that SLURM took for dead
    if last is not None and last.status == "owned":
        return _after_owner(seen, last)
    if state == "PREEMPTED":
        return _again(seen, "it was pre-empted")
    if seen.index is not None and last is not None and last.status == "running" and seen.ended < PATIENCE:
        return Verdict("wait")  # file systems may show later what it wrote last
    if seen.index is not None and not (seen.exceeded and seen.index == len(seen.records[-1].codes)):
        return _again(seen, "its turn did not come")
    if state in ("NODE_FAIL", "BOOT_FAIL"):
        return _again(seen, "its node failed")
    if last is None and state == "FAILED":
        return _not_begun(seen, code)
    return _of_step(seen, state, code)


def _after_owner(seen: Seen, last: Record) -> Verdict:
    """Decide about a copy that left a job to another one: that one's outputs count."""
    if seen.owned:
        return Verdict("wait", last.message)
    return Verdict("done") if seen.outputs else _again(seen, "who was at it before has ended without its outputs")


def _of_step(seen: Seen, state: str, code: int | None) -> Verdict:
    cause = seen.ending.cause if seen.ending is not None else None
    if cause in LACKING or (cause not in FINAL and (state == "OUT_OF_MEMORY" or seen.exceeded)):
        lack = cause if cause in LACKING else "memory"
        said = f"it ran out of {lack}; the next try asks for more, as far as its recipe allows"
        return Verdict("retry", said, lacks_memory=lack == "memory")
    if cause in FINAL:
        return Verdict("fail", f"it cannot end well before you have changed something; {_where(seen)} says what")
    if state == "CANCELLED":
        return _cancelled(seen)
    if cause == "time" or state == "TIMEOUT":
        return _again(seen, "its time was up")
    if cause == "stopped" or code == TRY_AGAIN:
        return _again(seen, "it left to go on later")
    return Verdict("retry", f"it failed{'' if code is None else f' with exit code {code}'}; {_where(seen)} says why")


def _cancelled(seen: Seen) -> Verdict:
    last = seen.records[-1] if seen.records else None
    if last is not None and last.status == "refused":
        return Verdict("retry", f"{last.message}; {_where(seen)} says why it failed")
    return Verdict("retry", "it was cancelled (scancel)")


def _not_begun(seen: Seen, code: int | None) -> Verdict:
    """Decide about a job that left no record: it could not begin, or file systems show later what it wrote."""
    if code in (NOT_FOUND, UNUSABLE):
        where = f" {seen.row.node}" if seen.row is not None and seen.row.node else ""
        return Verdict(
            "fail",
            f"the node{where} lacks the environment: Python or the working directory cannot be reached there "
            f"({_where(seen)}); put both on a file system that all nodes share, or exclude the node "
            "(`options: [--exclude=NODE]` in config/site.yaml), and start Snakemake again",
        )
    if seen.ended < PATIENCE:
        return Verdict("wait")
    if code == TRY_AGAIN:
        return _again(seen, "it left to go on later")
    return Verdict("retry", f"it ended with exit code {code} before it began; {_where(seen)} says why")


def _again(seen: Seen, why: str) -> Verdict:
    if seen.in_vain < IN_VAIN:
        return Verdict("again", f"{why}, and goes on from its last save")
    return Verdict(
        "fail",
        f"{why}, {seen.in_vain + 1} times without having come further; give it more time (training_hours or "
        f"testing_hours of the recipe, `hours` of the partition in config/site.yaml); {_where(seen)}",
    )


def _where(seen: Seen) -> str:
    return f"the log {seen.log}"
