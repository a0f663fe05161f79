"""What is measured of the judged answers of all checkpoints together, beside each one's own metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl
from pydantic import Field

from onkocode.config.base import CATALOGUE, FREE, Section
from onkocode.evaluation.breakdown import CONFUSIONS, break_down, confusions, training_frequencies
from onkocode.evaluation.formulations import NO_INTERVAL, by_formulation
from onkocode.evaluation.measuring import BY
from onkocode.evaluation.selection import base_or_chosen
from onkocode.evaluation.strata import heldout_of, measured_strata, samples_of, stem_of
from onkocode.records.schemas import columns_of


class Overview(Section):
    """Settings of break-down."""

    data: dict[str, str] = Field({}, description="Data key by model.")
    bases: dict[str, str] = Field({}, description="The model whose epoch 0 is the base, by model.")
    least_cell: int = Field(0, ge=0, description="As evaluation.least_cell: smaller numbers of patients are not shown.")
    bootstrap: int = Field(1000, ge=1, description="As evaluation.bootstrap.")


@dataclass(frozen=True)
class Sources:
    """What is known of the catalogue questions of each data key.

    Attributes:
        questions: schema Questions.
        leakage: schema Leakage, of the data keys that have it.
    """

    questions: Mapping[str, pl.DataFrame]
    leakage: Mapping[str, pl.DataFrame]

    def stems(self, key: str) -> tuple[dict[str, str], set[str]]:
        """Return the stem of each held-out entry, and the stems of all trained labels."""
        stem = cache(stem_of)
        labels = self.questions[key].select("entry_id", "text", "split").unique()
        heldout = labels.filter(pl.col("split") == "heldout_label")
        trained = labels.filter(pl.col("split").is_in(["train", "heldout_formulation"]))
        held = {entry: stem(text) for entry, text in heldout.select("entry_id", "text").iter_rows()}
        return held, {stem(text) for text in trained["text"].unique()}

    def near(self, key: str) -> list[str] | None:
        """Return the held-out entries that are equal or near to a trained label; None where it is not known."""
        pairs = self.leakage.get(key)
        if pairs is None:
            return None
        return pairs.filter(pl.col("test_set") == "heldout_label")["test_id"].unique().to_list()


@dataclass(frozen=True)
class Details:
    """Rates by kind of code and by formulation (schema Metrics), and confusions (columns `CONFUSIONS`)."""

    rates: pl.DataFrame
    confusions: pl.DataFrame


def parts_of(judged: pl.DataFrame, sources: Sources, settings: Overview) -> pl.DataFrame:
    """Return the metrics (schema Metrics) of parts of the answers of all checkpoints.

    Args:
        judged: schema Judged, of all checkpoints and conditions, without training questions.
        sources: questions and near labels.
        settings: data key and base of each model.
    """
    found, known = [], {key: sources.stems(key) for key in sources.questions}
    for (model,), own in judged.group_by("model", maintain_order=True):
        key, base = settings.data[str(model)], settings.bases.get(str(model))
        of_base = judged.filter(pl.col("model") == (base or ""), pl.col("epoch") == 0)
        baseline = of_base.filter(pl.col("condition") == FREE)
        stems, trained = known[key]
        parts = [*samples_of(own, str(model)), *heldout_of(own, stems, trained, sources.near(key))]
        found.append(measured_strata(parts, baseline, settings.bootstrap))
    found.append(texts_per_cluster(judged))
    whole = [part for part in found if part.height]
    columns = columns_of("metrics")
    if not whole:
        return pl.DataFrame(schema=columns)
    return pl.concat([part.select(list(columns)) for part in whole], how="vertical_relaxed")


def texts_per_cluster(judged: pl.DataFrame) -> pl.DataFrame:
    """Return how many texts a patient has on average (schema Metrics): per checkpoint, test set and task."""
    texts, clusters = (pl.col(name).n_unique().cast(pl.Int64) for name in ("entry_id", "cluster"))
    own = judged.filter(pl.col("dataset") != CATALOGUE, pl.col("condition") == FREE)
    return own.group_by(BY, maintain_order=True).agg(
        stratum=pl.lit("all"),
        metric=pl.lit("texts_per_cluster"),
        denominator=pl.lit("all"),
        k=texts.cast(pl.Float64),
        n=texts,
        clusters=clusters,
        value=texts / clusters,
        low=pl.lit(None, pl.Float64),
        high=pl.lit(None, pl.Float64),
        method=pl.lit(NO_INTERVAL),
    )


def details(
    judged: pl.DataFrame, chosen: Mapping[str, int], sources: Sources, codes: pl.DataFrame, settings: Overview
) -> Details:
    """Return where base models and chosen epochs are right and wrong, on test sets and on held-out labels.

    Args:
        judged: as in `parts_of`.
        chosen: epoch by model.
        sources: as in `parts_of`.
        codes: label spaces (schema Codes), a code of a system once.
        settings: data key of each model, and the least number that confusions show.
    """
    shown = judged.filter(
        pl.col("condition") == FREE,
        base_or_chosen(chosen),
        (pl.col("dataset") != CATALOGUE) | (pl.col("split") == "heldout_label"),
    )
    frequencies = {key: training_frequencies(table) for key, table in sources.questions.items()}
    rates = [by_formulation(shown)] if shown.height else []
    for (model,), own in shown.group_by("model", maintain_order=True):
        rates.append(break_down(own, codes, frequencies[settings.data[str(model)]]))
    titles = {(system, code): title for system, code, title in codes.select("system", "code", "title").iter_rows()}
    columns = columns_of("metrics")
    found = [part.select(list(columns)) for part in rates if part.height]
    shown_from = (pl.col("clusters") >= settings.least_cell) | (pl.col("metric") == "macro_accuracy")
    found = [part.filter(shown_from) for part in found]
    return Details(
        pl.concat(found, how="vertical_relaxed") if found else pl.DataFrame(schema=columns),
        confusions(shown, titles, settings.least_cell) if shown.height else pl.DataFrame(schema=CONFUSIONS),
    )
