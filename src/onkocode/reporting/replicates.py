"""The table of replicates: how much accuracy varies between seeds of the same recipe."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from scipy.special import stdtrit

from onkocode.config.resolve import replicate_label
from onkocode.reporting.html import Column, Section, changes, html_page
from onkocode.reporting.inputs import TASKS, Model, Target, at_target, in_task_order, interval_rows
from onkocode.reporting.outputs import Page
from onkocode.reporting.results import Results

KEYS = ["dataset", "stratum", "recipe", "epoch", "task"]


def tabulate(results: Results) -> Page:
    """Return the table of replicates; raises InputError when an input cannot be read."""
    frame = replicate_table(results.metrics, results.models, results.targets)
    sections = [_section(frame, task) for task in in_task_order(frame["task"].unique().to_list())]
    return Page(html_page("Replicates: accuracy over seeds", sections, _NOTES), frame)


def replicate_table(metrics: pl.DataFrame, models: Sequence[Model], questions: Sequence[Target]) -> pl.DataFrame:
    """Return accuracy over the seeds of each recipe, per set of questions, epoch and task.

    Args:
        metrics: table of the schema Metrics.
        models: the models; those that are no replicates are passed over.
        questions: the sets of questions.

    Returns:
        Columns dataset, stratum, recipe, label, epoch, task, seeds (those evaluated, joined by ", "), n (questions of
        each seed), replicates, mean, sd (sample standard deviation), lowest, highest, low and high: accuracy of all
        questions in %, and the 95 % interval of the mean by Student's t over the seeds. sd, low and high are null for a
        single seed. Trained epochs only, since replicates share their base.
    """
    found = pl.DataFrame(
        [
            (model.key, model.replicate_of, model.seed, _label(model))
            for model in models
            if model.replicate_of is not None
        ],
        schema={"model": pl.String, "recipe": pl.String, "seed": pl.Int64, "label": pl.String},
        orient="row",
    )
    rates = interval_rows(metrics, "accuracy", "all").filter(pl.col("epoch") > 0)
    rates = pl.concat([at_target(rates, target) for target in questions]).drop("low", "high")
    value = pl.col("value")
    table = (
        rates.join(found, on="model", how="inner")
        .sort("recipe", "seed")
        .group_by(KEYS, maintain_order=True)
        .agg(
            pl.col("label").first(),
            pl.col("seed").cast(pl.String).str.join(", ").alias("seeds"),
            pl.col("n").max(),
            pl.len().cast(pl.Int64).alias("replicates"),
            value.mean().alias("mean"),
            value.std().alias("sd"),
            value.min().alias("lowest"),
            value.max().alias("highest"),
        )
    )
    margin = [
        None if row["sd"] is None else stdtrit(row["replicates"] - 1, 0.975) * row["sd"] / row["replicates"] ** 0.5
        for row in table.iter_rows(named=True)
    ]
    return (
        table.with_columns(pl.Series("margin", margin, dtype=pl.Float64))
        .with_columns(low=pl.col("mean") - pl.col("margin"), high=pl.col("mean") + pl.col("margin"))
        .with_columns(pl.col("low", "high").clip(0, 100))
        .select(
            *["dataset", "stratum", "recipe", "label", "epoch", "task", "seeds", "n", "replicates"],
            *["mean", "sd", "lowest", "highest", "low", "high"],
        )
        .sort(KEYS)
    )


def _label(model: Model) -> str:
    """Return the label that the replicates of a recipe share."""
    return model.label if model.seed is None else model.label.removesuffix(replicate_label("", model.seed))


def _section(frame: pl.DataFrame, task: str) -> Section:
    columns = [
        *[Column(title, number=False) for title in ("Model", "Questions", "Seeds")],
        *[Column(title) for title in ("Epoch", "n", "Mean", "SD", "Lowest", "Highest", "95 % interval")],
    ]
    shown = frame.filter(pl.col("task") == task)
    rows = [_cells(row) for row in shown.iter_rows(named=True)]
    ruled = changes([f"{row['dataset']} {row['recipe']}" for row in shown.iter_rows(named=True)])
    return Section(columns, rows, TASKS.get(task, task), ruled)


def _cells(row: Mapping[str, Any]) -> list[str]:
    interval = "–" if row["low"] is None else f"{row['low']:.1f} – {row['high']:.1f}"
    numbers = ["–" if row[name] is None else f"{row[name]:.1f}" for name in ("mean", "sd", "lowest", "highest")]
    facts = [row["label"], Target(row["dataset"], row["stratum"]).label, row["seeds"]]
    return [*facts, str(row["epoch"]), f"{row['n']:,}", *numbers, interval]


_NOTES = [
    "Accuracy: exact code, of all questions, in %; an invalid answer counts as wrong. n: questions asked of each seed. "
    "Replicates differ in the seed of training alone: LoRA matrices, dropout and order of the questions.",
    "SD says how much single trainings vary on these very questions; the 95 % interval, by Student's t, how well the "
    "mean over seeds is known. The intervals of the other tables say how much the choice of questions varies. Two "
    "recipes are compared by the standard error of their difference, √(SD₁²/n₁ + SD₂²/n₂), with n seeds each.",
]
