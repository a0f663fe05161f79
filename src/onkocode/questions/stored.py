"""Reading a written table of questions a part at a time."""

from pathlib import Path

import polars as pl

from onkocode.records.errors import InputError
from onkocode.records.schemas import schema_mark, version_of


def scan_questions(path: Path) -> pl.LazyFrame:
    """Return a table of build-questions without reading it.

    Raises:
        InputError: no such file, another table or version, a table without rows or of a user's texts.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a table of build-questions")
    try:
        found = pl.read_parquet_metadata(path).get("schema")
    except (pl.exceptions.PolarsError, OSError):
        found = None
    if version_of(found, "questions") is None:
        raise InputError(
            f"{path}: holds {found or 'an unknown table'}, expected {schema_mark('questions')}; give a table of "
            f"build-questions"
        )
    table = pl.scan_parquet(path, glob=False)
    splits = table.select(pl.col("split").unique()).collect()["split"]
    if splits.is_empty():
        raise InputError(f"{path}: holds no questions; build it again")
    if "test" in splits:
        raise InputError(
            f"{path}: holds questions on a user's texts, which stay private; give a table of build-questions"
        )
    return table
