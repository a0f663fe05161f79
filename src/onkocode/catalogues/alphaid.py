"""Alpha-ID-SE text (8 fields, from 2015 on). Source: BfArM, notes on the Alpha-ID-SE EDV file."""

from pathlib import Path

import polars as pl

from onkocode.catalogues.codes import ICD10
from onkocode.catalogues.reading import split_rows
from onkocode.records.errors import InputError, first_of
from onkocode.records.ids import text_key

FIELDS = 8


def parse_alphaid(path: Path, version: str) -> pl.DataFrame:
    """Return one entry per row of an Alpha-ID-SE file.

    The code is primary code 1 without dagger; rows without one keep a null code. Flags: `invalid`, `dagger`,
    `additional-only`, `second-primary`, `orpha`.

    Raises:
        InputError: another layout, malformed codes, an Alpha-ID that stands twice.
    """
    rows = split_rows(path, "|", [FIELDS], "Alpha-ID-SE")
    problems: list[str] = []
    seen: dict[str, int] = {}
    entries: list[dict[str, object]] = []
    for number, (valid, alpha_id, primary, _, additional, second, orpha, text) in enumerate(rows, 1):
        code = primary.removesuffix("+")
        if valid not in ("0", "1"):
            problems.append(f"line {number}: first field must be 0 or 1, is {valid!r}")
        if code and not ICD10.fullmatch(code):
            problems.append(f"line {number}: {primary!r} is not an ICD-10-GM code")
        if not text.strip():
            problems.append(f"line {number}: the text is empty")
        if not alpha_id:
            problems.append(f"line {number}: the Alpha-ID is empty")
        elif alpha_id in seen:
            problems.append(f"line {number}: Alpha-ID {alpha_id} stands in line {seen[alpha_id]} already")
        seen[alpha_id] = number
        flags = {
            "invalid": valid == "0",
            "dagger": primary.endswith("+"),
            "additional-only": not code and bool(additional),
            "second-primary": bool(second),
            "orpha": bool(orpha),
        }
        entries.append(
            {
                "entry_id": f"alphaid-{version}:{alpha_id}",
                "kind": "diagnosis",
                "code": code or None,
                "text": text.strip(),
                "flags": [name for name, holds in flags.items() if holds],
            }
        )
    if problems:
        raise InputError(f"{path}: not a sound Alpha-ID-SE file:\n{first_of(problems)}")
    return entry_frame(entries, "alphaid", version)


def entry_frame(entries: list[dict[str, object]], dataset: str, version: str) -> pl.DataFrame:
    """Complete entries with the columns that follow from the others."""
    types = {"code": pl.String(), "flags": pl.List(pl.String)}  # not inferred where all rows lack them
    frame = pl.DataFrame(entries, schema_overrides=types, infer_schema_length=None)
    return frame.with_columns(
        dataset=pl.lit(dataset),
        version=pl.lit(version),
        topography=pl.lit(None, pl.String),
        accepted=pl.lit([], pl.List(pl.String)),
        text_key=pl.Series([text_key(text) for text in frame["text"]], dtype=pl.String),
        cluster=pl.col("entry_id"),
    )
