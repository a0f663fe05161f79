"""What a cluster is like, by its own account: partitions, nodes and settings, and the site file that follows from them.

The parsers take what `scontrol --oneliner` prints; names and forms are those of SLURM 20.11 to 24.05.
"""

import getpass
import grp
import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from onkocode.cluster import slurm
from onkocode.cluster.slurm import SlurmError
from onkocode.config.site import Partition, Site
from onkocode.records.errors import InputError

LONGEST_HOURS = 720.0  # what a job may ask for where the partition sets no limit
NOT_THERE = {"FUTURE", "UNKNOWN"}  # states of nodes that are only planned
NOT_UP = {"DOWN", "DRAIN", "DRAINED", "DRAINING", "FAIL", "FAILING", "NOT_RESPONDING", "INVAL", "MAINT"}
NO_LIMIT = ("", "UNLIMITED", "INFINITE", "NONE", "N/A", "0", "(null)")
UNTOLD = 1  # MB of memory by which SLURM counts where a site sets none (RealMemory)
ANY = "gpu"  # type of GPUs to which the cluster gives none


@dataclass(frozen=True)
class Node:
    """A node: its cores and memory that jobs may have, and its GPUs by type."""

    name: str
    cores: int
    memory_mb: int
    gpus: Mapping[str, int]
    partitions: Sequence[str]
    states: Collection[str]

    @property
    def up(self) -> bool:
        """Tell whether it takes jobs."""
        return not NOT_UP & set(self.states)


@dataclass(frozen=True)
class Queue:
    """A partition of the cluster; `hours` is None where it sets no limit, and so are those of memory and cores."""

    name: str
    state: str
    hours: float | None
    cores: int | None
    memory_mb: int | None
    memory_per_core: int | None
    hidden: bool
    root_only: bool
    groups: Sequence[str]
    accounts: Sequence[str]
    denied: Sequence[str] = ()

    @property
    def up(self) -> bool:
        """Tell whether it takes and starts jobs."""
        return self.state == "UP"

    def admits(self, groups: Collection[str], accounts: Collection[str]) -> bool:
        """Tell whether nothing keeps a member of the groups out, under one of the accounts where these are known.

        The list of accounts may admit more than `lists` tells of. Where there is one, SLURM reads none of denied ones.
        """
        by_group = not self.groups or bool(set(groups) & set(self.groups))
        denied = not self.accounts and bool(accounts) and set(accounts) <= set(self.denied)
        return not self.root_only and by_group and not denied

    def lists(self, accounts: Collection[str]) -> bool:
        """Tell whether it is open to all accounts, or names one of these; none = not known, so that any may be meant.

        An account below a named one is admitted as well, but which lie below which is not known.
        """
        return not self.accounts or not accounts or bool(set(accounts) & set(self.accounts))


@dataclass(frozen=True)
class Cluster:
    """A cluster."""

    version: str
    settings: Mapping[str, str]
    queues: Mapping[str, Queue]
    nodes: Sequence[Node]

    def nodes_of(self, queue: str) -> list[Node]:
        """Return the nodes of a partition, those that are down too."""
        return [node for node in self.nodes if queue in node.partitions]

    def knows_memory(self, queue: str) -> bool:
        """Tell whether SLURM knows the memory of a node of a partition."""
        return any(node.memory_mb > UNTOLD for node in self.nodes_of(queue))

    def limits(self, queue: str) -> list[Partition]:
        """Return what each of its nodes gives a job, within the limits of the partition."""
        found = self.queues[queue]
        hours = LONGEST_HOURS if found.hours is None else found.hours
        return [_within(node, found, hours) for node in self.nodes_of(queue)]

    @property
    def gpu_request(self) -> str:
        """Return how GPUs are asked for: --gpus is known to select/cons_tres alone."""
        words = f"{self.settings.get('SelectType', '')} {self.settings.get('SelectTypeParameters', '')}"
        return "gpus" if "cons_tres" in words.casefold() else "gres"


def read_cluster() -> Cluster:
    """Ask SLURM what the cluster is like; raises SlurmError where it does not answer."""
    settings = slurm.settings()
    queues = slurm.run(["scontrol", "--all", "show", "partition", "--oneliner"])
    nodes = slurm.run(["scontrol", "--all", "show", "node", "--oneliner"])
    return cluster_of(settings, queues, nodes)


def cluster_of(settings: Mapping[str, str], queues: str, nodes: str) -> Cluster:
    """Return the cluster that SLURM's answers describe."""
    memory = _number(settings.get("MaxMemPerNode", ""))
    per_core = _number(settings.get("MaxMemPerCPU", ""))
    found = [_queue(fields(line), memory, per_core) for line in queues.splitlines() if "PartitionName=" in line]
    there = [_node(fields(line)) for line in nodes.splitlines() if "NodeName=" in line]
    return Cluster(
        version=settings.get("SLURM_VERSION", "of an unknown version"),
        settings=settings,
        queues={item.name: item for item in found},
        nodes=[node for node in there if not NOT_THERE & set(node.states)],
    )


def accounts() -> list[str]:
    """Return the accounts of this user; none where there is no accounting."""
    command = ["sacctmgr", "-nP", "show", "assoc", f"user={getpass.getuser()}", "format=account"]
    with suppress(SlurmError):
        return list(dict.fromkeys(line.strip() for line in slurm.run(command).splitlines() if line.strip()))
    return []


def own_groups() -> list[str]:
    """Return the names of this user's groups."""
    names = []
    for number in os.getgroups():
        with suppress(KeyError):
            names.append(grp.getgrgid(number).gr_name)
    return names


def detect_site() -> Site:
    """Return the site file that follows from what the cluster says.

    Raises:
        SlurmError: SLURM does not answer.
        InputError: there is no partition that could be used.
    """
    return site_from(read_cluster(), accounts(), own_groups())


