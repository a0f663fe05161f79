"""What runs on the node: the commands of a job, its owner's marks, and a record of how it went.

`python -m onkocode.cluster.job` is started by SLURM and reads what to do from its input. It comes before Snakemake on
the node, because that removes the outputs of a job before it starts it, also those that another copy has just written.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from onkocode.records.limits import MEMORY_VARIABLE, memory_given
from onkocode.records.ownership import BEAT, OwnedError, owning
from onkocode.records.stopping import STOP_FILE, forget_stop

# Failed starts of one job, after which it ends itself: steps of a node that fails end with an error, too, and SLURM is
# right to start that job again.
PATIENCE = 2
PAUSE = 2.0  # seconds between two times that a step is asked to leave
TRY_AGAIN = 75  # of sysexits.h: nothing is wrong, start it again later
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True)
class Payload:
    """What a job is to do.

    Attributes:
        folder: of the records.
        names: of the steps, as they are shown.
        keys: of the steps, as they are known again.
        commands: of the steps, one after the other.
        own: folders that it writes to, and nobody else may at the same time.
        scratch: folders in which a file asks a step to leave.
        outputs: what the steps write.
        before: SLURM jobs that were sent for the same before.
        sent: when this one was, in seconds since 1970.
    """

    folder: str
    names: list[str]
    keys: list[str]
    commands: list[str]
    own: list[str] = field(default_factory=list)
    scratch: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    sent: float = 0.0


@dataclass
class Record:
    """How one start of a job went; a job that is requeued has several.

    `status` is running, ended, owned (somebody else was at it) or refused (the site started a failed job again);
    `codes` are the exit codes of the steps that ran, in order; `told` the signals that came.
    """

    file: Path
    names: list[str]
    keys: list[str]
    node: str
    began: str
    status: str = "running"
    codes: list[int] = field(default_factory=list)
    message: str = ""
    told: list[str] = field(default_factory=list)

    def write(self) -> None:
        """Write it; a disk that is full stops no job."""
        temporary = self.file.with_name(f".{self.file.name}.{os.getpid()}.tmp")
        content = {name: value for name, value in asdict(self).items() if name != "file"}
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
            temporary.replace(self.file)

    @property
    def good(self) -> bool:
        """Tell whether it came to a good end."""
        return self.status == "ended" and len(self.codes) == len(self.keys) and not any(self.codes)

    @property
    def failed(self) -> bool:
        """Tell whether it ended by itself, and neither well nor to go on later."""
        ended = self.status in ("ended", "refused") and not self.told
        return ended and any(self.codes) and TRY_AGAIN not in self.codes

    def beats(self) -> bool:
        """Tell whether its job gave a sign of life lately; clocks of machines may differ by a minute."""
        with suppress(OSError):
            return time.time() - self.file.stat().st_mtime < 5 * BEAT
        return False


def read_records(folder: Path, job: str) -> list[Record]:
    """Return the records of all starts of a job, the first one first, but for what cannot be read."""
    found = []
    for file in sorted(folder.glob(f"{job}-*.json"), key=lambda file: int(file.stem.rpartition("-")[2])):
        with suppress(OSError, ValueError, TypeError):
            found.append(Record(file, **json.loads(file.read_text(encoding="utf-8"))))
    return found


def _sent_for_the_same(payload: Payload) -> Iterator[Record]:
    """Yield the records of other SLURM jobs that were begun since this one was sent: SLURM may have got it twice."""
    for entry in os.scandir(payload.folder) if payload.sent and Path(payload.folder).is_dir() else ():
        with suppress(OSError, ValueError, TypeError):
            if entry.name.endswith(".json") and entry.stat().st_mtime > payload.sent:
                file = Path(entry.path)
                record = Record(file, **json.loads(file.read_text(encoding="utf-8")))
                if datetime.fromisoformat(record.began).timestamp() > payload.sent:
                    yield record


class _Running:
    """The steps of a job, and what is done when SLURM says that it must end."""

    def __init__(self, payload: Payload, record: Record, done: Collection[int] = ()) -> None:
        self.payload, self.record, self.done = payload, record, done
        self.process: subprocess.Popen[bytes] | None = None
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Ask the running step to leave: by a file where it looks for one, else by the signal."""
        self.record.told.append(signal.Signals(number).name)
        self.record.write()
        self.asked = True
        self._ask(number == signal.SIGTERM)

    def _ask(self, for_good: bool) -> None:
        for scratch in map(Path, self.payload.scratch):
            with suppress(OSError):
                if scratch.is_dir():
                    (scratch / STOP_FILE).touch()
        if not self.payload.scratch and for_good and self.process is not None:
            with suppress(ProcessLookupError):
                self.process.terminate()

    def steps(self) -> int:
        """Run them one after the other; one that fails leaves the others to run. Returns the worst exit code."""
        for place, command in enumerate(self.payload.commands):
            if self.asked:
                break
            if place in self.done:
                self.record.codes.append(0)
                continue
            self.process = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL)  # noqa: S603
            code = self._end_of(self.process)
            self.record.codes.append(code if code >= 0 else 128 - code)
            self.record.write()
        for scratch in map(Path, self.payload.scratch):
            forget_stop(scratch)
        codes = self.record.codes
        return TRY_AGAIN if len(codes) < len(self.payload.commands) and not any(codes) else max(codes, default=0)

    def _end_of(self, process: "subprocess.Popen[bytes]") -> int:
        """Wait for the end of a step; ask it to leave more than once, since it forgets at its begin what was there."""
        while True:
            if self.asked:
                self._ask("SIGTERM" in self.record.told)
            with suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=PAUSE)


