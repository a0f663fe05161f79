"""The cache of the Hub on this disk: what lies in it, how much room is left, and what is known of its files.

The layout is huggingface_hub's: a snapshot of links into `blobs/`, where a file is named by its hash. What is listed
and checked is noted in `onkocode/<commit>.json` beside them, so that a large file is not hashed for every job.
"""

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from onkocode.models.hub.listing import COMMIT, SHA256_LENGTH, Listed, Repository
from onkocode.records.files import write_text

BLOB_ID_LENGTH = 40
Checked = list[int]  # size in bytes and time in ns of a file whose hash was right


@dataclass
class Notes:
    """What is known of a repository at a commit: its files, and which were checked."""

    files: list[Listed] = field(default_factory=list)
    checked: dict[str, Checked] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a repository lies in the cache."""

    hub: str

    @property
    def cache(self) -> Path:
        """The cache of the Hub."""
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE).expanduser()

    @property
    def folder(self) -> Path:
        """All that the cache has of the repository."""
        return self.cache / f"models--{self.hub.replace('/', '--')}"

    def snapshot(self, commit: str) -> Path:
        """Return the directory of a commit."""
        return self.folder / "snapshots" / commit

    def commit_of(self, revision: str) -> str | None:
        """Return the commit that a revision stood for when it was fetched last; None: never."""
        if COMMIT.fullmatch(revision):
            return revision
        try:
            commit = (self.folder / "refs" / revision).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        return commit if COMMIT.fullmatch(commit) else None

    def keep_commit(self, revision: str, commit: str) -> None:
        """Note what a branch or tag stands for; a cache that takes no notes does without."""
        if not COMMIT.fullmatch(revision) and self.commit_of(revision) != commit:
            with suppress(OSError):
                write_text(self.folder / "refs" / revision, commit)

    def room(self) -> int:
        """Return the free bytes of the disk that holds the cache, or will hold it."""
        there = next(folder for folder in (self.cache, *self.cache.absolute().parents) if folder.exists())
        return shutil.disk_usage(there).free

    def part(self, file: Listed) -> Path:
        """Return where a large file arrives; it outlives the process, so that the next one continues it."""
        return self.folder / "blobs" / f"{file.digest}.onkocode.part"

    def notes(self, commit: str) -> Notes:
        """Return the notes on a commit; empty ones where there are none that can be read."""
        try:
            read: dict[str, Any] = json.loads(self._notes(commit).read_text(encoding="utf-8"))
            return Notes([Listed(**file) for file in read["files"]], dict(read["checked"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Notes()

    def write_notes(self, commit: str, notes: Notes) -> None:
        """Write the notes on a commit; a cache that others fill and this user only reads does without."""
        with suppress(OSError):
            write_text(self._notes(commit), json.dumps(asdict(notes), indent=1) + "\n")

    def _notes(self, commit: str) -> Path:
        return self.folder / "onkocode" / f"{commit}.json"

    def listed(self, commit: str) -> Repository | None:
        """Return the files of a commit as noted, or as the links of the snapshot name them; None: nothing is known."""
        files = self.notes(commit).files or self._linked(commit)
        return Repository(self.hub, commit, tuple(files)) if files else None

    def _linked(self, commit: str) -> list[Listed]:
        """Return the files of a snapshot that another program fetched; each link leads to a file named by its hash."""
        found = []
        for link in sorted(self.snapshot(commit).rglob("*")):
            if link.is_dir():
                continue
            digest = link.readlink().name if link.is_symlink() else ""
            known = digest if len(digest) in (SHA256_LENGTH, BLOB_ID_LENGTH) else ""
            found.append(Listed(str(link.relative_to(self.snapshot(commit))), None, known))
        return found


def missing(place: Place, repository: Repository) -> list[Listed]:
    """Return the files that the cache lacks; one of another size is not whole."""
    return [file for file in repository.files if not _there(place.snapshot(repository.commit) / file.name, file)]


def still_to_come(place: Place, files: Sequence[Listed]) -> int:
    """Return the bytes of files that have not arrived, without what a stopped download left of them."""
    return sum(max((file.size or 0) - _arrived(place, file), 0) for file in files)


def _there(path: Path, file: Listed) -> bool:
    try:
        return path.is_file() and file.size in (None, path.stat().st_size)
    except OSError:
        return False


def _arrived(place: Place, file: Listed) -> int:
    """Return the bytes of a file that are there under its hash, as of another commit, or as a part."""
    for path in (place.folder / "blobs" / file.digest, place.part(file)):
        if file.digest and path.is_file():
            return path.stat().st_size
    return 0
