"""What is known of jobs while they run and after: files of the study, records of jobs, and the queue of SLURM."""

import getpass
import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from onkocode.cluster import slurm
from onkocode.cluster.expected import Job
from onkocode.cluster.running import Run, current_run
from onkocode.cluster.slurm import ENDED, WAITING, SlurmError
from onkocode.cluster.submission import key_of, keys_in

PATIENCE = 10.0  # seconds that SLURM has to answer
SILENCE = 120.0  # seconds without a sign of life after which a job counts as dead; there is one every 20 s
FIELDS = "--format=%i|%T|%r|%N|%S|%M|%j|%k"  # the comment last: it may hold the separator


@dataclass(frozen=True)
class Queued:
    """A job as squeue shows it.

    `starts` is when SLURM thinks it will start, empty = it does not say; `used` is how long it has run; `place` counts
    the waiting jobs of this user in order of priority, from 1.
    """

    id: str
    state: str
    reason: str
    node: str
    starts: str
    used: str
    name: str
    comment: str
    place: int = 0

    @property
    def waits(self) -> bool:
        """Tell whether it is in the queue and does not run."""
        return self.state in WAITING

    @property
    def alive(self) -> bool:
        """Tell whether it waits or runs."""
        return self.state not in ENDED


@dataclass(frozen=True)
class Start:
    """What a start of a SLURM job wrote about itself, and the time of that; `codes` are the exit codes of its steps."""

    id: str
    status: str
    codes: tuple[int, ...]
    message: str
    node: str
    when: float


