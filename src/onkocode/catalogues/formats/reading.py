"""Reading catalogue files: kind of file, line ends, fields, and a clear word when one of them is off."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.encodings import BOM, decode
from onkocode.records.errors import InputError, first_of

SIGNATURES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word document",
    b"%PDF": "a PDF document",
}


@dataclass(frozen=True)
class Lines:
    """The lines of a text file, and whether the last one has a line end."""

    path: Path
    lines: list[str]
    ended: bool


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; raises InputError when it is missing, empty or obviously another kind of file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not data.removeprefix(BOM).strip():
        raise InputError(f"{path}: is empty; fetch the file again")
    for signature, kind in SIGNATURES.items():
        if data.startswith(signature):
            raise InputError(f"{path}: is {kind}, not a text file; unpack it, or save it as text (CSV, UTF-8)")
    if looks_like_html(data):
        raise InputError(f"{path}: is an HTML page, not a catalogue file; download the file itself again")
    return data


def looks_like_html(data: bytes) -> bool:
    """Tell whether bytes begin like a web page."""
    head = data.lstrip(BOM).lstrip()[:200].lower()
    return head.startswith((b"<!doctype html", b"<html")) or b"<html" in head


def is_xml(data: bytes) -> bool:
    """Tell whether bytes begin like XML."""
    return data.removeprefix(BOM).lstrip().startswith(b"<")


def read_lines(path: Path) -> Lines:
    """Return the lines of a text file; they end with LF or CRLF.

    Raises:
        InputError: missing or empty file, another kind of file, wrong encoding, other line ends.
    """
    text = decode(read_bytes(path), path).replace("\r\n", "\n")
    if "\r" in text:
        line = text.count("\n", 0, text.index("\r")) + 1
        raise InputError(
            f"{path}:{line}: a carriage return without line feed; convert the line ends to LF or CRLF (for example "
            f"with `mac2unix`), or fetch the file again"
        )
    # Not str.splitlines, which also breaks at form feeds and other characters within a title.
    return Lines(path, text.removesuffix("\n").split("\n"), text.endswith("\n"))


def split_fields(
    lines: Lines, separator: str, layouts: Mapping[int, Sequence[str]], layout: str, whole: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the fields of a file without header: columns `line` (from 1) and those named in the layout, as text.

    Args:
        lines: the file.
        separator: one character; the layouts know no quoting.
        layouts: number of fields → names of the first of them; all lines must have the same number.
        layout: the layout's name, for messages.
        whole: last fields that no cut can leave behind. Only with one of them may the last line lack its line end: a
            text field would be shortened unseen.

    Raises:
        InputError: wrong or varying number of fields, cut end.
    """
    text = pl.Series("text", lines.lines, dtype=pl.String)
    counts = (text.str.count_matches(separator, literal=True) + 1).to_list()
    expected = counts[0] if counts[0] in layouts else next(iter(layouts))
    allowed = " or ".join(map(str, layouts)) if len(layouts) < 4 else f"{min(layouts)} to {max(layouts)}"
    _check_counts(lines, counts, expected, f"{layout} layout ({allowed} fields separated by {separator!r})")
    parts = pl.DataFrame({"parts": text.str.split(separator)})
    names = enumerate(layouts[expected])
    frame = parts.select(pl.col("parts").list.get(place).alias(name) for place, name in names)
    check_end(lines, lines.lines[-1].rsplit(separator, 1)[-1] in whole)
    return frame.with_row_index("line", 1)


def split_table(lines: Lines, separator: str, columns: Mapping[str, str], layout: str) -> pl.DataFrame:
    """Return columns of a file with header: `line` (2 = first row) and the new names of those asked for, as text.

    A field may stand in double quotes, as CSV has it, but not over several lines. The end is not checked.

    Args:
        lines: the file.
        separator: one character.
        columns: name in the header → new name; other columns are left out.
        layout: the layout's name, for messages.

    Raises:
        InputError: a column that is missing or stands twice, no rows, wrong number of fields, an open quote.
    """
    rows: list[list[str]] = []
    for number, line in enumerate(lines.lines, 1):
        try:
            quoted = '"' in line
            rows.append(next(csv.reader([line], delimiter=separator, strict=True)) if quoted else line.split(separator))
        except csv.Error as error:
            raise InputError(f"{lines.path}:{number}: not a sound CSV line ({error}); mend the quotes") from None
    header, *body = rows
    wrong = [
        f"column {name!r} {'stands twice' if name in header else 'is missing'}"
        for name in columns
        if header.count(name) != 1
    ]
    if wrong:
        raise InputError(
            f"{lines.path}:1: not in the {layout} layout; check that it is the right file:\n{first_of(wrong)}"
        )
    if not body:
        raise InputError(f"{lines.path}: has a header but no rows; fetch the file again")
    _check_counts(lines, [len(row) for row in rows], len(header), f"{layout} layout ({len(header)} fields)")
    places = {new: header.index(name) for name, new in columns.items()}
    frame = pl.DataFrame(
        {new: pl.Series([row[place] for row in body], dtype=pl.String) for new, place in places.items()}
    )
    return frame.with_row_index("line", 2)


def check_end(lines: Lines, whole: bool) -> None:
    """Raise InputError where the last line has no line end and its last field does not show that it is whole."""
    if not lines.ended and not whole:
        raise InputError(
            f"{lines.path}:{len(lines.lines)}: the last line has no line end, so the file was cut off; fetch it again"
        )


def _check_counts(lines: Lines, counts: Sequence[int], expected: int, layout: str) -> None:
    wrong = [(number, count) for number, count in enumerate(counts, 1) if count != expected]
    if [number for number, _ in wrong] == [len(counts)] and len(counts) > 1:
        check_end(lines, whole=False)
    if wrong:
        shown = first_of([f"line {number}: {count} fields" for number, count in wrong], 3)
        raise InputError(f"{lines.path}: not in the {layout}; check that it is the right file and whole:\n{shown}")


def problems(rows: pl.DataFrame, checks: Iterable[tuple[pl.Expr, str]]) -> list[str]:
    """Return what is wrong, in the order of the lines.

    Args:
        rows: with a column `line`.
        checks: pairs of a condition that finds wrong rows, and a message in which `{column}` stands for a value.
    """
    found: list[tuple[int, str]] = []
    for wrong, message in checks:
        for row in rows.filter(wrong).iter_rows(named=True):
            values = {name: _shown(value) for name, value in row.items()}
            found.append((row["line"], message.format(**values)))
    return [f"line {line}: {message}" for line, message in sorted(found)]


def repeated(column: str) -> tuple[pl.Expr, pl.Expr]:
    """Return two expressions: the rows whose value stands in an earlier row, and the line of the first such row."""
    return ~pl.col(column).is_first_distinct(), pl.col("line").first().over(column)


def matches(column: str, pattern: re.Pattern[str]) -> pl.Expr:
    """Return the expression that is true where the whole value matches; ASCII digits only."""
    return pl.col(column).str.contains(f"^(?-u:{pattern.pattern})$")


def _shown(value: object) -> object:
    """Return a value for a message; what does not look like a code or a flag may be a text, which is not repeated."""
    if not isinstance(value, str):
        return value
    looks_like_code = len(value) < 3 or (len(value) < 12 and any(sign.isdigit() for sign in value))
    return repr(value) if looks_like_code else f"a value of {len(value)} characters"
