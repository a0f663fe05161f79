"""Snakemake's SLURM plugin with another way to submit and to watch.

The plugin's own options, resources and checks of accounts stay. What differs, and why (docs/slurm_plugin.md has a
minimal case for each): jobs are named by what they do, jobs of an earlier Snakemake are adopted, whatever state a job
ends in is seen, and only what another try could mend is tried again.
"""

import asyncio
import shlex
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from snakemake_executor_plugin_slurm import Executor as SlurmExecutor
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from onkocode.cluster import slurm, submission, work
from onkocode.cluster.job import read_records
from onkocode.cluster.slurm import BusyError, RefusedError, Row, SlurmError
from onkocode.cluster.verdicts import Verdict, judge
from onkocode.cluster.watching import Watch, Watched
from onkocode.config.site import Site, read_site

LONGEST_PAUSE = 60  # seconds between two looks
SILENCE = 600.0  # seconds without an answer of SLURM, of which a person is told again and again
SUBMITTING = 600.0  # seconds for which a controller that is down, or a limit on jobs, is waited for


class Executor(SlurmExecutor):  # type: ignore[misc]
    """Submits to SLURM and watches; see the module."""

    site: Site | None

    def __post_init__(self, test_mode: bool = False) -> None:
        """Read the site before the plugin looks for its partition file."""
        self.site = read_site()
        settings = self.workflow.executor_settings
        if self.site is not None and settings.partition_config is None:
            settings.partition_config = self._partition_file(self.site)
        super().__post_init__(test_mode)
        self.folder = Path(self.workflow.workdir_init)
        self.records = Path(self.slurm_logdir) / "jobs"
        self.watch = Watch(self.records)
        self.answered = time.monotonic()
        self.submitting = threading.Lock()
        self.rows: dict[str, Row] = {}
        self.looked = -float("inf")

    def _partition_file(self, site: Site) -> Path:
        folder = self.workflow.executor_settings.logdir or ".snakemake/slurm_logs"
        file = Path(self.workflow.workdir_init) / folder / "partitions.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(site.for_plugin(), sort_keys=False), encoding="utf-8")
        return file

    # -- submitting ---------------------------------------------------------------------------------------------------

    def run_job(self, job: Any) -> None:
        """Submit a job, or adopt the one of an earlier Snakemake that does the same."""
        try:
            info = self._adopted(job) or self._patiently(job)
        except (RefusedError, SlurmError, WorkflowError) as error:
            self._give_up(SubmittedJobInfo(job), str(error))
        except Exception as error:
            self.logger.error(f"{work.title(job)}: cannot be submitted", exc_info=True)
            self._give_up(SubmittedJobInfo(job), f"cannot be submitted: {error!r}")
        else:
            self._report_job_submission_threadsafe(info)

    def _submitted(self, job: Any) -> SubmittedJobInfo:
        log = work.log_pattern(job, Path(self.slurm_logdir))
        script = submission.script_of(
            sys.executable, self.folder, work.payload(job, self.folder, self.records, self.format_job_exec(job))
        )
        arguments = self._arguments(job, log)
        id_ = self._sbatch(arguments, script)
        log = work.numbered(log, id_)
        self.logger.info(f"{work.title(job)}: submitted as SLURM job {id_} (log: {log})")
        self.watch.jobs[id_] = Watched(job, id_, work.key(job, self.folder), log)
        return SubmittedJobInfo(job, external_jobid=id_, aux={"slurm_logfile": log})

    def _arguments(self, job: Any, log: Path) -> list[str]:
        params = {
            "run_uuid": work.title(job),
            "slurm_logfile": log,
            "comment_str": submission.comment_of([(work.key(job, self.folder), work.contents(job))]),
            "account": self._account(job),
            "partition": self.get_partition_arg(job),
            "workdir": self.workflow.workdir_init,
        }
        call = get_submit_command(job, params, self.workflow.executor_settings, self._failed_nodes)
        call += set_gres_string(job)
        site = self.site
        further = [*(site.options if site else []), *([f"--qos={site.qos}"] if site and site.qos else [])]
        # An end that is told leaves time to save; logs of a job that SLURM starts again go on.
        warning = min(submission.WARNING_SECONDS, 15 * int(job.resources.get("runtime") or 60))
        return [*shlex.split(call), "--open-mode=append", f"--signal=B:USR1@{warning}", *further]

    def _account(self, job: Any) -> str:
        if job.resources.get("slurm_account") or self.site is None or self.site.account is None:
            return str(next(self.get_account_arg(job)))
        return f" -A {self.site.account}"

    def get_partition_arg(self, job: Any) -> str:
        """Return the partition, as the plugin chooses it; raises RefusedError where none has room for the job."""
        if job.resources.get("slurm_partition") or not self._partitions:
            return str(super().get_partition_arg(job))
        found = [(item.score_job_fit(job), item.name) for item in self._partitions]
        fitting = [(score, name) for score, name in found if score is not None]
        if not fitting:
            raise RefusedError(
                f"no partition has room for it ({work.asked(job)}); compare config/site.yaml, or what the recipe asks "
                "for (`resources`)"
            )
        return f" -p {max(fitting)[1]}"

    def _sbatch(self, arguments: Sequence[str], script: str) -> str:
        """Submit; raises BusyError where the controller is down, or own jobs fill a limit, RefusedError else."""
        try:
            return slurm.run(arguments, script).strip().split(";")[0].split()[-1]
        except SlurmError as error:
            full = any(words in str(error) for words in slurm.SUBMIT_LIMIT) and bool(self.watch.jobs)
            if full or any(words in str(error) for words in slurm.BUSY):
                raise BusyError(str(error)) from None
            raise RefusedError(slurm.refusal(str(error))) from None

    def _patiently(self, job: Any) -> SubmittedJobInfo:
        """Submit; wait for a controller that is down, for a while, and for own jobs to end, as long as it takes."""
        end, told = time.monotonic() + SUBMITTING, False
        while self.wait:
            try:
                return self._submitted(job)
            except BusyError as error:
                if time.monotonic() > end and not any(words in str(error) for words in slurm.SUBMIT_LIMIT):
                    raise RefusedError(slurm.refusal(str(error))) from None
                if not told:
                    self.logger.warning(f"SLURM takes no job now ({error}); trying again every 10 s")
                told = True
                time.sleep(10)
        raise RefusedError("Snakemake ends")

    def additional_general_args(self) -> str:
        """Leave outputs alone on the node when a job fails there: they may be those of another copy."""
        return f"{super().additional_general_args()} --keep-incomplete"

    # -- adopting -----------------------------------------------------------------------------------------------------

    def _adopted(self, job: Any) -> SubmittedJobInfo | None:
        """Return a job of an earlier Snakemake that waits or runs, and writes the same."""
        key = work.key(job, self.folder)
        free = [row for row in self._queue().values() if row.id not in self.watch.jobs]
        row = submission.adoptable(free, key, work.contents(job), self._fresh)
        if row is None:
            return None
        log = work.numbered(work.log_pattern(job, Path(self.slurm_logdir)), row.id)
        self.logger.info(f"{work.title(job)}: SLURM job {row.id} of an earlier run goes on ({row.state.lower()})")
        self.watch.jobs[row.id] = Watched(job, row.id, key, log)
        return SubmittedJobInfo(job, external_jobid=row.id, aux={"slurm_logfile": log})

    def _fresh(self, row: Row) -> bool:
        """Tell whether a job came to a good end after this Snakemake looked at what is there."""
        if row.state != "COMPLETED":
            return False
        records = read_records(self.records, row.id)
        return bool(records) and records[-1].file.stat().st_mtime > STARTED

    def _queue(self) -> dict[str, Row]:
        """Return all jobs of this user as of lately: many jobs are submitted at once."""
        with self.submitting:
            if time.monotonic() > self.looked + 5:
                try:
                    self.rows = slurm.queue()
                except SlurmError as error:
                    raise RefusedError(f"squeue does not answer, so nothing is submitted: {error}") from None
                self.looked = time.monotonic()
            return self.rows

    # -- watching -----------------------------------------------------------------------------------------------------

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncIterator[SubmittedJobInfo]:
        """Look at all jobs, and do what is to be done about each; yields those that go on."""
        first = self.workflow.executor_settings.init_seconds_before_status_checks or 10
        if not active_jobs:
            self.next_seconds_between_status_checks = first
            return
        async with self.status_rate_limiter:
            rows = self._look()
        if rows is None:
            for info in active_jobs:
                yield info
            return
        ended = 0
        for info in active_jobs:
            try:
                still = self._treat(info, rows)
            except Exception as error:  # one job that cannot be treated must not end the watch over all others
                self.logger.error(f"{work.title(info.job)}: {error!r}", exc_info=True)
                still = info
            if still is not None:
                yield still
            ended += still is not info
        longer = min(self.next_seconds_between_status_checks + 10, LONGEST_PAUSE)
        self.next_seconds_between_status_checks = first if ended else longer

    def _look(self) -> dict[str, Row] | None:
        try:
            rows = slurm.queue()
        except SlurmError as error:
            if time.monotonic() - self.answered > SILENCE:
                self.logger.warning(f"SLURM has not answered for 10 minutes, waiting on: {error}")
                self.answered = time.monotonic()
            return None
        self.answered = time.monotonic()
        return rows

    def _treat(self, info: SubmittedJobInfo, rows: dict[str, Row]) -> SubmittedJobInfo | None:
        """Do what is to be done about a job; returns it, or its successor, while it goes on."""
        watched = self.watch.jobs[info.external_jobid]
        verdict = judge(self.watch.look(watched, rows.get(watched.id)))
        if verdict.action == "wait":
            self._tell_once(watched, verdict.message)
            return info
        if verdict.action == "again":
            return self._again(info, watched, verdict)
        self.watch.jobs.pop(watched.id)
        if verdict.action == "done":
            self.watch.forget(watched.key)
            self.report_job_success(info)
            return None
        if verdict.action == "cancel":
            slurm.cancel([watched.id])
        self._exclude_node(watched)
        if verdict.action == "retry":
            self.report_job_error(info, msg=f"{verdict.message}. ", aux_logs=[])
        else:
            self._give_up(info, verdict.message)
        return None

    def _again(self, info: SubmittedJobInfo, watched: Watched, verdict: Verdict) -> SubmittedJobInfo | None:
        self._tell_once(watched, verdict.message)
        self._exclude_node(watched)
        try:
            following = self._submitted(info.job)
        except BusyError:
            return info  # at the next look
        except (RefusedError, SlurmError, WorkflowError) as error:
            following = None
            self._give_up(info, str(error))
        self.watch.jobs.pop(watched.id)
        return following

    def _exclude_node(self, watched: Watched) -> None:
        row = watched.row
        if row is not None and row.state in ("NODE_FAIL", "BOOT_FAIL") and row.node and "," not in row.node:
            self._failed_nodes.add(row.node)

    def _tell_once(self, watched: Watched, message: str) -> None:
        if message and watched.told != message:
            watched.told = message
            self.logger.info(f"{work.title(watched.job)}: {message}")

    def _give_up(self, info: SubmittedJobInfo, message: str) -> None:
        """Report an error that no further try could mend."""
        info.job.attempt = info.job.restart_times + 1
        self._report_job_error_threadsafe(info, f"{message}. ")

    # -- ending -------------------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """End the waiting, also that of submissions, before the plugin waits for them."""
        with self.lock:
            self.wait = False
        super().shutdown()

    async def sleep(self) -> None:
        """Sleep between two looks, but not after Snakemake is to end."""
        end = time.monotonic() + self.next_seconds_between_status_checks
        while self.wait and time.monotonic() < end:
            await asyncio.sleep(0.5)


STARTED = time.time()


def install() -> None:
    """Let the executor `slurm` of Snakemake be this one."""
    ExecutorPluginRegistry().get_plugin("slurm").executor = Executor