@dataclass(frozen=True)
class Progress:
    """How far a running job is. What it does not say, or says in another way, is None; times are in seconds."""

    done: int
    total: int
    unit: str = ""
    loss: float | None = None
    left_seconds: float | None = None
    silent_seconds: float | None = None  # since it said so last

    @property
    def percent(self) -> int | None:
        """The share that is done, rounded down."""
        return min(100, 100 * self.done // self.total) if self.total > 0 else None


class Tree:
    """Which files there are. A folder is listed once, which is quicker on shared file systems than to ask for each."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str] | None] = {}

    def has(self, path: str) -> bool:
        """Tell whether there is something at a path."""
        folder, name = os.path.split(path)
        names = self.names(folder)
        return os.path.exists(path) if names is None else name in names  # noqa: PTH110

    def names(self, folder: str, above: int = 2) -> frozenset[str] | None:
        """Return what lies in a folder; None where it may not be listed.

        Those so far above it are listed first: one listing tells of many folders that they are not there.
        """
        if folder not in self._names:
            parent, name = os.path.split(folder)
            around = self.names(parent, above - 1) if parent and above else None
            self._names[folder] = frozenset() if around is not None and name not in around else _listed(folder)
        return self._names[folder]


def _listed(folder: str) -> frozenset[str] | None:
    try:
        return frozenset(os.listdir(folder or "."))  # noqa: PTH208
    except PermissionError:
        return None
    except OSError:
        return frozenset()


@dataclass
class Sources:
    """All of it, as of now. `folder` is where Snakemake is started, `logs` the folder of logs."""

    folder: Path
    logs: str
    now: float = field(default_factory=time.time)
    tree: Tree = field(default_factory=Tree)
    trouble: str = ""  # why SLURM says nothing, where it should

    @cached_property
    def run(self) -> Run | None:
        """The Snakemake that runs here; None = none does."""
        return current_run()

    @property
    def started(self) -> float | None:
        """When the Snakemake that runs here was started; None = none does."""
        return None if self.run is None else self.run.since

    @cached_property
    def queue(self) -> dict[str, Queued]:
        """The jobs of this user in SLURM by key, and those without keys by name; living ones come before others."""
        found: dict[str, Queued] = {}
        for row in sorted(self._rows(), key=lambda row: (row.alive, _number(row.id))):
            for key in keys_in(row.comment) or [row.name]:
                found[key] = row
        return found

    def _rows(self) -> list[Queued]:
        if shutil.which("squeue") is None:
            return []
        command = ["squeue", "--noheader", "--states=all", "--all", "--sort=-p,i", f"--user={_user()}", FIELDS]
        try:
            text = slurm.run(command, seconds=PATIENCE)
        except SlurmError as error:
            self.trouble = str(error).splitlines()[0].removeprefix("squeue: error: ")
            return []
        rows = [line.split("|", 7) for line in text.splitlines() if line.count("|") >= 7]
        return list(_with_places(map(_queued, rows)))

    @cached_property
    def starts(self) -> dict[str, Start]:
        """The last start of each SLURM job that has a record, by key and by name."""
        entries = [entry for folder in self._slurm_folders for entry in _entries(folder / "jobs")]
        files = [Path(entry.path) for entry in entries if entry.name.endswith(".json")]
        files.sort(key=lambda file: (_number(file.stem), _number(file.stem.rpartition("-")[2])))
        # The later sign of life counts: a SLURM that was set up anew numbers its jobs from 1 again.
        return dict(sorted((pair for file in files for pair in _starts_in(file)), key=lambda pair: pair[1].when))

    def row(self, job: Job) -> Queued | None:
        """Return a job in SLURM: by its key, or by its name where SLURM keeps no comment."""
        if not self.queue:
            return None
        return self.queue.get(key_of(job.outputs, self.folder)) or self.queue.get(job.name)

    def start(self, job: Job) -> Start | None:
        """Return the last start of a job in SLURM."""
        if not self.starts:
            return None
        return self.starts.get(key_of(job.outputs, self.folder)) or self.starts.get(job.name)

    def slurm_log(self, job: Job, number: str) -> str:
        """Return the log of a SLURM job; empty where there is none."""
        for folder in self._slurm_folders:
            found = next((folder / f"rule_{job.rule}").glob(f"*/{number}.log"), None)
            if found is not None:
                return str(found)
        return ""

    @property
    def _slurm_folders(self) -> list[Path]:
        return list(dict.fromkeys([Path("logs/slurm"), Path(self.logs) / "slurm"]))

    def age(self, path: str) -> float | None:
        """Return the seconds since a file was changed; None = there is none."""
        with suppress(OSError):
            return self.now - Path(path).stat().st_mtime
        return None

    def progress(self, scratch: str) -> Progress | None:
        """Return how far the job is that has a scratch folder; None where it does not say, or not in this way."""
        said = read_json(Path(scratch) / "progress.json")
        done, total = (_plain_number(said.get(name)) for name in ("done", "total"))
        if done is None or total is None:
            return None
        silent = self._since(said.get("updated"), f"{scratch}/progress.json")
        left = _plain_number(said.get("left_seconds"))
        left = None if left is None else max(0.0, left - (silent or 0.0))
        unit = said.get("unit")
        loss = _plain_number(said.get("loss"), negative=True)
        return Progress(int(done), int(total), unit if isinstance(unit, str) else "", loss, left, silent)

    def _since(self, updated: object, file: str) -> float | None:
        then = _plain_number(updated)
        if isinstance(updated, str):
            with suppress(ValueError):
                moment = datetime.fromisoformat(updated)
                then = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return self.age(file) if then is None else max(0.0, self.now - then)


def read_json(file: Path) -> dict[str, Any]:
    """Return what a file holds; empty where it is missing, half-written or of another kind."""
    with suppress(OSError, ValueError):
        found = json.loads(file.read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def _plain_number(value: object, negative: bool = False) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if negative or value >= 0 else None


def _queued(row: list[str]) -> Queued:
    """Return a row with the state alone, and nothing where SLURM says that there is nothing."""
    id_, state, *others = ("" if value.strip() in ("None", "N/A", "(null)") else value.strip() for value in row)
    reason, node, starts, used, name, comment = others
    return Queued(id_, state.split()[0].rstrip("+") if state else "", reason, node, starts, used, name, comment)


def _with_places(rows: Iterable[Queued]) -> Iterator[Queued]:
    place = 0
    for row in rows:
        place += row.state == "PENDING"
        yield replace(row, place=place if row.state == "PENDING" else 0)


def _starts_in(file: Path) -> Iterator[tuple[str, Start]]:
    said = read_json(file)
    names, keys, codes = (_list(said, name) for name in ("names", "keys", "codes"))
    status, message, node = (str(said.get(name, "")) for name in ("status", "message", "node"))
    with suppress(OSError, TypeError, ValueError):
        numbers, when = tuple(int(code) for code in codes), file.stat().st_mtime
        # The jobs of a group run one after the other: each has a code of its own, those behind have none yet.
        for place, name in [*enumerate(keys), *enumerate(names)]:
            own = numbers[place : place + 1]
            yield str(name), Start(file.stem.rpartition("-")[0], status, own, message, node, when)


def _list(said: dict[str, Any], name: str) -> list[Any]:
    found = said.get(name)
    return found if isinstance(found, list) else []


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    with suppress(OSError):
        return list(os.scandir(folder))
    return []


def _number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return str(os.getuid())
