"""Texts read with the tables of a folder, each once, whichever coder asks for it."""

from functools import lru_cache, partial
from pathlib import Path

import polars as pl

from onkocode.language.candidates import Said, codes_said
from onkocode.language.lexicon import Lexicon
from onkocode.language.reading import normal_form
from onkocode.language.saved import Files, lexicon_of, saved_tables

KEPT = 2**16  # texts


class Reader:
    """Reads texts with a lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._form = lru_cache(KEPT)(partial(normal_form, lexicon))
        self._said = lru_cache(KEPT)(partial(codes_said, lexicon))

    def forms(self, texts: pl.Series) -> pl.Series:
        """Return the normal form of each text."""
        return pl.Series("form", [self._form(text) for text in texts], dtype=pl.String)

    def said(self, text: str) -> Said:
        """Return the codes that a text may have by what it says."""
        return self._said(text)


def saved_reader(folder: Path) -> Reader:
    """Return what reads texts with the tables in a folder; coders with the same tables share it."""
    return _reader(saved_tables(folder))


@lru_cache(maxsize=2)
def _reader(files: Files) -> Reader:
    return Reader(lexicon_of(files))
