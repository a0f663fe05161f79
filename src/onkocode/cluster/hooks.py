"""What the workflow does at its start where its jobs run on a cluster, and at its end where some have failed."""

import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from onkocode.cluster import work
from onkocode.cluster.executor import Executor
from onkocode.cluster.leaving import ADOPTED, leave
from onkocode.cluster.slurm import RefusedError
from onkocode.cluster.tails import last_lines
from onkocode.records.errors import first_of


def check_fits(workflow: Any) -> None:
    """Refuse a run on the cluster, before it submits anything, where jobs fit no partition; raises WorkflowError."""
    executor = workflow.scheduler.get_executor(_NotLocal())
    unfit: dict[str, list[str]] = {}
    for job in workflow.dag.needrun_jobs() if isinstance(executor, Executor) else ():
        try:
            if not job.is_local:
                executor.get_partition_arg(job)
        except RefusedError as error:
            unfit.setdefault(str(error), []).append(work.title(job))
    if unfit:
        lines = [f"{first_of(names, 3)}\n  {message}" for message, names in unfit.items()]
        raise WorkflowError("nothing was submitted:\n" + "\n".join(lines))


class _NotLocal:
    is_local = False


def ends_of_logs(jobs: Iterable[Any]) -> Iterator[str]:
    """Yield the last lines of the logs of failed jobs: whole ones may have megabytes of progress bars.

    Args:
        jobs: of Snakemake.
    """
    for job in jobs:
        for file in job.log:
            lines = last_lines(Path(file))
            yield f"{work.title(job)}: the end of {file}" + ("" if lines else " (empty)")
            yield from (f"    {line}" for line in lines)


def end_on_signals(workflow: Any) -> None:
    """Let SIGTERM and SIGHUP (a closed connection) end Snakemake; its jobs go on, and the next start adopts them."""

    def end(number: int, frame: FrameType | None) -> None:
        leave(workflow, f"{signal.Signals(number).name}: Snakemake ends; {ADOPTED}")

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
