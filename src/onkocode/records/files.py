"""Writing that leaves either the old file or the whole new one, at whatever second the process dies."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What the writers of weights and of optimizer states say when the disk is full; they raise no OSError.
FULL_WORDS = ("No space left", "File too large", "Disk quota", "PytorchStreamWriter", "unexpected pos", "os error 28")
TEMPORARY = "No usable temporary directory"  # Python looks for one that takes a file, and says no more than this
PROJECT = Path(__file__).resolve().parents[3]  # where the package is used from a checkout


def located(path: Path, project: Path = PROJECT) -> Path:
    """Return a file that the configuration names: below the working directory, or else in the project's folder.

    So the files that the project ships are found from anywhere; what is in neither place stays as it is named.
    """
    shipped = project / path
    return shipped if not path.exists() and shipped.exists() else path


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it replaces ``path`` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)  # writing, other than opening, does not say where
        raise
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
    """Write UTF-8 text through a temporary file.

    Bytes of file names that are no UTF-8 are escaped, in JSON so that they are read back as they were.
    """
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def is_disk_full(error: BaseException) -> bool:
    """Tell a full disk, a used up quota and a limit on file sizes from other errors."""
    full = isinstance(error, OSError) and error.errno in FULL
    return full or any(word in str(error) for word in (*FULL_WORDS, TEMPORARY))


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
