"""Transition tables (`Umsteiger`) of ICD-10-GM. Source: BfArM, transition tables; four fields since 2005.

A line is old code;new code;A where old → new is automatic;A where new → old is. `UNDEF` stands for no code.
"""

import re
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.detect import refuse_another
from onkocode.catalogues.formats.reading import matches, problems, read_lines, split_fields
from onkocode.catalogues.vocabulary.codes import ICD10
from onkocode.records.errors import InputError, first_of

LAYOUT = {4: ("old", "new", "forward", "backward")}
UNDEFINED = "UNDEF"
SIDE = re.compile(rf"{UNDEFINED}|{ICD10.pattern}")


def parse_transitions(path: Path) -> pl.DataFrame:
    """Return the transitions between two years of ICD-10-GM (schema Transitions), in the order of the file.

    Raises:
        InputError: another layout, malformed codes or flags, a pair that stands twice, or a code that goes over to two
            codes automatically.
    """
    refuse_another("transitions", path)
    rows = split_fields(read_lines(path), ";", LAYOUT, "ICD-10-GM transition", whole=("A",))
    line = pl.col("line")
    defined = {side: pl.col(side) != UNDEFINED for side in ("old", "new")}
    automatic = {way: pl.col(way) == "A" for way in ("forward", "backward")}
    double = {
        way: automatic[way] & defined[side] & (pl.col(way).eq("A").sum().over(side) > 1)
        for way, side in (("forward", "old"), ("backward", "new"))
    }
    checks = [
        (~matches("old", SIDE), "{old} is neither an ICD-10-GM code nor UNDEF"),
        (~matches("new", SIDE), "{new} is neither an ICD-10-GM code nor UNDEF"),
        (~defined["old"] & ~defined["new"], "no code on either side"),
        (~pl.col("forward").is_in(["A", ""]), "third field must be A or empty, is {forward}"),
        (~pl.col("backward").is_in(["A", ""]), "fourth field must be A or empty, is {backward}"),
        (~pl.struct("old", "new").is_first_distinct(), "{old} → {new} stands in line {seen} already"),
        (double["forward"], "{old} goes over to several codes automatically"),
        (double["backward"], "{new} goes back to several codes automatically"),
    ]
    wrong = problems(rows.with_columns(seen=line.first().over("old", "new")), checks)
    if wrong:
        raise InputError(
            f"{path}: not a sound transition table; fetch it again or check that it is one:\n{first_of(wrong)}"
        )
    return rows.select(
        *(pl.when(is_code).then(side).alias(side) for side, is_code in defined.items()),
        *(holds.alias(way) for way, holds in automatic.items()),
    )
