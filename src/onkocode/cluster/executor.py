"""Snakemake's SLURM plugin with another way to submit and to watch.

The plugin's own options, resources and checks of accounts stay. What differs, and why (docs/slurm_plugin.md has a
minimal case for each): jobs are named by what they do, jobs of an earlier Snakemake are adopted, whatever state a job
ends in is seen, and only what another try could mend is tried again.
"""

import asyncio
import json
import shlex
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import yaml
from snakemake_executor_plugin_slurm import Executor as SlurmExecutor
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import get_job_wildcards, set_gres_string
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from onkocode.cluster import slurm, submission
from onkocode.cluster.job import Payload, read_records
from onkocode.cluster.slurm import Row, SlurmError
from onkocode.cluster.verdicts import PATIENCE, Seen, Verdict, judge
from onkocode.config.site import Site, read_site
from onkocode.records.endings import Ending, conclude_memory, read_endings
from onkocode.records.ownership import living

PROGRESS_FILE = "progress.json"
LONGEST_PAUSE = 60  # seconds between two looks
SILENCE = 600.0  # seconds without an answer of SLURM, of which a person is told again and again
TAIL = 20_000  # bytes at the end of a log that are read
MEMORY_WORDS = ("exceeded memory limit", "exceeded job memory limit", "oom-kill", "oom_kill", "out of memory")
SUBMITTING = 600.0  # seconds for which a controller that is down, or a limit on jobs, is waited for


class RefusedError(Exception):
    """A job cannot be submitted, and no further try could change that."""


