"""Logs of training: the rows of finished epochs, and those of attempts that failed."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.records.errors import InputError

TRAINING = {
    "model": pl.String,
    "job_epoch": pl.Int64,  # n of the folder epoch-<n>
    "step": pl.Int64,
    "epoch": pl.Float64,
    "loss": pl.Float64,
    "grad_norm": pl.Float64,
    "learning_rate": pl.Float64,
    "tokens": pl.Int64,
    "seconds": pl.Float64,
    "peak_memory_mb": pl.Float64,
}
FAILED = {
    "model": pl.String,
    "job_epoch": pl.Int64,
    "attempt": pl.Int64,
    "step": pl.Int64,
    "epoch": pl.Float64,
    "loss": pl.Float64,
}


def read_training(paths: Sequence[Path]) -> pl.DataFrame:
    """Read ``<model>/epoch-<n>/metrics.jsonl`` files, with all rows in the order in which they were logged.

    A half-written last line is left out. Columns as in `TRAINING`; a key that a row lacks is null.

    Raises:
        InputError: a path does not lie in ``<model>/epoch-<n>/``, or a line is not JSON.
    """
    rows = [row for path in paths for row in _read_training_file(path)]
    return pl.DataFrame(rows, schema=TRAINING)


def read_failed(paths: Sequence[Path]) -> pl.DataFrame:
    """Read ``<model>/epoch-<n>/attempts.jsonl`` files: the loss of failed attempts, as far as it was gone over again.

    Returns:
        Columns as in `FAILED`. An attempt that had logged nothing has no row.

    Raises:
        InputError: a file cannot be read.
    """
    rows = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            attempts = [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a record of attempts ({error}); train that epoch again") from error
        for number, attempt in enumerate(attempts, 1):
            rows += [(path.parent.parent.name, attempt["epoch"], number, *row) for row in attempt["losses"]]
    return pl.DataFrame(rows, schema=FAILED, orient="row")


def _read_training_file(path: Path) -> list[dict[str, Any]]:
    folder = re.fullmatch(r"epoch-(\d+)", path.parent.name)
    if folder is None:
        raise InputError(f"{path}: does not lie in <model>/epoch-<n>/")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error})") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break  # the job was stopped while it wrote
            raise InputError(f"{path}, line {number}: not JSON ({error})") from error
        rows.append(_training_row(row) | {"model": path.parent.parent.name, "job_epoch": int(folder[1])})
    return rows


def _training_row(row: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {name: row.get(name) for name in TRAINING}
    for name, dtype in TRAINING.items():
        if known[name] is not None and dtype == pl.Float64:
            known[name] = float(known[name])
        elif isinstance(known[name], float) and dtype == pl.Int64:
            known[name] = int(known[name]) if math.isfinite(known[name]) else None
    return known