def work(payload: Payload) -> int:
    """Run a job on its node; returns its exit code."""
    job, folder = os.environ.get("SLURM_JOB_ID", str(os.getpid())), Path(payload.folder)
    before = read_records(folder, job)
    number = int(os.environ.get("SLURM_RESTART_COUNT", 0))
    node, began = os.environ.get("SLURMD_NODENAME", socket.gethostname()), datetime.now(UTC)
    file = folder / f"{job}-{number}.json"
    record = Record(file, payload.names, payload.keys, node, began.isoformat(timespec="seconds"))
    failed = [item for item in before if item.failed]
    if len(failed) >= PATIENCE:
        return _refuse(record, failed, job)
    if _is_done(payload, job):
        return _nothing_left(record)
    record.write()
    given = memory_given()
    if given is not None:
        os.environ[MEMORY_VARIABLE] = str(given)
    return _run(payload, record, _done_before(payload, before))


def _done_before(payload: Payload, before: Sequence[Record]) -> set[int]:
    """Return which of several steps an earlier start of this job has done: others may read their outputs by now."""
    alike = [record.codes for record in before if record.keys == payload.keys and len(record.keys) > 1]
    return {place for codes in alike for place, code in enumerate(codes) if code == 0}


def _run(payload: Payload, record: Record, done: Collection[int]) -> int:
    """Run the steps with the folders marked, and write down how that ended."""
    running = _Running(payload, record, done)
    for number in SIGNALS:
        signal.signal(number, running)
    threading.Thread(target=_beat, args=(record,), daemon=True).start()
    with ExitStack() as marks:
        try:
            marks.enter_context(owning(*map(Path, payload.own)))
        except OwnedError as error:
            record.status, record.message = "owned", str(error)
            record.write()
            _tell(str(error))
            return TRY_AGAIN
        code = running.steps()
    record.status = "ended"
    record.write()
    return code


def _is_done(payload: Payload, job: str) -> bool:
    """Tell whether another start has done all of it: a node that was taken for dead may have gone on."""
    records = [record for id_ in [*payload.before, job] for record in read_records(Path(payload.folder), id_)]
    records += _sent_for_the_same(payload)
    alike = [record for record in records if record.keys == payload.keys]
    return any(record.good for record in alike) and all(Path(file).exists() for file in payload.outputs)


def _nothing_left(record: Record) -> int:
    record.status, record.codes = "ended", [0] * len(record.keys)
    record.message = "an earlier start of this job has done it"
    record.write()
    _tell(record.message)
    return 0


def _refuse(record: Record, failed: list[Record], job: str) -> int:
    """End a failed job that the site starts again and again, in a way that it does not do so once more."""
    record.status, record.codes = "refused", failed[-1].codes
    code = max(record.codes)
    record.message = f"the site started this job again after it had failed {len(failed)} times, at last with {code}"
    record.write()
    _tell(f"{record.message}; it is cancelled, and the workflow decides what comes next")
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(["scancel", job], timeout=60, check=False)  # noqa: S603, S607
        time.sleep(60)  # until that arrives
    return code


def _beat(record: Record) -> None:
    while True:
        time.sleep(BEAT)
        with suppress(OSError):
            os.utime(record.file)


def _tell(message: str) -> None:
    print(f"onkocode: {message}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(work(Payload(**json.load(sys.stdin))))
