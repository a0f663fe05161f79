"""What figures and tables read: metrics and descriptions of models."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl

from onkocode import tasks
from onkocode.config.base import CATALOGUE
from onkocode.evaluation.metrics import LEADING, METRICS
from onkocode.evaluation.selection import single_epochs
from onkocode.records.errors import InputError
from onkocode.records.schemas import read_table

TASKS = {task.key: task.label for task in tasks.TASKS.values()}
STRATA = {
    "all": "all questions",
    "train": "training questions",
    "heldout_formulation": "held-out formulations",
    "heldout_label": "held-out labels",
    "heldout_negative": "held-out non-tumours",
    "test": "test questions",
    "heldout_label, new stem": "held-out labels, new stems",
}
MEASURES = {key: METRICS[key].label for key in LEADING}
OF_ANSWERS = "clopper-pearson"  # of answers as if each stood alone


@dataclass(frozen=True)
class Model:
    """What a figure or table says about a model; ``parameters`` is a count, None = not known or no such thing."""

    key: str
    label: str
    family: str
    gpus_training: int
    gpus_testing: int
    trained: bool = True  # False: an adapter of somebody else, or a base model that is only tested
    thinking: bool = False
    kind: str | None = None  # of coder
    architecture: str | None = None
    parameters: int | None = None
    quantisation_training: str | None = None
    quantisation_testing: str | None = None
    hub: str | None = None
    replicate_of: str | None = None  # key of the recipe that this model is one seed of
    seed: int | None = None  # that seed


@dataclass(frozen=True)
class Target:
    """A set of questions that a figure or table is about."""

    dataset: str
    stratum: str

    @property
    def label(self) -> str:
        """Name for people."""
        if self.dataset == CATALOGUE:
            return f"Catalogue, {STRATA.get(self.stratum, self.stratum)}"
        return f"Test set {self.dataset}"


def read_models(paths: Sequence[Path]) -> list[Model]:
    """Read ``model.json`` files, in the order given.

    Raises:
        InputError: a file is not JSON or lacks a key.
    """
    return [_read_model(path) for path in paths]


def read_metrics(paths: Sequence[Path]) -> pl.DataFrame:
    """Read metrics tables and put them one below the other.

    Raises:
        InputError: no path is given, or a file is not a metrics table.
    """
    if not paths:
        raise InputError("no metrics table is given; evaluate a checkpoint first")
    return pl.concat([read_table(path, "metrics") for path in paths])


def interval_rows(
    metrics: pl.DataFrame, metric: str, denominator: str, condition: str = "free", percent: bool = True
) -> pl.DataFrame:
    """Return one row per model, epoch, dataset, task and stratum of a metric, with its interval.

    Where a rate has two intervals, the one over clusters counts. With ``percent``, value, low and high are times 100.
    """
    keys = ["model", "epoch", "dataset", "task", "stratum"]
    rows = (
        metrics.filter(
            pl.col("metric") == metric, pl.col("denominator") == denominator, pl.col("condition") == condition
        )
        .sort(pl.col("method") == OF_ANSWERS, maintain_order=True)
        .unique(keys, keep="first", maintain_order=True)
        .sort(keys)
    )
    return rows.with_columns(pl.col("value", "low", "high") * 100) if percent else rows


def few_valid(numbers: pl.DataFrame, valid_floor: float) -> pl.DataFrame:
    """Return the rows that are rates of the valid answers where these are less than a share of all, 0…1.

    Args:
        numbers: what a figure shows, in %, the rates of invalid answers among it.
        valid_floor: that share.
    """
    place = [name for name in ("model", "dataset", "stratum", "task", "epoch", "state") if name in numbers.columns]
    invalid = numbers.filter(pl.col("metric") == "invalid_rate", pl.col("value") > 100 * (1 - valid_floor) + 1e-9)
    return numbers.filter(pl.col("denominator") == "valid").join(invalid.select(place), on=place, how="semi")


def targets(metrics: pl.DataFrame, texts: Sequence[str]) -> list[Target]:
    """Return the question sets that results are reported on.

    Each test set with all its questions; without test sets, the catalogue: the held-out labels if there are any, else
    the training questions, else all.
    """
    if texts:
        return [Target(text, first_stratum(metrics, text, ["all", "test"])) for text in texts]
    return [Target(CATALOGUE, first_stratum(metrics, CATALOGUE, ["heldout_label", "train", "all"]))]


def in_task_order(found: Iterable[str]) -> list[str]:
    """Return the tasks in the order of `TASKS`, and then those that are not there."""
    present = set(found)
    return [*(task for task in TASKS if task in present), *sorted(present - set(TASKS))]


def first_stratum(metrics: pl.DataFrame, dataset: str, wanted: Sequence[str]) -> str:
    """Return the first wanted stratum that the dataset has; the one wanted most when it has none."""
    present = set(metrics.filter(pl.col("dataset") == dataset)["stratum"].unique().to_list())
    return next((stratum for stratum in wanted if stratum in present), wanted[0])


def at_target(rows: pl.DataFrame, target: Target) -> pl.DataFrame:
    """Return the rows of one question set."""
    return rows.filter(pl.col("dataset") == target.dataset, pl.col("stratum") == target.stratum)


def single_checkpoints(rows: pl.DataFrame, models: Sequence[Model]) -> dict[str, int]:
    """Return the epoch of each model of which the rows know no other one.

    Not of a further seed of a recipe, whose base stands with the first one.
    """
    single = single_epochs(rows)
    return {model.key: single[model.key] for model in models if model.key in single and model.replicate_of is None}


def _read_model(path: Path) -> Model:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable description of a model ({error})") from error
    if not isinstance(record, dict):
        raise InputError(f"{path}: holds no JSON object")
    given: dict[str, Any] = {"trained": True} | record | {"key": record.get("model")}
    known: dict[str, Any] = {field.name: given.get(field.name) for field in fields(Model)}
    missing = [field.name for field in fields(Model) if field.default is not None and known[field.name] is None]
    if missing:
        raise InputError(f"{path}: lacks {', '.join('model' if name == 'key' else name for name in missing)}")
    return Model(**known)
