"""The site file as a person reads and edits it."""

from onkocode.cluster.detect import LONGEST_HOURS, Cluster
from onkocode.config.site import Partition, Site

HEAD = """# What this cluster is like, by its own account; docs/site.md says what each key means.
# Remove partitions that you do not want, correct what is wrong, then run `onkocode cluster check`.
"""
LATER = """
# Options of sbatch that all jobs need here, e.g. [--exclude=node7, --constraint=ib].
options: []
# Quality of service; null = the default.
qos: null
# Directory for saves within an epoch, which all nodes see, e.g. on the fast file system; null = the folder scratch.
# pathvars.scratch of the study's configuration comes before it.
scratch: null
# Directory of the models of the Hub (HF_HOME; they are in its folder hub), which all nodes see; null = as it is set.
cache: null
# Minutes without an answer of SLURM, after which Snakemake ends; its jobs go on, and the next start adopts them.
silent_minutes: 60
# true: leakage search, scoring and tables run where Snakemake does, and not as jobs.
login_node: false
"""


def site_text(site: Site, cluster: Cluster, accounts: list[str]) -> str:
    """Return the file that `read_site` reads, with comments."""
    lines = [HEAD, *_account(site, accounts), "", "partitions:"]
    for name, partition in site.partitions.items():
        lines += _partition(name, partition, cluster, accounts)
    meaning = "--gpus=a40:2" if site.gpu_request == "gpus" else "--gres=gpu:a40:2"
    lines += ["", f"# How GPUs are asked for: {site.gpu_request} = {meaning}.", f"gpu_request: {site.gpu_request}"]
    return "\n".join(lines) + "\n" + LATER


def _account(site: Site, accounts: list[str]) -> list[str]:
    if site.account is not None:
        return ["# Your one account.", f"account: {_word(site.account)}"]
    known = f"yours are {', '.join(accounts)}" if accounts else "the cluster names none of yours"
    return [f"# Account that jobs are charged to; null = your default ({known}).", "account: null"]


def _partition(name: str, partition: Partition, cluster: Cluster, accounts: list[str]) -> list[str]:
    nodes = cluster.nodes_of(name)
    remarks = [f"{len(nodes)} node{'s' if len(nodes) > 1 else ''}, {sum(node.up for node in nodes)} up"]
    if cluster.queues[name].hours is None:
        remarks.append(f"no limit of time, so {LONGEST_HOURS:.0f} hours")
    kinds = len({(node.cores, node.memory_mb, tuple(node.gpus.items())) for node in nodes})
    if kinds > 1:
        remarks.append(f"of {kinds} kinds: these are memory and cores of the one with the most GPUs")
    lines = [f"  # {'; '.join(remarks)}", *(f"  # {line}" for line in _warnings(name, cluster, accounts))]
    lines += [f"  {_word(name)}:", f"    hours: {round(partition.hours, 2):g}"]
    lines += [f"    memory_mb: {partition.memory_mb}", f"    cores: {partition.cores}"]
    if partition.gpus:
        gpus = ", ".join(f"{_word(kind)}: {count}" for kind, count in partition.gpus.items())
        lines.append(f"    gpus: {{{gpus}}}")
    return lines


def _warnings(name: str, cluster: Cluster, accounts: list[str]) -> list[str]:
    found = []
    if not cluster.queues[name].lists(accounts):
        found.append("It is for certain accounts and those below them; yours are not named. Remove it if they are not.")
    if not cluster.knows_memory(name):
        found += [
            "SLURM is not told the memory of these nodes (RealMemory), and takes no job that asks for memory.",
            "Ask the site to set it, then set memory_mb to what a node has.",
        ]
    return found


def _word(text: str) -> str:
    """Return a name as YAML takes it for a text: names may look like numbers, and types like 1g.10gb."""
    plain = text[:1].isalpha() and all(sign.isalnum() or sign in "_.-" for sign in text)
    reserved = text.casefold() in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
    return text if plain and not reserved else "'" + text.replace("'", "''") + "'"
