"""The one reader of text files, the catalogues' and the users': bytes in, letters out, or a clear word."""

import codecs
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onkocode.catalogues.formats.code_pages import NAMES, blocks, find_doubt
from onkocode.records.errors import InputError

BOM = codecs.BOM_UTF8
FETCH = "fetch the file again"
SAVE = "save it as UTF-8 (Excel: CSV UTF-8) from the program that holds the texts"
# The first byte of a UTF-8 umlaut, combining accent, Greek letter or quotation mark, read as Windows-1252, and what can
# follow it; then as CP850 and Mac Roman. No German word has these pairs, so they show text that was decoded wrongly.
_FOLLOWING = bytes(range(0x80, 0xC0)).decode("cp1252", "surrogateescape") + "".join(map(chr, range(0x80, 0xA0)))
_OTHERS = {page: bytes(range(0x80, 0xC0)).decode(page) for page in NAMES}
_MISREAD_UTF8 = re.compile(
    f"[ÂÃÌÎÏ][{re.escape(_FOLLOWING)}]|â[{re.escape(_FOLLOWING)}]{{2}}|ï¿½"
    f"|[├┬][{re.escape(_OTHERS['cp850'])}]|[√¬][{re.escape(_OTHERS['mac_roman'])}]"
)
_MAYBE_MISREAD = re.compile("[ÂÃÌÎÏâï├┬√¬]")
# Controls that no text holds, and the sign for a letter that an earlier conversion lost.
_LOST = re.compile("[\x80-\x9f\ufffd]")
_SUSPECT = re.compile("[ÂÃÌÎÏâï├┬√¬\x80-\x9f\ufffd]")
_OTHER_XML_ENCODING = re.compile(rb"""\s*<\?xml[^>]*encoding=["'](?!utf-?8)""", re.IGNORECASE)


@dataclass(frozen=True)
class Encoded:
    """Bytes of a text file whose letters are known; without byte order mark."""

    data: bytes
    encoding: str  # utf-8 | cp1252
    end: bytes  # of its lines: CR where the file has no LF

    def text(self) -> str:
        """Return the whole text in composed letters (NFC)."""
        return unicodedata.normalize("NFC", self.data.decode(self.encoding))

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends, in composed letters; few of them are in memory at once."""
        for _, block in blocks(self.data, self.end):
            text = unicodedata.normalize("NFC", block.decode(self.encoding))
            yield from io.StringIO(text, newline=self.end.decode())


def decode(data: bytes, path: Path) -> str:
    """Return a catalogue's text in composed letters (NFC); see `find_encoding`."""
    return find_encoding(data, path).text()


def find_encoding(data: bytes, path: Path, advice: str = FETCH) -> Encoded:
    """Tell UTF-8, with or without byte order mark, from Windows-1252, which has all letters of Latin-1.

    What would turn into wrong letters is an error: lines in different encodings, text that was encoded twice, umlauts
    of DOS and old Macs, letters that an earlier conversion lost, and XML that is not in the encoding it claims.

    Args:
        data: the file's bytes.
        path: for messages.
        advice: what to do about a file that is damaged; `FETCH` or `SAVE`.

    Raises:
        InputError: with the line where it shows.
    """
    if b"\0" in data or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        line = data.partition(b"\0")[0].count(b"\n") + 1
        remedy = f"{SAVE}, or convert it" if advice == SAVE else "convert the file"
        raise InputError(
            f"{path}:{line}: holds zero bytes, so it is UTF-16 or no text; {remedy}, for example with "
            f"`iconv -f UTF-16 -t UTF-8`"
        )
    marked, data = data.startswith(BOM), data.removeprefix(BOM)
    end = b"\n" if b"\n" in data else b"\r"
    encoding = "utf-8"
    for first, block in blocks(data, end):
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError as error:
            line = first + block.count(end, 0, error.start)
            wrong = f"{path}:{line}: not UTF-8 (byte 0x{block[error.start]:02x})"
            _check_windows(data, end, wrong, marked, advice)
            encoding = "cp1252"
            break
        if not block.isascii() and _SUSPECT.search(text):  # one search for all, since most blocks hold none
            _check_letters(text, first, end, path, advice)
    return Encoded(data, encoding, end)


def _check_letters(text: str, first: int, end: bytes, path: Path, advice: str) -> None:
    """Refuse wrong letters in a block of UTF-8 that begins in the line ``first``."""
    if twice := _MISREAD_UTF8.search(text):
        raise InputError(
            f"{path}:{_line(text, twice, first, end)}: the letters were encoded twice; {advice}, or undo it, for "
            f"example with `iconv -f UTF-8 -t WINDOWS-1252`"
        )
    if lost := _LOST.search(text):
        raise InputError(
            f"{path}:{_line(text, lost, first, end)}: holds U+{ord(lost.group()):04X}, the mark of a conversion that "
            f"went wrong; {advice}"
        )


def _check_windows(data: bytes, end: bytes, wrong: str, marked: bool, advice: str) -> None:
    """Refuse what is not surely Windows-1252; ``wrong`` says where it is not UTF-8."""
    xml = data.lstrip().startswith(b"<?xml")
    if marked or (xml and not _OTHER_XML_ENCODING.match(data)):
        raise InputError(f"{wrong}, though the file begins as UTF-8; {advice}")
    for first, block in blocks(data, end):
        text = "" if block.isascii() else block.decode("cp1252", "surrogateescape")
        if _MAYBE_MISREAD.search(text) and (utf8 := _MISREAD_UTF8.search(text)):
            line = _line(text, utf8, first, end)
            raise InputError(f"{wrong}, but line {line} is: the file mixes encodings; {advice}")
    doubt = find_doubt(data, end)
    if doubt is None:
        return
    convert = "`iconv -f CP850 -t UTF-8` (DOS) or `iconv -f MACINTOSH -t UTF-8`"
    if doubt.byte is not None:
        raise InputError(
            f"{wrong}, nor Windows-1252 (byte 0x{doubt.byte:02x} in line {doubt.line}); find out the encoding and "
            f"convert the file, for example with {convert}"
        )
    raise InputError(
        f"{wrong}; by its letters (line {doubt.line}) it is Windows-1252 or of {NAMES[doubt.page]}, which cannot be "
        f"told apart; save it as UTF-8, or convert it from the encoding that you know it has, for example with "
        f"`iconv -f WINDOWS-1252 -t UTF-8`, {convert}"
    )


def _line(text: str, found: re.Match[str], first: int, end: bytes) -> int:
    return first + text.count(end.decode(), 0, found.start())
