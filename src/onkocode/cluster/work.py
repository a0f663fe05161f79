"""What Snakemake's jobs are to the cluster: what they write and where, what they are known by, and how far they are."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake_executor_plugin_slurm.utils import get_job_wildcards

from onkocode.cluster import submission
from onkocode.records.endings import Ending, read_endings
from onkocode.records.ownership import common_folder

ALIKE = ("mem_mb", "runtime", "gpu", "gpu_model", "gres", "slurm_partition", "slurm_account")  # of a bundle
PROGRESS_FILE = "progress.json"
TAIL = 20_000  # bytes at the end of a log that are read
MEMORY_WORDS = ("exceeded memory limit", "exceeded job memory limit", "oom-kill", "oom_kill", "out of memory")


def outputs(job: Any) -> list[str]:
    """Return the files that a job, or a group of jobs, writes."""
    return [str(file) for file in job.output]


def key(job: Any, folder: Path) -> str:
    """Return what a job of a working directory is known by."""
    return submission.key_of(outputs(job), folder)


def contents(job: Any) -> str:
    """Return a hash of what a job computes from."""
    return submission.contents_of([dict(item.params.items()) for item in (job.jobs if job.is_group() else [job])])


def title(job: Any) -> str:
    """Return the name of a job for people."""
    return submission.name_of(job.name, () if job.is_group() else job.wildcards or ())


def scratch(job: Any) -> Path | None:
    """Return the folder of a job's saves; None where it has none."""
    found = None if job.is_group() else job.params.get("scratch")
    return Path(found) if found else None


def endings(job: Any) -> list[Ending]:
    """Return how the tries of a job ended so far."""
    folder = scratch(job)
    return read_endings(folder) if folder else []


def log_pattern(job: Any, logs: Path) -> Path:
    """Return the file of SLURM's log, with %j for the number of the job, in a folder that is there."""
    file: Path = logs / f"{'group' if job.is_group() else 'rule'}_{job.name}" / get_job_wildcards(job) / "%j.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def numbered(log: Path, id_: str) -> Path:
    """Return the log of a job from its pattern."""
    return log.with_name(log.name.replace("%j", id_))


def own(job: Any) -> list[Path]:
    """Return the folders that nobody else may write to while a job does: of its saves, and of its outputs."""
    folder = scratch(job)
    return [] if folder is None else [folder, common_folder(map(Path, outputs(job)))]


def bundles(jobs: Iterable[Any]) -> list[list[Any]]:
    """Put small jobs together that are ready at the same time, so that they wait in the queue once.

    The resource `bundle` of a rule says how many of its jobs may share a submission; those of one submission ask for
    the same and run one after the other.
    """
    found: list[list[Any]] = []
    open_: dict[Any, list[Any]] = {}
    for job in jobs:
        most = 1 if job.is_group() else int(job.resources.get("bundle") or 1)
        alike = (most, job.threads, *(str(job.resources.get(name)) for name in ALIKE))
        bundle = open_.get(alike)
        if most == 1 or bundle is None or len(bundle) >= most:
            bundle = open_[alike] = []
            found.append(bundle)
        bundle.append(job)
    return found


def fitting(found: Iterable[list[Any]], has_room: Callable[[list[Any]], bool]) -> Iterator[list[Any]]:
    """Yield bundles, and the halves of those that are too long together for every partition."""
    for bundle in found:
        if len(bundle) == 1 or has_room(bundle):
            yield bundle
        else:
            half = len(bundle) // 2
            yield from fitting([bundle[:half], bundle[half:]], has_room)


def together(jobs: Sequence[Any]) -> Any:
    """Return what a partition must have room for: the first of jobs that are alike, with the time of all."""
    if len(jobs) == 1:
        return jobs[0]
    given = dict(jobs[0].resources.items())
    given["runtime"] = int(given.get("runtime") or 60) * len(jobs)
    return SimpleNamespace(name=jobs[0].name, threads=jobs[0].threads, resources=Resources(given))


class Resources(dict[str, Any]):
    """Resources as Snakemake has them: by key, and as attributes."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


def enlarge(job: Any, memory_mb: int | None) -> None:
    """Let a job ask for more memory than its rule says; None leaves it as it is."""
    if memory_mb is not None and not job.is_group():
        given = job.resources  # a list of which some items have names
        given[list(given.keys()).index("mem_mb")] = given.mem_mb = memory_mb


def asked(job: Any) -> str:
    """Return what a job asks for, in words."""
    given = job.resources
    gpus = given.get("gres") or f"{given.get('gpu') or 0} GPUs {given.get('gpu_model') or ''}".strip()
    return f"{gpus}, {given.get('mem_mb')} MB, {job.threads} cores, {given.get('runtime')} minutes"


def exceeded_memory(log: Path) -> bool:
    """Tell whether SLURM wrote into the log of a job that it ended it for its memory."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - TAIL))
            text = stream.read().decode(errors="replace").casefold()
    except OSError:
        return False
    return any(word in text for word in MEMORY_WORDS)


def progress(folder: Path) -> float:
    """Return how far a job has come by its own account, -1 where it says nothing."""
    try:
        return float(json.loads((folder / PROGRESS_FILE).read_text(encoding="utf-8"))["done"])
    except (OSError, ValueError, KeyError, TypeError):
        return -1.0
