"""The end of a log as a person wants to see it: a log of a long job is mostly progress bars, and may be huge."""

import os
import re
from itertools import islice
from pathlib import Path

WINDOW = 16  # times the bytes that are shown are read: bars take most of them
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
CUT = " [...]"


def last_lines(file: Path, lines: int = 20, bytes: int = 4000) -> list[str]:
    """Return the last lines of a log that hold something.

    Of a line that was written over again and again (a progress bar) the last state is shown. What would steer a
    terminal is left out, and letters that are no UTF-8 become U+FFFD.

    Args:
        file: the log; one that is missing or cannot be read has no lines.
        lines: how many at most.
        bytes: of all of them together at most, as UTF-8. The oldest lines give way; the last one is cut at its end.
    """
    try:
        data, whole = _end_of(file, WINDOW * bytes)
    except OSError:
        return []
    rows = data.decode("utf-8", errors="replace").split("\n")
    if not whole and len(rows) > 1:
        rows = rows[1:]  # the first one has lost its beginning
    shown = (row for row in map(_last_state, reversed(rows)) if row)
    return _within(list(islice(shown, max(0, lines))), bytes)


def _end_of(file: Path, size: int) -> tuple[bytes, bool]:
    """Return the last bytes of a file, and whether that is all of it."""
    with file.open("rb") as stream:
        there = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, there - size))
        return stream.read(size), there <= size


def _last_state(row: str) -> str:
    states = [CONTROL.sub("", state).rstrip() for state in row.split("\r")]
    return next((state for state in reversed(states) if state.strip()), "")


def _within(rows: list[str], size: int) -> list[str]:
    """Return rows in order that come from the last one to the first, as many as a size holds."""
    found: list[str] = []
    for row in rows:
        size -= len(row.encode()) + 1
        if size < 0:
            return found[::-1] or [_cut(row, size + len(row.encode()) + 1)]
        found.append(row)
    return found[::-1]


def _cut(row: str, size: int) -> str:
    return row.encode()[: max(0, size - len(CUT))].decode(errors="ignore") + CUT
