"""The table of chosen epochs: what the choice is worth on other texts, and how firm it is."""

from typing import Any

import polars as pl

from onkocode.reporting.html import Column, Section, changes, html_page
from onkocode.reporting.outputs import Page
from onkocode.reporting.results import Results

_NOTES = [
    "Accuracy: ICD-10, exact, of the answers by which the epoch was chosen (paper: of the valid ones). Cross-fitted: "
    "the same on texts that had no part in the choice: 500 times an epoch is chosen on a random half and measured on "
    "the other. Optimism: what the choice itself adds to the accuracy, a little too much, since a half chooses less "
    "well. Both only where the texts that choose are those that are reported.",
    "Chosen in resamples: how often each epoch wins when texts are drawn with replacement, 1,000 times. A choice that "
    "wins in half of them is no property of the model.",
]


NUMBERS = ("Epoch", "Accuracy, %", "n", "Valid, %", "Cross-fitted, %", "Optimism, points")


def tabulate(results: Results) -> Page:
    """Return the table of chosen epochs; raises InputError when an input cannot be read."""
    names = {model.key: model.label for model in results.models}
    columns = [Column(name, number=False) for name in ("Model", "Chosen by", "Questions")]
    columns += [Column(name) for name in NUMBERS]
    columns.append(Column("Chosen in resamples, % by epoch", number=False))
    # What has one epoch was never chosen.
    epochs = results.frequencies.group_by("model").agg(pl.col("epoch").n_unique())
    single = epochs.filter(pl.col("epoch") < 2)["model"].to_list()
    chosen = results.selection.filter(pl.col("epoch").is_not_null(), ~pl.col("model").is_in(single))
    rows = [_cells(row, names, results.frequencies) for row in chosen.iter_rows(named=True)]
    ruled = changes([row[0] for row in rows])
    page = html_page("Chosen epochs", [Section(columns, rows, "", ruled)], _NOTES)
    return Page(page, results.frequencies)


def _cells(row: dict[str, Any], names: dict[str, str], frequencies: pl.DataFrame) -> list[str]:
    own = frequencies.filter(pl.col("model") == row["model"], pl.col("selected_by") == row["selected_by"])
    shares = [f"{epoch}: {100 * share:.0f}" for epoch, share in own.sort("epoch").select("epoch", "share").iter_rows()]
    return [
        names.get(row["model"], row["model"]),
        row["selected_by"],
        row["dataset"],
        str(row["epoch"]),
        f"{100 * row['value']:.1f}",
        f"{row['n']:,}",
        _percent(row["valid"]),
        _percent(row["cross_fitted"]),
        _percent(row["optimism"]),
        ", ".join(shares) or "–",
    ]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
