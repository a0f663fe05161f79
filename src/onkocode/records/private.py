"""What holds patients' texts, or answers to them: closed to others, and removed as a whole when that is wanted."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from onkocode.records.errors import InputError, first_of

MODE = 0o700
VARIABLE = "ONKOCODE_PRIVATE"  # the workflow's folder of private files; the workflow sets it for its jobs
FOLDERS = ("texts", "leakage", "predictions", "answers", "scratch")  # all that is ever written in it
# Half-written files too.
WRITTEN = re.compile(r"\.?([^/]*\.(parquet|provenance\.json)|endings\.json)(\.\d+\.tmp(\.\w+)?)?")


def restrict_to_owner(path: Path) -> None:
    """Make what lies at ``path`` private: its directories get mode 0700, and this process' new files 0600.

    Closed are the directories up to the workflow's private folder (ONKOCODE_PRIVATE), up to the working directory for
    a relative path, and elsewhere those that did not exist and the one that holds the file.
    """
    os.umask(0o077)  # what mkdir makes is closed as well
    path.parent.mkdir(parents=True, exist_ok=True)
    folder, root = path.parent, _root(path)
    folder.chmod(MODE)
    while root is not None and folder != root:
        folder = folder.parent
        folder.chmod(MODE)


def _root(path: Path) -> Path | None:
    """Return the outermost directory that is to be closed, as a parent of the path; None = only the innermost one."""
    named = os.environ.get(VARIABLE)
    parents = list(path.parents)
    if named:
        whole = Path(named).resolve()
        found = [folder for folder in parents if folder.resolve() == whole]
        if found:
            return found[0]
    if path.is_absolute() or ".." in path.parts or len(parents) < 2:
        return None
    return parents[-2]  # the last one is the working directory


@dataclass(frozen=True)
class Holding:
    """Folders of private files, how many files they hold, and their bytes."""

    folders: list[Path]
    files: int
    bytes: int


def find_private(root: Path) -> Holding:
    """Return what the program has written below a folder of private files.

    Raises:
        InputError: no such folder, or something else lies in the program's folders, which is never removed.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the one of pathvars.private")
    folders = [root / name for name in FOLDERS if (root / name).is_dir() and not (root / name).is_symlink()]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    foreign = [str(path) for path in files if path.is_symlink() or not WRITTEN.fullmatch(path.name)]
    if foreign:
        raise InputError(
            f"{root}: holds files that are not of onkocode; nothing was removed. Move them away, or check the name of "
            f"the folder:\n{first_of(sorted(foreign))}"
        )
    return Holding(folders, len(files), sum(path.stat().st_size for path in files))


def remove_private(root: Path, holding: Holding) -> None:
    """Remove what `find_private` found, and the folder itself where nothing else lies in it."""
    for folder in holding.folders:
        shutil.rmtree(folder)
    if not any(root.iterdir()):
        root.rmdir()
