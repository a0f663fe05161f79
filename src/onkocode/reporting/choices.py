"""Words about how epochs were chosen, for the notes of tables."""

from collections.abc import Sequence

import polars as pl

from onkocode.evaluation.selection import CHOICES
from onkocode.reporting.inputs import Model

_DEVELOPMENT = (
    "development: the epoch with the highest ICD-10 accuracy (all) on labels that were held out of training. Of equal "
    "epochs the earlier one counts."
)


def choice_notes(selection: pl.DataFrame, models: Sequence[Model], valid_floor: float | None) -> list[str]:
    """Return what the ways to choose mean, and a sentence for each model and way that have no epoch to choose.

    Args:
        selection: rows as `select_checkpoints` returns them.
        models: the models that are shown.
        valid_floor: share of valid answers, 0…1, that the paper's way needs; None = there is no test set.
    """
    remarks = {(row["model"], row["selected_by"]): row["remark"] for row in selection.iter_rows(named=True)}
    none = [
        f"{model.label}, {way}: {remarks[model.key, way]}."
        for model in models
        for way in CHOICES
        if remarks.get((model.key, way)) is not None
    ]
    return [_DEVELOPMENT if valid_floor is None else f"{_DEVELOPMENT} {_on_the_test_set(valid_floor)}", *none]


def _on_the_test_set(valid_floor: float) -> str:
    return (
        "test: the epoch with the highest ICD-10 accuracy (all) on the first test set; it has seen the test set and is "
        "optimistic. paper: the way the paper chose (Lenz et al. 2025), by the highest ICD-10 accuracy (valid) on the "
        f"first test set, here among the epochs with at least {100 * valid_floor:g} % valid answers, since otherwise a "
        "single valid answer that happens to be right would win."
    )
