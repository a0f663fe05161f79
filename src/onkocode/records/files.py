"""Writing that leaves either the old file or the whole new one, at whatever second the process dies."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE_MODE = 0o700
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What the writers of weights and of optimizer states say when the disk is full; they raise no OSError.
FULL_WORDS = ("No space left", "File too large", "Disk quota", "PytorchStreamWriter", "unexpected pos", "os error 28")


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it replaces ``path`` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yield an empty temporary directory beside ``path``; it replaces ``path`` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush(file)
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text through a temporary file."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def is_disk_full(error: BaseException) -> bool:
    """Tell a full disk, a used up quota and a limit on file sizes from other errors."""
    full = isinstance(error, OSError) and error.errno in FULL
    return full or any(word in str(error) for word in FULL_WORDS)


def close_to_others(path: Path) -> None:
    """Make what lies at ``path`` private: its directories get mode 0700, and this process' new files 0600.

    For a relative path all directories below the working directory are closed, else only the one that holds the file.
    """
    os.umask(0o077)
    path.parent.mkdir(parents=True, exist_ok=True)
    inside = not path.is_absolute() and ".." not in path.parts
    for folder in [path.parent, *path.parent.parents] if inside else [path.parent]:
        if folder != Path():
            folder.chmod(PRIVATE_MODE)


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
