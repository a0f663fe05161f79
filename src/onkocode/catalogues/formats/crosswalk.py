"""Rules from ICD-O-3 to ICD-10. Source: Plattform § 65c, table for solid tumours (tab-separated, Latin-1, header).

A rule holds for topographies that match a pattern, morphologies within ranges, and one behaviour.
"""

import re
from collections.abc import Collection
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.detect import refuse_another
from onkocode.catalogues.formats.reading import check_end, matches, problems, read_lines, split_table
from onkocode.catalogues.vocabulary.codes import ICD10, MORPHOLOGY_BEHAVIOUR
from onkocode.records.errors import InputError, first_of

COLUMNS = {
    "Topographie": "topography",
    "Morphologiecodes": "ranges",
    "Dignität": "behaviour",
    "Default": "default",
    "ICD10": "icd10",
    "ICD-10 Text": "title",
}
RANGES = re.compile(r"\d{4}(-\d{4})?(, ?\d{4}(-\d{4})?)*")
BEHAVIOUR = re.compile(f"/[{''.join(MORPHOLOGY_BEHAVIOUR)}]")
RESULT = re.compile(rf"{ICD10.pattern}|[A-Z]\d{{0,2}}\*")  # `C*`: any malignant tumour, in the rules for metastases
# What a topography pattern may be made of. Without repetition, without empty alternatives and this short, none takes
# long to match, whoever wrote the file.
PATTERN = re.compile(r"(C|\d|\\\.|(\\d|\[[\d-]+\])(\{[1-9]\})?|\(|\(\?:|\(\?!|\)|\|)+", re.ASCII)
EMPTY_ALTERNATIVE = re.compile(r"(^|\(|\(\?[:!]|\|)(\||\)|$)")
LONGEST_PATTERN = 60


def parse_crosswalk(path: Path) -> pl.DataFrame:
    """Return the rules (schema Crosswalk): a row for each range of morphologies of each rule, in the order of the file.

    A single number is a range of one. The file of 2019 has the range 8900-8849 in eleven rules; such a range is kept as
    it stands and holds no number, and `reversed_ranges` names it.

    Raises:
        InputError: missing columns, a topography pattern that is no harmless regular expression, malformed ranges,
            behaviours or codes.
    """
    refuse_another("crosswalk", path)
    lines = read_lines(path)
    rows = split_table(lines, "\t", COLUMNS, "ICD-O-3 to ICD-10 crosswalk")
    check_end(lines, whole=False)
    known = {pattern: _is_harmless(pattern) for pattern in rows["topography"].unique()}
    harmless = pl.col("topography").replace_strict(known, return_dtype=pl.Boolean)
    wrong = problems(
        rows,
        [
            (~harmless, "topography {topography} is not a pattern of C, digits, \\d, \\. [ ] ( ) (?! and |"),
            (~matches("ranges", RANGES), "morphologies {ranges} are not numbers and ranges like 8000-8005, 8140"),
            (
                ~matches("behaviour", BEHAVIOUR),
                f"behaviour {{behaviour}} is none of /{', /'.join(MORPHOLOGY_BEHAVIOUR)}",
            ),
            (~pl.col("default").is_in(["0", "1"]), "column Default must be 0 or 1, is {default}"),
            (~matches("icd10", RESULT), "{icd10} is not an ICD-10 code"),
        ],
    )
    if wrong:
        raise InputError(f"{path}: not sound rules; check that it is the right file, or mend it:\n{first_of(wrong)}")
    ends = pl.col("ranges").str.split("-")
    return (
        rows.with_columns(pl.col("ranges").str.replace_all(" ", "").str.split(","))
        .explode("ranges")
        .select(
            "topography",
            "icd10",
            pl.col("title").str.strip_chars(),
            pl.col("behaviour").str.slice(1),
            rule=(pl.col("line") - 1).cast(pl.Int64),
            first=ends.list.first().cast(pl.Int64),
            last=ends.list.last().cast(pl.Int64),
            default=pl.col("default") == "1",
        )
    )


def _is_harmless(pattern: str) -> bool:
    if len(pattern) > LONGEST_PATTERN or not PATTERN.fullmatch(pattern) or EMPTY_ALTERNATIVE.search(pattern):
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def reversed_ranges(crosswalk: pl.DataFrame) -> list[str]:
    """Return a note on each range whose first number is above its last: it holds no morphology."""
    rows = crosswalk.filter(pl.col("first") > pl.col("last"))
    grouped = rows.group_by("first", "last", maintain_order=True).agg("rule")
    return [
        f"range {first}-{last} is reversed and holds no morphology (rules {', '.join(map(str, rules))})"
        for first, last, rules in grouped.iter_rows()
    ]


def topographies_of(
    crosswalk: pl.DataFrame, codes: pl.DataFrame, behaviours: Collection[str] | None = None
) -> pl.DataFrame:
    """Return which terminal topographies lead to an ICD-10 code, whatever the morphology.

    Args:
        crosswalk: the rules (schema Crosswalk).
        codes: label space of ICD-O-3 (schema Codes).
        behaviours: digits after the slash to which the rules are limited; None = all.

    Returns:
        Columns icd10 and topography, sorted, without repetition.
    """
    rules = crosswalk if behaviours is None else crosswalk.filter(pl.col("behaviour").is_in(list(behaviours)))
    pairs = rules.select(pattern="topography", icd10="icd10").unique().join(_matching(rules, codes), on="pattern")
    return pairs.select("icd10", "topography").unique().sort("icd10", "topography")


def allowed_pairs(crosswalk: pl.DataFrame, codes: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of terminal topography and morphology for which a rule holds.

    Args:
        crosswalk: the rules (schema Crosswalk).
        codes: label space of ICD-O-3 (schema Codes).

    Returns:
        Columns topography, morphology (`8140/3`) and icd10, sorted; a pair has several rows where rules disagree.
    """
    morphology = codes.filter(pl.col("system") == "morphology").select(
        morphology="code",
        number=pl.col("code").str.slice(0, 4).cast(pl.Int64),
        behaviour=pl.col("code").str.slice(5),
    )
    limits = ["first", "last", "behaviour"]
    within = crosswalk.select(limits).unique().join(morphology, on="behaviour")
    within = within.filter(pl.col("number").is_between("first", "last"))
    rules = crosswalk.select(*limits, "icd10", pattern="topography").unique()
    pairs = rules.join(within, on=limits).select("pattern", "morphology", "icd10").unique()
    pairs = pairs.join(_matching(crosswalk, codes), on="pattern")
    return pairs.select("topography", "morphology", "icd10").unique().sort("topography", "morphology", "icd10")


def _matching(crosswalk: pl.DataFrame, codes: pl.DataFrame) -> pl.DataFrame:
    """Return which topographies match which pattern. In Python, since polars' expressions know no `(?!`."""
    terminal = codes.filter((pl.col("system") == "topography") & pl.col("terminal"))["code"].to_list()
    pairs = [
        (pattern, code)
        for pattern in crosswalk["topography"].unique().sort()
        for code in filter(re.compile(pattern).fullmatch, terminal)
    ]
    return pl.DataFrame(pairs, schema={"pattern": pl.String, "topography": pl.String}, orient="row")
