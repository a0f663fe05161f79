"""Why the tries of a job ended: a small file, from which the request of the next try is worked out.

A process that is killed can say nothing, so a running one writes again and again how long it has run and what memory it
has taken at most; the next reader concludes from this what it was killed for.
"""

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from onkocode.records.errors import InputError, Lack, ShortageError, StoppedError
from onkocode.records.files import is_disk_full, write_text
from onkocode.records.limits import memory_given, seconds_left
from onkocode.records.ownership import LostError, is_lost
from onkocode.records.progress import PROGRESS_FILE
from onkocode.records.room import full_disk
from onkocode.records.stopping import STOP_FILE

ENDINGS_FILE = "endings.json"
LOOK, BEAT = 1.0, 20.0  # seconds between two looks at the memory, and at most between two signs of life
GROWTH = 1.05  # of the memory, after which it is written at once: a process may be killed soon
# Libraries have classes of their own for this, or none.
MEMORY_WORDS = ("not enough memory", "out of memory", "can't allocate memory", "Cannot allocate memory")
GPU_WORDS = ("CUDA", "HIP")
# MB that a job's memory holds besides: the two processes of Snakemake that run it.
BESIDES = 500

Cause = Literal["running", "stopped", "refused", "failed", "killed", "time"] | Lack
IN_VAIN: tuple[Cause, ...] = ("refused", "disk-full")  # the next try ends the same until a person has done something


@dataclass(frozen=True)
class Ending:
    """How one try ended.

    `cause` is `refused` where the user's input was wrong (status 2), and `failed` where the program was. Older files
    say `failed` for both.

    `seconds` it had run and `peak_mb` of main memory it had taken, up to its end or last sign of life; `given_mb` and
    `given_seconds` are what the cluster gave it, None where that is not known.
    """

    cause: Cause
    began: str = ""
    seconds: float = 0.0
    peak_mb: int = 0
    given_mb: int | None = None
    given_seconds: float | None = None

    @property
    def in_vain(self) -> bool:
        """Whether another try would end the same, whatever it is given."""
        return self.cause in IN_VAIN

    @property
    def used_up(self) -> Cause | None:
        """What a process that was killed had used up; None = neither its time nor its memory."""
        if self.given_seconds is not None and self.seconds >= self.given_seconds - min(60, self.given_seconds / 4):
            return "time"
        if self.given_mb is not None:
            nearly = min(0.9 * self.given_mb, self.given_mb - BESIDES)
            if self.peak_mb >= max(nearly, self.given_mb / 2):
                return "memory"
        return None


def read_endings(folder: Path) -> list[Ending]:
    """Return how the tries of a job ended so far, the first one first; nothing where that cannot be read."""
    try:
        found = [Ending(**row) for row in json.loads((folder / ENDINGS_FILE).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
    return [replace(item, cause=item.used_up or "killed") if item.cause == "running" else item for item in found]


def conclude_memory(folder: Path, given_mb: int) -> None:
    """Write down that the last try ran out of main memory, where only the cluster could tell.

    Args:
        folder: scratch of the job.
        given_mb: what it was given.
    """
    found = read_endings(folder) or [Ending("killed", began=_now())]
    if found[-1].cause in ("killed", "failed"):
        found[-1] = replace(found[-1], cause="memory", given_mb=given_mb)
        _write_endings(folder, found)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_endings(folder: Path, endings: Sequence[Ending]) -> None:
    file = folder / ENDINGS_FILE
    text = json.dumps([asdict(item) for item in endings], indent=1) + "\n"
    try:
        write_text(file, text)
    except OSError:
        # A full disk takes no new file, but the block of the old one has room for a few lines more.
        with suppress(OSError), file.open("r+", encoding="utf-8") as stream:
            stream.write(text)
            stream.truncate()


@contextmanager
def recorded(folder: Path) -> Iterator[None]:
    """Record in a folder how the block ends. A block that ends well leaves no record, since its job is done.

    Where the record cannot be written the block goes on.

    Raises:
        ShortageError: in place of an error that says that the disk is full, with what a person can do.
    """
    record = _Record(folder)
    try:
        yield
    except LostError:
        record.leave_alone()  # it is that of the new owner by now
        raise
    except BaseException as error:
        cause = cause_of(error)
        record.close(cause)
        if cause == "disk-full" and not isinstance(error, ShortageError):
            raise full_disk(error, folder) from error
        raise
    record.close(None)


def cause_of(error: BaseException) -> Cause:
    """Return why a job ended that raised an error."""
    if isinstance(error, ShortageError):
        return error.cause
    if isinstance(error, StoppedError | KeyboardInterrupt):
        return "stopped"
    if isinstance(error, InputError):
        return "refused"
    if is_disk_full(error):
        return "disk-full"
    lacking = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if not (lacking or any(word in str(error) for word in MEMORY_WORDS)):
        return "failed"
    on_gpu = type(error).__name__ == "OutOfMemoryError" or any(word in str(error) for word in GPU_WORDS)
    return "gpu-memory" if on_gpu else "memory"


class _Record:
    """The record of a running try, written by a thread of its own until it is closed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.before, self.start = folder, read_endings(folder), time.monotonic()
        self.now = Ending("running", began=_now(), given_mb=memory_given())
        self._write()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def close(self, cause: Cause | None) -> None:
        """End the record; `cause` is why the job ended, None = it is done."""
        self.over.set()
        self.thread.join(timeout=LOOK + 5)  # it may wait for SLURM's answer, and writes nothing after it
        if cause is None:
            with suppress(OSError):
                for name in (ENDINGS_FILE, PROGRESS_FILE, STOP_FILE):
                    (self.folder / name).unlink(missing_ok=True)
                self.folder.rmdir()  # where nothing else is in it
            return
        self._look()
        # Of several processes that train together, one may have been killed.
        used_up = self.now.used_up if cause == "failed" else None
        self.now = replace(self.now, cause=used_up or cause)
        self._write()

    def leave_alone(self) -> None:
        """Write nothing any more."""
        self.over.set()
        self.thread.join(timeout=LOOK + 5)

    def _watch(self) -> None:
        left = seconds_left()  # may take its time
        self.now = replace(self.now, given_seconds=None if left is None else self._elapsed() + left)
        written = replace(self.now, peak_mb=0)
        while not self.over.wait(LOOK):
            self._look()
            if self.now.peak_mb > GROWTH * written.peak_mb or self.now.seconds >= written.seconds + BEAT:
                self._write()
                written = self.now

    def _look(self) -> None:
        peak = max(self.now.peak_mb, round(resident_mb()))
        self.now = replace(self.now, seconds=round(self._elapsed(), 1), peak_mb=peak)

    def _elapsed(self) -> float:
        return time.monotonic() - self.start

    def _write(self) -> None:
        if not is_lost(self.folder):
            _write_endings(self.folder, [*self.before, self.now])


def resident_mb() -> float:
    """Return the main memory in MB that this process and those that it started hold.

    Pages of files do not count: the weights of a model are mapped, and a kernel in need drops these pages.
    """
    found = [_anonymous_kb(process) for process in _family(os.getpid())]
    if any(found):
        return sum(found) / 2**10
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def _anonymous_kb(process: int) -> int:
    with suppress(OSError):
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
    return 0


def _family(process: int) -> Iterator[int]:
    yield process
    with suppress(OSError):
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            for child in children.read_text(encoding="ascii").split():
                yield from _family(int(child))
