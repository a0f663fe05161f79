"""Whether files in the cache are those of the Hub: size and hash."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from onkocode.models.hub.cache import Place
from onkocode.models.hub.listing import Listed, Repository
from onkocode.records.ids import hash_file

TOGETHER = 4  # files hashed at once: disks and cores of a login node are shared


def damaged(place: Place, repository: Repository, again: bool = False) -> list[Listed]:
    """Return the files whose size or hash is wrong, among those that are there; the notes keep what is right.

    Args:
        place: the repository's place in the cache.
        repository: the files, with their hashes.
        again: hash files too that were right before and have not changed since.
    """
    snapshot, notes = place.snapshot(repository.commit), place.notes(repository.commit)
    there = [file for file in repository.files if (snapshot / file.name).is_file()]
    states = {file: _state(snapshot / file.name) for file in there}
    unknown = [file for file in there if again or notes.checked.get(file.name) != states[file]]
    with ThreadPoolExecutor(TOGETHER) as threads:
        right = dict(zip(unknown, threads.map(lambda file: is_right(snapshot / file.name, file), unknown), strict=True))
    if unknown:
        notes.checked |= {file.name: states[file] for file, fine in right.items() if fine}
        for file in (file for file, fine in right.items() if not fine):
            notes.checked.pop(file.name, None)
        place.write_notes(repository.commit, notes)
    return [file for file, fine in right.items() if not fine]


def is_right(path: Path, file: Listed) -> bool:
    """Tell whether a file has the listed size and hash; where no hash is known, the size decides."""
    if file.size not in (None, path.stat().st_size):
        return False
    if not file.digest:
        return True
    return (hash_file(path) if file.is_large else blob_id(path)) == file.digest


def blob_id(path: Path) -> str:
    """Return git's name of a file: SHA-1 of its size and its bytes."""
    hashed = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()


def remove(place: Place, commit: str, files: Sequence[Listed]) -> None:
    """Remove files from the cache, the link and what it leads to, so that they are fetched again."""
    for file in files:
        link = place.snapshot(commit) / file.name
        target = link.resolve()
        if target.is_relative_to(place.cache.resolve()):
            target.unlink(missing_ok=True)
        link.unlink(missing_ok=True)


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
