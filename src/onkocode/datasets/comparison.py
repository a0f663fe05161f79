"""Two data sets of questions side by side: the project's own and one of another origin and layout."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from onkocode.datasets.matching import locate
from onkocode.paper import paper
from onkocode.questions.answers import KINDS, TITLES, with_kinds
from onkocode.questions.blocks import HELDOUT_NEGATIVE
from onkocode.questions.counts import FURTHER_TITLES
from onkocode.questions.formulations import PLACE
from onkocode.records.ids import shuffled, text_key
from onkocode.tasks import YES
from onkocode.text_tables import Cell, text_table

COLUMNS = ("question", "answer", "text", "block", "formulation_id", "entry_id", "origin_id", "split")  # of ours
BLOCKS = (*[row.block for row in paper().questions.blocks], *FURTHER_TITLES)
UNREAD, OTHER = "yes/no, block unknown", "other"
BLOCK_OF_KIND = {name: name for name in ("icd10", "topography", "morphology", "ops")}
BLOCK_OF_KIND |= {"yes-code": "tumour-icd10", "both-codes": "icdo-link", "other": OTHER}
# Blocks with the same questions on other labels, which a foreign data set cannot tell apart.
KIND_OF_BLOCK = {"icd10": "icd10", "topography": "topography", "topography-alphaid": "topography"}
SYSTEMS = {"icd10": ["icd10", "yes-code"], "topography": ["topography"], "morphology": ["morphology"], "ops": ["ops"]}
EXAMPLES = 20
# Shares of a formulation's labels that are procedures: above the first it is one about procedures, and below the second
# they only happen to be called like diagnoses.
MOSTLY, PARTLY = 0.5, 0.01
TIDY = ("section", "item", "measure", "value")


@dataclass(frozen=True)
class Comparison:
    """Numbers of both data sets.

    `sizes`: measure, theirs, ours, both. `kinds`: kind, theirs, ours (questions). `blocks`: block, then questions,
    formulations and entries (distinct pairs of label and answer) of theirs and ours, and the paper's. `labels`: block,
    both, only_theirs, only_ours, other_answer (of `both`). `codes`: system, both, only_theirs, only_ours. `unread`:
    block and questions of theirs in which no label was found. `examples`: rows for the table on disk.
    """

    sizes: pl.DataFrame
    kinds: pl.DataFrame
    blocks: pl.DataFrame
    labels: pl.DataFrame
    codes: pl.DataFrame
    unread: pl.DataFrame
    examples: pl.DataFrame


def compare_datasets(foreign: pl.DataFrame, questions: pl.DataFrame) -> Comparison:
    """Set two data sets side by side.

    Of ours, held-out negatives and rewritten labels are not compared; the former serve to find labels in theirs.

    Args:
        foreign: pairs of question and answer.
        questions: the columns `COLUMNS` of the schema Questions.
    """
    original = questions.filter(pl.col("origin_id").eq_missing(pl.col("entry_id")))
    known = own_questions(original)
    own = own_questions(original.filter(pl.col("split") != HELDOUT_NEGATIVE))
    theirs = read_questions(foreign, known)
    found = theirs.drop_nulls("label")
    unread = theirs.filter(pl.col("label").is_null() & (pl.col("kind") != "other"))
    return Comparison(
        sizes=_sizes(theirs, own),
        kinds=_kinds(theirs, own),
        blocks=_blocks(theirs, own),
        labels=_labels(found, own),
        codes=_codes(theirs, own),
        unread=unread.group_by("block").agg(questions=pl.col("rows").sum()).sort("block"),
        examples=_examples(found, theirs, own),
    )


def own_questions(questions: pl.DataFrame) -> pl.DataFrame:
    """Return our questions in the form of `read_questions`."""
    kind = pl.col("block").replace_strict(KIND_OF_BLOCK, default=pl.col("kind"))
    told = with_kinds(questions).with_columns(kind=kind, rows=pl.lit(1, pl.UInt32), label="text")
    keyed = told.join(_text_keys(told["label"]), on="label", how="left")
    return keyed.select(
        "question", "answer", "rows", "kind", "key", "label", "text_key", "block", formulation="formulation_id"
    )


def read_questions(foreign: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the distinct pairs of a data set with what can be told about them.

    Args:
        foreign: pairs of question and answer.
        known: our questions, as `own_questions` returns them.

    Returns:
        Columns question, answer, rows (how often the pair stands there), kind, key (see `answers.with_kinds`), label
        and text_key, block, formulation (with a placeholder); label and formulation are null where none was found.
    """
    pairs = with_kinds(foreign.group_by("question", "answer").agg(rows=pl.len()))
    asked = pairs.filter(pl.col("kind") != "other").select("question", "key").unique()
    located = locate(asked, known.select("key", text="label").unique())
    whole = located.with_columns(formulation=pl.concat_str("before", pl.lit(PLACE), "after"))
    joined = pairs.join(whole, on=["question", "key"], how="left")
    keyed = joined.join(_text_keys(joined["label"].drop_nulls()), on="label", how="left")
    settled = _settle_systems(keyed, known)
    return settled.with_columns(block=_block(settled, known)).select(*known.columns)


