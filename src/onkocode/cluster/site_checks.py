"""The site file against what the cluster says. Pure functions."""

from collections.abc import Collection, Iterator, Mapping

from onkocode.cluster.detect import ANY, UNTOLD, Cluster
from onkocode.cluster.findings import Finding, key, ok, warning, wrong
from onkocode.config.site import Partition, Site

FORGETTING = 120  # seconds: two looks of the watch, with which a job that ended is seen at least once
ENFORCED = ("associations", "limits", "qos", "safe", "all")  # of AccountingStorageEnforce: an account must exist


def check_site(
    site: Site, cluster: Cluster, accounts: Collection[str], groups: Collection[str], accounting: bool
) -> Iterator[Finding]:
    """Yield what there is to say of the site file.

    Args:
        site: the site file.
        cluster: what the cluster says.
        accounts: of this user; empty = not known.
        groups: of this user.
        accounting: sacct answers.
    """
    charged = [site.account] if site.account is not None else accounts
    for name, partition in site.partitions.items():
        yield from check_partition(name, partition, cluster, charged, groups)
    yield from check_memory(site, cluster)
    yield from check_account(site, cluster.settings, accounts)
    yield from check_gpu_request(site, cluster)
    yield from check_settings(cluster.settings, accounting)


def check_partition(
    name: str, partition: Partition, cluster: Cluster, accounts: Collection[str], groups: Collection[str]
) -> Iterator[Finding]:
    """Yield what there is to say of a partition: whether it is there, up and allowed, and whether its limits are.

    `accounts` are those that jobs may be charged to; empty = not known.
    """
    place = f"partitions.{name}"
    queue = cluster.queues.get(name)
    if queue is None:
        known = ", ".join(other for other, found in cluster.queues.items() if not found.hidden)
        yield wrong(f"partition {name}: not on this cluster (there are: {known})", f"correct {key(place)}")
        return
    if not queue.up:
        yield wrong(f"partition {name}: is {queue.state.lower()}", f"remove {key(place)}, or ask the site")
    admitted = queue.admits(groups, accounts)
    if not admitted:
        yield wrong(f"partition {name}: is not open to you", f"remove {key(place)}, or ask the site")
    elif not queue.lists(accounts):
        what = f"partition {name}: is for the accounts {', '.join(queue.accounts)} and those below them"
        yield warning(what, f"remove {key(place)} if {' or '.join(accounts)} is none of them")
    problems = list(_limits(name, partition, cluster))
    yield from problems
    nodes = cluster.nodes_of(name)
    if nodes and not any(node.up for node in nodes):
        yield warning(f"partition {name}: none of its {len(nodes)} nodes is up now", "jobs wait until one is")
    if queue.up and admitted and not problems:
        yield ok(f"partition {name}: up; {described(partition)}")


def described(partition: Partition) -> str:
    """Return the limits of a partition in words."""
    gpus = ", ".join(f"{count} GPUs" if kind == ANY else f"{count} {kind}" for kind, count in partition.gpus.items())
    limits = f"{partition.hours:g} h, {partition.memory_mb:,} MB, {partition.cores} cores"
    return f"{limits}, {gpus}" if gpus else limits


def check_memory(site: Site, cluster: Cluster) -> Iterator[Finding]:
    """Yield that SLURM does not know the memory of nodes, so that it takes no job that asks for any."""
    untold = [name for name in site.partitions if cluster.nodes_of(name) and not cluster.knows_memory(name)]
    if untold:
        what = f"memory: SLURM is not told the memory of the nodes (RealMemory; partitions: {', '.join(untold)})"
        yield wrong(what, "ask the site to set it: jobs that ask for memory are refused")


def _limits(name: str, partition: Partition, cluster: Cluster) -> Iterator[Finding]:
    place, found = f"partitions.{name}", cluster.limits(name)
    hours = cluster.queues[name].hours
    if hours is not None and partition.hours > hours + 0.01:
        yield _above(name, "hours", f"{partition.hours:g}", f"{hours:g}")
    if not found:
        yield wrong(f"partition {name}: has no nodes", f"remove {key(place)}, or ask the site")
        return
    memory, cores = max(item.memory_mb for item in found), max(item.cores for item in found)
    if partition.memory_mb > memory > UNTOLD:
        yield _above(name, "memory_mb", f"{partition.memory_mb}", f"{memory}")
    if partition.cores > cores:
        yield _above(name, "cores", f"{partition.cores}", f"{cores}")
    for kind, count in partition.gpus.items():
        yield from _gpus(name, partition, kind, count, found)


