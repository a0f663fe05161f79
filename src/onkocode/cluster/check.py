"""All checks of a cluster, in the order in which one leads to the next."""

import os
from collections.abc import Iterator, Sequence

from onkocode.cluster import slurm
from onkocode.cluster.asking import Asked, asked_by, check_asked, check_types, partition_for
from onkocode.cluster.detect import accounts, own_groups, read_cluster
from onkocode.cluster.findings import Finding, ok, wrong
from onkocode.cluster.gpu_software import Need
from onkocode.cluster.places import check_catalogues, check_models, check_places, logs_of, places_of
from onkocode.cluster.probing import check_nodes
from onkocode.cluster.site_checks import check_site
from onkocode.cluster.slurm import SlurmError
from onkocode.config.resolve import ModelRecipe
from onkocode.config.site import Site
from onkocode.study import Study


def check_cluster(study: Study, site: Site, wait: float | None) -> Iterator[Finding]:
    """Yield what there is to say, as it is found.

    Args:
        study: the study.
        site: the site file.
        wait: minutes to wait for the probe jobs; None = send none.
    """
    cluster, (asked, unasked) = None, asked_by(study, site)
    try:
        cluster = read_cluster()
    except SlurmError as error:
        said = " ".join(str(error).split())
        yield wrong(f"SLURM: does not answer ({said})", "run this on a machine from which jobs are submitted")
    if cluster is not None:
        yield ok(f"SLURM: version {cluster.version} answers")
        yield from check_site(site, cluster, accounts(), own_groups(), has_accounting())
        yield from check_types(study, site)
        yield from check_asked(site, asked, cluster)
    yield from unasked
    places, unknown = places_of(study, site)
    yield from [*check_places(places), *unknown]
    yield from check_models(study, site, os.environ)
    yield from check_catalogues(study)
    if cluster is not None and wait is not None:
        names = [name for name in site.partitions if name in cluster.queues and cluster.queues[name].up]
        yield from check_nodes(site, names, places, needs_of(study, site, asked), logs_of(study), wait)


def has_accounting() -> bool:
    """Tell whether sacct answers."""
    try:
        slurm.run(["sacct", "--noheader", "--parsable2", "--allocations", "--format=JobIDRaw", "--jobs=1"])
    except SlurmError:
        return False
    return True


def needs_of(study: Study, site: Site, asked: Sequence[Asked]) -> dict[str, list[Need]]:
    """Return what recipes compute with, by the partition to which their jobs with GPUs go."""
    found: dict[str, list[Need]] = {}
    for item in asked:
        name = partition_for(site, item) if item.gpus else None
        if name is not None:
            found.setdefault(name, []).extend(_needs(study, item))
    return found


def _needs(study: Study, asked: Asked) -> Iterator[Need]:
    for model in asked.models:
        recipe = study.recipes[model]
        if isinstance(recipe, ModelRecipe):
            given = recipe.training if asked.stage == "training" else recipe.testing
            yield Need(model, asked.stage, given.precision, given.quantisation)