@dataclass
class Watched:
    """What is kept of a submitted job."""

    job: Any
    id: str
    key: str
    log: Path
    submitted: float = field(default_factory=time.time)
    seen: float = field(default_factory=time.monotonic)
    reason: str = ""
    since: float = field(default_factory=time.monotonic)
    told: str = ""
    row: Row | None = None
    began_with: int = 0  # endings that were there when it was submitted


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
        self.watched: dict[str, Watched] = {}
        self.in_vain: dict[str, tuple[float, int]] = {}  # by key: how far it had come, and how often no further
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
            info = self._adopted(job) or self._submitted(job)
        except (RefusedError, SlurmError, WorkflowError) as error:
            self._give_up(SubmittedJobInfo(job), str(error))
        except Exception as error:
            self.logger.error(f"{self._title(job)}: cannot be submitted", exc_info=True)
            self._give_up(SubmittedJobInfo(job), f"cannot be submitted: {error!r}")
        else:
            self._report_job_submission_threadsafe(info)

    def _submitted(self, job: Any) -> SubmittedJobInfo:
        log = self._log_pattern(job)
        script = submission.script_of(sys.executable, self.folder, self._payload(job))
        arguments = self._arguments(job, log)
        began_with = len(self._endings(job))
        id_ = self._sbatch(arguments, script)
        log = _numbered(log, id_)
        self.logger.info(f"{self._title(job)}: submitted as SLURM job {id_} (log: {log})")
        self.watched[id_] = Watched(job, id_, self._key(job), log, began_with=began_with)
        return SubmittedJobInfo(job, external_jobid=id_, aux={"slurm_logfile": log})

    def _arguments(self, job: Any, log: Path) -> list[str]:
        params = {
            "run_uuid": submission.name_of(job.name, job.wildcards or () if not job.is_group() else ()),
            "slurm_logfile": log,
            "comment_str": submission.comment_of([(self._key(job), self._contents(job))]),
            "account": self._account(job),
            "partition": self.get_partition_arg(job),
            "workdir": self.workflow.workdir_init,
        }
        call = get_submit_command(job, params, self.workflow.executor_settings, self._failed_nodes) + set_gres_string(
            job
        )
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
            raise RefusedError(f"no partition has room for it ({self._asked(job)}); compare config/site.yaml, {ADVICE}")
        return f" -p {max(fitting)[1]}"

    def _asked(self, job: Any) -> str:
        given = job.resources
        gpus = given.get("gres") or f"{given.get('gpu') or 0} GPUs {given.get('gpu_model') or ''}".strip()
        return f"{gpus}, {given.get('mem_mb')} MB, {job.threads} cores, {given.get('runtime')} minutes"

    def _sbatch(self, arguments: Sequence[str], script: str) -> str:
        """Submit; a controller that is down, and a limit on one's jobs while own ones run, are waited for."""
        end, told = time.monotonic() + SUBMITTING, False
        while True:
            try:
                return slurm.run(arguments, script).strip().split(";")[0].split()[-1]
            except SlurmError as error:
                busy = any(words in str(error) for words in slurm.BUSY)
                full = any(words in str(error) for words in slurm.SUBMIT_LIMIT) and bool(self.watched)
                if not full and not (busy and time.monotonic() < end):
                    raise RefusedError(refusal(str(error))) from None
                if not told:
                    self.logger.warning(f"SLURM takes no job now ({error}); trying again every 10 s")
                told = True
                time.sleep(10)
                if not self.wait:
                    raise RefusedError("Snakemake ends") from None

    def _payload(self, job: Any) -> Payload:
        scratch = self._scratch(job)
        own = [str(scratch), str(submission.common_folder(self._outputs(job)))] if scratch else []
        name = submission.name_of(job.name, job.wildcards or () if not job.is_group() else ())
        left = [str(scratch)] if scratch else []
        return Payload(str(self.records), [name], [self._key(job)], [self.format_job_exec(job)], own, left)

    def additional_general_args(self) -> str:
        """Leave outputs alone on the node when a job fails there: they may be those of another copy."""
        return f"{super().additional_general_args()} --keep-incomplete"

    # -- what jobs are ------------------------------------------------------------------------------------------------

    def _outputs(self, job: Any) -> list[str]:
        return [str(file) for file in job.output]

    def _key(self, job: Any) -> str:
        return submission.key_of(self._outputs(job), self.folder)

    def _contents(self, job: Any) -> str:
        return submission.contents_of([dict(item.params.items()) for item in (job.jobs if job.is_group() else [job])])

    def _scratch(self, job: Any) -> Path | None:
        found = None if job.is_group() else job.params.get("scratch")
        return Path(found) if found else None

    def _endings(self, job: Any) -> list[Ending]:
        scratch = self._scratch(job)
        return read_endings(scratch) if scratch else []

    def _title(self, job: Any) -> str:
        return submission.name_of(job.name, job.wildcards or () if not job.is_group() else ())

    def _log_pattern(self, job: Any) -> Path:
        kind = f"group_{job.name}" if job.is_group() else f"rule_{job.name}"
        file: Path = Path(self.slurm_logdir) / kind / get_job_wildcards(job) / "%j.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    # -- adopting -----------------------------------------------------------------------------------------------------

    def _adopted(self, job: Any) -> SubmittedJobInfo | None:
        """Return a job of an earlier Snakemake that waits or runs, and writes the same.

        Raises:
            RefusedError: it computes that from something else.
        """
        key, contents = self._key(job), self._contents(job)
        for row in self._queue().values():
            found = submission.keys_in(row.comment)
            if key not in found or not (row.alive or self._fresh(row)) or row.id in self.watched:
                continue
            if found[key] != contents:
                if not row.alive:
                    continue
                raise RefusedError(
                    f"SLURM job {row.id} of an earlier run is still at it with other settings; wait until it has "
                    f"ended, or end it (scancel {row.id}), and start Snakemake again"
                )
            log = _numbered(self._log_pattern(job), row.id)
            self.logger.info(f"{self._title(job)}: SLURM job {row.id} of an earlier run goes on ({row.state.lower()})")
            self.watched[row.id] = Watched(job, row.id, key, log)
            return SubmittedJobInfo(job, external_jobid=row.id, aux={"slurm_logfile": log})
        return None

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
                self.logger.error(f"{self._title(info.job)}: {error!r}", exc_info=True)
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
        watched = self.watched[info.external_jobid]
        verdict = judge(self._seen(watched, rows.get(watched.id)))
        if verdict.action == "wait":
            self._tell_once(watched, verdict.message)
            return info
        self.watched.pop(watched.id)
        if verdict.action == "done":
            self.in_vain.pop(watched.key, None)
            self.report_job_success(info)
            return None
        if verdict.action == "again":
            return self._again(info, watched, verdict)
        if verdict.action == "cancel":
            slurm.cancel([watched.id])
        self._exclude_node(watched)
        if verdict.action == "retry":
            self.report_job_error(info, msg=f"{verdict.message}. ", aux_logs=[])
        else:
            self._give_up(info, verdict.message)
        return None

    def _again(self, info: SubmittedJobInfo, watched: Watched, verdict: Verdict) -> SubmittedJobInfo | None:
        self.logger.info(f"{self._title(info.job)}: {verdict.message}")
        self._exclude_node(watched)
        try:
            return self._submitted(info.job)
        except (RefusedError, SlurmError, WorkflowError) as error:
            self._give_up(info, str(error))
            return None

    def _seen(self, watched: Watched, row: Row | None) -> Seen:
        now = time.monotonic()
        if row is None and now - watched.seen > PATIENCE:
            row = slurm.accounted(watched.id)
        if row is not None:
            watched.seen = now
            if row.reason != watched.reason:
                watched.reason, watched.since = row.reason, now
        if row is not None and not row.alive and row.code is None:
            row = Row(row.id, row.state, row.reason, row.node, row.comment, slurm.exit_code(row.id))
        watched.row = row
        if row is not None and not row.alive and row.state != "COMPLETED":
            self._conclude_memory(watched)
        records = read_records(self.records, watched.id)
        scratch, outputs = self._scratch(watched.job), self._outputs(watched.job)
        endings = self._endings(watched.job)[watched.began_with :]
        finished = row is None or not row.alive
        return Seen(
            row=row,
            records=records,
            ending=endings[-1] if endings else None,
            log=str(watched.log),
            in_vain=self._in_vain(watched) if finished else 0,
            missing=now - watched.seen,
            waiting=now - watched.since,
            outputs=finished and all(Path(file).exists() for file in outputs),
            owned=scratch is not None and finished and living(scratch) is not None,
        )

    def _conclude_memory(self, watched: Watched) -> None:
        """Let the step's record say so where SLURM ended it for its memory: it had no time to write that itself."""
        scratch, given = self._scratch(watched.job), watched.job.resources.get("mem_mb")
        if scratch is not None and given and _exceeded_memory(watched.log):
            conclude_memory(scratch, int(given))

    def _in_vain(self, watched: Watched) -> int:
        """Count the ends of a job since it came further last."""
        scratch = self._scratch(watched.job)
        far = _progress(scratch) if scratch else -1.0
        before, count = self.in_vain.get(watched.key, (-2.0, 0))
        if watched.told == "counted":
            return count
        watched.told = "counted"
        self.in_vain[watched.key] = (max(far, before), 0 if far > before else count + 1)
        return self.in_vain[watched.key][1]

    def _exclude_node(self, watched: Watched) -> None:
        row = watched.row
        if row is not None and row.state in ("NODE_FAIL", "BOOT_FAIL") and row.node and "," not in row.node:
            self._failed_nodes.add(row.node)

    def _tell_once(self, watched: Watched, message: str) -> None:
        if message and watched.told != message:
            watched.told = message
            self.logger.info(f"{self._title(watched.job)}: {message}")

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
ADVICE = "or what the recipe asks for (`resources`)"


