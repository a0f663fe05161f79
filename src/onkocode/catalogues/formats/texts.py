"""Users' coded diagnosis texts. Messages name file, line and column, and never repeat a text."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.delimited import check_header, read_delimited, visible
from onkocode.catalogues.vocabulary.label_space import LabelSpace
from onkocode.catalogues.vocabulary.other_versions import OtherVersions
from onkocode.catalogues.vocabulary.written_codes import REASONS, count_taken, forms_note, marks_note, read_code
from onkocode.config.data import Columns
from onkocode.records.errors import InputError, first_of
from onkocode.records.ids import text_key

NAMES = {"icd10gm": "ICD-10-GM", "topography": "ICD-O-3 topography", "morphology": "ICD-O-3 morphology"}
EXAMPLES = {"icd10gm": "C50.9", "topography": "C50.9", "morphology": "8140/3"}
OPTIONAL = ("topography", "morphology")
ENTRY = dict.fromkeys(("entry_id", "code", "topography", "morphology", "text", "cluster"), pl.String)


@dataclass
class _Reading:
    """What is read of a file, and what is wrong in it."""

    key: str
    columns: dict[str, str]  # id, text, cluster and systems of codes → column; those that the file has
    spaces: dict[str, LabelSpace]
    others: OtherVersions
    entries: list[tuple[str | None, ...]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    placeholders: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)  # systems of which a code does not exist


def read_texts(
    path: Path,
    key: str,
    columns: Columns,
    icd10gm: pl.DataFrame,
    icdo3: pl.DataFrame,
    *,
    others: OtherVersions | None = None,
) -> tuple[pl.DataFrame, list[str]]:
    """Return a test set as entries, and what a reader should know about its file.

    Args:
        path: CSV or TSV with a header; UTF-8 or Windows-1252; `,`, `;` or tab.
        key: the test set's key in the configuration.
        columns: names of its columns. Those of topography and morphology may be missing under their usual names, and
            their cells may be empty.
        icd10gm: label space (schema Codes) that the ICD-10 codes must be in, and terminal.
        icdo3: label space that the topography and morphology codes must be in.
        others: tells in which other versions a code exists that is not in them.

    Raises:
        InputError: missing columns, empty cells, repeated ids, codes that do not exist or are not terminal.
    """
    header, rows = read_delimited(path)
    names = _columns(path, rows.header_line, key, columns, header)
    spaces = {"icd10gm": LabelSpace.of(icd10gm, "icd10gm")} | {axis: LabelSpace.of(icdo3, axis) for axis in OPTIONAL}
    named = {system: space for system, space in spaces.items() if system in names}
    reading = _Reading(key, names, named, others or OtherVersions())
    for line, row in rows:
        if len(row) != len(header):
            reading.problems.append(f"line {line}: {len(row)} fields instead of {len(header)}")
            continue
        _read_row(reading, line, dict(zip(header, map(visible, row), strict=True)))
    if problems := reading.problems:
        found = f"{path}: {len(problems)} problem(s) in the test set {key!r}:\n{first_of(problems)}"
        raise InputError(found + _remedy(reading))
    if not reading.entries:
        raise InputError(f"{path}: the test set {key!r} has no rows")
    placeholders = [f"{n} placeholder(s) stand for no {axis}" for axis, n in reading.placeholders.items() if n]
    return _frame(reading), [*marks_note(reading.taken), *forms_note(reading.taken), *placeholders, *rows.note]


def _columns(path: Path, line: int, key: str, columns: Columns, header: Sequence[str]) -> dict[str, str]:
    """Return the columns to read, by what they mean; raises InputError where one that is needed is missing."""
    names: dict[str, str | None] = {
        "id": columns.id,
        "text": columns.text,
        "icd10gm": columns.icd10,
        "cluster": columns.cluster,
    }
    for axis in OPTIONAL:
        name = getattr(columns, axis)
        names[axis] = name if name != axis or (name in header and name not in names.values()) else None
    found = {meaning: name for meaning, name in names.items() if name}
    check_header(path, line, header, list(found.values()), f"rename the columns or name them under texts.{key}.columns")
    return found


def _read_row(reading: _Reading, line: int, cells: dict[str, str]) -> None:
    columns, key = reading.columns, reading.key
    empty = [name for meaning, name in columns.items() if meaning not in OPTIONAL and not cells[name]]
    reading.problems += [f"line {line}: column {name!r} is empty" for name in empty]
    codes = {system: _code(reading, line, system, cells[columns[system]]) for system in reading.spaces}
    row_id = cells[columns["id"]]
    if row_id in reading.seen:
        reading.problems.append(f"line {line}: the id stands in line {reading.seen[row_id]} already")
    reading.seen[row_id] = line
    cluster = f"{key}:{cells[columns['cluster']] if 'cluster' in columns else row_id}"
    ordered = [codes.get(system) for system in NAMES]
    reading.entries.append((f"{key}:{row_id}", *ordered, cells[columns["text"]], cluster))


def _code(reading: _Reading, line: int, system: str, cell: str) -> str | None:
    """Return the code in a cell; None where there is none. What is wrong with it is noted; it is not repeated."""
    read, space, name = read_code(cell, system), reading.spaces[system], NAMES[system]
    where = f"line {line}: column {reading.columns[system]!r}"
    if read.reason == "empty" or (read.reason == "placeholder" and system in OPTIONAL):
        reading.placeholders[system] += read.reason == "placeholder"
    elif read.code is None:
        holds = f"holds no {name} code" if read.reason == "unreadable" else REASONS[read.reason]
        reading.problems.append(f"{where} {holds} (expected a form like {EXAMPLES[system]})")
    elif not space.exists(read.code):
        remark = reading.others.remark(system, read.code)
        reading.problems.append(f"{where}: {read.code!r} does not exist in this version of {name}{remark}")
        reading.unknown.add(system)
    elif not space.is_terminal(read.code):
        reading.problems.append(f"{where}: {read.code!r} is not terminal in {name}; give the full code")
    count_taken(read, reading.taken)
    return read.code


def _remedy(reading: _Reading) -> str:
    """Say what to do about codes that do not exist, as those of another year do not."""
    options = sorted({"icd10gm" if system == "icd10gm" else "icdo3" for system in reading.unknown})
    if not options:
        return ""
    keys = " and ".join(f"texts.{reading.key}.{option}" for option in options)
    recode = "; `onkocode catalogues recode` lists what changes between two years" if "icd10gm" in options else ""
    return f"\nmend these codes, or name the version that all codes of the file follow under {keys}{recode}"


def _frame(reading: _Reading) -> pl.DataFrame:
    frame = pl.DataFrame(reading.entries, schema=ENTRY, orient="row")
    return frame.with_columns(
        dataset=pl.lit(reading.key),
        version=pl.lit(""),
        kind=pl.lit("text"),
        accepted=pl.lit([], pl.List(pl.String)),
        text_key=pl.Series([text_key(text) for text in frame["text"]], dtype=pl.String),
        flags=pl.lit([], pl.List(pl.String)),
    )
