"""Somebody else's data set of questions, of whatever layout: files in, pairs of question and answer out.

Only local files of data are read: no code, no pickle, no address. Messages name files, lines and columns, never a cell.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.delimited import read_delimited
from onkocode.catalogues.formats.encodings import BOM
from onkocode.datasets.columns import Layout, find_layout, is_turns, pairs_of
from onkocode.records.errors import InputError
from onkocode.text_tables import text_table

# In the order of preference where a directory holds several kinds.
KINDS = {".parquet": "parquet", ".arrow": "arrow", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}
KINDS |= {".json": "json"}
# What `datasets` and this project write beside the data.
NOT_DATA = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "provenance.json")
LFS_POINTER = b"version https://git-lfs"
PAIR = {"question": pl.String, "answer": pl.String}


@dataclass(frozen=True)
class Foreign:
    """Pairs (columns question and answer), how many rows had none, and where they stood."""

    pairs: pl.DataFrame
    without: int
    files: tuple[tuple[str, int], ...]  # name and number of pairs
    layout: str


def read_foreign(path: Path, question_column: str | None = None, answer_column: str | None = None) -> Foreign:
    """Read a file, or all files of one kind in a directory and its subdirectories.

    Parquet, Arrow (of `save_to_disk`), JSON (rows, or an object that holds them), JSON Lines, CSV and TSV are read.

    Raises:
        InputError: no such file, nothing to read, a broken file, or columns that cannot be recognised.
    """
    if (question_column is None) != (answer_column is None):
        raise InputError("--question-column and --answer-column belong together; name both")
    named = None if question_column is None or answer_column is None else (question_column, answer_column)
    parts, files, layouts, rows = [], [], [], 0
    for file in data_files(path):
        frame, layout = _read(file, named)
        pairs = pairs_of(frame, layout).select(pl.col(name).str.strip_chars() for name in PAIR)
        whole = pairs.filter((pl.col("question") != "") & (pl.col("answer") != ""))
        rows += pairs.height
        parts.append(whole)
        files.append((file.name if file == path else str(file.relative_to(path)), whole.height))
        layouts.append(str(layout))
    found = pl.concat(parts)
    if found.is_empty():
        raise InputError(f"{path}: holds no row with a question and an answer; check the file and its columns")
    return Foreign(found, rows - found.height, tuple(files), " and ".join(dict.fromkeys(layouts)))


def foreign_text(path: Path, foreign: Foreign) -> str:
    """Return what was read, for the terminal."""
    files = text_table(["file", "questions"], foreign.files)
    without = f"; {foreign.without:,} rows without question or answer are left out" if foreign.without else ""
    return f"{path}: {foreign.pairs.height:,} questions; columns: {foreign.layout}{without}\n\n{files}"


def data_files(path: Path) -> list[Path]:
    """Return the file itself, or a directory's files of the preferred kind that it holds.

    Raises:
        InputError: nothing there, or no file of a known kind.
    """
    if path.is_file():
        if path.suffix.lower() not in KINDS:
            raise InputError(f"{path}: unknown kind of file; it must be one of {', '.join(KINDS)}")
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or directory; data sets elsewhere must be downloaded first")
    inside = [file for file in sorted(path.rglob("*")) if file.is_file() and file.name not in NOT_DATA]
    visible = [file for file in inside if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    for kind in dict.fromkeys(KINDS.values()):
        chosen = [file for file in visible if KINDS.get(file.suffix.lower()) == kind]
        if chosen:
            return chosen
    raise InputError(f"{path}: holds no data file ({', '.join(KINDS)})")


def _read(path: Path, named: tuple[str, str] | None) -> tuple[pl.DataFrame, Layout]:
    """Return a frame with the columns that hold the pairs, as they stand in the file, and its layout."""
    kind = KINDS[path.suffix.lower()]
    if kind == "csv":
        return _read_csv(path, named)
    with path.open("rb") as stream:
        if stream.read(len(LFS_POINTER)) == LFS_POINTER:
            raise InputError(f"{path}: is a pointer of Git LFS, not the data; run `git lfs pull` or download it again")
    try:
        frame = _READERS[kind](path)
        layout = find_layout(path, frame.collect_schema(), named)
        return frame.select(layout.columns).collect(), layout
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        # What polars says can repeat a cell.
        where = _bad_place(path, kind)
        raise InputError(f"{path}: not a sound {kind} file{where}; download or write it again") from None


def _read_parquet(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False)


def _read_arrow(path: Path) -> pl.LazyFrame:
    return pl.read_ipc_stream(path.read_bytes()).lazy()


def _read_jsonl(path: Path) -> pl.LazyFrame:
    return pl.read_ndjson(io.BytesIO(_text_bytes(path)), infer_schema_length=None).lazy()


def _read_json(path: Path) -> pl.LazyFrame:
    """Return the rows of an array, or of an object that holds rows (`data`, or a key per split) or columns as lists."""
    frame = pl.read_json(io.BytesIO(_text_bytes(path)), infer_schema_length=None)
    if frame.height != 1:
        return frame.lazy()
    # A file with a single row must not be taken for an object that holds rows.
    rows = [name for name, dtype in frame.schema.items() if dtype == pl.List(pl.Struct) and not is_turns(dtype)]
    parts = [frame.select(pl.col(name).explode()).drop_nulls().unnest(name) for name in rows]
    columns = [name for name, dtype in frame.schema.items() if dtype == pl.List(pl.String)]
    if columns and not parts:
        return frame.select(columns).explode(columns).lazy()
    return (pl.concat(parts, how="diagonal_relaxed") if parts else frame).lazy()


def _text_bytes(path: Path) -> bytes:
    return path.read_bytes().removeprefix(BOM)


_READERS = {"parquet": _read_parquet, "arrow": _read_arrow, "jsonl": _read_jsonl, "json": _read_json}


def _bad_place(path: Path, kind: str) -> str:
    """Return where a JSON file goes wrong, if it can be told."""
    if kind not in ("json", "jsonl"):
        return ""
    try:
        text = _text_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        return " (not UTF-8)"
    lines = [(0, text)] if kind == "json" else _lines(text)
    for before, line in lines:
        try:
            json.loads(line)
        except json.JSONDecodeError as error:
            return f" (line {before + error.lineno}, column {error.colno}: {error.msg})"
    return " (its rows differ in shape)"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return ((before, line) for before, line in enumerate(text.split("\n")) if line.strip())


def _read_csv(path: Path, named: tuple[str, str] | None) -> tuple[pl.DataFrame, Layout]:
    header, rows = read_delimited(path)
    layout = find_layout(path, pl.Schema(dict.fromkeys(header, pl.String())), named, tell=False)
    places = [header.index(name) for name in layout.columns]
    cells: list[list[str]] = []
    for line, row in rows:
        if len(row) != len(header):
            raise InputError(f"{path}:{line}: {len(row)} fields instead of {len(header)}; write the file again")
        cells.append([row[place] for place in places])
    return pl.DataFrame(cells, schema=dict.fromkeys(layout.columns, pl.String), orient="row"), layout