def refusal(message: str) -> str:
    """Return what sbatch said, and what to do about it."""
    words = {
        "account": "set `account` in config/site.yaml (yours: `sacctmgr show associations user=$USER`)",
        "partition": "correct the partitions in config/site.yaml (`sinfo`)",
        "QOS": "set `qos` in config/site.yaml, or lower `jobs` in profiles/slurm/config.yaml",
        "Requested node configuration": "ask for less, or correct what nodes have in config/site.yaml",
        "time limit": "correct the time limit (`hours`) of the partition in config/site.yaml",
        "gres": "set `gpu_request` and the GPU types in config/site.yaml",
        "gpus": "set `gpu_request: gres` in config/site.yaml",
        "limit": "lower `jobs` in profiles/slurm/config.yaml",
    }
    advice = next((text for word, text in words.items() if word.casefold() in message.casefold()), "ask the site")
    return f"sbatch refused it ({' '.join(message.split())}); {advice}, and start Snakemake again"


def _numbered(log: Path, job: str) -> Path:
    """Return the log of a job from the pattern that SLURM is given."""
    return log.with_name(log.name.replace("%j", job))


def _exceeded_memory(log: Path) -> bool:
    """Tell whether SLURM wrote into the log of a job that it ended it for its memory."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - TAIL))
            text = stream.read().decode(errors="replace").casefold()
    except OSError:
        return False
    return any(word in text for word in MEMORY_WORDS)


def _progress(scratch: Path) -> float:
    """Return how far a job has come by its own account, -1 where it says nothing."""
    try:
        return float(json.loads((scratch / PROGRESS_FILE).read_text(encoding="utf-8"))["done"])
    except (OSError, ValueError, KeyError, TypeError):
        return -1.0


def install() -> None:
    """Let the executor `slurm` of Snakemake be this one."""
    ExecutorPluginRegistry().get_plugin("slurm").executor = Executor


def end_on_signals(workflow: Any) -> None:
    """Let SIGTERM and SIGHUP (a closed connection) end Snakemake; its jobs go on, and the next start adopts them."""

    def end(number: int, frame: FrameType | None) -> None:
        words = (
            f"{signal.Signals(number).name}: Snakemake ends; its jobs in SLURM go on, and the next start adopts them"
        )
        # In a thread of its own: the handler may have come while the scheduler held the lock that this takes.
        threading.Thread(target=workflow.scheduler.executor_error_callback, args=(WorkflowError(words),)).start()

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
