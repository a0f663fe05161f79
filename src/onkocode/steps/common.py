"""What several steps share."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from onkocode.records.errors import InputError
from onkocode.records.files import located, write_text
from onkocode.records.ownership import check_owned
from onkocode.terminal import say

CONFIG = Path("config/config.yaml")


def config_files(given: Sequence[Path]) -> list[Path]:
    """Return the configuration files: those given, else config/config.yaml of one's own, else the shipped one."""
    return list(given) or [located(CONFIG)]


def write_json(path: Path, record: object) -> None:
    """Write a record for people to read."""
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def check_adapter(epoch: int, adapter: Path | None) -> None:
    """Refuse a base model with an adapter, and a trained epoch without one."""
    if (epoch > 0) != (adapter is not None):
        raise InputError("--adapter is needed from epoch 1 on, and only there")


def remove_scratch(scratch: Path) -> None:
    """Remove the scratch of a job that is done, once nothing of the job itself writes there any more.

    Others may still look there, and shared file systems keep what is open; what cannot be removed stays, since that is
    no reason for a job to fail whose results are written.

    Raises:
        LostError: somebody took the folder over; it stays.
    """
    check_owned(scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    if scratch.exists():
        say(f"{scratch}: not everything in it could be removed; nothing there is needed any more")
