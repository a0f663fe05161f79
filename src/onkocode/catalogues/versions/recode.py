"""Work lists for coded records: what a change of the ICD-10-GM version means for each record.

Only the id, the code and what to do leave a record. Sources: the label spaces of both versions and BfArM's transition
tables (see `changes`).
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from onkocode.catalogues.formats.delimited import Rows, check_header, read_delimited, visible
from onkocode.catalogues.vocabulary.written_codes import REASONS, Written, count_taken, read_code
from onkocode.records.errors import InputError, first_of

COUNTS = {  # what becomes of a record; all but the last two stand in the work list
    "recode": "recode: one official automatic successor",
    "choose": "choose: several successors, or none that is automatic",
    "gone": "gone: no successor is known",
    "unknown": "check: no code of ICD-10-GM {old}",
    "not-terminal": "check: not a full code in ICD-10-GM {old}",
    "unreadable": "check: the cell holds no single code",
    "unaffected": "unaffected",
    "empty": "without a code",
}


FORMULA = re.compile("[=+@\t\r＝＋－＠-]")
PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)*")


class Row(NamedTuple):
    """A row of the work list. Empty where there is nothing to say; the cell of an unreadable code is never repeated."""

    id: str
    line: int  # in which the record begins, 1 = header
    old_code: str  # in the usual form, e.g. C50.9
    written: str  # as in the file, where that is another form
    action: str  # recode | choose | gone | check
    new_code: str  # of `recode`
    candidates: str  # `code title`, separated by ` | `
    note: str  # why


@dataclass(frozen=True)
class Advice:
    """What to do with the records of one code; ``count`` is a key of COUNTS."""

    action: str
    count: str
    new_code: str = ""
    candidates: str = ""
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """What to do with every code of the version that the records are coded in."""

    old: str
    known: frozenset[str]  # all codes of that version
    advice: Mapping[str, Advice]  # of the codes that a record cannot keep as they are

    def of(self, code: str) -> Advice | None:
        """Return the advice for a code; None = the code goes on."""
        found = self.advice.get(code)
        if found is None and code not in self.known:
            return Advice("check", "unknown", note=f"not a code of {self.old}")
        return found


def make_plan(
    old: pl.DataFrame, new: pl.DataFrame, transitions: pl.DataFrame | None, versions: tuple[str, str]
) -> Plan:
    """Work out what to do with every code.

    A code is unaffected where it is its own only successor, or its automatic one. For a code without transitions the
    label spaces decide: it is unaffected where it is terminal in both versions, so that a split in which the old code
    goes on is not seen; where it has become a category, the codes below it are the candidates.

    Args:
        old: label space (schema Codes) of the version that the records are coded in.
        new: that of the version to recode to.
        transitions: from old to new (schema Transitions), or None.
        versions: names of both, for notes.
    """
    titles = dict(new.select("code", "title").iter_rows())
    terminal = set(new.filter("terminal")["code"])
    later = f"not a code of {versions[0]}, but of {versions[1]}"
    advice = {code: Advice("check", "unknown", note=later) for code in titles.keys() - set(old["code"])}
    successors = _successors(transitions)
    for code, is_terminal in old.select("code", "terminal").iter_rows():
        if not is_terminal:
            advice[code] = Advice("check", "not-terminal", note=f"not terminal in {versions[0]}, give the full code")
        elif code in successors:
            found = _by_transitions(code, successors[code], titles, terminal)
            advice |= {code: found} if found else {}
        elif code not in terminal:
            advice[code] = _by_label_spaces(code, titles, terminal)
    return Plan(versions[0], frozenset(old["code"]), advice)


def _successors(transitions: pl.DataFrame | None) -> dict[str, dict[str, bool]]:
    """Return, per old code, its successors and whether each is automatic."""
    found: dict[str, dict[str, bool]] = {}
    if transitions is not None:
        for old, new, forward in transitions.drop_nulls("old").select("old", "new", "forward").iter_rows():
            targets = found.setdefault(old, {})
            if new is not None:
                targets[new] = forward
    return found


def _by_transitions(
    code: str, targets: Mapping[str, bool], titles: Mapping[str, str], terminal: set[str]
) -> Advice | None:
    automatic = [target for target, forward in targets.items() if forward and target in terminal]
    if (list(targets) == [code] and code in terminal) or automatic == [code]:
        return None
    candidates = _candidates(targets, titles)
    if len(automatic) == 1:
        return Advice("recode", "recode", automatic[0], candidates, "official automatic successor")
    if targets:
        note = "several successors" if len(targets) > 1 else "one successor, officially not automatic"
        return Advice("choose", "choose", "", candidates, note)
    return Advice("gone", "gone", note="no official successor")


def _by_label_spaces(code: str, titles: Mapping[str, str], terminal: set[str]) -> Advice:
    below = [full for full in terminal if full.startswith(code)]
    if below:
        note = "now a category, and no transition table says which code below it"
        return Advice("choose", "choose", "", _candidates(below, titles), note)
    return Advice("gone", "gone", note="not in the version to recode to, and no transition table names successors")


def _candidates(codes: Iterable[str], titles: Mapping[str, str]) -> str:
    return " | ".join(f"{code} {titles.get(code, '(not in that version)')}" for code in sorted(codes))


def read_records(path: Path, id_column: str, code_column: str, notes: list[str]) -> Iterator[tuple[str, int, str]]:
    """Return an iterator over the records of a CSV or TSV: id, line, cell of the code. Nothing else is kept.

    ``notes`` gets, at the end, what a reader should know about the file.

    Raises:
        InputError: a column that is missing, an unsound file, rows with another number of fields than the header. The
            last two also while the records are read.
    """
    header, rows = read_delimited(path)
    if id_column == code_column:
        raise InputError(f"--id and --column both name {id_column!r}; they must be different columns")
    check_header(path, rows.header_line, header, [id_column, code_column], "name them with --id and --column")
    return _records(path, len(header), rows, (header.index(id_column), header.index(code_column)), notes)


def _records(
    path: Path, width: int, rows: Rows, places: tuple[int, int], notes: list[str]
) -> Iterator[tuple[str, int, str]]:
    problems: list[str] = []
    empty = True
    for line, row in rows:
        empty = False
        if len(row) == width:
            yield visible(row[places[0]]), line, row[places[1]]
        else:
            problems.append(f"line {line}: {len(row)} fields instead of {width}")
    if problems:
        raise InputError(
            f"{path}: {len(problems)} line(s) with another number of fields than the header, so that their columns are "
            f"not known; mend them (quote texts that hold the separator):\n{first_of(problems)}"
        )
    if empty:
        raise InputError(f"{path}: has a header but no records")
    notes += rows.note


def work_list(
    records: Iterable[tuple[str, int, str]], plan: Plan, counts: Counter[str], taken: Counter[str]
) -> Iterator[Row]:
    """Yield a row for each record that needs a look, in the order of the file; all records are counted in ``counts``.

    Args:
        records: id, line, cell of the code.
        plan: what to do with each code.
        counts: gets the keys of COUNTS, and `normalised` for codes that were not in the usual form.
        taken: gets what was taken off the codes (see `count_taken`).
    """
    known: dict[str, Written] = {}
    for record, line, cell in records:
        read = known.get(cell) or read_code(cell, "icd10gm")
        code = read.code
        if code is None:
            if read.reason == "empty":
                counts["empty"] += 1
                continue
            counts["unreadable"] += 1
            yield Row(record, line, "", "", "check", "", "", f"the cell {REASONS[read.reason]}")
            continue
        known[cell] = read
        count_taken(read, taken)
        written = " ".join(visible(cell).split()) if read.taken else ""
        counts["normalised"] += bool(read.taken)
        advice = plan.of(code)
        counts[advice.count if advice else "unaffected"] += 1
        if advice:
            yield Row(record, line, code, written, advice.action, advice.new_code, advice.candidates, advice.note)


def is_formula(cell: str) -> bool:
    """Tell whether a spreadsheet would compute a cell instead of showing it.

    Source: OWASP, CSV Injection; a plain number with a sign shows as it is.
    """
    return FORMULA.match(cell) is not None and PLAIN_NUMBER.fullmatch(cell) is None


def write_work_list(rows: Iterable[Row], path: Path) -> int:
    """Write a work list as CSV that German Excel opens by a double click: `;`, CRLF, UTF-8 with byte order mark.

    The file must not exist; only its owner may read it. An apostrophe goes before what would be a formula.

    Returns:
        The number of records with an apostrophe.
    """
    guarded = 0
    path.touch(mode=0o600, exist_ok=False)
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, delimiter=";", lineterminator="\r\n")
        writer.writerow(Row._fields)
        for row in rows:
            found = [isinstance(cell, str) and is_formula(cell) for cell in row]
            guarded += any(found)
            writer.writerow([f"'{cell}" if guard else cell for cell, guard in zip(row, found, strict=True)])
    return guarded
