"""The versioned tables of abbreviations, and their use on a label.

A table is a TSV file with the columns term, abbreviation, source and excluded. In a term, ``~`` stands for any German
ending, a blank matches a hyphen too, a hyphen also a blank or nothing, a leading ``^`` ties the term to the start of
the text, and a leading ``-`` stands for the first part of a compound. A row with a reason under ``excluded`` is never
used: its abbreviation has another reading as well, and the reading may decide the code.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby

from onkocode.questions.abbreviations.spelling import ENDING, Pick, compounds
from onkocode.records.errors import InputError, first_of

COLUMNS = ["term", "abbreviation", "source", "excluded"]
TERM = re.compile(r"\^?-?[^\W\d_][\w ~-]*")
REPEATED = re.compile(r" \[([^\[\]]+)\]")


@dataclass(frozen=True)
class Abbreviation:
    """A row of the table: a term, its short form, where that is documented, and why it is not used (empty: it is)."""

    term: str
    short: str
    source: str
    excluded: str


@dataclass(frozen=True)
class Abbreviations:
    """A loaded table: all rows, and for the terms in use one pattern with a group per term, and its short forms."""

    rows: tuple[Abbreviation, ...]
    words: re.Pattern[str]
    word_shorts: tuple[tuple[str, ...], ...]
    heads: re.Pattern[str]  # of compounds
    head_shorts: tuple[tuple[str, ...], ...]


@cache
def load_abbreviations(version: str) -> Abbreviations:
    """Return the table of a version.

    Raises:
        InputError: unknown version, or a file with missing, malformed or repeated rows.
    """
    folder = resources.files("onkocode.questions").joinpath("abbreviations")
    known = sorted(item.name.removesuffix(".tsv") for item in folder.iterdir() if item.name.endswith(".tsv"))
    if version not in known:
        raise InputError(f"abbreviations {version!r} do not exist (known: {', '.join(known)})")
    return parse_abbreviations(folder.joinpath(f"{version}.tsv").read_text(encoding="utf-8"), f"{version}.tsv")


def parse_abbreviations(text: str, name: str) -> Abbreviations:
    """Check and return a table; ``name`` is the file's name for messages.

    Raises:
        InputError: naming each line that is wrong and what is expected.
    """
    lines = text.splitlines()
    if not lines or lines[0].split("\t") != COLUMNS:
        raise InputError(f"{name}: line 1: the columns must be {', '.join(COLUMNS)}, separated by tabs")
    problems: list[str] = []
    rows: list[Abbreviation] = []
    seen: dict[tuple[str, str], int] = {}
    for number, line in enumerate(lines[1:], 2):
        fields = line.split("\t")
        if len(fields) != len(COLUMNS):
            problems.append(f"line {number}: {len(fields)} fields, {len(COLUMNS)} expected")
            continue
        row = Abbreviation(*(field.strip() for field in fields))
        problems += [f"line {number}: {key}" for key in _faults(row)]
        key = (row.term.casefold(), row.short)
        if key in seen:
            problems.append(f"line {number}: term and abbreviation stand in line {seen[key]} already")
        seen[key] = number
        rows.append(row)
    if problems:
        raise InputError(f"{name}: not a sound table of abbreviations:\n{first_of(problems)}")
    return _compiled(tuple(rows))


def abbreviate(text: str, table: Abbreviations, pick: Pick) -> str:
    """Return the text with every term of the table written short; the longest term wins, ``pick`` chooses its form."""
    text = table.words.sub(lambda found: _short(found, table.word_shorts, pick), text)
    for compound in reversed(list(compounds(text))):
        head = table.heads.match(text, compound.start("head"))
        if head:
            text = text[: compound.start("hyphen")] + _short(head, table.head_shorts, pick) + text[compound.end() :]
    return _without_repetition(text)


def _short(found: re.Match[str], shorts: tuple[tuple[str, ...], ...], pick: Pick) -> str:
    group = found.lastindex or 0
    return pick(shorts[group - 1])


def _without_repetition(text: str) -> str:
    """Drop a bracket whose content stands before it: a label with the short form in brackets would hold it twice."""
    return REPEATED.sub(
        lambda match: "" if match[1].casefold() in re.split(r"[\s-]+", text[: match.start()].casefold()) else match[0],
        text,
    )


def _faults(row: Abbreviation) -> list[str]:
    empty = [
        f"the {name} is empty"
        for name, value in zip(COLUMNS[:3], (row.term, row.short, row.source), strict=True)
        if not value
    ]
    if row.term and not TERM.fullmatch(row.term):
        empty.append("the term may hold letters, blanks, hyphens and ~, after a leading ^ or -")
    return empty


def _compiled(rows: tuple[Abbreviation, ...]) -> Abbreviations:
    shorts: dict[str, list[str]] = {}
    for row in rows:
        if not row.excluded:
            shorts.setdefault(row.term, []).append(row.short)
    terms = sorted(shorts, key=lambda term: (_initial(term), -len(term), term))
    words = [term for term in terms if not term.startswith("-")]
    heads = [term for term in terms if term.startswith("-")]
    return Abbreviations(
        rows,
        re.compile(rf"(?<![\w-])(?:{_alternatives(words)})(?![\w-])", re.IGNORECASE),
        tuple(tuple(shorts[term]) for term in words),
        re.compile(rf"(?:{_alternatives(heads)})(?![\w-])", re.IGNORECASE),
        tuple(tuple(shorts[term]) for term in heads),
    )


def _alternatives(terms: list[str]) -> str:
    """Return the expression with one group per term; of those with the same initial only these are tried (speed)."""
    initials = (
        rf"(?={initial})(?:{'|'.join(f'({_expression(term)})' for term in same)})"
        for initial, same in groupby(terms, _initial)
    )
    return "|".join(initials) or r"(?!)"


def _initial(term: str) -> str:
    return term.lstrip("^-")[0].casefold()


def _expression(term: str) -> str:
    # In "lobuläres und duktales Karzinom" the noun belongs to both adjectives, and a "nicht" to all that follows it.
    start = r"(?<!\bund )(?<!\bnicht )" if "~ " in term else ""
    start += "^" if term.startswith("^") else ""
    body = term.lstrip("^-").replace("~", ENDING)
    return start + re.sub("[ -]", lambda found: "[ -]" if found[0] == " " else "[ -]?", body)
