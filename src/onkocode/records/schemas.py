"""Columns and types of the tables that cross a boundary between stages.

Every table file carries ``schema`` (name and version) in its Parquet metadata. Each table has a version of its own. A
reader fills in the columns that an older version lacks, where a null says truly that nothing is known, and refuses any
other version instead of guessing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from onkocode.records.errors import InputError
from onkocode.records.files import new_file

ENTRIES = {
    "entry_id": pl.String,  # stable, e.g. alphaid-2024:I105731
    "dataset": pl.String,  # catalogue or key of the user's test set
    "version": pl.String,
    "kind": pl.String,  # diagnosis | topography | morphology | procedure | text
    "code": pl.String,  # null where the source row carries none
    "topography": pl.String,  # users' texts only: second code of the same text, if known
    "morphology": pl.String,  # users' texts only: third code of the same text, if known
    "accepted": pl.List(pl.String),  # further codes that count as right
    "text": pl.String,
    "text_key": pl.String,
    "cluster": pl.String,  # patient or case of a user's text; entry_id where unknown
    "flags": pl.List(pl.String),
}
CODES = {
    "code": pl.String,
    "system": pl.String,  # icd10gm | topography | morphology | ops
    "title": pl.String,
    "terminal": pl.Boolean,
    "chapter": pl.String,
    "group": pl.String,
    "category": pl.String,  # ICD and topography: three characters; morphology: four digits; OPS: three-character class
    "behaviour": pl.String,  # malignant | in-situ | benign | uncertain; null outside tumours
    "tumour": pl.Boolean,
}
TRANSITIONS = {  # never written
    "old": pl.String,  # terminal code of the earlier version; null = none
    "new": pl.String,  # terminal code of the later version; null = none
    "forward": pl.Boolean,  # old → new may be done without looking at the case
    "backward": pl.Boolean,  # new → old may be done without looking at the case
}
CROSSWALK = {
    "rule": pl.Int64,  # line of the file, 1 = first rule
    "topography": pl.String,  # regular expression that a topography code must match in full
    "first": pl.Int64,  # morphology without behaviour, e.g. 8000; one row per range of a rule
    "last": pl.Int64,  # inclusive
    "behaviour": pl.String,  # digit after the slash
    "default": pl.Boolean,
    "icd10": pl.String,
    "title": pl.String,
}
QUESTIONS = {
    "question_id": pl.String,  # entry_id/block/formulation_id
    "entry_id": pl.String,
    "cluster": pl.String,
    "block": pl.String,
    "formulation_id": pl.String,
    "task": pl.String,
    "question": pl.String,
    "text": pl.String,  # the label or text that is asked about
    "answer": pl.String,
    "code": pl.String,  # expected code; null for yes/no
    "accepted": pl.List(pl.String),
    "split": pl.String,  # train | heldout_formulation | heldout_label | heldout_negative | test
    "origin_id": pl.String,  # entry that an augmented row comes from; entry_id otherwise
}
PREDICTIONS = {
    "model": pl.String,
    "epoch": pl.Int64,
    "condition": pl.String,  # free | thinking
    "dataset": pl.String,
    "question_id": pl.String,
    "rank": pl.Int64,  # 1 = first choice
    "answer": pl.String,  # raw; may repeat a user's text
    "score": pl.Float64,  # null where the coder gives none
    "tokens": pl.Int64,  # generated
    "seconds": pl.Float64,  # the batch's seconds divided by its questions
    "batch": pl.Int64,
}
ANSWERS = {
    "key": pl.String,  # hash of model, decoding and prompt; see coders.answers
    "rank": pl.Int64,
    "answer": pl.String,  # raw; may repeat a user's text
    "score": pl.Float64,
    "tokens": pl.Int64,
    "seconds": pl.Float64,
    "batch": pl.Int64,
}
JUDGED = {
    "model": pl.String,
    "epoch": pl.Int64,
    "condition": pl.String,
    "dataset": pl.String,
    "question_id": pl.String,
    "entry_id": pl.String,
    "cluster": pl.String,
    "task": pl.String,
    "formulation_id": pl.String,
    "split": pl.String,
    "expected": pl.String,
    "predicted": pl.String,  # null = no answer of the asked form could be read
    "valid": pl.Boolean,
    "exact": pl.Boolean,
    "partial": pl.Boolean,
    "exists": pl.Boolean,  # null where invalid or yes/no
    "terminal": pl.Boolean,
    "several": pl.Boolean,  # several different answers; the first counts
    "cut": pl.Boolean,  # invalid, since a thought does not end, as where the limit on tokens cut it
    "tokens": pl.Int64,
    "seconds": pl.Float64,
}
METRICS = {
    "model": pl.String,
    "epoch": pl.Int64,
    "condition": pl.String,
    "dataset": pl.String,
    "task": pl.String,
    "stratum": pl.String,  # all, or a split
    "metric": pl.String,
    "denominator": pl.String,  # valid | all
    "k": pl.Float64,
    "n": pl.Int64,
    "clusters": pl.Int64,
    "value": pl.Float64,  # a rate in 0…1, a difference of rates, or seconds
    "low": pl.Float64,
    "high": pl.Float64,
    "method": pl.String,  # clopper-pearson | cluster-bootstrap
}
LEAKAGE = {
    "test_set": pl.String,  # key of the user's test set, or heldout_label, heldout_negative
    "test_id": pl.String,  # entry
    "training_id": pl.String,  # entry
    "kind": pl.String,  # exact | normalised | near
    "similarity": pl.Float64,  # 0…100
    "code_agreement": pl.String,  # same | category | other | unknown
}


@dataclass(frozen=True)
class Table:
    """A table: its columns and types, its version, and what older files of it may lack.

    Attributes:
        columns: name → type, in order.
        version: of the files that are written.
        oldest: the first version that is still read.
        since: column → version that brought it; files before that are read with nulls there.
    """

    columns: Mapping[str, object]
    version: int = 2  # 2: questions carry the text
    oldest: int = 2
    since: Mapping[str, int] = field(default_factory=dict)

    def lacking(self, version: int) -> list[str]:
        """Return the columns that files of a version do not have."""
        return [column for column, first in self.since.items() if version < first]


TABLES: dict[str, Table] = {
    "entries": Table(ENTRIES, version=3, since={"morphology": 3}),
    "codes": Table(CODES),
    "crosswalk": Table(CROSSWALK),
    "questions": Table(QUESTIONS),
    "predictions": Table(PREDICTIONS),
    "answers": Table(ANSWERS),
    "judged": Table(JUDGED, version=3, since={"cut": 3}),
    "metrics": Table(METRICS),
    "leakage": Table(LEAKAGE),
}


def schema_mark(table: str) -> str:
    """Return what a file of a table carries as ``schema``."""
    return f"{table}-{TABLES[table].version}"


def write_table(frame: pl.DataFrame, table: str, path: Path) -> None:
    """Write a table with exactly its columns and types, atomically; raises ValueError on a missing column."""
    schema = TABLES[table].columns
    missing = [column for column in schema if column not in frame.columns]
    if missing:
        raise ValueError(f"table {table} lacks columns {missing}")
    with new_file(path) as temporary:
        frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).write_parquet(  # type: ignore[arg-type]
            temporary, metadata={"schema": schema_mark(table)}
        )


def write_frames(frames: Iterable[pl.DataFrame], table: str, path: Path) -> None:
    """Write frames one after the other as one table, while the next one is made; not atomic, so give a temporary path.

    Raises:
        Exception: whatever the making of a frame raised.
    """
    schema = TABLES[table].columns
    raised: list[Exception] = []

    def source(*_: object) -> Iterator[pl.DataFrame]:
        try:
            for frame in frames:
                yield frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())  # type: ignore[arg-type]
        except Exception as error:  # polars would turn it into an error of its own
            raised.append(error)
            raise

    try:
        register_io_source(source, schema=schema).sink_parquet(path, metadata={"schema": schema_mark(table)})  # type: ignore[arg-type]
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
    columns = TABLES[table].columns
    lacking = TABLES[table].lacking(version)
    return frame.with_columns(pl.lit(None, columns[name]).alias(name) for name in lacking).select(list(columns))  # type: ignore[arg-type]


def version_of(mark: str | None, table: str) -> int | None:
    """Return the version in a file's ``schema``; None where it is another table, or a version that is not read."""
    name, _, version = (mark or "").rpartition("-")
    if name != table or not version.isdecimal():
        return None
    return int(version) if TABLES[table].oldest <= int(version) <= TABLES[table].version else None


def empty_table(table: str) -> pl.DataFrame:
    """Return the table without rows."""
    return pl.DataFrame(schema=TABLES[table].columns)  # type: ignore[arg-type]
