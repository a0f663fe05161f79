"""Output on any terminal: characters that its encoding lacks get a readable stand-in, and nothing raises over them."""

import codecs
import io
import os
import sys
import unicodedata
from contextlib import suppress

# What programs for UTF-8 terminals write, in ASCII; letters with marks come from Unicode itself.
STAND_INS = {
    **dict.fromkeys("‐‑‒–−", "-"),
    **dict.fromkeys("„“”‟«»", '"'),
    **dict.fromkeys("‘’‚´", "'"),
    "—": "--",
    "…": "...",
    "→": "->",
    "←": "<-",
    "×": "x",
    "·": "-",
    "≥": ">=",
    "≤": "<=",
    "≈": "~",
    "±": "+/-",
    "§": "Par.",
    "©": "(c)",
    "€": "EUR",
    "√": "sqrt",
    "Σ": "sum",
    "∞": "inf",
    "▲": "^",
    "µ": "u",
    **dict.fromkeys("†‡", "+"),
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "Ä": "Ae",
    "Ö": "Oe",
    "Ü": "Ue",
    "ß": "ss",
}
STAND_IN, STAND_IN_OR_BYTE = "onkocode-stand-in", "onkocode-stand-in-or-byte"
CLOSED_PIPE = 141  # what a shell reports for a program that SIGPIPE ended


class OutputError(Exception):
    """Standard output cannot be written; ``closed`` tells that nobody reads it any more."""

    def __init__(self, message: str, closed: bool) -> None:
        super().__init__(message)
        self.closed = closed


def stand_in(character: str) -> str:
    """Return ASCII for a character; the undecodable byte of a file name becomes its number, as in Python."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character in STAND_INS:
        return STAND_INS[character]
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "?"


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return stand_in(error.object[error.start]), error.start + 1


def _replace_or_byte(error: UnicodeError) -> tuple[str | bytes, int]:
    """As above, but a byte of a file name goes out as it came in, as Python does it in the locale C."""
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= error.object[error.start] <= "\udcff":
        return bytes([ord(error.object[error.start]) - 0xDC00]), error.start + 1
    return _replace(error)


codecs.register_error(STAND_IN, _replace)
codecs.register_error(STAND_IN_OR_BYTE, _replace_or_byte)


def make_readable() -> None:
    """Let standard output and error write stand-ins; what they can encode is written as before."""
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if codecs.lookup(stream.encoding).name != "utf-8" or stream.errors == "strict":
            stream.reconfigure(errors=STAND_IN_OR_BYTE if stream.errors == "surrogateescape" else STAND_IN)


def writes_utf8() -> bool:
    """Tell whether standard output can take every character as it is."""
    return sys.stdout is None or codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"


def say(*parts: object, sep: str = " ", end: str = "\n") -> None:
    """Write to standard output at once.

    Raises:
        OutputError: if it cannot be written.
    """
    try:
        print(*parts, sep=sep, end=end, flush=True)  # noqa: T201
    except OSError as error:
        raise OutputError(str(error.strerror), closed=isinstance(error, BrokenPipeError)) from error


def drop_output() -> None:
    """Let standard output lead nowhere, else the interpreter complains at its end about what it cannot write."""
    with suppress(OSError, ValueError):  # no real file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
