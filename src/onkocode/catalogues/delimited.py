"""Users' CSV and TSV files with a header: encoding, separator, rows. No message repeats a cell of a row."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from onkocode.catalogues.reading import BOM, read_bytes
from onkocode.records.errors import InputError

SEPARATORS = ";,\t"


def read_delimited(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the header and an iterator over the rows, each with the line in which it begins; empty lines are left out.

    The file is UTF-8, with or without byte order mark, or Windows-1252. The separator is the one of `;`, `,` and tab
    that the first line holds most of. Rows are decoded one at a time, so that the file is in memory once, as bytes.

    Raises:
        InputError: missing or empty file, another kind of file, another encoding, an unsound line. The last also while
            the rows are read.
    """
    data = read_bytes(path).removeprefix(BOM)
    encoding = _encoding(data, path)
    first = data.split(b"\n", 1)[0].decode(encoding)
    separator = max(SEPARATORS, key=first.count)
    lines = io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="")
    rows = _rows(path, lines, separator)
    _, header = next(rows)
    return [name.strip() for name in header], ((line, row) for line, row in rows if row)


def check_header(path: Path, header: Sequence[str], wanted: Sequence[str], remedy: str) -> None:
    """Raise InputError where a wanted column is missing or stands twice; ``remedy`` says how to name another one."""
    missing = [name for name in wanted if name not in header]
    if missing:
        # Without a single known column the line may be no header at all, but a diagnosis.
        known = len(missing) < len(set(wanted))
        found = f"found: {', '.join(header)}" if known else "none of the columns is there; is the first line a header?"
        raise InputError(f"{path}:1: no column {', '.join(map(repr, missing))} ({found}); {remedy}")
    repeated = [name for name in wanted if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path}:1: column {', '.join(map(repr, repeated))} stands twice; rename or remove one")


def _encoding(data: bytes, path: Path) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise InputError(f"{path}: holds zero bytes (UTF-16, or not a text file); save it as UTF-8")
        return encoding
    raise InputError(f"{path}: neither UTF-8 nor Windows-1252; save it as UTF-8")


def _rows(path: Path, lines: io.TextIOWrapper, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        line = 1
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a sound CSV line ({error})") from None
