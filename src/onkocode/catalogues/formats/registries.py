"""Morphology codes that cancer registries admit, beyond those of ICD-O-3.

Source: classifications of the nationwide clinical cancer registry data set, Robert Koch-Institut (CC BY 4.0); table of
all combinations of histology and behaviour, with semicolons and a header, of which those with a name are admitted.
"""

import re
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.reading import check_end, matches, problems, read_lines, repeated, split_table
from onkocode.catalogues.vocabulary.codes import MORPHOLOGY_BEHAVIOUR, category_of
from onkocode.records.errors import InputError, first_of

COLUMNS = {"code": "code", "dignität": "behaviour", "name": "title", "histologie": "histology", "group": "group"}
MORPHOLOGY = re.compile(r"[89]\d{3}/\d", re.ASCII)


def parse_registries(path: Path) -> pl.DataFrame:
    """Return the admitted codes as a label space (schema Codes).

    Raises:
        InputError: another layout, malformed or repeated codes, or none with a name.
    """
    lines = read_lines(path)
    rows = split_table(lines, ";", COLUMNS, "the registries' list of morphologies")
    check_end(lines, whole=False)
    again, first = repeated("code")
    rows = rows.with_columns(first=first)
    checks = [(~matches("code", MORPHOLOGY), "{code} is no morphology code such as 8140/3")]
    wrong = problems(rows, [*checks, (again, "code {code} stands in line {first} already")])
    if wrong:
        raise InputError(f"{path}: not a sound list; check that it is the right file, or mend it:\n{first_of(wrong)}")
    named = rows.filter(pl.col("title").str.strip_chars() != "")
    if named.is_empty():
        raise InputError(f"{path}: no code has a name, so none is admitted; give the whole file")
    codes = named["code"].to_list()
    return named.select(
        "code",
        pl.col("title").str.strip_chars(),
        "group",
        system=pl.lit("morphology"),
        terminal=pl.lit(value=True),
        chapter=pl.lit(""),
        category=pl.Series([category_of(code, "morphology") for code in codes], dtype=pl.String),
        behaviour=pl.col("code").str.slice(-1).replace_strict(MORPHOLOGY_BEHAVIOUR, default=None),
        tumour=pl.lit(value=True),
    )
