"""The Snakemake that runs in a working directory: its locks, and the process that it says it is."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from onkocode.records.files import write_text
from onkocode.records.ownership import Owner, is_alive, read_owner, this_process

LOCKS = Path(".snakemake/locks")
NOTE = Path(".snakemake/onkocode.json")


@dataclass(frozen=True)
class Run:
    """A Snakemake that runs: since when, in seconds since 1970.

    `seen` tells that its process was seen alive. One of another machine, or that said nothing, may have been killed.
    """

    since: float
    seen: bool


def note_start() -> None:
    """Write down which process this Snakemake is; it has locked the working directory."""
    with suppress(OSError):  # a full or closed folder is told of by what needs it
        write_text(NOTE, json.dumps(asdict(this_process())))


def current_run() -> Run | None:
    """Return the Snakemake that runs in the working directory; None where none does.

    One that was killed leaves its locks: it runs no longer where its process is known, of this machine, and gone.
    """
    try:
        since = min(entry.stat().st_mtime for entry in os.scandir(LOCKS))
    except (OSError, ValueError):
        return None
    owner = _noted(since)
    alive = None if owner is None else is_alive(owner)
    return None if alive is False else Run(since, seen=alive is True)


def _noted(since: float) -> Owner | None:
    """Return the process that was noted since a time: an older note is of an earlier Snakemake."""
    with suppress(OSError):
        return read_owner(NOTE) if NOTE.stat().st_mtime >= since else None
    return None
