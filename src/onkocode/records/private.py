"""What holds patients' texts, or answers to them: closed to others, and removed as a whole when that is wanted."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from onkocode.records.errors import InputError, first_of

MODE = 0o700
VARIABLE = "ONKOCODE_PRIVATE"  # the workflow's folder of private files; the workflow sets it for its jobs
DEFAULT = "private"
FOLDERS = ("texts", "leakage", "predictions", "answers", "scratch")  # all that is ever written in it
# Half-written files too.
OF_JOBS = "(endings|failure|owner|progress)\\.json|stop"  # what stands beside the saves of a job
WRITTEN = re.compile(rf"\.?([^/]*\.(parquet|provenance\.json)|{OF_JOBS})(\.\d+\.tmp(\.\w+)?)?")


def restrict_to_owner(path: Path) -> None:
    """Make what lies at ``path`` private: this process' new files get mode 0600, and `close_folder` its directories."""
    os.umask(0o077)
    close_folder(path.parent)


def close_folder(folder: Path) -> None:
    """Make a folder, and close to others all directories that are made for it, and those of the private folder.

    The private folder is the workflow's (ONKOCODE_PRIVATE), else `private` in the working directory. Directories that
    were there before, outside of it, are left as they are.
    """
    places = [folder, *folder.parents]
    new = [place for place in places if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in [*new, *_ours(folder)]:
        place.chmod(MODE)  # whatever a default ACL gave it


def make_folder(folder: Path) -> None:
    """Make a folder; where it lies in the private one, closed to others."""
    if _ours(folder):
        close_folder(folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)


def _ours(folder: Path) -> list[Path]:
    """Return the directories from a folder up to the private one; none where it lies outside, links followed or not."""
    root = Path(os.environ.get(VARIABLE) or DEFAULT).resolve()
    for start in (folder.absolute(), folder.resolve()):
        places = [start, *start.parents]
        for number, place in enumerate(places, start=1):
            if place.resolve() == root:
                return places[:number]
    return []


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
