"""What the entries of all catalogues have in common."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from onkocode.records.ids import text_key


def entry_frame(entries: pl.DataFrame | Sequence[dict[str, Any]], dataset: str, version: str) -> pl.DataFrame:
    """Complete entries (entry_id, kind, code, text, flags) with the columns that follow from the others."""
    if not isinstance(entries, pl.DataFrame):
        types = {"code": pl.String(), "flags": pl.List(pl.String)}  # not inferred where all rows lack them
        entries = pl.DataFrame(entries, schema_overrides=types, infer_schema_length=None)
    return entries.with_columns(
        dataset=pl.lit(dataset),
        version=pl.lit(version),
        topography=pl.lit(None, pl.String),
        morphology=pl.lit(None, pl.String),
        accepted=pl.lit([], pl.List(pl.String)),
        text_key=pl.Series([text_key(text) for text in entries["text"]], dtype=pl.String),
        cluster=pl.col("entry_id"),
    )
