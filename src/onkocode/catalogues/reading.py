"""Reading delimited catalogue text: encoding, line ends, field counts, and a clear word when one is off."""

from collections.abc import Sequence
from pathlib import Path

from onkocode.records.errors import InputError, first_of

BOM = b"\xef\xbb\xbf"


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; raises InputError when it is missing, empty or obviously another kind of file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not data.removeprefix(BOM).strip():
        raise InputError(f"{path}: is empty; fetch the file again")
    if looks_like_html(data):
        raise InputError(f"{path}: is an HTML page, not a catalogue file; download the file itself again")
    return data


def looks_like_html(data: bytes) -> bool:
    """Tell whether bytes begin like a web page."""
    head = data.lstrip(BOM).lstrip()[:200].lower()
    return head.startswith((b"<!doctype html", b"<html")) or b"<html" in head


def decode(data: bytes, path: Path) -> str:
    """Decode UTF-8, with or without byte order mark; raises InputError naming the line of the first wrong byte."""
    if b"\0" in data:
        raise InputError(
            f"{path}: holds zero bytes, so it is UTF-16 or no text; convert the file, for example with "
            f"`iconv -f UTF-16 -t UTF-8`"
        )
    try:
        return data.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}:{line}: not UTF-8 (byte 0x{error.object[error.start]:02x}); convert the file, for example with "
            f"`iconv -f WINDOWS-1252 -t UTF-8`"
        ) from None


def split_rows(path: Path, separator: str, columns: Sequence[int], layout: str) -> list[list[str]]:
    """Return the fields of every line of a file without header.

    Args:
        path: the file.
        separator: one character; the layouts know no quoting.
        columns: the allowed numbers of fields; all lines must have the same one.
        layout: the layout's name, for messages.

    Raises:
        InputError: missing or empty file, HTML, wrong encoding, wrong or varying field count, cut end.
    """
    text = decode(read_bytes(path), path)
    if not text.endswith("\n"):
        raise InputError(f"{path}: the last line has no line end, so the file was cut off; fetch it again")
    # Not str.splitlines, which also breaks at form feeds and other characters within a title.
    rows = [line.removesuffix("\r").split(separator) for line in text.removesuffix("\n").split("\n")]
    allowed = " or ".join(map(str, columns))
    expected = len(rows[0]) if len(rows[0]) in columns else columns[0]
    problems = [f"line {number}: {len(row)} fields" for number, row in enumerate(rows, 1) if len(row) != expected]
    if problems:
        raise InputError(
            f"{path}: not in the {layout} layout ({allowed} fields separated by {separator!r}); "
            f"check that it is the right file and whole:\n{first_of(problems, 3)}"
        )
    return rows
