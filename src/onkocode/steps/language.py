"""Steps on clinical language: what a text says and why, and whether tables are sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from onkocode.records.errors import InputError
from onkocode.steps.app import step
from onkocode.steps.options import SOURCES, Json
from onkocode.terminal import say

if TYPE_CHECKING:
    from onkocode.catalogues.versions.opening import CataloguePlace

Text = Annotated[str, Parameter(allow_leading_hyphen=True)]
NARROW = 100  # columns of a terminal that does not say


@step("language explain", by_hand=True)
def explain_texts(*texts: Text, tables: Path | None = None, json: bool = False) -> None:
    """Say what a diagnosis text means: its codes, and the words, rules and lines of tables that they come from.

    Texts are printed, and written nowhere.

    Args:
        texts: diagnosis texts, or - for the lines of standard input
        tables: folder with tables of yours, read before those of the program
        json: print an object a line
    """
    import shutil
    from dataclasses import asdict
    from json import dumps

    from onkocode.language.check import check_form
    from onkocode.language.explaining import explain, table_lines, write_explanation
    from onkocode.language.lexicon import build_lexicon, load_tables, shipped_lexicon
    from onkocode.language.saved import read_own

    if not texts or any(text.startswith("--") for text in texts):
        raise InputError("give texts, options known to --help, or - to read the lines of standard input")
    own = read_own(tables) if tables else {}
    _refuse([str(problem) for problem in check_form(own)])
    lexicon = build_lexicon(load_tables(own)) if own else shipped_lexicon()
    lines = table_lines(own)
    width = shutil.get_terminal_size((NARROW, 0)).columns
    for number, text in enumerate(_lines(texts)):
        found = explain(lexicon, lines, text)
        if json:
            say(dumps(asdict(found), ensure_ascii=False))
        else:
            say(("\n" if number else "") + write_explanation(found, width))


@step("language check", by_hand=True)
def check_language(
    *,
    tables: Path | None = None,
    icd10gm: str | None = None,
    icdo3: str | None = None,
    sources: Path = SOURCES,
    folder: Path | None = None,
    consent: Json = None,
) -> None:
    """Look for faults in the tables of clinical language; all are told at once, each with file and line.

    Args:
        tables: folder with tables of yours, looked at as they stand before those of the program; default: the program's
        icd10gm: catalogue that codes have to stand in: a file, or a version such as 2024
        icdo3: the same for topography and morphology, such as 2019
        sources: table of sources
        folder: folder with files of yours; default: ONKOCODE_CATALOGUES
        consent: true: you have read and accept the terms of use
    """
    from onkocode.catalogues.versions.opening import CataloguePlace
    from onkocode.language.check import check_tables, replaced_rows
    from onkocode.language.saved import read_own

    place = CataloguePlace(sources, folder, consent is True)
    own = read_own(tables) if tables else {}
    spaces = _spaces({"icd10gm": icd10gm, "icdo3": icdo3}, place)
    problems = [str(problem) for problem in check_tables(own, spaces)]
    for note in replaced_rows(own):
        say(note)
    _refuse(problems)
    looked_up = "" if spaces else "; no catalogue was named to look codes up in"
    say(f"{'your' if own else 'all'} tables: no fault found{looked_up}")


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise InputError(f"{len(problems)} fault(s) in the tables:\n" + "\n".join(f"  {line}" for line in problems))


def _lines(texts: Sequence[str]) -> Iterator[str]:
    """Yield the texts, those of standard input too."""
    import io
    import sys

    for text in texts:
        if text != "-":
            yield text
            continue
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
        for number, line in enumerate(sys.stdin, 1):
            if any("\ud800" <= letter <= "\udfff" for letter in line):
                raise InputError(f"standard input, line {number}: not UTF-8; convert it first")
            if line.strip():
                yield line.strip()


def _spaces(named: Mapping[str, str | None], place: CataloguePlace) -> dict[str, frozenset[str]]:
    """Return the terminal codes of the catalogues that are named, by system."""
    from onkocode.catalogues.formats.parse import parse_catalogue
    from onkocode.catalogues.versions.opening import open_catalogue
    from onkocode.catalogues.vocabulary.label_space import label_spaces

    found = {}
    for dataset, wanted in named.items():
        if wanted is None:
            continue
        is_file = Path(wanted).is_file()
        _, codes = parse_catalogue(dataset, "", Path(wanted)) if is_file else open_catalogue(dataset, wanted, place)
        for system, space in label_spaces(codes).items():
            found[system] = frozenset(code for code, terminal in space.terminal.items() if terminal)
    return found
