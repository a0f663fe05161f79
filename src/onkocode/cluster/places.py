"""Where jobs read and write: folders, room on their disks, models and catalogues. Nothing is downloaded."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from onkocode.cluster.findings import Finding, key, ok, warning, wrong
from onkocode.config.models import HubAdapter, HubBase, LocalBase
from onkocode.config.site import Site
from onkocode.models.locate import ADAPTER_WEIGHTS, weight_files
from onkocode.planning.of_study import plan_study
from onkocode.records.errors import InputError
from onkocode.study import Study

GB = 1e9


@dataclass(frozen=True)
class Place:
    """A folder that all nodes must see: the key that names it, and the bytes that will be written there."""

    name: str
    folder: Path
    named_by: str
    needed: float = 0.0

    @property
    def there(self) -> Path:
        """Return the folder, or the nearest one above it that there is: jobs make the rest."""
        folder = self.folder.absolute()
        return next((path for path in (folder, *folder.parents) if _is_folder(path)), Path("/"))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # what lies below a closed folder may not be asked for
        return False


def hub_cache(site: Site) -> Path:
    """Return where models of the Hub are kept."""
    from huggingface_hub import constants

    return site.hub_cache or Path(constants.HF_HUB_CACHE).expanduser()


def logs_of(study: Study) -> Path:
    """Return the folder of logs."""
    return Path(study.config.pathvars.get("logs", "logs"))


def places_of(study: Study, site: Site) -> tuple[list[Place], list[Finding]]:
    """Return where jobs write and how much, and for which recipes that is not known."""
    paths = study.config.pathvars
    results = Path(paths.get("results", "results"))
    # As Snakemake does: path variables of the configuration come before those of the workflow, which the site sets.
    of_site = site.scratch if "scratch" not in paths else None
    scratch = of_site or Path(paths.get("scratch", "scratch"))
    disk, unknown = _planned(study, results)
    cache = hub_cache(site)
    missing = {hub: size for hub, size in disk.bases.items() if weights_in(cache, *hub) is None}
    return [
        Place("scratch", scratch, "scratch" if of_site else "pathvars.scratch", disk.scratch),
        Place("cache", cache, "cache" if site.cache else "HF_HOME", sum(missing.values())),
        Place("results", results, "pathvars.results", disk.epochs),
    ], unknown


@dataclass
class _Disk:
    """Bytes that a study writes: saves of all models at once, epochs, and bases by Hub id and revision."""

    scratch: float
    epochs: float
    bases: dict[tuple[str, str], float]


def _planned(study: Study, results: Path) -> tuple[_Disk, list[Finding]]:
    disk, unknown = _Disk(0.0, 0.0, {}), []
    for key_, models in study.models_of.items():
        if models[0] not in study.trained_models:
            continue
        try:
            plan = plan_study(study, [models[0]], [], results).plans[0]
        except InputError as error:
            unknown.append(warning(f"disk: what {key_} needs is not known ({error})"))
            continue
        base = study.language_models[models[0]].config.base
        if isinstance(base, HubBase):
            disk.bases[base.hub, base.revision] = plan.disk["base"]
        disk.scratch += plan.disk["scratch"] * len(models)
        disk.epochs += plan.disk["epochs"] * len(models)
    return disk, unknown


def check_places(places: list[Place]) -> Iterator[Finding]:
    """Yield for each folder whether jobs can write there, and whether its disk has room for all that comes there."""
    together: dict[int, float] = {}
    for place in places:
        device = place.there.stat().st_dev
        together[device] = together.get(device, 0.0) + place.needed
    for place in places:
        needed = together[place.there.stat().st_dev]
        yield check_place(place, os.access(place.there, os.W_OK | os.X_OK), shutil.disk_usage(place.there).free, needed)


def check_place(place: Place, writable: bool, free: float, needed: float) -> Finding:
    """Return whether a folder can be written to, and has room.

    Args:
        place: the folder.
        writable: it can be written to.
        free: bytes that are free on its disk.
        needed: bytes that all folders on that disk will take.
    """
    named = key(place.named_by) if place.named_by in ("scratch", "cache") else f"`{place.named_by}`"
    if not writable:
        return wrong(f"{place.name}: {place.there} cannot be written to", f"set {named} to a folder of yours")
    room = f"{place.name}: {place.folder}, {free / GB:,.0f} GB free, {place.needed / GB:,.1f} GB needed"
    room += f" ({needed / GB:,.1f} GB with what else is on that disk)" if needed > place.needed else ""
    if free >= needed:
        return ok(room)
    # Of results a part may be there already, which the plan does not know; a quota is not asked for.
    say = warning if place.name == "results" or free >= place.needed else wrong
    return say(room, f"make room there, or set {named} to a folder with more")


def weights_in(cache: Path, hub: str, revision: str) -> Path | None:
    """Return the folder of a model of the Hub in the cache, if all of its weights are there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub, "config.json", cache_dir=cache, revision=revision)
    if not isinstance(found, str):
        return None
    try:
        weight_files(Path(found).parent)
    except InputError:
        return None
    return Path(found).parent


