"""Table 3: which models were tested, and what their fine-tuning took."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from onkocode.reporting.html import Column, Section, html_page
from onkocode.reporting.inputs import Model
from onkocode.reporting.outputs import Page
from onkocode.reporting.results import Results

KINDS = {"llm": "language model", "published-adapter": "published adapter"}
QUANTISATIONS = {"none": "none", "8bit": "8-bit", "4bit": "4-bit"}
SCHEMA: dict[str, Any] = {
    "model": pl.String,
    "label": pl.String,
    "kind": pl.String,
    "hub": pl.String,
    "parameters_billions": pl.Float64,  # 10⁹
    "quantisation_training": pl.String,
    "quantisation_testing": pl.String,
    "gpus_training": pl.Int64,
    "gpus_testing": pl.Int64,
    "hours": pl.Float64,  # of fine-tuning
}
_NOTES = [
    "8-bit: bitsandbytes int8. 4-bit: bitsandbytes nf4. GPUs 0: the processor.",
    "Hours: wall-clock time of the training steps of all epochs, without loading the model and without steps that were "
    "lost when a job was stopped.",
]


def tabulate(results: Results) -> Page:
    """Return Table 3; raises InputError when an input cannot be read."""
    frame = model_table(results.models, fine_tuning_hours(results.training))
    columns = [
        *[Column(name, number=False) for name in ("Model", "Kind", "Hub id")],
        Column("Parameters, 10⁹"),
        *[Column(name, number=False, group="Quantisation") for name in ("fine-tuning", "testing")],
        *[Column(name, group="GPUs") for name in ("fine-tuning", "testing")],
        Column("Fine-tuning, hours"),
    ]
    rows = [_cells(row) for row in frame.iter_rows(named=True)]
    unknown = any("–" in row for row in rows)
    notes = (["–: not trained here, not known, or no such thing."] if unknown else []) + _NOTES
    return Page(html_page("Models and their fine-tuning", [Section(columns, rows)], notes), frame)


def fine_tuning_hours(training: pl.DataFrame) -> dict[str, float]:
    """Return the hours of fine-tuning per model, from the logs of training.

    ``seconds`` counts on when a stopped job is resumed; where it falls, a run began anew, and both runs are added up.
    Steps that were lost with a stopped job, and loading the model, are not in it.

    Args:
        training: rows as `read_training` returns them, in the order in which they were logged.
    """
    jobs = ["model", "job_epoch"]
    following = pl.col("seconds").shift(-1).over(jobs)
    ends = training.drop_nulls("seconds").filter((following < pl.col("seconds")) | following.is_null())
    hours = ends.group_by("model").agg(pl.col("seconds").sum() / 3600)
    return dict(hours.iter_rows())


def model_table(models: Sequence[Model], hours: Mapping[str, float]) -> pl.DataFrame:
    """Return Table 3.

    Args:
        models: the models, in the order of the rows.
        hours: hours of fine-tuning by model key; may lack some.

    Returns:
        Columns as in `SCHEMA`; those on training are null for a model that was not trained here.
    """
    rows = [
        vars(model)
        | {"model": model.key, "hours": hours.get(model.key)}
        | {"parameters_billions": None if model.parameters is None else model.parameters / 1e9}
        | ({} if model.trained else {"quantisation_training": None, "gpus_training": None})
        for model in models
    ]
    return pl.DataFrame([{name: row[name] for name in SCHEMA} for row in rows], schema=SCHEMA)


def _cells(row: Mapping[str, Any]) -> list[str]:
    size, hours = row["parameters_billions"], row["hours"]
    quantised = [row[name] for name in ("quantisation_training", "quantisation_testing")]
    gpus = [row[name] for name in ("gpus_training", "gpus_testing")]
    return [
        str(row["label"]),
        KINDS.get(row["kind"], (row["kind"] or "–").replace("-", " ")),
        row["hub"] or "–",
        "–" if size is None else f"{size:.3g}",
        *[QUANTISATIONS.get(name, name or "–") for name in quantised],
        *["–" if count is None else f"{count:,}" for count in gpus],
        "–" if hours is None else _hours(hours),
    ]


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.3f}"
