"""Where a coder is right and where wrong: by kind of code, by how often it was trained, and what it is taken for."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from onkocode.evaluation.intervals import of_rate
from onkocode.evaluation.measuring import BY, measured
from onkocode.evaluation.metrics import LEADING, METRICS
from onkocode.tasks import NO, TASKS

TRAINING = "training labels"  # how many labels of the code were trained on
FREQUENCIES = ((0, 0, "0"), (1, 1, "1"), (2, 5, "2–5"), (6, 20, "6–20"), (21, None, "21 and more"))
WAYS = ("behaviour", "chapter", "group", "category", "code", TRAINING)
MOST_CONFUSED = 30  # per checkpoint and task
CONFUSIONS = {
    "model": pl.String,
    "epoch": pl.Int64,
    "dataset": pl.String,
    "task": pl.String,
    "expected": pl.String,
    "expected_title": pl.String,
    "predicted": pl.String,
    "predicted_title": pl.String,
    "texts": pl.Int64,
    "answers": pl.Int64,
}
Row = dict[str, Any]


def training_frequencies(questions: pl.DataFrame) -> pl.DataFrame:
    """Return columns task, expected and labels: how many different labels of a code are trained on."""
    trained = questions.filter(pl.col("split") == "train", pl.col("code").is_not_null())
    return trained.group_by("task", expected="code").agg(labels=pl.col("text").n_unique())


def break_down(judged: pl.DataFrame, codes: pl.DataFrame, frequencies: pl.DataFrame) -> pl.DataFrame:
    """Return rates by kind of the expected code (schema Metrics), and the mean over codes.

    The stratum is `<way>: <value>`, of the ways in `WAYS`; `macro_accuracy` is the mean of the accuracies of all codes,
    each counting once, with an interval over codes.

    Args:
        judged: schema Judged, any number of checkpoints and data sets.
        codes: label spaces (schema Codes), of one version per system.
        frequencies: of `training_frequencies`.
    """
    rows: list[Row] = []
    for keys, part in judged.filter(pl.col("task").is_in(_coded())).group_by(BY, maintain_order=True):
        head = dict(zip(BY, keys, strict=True))
        system = TASKS[str(head["task"])].system
        described = _described(part, codes.filter(pl.col("system") == system), frequencies)
        for way in WAYS:
            for (value,), answers in described.group_by(way, maintain_order=True):
                about = head | {"stratum": f"{way}: {value}"}
                rows += [] if value is None else [about | row for row in _rates(answers, str(head["task"]))]
        rows.append(head | {"stratum": "all"} | _macro(described))
    return pl.DataFrame(rows, infer_schema_length=None)


def _coded() -> list[str]:
    return [task.key for task in TASKS.values() if task.system and not task.decides]


def _described(answers: pl.DataFrame, codes: pl.DataFrame, frequencies: pl.DataFrame) -> pl.DataFrame:
    """Return answers with a column for each of `WAYS`, sorted by code."""
    known = codes.select("behaviour", "chapter", "group", "category", expected="code").unique("expected")
    joined = answers.join(known, on="expected", how="left", maintain_order="left")
    joined = joined.join(frequencies, on=["task", "expected"], how="left", maintain_order="left")
    labels = pl.col("labels").fill_null(0)
    named = pl.coalesce(
        pl.when((labels >= least) & (labels <= (most if most is not None else labels))).then(pl.lit(name))
        for least, most, name in FREQUENCIES
    )
    order = pl.col("expected"), pl.col("question_id")
    return joined.with_columns(named.alias(TRAINING), code=pl.col("expected")).sort(*order)


def _rates(answers: pl.DataFrame, task: str) -> Iterator[Row]:
    for key in LEADING:
        of_all = replace(METRICS[key], denominators=("all",))
        if task in of_all.tasks:
            for row in measured(of_all, answers, None, 1):
                if row["method"] != "clopper-pearson":
                    yield {"metric": key} | row


def _macro(answers: pl.DataFrame) -> Row:
    """Return the mean accuracy of codes."""
    means = answers.group_by("code", maintain_order=True).agg(pl.col("exact").mean())["exact"].to_numpy()
    return {
        "metric": "macro_accuracy",
        "denominator": "all",
        "k": float(means.mean()) * answers.height,
        "n": answers.height,
        "clusters": len(means),
        "value": float(means.mean()),
        **of_rate(means, np.ones(len(means))),
    }


def confusions(judged: pl.DataFrame, titles: Mapping[tuple[str, str], str], least: int) -> pl.DataFrame:
    """Return the most frequent confusions of each checkpoint and task (columns `CONFUSIONS`), by number of texts.

    Args:
        judged: schema Judged.
        titles: by system and code.
        least: confusions in texts of fewer patients are left out.
    """
    wrong = judged.filter("valid", ~pl.col("exact"), pl.col("predicted") != NO, pl.col("task").is_in(_coded()))
    keys = ["model", "epoch", "dataset", "task"]
    counted = (
        wrong.group_by(*keys, "expected", "predicted")
        .agg(
            texts=pl.col("entry_id").n_unique().cast(pl.Int64),
            answers=pl.len().cast(pl.Int64),
            patients=pl.col("cluster").n_unique(),
        )
        .filter(pl.col("patients") >= least)
        .sort(*keys, "texts", "answers", "expected", "predicted", descending=[False] * 4 + [True, True, False, False])
        .group_by(keys, maintain_order=True)
        .head(MOST_CONFUSED)
    )
    systems = [TASKS[task].system or "" for task in counted["task"]]

    def titled(column: str) -> pl.Series:
        found = [titles.get(pair) for pair in zip(systems, counted[column], strict=True)]
        return pl.Series(found, dtype=pl.String)

    return counted.with_columns(
        expected_title=titled("expected"),
        predicted_title=titled("predicted"),
    ).select(list(CONFUSIONS))
