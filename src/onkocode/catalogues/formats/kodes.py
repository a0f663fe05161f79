"""Metadata text (`kodes`) of ICD-10-GM and OPS, and lists of OPS classes.

Sources: BfArM, file descriptions of the metadata; public readers of earlier years. ICD-10-GM has 28 fields since 2018.
The 30 fields until 2017 have two more (age limits as text) from the 22nd on, after those used here; this is inferred
from the file of 2015 and from the R package ICD10gm. OPS has 9 to 18 fields by year, the first nine alike.
"""

import re
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.reading import (
    Lines,
    check_end,
    matches,
    problems,
    read_lines,
    repeated,
    split_fields,
    split_table,
)
from onkocode.catalogues.vocabulary.codes import ICD10, OPS, behaviour, category_of, is_tumour
from onkocode.catalogues.vocabulary.entries import entry_frame
from onkocode.records.errors import InputError, first_of

FIELDS = ("level", "terminal", "kind", "chapter", "group", "marked_code", "code", "plain_code", "title")
ICD10GM = {28: FIELDS, 30: FIELDS}
OPS_KODES = dict.fromkeys(range(len(FIELDS), 31), FIELDS)
OPS_CLASSES = {4: ("chapter", "group", "code", "title")}
OPS_LABELS = {"code": "code", "label": "title"}


def parse_icd10gm(path: Path) -> pl.DataFrame:
    """Return the label space of ICD-10-GM: one row per code of levels three to five.

    Raises:
        InputError: another layout, malformed or repeated codes, a code without title.
    """
    rows = split_fields(read_lines(path), ";", ICD10GM, "ICD-10-GM kodes", whole=("J", "N"))
    rows = _checked(path, rows, ICD10, "ICD-10-GM")
    codes = rows["code"].to_list()
    return rows.select(
        "code",
        "title",
        "terminal",
        "chapter",
        "group",
        pl.Series("behaviour", [behaviour(code) for code in codes], dtype=pl.String),
        pl.Series("tumour", [is_tumour(code) for code in codes], dtype=pl.Boolean),
        system=pl.lit("icd10gm"),
        category=pl.Series([category_of(code, "icd10gm") for code in codes], dtype=pl.String),
    )


def parse_ops(path: Path, version: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return entries and label space of OPS.

    Read are `kodes`, `dreisteller` (chapter;group;code;title) and a third party's list with the header `code;label`.
    Only `kodes` says which codes are terminal. In the other two a code counts as terminal where the file holds no finer
    one, so that all classes of `dreisteller` do, though OPS has finer codes.

    Raises:
        InputError: another layout, malformed or repeated codes, a code without title.
    """
    rows = _checked(path, _ops_rows(read_lines(path)), OPS, "OPS")
    codes = rows.select(
        "code",
        "title",
        "terminal",
        "chapter",
        "group",
        system=pl.lit("ops"),
        category=pl.Series([category_of(code, "ops") for code in rows["code"]], dtype=pl.String),
        behaviour=pl.lit(None, pl.String),
        tumour=pl.lit(False),
    )
    entries = rows.select(
        entry_id=pl.lit(f"ops-{version}:") + pl.col("code"),
        kind=pl.lit("procedure"),
        code="code",
        text="title",
        flags=pl.lit([], pl.List(pl.String)),
    )
    return entry_frame(entries, "ops", version), codes


def _ops_rows(lines: Lines) -> pl.DataFrame:
    """Return line, code, title, terminal (T or N), chapter and group."""
    if lines.lines[0].startswith("code;"):
        rows = split_table(lines, ";", OPS_LABELS, "OPS code;label")
        check_end(lines, whole=False)
        return _leaves(rows.with_columns(chapter=pl.col("code").str.slice(0, 1), group=pl.lit("")))
    if lines.lines[0].count(";") == 3:
        rows = split_fields(lines, ";", OPS_CLASSES, "OPS dreisteller")
        _refuse_groups(lines.path, rows)
        return _leaves(rows)
    return split_fields(lines, ";", OPS_KODES, "OPS kodes")


def _leaves(rows: pl.DataFrame) -> pl.DataFrame:
    above = rows["code"].str.slice(0, 4).filter(rows["code"].str.len_chars() > 4).unique()
    return rows.with_columns(
        terminal=pl.when(pl.col("code").is_in(above.implode())).then(pl.lit("N")).otherwise(pl.lit("T"))
    )


def _refuse_groups(path: Path, rows: pl.DataFrame) -> None:
    """Refuse `gruppen`, which also has four fields: a group is named by its first class, which `dreisteller` holds."""
    lacking = rows.filter(~pl.col("group").is_in(pl.col("code").implode()))
    if lacking.height:
        raise InputError(
            f"{path}:{lacking['line'][0]}: the group's first class is missing, as in the file of groups (`gruppen`); "
            "give the kodes or dreisteller file"
        )


def _checked(path: Path, rows: pl.DataFrame, pattern: re.Pattern[str], system: str) -> pl.DataFrame:
    """Return sound rows, with `terminal` as truth value; raises InputError naming the lines of unsound ones."""
    again, first_line = repeated("code")
    rows = rows.with_columns(pl.col("title").str.strip_chars())
    wrong = problems(
        rows.with_columns(seen=first_line),
        [
            (~pl.col("terminal").is_in(["T", "N"]), "second field must be T (terminal) or N, is {terminal}"),
            (~matches("code", pattern), f"{{code}} is not an {system} code"),
            (again, "code {code} stands in line {seen} already"),
            (pl.col("title") == "", "code {code} has no title"),
        ],
    )
    if wrong:
        raise InputError(
            f"{path}: not a sound {system} file; fetch it again or check that it is the right file:\n{first_of(wrong)}"
        )
    return rows.with_columns(pl.col("terminal") == "T")
