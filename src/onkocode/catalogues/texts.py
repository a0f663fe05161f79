"""Users' coded diagnosis texts. Messages name file, line and column, and never repeat a text."""

import re
from pathlib import Path

import polars as pl

from onkocode.catalogues.delimited import check_header, read_delimited
from onkocode.catalogues.label_space import LabelSpace
from onkocode.config.data import Columns
from onkocode.records.errors import InputError, first_of
from onkocode.records.ids import text_key

CODE_LIKE = re.compile(r"[A-Za-z]\d{2}[\d.,*+!-]{0,4}")


def read_texts(path: Path, key: str, columns: Columns, icd10gm: pl.DataFrame, icdo3: pl.DataFrame) -> pl.DataFrame:
    """Return a test set as entries.

    Args:
        path: CSV or TSV with a header; UTF-8 or Windows-1252; `,`, `;` or tab.
        key: the test set's key in the configuration.
        columns: names of its columns.
        icd10gm: label space (schema CODES) that the ICD-10 codes must be in, and terminal.
        icdo3: label space that the topography codes must be in.

    Raises:
        InputError: missing columns, empty cells, repeated ids, codes that do not exist or are not terminal.
    """
    header, rows = read_delimited(path)
    wanted = [name for name in (columns.id, columns.text, columns.icd10, columns.topography, columns.cluster) if name]
    check_header(path, header, wanted, f"rename the columns or name them under texts.{key}.columns")
    problems: list[str] = []
    spaces = {
        columns.icd10: (LabelSpace.of(icd10gm, "icd10gm"), "ICD-10-GM"),
        columns.topography: (LabelSpace.of(icdo3, "topography"), "ICD-O-3 topography"),
    }
    seen: dict[str, int] = {}
    entries = []
    for line, row in rows:
        if len(row) != len(header):
            problems.append(f"line {line}: {len(row)} fields instead of {len(header)}")
            continue
        cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
        problems += [f"line {line}: column {name!r} is empty" for name in wanted if not cells[name]]
        for name, (space, system) in spaces.items():
            problems += _check_code(line, name, cells[name], space, system)
        if cells[columns.id] in seen:
            problems.append(f"line {line}: the id stands in line {seen[cells[columns.id]]} already")
        seen[cells[columns.id]] = line
        entry_id = f"{key}:{cells[columns.id]}"
        cluster = f"{key}:{cells[columns.cluster]}" if columns.cluster else entry_id
        entries.append((entry_id, cells[columns.icd10], cells[columns.topography], cells[columns.text], cluster))
    if problems:
        raise InputError(f"{path}: {len(problems)} problem(s) in the test set {key!r}:\n{first_of(problems)}")
    if not entries:
        raise InputError(f"{path}: the test set {key!r} has no rows")
    frame = pl.DataFrame(entries, schema=["entry_id", "code", "topography", "text", "cluster"], orient="row")
    return frame.with_columns(
        dataset=pl.lit(key),
        version=pl.lit(""),
        kind=pl.lit("text"),
        accepted=pl.lit([], pl.List(pl.String)),
        text_key=pl.Series([text_key(text) for text in frame["text"]], dtype=pl.String),
        flags=pl.lit([], pl.List(pl.String)),
    )


def _check_code(line: int, column: str, code: str, space: LabelSpace, system: str) -> list[str]:
    if not code:
        return []
    if not CODE_LIKE.fullmatch(code):  # not repeated: in a mistaken column it may be a diagnosis
        return [f"line {line}: column {column!r} holds no {system} code (expected a form like C50.9)"]
    if not space.exists(code):
        return [f"line {line}: column {column!r}: {code!r} does not exist in this version of {system}"]
    if not space.is_terminal(code):
        return [f"line {line}: column {column!r}: {code!r} is not terminal in {system}; give the full code"]
    return []
