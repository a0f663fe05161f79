"""What a site is like: `config/site.yaml`, the one file that names partitions, accounts and directories."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from onkocode.config.base import PositiveInt, Section, validated
from onkocode.config.loading import read_yaml
from onkocode.records.ids import digest

SITE_FILE = Path("config/site.yaml")


class Partition(Section):
    """A partition: its time limit, and what one of its nodes has."""

    hours: float = Field(gt=0, description="The longest that a job may ask for.")
    memory_mb: PositiveInt = Field(description="Main memory of a node that jobs may have.")
    cores: PositiveInt = Field(description="CPU cores of a node.")
    gpus: dict[str, PositiveInt] = Field(
        default_factory=dict,
        description="GPUs of a node by type as the cluster names it, e.g. {a40: 4}; the type gpu means any.",
    )

    def holds(self, gpus: int, gpu_type: str, memory_mb: int, cores: int) -> bool:
        """Tell whether one of its nodes has what a job asks for; the type "" means any."""
        there = max(self.gpus.values(), default=0) if not gpu_type else self.gpus.get(gpu_type, self.gpus.get("gpu", 0))
        return gpus <= there and memory_mb <= self.memory_mb and cores <= self.cores


def _of_one_cluster(value: list[str]) -> list[str]:
    if any(word.startswith(("-M", "--cluster")) for word in value):
        raise ValueError("names another cluster, whose jobs could not be watched; start Snakemake there")
    return value


class Site(Section):
    """A cluster, and how jobs ask it for what they need."""

    account: str | None = Field(None, description="Account that jobs are charged to; null = the user's default.")
    qos: str | None = Field(None, description="Quality of service; null = the default.")
    options: Annotated[list[str], AfterValidator(_of_one_cluster)] = Field(
        [], description="Further options of sbatch, e.g. [--exclude=node7]."
    )
    partitions: dict[str, Partition] = Field(min_length=1, description="Partitions that jobs may be sent to.")
    gpu_request: Literal["gpus", "gres"] = Field(
        "gpus",
        description="How GPUs are asked for: --gpus=a40:2, or --gres=gpu:a40:2 where the cluster knows only that.",
    )
    scratch: Path | None = Field(
        None,
        description="Directory for saves within an epoch, which all nodes see, unless the configuration has a "
        "pathvars.scratch; null = the folder scratch.",
    )
    cache: Path | None = Field(
        None, description="Directory of the models of the Hub (HF_HOME), which all nodes see; null = as it is set."
    )
    silent_minutes: PositiveInt = Field(
        60, description="Minutes without an answer of SLURM, after which Snakemake ends; jobs go on and are adopted."
    )
    login_node: bool = Field(
        False, description="Leakage search, scoring and tables run where Snakemake does, and not as jobs."
    )

    def limit_minutes(self, gpus: int, gpu_type: str, memory_mb: int, cores: int) -> int | None:
        """Return the longest time in minutes that such a job may ask for; None where no partition has room for it."""
        fitting = [item.hours for item in self.partitions.values() if item.holds(gpus, gpu_type, memory_mb, cores)]
        return int(60 * max(fitting)) if fitting else None

    def scratch_of(self, folder: Path) -> str:
        """Return the scratch directory of the study in a working directory; studies share none."""
        return "scratch" if self.scratch is None else str(self.scratch / f"{folder.name}-{digest(folder)[:8]}")

    @property
    def variables(self) -> dict[str, str]:
        """What the environment says to libraries of the site's directories."""
        if self.hub_cache is None:
            return {}
        # One that a person has set counts before HF_HOME, so that jobs would look in another place than is checked.
        return {"HF_HOME": str(self.hub_cache.parent), "HF_HUB_CACHE": str(self.hub_cache)}

    @property
    def hub_cache(self) -> Path | None:
        """The directory of the Hub's models; None = as it is set."""
        return None if self.cache is None else self.cache.expanduser() / "hub"

    def gpu_types(self) -> list[str]:
        """Return the GPU types of all partitions."""
        return list(dict.fromkeys(kind for item in self.partitions.values() for kind in item.gpus))

    def named(self, gpu_type: str) -> str:
        """Return the type as it is asked for: none where partitions do not tell types apart."""
        return gpu_type if gpu_type in self.gpu_types() else ""

    def for_plugin(self) -> dict[str, Any]:
        """Return what the SLURM plugin of Snakemake reads as its partition file."""
        return {"partitions": {name: _limits(item) for name, item in self.partitions.items()}}


def _limits(partition: Partition) -> dict[str, Any]:
    types = [kind for kind in partition.gpus if kind != "gpu"]
    return {
        "max_runtime": int(60 * partition.hours),
        "max_mem_mb": partition.memory_mb,
        "max_threads": partition.cores,
        "max_gpu": max(partition.gpus.values(), default=0),
        "available_gpu_models": types or None,
    }


def read_site(file: Path = SITE_FILE) -> Site | None:
    """Return the site of the working directory; None where there is no file.

    Raises:
        InputError: the file has mistakes, all of which are named.
    """
    return site_of(read_yaml(file), file) if file.is_file() else None


def use_cache(site: Site | None) -> None:
    """Let this process, and those that it starts, look for models of the Hub where the site keeps them.

    The variables are read when huggingface_hub is imported, so this comes before.
    """
    if site is None or site.hub_cache is None:
        return
    os.environ.update(site.variables)
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:  # imported already, where a program calls several steps
        constants.__dict__["HF_HUB_CACHE"] = str(site.hub_cache)


def site_of(content: Mapping[str, Any], file: Path = SITE_FILE) -> Site:
    """Check what a site file holds; raises InputError with every mistake."""
    return validated(Site, content, str(file))
