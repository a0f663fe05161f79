"""Room on disks: what is free, what a person is told of a full one, and half-written files that take up room."""

import re
import shutil
from pathlib import Path

from onkocode.records.errors import ShortageError

HALF_WRITTEN = re.compile(r"\..*\.tmp(\.\w+)?")


def free_bytes(folder: Path) -> int | None:
    """Return the bytes that are free where a folder is, or will be made; None where that cannot be told.

    A quota is not seen.
    """
    for place in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def full_disk(error: BaseException, folder: Path, needed: int | None = None, more: str = "") -> ShortageError:
    """Return what a person is told when an error says that a disk is full.

    Args:
        error: the error; it may name a file.
        folder: what was written to, as far as that is known otherwise.
        needed: bytes.
        more: a further remark.
    """
    named = getattr(error, "filename2", None) or getattr(error, "filename", None)  # of a copy, the second one
    place = Path(named) if isinstance(named, str) else folder
    first = (str(error).splitlines() or [""])[0]
    return no_room(place, f"{type(error).__name__}: {first}", needed, more)


def no_room(place: Path, cause: str, needed: int | None = None, more: str = "") -> ShortageError:
    """Return the error of a full disk; arguments as of `full_disk`, with the cause in words."""
    free = free_bytes(place)
    facts = [] if free is None else [f"{free:,} bytes are free there"]
    facts += [] if needed is None else [f"about {needed:,} are needed"]
    parts = [f"{place}: the disk is full ({cause})", ", ".join(facts), more]
    said = "; ".join(part for part in parts if part)
    return ShortageError(f"{said}; make room and start the same job again", "disk-full")


def remove_half_written(folder: Path) -> None:
    """Remove temporary files and directories that writers left in a folder, as far as that is possible."""
    for path in folder.glob(".*.tmp*"):
        if not HALF_WRITTEN.fullmatch(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
