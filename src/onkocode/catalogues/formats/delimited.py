"""Users' CSV and TSV files with a header: letters, separator, rows. No message repeats a cell of a row."""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from onkocode.catalogues.formats.encodings import SAVE, Encoded, find_encoding
from onkocode.catalogues.formats.reading import read_bytes
from onkocode.records.errors import InputError

SEPARATORS = ";,\t"
# Blank, though Unicode counts them as letters, marks or signs: fillers of Hangul and Khmer, the combining grapheme
# joiner, selectors of variants, the empty braille cell, the empty note.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
)
_UNSEEN = ("Cc", "Cf")  # controls and format characters: of width zero, soft hyphens, marks of direction and byte order


class Rows:
    """An iterator over the rows of a file, each with the line in which it begins.

    Attributes:
        header_line: the line of the header.
        empty: number of rows of separators alone that were passed over so far, as Excel writes them.
    """

    def __init__(self, numbered: Iterator[tuple[int, list[str]]]) -> None:
        self.header_line = 1
        self.empty = 0
        self._filled = self._without_empty(numbered)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self._filled

    def __next__(self) -> tuple[int, list[str]]:
        return next(self._filled)

    def _without_empty(self, numbered: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
        for line, row in numbered:
            if row and (row[0].isalnum() or visible("".join(row))):
                yield line, row
            else:
                self.empty += bool(row)

    @property
    def note(self) -> list[str]:
        """What to tell about the rows that were passed over; empty where there were none."""
        return [f"{self.empty} empty row(s) were passed over"] if self.empty else []


def read_delimited(path: Path) -> tuple[list[str], Rows]:
    """Return the header and the rows.

    The file is UTF-8, with or without byte order mark, or Windows-1252 (see `find_encoding`); letters are composed
    (NFC). The separator is the one of `;`, `,` and tab that the header holds most of. Empty lines and rows of
    separators alone are left out, before the header too. Rows are decoded some at a time, so that the file is in memory
    once, as bytes.

    Raises:
        InputError: missing or empty file, another kind of file, another encoding, an unsound line. The last also while
            the rows are read.
    """
    text = find_encoding(read_bytes(path), path, SAVE)
    first = next((line for line in text.lines() if visible(line.translate(dict.fromkeys(map(ord, SEPARATORS))))), "")
    rows = Rows(_rows(path, text, max(SEPARATORS, key=first.count)))
    rows.header_line, header = next(rows, (1, []))
    rows.empty = 0
    return [visible(name) for name in header], rows


def visible(cell: str) -> str:
    """Return a cell without the characters that nobody sees, and without white space around it.

    What holds no letter, digit or sign is empty.
    """
    if cell.isascii() and cell.isprintable():  # nearly all
        return cell.strip()
    if not cell.isprintable() or _BLANK.search(cell):  # of the spaces, only the common one counts as printable
        cell = "".join(
            sign for sign in cell if sign.isspace() or not (unicodedata.category(sign) in _UNSEEN or _BLANK.match(sign))
        )
    cell = cell.strip()
    if cell.isascii() or any(unicodedata.category(sign)[0] not in "MZ" for sign in cell):
        return cell
    return ""


def check_header(path: Path, line: int, header: Sequence[str], wanted: Sequence[str], remedy: str) -> None:
    """Raise InputError where a wanted column is missing or stands twice; ``remedy`` says how to name another one."""
    missing = [name for name in wanted if name not in header]
    if missing:
        # Without a single known column the line may be no header at all, but a diagnosis.
        known = len(missing) < len(set(wanted))
        found = f"found: {', '.join(header)}" if known else "none of the columns is there; is the first line a header?"
        raise InputError(f"{path}:{line}: no column {', '.join(map(repr, missing))} ({found}); {remedy}")
    repeated = [name for name in wanted if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path}:{line}: column {', '.join(map(repr, repeated))} stands twice; rename or remove one")


def _rows(path: Path, text: Encoded, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.lines(), delimiter=separator, strict=True)
    try:
        line = 1
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        if "new-line character" in str(error):
            raise InputError(
                f"{path}:{reader.line_num}: a carriage return without line feed outside of quotes; convert the line "
                f"ends to LF or CRLF (for example with `mac2unix`)"
            ) from None
        raise InputError(f"{path}:{reader.line_num}: not a sound CSV line ({error})") from None
