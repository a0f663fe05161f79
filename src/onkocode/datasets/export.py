"""A table of questions as a data set that `datasets.load_dataset` reads: Parquet files per split, in flat memory."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from onkocode.questions.build import HASHED, canonical_rows
from onkocode.records.errors import InputError
from onkocode.records.splits import SPLITS

COLUMNS = ("question_id", "block", "task", "formulation_id", "text", "question", "answer", "code", "origin_id")
LARGEST_FILE = 500_000_000  # bytes before compression, so that the files are smaller
ROW_GROUP = 50_000
VERB = "questions export"


@dataclass(frozen=True)
class Split:
    """A written split: its name, its files in order, and the number of its questions."""

    name: str
    files: tuple[Path, ...]
    questions: int


def write_splits(table: pl.LazyFrame, folder: Path, system_prompt: str | None = None) -> list[Split]:
    """Write the questions of each split as `<split>-00000-of-0000N.parquet`, in the order of the table.

    Args:
        table: questions (schema Questions).
        folder: directory of the files.
        system_prompt: text of a first message before every question; None = no such message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = [pl.col(name).str.len_bytes().fill_null(0) for name in COLUMNS]
    repeated = pl.col("question").str.len_bytes() + pl.col("answer").str.len_bytes()
    size = pl.sum_horizontal(*content) + repeated + 50 + len((system_prompt or "").encode())
    sizes = table.group_by("split").agg(rows=pl.len(), bytes=size.sum()).collect()
    held = {split: (rows, taken) for split, rows, taken in sizes.iter_rows()}
    return [_write_split(table, folder, name, *held[name], system_prompt) for name in sorted(held, key=SPLITS.index)]


def written_hash(splits: Sequence[Split]) -> str:
    """Return the SHA-256 over canonical rows in id order, read back from the files; see `build.canonical_rows`."""
    frames = [
        pl.scan_parquet(list(split.files), glob=False).with_columns(split=pl.lit(split.name)).select(HASHED)
        for split in splits
    ]
    merged = frames[0]
    for frame in frames[1:]:
        merged = merged.merge_sorted(frame, key="question_id")
    sha = hashlib.sha256()
    for batch in merged.collect_batches(maintain_order=True):
        sha.update(canonical_rows(batch))
    return sha.hexdigest()


def check_written(path: Path, splits: Sequence[Split], recorded: str | None) -> str:
    """Return the hash of what was written.

    Args:
        path: the table of questions, for messages.
        splits: what was written.
        recorded: the table's hash as its provenance has it, if there is one.

    Raises:
        InputError: what was written is not what was recorded.
    """
    sha256 = written_hash(splits)
    if recorded is not None and sha256 != recorded:
        raise InputError(
            f"{path}: its questions have the hash {sha256[:12]}…, its provenance says {recorded[:12]}…; the table was "
            f"changed after it was built, so build it again"
        )
    return sha256


def block_counts(splits: Sequence[Split]) -> pl.DataFrame:
    """Return the written questions per block and split: columns block, split, questions, rewritten (of these)."""
    rewritten = ~pl.col("question_id").str.starts_with(pl.col("origin_id") + "/")
    parts = [
        pl.scan_parquet(list(split.files), glob=False)
        .group_by("block")
        .agg(questions=pl.len(), rewritten=rewritten.sum())
        .select("block", "questions", "rewritten", split=pl.lit(split.name))
        for split in splits
    ]
    return pl.concat(parts).collect()


def _write_split(
    table: pl.LazyFrame, folder: Path, name: str, rows: int, taken: int, system_prompt: str | None
) -> Split:
    count = math.ceil(taken / LARGEST_FILE)
    each = math.ceil(rows / count)
    files = [folder / f"{name}-{number:05d}-of-{count:05d}.parquet" for number in range(count)]
    questions = table.filter(pl.col("split") == name).select(*COLUMNS, messages=_messages(system_prompt))
    for number, file in enumerate(files):
        questions.slice(number * each, each).sink_parquet(file, row_group_size=ROW_GROUP)
    return Split(name, tuple(files), rows)


def _messages(system_prompt: str | None) -> pl.Expr:
    turns = {"user": pl.col("question"), "assistant": pl.col("answer")}
    if system_prompt is not None:
        turns = {"system": pl.lit(system_prompt)} | turns
    return pl.concat_list(pl.struct(role=pl.lit(role), content=content) for role, content in turns.items())
