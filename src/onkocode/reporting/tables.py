"""Tables 1 and 3: what was asked in training, and which models were trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from onkocode.questions.counts import ALL, COUNTS, SPLITS, TOTAL, question_counts
from onkocode.records.schemas import read_table
from onkocode.reporting.html import Column, html_page, write_html
from onkocode.reporting.inputs import Model, read_models, read_training
from onkocode.reporting.style import write_tsv

QUANTISATIONS = {"none": "none", "8bit": "8-bit", "4bit": "4-bit"}


def write_question_counts(questions: Path, table: Path) -> None:
    """Write Table 1.

    Args:
        questions: questions table (Parquet) with all splits.
        table: path of the HTML file to write; the TSV file lies beside it.

    Raises:
        InputError: the input is not a questions table.
    """
    counts = question_counts(read_table(questions, "questions"))
    splits = [split for split in SPLITS if counts[split].sum()]
    further = ["augmented"] if counts["augmented"].sum() else []
    columns = [
        Column("Block", number=False),
        *[Column(name.capitalize(), group="This data set") for name in COUNTS],
        Column("Share, %", group="This data set"),
        *[Column("On rewritten labels", group="Beside it") for _ in further],
        *[Column(split.replace("_", " "), group="All of them by split") for split in splits],
        *[Column(name.capitalize(), group="Lenz et al. 2025, Table 1") for name in COUNTS],
    ]
    names = [*COUNTS, "share", *further, *splits, *[f"paper_{name}" for name in COUNTS]]
    rows = [[str(row["title"]), *[_number(row[name]) for name in names]] for row in counts.iter_rows(named=True)]
    notes = [
        "Counted before any split, without held-out negatives and rewritten labels, as the paper counts; the splits "
        "hold these as well. Entries and codes are distinct ones. Blocks share entries, so that only questions have a "
        "total, which is that of the paper's blocks.",
        "Codes are counted among the expected answers; blocks that are answered with yes or no alone have none.",
    ]
    ruled = [index for index, block in enumerate(counts["block"]) if block in (TOTAL, ALL)]
    write_html(html_page("Training questions by block", columns, rows, notes, ruled=ruled), table)
    write_tsv(counts, table.with_suffix(".tsv"))


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
        Columns model, label, hub, parameters_billions (10⁹), quantisation_training, quantisation_testing,
        gpus_training, gpus_testing, hours; those on training are null for a model that was not trained here.
    """
    return pl.DataFrame(
        {
            "model": [model.key for model in models],
            "label": [model.label for model in models],
            "hub": pl.Series([model.hub for model in models], dtype=pl.String),
            "parameters_billions": pl.Series(
                [model.parameters / 1e9 if model.parameters else None for model in models], dtype=pl.Float64
            ),
            "quantisation_training": pl.Series(
                [model.quantisation_training if model.trained else None for model in models], dtype=pl.String
            ),
            "quantisation_testing": pl.Series([model.quantisation_testing for model in models], dtype=pl.String),
            "gpus_training": pl.Series(
                [model.gpus_training if model.trained else None for model in models], dtype=pl.Int64
            ),
            "gpus_testing": [model.gpus_testing for model in models],
            "hours": pl.Series([hours.get(model.key) for model in models], dtype=pl.Float64),
        }
    )


def write_model_table(models: Sequence[Path], training: Sequence[Path], table: Path) -> None:
    """Write Table 3.

    Args:
        models: files ``model.json``, in the order of the rows.
        training: files ``<model>/epoch-<n>/metrics.jsonl``; may be empty.
        table: path of the HTML file to write; the TSV file lies beside it.

    Raises:
        InputError: an input cannot be read.
    """
    frame = model_table(read_models(models), fine_tuning_hours(read_training(training)))
    columns = [
        *[Column("Model", number=False), Column("Hub id", number=False), Column("Parameters, 10⁹")],
        *[Column(name, number=False, group="Quantisation") for name in ("fine-tuning", "testing")],
        *[Column(name, group="GPUs") for name in ("fine-tuning", "testing")],
        Column("Fine-tuning, hours"),
    ]
    rows = [
        [
            str(row["label"]),
            row["hub"] or "–",
            "–" if row["parameters_billions"] is None else f"{row['parameters_billions']:.3g}",
            *[
                QUANTISATIONS.get(row[name], row[name] or "–")
                for name in ("quantisation_training", "quantisation_testing")
            ],
            *[_number(row[name]) for name in ("gpus_training", "gpus_testing")],
            "–" if row["hours"] is None else _hours(row["hours"]),
        ]
        for row in frame.iter_rows(named=True)
    ]
    notes = ["–: not trained here, or not known."] if frame["quantisation_training"].has_nulls() else []
    notes += [
        "8-bit: bitsandbytes int8. 4-bit: bitsandbytes nf4. GPUs 0: the processor.",
        "Hours: wall-clock time of the training steps of all epochs, without loading the model and without steps that "
        "were lost when a job was stopped.",
    ]
    write_html(html_page("Models and their fine-tuning", columns, rows, notes), table)
    write_tsv(frame, table.with_suffix(".tsv"))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.3f}"
