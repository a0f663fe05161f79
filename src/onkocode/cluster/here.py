"""The site that a run is on: what config/site.yaml says, or, without it, what SLURM says when the run starts."""

import os

from onkocode.cluster.detect import detect_site
from onkocode.cluster.slurm import SlurmError
from onkocode.config.site import SITE_FILE, Site, read_site
from onkocode.records.errors import InputError

VARIABLE = "ONKOCODE_SITE"  # hands a site that was taken from SLURM down to jobs


def site_here(on_cluster: bool) -> Site | None:
    """Return the site; None where no file describes it and nothing runs on a cluster, or SLURM does not tell.

    Args:
        on_cluster: jobs of this run are sent to a cluster, or this is one of them.

    Raises:
        InputError: mistakes in the file.
    """
    described = read_site()
    if described is not None or not on_cluster:
        return described
    if VARIABLE not in os.environ:
        try:
            os.environ[VARIABLE] = detect_site().model_dump_json()
        except (SlurmError, InputError):
            os.environ[VARIABLE] = ""
    handed = os.environ[VARIABLE]
    return Site.model_validate_json(handed) if handed else None


def told(site: Site | None) -> str:
    """Return what to tell a person who starts a run without a site file."""
    advice = f"`onkocode cluster describe --output {SITE_FILE}` writes it down, to be read and corrected"
    if site is None:
        return f"{SITE_FILE} is missing, and SLURM does not say what the cluster is like; {advice}"
    shown = [
        f"{name} ({item.hours:g} h" + "".join(f", {count} {kind} a node" for kind, count in item.gpus.items()) + ")"
        for name, item in site.partitions.items()
    ]
    return f"{SITE_FILE} is missing; taken from SLURM: {', '.join(shown)}; {advice}"
