"""Metadata text (`kodes`) of ICD-10-GM and OPS, and OPS three-character classes. Source: BfArM, file descriptions."""

import re
from pathlib import Path

import polars as pl

from onkocode.catalogues.alphaid import entry_frame
from onkocode.catalogues.codes import ICD10, OPS, behaviour, is_tumour
from onkocode.catalogues.reading import decode, read_bytes, split_rows
from onkocode.records.errors import InputError, first_of

ICD10GM_FIELDS = 28
TERMINAL_FIELD, CODE_FIELD, TITLE_FIELD = 1, 6, 8


def parse_icd10gm(path: Path) -> pl.DataFrame:
    """Return the label space of ICD-10-GM: one row per code of levels three to five.

    Raises:
        InputError: another layout, malformed or repeated codes.
    """
    rows = split_rows(path, ";", [ICD10GM_FIELDS], "ICD-10-GM kodes (since 2018)")
    _check_codes(path, [row[CODE_FIELD] for row in rows], ICD10, "ICD-10-GM")
    _check_terminal(path, rows)
    return pl.DataFrame(
        [
            {
                "code": row[CODE_FIELD],
                "system": "icd10gm",
                "title": row[TITLE_FIELD],
                "terminal": row[TERMINAL_FIELD] == "T",
                "chapter": row[3],
                "group": row[4],
                "category": row[CODE_FIELD][:3],
                "behaviour": behaviour(row[CODE_FIELD]),
                "tumour": is_tumour(row[CODE_FIELD]),
            }
            for row in rows
        ],
        infer_schema_length=None,
    )


def parse_ops(path: Path, version: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return entries and label space of OPS from a `kodes` or a `dreisteller` file.

    Raises:
        InputError: another layout, malformed or repeated codes.
    """
    width = len(decode(read_bytes(path), path).split("\n", 1)[0].split(";"))
    if width == 4:
        rows = split_rows(path, ";", [4], "OPS dreisteller")
        classes = [(code, title, chapter, group, True) for chapter, group, code, title in rows]
    else:
        rows = split_rows(path, ";", [max(width, TITLE_FIELD + 1)], "OPS kodes")
        _check_terminal(path, rows)
        classes = [(row[CODE_FIELD], row[TITLE_FIELD], row[3], row[4], row[TERMINAL_FIELD] == "T") for row in rows]
    _check_codes(path, [row[0] for row in classes], OPS, "OPS")
    codes = pl.DataFrame(
        [
            {
                "code": code,
                "system": "ops",
                "title": title,
                "terminal": terminal,
                "chapter": chapter,
                "group": group,
                "category": code[:4],
                "behaviour": None,
                "tumour": False,
            }
            for code, title, chapter, group, terminal in classes
        ],
        infer_schema_length=None,
    )
    entries: list[dict[str, object]] = [
        {"entry_id": f"ops-{version}:{code}", "kind": "procedure", "code": code, "text": title, "flags": []}
        for code, title, *_ in classes
    ]
    return entry_frame(entries, "ops", version), codes


def _check_terminal(path: Path, rows: list[list[str]]) -> None:
    problems = [
        f"line {line}: second field must be T (terminal) or N, is {row[TERMINAL_FIELD]!r}"
        for line, row in enumerate(rows, 1)
        if row[TERMINAL_FIELD] not in ("T", "N")
    ]
    if problems:
        raise InputError(f"{path}: not a sound kodes file:\n{first_of(problems)}")


def _check_codes(path: Path, codes: list[str], pattern: re.Pattern[str], system: str) -> None:
    problems = [
        f"line {line}: {code!r} is not an {system} code"
        for line, code in enumerate(codes, 1)
        if not pattern.fullmatch(code)
    ]
    seen: dict[str, int] = {}
    for line, code in enumerate(codes, 1):
        if code in seen:
            problems.append(f"line {line}: code {code} stands in line {seen[code]} already")
        seen[code] = line
    if problems:
        raise InputError(f"{path}: not a sound {system} file:\n{first_of(problems)}")
