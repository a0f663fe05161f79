"""What a recipe's jobs ask this cluster for: what `study.requests` says, in the site's words and within its limits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from onkocode.config.site import Site
from onkocode.models.gpus import find_gpu, is_slice, known_gpus
from onkocode.planning.other_gpus import Request, request_for
from onkocode.records.endings import Ending
from onkocode.records.errors import InputError
from onkocode.study import Study, requests

NO_RESULTS = Path("/nonexistent")  # tables tell the lengths of questions: nothing is tokenised for a request
SLICES = "MIG slices, which are used only where a recipe names them"


@dataclass(frozen=True)
class Tries:
    """What came before a try of a job: the directory of the epoch before, and how the tries before ended."""

    previous: Path | None = None
    endings: Sequence[Ending] = ()


class NoGpuError(InputError):
    """A job asks for GPUs that the cluster has not, and nothing says which of those that it has would do."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}; {advice}")
        self.what, self.advice = what, advice


def resources(study: Study, model: str, stage: str, site: Site | None, tries: Tries) -> dict[str, int | str]:
    """Return the resources of a job, by the names that Snakemake's SLURM plugin reads.

    Args:
        study: the study.
        model: the `{model}` key.
        stage: training or testing.
        site: the cluster; None = the recipe as it is.
        tries: what came before.

    Raises:
        NoGpuError: GPUs of a type that the cluster has not, and none that the model fits on.
    """
    asked = request(study, model, stage, site, tries)
    found: dict[str, int | str] = {"mem_mb": asked.memory_mb, "runtime": asked.minutes}
    if site is not None and site.gpu_request == "gres":
        gres = ":".join(["gpu", *([asked.gpu] if asked.gpu else []), str(asked.gpus)]) if asked.gpus else ""
        return found | {"gpu": 0, "gpu_model": "", "gres": gres}
    return found | {"gpu": asked.gpus, "gpu_model": asked.gpu, "gres": ""}


def request(study: Study, model: str, stage: str, site: Site | None, tries: Tries) -> Request:
    """Return what a job asks for: the recipe's own request, or what the plan says of the GPUs that are there.

    Raises NoGpuError, as `resources` does.
    """
    gpus, cores = requests.gpus(study, model, stage, tries.previous, tries.endings), _cores(study, model)
    asked = Request(
        gpus,
        requests.gpu_model(study, model, stage, tries.previous, tries.endings),
        requests.memory_mb(study, model, tries.endings),
        requests.minutes(study, model, stage, tries.endings),
        "",
    )
    if site is None:
        return asked
    if gpus and asked.gpu and asked.gpu not in site.gpu_types() and site.gpu_types() not in ([], ["gpu"]):
        # What tries before have shown to be too little counts here as well.
        grown = gpus if any(item.cause in ("gpus", "gpu-memory") for item in tries.endings) else 0
        first = requests.minutes(study, model, stage)
        possible = [
            replace(
                other,
                gpus=max(other.gpus, grown),
                memory_mb=asked.memory_mb,
                minutes=other.minutes * asked.minutes // first,
            )
            for other in _on_other_gpus(study, model, stage, tuple(site.gpu_types()))
        ]
        asked = _best(possible, site, cores)
    asked = replace(asked, gpu=site.named(asked.gpu) if asked.gpus else "")
    limit = site.limit_minutes(asked.gpus, asked.gpu, asked.memory_mb, cores)
    # Longer jobs leave before the end of their time and go on with the same request.
    return asked if limit is None else replace(asked, minutes=min(asked.minutes, limit))


def _cores(study: Study, model: str) -> int:
    return study.recipes[model].config.resources.threads


def _best(possible: Sequence[Request], site: Site, cores: int) -> Request:
    """Return the request for the fewest GPUs and the least time, of those for which a partition has room, if any."""
    fitting = [item for item in possible if site.limit_minutes(item.gpus, item.gpu, item.memory_mb, cores) is not None]
    return min(fitting or possible, key=lambda item: (item.gpus, item.minutes))


@cache
def _on_other_gpus(study: Study, model: str, stage: str, types: tuple[str, ...]) -> list[Request]:
    """Return the request on each of the cluster's GPU types that would do; raises NoGpuError where none would."""
    found, problems = [], []
    for kind in types:
        if find_gpu(kind) is None:
            continue  # a type without a name that is known, or a slice of a GPU: nothing tells what fits on it
        try:
            found.append(request_for(study, model, stage, kind, NO_RESULTS))
        except InputError as error:
            problems.append(str(error).removeprefix(f"recipes.{model}: "))
    if not found:
        own = study.recipes[model].config.resources.gpu_model
        unknown = [kind for kind in types if find_gpu(kind) is None and not is_slice(kind)]
        problems += [f"not in the table of GPUs: {', '.join(unknown)} (known: {known_gpus()})"] if unknown else []
        problems += [f"{SLICES}: {', '.join(filter(is_slice, types))}"] if any(map(is_slice, types)) else []
        raise NoGpuError(
            f"recipes.{model}: asks for {own}, which the cluster has not ({', '.join(types)}), and the plan finds none "
            f"of these that would do: {'; '.join(problems)}",
            f"set resources.gpu_model of the recipe to one of {', '.join(types)}",
        )
    return found
