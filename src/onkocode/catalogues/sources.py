"""Where a catalogue file is found, and how it gets into the results: example, user's folder, or download."""

import fnmatch
import io
import lzma
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from onkocode.catalogues.reading import looks_like_html
from onkocode.records.errors import InputError
from onkocode.records.files import new_file
from onkocode.records.ids import hash_file

FOLDER_VARIABLE = "ONKOCODE_CATALOGUES"
LARGEST_MEMBER = 500_000_000  # bytes; the largest official text is below 10 MB
TERMS = {
    "BfArM": "https://www.bfarm.de/DE/Kodiersysteme/Services/Downloads/_node.html",
    "MIT": "the project's own licence",
}
COLUMNS = ["dataset", "version", "file", "url", "sha256", "terms", "note"]


@dataclass(frozen=True)
class Source:
    """A row of the table of sources. `file` holds name patterns separated by spaces, the preferred one first."""

    dataset: str
    version: str
    file: str
    url: str
    sha256: str
    terms: str
    note: str

    @property
    def patterns(self) -> list[str]:
        """Name patterns of the catalogue file."""
        return self.file.split()


def read_sources(table: Path) -> dict[tuple[str, str], Source]:
    """Read and check the table of sources; raises InputError naming its line."""
    try:
        frame = pl.read_csv(table, separator="\t", infer_schema=False).fill_null("")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{table}: not a readable table of sources ({error})") from None
    if frame.columns != COLUMNS:
        raise InputError(f"{table}: the columns must be {', '.join(COLUMNS)}")
    found: dict[tuple[str, str], Source] = {}
    for line, row in enumerate(frame.iter_rows(named=True), 2):
        source = Source(**row)
        key = (source.dataset, source.version)
        if key in found:
            raise InputError(f"{table}:{line}: {source.dataset} {source.version} stands twice")
        if not source.patterns:
            raise InputError(f"{table}:{line}: `file` is empty")
        if source.terms not in TERMS:
            raise InputError(f"{table}:{line}: unknown terms {source.terms!r} (known: {', '.join(TERMS)})")
        if source.sha256 and len(source.sha256) != 64:
            raise InputError(f"{table}:{line}: sha256 must have 64 hexadecimal digits")
        found[key] = source
    return found


def catalogue_folder(configured: Path | None) -> Path | None:
    """Return the user's folder: the configured one, else that of ONKOCODE_CATALOGUES, else None."""
    named = configured or (Path(os.environ[FOLDER_VARIABLE]) if os.environ.get(FOLDER_VARIABLE) else None)
    if named is not None and not named.is_dir():
        raise InputError(f"{named}: no such folder of catalogue files (catalogues.folder or {FOLDER_VARIABLE})")
    return named


def find_local(source: Source, folder: Path | None) -> Path | None:
    """Return the local file of a source: shipped with the project, or in the user's folder; None = to be downloaded.

    Raises:
        InputError: the folder is given but holds no such file, or several with different content.
    """
    shipped = Path(source.file)
    if len(source.patterns) == 1 and shipped.is_file():
        return shipped
    if folder is None:
        return None
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for pattern in source.patterns:
        named = [path for path in files if fnmatch.fnmatch(path.name.lower(), pattern.lower())]
        if len({hash_file(path) for path in named}) > 1:
            raise InputError(
                f"{folder}: several different files for {source.dataset} {source.version}: "
                f"{', '.join(str(path.relative_to(folder)) for path in named)}; keep one of them there"
            )
        if named:
            return named[0]
    archives = [path for path in files if path.suffix.lower() == ".zip"]
    for archive in archives:
        if zipfile.is_zipfile(archive) and _members(archive.read_bytes(), source, str(archive)):
            return archive
    broken = [str(path.relative_to(folder)) for path in archives if not zipfile.is_zipfile(path)]
    raise InputError(
        f"{folder}: no file for {source.dataset} {source.version} (looked for {' or '.join(source.patterns)}, in "
        f"subfolders and zip files too); put it there, or leave the folder out to download"
        + (f". Not whole zip files, so download them again: {', '.join(broken)}" if broken else "")
    )


