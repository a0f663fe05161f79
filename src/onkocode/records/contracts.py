"""Checks of tables against what is declared of them in `records/tables`, before they are written.

Messages name table, column, rule and the number of rows, never a value: it may be a patient's text.
"""

from collections.abc import Iterable, Iterator, Mapping

import dataframely as dy
import polars as pl

from onkocode.records.tables import SCHEMAS


class ContractError(ValueError):
    """A table is not what its declaration says: a fault of what made it."""

    def __init__(self, table: str, broken: Mapping[str, str]) -> None:
        parts = "; ".join(f"{where}: {what}" for where, what in broken.items())
        super().__init__(f"table {table} is not what it must be: {parts}")


def checked(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """Return a table with exactly its columns and types, in which everything holds that is declared.

    Raises:
        ContractError: a column is missing or of another type, or a rule is broken.
    """
    schema = SCHEMAS[table]
    typed = _typed(frame, schema, table)
    if schema.is_valid(typed):
        return typed
    failures = schema.filter(typed).failure.counts()
    raise ContractError(table, {_place(rule, schema): f"{count} rows" for rule, count in failures.items()})


def checked_frames(frames: Iterable[pl.DataFrame], table: str) -> Iterator[pl.DataFrame]:
    """Yield frames that make up one table, each checked like a table, and their keys checked against each other.

    Keys are compared by 64-bit hashes, which two of a million different keys share with a chance of 3 in 10⁸.

    Raises:
        ContractError: as `checked`; a key that stands in two frames is told after the last one.
    """
    keys = SCHEMAS[table].primary_key()
    hashes = [pl.Series(dtype=pl.UInt64)]
    for frame in frames:
        whole = checked(frame, table)
        if keys:
            hashes.append(whole.select(keys).hash_rows())
        yield whole
    twice = int(pl.concat(hashes).is_duplicated().sum())
    if twice:
        raise ContractError(table, {f"{', '.join(keys)}: stands once": f"{twice} rows"})


def _typed(frame: pl.DataFrame, schema: type[dy.Schema], table: str) -> pl.DataFrame:
    missing = [name for name in schema.column_names() if name not in frame.columns]
    if missing:
        raise ContractError(table, {"lacks columns": ", ".join(missing)})
    return pl.DataFrame([_cast(frame[name], column.dtype, table) for name, column in schema.columns().items()])


def _cast(column: pl.Series, dtype: pl.DataType, table: str) -> pl.Series:
    try:
        return column.cast(dtype)
    except pl.exceptions.PolarsError:
        lost = column.cast(dtype, strict=False).null_count() - column.null_count()
    raise ContractError(table, {f"{column.name}: {dtype}": f"{lost} rows"})


def _place(rule: str, schema: type[dy.Schema]) -> str:
    """Return the column and the rule that dataframely's name of a rule stands for."""
    if rule == "primary_key":
        return f"{', '.join(schema.primary_key())}: stands once"
    column, _, name = rule.rpartition("|")
    name = name.removeprefix("check__").replace("_", " ").replace("nullability", "no null")
    return f"{column}: {name}" if column else name