def check_models(study: Study, site: Site, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield for each base model and published adapter whether its files are here, or what jobs need to fetch them."""
    cache = hub_cache(site)
    used: dict[HubBase | LocalBase | HubAdapter, str] = {}
    for model, recipe in study.language_models.items():
        for source in (recipe.config.base, recipe.config.adapter):
            if isinstance(source, HubBase | LocalBase | HubAdapter):
                used.setdefault(source, model)
    for source, model in used.items():
        if isinstance(source, LocalBase):
            yield _local_model(source, model)
        else:
            yield _of_hub(source, model, cache, environment)


def _of_hub(source: HubBase | HubAdapter, model: str, cache: Path, environment: Mapping[str, str]) -> Finding:
    find = weights_in if isinstance(source, HubBase) else adapter_in
    if find(cache, source.hub, source.revision) is not None:
        return ok(f"model {source.hub}: in the cache")
    what = f"model {source.hub} (recipes.{model}): not, or not as a whole, in the cache"
    advice = "fetch it where there is a network (`onkocode fetch`)"
    if environment.get("HF_HUB_OFFLINE", "0").casefold() in ("1", "true", "on", "yes"):
        return wrong(f"{what}, and HF_HUB_OFFLINE is set", advice)
    token = "" if environment.get("HF_TOKEN") else " (a gated model needs HF_TOKEN, which is not set)"
    return warning(what, f"{advice}{token}, or let Snakemake do so at its start, where this machine has one")


def adapter_in(cache: Path, hub: str, revision: str) -> Path | None:
    """Return the weights of an adapter of the Hub in the cache."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub, ADAPTER_WEIGHTS, cache_dir=cache, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _local_model(base: LocalBase, model: str) -> Finding:
    try:
        weight_files(base.path)
    except InputError as error:
        return wrong(f"model of recipes.{model}: {error}", f"correct recipes.{model}.base.path")
    return ok(f"model {base.path}: there")


def check_catalogues(study: Study) -> Iterator[Finding]:
    """Yield whether all catalogues are here, or may be downloaded."""
    results = Path(study.config.pathvars.get("results", "results"))
    here = 0
    for name in _catalogues(study):
        dataset, _, version = name.partition("-")
        try:
            local = study.local_catalogue(dataset, version)
        except InputError as error:
            yield wrong(f"catalogue {name}: {error}", "correct `catalogues`")
            continue
        missing = [file for file in local if not Path(file).exists()]
        if missing:
            yield wrong(f"catalogue {name}: {missing[0]} is not there", "correct `catalogues.files`")
        elif local or (results / "catalogues" / name).is_dir():
            here += 1
        else:
            yield _to_download(study, dataset, version)
    if here:
        yield ok(f"catalogues: {here} are here")


def _catalogues(study: Study) -> list[str]:
    """Return `<dataset>-<version>` of the catalogues of models, tiny models and test sets, each once."""
    built = [study.config.tiny_models[key_].data for key_ in map(study.built, study.models) if key_ is not None]
    datasets = ("alphaid", "icd10gm", "icdo3", "ops", "crosswalk")
    used = [name for data in (*study.data_keys, *built) for kind in datasets for name in study.catalogues(kind, data)]
    used += [study.text_codes(kind, texts) for texts in study.test_sets for kind in ("icd10gm", "icdo3")]
    return list(dict.fromkeys([*used, *study.registries]))


def _to_download(study: Study, dataset: str, version: str) -> Finding:
    source, name = study.sources[dataset, version], f"catalogue {dataset}-{version}"
    advice = "put its file into the folder of ONKOCODE_CATALOGUES"
    if not source.url:
        return wrong(f"{name}: not here, and its address is not known", advice)
    if not study.config.catalogues.accept_terms:
        advice += ", or set catalogues.accept_terms: true"
        return wrong(f"{name}: not here, and its terms of use are not accepted", advice)
    return ok(f"{name}: is downloaded by the workflow")
