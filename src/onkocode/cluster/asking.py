"""What the jobs of a study ask SLURM for, and whether it would take them.

That is what `sbatch --test-only` says, which submits nothing.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from snakemake_executor_plugin_slurm.partitions import Partition as PluginPartition
from snakemake_executor_plugin_slurm.partitions import PartitionLimits
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_interface_common.exceptions import WorkflowError

from onkocode.cluster import slurm, submission
from onkocode.cluster.detect import Cluster
from onkocode.cluster.findings import Finding, key, ok, warning, wrong
from onkocode.cluster.requests import SLICES, NoGpuError, Tries, request
from onkocode.cluster.slurm import SlurmError
from onkocode.cluster.work import Resources
from onkocode.config.site import Site
from onkocode.models.gpus import is_slice
from onkocode.study import Study

NAME = "cluster-check"
NOT_AVAILABLE = "node configuration is not available"  # said of nodes that are not there, and of those that are down
SHOWN = 3  # names of nodes in a line
# Words in what sbatch says, and the key of the site file that is to be corrected.
REFUSALS = (
    ("invalid partition", "partitions"),
    ("account", "account"),
    ("qos", "qos"),
    ("time limit", "partitions"),
    ("gres", "gpu_request"),
    ("--gpus", "gpu_request"),
    ("partition", "partitions"),
    ("node configuration", "partitions"),
    ("memory", "partitions"),
    ("cpu count", "partitions"),
    ("unrecognized option", "options"),
    ("invalid option", "options"),
)


@dataclass(frozen=True)
class Asked:
    """What a job asks for; `models` are those whose jobs of that stage ask for the same."""

    models: tuple[str, ...]
    stage: str
    gpus: int
    gpu_type: str
    memory_mb: int
    cores: int
    minutes: int

    def __str__(self) -> str:
        """Return it in words."""
        gpus = f"{self.gpus} {self.gpu_type or 'GPUs'}, " if self.gpus else ""
        return f"{gpus}{self.memory_mb:,} MB, {self.cores} cores, {self.minutes / 60:g} h"

    @property
    def of(self) -> str:
        """Return whose jobs these are."""
        more = f" and {len(self.models) - 1} more" if len(self.models) > 1 else ""
        return f"{self.stage} of {self.models[0]}{more}"


@dataclass(frozen=True)
class _Job:
    """What the plugin reads of a job."""

    name: str
    resources: Resources
    threads: int


def asked_by(study: Study, site: Site) -> tuple[list[Asked], list[Finding]]:
    """Return what the jobs of all recipes ask for at their first try, training first, each once.

    The findings are of the recipes for whose jobs the cluster has no GPU, each once.
    """
    trained = [*study.trained_models, *study.fitted_models]
    found: dict[Asked, list[str]] = {}
    problems: dict[str, Finding] = {}
    for stage, models in (("training", trained), ("testing", study.models)):
        for model in models:
            try:
                given = request(study, model, stage, site, Tries())
            except NoGpuError as error:
                problems.setdefault(model, wrong(f"{stage} of {model}: {error.what}", error.advice))
                continue
            cores = study.recipes[model].config.resources.threads
            asked = Asked((), stage, given.gpus, given.gpu, given.memory_mb, cores, given.minutes)
            found.setdefault(asked, []).append(model)
    return [replace(asked, models=tuple(models)) for asked, models in found.items()], [*problems.values()]


def partition_for(site: Site, asked: Asked) -> str | None:
    """Return the partition that the executor would choose; None where none has room."""
    job = _job(site, asked)
    partitions = [
        PluginPartition(name=name, limits=PartitionLimits(**limits))
        for name, limits in site.for_plugin()["partitions"].items()
    ]
    found = [(item.score_job_fit(job), item.name) for item in partitions]
    return max(((score, name) for score, name in found if score is not None), default=(0.0, None))[1]


def arguments(site: Site, asked: Asked, partition: str, log: Path, name: str = NAME) -> list[str]:
    """Return the call of sbatch with which the executor submits such a job; raises WorkflowError where it would."""
    job = _job(site, asked)
    params = {
        "run_uuid": name,
        "slurm_logfile": log,
        "comment_str": NAME,
        "account": f" -A {shlex.quote(site.account)}" if site.account else "",
        "partition": f" -p {shlex.quote(partition)}",
        "workdir": str(Path.cwd()),
    }
    call = [*shlex.split(get_submit_command(job, params)), *submission.gpu_options(job.resources)]
    told = min(submission.WARNING_SECONDS, 15 * asked.minutes)
    quality = [f"--qos={site.qos}"] if site.qos else []
    return [*call, "--open-mode=append", f"--signal=B:USR1@{told}", *site.options, *quality]


def _job(site: Site, asked: Asked) -> _Job:
    given = Resources(mem_mb=asked.memory_mb, runtime=asked.minutes, gpu=0, gres="")
    if asked.gpus and site.gpu_request == "gres":
        given["gres"] = ":".join(["gpu", *([asked.gpu_type] if asked.gpu_type else []), str(asked.gpus)])
    elif asked.gpus:
        given |= {"gpu": asked.gpus, "gpu_model": asked.gpu_type}
    return _Job(NAME, given, asked.cores)


def check_types(study: Study, site: Site) -> Iterator[Finding]:
    """Yield a warning where jobs get GPUs of another type than was meant."""
    known = [kind for kind in site.gpu_types() if kind != "gpu"]
    wanted: dict[str | None, list[str]] = {}
    for model, recipe in study.recipes.items():
        resources = recipe.config.resources
        if resources.gpus_training or resources.gpus_testing:
            wanted.setdefault(resources.gpu_model, []).append(model)
    for kind, models in wanted.items():
        if kind is not None and known and not site.named(kind):
            what = f"GPUs: no partition names {kind}, which {models[0]} asks for; by the plan it asks for others"
            slices = ", ".join(filter(is_slice, known))
            what += f" (not for {slices}: {SLICES})" if slices else ""
            advice = (
                f"see below what for; or name {kind} in {key('partitions')}, or give the recipe `resources` of its own"
            )
            yield warning(what, advice)
        elif kind is None and len(known) > 1:
            what = f"GPUs: {models[0]} names no type, so it takes any of {', '.join(known)}"
            yield warning(what, "set resources.gpu_model of the recipe if that matters")


def check_asked(
    site: Site, asked: Sequence[Asked], cluster: Cluster, run: Callable[..., str] = slurm.run
) -> Iterator[Finding]:
    """Yield for what each job asks for whether a partition has room for it, and whether SLURM would take it."""
    for item in asked:
        found = check_room(site, item)
        yield found if found is not None else check_taken(site, item, cluster, run)


def check_room(site: Site, asked: Asked) -> Finding | None:
    """Return that no partition has room for a job; None where one has."""
    limit = site.limit_minutes(asked.gpus, asked.gpu_type, asked.memory_mb, asked.cores)
    if limit is None:
        advice = f"ask for less in the recipe (`resources`), or correct {key('partitions')}"
        return wrong(f"{asked.of}: no partition has {asked}", advice)
    if asked.minutes > limit:
        advice = f"lower {asked.stage}_hours: a job goes on from its last save; or correct {key('partitions')}"
        return wrong(
            f"{asked.of}: {asked.minutes / 60:g} h, but partitions with room for it allow {limit / 60:g} h", advice
        )
    return None


def check_taken(site: Site, asked: Asked, cluster: Cluster, run: Callable[..., str] = slurm.run) -> Finding:
    """Return whether SLURM would take a job."""
    partition = partition_for(site, asked)
    if partition is None:
        return wrong(f"{asked.of}: no partition has {asked}", f"correct {key('partitions')}")
    try:
        command, *options = arguments(site, asked, partition, Path("/dev/null"))
        run([command, "--test-only", *options], "#!/bin/sh\n")
    except (SlurmError, WorkflowError) as error:
        down = _down(asked, cluster, partition) if NOT_AVAILABLE in str(error).casefold() else []
        return _waits(asked, partition, down) if down else refused(asked, str(error))
    return ok(f"{asked.of}: {asked}; partition {partition}")


def _down(asked: Asked, cluster: Cluster, partition: str) -> list[str]:
    """Return the names of the nodes of a partition that have room for a job, where none of them is up."""
    if partition not in cluster.queues:
        return []
    nodes = zip(cluster.nodes_of(partition), cluster.limits(partition), strict=True)
    size = (asked.gpus, asked.gpu_type, asked.memory_mb, asked.cores)
    fitting = [node for node, limits in nodes if limits.holds(*size)]
    return [] if any(node.up for node in fitting) else [node.name for node in fitting]


def _waits(asked: Asked, partition: str, down: Sequence[str]) -> Finding:
    names = ", ".join(down[:SHOWN]) + (f" and {len(down) - SHOWN} more" if len(down) > SHOWN else "")
    what = f"{asked.of}: {asked}; its nodes of partition {partition} are down now ({names})"
    return warning(what, "the job waits until one is up")


def refused(asked: Asked, message: str) -> Finding:
    """Return what SLURM said against a job, and what to correct."""
    said = " ".join(message.split())
    if slurm.is_busy(said):
        return warning(f"{asked.of}: SLURM does not answer ({said})", "try again later")
    named = next((name for words, name in REFUSALS if words in said.casefold()), None)
    advice = "ask the site" if named is None else f"correct {key(named)}"
    return wrong(
        f"{asked.of}: SLURM would not take it ({said})", f"{advice}, or what the recipe asks for (`resources`)"
    )
