"""Rates of parts of the answers: the same texts under all conditions, and labels that are new in earnest."""

import re
from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from onkocode.config.base import CATALOGUE, FREE, SINGLE, SWAPPED, THINKING
from onkocode.evaluation.measuring import measure
from onkocode.records.ids import text_key
from onkocode.tasks import DECIDED

SAMPLES = (THINKING, SWAPPED, SINGLE)
HELD_OUT = {
    "heldout_label, not near": "held-out labels that are near no trained one",
    "heldout_label, new stem": "held-out labels whose stem no trained one has",
    "heldout": "held-out labels and non-tumours together",
}
# What German diagnoses add to a name without making another disease of it, and what is no word.
ADDED = re.compile(
    r"\[[^]]*\]|\([^)]*\)|\ba\.? ?n\.? ?k\.?|\bo\.? ?n\.? ?a\.?|\bn\.? ?n\.? ?b\.?"
    r"|\b(?:nicht näher bezeichnet\w*|ohne nähere angabe\w*|anderenorts nicht klassifiziert\w*|näher bezeichnet\w*"
    r"|sonstige\w*|rechts|links|beidseits|rechtsseitig\w*|linksseitig\w*|beidseitig\w*|primär\w*|typ [ivx\d]+|nos)\b"
    r"|\b[ivx]+\b|\d+"
)
WORD = re.compile(r"\w+")
ENDING = re.compile(r"(?:en|er|es|em|e|s|n)$")


def stem_of(text: str) -> str:
    """Return what is left of a label without side, number, remark and the endings of its words, in order of words."""
    words = WORD.findall(ADDED.sub(" ", text_key(text))) or WORD.findall(text_key(text))
    return " ".join(sorted({ENDING.sub("", word) if len(word) > 4 else word for word in words}))


def samples_of(judged: pl.DataFrame, model: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield, for each condition that is asked of a part, all free answers of a model to the questions of that part."""
    own = judged.filter(pl.col("model") == model)
    for condition in SAMPLES:
        asked = own.filter(pl.col("condition") == condition).select("dataset", "question_id").unique()
        if asked.height:
            free = own.filter(pl.col("condition") == FREE)
            yield f"asked {condition}", free.join(asked, on=["dataset", "question_id"], how="semi")


def heldout_of(
    judged: pl.DataFrame, stems: Mapping[str, str], trained: Iterable[str], near: Iterable[str] | None
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the answers to held-out labels that are new in earnest, and for yes and no those to all that is held out.

    Args:
        judged: schema Judged, one model.
        stems: stem of each entry of the catalogue.
        trained: stems of labels that are trained on.
        near: held-out entries that are near a trained label; None = not known, and then not left out either.
    """
    free = judged.filter(pl.col("dataset") == CATALOGUE, pl.col("condition") == FREE)
    labels = free.filter(pl.col("split") == "heldout_label")
    if near is not None:
        yield "heldout_label, not near", labels.filter(~pl.col("entry_id").is_in(list(near)))
    stem = pl.col("entry_id").replace_strict(stems, default=None, return_dtype=pl.String)
    new = labels.with_columns(cluster=stem).filter(~pl.col("cluster").is_in(list(trained)))
    yield "heldout_label, new stem", new
    both = free.filter(pl.col("task").is_in(DECIDED), pl.col("split").is_in(["heldout_label", "heldout_negative"]))
    yield "heldout", both


def measured_strata(parts: Iterable[tuple[str, pl.DataFrame]], baseline: pl.DataFrame, resamples: int) -> pl.DataFrame:
    """Return the metrics of named parts of the answers (schema Metrics; stratum = name).

    Args:
        parts: name, judged rows.
        baseline: judged rows of the base, for gains.
        resamples: of the bootstrap of times.
    """
    found = []
    for name, rows in parts:
        for (epoch,), part in rows.group_by("epoch", maintain_order=True):
            measured = measure(part.with_columns(split=pl.lit("test")), baseline if epoch else None, resamples)
            found.append(measured.with_columns(stratum=pl.lit(name)))
    return pl.concat(found, how="vertical_relaxed") if found else pl.DataFrame()
