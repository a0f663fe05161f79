"""What a data key asks, in numbers: Table 1 beside the paper's, splits, labels, and the likely rules for OPS."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from onkocode.config.data import Data
from onkocode.paper import paper
from onkocode.questions.blocks import CatalogueTables, select_entries
from onkocode.questions.build import QuestionStream
from onkocode.questions.counts import COUNTED, COUNTS, question_counts
from onkocode.records.ids import text_key
from onkocode.records.schemas import empty_table
from onkocode.records.splits import SPLITS
from onkocode.text_tables import Cell, difference, text_table

PAPER_OPS = next(row.entries for row in paper().questions.blocks if row.block == "ops")
OPS_CLASSES: tuple[list[int], ...] = ([3], [4], [3, 4])
LABEL_COUNTS = ("entries", "labels", "repeated", "several", "single")
SPLIT_COUNTS = ("questions", "entries", "labels")
HASHES = ("questions_sha256", "formulations_sha256", "negatives_sha256")
TIDY = ("section", "item", "measure", "value", "paper")


@dataclass(frozen=True)
class CatalogueFile:
    """A catalogue file that was read."""

    name: str  # <dataset>-<version>
    path: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class Description:
    """Numbers of a data key.

    `counts` is Table 1 as `question_counts` returns it, `splits` has a row per split that has questions, `labels` a row
    per block, `ops` a row per rule (columns rule, entries, codes), `facts` are those of the question stream.
    """

    counts: pl.DataFrame
    splits: pl.DataFrame
    labels: pl.DataFrame
    ops: pl.DataFrame
    facts: dict[str, Any]


def describe(sources: CatalogueTables, options: Data) -> Description:
    """Build the questions of a data key, keep none of them, and count.

    Raises:
        InputError: whatever building the questions found.
    """
    ops = list(sources.ops)  # read twice
    stream = QuestionStream(replace(sources, ops=ops), options)
    counted, labelled = [], []
    for questions in stream:
        counted.append(questions.select(COUNTED))
        labelled.append(questions.select(*COUNTED, "text", "answer").drop("formulation_id").unique())
    questions, entries = pl.concat(counted), pl.concat(labelled)
    texts = entries.select(pl.col("text").unique())
    keys = texts.with_columns(text_key=pl.Series([text_key(text) for text in texts["text"]], dtype=pl.String))
    entries = entries.join(keys, on="text")
    return Description(
        counts=question_counts(questions),
        splits=split_counts(questions, entries),
        labels=label_counts(entries),
        ops=ops_rules(ops, sources.icd10gm, options),
        facts=stream.facts,
    )


def split_counts(questions: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """Return questions, distinct entries and distinct labels per split; a label is told by its text key."""
    asked = questions.group_by("split").agg(questions=pl.len())
    held = entries.group_by("split").agg(entries=pl.col("entry_id").n_unique(), labels=pl.col("text_key").n_unique())
    order = pl.DataFrame({"split": SPLITS, "place": range(len(SPLITS))})
    return order.join(asked.join(held, on="split"), on="split").sort("place").drop("place")


def label_counts(entries: pl.DataFrame) -> pl.DataFrame:
    """Return per block how its labels repeat; held-out negatives and rewritten labels are left out.

    Args:
        entries: columns block, entry_id, origin_id, split, text_key, answer, code; a row per entry of a block or more.

    Returns:
        Columns block, entries, labels (distinct text keys), repeated (entries that bring no new pair of label and
        answer), several (labels that stand with more than one answer), single (codes with one label only; null in
        blocks without codes).
    """
    own = entries.filter((pl.col("origin_id") == pl.col("entry_id")) & (pl.col("split") != "heldout_negative"))
    pairs = own.select("block", "text_key", "answer").unique()
    answers = pairs.group_by("block", "text_key").agg(answers=pl.len())
    spoken = own.drop_nulls("code").group_by("block", "code").agg(labels=pl.col("text_key").n_unique())
    parts = [
        own.group_by("block").agg(entries=pl.col("entry_id").n_unique(), labels=pl.col("text_key").n_unique()),
        pairs.group_by("block").agg(pairs=pl.len()),
        answers.group_by("block").agg(several=(pl.col("answers") > 1).sum()),
        spoken.group_by("block").agg(single=(pl.col("labels") == 1).sum()),
    ]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.join(part, on="block", how="left")
    order = [row.block for row in paper().questions.blocks]
    place = pl.col("block").replace_strict(order, range(len(order)), default=len(order))
    counted = joined.with_columns(repeated=pl.col("entries") - pl.col("pairs"))
    return counted.sort(place, "block").select("block", *LABEL_COUNTS)


def ops_rules(ops: Sequence[pl.DataFrame], icd10gm: pl.DataFrame, options: Data) -> pl.DataFrame:
    """Return how many entries and codes each likely choice of OPS labels gives, as far as the files have them."""
    nothing = [empty_table("entries")]
    sources = CatalogueTables(alphaid=nothing, icdo3=nothing, ops=ops, icd10gm=icd10gm)
    with_inclusions = any(frame["flags"].list.contains("inclusion").any() for frame in ops)
    # A code is one character longer than its class, because of the hyphen.
    lengths = {length - 1 for frame in ops for length in frame["code"].str.len_chars().unique()}
    rows = []
    for classes in (classes for classes in OPS_CLASSES if lengths.issuperset(classes)):
        for inclusions in (False, True) if with_inclusions else (False,):
            rule = {"ops_classes": classes, "ops_inclusions": inclusions, "heldout_negatives": 0}
            chosen = select_entries(sources, options.model_copy(update=rule)).procedures
            name = f"{' and '.join(map(str, classes))} characters, {'with' if inclusions else 'without'} inclusions"
            rows.append((name, chosen.height, chosen["code"].n_unique()))
    return pl.DataFrame(rows, schema=["rule", "entries", "codes"], orient="row")


def description_text(key: str, description: Description, files: Sequence[CatalogueFile]) -> str:
    """Return the description for the terminal."""
    facts = description.facts
    sections = [
        ("Table 1: questions before any split, beside Lenz et al. 2025 (diff. = yours - paper)", _table_1(description)),
        ("Catalogue files", _files(files)),
        (
            "Splits, rewritten labels included (a label may stand in train and, in other words, held out)",
            text_table(["split", *SPLIT_COUNTS], description.splits.rows()),
        ),
        (
            "Labels (repeated: entries that bring no new pair of label and answer; several: labels with more than one\n"
            "answer; single: codes with one label only)",
            text_table(["block", *LABEL_COUNTS], description.labels.rows()),
        ),
        (_ops_heading(description.ops), _ops(description.ops)),
        ("Beside Table 1", _further(facts)),
    ]
    hashes = [f"{name}: {facts[name]}" for name in HASHES]
    tables = [f"{heading}\n\n{table}" for heading, table in sections]
    return "\n\n".join([f"Data key {key}", *tables, "\n".join(hashes), str(facts["terms"])])


def description_table(description: Description, files: Sequence[CatalogueFile]) -> pl.DataFrame:
    """Return all numbers of the description as one table of texts, a row per number: the columns `TIDY`."""
    rows: list[tuple[object, ...]] = []
    for file in files:
        rows += [("catalogue", file.name, name, getattr(file, name), None) for name in ("path", "sha256", "rows")]
    for row in description.counts.iter_rows(named=True):
        names = [*COUNTS, "augmented"]
        rows += [("table-1", row["block"], name, row[name], row.get(f"paper_{name}")) for name in names]
    sections = (("split", description.splits), ("labels", description.labels), ("ops-rule", description.ops))
    for section, frame in sections:
        for item, *values in frame.iter_rows():
            rows += [(section, item, *pair, None) for pair in zip(frame.columns[1:], values, strict=True)]
    names = ["questions", "heldout_negatives", *HASHES]
    rows += [("data-set", "all", name, description.facts[name], None) for name in names]
    texts = [[None if value is None else str(value) for value in row] for row in rows]
    return pl.DataFrame(texts, schema=dict.fromkeys(TIDY, pl.String), orient="row")


def _table_1(description: Description) -> str:
    header = ["block"]
    for name in COUNTS:
        header += [name, "paper", "diff."]
    lines: list[list[Cell]] = []
    for row in description.counts.iter_rows(named=True):
        # The paper counts no codes of OPS, so there is nothing to compare.
        cells: list[Cell] = [row["block"]]
        for name in COUNTS:
            own, paper = row[name], row[f"paper_{name}"]
            cells += [own, paper, difference(own, paper)]
        lines.append(cells)
    return text_table(header, lines)


def _files(files: Sequence[CatalogueFile]) -> str:
    rows: list[list[Cell]] = [[file.name, f"{file.rows:,}", file.sha256[:12], file.path] for file in files]
    return text_table(["catalogue", "rows", "SHA-256", "file"], rows, left=4)


def _ops_heading(rules: pl.DataFrame) -> str:
    fitting = rules.filter(pl.col("entries") == PAPER_OPS)["rule"].to_list()
    said = f"{' and '.join(fitting)} gives it" if fitting else "no rule here gives it, so which labels it took is open"
    lacking = [] if rules["rule"].str.contains("with inclusions").any() else ["inclusion labels (only ClaML has them)"]
    if not rules["rule"].str.starts_with("4 ").any():
        lacking.insert(0, "classes of four characters")
    note = f"\nThe OPS file has no {' and no '.join(lacking)}." if lacking else ""
    return f"Likely rules for OPS: the paper has {PAPER_OPS:,} entries; {said}.{note}"


def _ops(rules: pl.DataFrame) -> str:
    rows = [[rule, entries, codes, difference(entries, PAPER_OPS)] for rule, entries, codes in rules.iter_rows()]
    return text_table(["OPS classes of", "entries", "codes", "diff."], rows)


def _further(facts: dict[str, Any]) -> str:
    rows: list[list[Cell]] = [["held-out negatives (entries, never trained on)", facts["heldout_negatives"]]]
    rows += [[f"rewritten labels in {block} (rows beside the entries)", n] for block, n in facts["augmented"].items()]
    return text_table(["", "count"], [*rows, ["questions in all", facts["questions"]]])
