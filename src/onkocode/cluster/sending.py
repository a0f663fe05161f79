"""What is sent to SLURM for a job, or for several small ones together."""

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from snakemake_executor_plugin_slurm.submit_string import get_submit_command

from onkocode.cluster import slurm, submission, work
from onkocode.cluster.job import Payload
from onkocode.cluster.slurm import BusyError, RefusedError, SlurmError
from onkocode.config.site import Site


@dataclass(frozen=True)
class Sending:
    """What all jobs of a run are sent with.

    Attributes:
        settings: of the plugin.
        site: the site; None where no file describes it.
        folder: working directory.
        logs: folder of SLURM's logs.
    """

    settings: Any
    site: Site | None
    folder: Path
    logs: Path

    @property
    def records(self) -> Path:
        """Folder of what jobs write of themselves."""
        return self.logs / "jobs"

    def script(self, jobs: Sequence[Any], commands: Sequence[str], before: Sequence[str] = ()) -> str:
        """Return the script of a job that does the work of some of Snakemake's jobs, one after the other.

        Args:
            jobs: of Snakemake.
            commands: of each.
            before: SLURM jobs that were sent for the same before.
        """
        folders = [folder for job in jobs if (folder := work.scratch(job)) is not None]
        own = [str(place) for job in jobs if work.scratch(job) for place in work.own(job)]
        payload = Payload(
            str(self.records),
            [work.title(job) for job in jobs],
            [work.key(job, self.folder) for job in jobs],
            list(commands),
            own,
            [str(folder) for folder in folders],
            [file for job in jobs for file in work.outputs(job)],
            list(before),
            time.time(),
        )
        return submission.script_of(sys.executable, self.folder, payload)

    def arguments(self, jobs: Sequence[Any], log: Path, account: str, partition: str, nodes: set[str]) -> list[str]:
        """Return the command of sbatch; small jobs that go together ask for the time of all of them.

        Args:
            jobs: of Snakemake, alike in what they ask for.
            log: with %j for the number of the job.
            account: option of sbatch.
            partition: option of sbatch.
            nodes: that jobs are not to be sent to.
        """
        known = [(work.key(job, self.folder), work.contents(job)) for job in jobs]
        params = {
            "run_uuid": work.title(jobs[0]) + (f"+{len(jobs) - 1}" if len(jobs) > 1 else ""),
            "slurm_logfile": log,
            "comment_str": submission.comment_of(known),
            "account": account,
            "partition": partition,
            "workdir": str(self.folder),
        }
        call = get_submit_command(jobs[0], params, self.settings, nodes)
        minutes = int(jobs[0].resources.get("runtime") or 60) * len(jobs)
        # Logs of a job that SLURM starts again go on; an end that is told leaves time to save.
        warning = min(submission.WARNING_SECONDS, 15 * minutes)
        further = ["--open-mode=append", f"--signal=B:USR1@{warning}"]
        further += [f"--time={minutes}"] if len(jobs) > 1 else []
        if self.site is not None:
            further += [*self.site.options, *([f"--qos={self.site.qos}"] if self.site.qos else [])]
        return [*shlex.split(call), *submission.gpu_options(jobs[0].resources), *further]

    def partition_file(self) -> Path | None:
        """Write the plugin's partition file; None without a site."""
        if self.site is None:
            return None
        file = self.logs / "partitions.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(self.site.for_plugin(), sort_keys=False), encoding="utf-8")
        return file


def send(arguments: Sequence[str], script: str, others: Callable[[], bool]) -> str:
    """Submit and return the number of the job.

    Args:
        arguments: command of sbatch.
        script: its input.
        others: tells whether jobs of this user wait or run, so that a limit on their number will pass.

    Raises:
        BusyError: the controller is down, or own jobs fill a limit.
        RefusedError: for any other cause.
    """
    try:
        return slurm.run(arguments, script).strip().split(";")[0].split()[-1]
    except SlurmError as error:
        if slurm.is_busy(str(error)) or (slurm.is_full(str(error)) and others()):
            raise BusyError(str(error)) from None
        raise RefusedError(slurm.refusal(str(error))) from None
