"""Judged answers made up for tests of what is measured of all checkpoints together."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from .conftest import schema_of


def answers(
    right: Mapping[str, Sequence[int]], valid: Mapping[str, Sequence[int]] | None = None, **place: Any
) -> pl.DataFrame:
    """Return a row per text and formulation: 1 = right.

    Args:
        right: by text, for each formulation.
        valid: the same, whether it could be read; all could where it is left out.
        place: other values of all rows; `cluster` may be a mapping from texts.
    """
    clusters = place.pop("cluster", {})
    rows = []
    for text, hits in right.items():
        for number, hit in enumerate(hits):
            ok = bool(hit) or valid is None or bool(valid[text][number])
            row = {"question_id": f"{text}/icd10/f{number}", "entry_id": text, "cluster": clusters.get(text, text)}
            row |= {"formulation_id": f"f{number}", "expected": "C50.9", "valid": ok, "exact": bool(hit)}
            row |= {"predicted": "C50.9" if hit else "C61" if ok else None, "partial": bool(hit), "several": False}
            rows.append(row)
    about = {"model": "a", "epoch": 1, "condition": "free", "dataset": "clinic", "task": "icd10", "split": "test"}
    return pl.DataFrame([about | row | place for row in rows], schema=schema_of("judged"))


def texts(number: int, right: int, formulations: int = 1) -> dict[str, list[int]]:
    """Return so many texts, of which the first ones are right under all formulations."""
    return {f"t{place:03d}": [int(place < right)] * formulations for place in range(number)}
