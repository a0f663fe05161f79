"""Which epoch of a model counts as its best: chosen on held-out labels, and the way the paper chose it beside that."""

from pathlib import Path

import polars as pl

from onkocode.records.errors import InputError
from onkocode.records.files import new_file

SELECTION = {
    "model": pl.String,
    "selected_by": pl.String,  # development | test
    "dataset": pl.String,
    "epoch": pl.Int64,
    "value": pl.Float64,  # ICD-10 exact accuracy, 0…1
}


def select_checkpoints(metrics: pl.DataFrame, texts: list[str]) -> pl.DataFrame:
    """Return the best epoch of each model by exact ICD-10 accuracy; of equal epochs the earlier one.

    ``development`` is the accuracy over all answers on the catalogue labels that were held out of training; it is there
    only for models that were tested on them. ``test`` is the accuracy over the valid answers on the first test set, the
    choice of Lenz et al. 2025 (section "Results", Table 4); it has seen the test set and is optimistic. The base model
    (epoch 0) and the thinking mode are never chosen.

    Args:
        metrics: table of the schema METRICS, any number of models.
        texts: keys of the test sets; the first one counts. May be empty.

    Returns:
        Columns model, selected_by, dataset, epoch, value (0…1); at most two rows per model, sorted by model.
    """
    found = [_best(metrics, "development", "catalogue", ["heldout_label"], "all")]
    if texts:
        found.append(_best(metrics, "test", texts[0], ["all", "test"], "valid"))
    return pl.concat(found).sort("model", "selected_by")


def chosen_epoch(selection: pl.DataFrame, model: str) -> int:
    """Return the epoch chosen on the development split, or on the test set where there is no such split.

    Raises:
        InputError: no epoch of the model was selected.
    """
    epochs = chosen_epochs(selection)
    if model not in epochs:
        raise InputError(
            f"model {model}: no trained epoch has an ICD-10 accuracy on held-out labels or on the first test set; "
            "evaluate one of its epochs with the task icd10 first"
        )
    return epochs[model]


def chosen_epochs(selection: pl.DataFrame) -> dict[str, int]:
    """Return the chosen epoch of every model that has one, as `chosen_epoch` does."""
    preferred = selection.sort("model", "selected_by").unique("model", keep="first", maintain_order=True)
    return dict(zip(preferred["model"].to_list(), preferred["epoch"].to_list(), strict=True))


def write_selection(selection: pl.DataFrame, path: Path) -> None:
    """Write the selection as TSV."""
    with new_file(path) as temporary:
        selection.select(list(SELECTION)).write_csv(temporary, separator="\t")


def read_selection(path: Path) -> pl.DataFrame:
    """Read what `write_selection` wrote; raises InputError when it is something else."""
    try:
        return pl.read_csv(path, separator="\t", schema_overrides=SELECTION, glob=False).select(list(SELECTION))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: not a selection of checkpoints ({error}); remove it and run again") from error


def _best(metrics: pl.DataFrame, selected_by: str, dataset: str, strata: list[str], denominator: str) -> pl.DataFrame:
    """Return the best epoch per model; of several strata, the first one that a model has counts."""
    rank = pl.col("stratum").replace_strict(strata, list(range(len(strata))), default=None, return_dtype=pl.Int64)
    rows = metrics.filter(
        pl.col("epoch") > 0,
        pl.col("condition") == "free",
        pl.col("dataset") == dataset,
        pl.col("task") == "icd10",
        pl.col("stratum").is_in(strata),
        pl.col("metric") == "accuracy",
        pl.col("denominator") == denominator,
        pl.col("value").is_not_null() & pl.col("value").is_not_nan(),
    ).with_columns(rank=rank, selected_by=pl.lit(selected_by))
    return (
        rows.filter(pl.col("rank") == pl.col("rank").min().over("model"))
        .sort("value", "epoch", descending=[True, False])
        .unique("model", keep="first", maintain_order=True)
        .select(pl.col(name).cast(dtype) for name, dtype in SELECTION.items())
    )