def _settle_systems(theirs: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Decide between ICD-10 and topography where the question names neither: by its formulation's known labels."""
    axes = known.filter(pl.col("kind").is_in(["icd10", "topography"])).select("text_key", "key", axis="kind").unique()
    votes = (
        theirs.filter("unsure").join(axes, on=["text_key", "key"]).group_by("formulation", "axis").agg(votes=pl.len())
    )
    winner = votes.sort("votes", "axis").group_by("formulation", maintain_order=True).agg(pl.col("axis").last())
    voted = theirs.join(winner, on="formulation", how="left")
    return voted.with_columns(kind=pl.when("unsure").then(pl.coalesce("axis", "kind")).otherwise("kind"))


def _block(theirs: pl.DataFrame, known: pl.DataFrame) -> pl.Expr:
    """Return the block of each question; of yes or no the formulation's other answers and labels tell it.

    With `Ja` and a code among the answers it is of `tumour-icd10`. Where most of the labels are asked for an OPS code
    elsewhere it is of `ops-tumour`; where some are, the label decides.
    """
    procedures = pl.concat(
        [frame.filter(pl.col("kind") == "ops")["text_key"] for frame in (theirs, known)]
    ).drop_nulls()
    procedure = pl.col("text_key").is_in(procedures.unique().implode())
    asked = theirs.drop_nulls("formulation").group_by("formulation")
    facts = asked.agg(
        share=procedure.mean(),
        coded=(pl.col("kind") == "yes-code").any(),
        yes=((pl.col("kind") == "yes-no") & (pl.col("key") == YES)).any(),
    )
    formulation = pl.col("formulation")
    coded, yes, mostly, partly = (
        formulation.is_in(facts.filter(condition)["formulation"].implode())
        for condition in (pl.col("coded"), pl.col("yes"), pl.col("share") > MOSTLY, pl.col("share") > PARTLY)
    )
    yes_no = (
        pl.when(coded)
        .then(pl.lit("tumour-icd10"))
        .when(mostly | (partly & procedure))
        .then(pl.lit("ops-tumour"))
        .when(yes)
        .then(pl.lit("tumour"))
        .otherwise(pl.lit(UNREAD))
    )
    return pl.when(pl.col("kind") == "yes-no").then(yes_no).otherwise(pl.col("kind").replace(BLOCK_OF_KIND))


def _sizes(theirs: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    rows: list[tuple[str, int, int, int | None]] = [("rows", int(theirs["rows"].sum()), own.height, None)]
    for name, columns in (
        ("distinct questions", ["question"]),
        ("distinct answers", ["answer"]),
        ("distinct pairs of question and answer", ["question", "answer"]),
    ):
        one, other = (frame.select(columns).unique() for frame in (theirs, own))
        rows.append((name, one.height, other.height, one.join(other, on=columns, how="semi").height))
    return pl.DataFrame(rows, schema=["measure", "theirs", "ours", "both"], orient="row")


def _kinds(theirs: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    frame = pl.DataFrame({"kind": KINDS})
    for name, questions in (("theirs", theirs), ("ours", own)):
        counted = questions.group_by("kind").agg(pl.col("rows").sum().alias(name))
        frame = frame.join(counted, on="kind", how="left", maintain_order="left")
    return frame.fill_null(0)


def _blocks(theirs: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    entry = pl.struct("label", "key").filter(pl.col("label").is_not_null()).n_unique()
    parts = [
        frame.group_by("block").agg(
            pl.col("rows").sum().alias(f"{whose}_questions"),
            pl.col("formulation").drop_nulls().n_unique().alias(f"{whose}_formulations"),
            entry.alias(f"{whose}_entries"),
        )
        for whose, frame in (("their", theirs), ("our", own))
    ]
    printed = pl.DataFrame(
        [(row.block, row.questions, row.formulations, row.entries) for row in paper().questions.blocks],
        schema=["block", "paper_questions", "paper_formulations", "paper_entries"],
        orient="row",
    )
    joined = (
        parts[0]
        .join(parts[1], on="block", how="full", coalesce=True)
        .join(printed, on="block", how="full", coalesce=True)
    )
    return _in_order(joined)


def _labels(found: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for block in _present(found, own):
        one, other = (
            frame.filter(pl.col("block") == block).group_by("text_key").agg(pl.col("key").unique())
            for frame in (found, own)
        )
        both = one.join(other, on="text_key", suffix="_own")
        apart = both.filter(pl.col("key").list.set_intersection("key_own").list.len() == 0).height
        rows.append((block, both.height, one.height - both.height, other.height - both.height, apart))
    schema = ["block", "both", "only_theirs", "only_ours", "other_answer"]
    return _in_order(pl.DataFrame(rows, schema=schema, orient="row"))


def _codes(theirs: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for system, kinds in SYSTEMS.items():
        one, other = (_codes_of(frame, kinds) for frame in (theirs, own))
        rows.append((system, len(one & other), len(one - other), len(other - one)))
    return pl.DataFrame(rows, schema=["system", "both", "only_theirs", "only_ours"], orient="row")


def _codes_of(questions: pl.DataFrame, kinds: Sequence[str]) -> set[str]:
    return set(questions.filter(pl.col("kind").is_in(kinds))["key"].to_list())


def _examples(found: pl.DataFrame, theirs: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Return labels and codes that only one side has, and the formulations of theirs."""
    rows: list[tuple[str, str, str, str]] = []
    for block in _present(found, own):
        one, other = (frame.filter(pl.col("block") == block).unique("text_key") for frame in (found, own))
        for measure, mine, yours in (("only theirs", one, other), ("only ours", other, one)):
            lacking = mine.join(yours, on="text_key", how="anti")["label"].sort().to_list()
            rows += [("label", block, measure, label) for label in shuffled(lacking, 0, "examples", lacking)[:EXAMPLES]]
        words = found.filter(pl.col("block") == block)["formulation"].unique().sort()
        rows += [("formulation", block, "theirs", formulation) for formulation in words]
    for system, kinds in SYSTEMS.items():
        here, there = (_codes_of(frame, kinds) for frame in (theirs, own))
        rows += [("code", system, "only theirs", code) for code in sorted(here - there)]
        rows += [("code", system, "only ours", code) for code in sorted(there - here)]
    return pl.DataFrame(rows, schema=dict.fromkeys(TIDY, pl.String), orient="row")


def _present(*frames: pl.DataFrame) -> list[str]:
    return sorted(set().union(*(frame["block"].unique().to_list() for frame in frames)))


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    place = pl.col("block").replace_strict(BLOCKS, range(len(BLOCKS)), default=len(BLOCKS))
    return frame.sort(place, "block")


def _text_keys(labels: pl.Series) -> pl.DataFrame:
    distinct = labels.unique().to_list()
    keys = [text_key(label) for label in distinct]
    return pl.DataFrame({"label": distinct, "text_key": keys}, schema=dict.fromkeys(("label", "text_key"), pl.String))


def comparison_text(comparison: Comparison) -> str:
    """Return the comparison for the terminal; it holds numbers only."""
    measures = ("questions", "formulations", "entries")
    header = ["block", *[name for measure in measures for name in (measure, "ours", "paper")]]
    sides = [f"{side}_{measure}" for measure in measures for side in ("their", "our", "paper")]
    blocks = comparison.blocks.select("block", *sides)
    kinds: list[list[Cell]] = [[TITLES[kind], one, other] for kind, one, other in comparison.kinds.iter_rows()]
    sections = [
        ("Size", text_table(["", "theirs", "ours", "in both"], comparison.sizes.rows())),
        ("Questions by kind of answer", text_table(["", "theirs", "ours"], kinds)),
        (
            "Blocks: theirs, ours, and Table 1 of Lenz et al. 2025 (entries: distinct pairs of label and answer; the\n"
            "paper counts every entry)",
            text_table(header, blocks.rows()),
        ),
        (
            "Labels by text key (other answer: of those in both, the ones without a common answer)",
            text_table(["block", "in both", "only theirs", "only ours", "other answer"], comparison.labels.rows()),
        ),
        ("Codes", text_table(["", "in both", "only theirs", "only ours"], comparison.codes.rows())),
    ]
    if comparison.unread.height:
        sections.append(
            (
                "Questions of theirs in which no label was found",
                text_table(["block", "questions"], comparison.unread.rows()),
            )
        )
    return "\n\n".join(f"{heading}\n\n{table}" for heading, table in sections)


def comparison_table(comparison: Comparison) -> pl.DataFrame:
    """Return all numbers, examples of what only one side has, and the formulations of theirs: the columns `TIDY`."""
    rows: list[tuple[str, str, str, str]] = []
    for section in ("sizes", "kinds", "blocks", "labels", "codes", "unread"):
        frame: pl.DataFrame = getattr(comparison, section)
        for item, *values in frame.iter_rows():
            numbers = zip(frame.columns[1:], values, strict=True)
            rows += [(section, item, measure, str(value)) for measure, value in numbers if value is not None]
    return pl.concat([pl.DataFrame(rows, schema=comparison.examples.schema, orient="row"), comparison.examples])
