"""Snakemake's SLURM plugin with another way to submit and to watch.

The plugin's own options, resources and checks of accounts stay. What differs, and why (docs/slurm_plugin.md has a
minimal case for each): jobs are named by what they do, jobs of an earlier Snakemake are adopted, whatever state a job
ends in is seen, and only what another try could mend is tried again.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_slurm import Executor as SlurmExecutor
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from onkocode.cluster import slurm, work
from onkocode.cluster.adopting import Queue, end_twins
from onkocode.cluster.failed_nodes import FailedNodes
from onkocode.cluster.here import site_here
from onkocode.cluster.leaving import Silence
from onkocode.cluster.sending import Sending, send
from onkocode.cluster.slurm import BusyError, RefusedError, Row, SlurmError
from onkocode.cluster.verdicts import Verdict, judge
from onkocode.cluster.watching import Watch, Watched

LONGEST_PAUSE = 60  # seconds between two looks


class Executor(SlurmExecutor):  # type: ignore[misc]
    """Submits to SLURM and watches; see the module."""

    def __post_init__(self, test_mode: bool = False) -> None:
        """Read the site before the plugin looks for its partition file."""
        settings, folder = self.workflow.executor_settings, Path(self.workflow.workdir_init)
        logs = folder / (settings.logdir or ".snakemake/slurm_logs")
        self.sending = Sending(settings, site_here(on_cluster=True), folder, logs)
        settings.partition_config = settings.partition_config or self.sending.partition_file()
        super().__post_init__(test_mode)
        self.watch = Watch(self.sending.records)
        self.silence = Silence(self.workflow, self.sending.site, self.logger)
        self.memory: dict[str, int] = {}  # by key: MB that a job without saves asks for after running out of memory
        self.trouble: dict[tuple[str, str], float] = {}  # since when a job cannot be looked at
        self.queue, self.failed = Queue(self.sending), FailedNodes()

    # -- submitting ---------------------------------------------------------------------------------------------------

    def run_jobs(self, jobs: list[Any]) -> None:
        """Submit jobs, small ones together."""
        for job in jobs:
            work.enlarge(job, self.memory.get(work.key(job, self.sending.folder)))
        for bundle in work.fitting(work.bundles(jobs), self._has_room):
            for job in bundle:
                self.run_job_pre(job)
            self._job_submission_executor.submit(self.run_bundle, bundle)

    def run_job(self, job: Any) -> None:
        """Submit a job."""
        self.run_bundle([job])

    def run_bundle(self, jobs: list[Any]) -> None:
        """Submit jobs together, but for those that a job of an earlier Snakemake does already."""
        left = list(jobs)
        try:
            for info in self._patiently(jobs):
                left.remove(info.job)
                self.report_job_submission(info)
        except (RefusedError, SlurmError, WorkflowError) as error:
            self._give_up_all(left, str(error))
        except Exception as error:
            self.logger.error(f"{work.title(jobs[0])}: cannot be submitted", exc_info=True)
            self._give_up_all(left, f"cannot be submitted: {error!r}")

    def _patiently(self, jobs: list[Any]) -> Iterator[SubmittedJobInfo]:
        """Adopt or submit; wait for a controller that is down, as long as is borne, and for own jobs to end."""
        told, left = False, list(jobs)
        while left and self.wait:
            try:
                # Each time: SLURM may have taken a job although its answer did not come.
                for info in [info for job in left if (info := self._adopted(job)) is not None]:
                    left.remove(info.job)
                    yield info
                yield from self._submitted(left) if left else []
                return
            except BusyError as error:
                if not slurm.is_full(str(error)):
                    self.silence.bear(error)
                if not told:
                    self.logger.warning(f"SLURM takes no job now ({error}); trying again every 10 s")
                told = True
                time.sleep(10)

    def _submitted(self, jobs: list[Any]) -> list[SubmittedJobInfo]:
        log = work.log_pattern(jobs[0], self.sending.logs)
        before = self.watch.before[work.key(jobs[0], self.sending.folder)] if len(jobs) == 1 else []
        script = self.sending.script(jobs, [self.format_job_exec(job) for job in jobs], before)
        account, partition = self._account(jobs[0]), self.get_partition_arg(work.together(jobs))
        try:
            arguments = self.sending.arguments(jobs, log, account, partition, self.failed.names())
            id_ = send(arguments, script, self.queue.has_living)
        except RefusedError:
            if not self.failed.names():
                raise
            self.failed.forget()
            id_ = send(self.sending.arguments(jobs, log, account, partition, set()), script, self.queue.has_living)
        self.silence.broken()
        log = work.numbered(log, id_)
        names = ", ".join(map(work.title, jobs))
        self.logger.info(f"{names}: submitted as SLURM job {id_} (log: {log})")
        return [self._info(job, id_, log) for job in jobs]

    def _info(self, job: Any, id_: str, log: Path) -> SubmittedJobInfo:
        self.watch.add(Watched(job, id_, work.key(job, self.sending.folder), log))
        return SubmittedJobInfo(job, external_jobid=id_, aux={"slurm_logfile": log})

    def _account(self, job: Any) -> str:
        site = self.sending.site
        if job.resources.get("slurm_account"):
            return str(next(self.get_account_arg(job)))
        # Without one SLURM takes the user's default; the plugin would guess, from the last job of all.
        return "" if site is None or site.account is None else f" -A {site.account}"

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

    def _has_room(self, jobs: list[Any]) -> bool:
        """Tell whether a partition has room, and time, for jobs that are sent together."""
        try:
            return bool(self.get_partition_arg(work.together(jobs)))
        except RefusedError:
            return False

    def additional_general_args(self) -> str:
        """Leave outputs alone on the node when a job fails there: they may be those of another copy."""
        return f"{super().additional_general_args()} --keep-incomplete"

    def _adopted(self, job: Any) -> SubmittedJobInfo | None:
        """Return a job of an earlier Snakemake that waits or runs, and writes the same."""
        row = self.queue.earlier(job, self.watch.before[work.key(job, self.sending.folder)])
        if row is None:
            return None
        self.logger.info(f"{work.title(job)}: SLURM job {row.id} of an earlier run goes on ({row.state.lower()})")
        return self._info(job, row.id, work.numbered(work.log_pattern(job, self.sending.logs), row.id))

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
        end_twins(rows, {key: id_ for id_, key in self.watch.jobs}, self.logger)
        ended = 0
        for info in active_jobs:
            place = (str(info.external_jobid), work.key(info.job, self.sending.folder))
            try:
                still = self._treat(info, rows)
                self.trouble.pop(place, None)
            except Exception as error:  # one job that cannot be treated must not end the watch over all others
                still = self._in_trouble(info, place, error)
            if still is not None:
                yield still
            ended += still is not info
        longer = min(self.next_seconds_between_status_checks + 10, LONGEST_PAUSE)
        self.next_seconds_between_status_checks = first if ended else longer

    def _look(self) -> dict[str, Row] | None:
        try:
            rows = slurm.queue()
        except SlurmError as error:
            self.silence.bear(error)
            return None
        self.silence.broken()
        return rows

    def _treat(self, info: SubmittedJobInfo, rows: dict[str, Row]) -> SubmittedJobInfo | None:
        """Do what is to be done about a job; returns it, or its successor, while it goes on."""
        watched = self.watch.jobs[info.external_jobid, work.key(info.job, self.sending.folder)]
        verdict = judge(self.watch.look(watched, rows.get(watched.id)))
        if verdict.action == "wait":
            self._tell_once(watched, verdict.message)
            return info
        if verdict.action == "again":
            return self._again(info, watched, verdict)
        if verdict.action == "cancel":
            slurm.cancel([watched.id])
        self.watch.jobs.pop((watched.id, watched.key))
        if verdict.action == "done":
            self.watch.forget(watched.key)
            self.report_job_success(info)
            return None
        self.failed.note(watched.row)
        if verdict.lacks_memory and work.scratch(watched.job) is None:
            self.memory[watched.key] = 2 * int(watched.job.resources.get("mem_mb") or 0)
        if verdict.action == "retry":
            self.report_job_error(info, msg=f"{verdict.message}. ", aux_logs=[])
        else:
            self._give_up(info, verdict.message)
        return None

    def _again(self, info: SubmittedJobInfo, watched: Watched, verdict: Verdict) -> SubmittedJobInfo | None:
        self._tell_once(watched, verdict.message)
        self.failed.note(watched.row)
        place = (watched.id, watched.key)
        del self.watch.jobs[place]
        try:
            return self._adopted(info.job) or self._submitted([info.job])[0]
        except (RefusedError, SlurmError, WorkflowError) as error:
            self._give_up(info, str(error))
            return None
        except Exception as error:
            self.watch.jobs[place] = watched  # at the next look
            if not isinstance(error, BusyError):
                raise
            self._tell_once(watched, f"SLURM takes no job now ({error}); trying again")
            return info

    def _in_trouble(self, info: SubmittedJobInfo, place: tuple[str, str], error: Exception) -> SubmittedJobInfo | None:
        """Keep a job that could not be looked at, such as when a file system hangs, but not for ever."""
        since = self.trouble.setdefault(place, time.monotonic())
        self.logger.error(f"{work.title(info.job)}: {error!r}; looking again", exc_info=not isinstance(error, OSError))
        if time.monotonic() - since < 60 * self.silence.minutes:
            return info
        with suppress(SlurmError):
            slurm.cancel([place[0]])  # what it writes is removed now
        self.watch.jobs.pop(place, None)
        self._give_up(info, f"it cannot be watched ({error!r})")
        return None

    def _tell_once(self, watched: Watched, message: str) -> None:
        if message and watched.told != message:
            watched.told = message
            self.logger.info(f"{work.title(watched.job)}: {message}")

    def _give_up_all(self, jobs: Iterable[Any], message: str) -> None:
        for job in jobs:
            self._give_up(SubmittedJobInfo(job), message)

    def _give_up(self, info: SubmittedJobInfo, message: str) -> None:
        """Report an error that no further try could mend."""
        info.job.attempt = info.job.restart_times + 1
        self.report_job_error(info, f"{message}. ")

    # -- ending -------------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel all jobs, also those that are just looked at or submitted."""
        self._drain()
        try:
            slurm.cancel(sorted({id_ for id_, _ in self.watch.jobs}))
        except SlurmError as error:
            self.logger.error(f"jobs could not be cancelled ({error}), and go on")
        self.shutdown()

    def shutdown(self) -> None:
        """End the waiting, also that of submissions, before the plugin waits for them."""
        self._drain()
        if self.watch.jobs:
            # Jobs that go on without this Snakemake wait for its folder, which the plugin would remove.
            self._tmpdir = tempfile.mkdtemp(dir=".snakemake", prefix="tmp.")
        super().shutdown()

    def _drain(self) -> None:
        with self.lock:
            self.wait = False
        self._job_submission_executor.shutdown(wait=True)
        self.wait_thread.join()

    async def sleep(self) -> None:
        """Sleep between two looks, but not after Snakemake is to end."""
        end = time.monotonic() + self.next_seconds_between_status_checks
        while self.wait and time.monotonic() < end:
            await asyncio.sleep(0.5)


def install() -> None:
    """Let the executor `slurm` of Snakemake be this one."""
    ExecutorPluginRegistry().get_plugin("slurm").executor = Executor