def retrieve(source: Source, local: Path | None, accept_terms: bool, output: Path) -> dict[str, str]:
    """Copy or download a catalogue file to ``output``; returns facts for the provenance.

    Raises:
        InputError: no consent, no address, wrong checksum, an HTML page, a broken or absurd archive.
    """
    if local is not None:
        data, origin = local.read_bytes(), str(local)
    else:
        data, origin = _download(source, accept_terms), source.url
    if local is None and looks_like_html(data):
        raise InputError(
            f"{origin}: answered with an HTML page instead of the file; open {TERMS[source.terms]} in a browser, "
            f"download it and set catalogues.folder"
        )
    member = ""
    if data[:2] == b"PK" or str(origin).lower().endswith(".zip"):
        data, member = _unpack(data, source, origin)
    with new_file(output) as temporary:
        temporary.write_bytes(data)
    return {"origin": origin, "member": member, "sha256": hash_file(output), "terms": TERMS[source.terms]}


def _download(source: Source, accept_terms: bool) -> bytes:
    place = TERMS[source.terms]
    if not source.url:
        raise InputError(
            f"{source.dataset} {source.version}: no download address is known ({source.note}); get the file from "
            f"{place} and set catalogues.folder or {FOLDER_VARIABLE}"
        )
    if not accept_terms:
        raise InputError(
            f"{source.dataset} {source.version}: the terms of use must be accepted before downloading: read {place}, "
            f"then set catalogues.accept_terms: true"
        )
    import hashlib

    import requests
    from requests.adapters import HTTPAdapter
    from tqdm import tqdm
    from urllib3.util import Retry

    session = requests.Session()
    session.mount(
        "https://", HTTPAdapter(max_retries=Retry(4, backoff_factor=1, status_forcelist=[429, 500, 502, 503]))
    )
    try:
        with session.get(source.url, stream=True, timeout=60) as response:
            response.raise_for_status()
            compressed = "content-encoding" in response.headers  # the length is then that before unpacking
            size = 0 if compressed else int(response.headers.get("content-length", 0))
            buffer = io.BytesIO()
            with tqdm(total=size or None, unit="B", unit_scale=True, desc=source.dataset) as bar:
                for block in response.iter_content(1 << 20):
                    bar.update(buffer.write(block))
    except requests.RequestException as error:
        raise InputError(f"{source.url}: download failed ({error}); try again, or set catalogues.folder") from None
    data = buffer.getvalue()
    if size and len(data) != size:
        raise InputError(f"{source.url}: got {len(data)} of {size} bytes; try again")
    if source.sha256 and hashlib.sha256(data).hexdigest() != source.sha256:
        raise InputError(f"{source.url}: wrong checksum; the file has changed or was damaged, so it is not used")
    return data


def _members(data: bytes, source: Source, origin: str) -> list[zipfile.ZipInfo]:
    """Return the members of an archive that match the best pattern."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        raise InputError(f"{origin}: not a whole zip file; download it again") from None
    for pattern in source.patterns:
        matching = [
            member
            for member in archive.infolist()
            if not member.is_dir() and fnmatch.fnmatch(Path(member.filename).name.lower(), pattern.lower())
        ]
        if matching:
            return matching
    return []


def _unpack(data: bytes, source: Source, origin: str) -> tuple[bytes, str]:
    """Return one member of an archive. Nothing is written under the member's own name, so no path can escape."""
    if looks_like_html(data):
        raise InputError(f"{origin}: is an HTML page, not a zip file; download the file itself again")
    members = _members(data, source, origin)
    if len(members) != 1:
        names = ", ".join(member.filename for member in members) or "none"
        raise InputError(f"{origin}: expected one member like {' or '.join(source.patterns)}, found {names}")
    if ".." in Path(members[0].filename).parts or members[0].filename.startswith("/"):
        raise InputError(f"{origin}: the member {members[0].filename!r} points outside the archive; refused")
    if members[0].file_size > LARGEST_MEMBER:
        raise InputError(f"{origin}: {members[0].filename} claims {members[0].file_size} bytes; refused")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(members[0]), members[0].filename
    except (zipfile.BadZipFile, RuntimeError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{origin}: {members[0].filename} cannot be unpacked ({error}); download it again") from None