def site_from(cluster: Cluster, own_accounts: Sequence[str], groups: Sequence[str]) -> Site:
    """Return the site file of a cluster; raises InputError where no partition could be used."""
    usable = [queue.name for queue in cluster.queues.values() if queue.up and not queue.hidden]
    usable = [name for name in usable if cluster.queues[name].admits(groups, own_accounts) and cluster.nodes_of(name)]
    usable = [name for name in usable if cluster.queues[name].lists(own_accounts)] or usable
    if not usable:
        known = ", ".join(f"{queue.name} ({queue.state.lower()})" for queue in cluster.queues.values())
        raise InputError(f"no partition of this cluster could be used (there are: {known or 'none'}); ask the site")
    return Site.model_validate(
        {
            "account": own_accounts[0] if len(own_accounts) == 1 else None,
            "partitions": {name: largest(cluster, name) for name in usable},
            "gpu_request": cluster.gpu_request,
        }
    )


def largest(cluster: Cluster, queue: str) -> Partition:
    """Return a partition with the GPUs of all its kinds of nodes, and what else its node with most of them has."""
    found = cluster.limits(queue)
    gpus: dict[str, int] = {}
    for item in found:
        for kind, count in item.gpus.items():
            gpus[kind] = max(count, gpus.get(kind, 0))
    best = max(found, key=lambda item: (sum(item.gpus.values()), item.memory_mb, item.cores))
    return best.model_copy(update={"gpus": gpus})


def fields(line: str) -> dict[str, str]:
    """Return a line of `scontrol --oneliner` by its names; values may hold spaces, and the first of a name counts."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"(?:^|\s)([A-Za-z]\w*)=(.*?)(?=\s+[A-Za-z]\w*=|\s*$)", line):
        found.setdefault(name, value.strip())
    return found


def hours_of(text: str) -> float | None:
    """Return a time such as 1-00:00:00, 30:00 or 2-12 in hours; None where there is no limit."""
    if text.upper() in NO_LIMIT:
        return None
    days, dash, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    # With days the first is hours; without, a single number is minutes, and two are minutes and seconds.
    padded = [*parts, 0, 0][:3] if dash or len(parts) == 3 else [0, *parts, 0][:3]
    return 24 * int(days or 0) + padded[0] + padded[1] / 60 + padded[2] / 3600


def gpus_of(gres: str, configured: str = "") -> dict[str, int]:
    """Return GPUs by type from a node's Gres, such as gpu:a40:2(S:0-1),mps:400; else from its CfgTRES.

    Args:
        gres: what `Gres` says; GPUs without a type are of the type gpu.
        configured: what `CfgTRES` says, where `Gres` names no GPUs.
    """
    found: dict[str, int] = {}
    for item in re.sub(r"\([^)]*\)", "", gres).split(","):
        words = [word for word in item.strip().split(":") if word != "no_consume"]
        if words[0] == ANY:
            count = int(words.pop()) if words[-1].isdecimal() else 1
            kind = words[1] if len(words) > 1 else ANY
            found[kind] = found.get(kind, 0) + count
    if not found:
        found = {kind: int(count) for kind, count in re.findall(r"gres/gpu:([^=,]+)=(\d+)", configured)}
        if not found and (untyped := re.search(r"gres/gpu=(\d+)", configured)):
            found = {ANY: int(untyped[1])}
    return {kind: count for kind, count in found.items() if count}


def _queue(given: Mapping[str, str], memory: int | None, per_core: int | None) -> Queue:
    own = _number(given.get("MaxMemPerNode", ""))
    return Queue(
        name=given["PartitionName"],
        state=given.get("State", "UP").split("+")[0].upper(),
        hours=hours_of(given.get("MaxTime", "")),
        cores=_number(given.get("MaxCPUsPerNode", "")),
        memory_mb=memory if own is None else own,
        memory_per_core=_number(given.get("MaxMemPerCPU", "")) or per_core,
        hidden=given.get("Hidden") == "YES",
        root_only=given.get("RootOnly") == "YES",
        groups=_names(given.get("AllowGroups", "ALL")),
        accounts=_names(given.get("AllowAccounts", "ALL")),
        denied=_names(given.get("DenyAccounts", "")),
    )


def _node(given: Mapping[str, str]) -> Node:
    states = {word.strip("*~#!%$@^-").upper() for word in given.get("State", "").split("+")}
    # Cores and memory that the site keeps for the system are no job's.
    reserved = _number(given.get("MemSpecLimit", "")) or 0
    return Node(
        name=given["NodeName"],
        cores=_number(given.get("CPUEfctv", "")) or _number(given.get("CPUTot", "")) or 1,
        memory_mb=max(UNTOLD, (_number(given.get("RealMemory", "")) or UNTOLD) - reserved),
        gpus=gpus_of(given.get("Gres", ""), given.get("CfgTRES", "")),
        partitions=_names(given.get("Partitions", "")),
        states=states,
    )


def _within(node: Node, queue: Queue, hours: float) -> Partition:
    cores = node.cores if queue.cores is None else min(node.cores, queue.cores)
    memory = node.memory_mb if queue.memory_mb is None else min(node.memory_mb, queue.memory_mb)
    if queue.memory_per_core is not None:
        memory = min(memory, cores * queue.memory_per_core)
    return Partition(hours=hours, memory_mb=max(1, memory), cores=cores, gpus=dict(node.gpus))


def _number(text: str) -> int | None:
    """Return a number; None where there is none, or no limit."""
    return int(text) if text.isdecimal() and text not in NO_LIMIT else None


def _names(text: str) -> list[str]:
    """Return the names of a list; none where all are meant."""
    return [] if text in ("ALL", "(null)", "") else text.split(",")
