"""Steps on the cluster itself: what it is like, and whether the study can run there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.steps.app import step
from onkocode.steps.common import config_files
from onkocode.terminal import say


@step("cluster describe", by_hand=True)
def describe(*, output: Path | None = None) -> None:
    """Write down what this cluster is like, as a site file to read and correct.

    Args:
        output: file to write, mostly config/site.yaml, which must not be there yet; default: print only
    """
    from onkocode.cluster import detect
    from onkocode.cluster.site_text import site_text
    from onkocode.cluster.slurm import SlurmError

    if output is not None and output.exists():
        raise InputError(f"--output {output}: is there already; move it away, or name another file")
    try:
        cluster, accounts = detect.read_cluster(), detect.accounts()
    except SlurmError as error:
        said = " ".join(str(error).split())
        raise InputError(f"SLURM does not answer ({said}); run this where jobs are submitted") from None
    text = site_text(detect.site_from(cluster, accounts, detect.own_groups()), cluster, accounts)
    if output is None:
        say(text, end="")
    else:
        write_text(output, text)
        say(f"{output}: written; read and correct it, then run `onkocode cluster check`")


@step("cluster check", by_hand=True)
def check(*, config: Sequence[Path] = (), wait: float = 5, no_jobs: bool = False) -> None:
    """Check the cluster, the site file (config/site.yaml) and the study against each other before anything runs.

    Args:
        config: configuration files; default: config/config.yaml
        wait: minutes to wait for the small jobs that look at a node of each partition
        no_jobs: send no such jobs
    """
    from onkocode.cluster.check import check_cluster
    from onkocode.cluster.findings import summary
    from onkocode.config.loading import merge_files
    from onkocode.config.site import SITE_FILE, read_site, use_cache
    from onkocode.study import Study

    site = read_site()
    if site is None:
        raise InputError(f"{SITE_FILE}: not there; `onkocode cluster describe --output {SITE_FILE}` writes one")
    use_cache(site)
    files = config_files(config)
    found = []
    for item in check_cluster(Study(merge_files(files), files), site, None if no_jobs else wait):
        say(item)
        found.append(item)
    say(summary(found))
    if any(item.level == "wrong" for item in found):
        raise InputError("something is wrong; correct it, and run this again")