def _gpus(name: str, partition: Partition, kind: str, count: int, found: list[Partition]) -> Iterator[Finding]:
    """Yield what is wrong with the GPUs of a type, as no node has them, or none that has the rest as well."""
    place = f"partitions.{name}.gpus"
    there: dict[str, int] = {}
    for item in found:
        for other, number in item.gpus.items():
            there[other] = max(number, there.get(other, 0))
    any_kind = max((sum(item.gpus.values()) for item in found), default=0)
    most = any_kind if kind == ANY else there.get(kind, 0)
    if most >= count:
        fitting = [
            item for item in found if (sum(item.gpus.values()) if kind == ANY else item.gpus.get(kind, 0)) >= count
        ]
        memory, cores = max(item.memory_mb for item in fitting), max(item.cores for item in fitting)
        if partition.memory_mb > memory > UNTOLD or partition.cores > cores:
            yield warning(
                f"partition {name}: its nodes with {count} {kind} have {memory:,} MB and {cores} cores at most",
                f"jobs that ask for more wait for ever; lower {key(f'partitions.{name}')}",
            )
        return
    known = ", ".join(f"{other}: {number}" for other, number in there.items()) or "none"
    yield wrong(f"partition {name}: no node has {count} GPUs {kind} (GPUs there: {known})", f"correct {key(place)}")


def _above(name: str, limit: str, given: str, allowed: str) -> Finding:
    what = f"partition {name}: {limit} is {given}, the cluster allows {allowed}"
    return wrong(what, f"set {key(f'partitions.{name}.{limit}')} to {allowed}, or ask the site")


def check_account(site: Site, settings: Mapping[str, str], accounts: Collection[str]) -> Iterator[Finding]:
    """Yield whether the account is one of the user's; where none is named, that the default counts."""
    known = ", ".join(accounts)
    enforced = any(word in settings.get("AccountingStorageEnforce", "").casefold() for word in ENFORCED)
    if site.account is None:
        yield ok(f"account: your default{f' (yours: {known})' if known else ''}")
    elif not accounts or site.account in accounts:
        yield ok(f"account: {site.account}")
    else:
        what = f"account: {site.account} is none of yours ({known})"
        yield wrong(what, f"correct {key('account')}") if enforced else warning(what, f"correct {key('account')}")


def check_gpu_request(site: Site, cluster: Cluster) -> Iterator[Finding]:
    """Yield whether the cluster knows the way in which GPUs are asked for."""
    if not any(partition.gpus for partition in site.partitions.values()):
        yield ok("GPUs: none in the site file")
    elif site.gpu_request == "gpus" and cluster.gpu_request == "gres":
        selected = cluster.settings.get("SelectType", "its SelectType")
        yield wrong(f"GPUs: {selected} knows no --gpus", f"set {key('gpu_request')} to gres")
    else:
        yield ok(f"GPUs: asked for by --{site.gpu_request}")


def check_settings(settings: Mapping[str, str], accounting: bool) -> Iterator[Finding]:
    """Yield what the settings of the cluster mean for the watch over jobs.

    Args:
        settings: of `scontrol show config`.
        accounting: sacct answers, so that a job which SLURM has forgotten is found there.
    """
    digits = settings.get("MinJobAge", "").split()[:1]
    age = int(digits[0]) if digits and digits[0].isdecimal() else 300  # SLURM's default
    if accounting or age >= FORGETTING:
        later = ", after that by sacct" if accounting else ""
        yield ok(f"ended jobs: known for {age} s (MinJobAge){later}")
    else:
        yield warning(
            f"ended jobs: known for {age} s (MinJobAge) and then forgotten, as there is no accounting",
            "of a job that the watch misses, its own record in the logs folder decides",
        )
    if settings.get("EnforcePartLimits", "NO").upper() in ("NO", "0"):
        yield warning(
            "limits: a job that asks for more than a partition allows is not refused (EnforcePartLimits=NO)",
            "it waits for ever; the workflow ends it and says so",
        )
    else:
        yield ok(f"limits: too large a job is refused at once (EnforcePartLimits={settings['EnforcePartLimits']})")
    yield from _requeue(settings)


def _requeue(settings: Mapping[str, str]) -> Iterator[Finding]:
    codes = settings.get("RequeueExit", "(null)")
    if codes not in ("(null)", ""):
        yield ok(
            f"restarts: the site starts jobs again that end with {codes} (RequeueExit); one that failed ends there"
        )
    elif settings.get("JobRequeue", "1") == "1":
        yield ok("restarts: the site starts jobs again whose node failed (JobRequeue); they go on from their last save")
    else:
        yield ok("restarts: the site starts no job again (JobRequeue=0); the workflow does")
