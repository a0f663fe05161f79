"""Which epoch of a model counts as its best: by held-out labels, by the test set, and the way the paper chose."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from onkocode.config.base import CATALOGUE
from onkocode.config.schema import VALID_FLOOR
from onkocode.records.errors import InputError
from onkocode.records.files import new_file

CHOICES = ("development", "test", "paper")  # ways to choose, the one that counts first
SELECTION = {
    "model": pl.String,
    "selected_by": pl.String,  # one of `CHOICES`
    "dataset": pl.String,
    "epoch": pl.Int64,  # null = none was chosen; `remark` says why
    "value": pl.Float64,  # ICD-10 exact accuracy, 0…1
    "n": pl.Int64,  # answers that the accuracy is of
    "valid": pl.Float64,  # share of valid answers among all, 0…1
    "cross_fitted": pl.Float64,  # that accuracy on texts without a part in the choice; null where it has no need of it
    "optimism": pl.Float64,  # value − cross_fitted
    "remark": pl.String,
}


def select_checkpoints(metrics: pl.DataFrame, texts: list[str], valid_floor: float = VALID_FLOOR) -> pl.DataFrame:
    """Return the best epoch of each model by exact ICD-10 accuracy; of equal epochs the earlier one.

    ``development`` is the accuracy over all answers on the catalogue labels that were held out of training; it is there
    only for models that were tested on them. ``test`` is the accuracy over all answers on the first test set; it has
    seen the test set and is optimistic. ``paper`` is the choice of Lenz et al. 2025 (section "Results", Table 4): the
    accuracy over the valid answers there. An epoch with a single valid answer that happens to be right would win it, so
    an epoch needs a share of valid answers. The base model (epoch 0) and the thinking mode are never chosen.

    Args:
        metrics: table of the schema Metrics, any number of models.
        texts: keys of the test sets; the first one counts. May be empty.
        valid_floor: least share of valid answers, 0…1, for ``paper``.

    Returns:
        Columns as in `SELECTION`; at most a row per model and way to choose, sorted by model, then as in `CHOICES`. For
        a model without any epoch that may be chosen in the paper's way, the epoch is null and the remark says so.
    """
    found = [_best(_candidates(metrics, CATALOGUE, ["heldout_label"], "all"), "development")]
    if texts:
        found.append(_best(_candidates(metrics, texts[0], ["all", "test"], "all"), "test"))
        valid = _candidates(metrics, texts[0], ["all", "test"], "valid")
        chosen = _best(valid.filter(pl.col("valid") >= valid_floor), "paper")
        none = valid.join(chosen, on="model", how="anti").unique("model").select("model", "dataset")
        words = floor_text(valid_floor)
        found += [chosen, none.with_columns(selected_by=pl.lit("paper"), remark=pl.lit(f"none chosen: {words}"))]
    order = pl.col("selected_by").replace_strict(CHOICES, range(len(CHOICES)), return_dtype=pl.Int64)
    return pl.concat([_filled(part) for part in found]).sort("model", order)


def floor_text(valid_floor: float) -> str:
    """Return in words that no epoch reaches the share of valid answers."""
    if valid_floor == 0:
        return "no epoch has a valid answer"
    return f"in no epoch are {100 * valid_floor:g} % of the answers valid"


def chosen_epochs(selection: pl.DataFrame) -> dict[str, int]:
    """Return, of every model that has one, the epoch chosen on the development split, else on the test set.

    Over all answers both times: an epoch that only the paper's way chose is not taken.
    """
    return dict(_preferred(selection).select("model", "epoch").iter_rows())


def chosen_ways(selection: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """Return, of every model of `chosen_epochs`, the way by which its epoch was chosen, and the data set."""
    rows = _preferred(selection).select("model", "selected_by", "dataset")
    return {model: (way, dataset) for model, way, dataset in rows.iter_rows()}


def _preferred(selection: pl.DataFrame) -> pl.DataFrame:
    own = selection.filter(pl.col("selected_by") != "paper", pl.col("epoch").is_not_null())
    return own.sort("model", "selected_by").unique("model", keep="first", maintain_order=True)


def base_or_chosen(chosen: Mapping[str, int]) -> pl.Expr:
    """Tell whether a row is of a base model, or of the epoch that stands for its model."""
    epochs = pl.col("model").replace_strict(chosen, default=None, return_dtype=pl.Int64)
    return (pl.col("epoch") == 0) | (pl.col("epoch") == epochs)


def single_epochs(judged: pl.DataFrame) -> dict[str, int]:
    """Return the epoch of each model that was asked at no other one."""
    epochs = judged.group_by("model", maintain_order=True).agg(pl.col("epoch").unique())
    return {model: found[0] for model, found in epochs.iter_rows() if len(found) == 1}


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


def _candidates(metrics: pl.DataFrame, dataset: str, strata: list[str], denominator: str) -> pl.DataFrame:
    """Return the accuracy of every trained epoch; of several strata, the first one that a model has counts."""
    keys = ["model", "epoch", "stratum"]
    rank = pl.col("stratum").replace_strict(strata, list(range(len(strata))), default=None, return_dtype=pl.Int64)
    rows = metrics.filter(
        pl.col("epoch") > 0,
        pl.col("condition") == "free",
        pl.col("dataset") == dataset,
        pl.col("task") == "icd10",
        pl.col("stratum").is_in(strata),
        pl.col("metric") == "accuracy",
    ).unique([*keys, "denominator"], keep="first", maintain_order=True)  # each interval has a row of its own
    valid, every = (rows.filter(pl.col("denominator") == name).select(*keys, "n") for name in ("valid", "all"))
    shares = valid.join(every, on=keys, suffix="_all").select(*keys, valid=pl.col("n") / pl.col("n_all"))
    return (
        rows.filter(pl.col("denominator") == denominator)
        .with_columns(rank=rank)
        .filter(pl.col("rank") == pl.col("rank").min().over("model"))
        .join(shares, on=keys, how="left", maintain_order="left")
    )


def _best(candidates: pl.DataFrame, selected_by: str) -> pl.DataFrame:
    """Return the best epoch per model."""
    return (
        candidates.filter(pl.col("value").is_not_null() & pl.col("value").is_not_nan())
        .sort("value", "epoch", descending=[True, False])
        .unique("model", keep="first", maintain_order=True)
        .with_columns(selected_by=pl.lit(selected_by))
    )


def _filled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return exactly the columns of `SELECTION`, with null for those that are not there."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in SELECTION.items()
    )
