"""The user's own catalogue files: a folder with its subfolders, a single file, or a zip file."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from onkocode.catalogues.fetching.archives import GLANCE, LARGEST, ZIP_START, Candidate, list_members, read_start
from onkocode.catalogues.fetching.choosing import (
    Named,
    Wanted,
    choose_by_content,
    choose_by_name,
    listed,
    only_one,
    unverified,
)
from onkocode.records.errors import InputError

FOLDER_VARIABLE = "ONKOCODE_CATALOGUES"
NAMED_BY = f"catalogues.folder or {FOLDER_VARIABLE}"
# Files never opened in search of a catalogue.
FOREIGN = re.compile(
    r"\.(7z|avi|bin|bmp|bz2|db|dll|docx?|dtd|exe|gif|gz|html?|jar|jpe?g|json|md|mov|mp4|np[yz]|od[pst]|onnx|parquet|part|"
    r"pdf|pickle|pkl|png|pptx?|pt|pyc?|rar|rtf|safetensors|so|sqlite|svg|tar|tiff?|tmp|whl|xlsx?|xsd|xz|ya?ml|zst)"
)


def catalogue_folder(configured: Path | None) -> Path | None:
    """Return the user's folder, file or zip file: the configured one, else that of ONKOCODE_CATALOGUES, else None."""
    named = configured or (Path(os.environ[FOLDER_VARIABLE]) if os.environ.get(FOLDER_VARIABLE) else None)
    if named is None:
        return None
    named = named.expanduser()
    try:
        named.stat()
    except OSError as error:
        raise InputError(f"{named}: no such folder of catalogue files ({error.strerror}; {NAMED_BY})") from None
    return named


def search(wanted: Wanted, root: Path, advice: str = "put it there", unsure: bool = False) -> Path:
    """Return the user's file, or the zip file that holds it.

    A name that fits a pattern comes first, the preferred pattern before the others and files before zip files; where
    no name fits, zip files within zip files are searched; last, content decides.

    Args:
        wanted: what is looked for.
        root: folder, file or zip file.
        advice: what to do where nothing is found.
        unsure: take the only file that does not say its version, too; the caller checks its codes.

    Raises:
        InputError: none, several that differ, one whose content is another catalogue, or one whose version cannot be
            verified.
    """
    files, problems = list_files(root)
    zips = [path for path in files if path.suffix.lower() == ".zip"]
    try:
        found = choose_by_name(wanted, map(Candidate, files))
        for nested in (False, True):
            if found is None or (not nested and found.rank > 0):
                inside = choose_by_name(wanted, _members(zips, nested))
                found = inside if found is None or (inside and inside.rank < found.rank) else found
        if found is not None:
            return _verified(wanted, found, unsure)
        glances = list(_glances(files, problems))
        found = choose_by_name(wanted, (candidate for candidate in glances if candidate.place))  # zips by another name
        if found is not None:
            return _verified(wanted, found, unsure)
        content = choose_by_content(wanted, glances)
        if content.sure is not None:
            return content.sure.path
        if content.unsure and unsure:
            return only_one(wanted, content.unsure).path
    except InputError as error:
        raise InputError(f"{root}: {error}" if not str(error).startswith(str(root)) else str(error)) from None
    said = f"; of {wanted.dataset} there is {listed(content.others)}" if content.others else ""
    if content.unsure:
        raise InputError(f"{root}: {unverified(wanted, content.unsure)}{said}")
    said += f". Not searched: {listed(sorted(set(problems)))}" if problems else ""
    raise InputError(
        f"{root}: no file for {wanted} (looked for {' or '.join(wanted.patterns)}, in subfolders and zip files too, "
        f"and by content); {advice}{said}"
    )


def _verified(wanted: Wanted, found: Named, unsure: bool) -> Path:
    if not found.sure and not unsure:
        raise InputError(unverified(wanted, [found.candidate]))
    return found.candidate.path


def list_files(root: Path) -> tuple[list[Path], list[str]]:
    """List the regular files below a folder in a fixed order, and what could not be read.

    Symbolic links are followed, each folder is entered once. Hidden files, and what the workflow itself wrote (it has
    a provenance file beside it), are left out.
    """
    if not root.is_dir():
        return [root] if root.is_file() else [], []
    files: list[str] = []
    problems: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                found = {entry.name: entry for entry in entries if not entry.name.startswith(".")}
        except OSError as error:
            problems.append(f"{folder} ({error.strerror})")
            continue
        for name, entry in found.items():
            try:
                if entry.is_dir():
                    waiting.append(Path(entry.path))
                elif f"{name}.provenance.json" not in found and entry.is_file():
                    files.append(entry.path)
            except OSError as error:
                problems.append(f"{entry.path} ({error.strerror})")
    return [Path(file) for file in sorted(files)], sorted(problems)


def _members(zips: list[Path], nested: bool) -> Iterator[Candidate]:
    for path in zips:
        with suppress(InputError):  # named where nothing is found: _glances meets it again
            yield from list_members(Candidate(path), nested).members


def _glances(files: list[Path], problems: list[str]) -> Iterator[Candidate]:
    """Yield what may be a catalogue file, with its first bytes."""
    for path in files:
        if FOREIGN.fullmatch(path.suffix.lower()):
            continue
        try:
            status = path.stat()
            glance = read_start(path, GLANCE) if stat.S_ISREG(status.st_mode) else b""
            if glance.startswith(ZIP_START) or path.suffix.lower() == ".zip":
                listing = list_members(Candidate(path), nested=True, glances=True)
                problems += listing.problems
                yield from listing.members
            elif glance and status.st_size <= LARGEST:
                yield Candidate(path, glance=glance)
        except (OSError, InputError) as error:
            problems.append(str(error))
