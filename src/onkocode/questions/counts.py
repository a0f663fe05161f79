"""Table 1: how many entries, codes and questions each block has, beside those of Lenz et al. 2025."""

import polars as pl

from onkocode.paper import paper
from onkocode.records.splits import SPLITS

COUNTS = ("entries", "codes", "formulations", "questions")
COUNTED = ("block", "entry_id", "origin_id", "code", "formulation_id", "split")  # columns that the counting reads
FURTHER_TITLES = {
    "topography-alphaid": "ICD-O topography code of an Alpha-ID label",
    "icdo-link": "ICD-O topography and morphology code of one tumour",
    "clinical-icd10": "ICD-10 code of a composed clinical text",
    "clinical-topography": "ICD-O topography code of a composed clinical text",
    "clinical-morphology": "ICD-O morphology code of a composed clinical text",
}
TOTAL, ALL = "total", "all"


def question_counts(questions: pl.DataFrame) -> pl.DataFrame:
    """Count the questions of each block before any split, as Table 1 does, with the paper's numbers beside.

    Held-out negatives are no entries of Table 1, and augmented rows (their origin is another entry) are no entries of
    their own, so neither is in the first four numbers.

    Args:
        questions: the columns `COUNTED` of the schema Questions, with all splits.

    Returns:
        A row per block in the paper's order, ``total`` over these, then blocks that the paper does not have and, where
        there are such, ``all``. Columns block, title, entries (distinct), codes (distinct), formulations, questions,
        share (of all of them, in %), augmented (questions on rewritten labels), one column per split with its questions
        of whatever kind, and paper_entries, paper_codes, paper_formulations, paper_questions. In the rows ``total`` and
        ``all``, entries, codes and formulations are null: blocks share them.
    """
    own = _own_counts(questions)
    known = _paper_counts()
    further = (
        own.join(known, on="block", how="anti")
        .select("block", title=pl.col("block").replace(FURTHER_TITLES))
        .sort("block")
    )
    order = pl.concat([known, further], how="diagonal").with_row_index("order")
    counted = order.join(own, on="block", how="left").sort("order")
    filled = counted.with_columns(pl.col(*COUNTS, "augmented", *SPLITS).fill_null(0)).drop("order")
    first, rest = filled.head(known.height), filled.slice(known.height)
    parts = [first, _sum(first, TOTAL, "Total").with_columns(paper_questions=pl.lit(paper().questions.total)), rest]
    if rest.height:
        parts.append(_sum(filled, ALL, "All questions"))
    everything = max(1, filled["questions"].sum())
    return (
        pl.concat(parts, how="diagonal_relaxed")
        .with_columns(share=100 * pl.col("questions") / everything)
        .select("block", "title", *COUNTS, "share", "augmented", *SPLITS, *[f"paper_{name}" for name in COUNTS])
    )


def _own_counts(questions: pl.DataFrame) -> pl.DataFrame:
    augmented = (pl.col("origin_id") != pl.col("entry_id")).fill_null(value=False)
    counted = ~augmented & (pl.col("split") != "heldout_negative")
    return questions.group_by("block").agg(
        entries=pl.col("entry_id").filter(counted).n_unique(),
        codes=pl.col("code").filter(counted).drop_nulls().n_unique(),
        formulations=pl.col("formulation_id").filter(counted).n_unique(),
        questions=counted.sum(),
        augmented=augmented.sum(),
        **{split: (pl.col("split") == split).sum() for split in SPLITS},
    )


def _sum(rows: pl.DataFrame, block: str, title: str) -> pl.DataFrame:
    sums = rows.select(pl.col("questions", "augmented", *SPLITS).sum())
    return sums.with_columns(block=pl.lit(block), title=pl.lit(title))


def _paper_counts() -> pl.DataFrame:
    blocks = pl.DataFrame([row.model_dump() for row in paper().questions.blocks])
    return blocks.select("block", "title", *[pl.col(name).alias(f"paper_{name}") for name in COUNTS])
