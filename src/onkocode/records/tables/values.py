"""What a column may hold."""

from collections.abc import Callable

import polars as pl

from onkocode.records.splits import SPLITS

Check = dict[str, Callable[[pl.Expr], pl.Expr]]


def one_of(*values: str) -> Check:
    """Allow these values."""
    return {"one_of": lambda column: column.is_in(values)}


CONDITIONS = one_of("free", "thinking", "swapped", "single", "constrained")
SPLIT = one_of(*SPLITS)
TASK = r"^[a-z0-9-]+$"  # no list: which tasks are asked is no matter of the tables
