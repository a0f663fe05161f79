"""Whether codes confirm the year that a file is taken for. Figures measured on official files: docs/data.md.

A year differs from the next in some dozens of 14,000 codes, so that a share of known codes hardly tells one from the
other. What tells them is which codes come and go.
"""

from collections.abc import Iterable, Mapping

import polars as pl

from onkocode.catalogues.fetching.choosing import UNVERIFIED
from onkocode.records.errors import InputError

# Of the codes that come or go by a transition table or by the catalogues, the share that both name: 1.00 for the
# official table of these years, 0.00 for that of others, 0.56 for one year of two, 0.69 where an edition lacks 20
# codes.
AGREEMENT = 0.6
# Share of an Alpha-ID's codes that are terminal: 1.00 in its year, 0.999 in the next, 0.985 after five.
KNOWN = 0.95
CONFIRMED = "years confirmed by its codes"


def check_links(
    links: Mapping[str, pl.DataFrame], earlier: pl.DataFrame, later: pl.DataFrame, facts: Mapping[str, dict[str, str]]
) -> None:
    """Check that transition tables are those between the years of two label spaces, and note it in the facts.

    Between two tables one's new codes must be the next one's old codes.

    Args:
        links: tables (schema Transitions) by version, e.g. 2023_2024, the earliest first, without a gap.
        earlier: label space (schema Codes) of the first year.
        later: that of the last year.
        facts: of `opening`, for the place of each table.

    Raises:
        InputError: a table, or a catalogue, is of another year.
    """
    ends = [_codes(table, "new") for table in links.values()]
    starts = [_codes(table, "old") for table in links.values()]
    lefts = [_terminal(earlier), *ends[:-1]]
    rights = [*starts[1:], _terminal(later)]
    problems = []
    for (link, table), left, right in zip(links.items(), lefts, rights, strict=True):
        fact = facts.get(f"transitions {link}", {})
        problem = _problem(table, left, right, link)
        if problem:
            problems.append(f"{fact.get('origin') or link}: {problem}")
        elif fact.get("remark") == UNVERIFIED:
            fact["remark"] = CONFIRMED
    if problems:
        raise InputError("\n".join(problems))


def changed(old: set[str], new: set[str]) -> set[tuple[str, str]]:
    """Return the codes that come or go from one set to the other, each with which of both."""
    return {("goes", code) for code in old - new} | {("comes", code) for code in new - old}


def agreement(told: set[tuple[str, str]], shown: set[tuple[str, str]]) -> float:
    """Return the share of changes that both sets hold, 0 to 1; 1 where there are none."""
    return len(told & shown) / len(told | shown) if told | shown else 1.0


def valid_codes(entries: pl.DataFrame) -> set[str]:
    """Return the codes of the valid entries of an Alpha-ID (schema Entries)."""
    return set(entries.filter(~pl.col("flags").list.contains("invalid"))["code"].drop_nulls())


def check_alphaid(codes: Iterable[str], space: pl.DataFrame, names: tuple[str, str]) -> list[str]:
    """Return the codes of an Alpha-ID that are not terminal in a label space, sorted.

    Categories that the label space lacks do not count, since it may be a part. Neighbouring years look alike.

    Args:
        codes: primary codes of valid entries.
        space: label space (schema Codes) of ICD-10-GM.
        names: of both, for the message.

    Raises:
        InputError: so many that it is the Alpha-ID of another year, or of another system.
    """
    categories = set(space["category"])
    found = {code for code in codes if code[:3] in categories}
    unknown = sorted(found - _terminal(space))
    if found and 1 - len(unknown) / len(found) < KNOWN:
        raise InputError(
            f"{names[0]}: {len(unknown)} of its {len(found)} codes are not terminal in {names[1]} "
            f"({', '.join(unknown[:3])}{' …' if len(unknown) > 3 else ''}), so one of them is of another year; give "
            f"the files of one year"
        )
    return unknown


def _problem(table: pl.DataFrame, left: set[str], right: set[str], link: str) -> str:
    old, new = _codes(table, "old"), _codes(table, "new")
    told, shown = changed(old, new), changed(left, right)
    share = agreement(told, shown)
    if share >= AGREEMENT:
        return ""
    before, _, after = link.partition("_")
    known = [f"{_share(codes, side):.1%}" for codes, side in ((old, left), (new, right))]
    return (
        f"its codes are not those of a transition table from {before} to {after}, or a catalogue or table beside it is "
        f"of another year: {len(told & shown)} of {len(told | shown)} codes that come or go are the same ({share:.0%}; "
        f"known are {known[0]} of its old and {known[1]} of its new codes). Put the right file there, or name it with "
        f"--catalogue transitions-{link}=FILE"
    )


def _share(codes: set[str], among: set[str]) -> float:
    return len(codes & among) / len(codes) if codes else 0.0


def _codes(table: pl.DataFrame, side: str) -> set[str]:
    return set(table[side].drop_nulls())


def _terminal(space: pl.DataFrame) -> set[str]:
    return set(space.filter("terminal")["code"])
