"""Writing and reading the tables that cross a boundary between stages.

What a table holds is declared in `records/tables` and checked before it is written. Every table file carries ``schema``
(name and version) in its Parquet metadata. Each table has a version of its own. A reader fills in the columns that an
older version lacks, with a default or where a null says truly that nothing is known, and refuses any other version
instead of guessing. What is read is not checked: the check of half a million questions takes longer than reading them,
and they were checked before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from onkocode.records.errors import InputError
from onkocode.records.files import new_file


@dataclass(frozen=True)
class Table:
    """The version of a table, and what older files of it may lack.

    Attributes:
        version: of the files that are written.
        oldest: the first version that is still read.
        since: column → version that brought it.
        defaults: column → value that files before that are read with; without one it is null.
    """

    version: int = 2  # 2: questions carry the text
    oldest: int = 2
    since: Mapping[str, int] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)

    def lacking(self, version: int) -> dict[str, object]:
        """Return the columns that files of a version do not have, with the values that they are read with."""
        return {column: self.defaults.get(column) for column, first in self.since.items() if version < first}


TABLES: dict[str, Table] = {
    "entries": Table(version=3, since={"morphology": 3}),
    "codes": Table(),
    "crosswalk": Table(),
    "questions": Table(version=3, since={"flags": 3, "rules": 3}),
    "predictions": Table(version=3, since={"truncated": 3}),
    "answers": Table(),
    "judged": Table(
        version=5,
        since={"cut": 3}
        | dict.fromkeys(("kind", "strict_valid", "strict_exact", "strict_partial"), 4)
        | dict.fromkeys(("single", "admissible", "batch", "truncated", "thought"), 5)
        | dict.fromkeys(("score", "score_total", "right_rank"), 5),
    ),
    "metrics": Table(),
    "comparisons": Table(),
    "certainty": Table(),
    "leakage": Table(),
}


def schema_mark(table: str) -> str:
    """Return what a file of a table carries as ``schema``."""
    return f"{table}-{TABLES[table].version}"


def columns_of(table: str) -> dict[str, pl.DataType]:
    """Return the columns of a table with their types, in order."""
    from onkocode.records.tables import SCHEMAS  # slow to import

    return {name: column.dtype for name, column in SCHEMAS[table].columns().items()}


def empty_table(table: str) -> pl.DataFrame:
    """Return the table without rows."""
    return pl.DataFrame(schema=columns_of(table))


def write_table(frame: pl.DataFrame, table: str, path: Path) -> None:
    """Write a table with exactly its columns and types, atomically.

    Raises:
        ContractError: the table is not what is declared of it.
    """
    from onkocode.records.contracts import checked

    whole = checked(frame, table)
    with new_file(path) as temporary:
        whole.write_parquet(temporary, metadata={"schema": schema_mark(table)})


def write_frames(frames: Iterable[pl.DataFrame], table: str, path: Path) -> None:
    """Write frames one after the other as one table, while the next one is made; not atomic, so give a temporary path.

    Raises:
        ContractError: the table is not what is declared of it.
        Exception: whatever the making of a frame raised.
    """
    from onkocode.records.contracts import checked_frames

    raised: list[Exception] = []

    def source(*_: object) -> Iterator[pl.DataFrame]:
        try:
            yield from checked_frames(frames, table)
        except Exception as error:  # polars would turn it into an error of its own
            raised.append(error)
            raise

    try:
        table_file = register_io_source(source, schema=columns_of(table))
        table_file.sink_parquet(path, metadata={"schema": schema_mark(table)})
    except pl.exceptions.PolarsError:
        if raised:
            raise raised[0] from None
        raise


def read_table(path: Path, table: str) -> pl.DataFrame:
    """Read a table that `write_table` wrote, of this version or an older one that is still read.

    Raises:
        InputError: another table, or a version that is not read.
    """
    try:
        found = pl.read_parquet_metadata(path).get("schema")
        frame = pl.read_parquet(path, glob=False)  # a name with brackets is no pattern
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: not a readable table ({error}); remove it and run again") from error
    version = version_of(found, table)
    if version is None:
        raise InputError(
            f"{path}: holds {found or 'an unknown table'}, expected {schema_mark(table)}; remove it and run again"
        )
    lacking = TABLES[table].lacking(version)
    return _completed(frame, table, lacking) if lacking else frame


def version_of(mark: str | None, table: str) -> int | None:
    """Return the version in a file's ``schema``; None where it is another table, or a version that is not read."""
    name, _, version = (mark or "").rpartition("-")
    if name != table or not version.isdecimal():
        return None
    return int(version) if TABLES[table].oldest <= int(version) <= TABLES[table].version else None


def _completed(frame: pl.DataFrame, table: str, lacking: Mapping[str, object]) -> pl.DataFrame:
    columns = columns_of(table)
    filled = frame.with_columns(pl.lit(value, columns[name]).alias(name) for name, value in lacking.items())
    return filled.select(list(columns))
