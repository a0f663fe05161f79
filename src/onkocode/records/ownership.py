"""One owner at a time: a mark in the folders that a job writes to, with its job id, its node and signs of life.

A second copy of a job (after a node came back, or by a second start of the workflow) finds the mark and leaves all as
it is. The mark of a process that died counts no longer: at once on the same machine, after two minutes on others.
"""

import json
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from onkocode.records.errors import StoppedError
from onkocode.records.files import is_disk_full
from onkocode.records.private import make_folder

MARK = "owner.json"
BEAT, SILENCE = 20.0, 120.0  # seconds between two signs of life, and of silence after which an owner counts as dead
VARIABLE = "ONKOCODE_OWNER"  # hands the token of a job's mark down to the processes that it starts
SETTLED = 0.2  # seconds after which two that took a dead owner's place at once both see who of them has it


@dataclass(frozen=True)
class Owner:
    """Who writes to a folder.

    `job` is the SLURM job, "" outside of SLURM; `node` is SLURM's name of the machine `host`; `started` tells a process
    from a later one of the same number.
    """

    token: str
    job: str
    node: str
    host: str
    pid: int
    started: int

    def __str__(self) -> str:
        what = f"SLURM job {self.job}" if self.job else f"process {self.pid}"
        return f"{what} on node {self.node}"


class OwnedError(StoppedError):
    """Somebody else writes to a folder; nothing was touched."""

    def __init__(self, folder: Path, owner: Owner) -> None:
        super().__init__(
            f"{folder}: {owner} works at this already; nothing was changed. Wait for it, or end it "
            f"({f'scancel {owner.job}' if owner.job else f'kill {owner.pid}'}) and start this again"
        )
        self.owner = owner


class LostError(StoppedError):
    """Somebody else took over what this job worked at, while it was taken for dead."""


def this_process(token: str | None = None) -> Owner:
    """Return this process as an owner."""
    pid, host = os.getpid(), socket.gethostname()
    job, node = os.environ.get("SLURM_JOB_ID", ""), os.environ.get("SLURMD_NODENAME", host)
    return Owner(token or uuid.uuid4().hex, job, node, host, pid, _started(pid) or 0)


def living(folder: Path, now: float | None = None) -> Owner | None:
    """Return who writes to a folder; None when nobody does, or when who did is dead.

    Args:
        folder: the folder.
        now: time in seconds that signs of life are compared with, for who only looks; None = the clock of the file
            system, which is asked by writing to the folder.
    """
    owner = read_mark(folder)
    if owner is None:
        return None
    alive = is_alive(owner)
    if alive is None:
        alive = (_age(folder / MARK) if now is None else _age_at(folder / MARK, now)) < SILENCE
    return owner if alive else None


def is_alive(owner: Owner) -> bool | None:
    """Tell whether a process of this machine lives; None when it is of another one."""
    here = this_process()
    if (owner.node, owner.host) != (here.node, here.host):
        return None
    return _started(owner.pid) == owner.started


def read_mark(folder: Path) -> Owner | None:
    """Return the owner that a mark names, dead or alive."""
    return read_owner(folder / MARK)


def read_owner(file: Path) -> Owner | None:
    """Return the process that a file names, dead or alive; None where it names none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Owner(**{name: found[name] for name in Owner.__dataclass_fields__})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_lost(folder: Path) -> bool:
    """Tell whether a folder that this job had marked, itself or as a part of one, has another owner by now, or none."""
    token = os.environ.get(VARIABLE)
    if token is None:
        return False
    now = next((mark for place in (folder, *folder.parents) if (mark := read_mark(place)) is not None), None)
    return now is None or now.token != token


def check_owned(*folders: Path) -> None:
    """Raise LostError where somebody took over what this job had marked; jobs without marks pass."""
    for folder in folders:
        if is_lost(folder):
            now = read_mark(folder)
            raise LostError(f"{folder}: {now or 'somebody'} took this over; what this job did since is left out")


def common_folder(files: Iterable[Path]) -> Path:
    """Return the folder that holds all of the files."""
    parents = [file.parent for file in files]
    shared = parents[0]
    while not all(parent == shared or shared in parent.parents for parent in parents):
        shared = shared.parent
    return shared


class _Marks:
    """The marks of this process in some folders."""

    def __init__(self, folders: Sequence[Path], owner: Owner) -> None:
        self.folders, self.owner = folders, owner
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def take(self) -> bool:
        """Mark the folders; on a full disk there are no marks, and what the job itself says of it is clearer."""
        try:
            for folder in self.folders:
                _take(folder, self.owner)
        except OSError as error:
            if not is_disk_full(error):
                raise
            self.release()
            return False
        self._thread.start()
        return True

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            for folder in self.folders:
                now = read_mark(folder)
                with suppress(OSError):
                    if now is not None and now.token == self.owner.token:
                        os.utime(folder / MARK)

    def release(self) -> None:
        self._over.set()
        for folder in self.folders:
            now = read_mark(folder)
            if now is not None and now.token == self.owner.token:
                with suppress(OSError):
                    (folder / MARK).unlink()
                    folder.rmdir()  # where nothing else is in it


@contextmanager
def owning(*folders: Path) -> Iterator[Owner]:
    """Mark folders as this process' own while the block runs, and let those that it starts know.

    Inside of a job that has marked them already, its marks stay.

    Raises:
        OwnedError: somebody else, who lives, has marked one of them.
    """
    before = os.environ.get(VARIABLE)
    mine = this_process(before)
    if before is not None and not any(map(is_lost, folders)):
        yield mine
        return
    marks = _Marks(folders, mine)
    try:
        if marks.take():
            os.environ[VARIABLE] = mine.token
        yield mine
    finally:
        marks.release()
        if before is None:
            os.environ.pop(VARIABLE, None)


def _take(folder: Path, owner: Owner) -> None:
    make_folder(folder)
    mark, own = folder / MARK, folder / f".{MARK}.{owner.token}.tmp"
    own.write_text(json.dumps(asdict(owner)), encoding="utf-8")
    try:
        try:
            os.link(own, mark)  # fails where there is a mark, on shared file systems too
        except OSError:
            other = living(folder)
            if other is not None and other.token != owner.token:
                raise OwnedError(folder, other) from None
            own.replace(mark)
            time.sleep(SETTLED)
    finally:
        own.unlink(missing_ok=True)
    now = read_mark(folder)
    if now is None or now.token != owner.token:
        raise OwnedError(folder, now or owner)


def _age(mark: Path) -> float:
    """Return the seconds since the last sign of life, by the clock of the file system that holds the mark."""
    probe = mark.with_name(f".{mark.name}.{uuid.uuid4().hex}.tmp")
    try:
        probe.touch()
        return probe.stat().st_mtime - mark.stat().st_mtime
    except OSError:
        return 0.0  # nothing can be written there, so nothing is taken over
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def _age_at(mark: Path, now: float) -> float:
    """Return the seconds from the last sign of life to a time; where it went in between, its owner has ended."""
    try:
        return now - mark.stat().st_mtime
    except OSError:
        return math.inf


def _started(pid: int) -> int | None:
    """Return when a process started, in ticks since the machine did; None when there is none, 0 where nothing tells."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if Path("/proc/self/stat").exists() else 0
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
