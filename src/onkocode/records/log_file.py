"""The logs of a job of the workflow: a heading for each try, and a second name for what Snakemake removes.

Snakemake removes the log of a job before it runs it again, also in a job of SLURM that was put back into the queue. So
a try gives its log a second name, `<log>.<number>`, which goes when the try ends well. Whatever kills a try, its log
stays.
"""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from onkocode.records.private import VARIABLE

KEPT = 9  # logs of earlier tries of a job at most


@contextmanager
def logged(verb: str) -> Iterator[None]:
    """Head the log while the block runs, where this is a job of the workflow, whose output goes to a file.

    Args:
        verb: the command without its options.
    """
    log = _log()
    if log is None:
        yield
        return
    with suppress(OSError):
        print(heading(verb), file=sys.stderr, flush=True)  # noqa: T201
    second = _second_name(log)
    yield
    if second is not None:
        with suppress(OSError):
            second.unlink()


def heading(verb: str) -> str:
    """Return the line that a try begins its log with: when, where, and as which job of SLURM."""
    parts = [f"== {verb}", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", f"node {os.uname().nodename}"]
    job, restarts = os.environ.get("SLURM_JOB_ID", ""), os.environ.get("SLURM_RESTART_COUNT", "")
    if job.isdecimal():
        again = restarts.isdecimal() and int(restarts) > 0
        parts.append(f"SLURM job {job}" + (f" (restart {restarts})" if again else ""))
    return ", ".join(parts)


def _log() -> Path | None:
    """Return the file that both outputs of a job of the workflow go to; None where this is none."""
    if VARIABLE not in os.environ:
        return None
    with suppress(OSError):
        output, errors = os.fstat(1), os.fstat(2)
        if stat.S_ISREG(errors.st_mode) and os.path.samestat(output, errors):
            log = Path("/proc/self/fd/2").readlink()
            return log if os.path.samestat(log.stat(), errors) else None
    return None


def _second_name(log: Path) -> Path | None:
    """Give a log its second name; None where the file system knows no such names."""
    with suppress(OSError):
        ends = {path: path.name.removeprefix(f"{log.name}.") for path in log.parent.iterdir()}
        earlier = {int(end): path for path, end in ends.items() if path.name != end and end.isdecimal()}
        for path in earlier.values():
            if path.samefile(log):
                return path  # a log that nobody removed goes on
        for number in sorted(earlier)[: len(earlier) + 1 - KEPT]:
            earlier[number].unlink()
        second = log.with_name(f"{log.name}.{max(earlier, default=0) + 1}")
        second.hardlink_to(log)
        return second
    return None
