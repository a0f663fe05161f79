"""Reading zip files that come from elsewhere: nothing in them is trusted, and nothing is written under its own name."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import urlsplit

from onkocode.catalogues.formats.reading import looks_like_html
from onkocode.records.errors import InputError

LARGEST = 200_000_000  # bytes of one catalogue file; the largest official one (ClaML of ICD-10-GM) has about 15 million
LARGEST_SEARCH = 1_000_000_000  # bytes unpacked while one zip file is searched
GLANCE = 4_096  # bytes that tell whether a file is worth a closer look
BLOCK = 1 << 20
ZIP_START = b"PK\x03\x04"
# What official zip files use. Python's bzip2 and LZMA readers unpack a whole block at once, however large it becomes.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    RuntimeError,  # its subclass for compression methods that Python lacks, too
    ValueError,  # UnicodeDecodeError too: a name that says it is UTF-8
    OverflowError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Candidate:
    """A file, or a member of a zip file, that may be the one looked for.

    Attributes:
        path: the file itself, or the zip file that holds it.
        place: position in the directory of the zip file; two positions for a member of a zip file in the zip file;
            empty for a file on disk. Names would not do: a zip file may hold the same name twice.
        member: name within the zip file, for messages and provenance.
        glance: the first bytes where they were asked for.
        url: where the file was downloaded from; empty for the user's own.
    """

    path: Path
    place: tuple[int, ...] = ()
    member: str = ""
    glance: bytes = b""
    url: str = ""

    @property
    def origin(self) -> str:
        """The file on disk, or the address of a downloaded one, for messages."""
        return self.url or str(self.path)

    @property
    def name(self) -> str:
        """File name without folders."""
        if self.place:
            return PurePosixPath(self.member).name
        return PurePosixPath(urlsplit(self.url).path).name if self.url else self.path.name

    def __str__(self) -> str:
        return f"{self.origin} ({self.member})" if self.place else self.origin


@dataclass(frozen=True)
class Listing:
    """What a zip file holds, and which zip files within it could not be searched."""

    members: list[Candidate]
    problems: list[str]


def is_zip(path: Path) -> bool:
    """Tell by its first bytes or its name whether a file is meant to be a zip file."""
    return path.suffix.lower() == ".zip" or read_start(path, len(ZIP_START)) == ZIP_START


def list_members(file: Candidate, nested: bool = False, glances: bool = False) -> Listing:
    """List the members of a zip file.

    Args:
        file: the zip file.
        nested: also list the members of the zip files in it, one level deep.
        glances: read the first bytes of each member; one that cannot be read counts as a problem.

    Raises:
        InputError: not a whole zip file.
    """
    listing = Listing([], [])
    room = LARGEST_SEARCH
    with _opened(file.path, file.origin) as archive:
        for place, info in enumerate(archive.infolist()):
            member = replace(file, place=(place,), member=_name(info))
            inside = nested and member.name.lower().endswith(".zip")
            if _skipped(member.member):
                continue
            try:
                glance = _unpacked(archive, info, file.origin, GLANCE) if glances and not inside else b""
                room -= len(glance)
                if not inside:
                    listing.members.append(replace(member, glance=glance))
                    continue
                data = _unpacked(archive, info, file.origin)
                room -= len(data)
                if room < 0:
                    raise InputError(f"{file.origin}: holds more than can be searched; unpack it into the folder")
                listing.members.extend(_list_nested(data, member, glances))
            except InputError as error:
                listing.problems.append(str(error))
    return listing


def read_start(path: Path, count: int) -> bytes:
    """Return the first bytes of a file; raises InputError when it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def read_candidate(candidate: Candidate, count: int | None = None) -> bytes:
    """Return a candidate's content, or only its first ``count`` bytes.

    Raises:
        InputError: cannot be read, larger than LARGEST, or a member that is encrypted, damaged, a link, points outside
            the zip file, or is compressed in an unusual way.
    """
    path, origin = candidate.path, candidate.origin
    if not candidate.place:
        data = read_start(path, LARGEST + 1 if count is None else count)
        if len(data) > LARGEST:
            raise InputError(f"{origin}: is larger than {LARGEST} bytes, so it is no catalogue file")
        return data
    with _opened(path, origin) as archive:
        info = archive.infolist()[candidate.place[0]]
        if len(candidate.place) == 1:
            return _unpacked(archive, info, origin, count)
        inner = _unpacked(archive, info, origin)
        origin = f"{origin} ({_name(info)})"
    with _opened(io.BytesIO(inner), origin) as archive:
        return _unpacked(archive, archive.infolist()[candidate.place[1]], origin, count)


@contextmanager
def _opened(source: Path | BinaryIO, origin: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(source)
    except BROKEN as error:
        page = isinstance(source, Path) and looks_like_html(read_start(source, GLANCE))
        said = "is an HTML page, not a zip file" if page else f"not a whole zip file ({error})"
        raise InputError(f"{origin}: {said}; download it again") from None
    with archive:
        yield archive


def _list_nested(data: bytes, outer: Candidate, glances: bool) -> Iterator[Candidate]:
    origin = str(outer)
    with _opened(io.BytesIO(data), origin) as archive:
        for place, info in enumerate(archive.infolist()):
            if not _skipped(_name(info)):
                glance = _unpacked(archive, info, origin, GLANCE) if glances else b""
                name = f"{outer.member}/{_name(info)}"
                yield replace(outer, place=(*outer.place, place), member=name, glance=glance)


def _name(info: zipfile.ZipInfo) -> str:
    return info.filename.replace("\\", "/")  # some Windows programs write backslashes


def _skipped(name: str) -> bool:
    """Tell whether a member is a folder, or what macOS adds."""
    parts = PurePosixPath(name).parts
    return name.endswith("/") or any(part == "__MACOSX" or (part[0] == "." and part.strip(".")) for part in parts)


def _refusal(info: zipfile.ZipInfo) -> str:
    """Return why a member is not unpacked; empty = it may be."""
    name = _name(info)
    if name.startswith("/") or name[1:2] == ":" or ".." in PurePosixPath(name).parts:
        return "points outside the zip file; refused"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a symbolic link; refused"
    if info.flag_bits & 1:
        return "is encrypted; unpack it yourself and name the file"
    if info.compress_type not in METHODS:
        return f"is compressed in an unusual way (method {info.compress_type}); unpack it yourself and name the file"
    if info.file_size > LARGEST:
        return f"claims {info.file_size} bytes; refused"
    return ""


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, origin: str, count: int | None = None) -> bytes:
    """Unpack a member block by block, so that one whose sizes are a lie does not fill the memory."""
    refusal = _refusal(info)
    if refusal:
        raise InputError(f"{origin}: the member {_name(info)!r} {refusal}")
    data = bytearray()
    try:
        with archive.open(info) as stream:
            while (count is None or len(data) < count) and (block := stream.read(min(BLOCK, count or BLOCK))):
                data += block
        if count is None and len(data) != info.file_size:
            raise EOFError(f"{len(data)} of {info.file_size} bytes")
    except BROKEN as error:
        raise InputError(f"{origin}: the member {_name(info)!r} is damaged ({error}); download it again") from None
    return bytes(data)
