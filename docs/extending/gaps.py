"""A step that looks for codes without any label."""

from __future__ import annotations

from pathlib import Path

from onkocode.steps.app import step
from onkocode.steps.options import SomePaths
from onkocode.terminal import say


@step("catalogues gaps", by_hand=True)
def find_gaps(*, codes: Path, entries: SomePaths) -> None:
    """List the terminal tumour codes that no entry has, so that no question teaches them.

    Args:
        codes: label space of ICD-10-GM (codes.parquet)
        entries: entries with its codes (entries.parquet of Alpha-ID)
    """
    import polars as pl

    from onkocode.records.schemas import read_table

    used = pl.concat([read_table(path, "entries").select("code") for path in entries])
    space = read_table(codes, "codes").filter("terminal", "tumour", system="icd10gm")
    found = space.join(used, on="code", how="anti").sort("code")
    lines = [f"{code}\t{title}" for code, title in found.select("code", "title").iter_rows()]
    say(*lines, f"{found.height} of {space.height} terminal tumour codes have no label", sep="\n")
