"""Alpha-ID: one row per label, with its ICD-10-GM code.

Sources: BfArM, notes on the EDV file of Alpha-ID-SE (8 fields); public readers of earlier years (medicats: 2013 and
2014 with 6 fields, later ones with 7). Inferred, not read in a note of BfArM: the sixth of 7 fields is primary code 2
(Alpha-ID) or the Orpha number (first years of Alpha-ID-SE); each row tells by its content.
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
from onkocode.catalogues.vocabulary.codes import ICD10
from onkocode.catalogues.vocabulary.entries import entry_frame
from onkocode.records.errors import InputError, first_of

__all__ = ["entry_frame", "parse_alphaid"]

FIRST_FIELDS = ("valid", "alpha_id", "primary", "asterisk", "additional")
LAYOUTS = {
    8: (*FIRST_FIELDS, "second", "orpha", "text"),
    7: (*FIRST_FIELDS, "sixth", "text"),
    6: (*FIRST_FIELDS, "text"),
}
SUBSET = {"Alpha-ID": "alpha_id", "Label": "text", "ICD-10-Code": "primary", "Tumordiagnose": "tumour"}
ALPHA_ID = re.compile(r"I[A-Z]?\d+")
PRIMARY = re.compile(rf"({ICD10.pattern})\+?")
OTHER_CODE = re.compile(rf"({ICD10.pattern})[+*!]?")
ORPHA = re.compile(r"\d+")


def parse_alphaid(path: Path, version: str) -> pl.DataFrame:
    """Return one entry per row of an Alpha-ID file, valid or not.

    The code is primary code 1 without dagger; rows without one keep a null code. Flags: `invalid`, `dagger`,
    `additional-only`, `second-primary`, `orpha`; a field that the layout lacks counts as empty. A third party's list
    of valid labels with the header `Alpha-ID;Label;ICD-10-Code;Tumordiagnose` is read, too.

    Raises:
        InputError: another layout, malformed codes, an empty text, an Alpha-ID that stands twice.
    """
    rows = _rows(read_lines(path))
    again, first_line = repeated("alpha_id")
    wrong = problems(
        rows.with_columns(seen=first_line),
        [
            (~pl.col("valid").is_in(["0", "1"]), "first field must be 0 or 1, is {valid}"),
            (pl.col("alpha_id") == "", "the Alpha-ID is empty"),
            (_malformed("alpha_id", ALPHA_ID), "{alpha_id} is not an Alpha-ID"),
            (again & (pl.col("alpha_id") != ""), "Alpha-ID {alpha_id} stands in line {seen} already"),
            (_malformed("primary", PRIMARY), "{primary} is not an ICD-10-GM code"),
            (_malformed("asterisk", OTHER_CODE), "asterisk code {asterisk} is not an ICD-10-GM code"),
            (_malformed("additional", OTHER_CODE), "additional code {additional} is not an ICD-10-GM code"),
            (_malformed("second", OTHER_CODE), "second code {second} is not an ICD-10-GM code"),
            (pl.col("text") == "", "the text is empty"),
        ],
    )
    if wrong:
        raise InputError(
            f"{path}: not a sound Alpha-ID file; fetch it again or check that it is the right file:\n{first_of(wrong)}"
        )
    return entry_frame(_entries(rows, version), "alphaid", version)


def _rows(lines: Lines) -> pl.DataFrame:
    """Return the rows with the fields of the 8-field layout, whatever the file's own."""
    if lines.lines[0].startswith("Alpha-ID;"):
        rows = split_table(lines, ";", SUBSET, "Alpha-ID list").with_columns(valid=pl.lit("1"))
        check_end(lines, whole=rows["tumour"][-1] in ("0", "1"))
    else:
        rows = split_fields(lines, "|", LAYOUTS, "Alpha-ID")
    if "sixth" in rows.columns:
        orpha = matches("sixth", ORPHA)
        rows = rows.with_columns(
            second=pl.when(orpha).then(pl.lit("")).otherwise("sixth"),
            orpha=pl.when(orpha).then("sixth").otherwise(pl.lit("")),
        )
    absent = [name for name in LAYOUTS[8] if name not in rows.columns]
    rows = rows.with_columns(pl.lit("").alias(name) for name in absent)
    return rows.select("line", *LAYOUTS[8]).with_columns(pl.col("text").str.strip_chars())


def _malformed(column: str, pattern: re.Pattern[str]) -> pl.Expr:
    return (pl.col(column) != "") & ~matches(column, pattern)


def _entries(rows: pl.DataFrame, version: str) -> pl.DataFrame:
    primary = pl.col("primary")
    flags = {
        "invalid": pl.col("valid") == "0",
        "dagger": primary.str.ends_with("+"),
        "additional-only": (primary == "") & (pl.col("additional") != ""),
        "second-primary": pl.col("second") != "",
        "orpha": pl.col("orpha") != "",
    }
    code = primary.str.strip_suffix("+")
    return rows.select(
        entry_id=pl.lit(f"alphaid-{version}:") + pl.col("alpha_id"),
        kind=pl.lit("diagnosis"),
        code=pl.when(code != "").then(code),
        text="text",
        flags=pl.concat_list(pl.when(holds).then(pl.lit(name)) for name, holds in flags.items()).list.drop_nulls(),
    )
