"""A step that counts, and does all that real steps do on a cluster: it saves, is told to leave, and goes on.

Its result is a chain of hashes over all steps, so that a step that was left out or done twice shows.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path

from onkocode.records.endings import recorded
from onkocode.records.errors import InputError, StoppedError
from onkocode.records.limits import seconds_left
from onkocode.records.ownership import check_owned, owning


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--pause", type=float, default=0.5)
    parser.add_argument("--memory", type=int, default=0, help="MB that are taken at once")
    parser.add_argument("--fail", type=int, default=0, help="exit code, each time")
    given = parser.parse_args()
    try:
        with owning(given.scratch, given.output.parent), recorded(given.scratch):
            work(given)
    except StoppedError as error:
        print(error, file=sys.stderr)
        return 75
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def work(given: argparse.Namespace) -> None:
    if given.fail == 2:
        raise InputError("the input is wrong")
    if given.fail:
        sys.exit(given.fail)
    left = seconds_left()
    end = None if left is None else time.monotonic() + left - min(180, left / 4)
    state, stop = given.scratch / "state.json", given.scratch / "stop"
    stop.unlink(missing_ok=True)
    step, value = json.loads(state.read_text()) if state.exists() else (0, "")
    held = bytearray(given.memory * 2**20)
    for number in range(0, len(held), 4096):
        held[number] = 1
    while step < given.steps:
        if stop.exists() or (end is not None and time.monotonic() > end):
            raise StoppedError("asked to stop, or out of time; saved")
        time.sleep(given.pause)
        check_owned(given.scratch)
        step, value = step + 1, hashlib.sha256(f"{value}{step + 1}".encode()).hexdigest()
        done = f"{step} {os.environ.get('SLURM_JOB_ID')} {os.environ.get('SLURMD_NODENAME')} {os.getpid()}\n"
        with Path("steps.log").open("a") as log:
            log.write(f"{given.output.parent.name} {done}")
        for file, content in (
            (state, json.dumps([step, value])),
            (given.scratch / "progress.json", json.dumps({"done": step, "total": given.steps})),
        ):
            temporary = file.with_suffix(".tmp")
            temporary.write_text(content)
            temporary.replace(file)
    check_owned(given.scratch, given.output.parent)
    temporary = given.output.with_suffix(".tmp")
    temporary.write_text(value)
    temporary.replace(given.output)
    for file in given.scratch.iterdir():
        if file.name not in ("owner.json", "endings.json"):
            file.unlink()


def expected(steps: int) -> str:
    """Return the result of an undisturbed run."""
    value = ""
    for step in range(1, steps + 1):
        value = hashlib.sha256(f"{value}{step}".encode()).hexdigest()
    return value


if __name__ == "__main__":
    sys.exit(main())
