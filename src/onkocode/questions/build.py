"""Building the question tables of a data key and of users' test sets.

Questions arise in id order, a slice of entries at a time, so that memory does not grow with the number of questions.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from onkocode.catalogues.fetching.sources import TERMS_SENTENCE
from onkocode.config.data import Data
from onkocode.questions.augmentation import augment
from onkocode.questions.blocks import (
    HELDOUT_NEGATIVE,
    NONE,
    CatalogueTables,
    Selection,
    core_blocks,
    links,
    sample_hash,
    select_entries,
    topography_from_alphaid,
    with_answers,
)
from onkocode.questions.formulations import PLACE, Block, all_blocks, formulations_hash, load_formulations
from onkocode.questions.splits import heldout_formulations, heldout_labels
from onkocode.records.errors import InputError
from onkocode.tasks import NO, PROTOCOL, TASKS, Task

if TYPE_CHECKING:
    from onkocode.questions.clinical.blocks import ClinicalQuestions

SLICE = 10_000  # entries (one per block) that are turned into questions at once
# Blocks whose labels are rewritten. In yes/no blocks rewritten tumours alone would teach that such writing means yes.
AUGMENTED = ("icd10", "topography-alphaid")
PLANNED = (
    *("entry_id", "cluster", "text", "answer", "expected", "accepted", "origin_id", "block", "split"),
    *("asked_in", "flags", "rules"),
)
STRINGS = pl.lit(None, pl.List(pl.String))
NOT_COMPOSED = (STRINGS.alias("asked_in"), STRINGS.alias("flags"), pl.lit(None, pl.String).alias("rules"))
HASHED = ("question_id", "question", "answer", "split")


@dataclass(frozen=True)
class QuestionSet:
    """Questions (schema Questions) in id order, and the facts about them for the provenance."""

    questions: pl.DataFrame
    facts: dict[str, Any]


class QuestionStream:
    """Questions of a data key as frames in id order; `facts` are complete when all of them have been taken.

    Raises:
        InputError: a tumour label's code is unknown to the label space, or a block of Table 1 has no entries.
    """

    def __init__(self, sources: CatalogueTables, options: Data) -> None:
        self._formulations = all_blocks(options.formulations)
        selection = select_entries(sources, options)
        core = core_blocks(selection, options)
        empty = [name for name, frame in core.items() if frame.is_empty()]
        if empty:
            raise InputError(f"no entries for block {', '.join(empty)}; check the catalogues of this data key")
        out = heldout_labels(core, options.heldout_labels, options.seed)
        further = _further_blocks(sources, selection, out, options)
        blocks = {name: frame.with_columns(origin_id=pl.col("entry_id")) for name, frame in (core | further).items()}
        augmented = {name: _with_augmented(blocks[name], out, options) for name in AUGMENTED if name in blocks}
        rows = blocks | augmented
        unseen = selection.heldout_negative.with_columns(answer=pl.lit(NO), expected=NONE, origin_id=pl.col("entry_id"))
        composed = _composed(sources, selection, out, options)
        self._plan = _plan(rows, unseen, out, composed)
        self._templates = _templates(self._formulations, [*rows, *(composed.blocks if composed else ())], options)
        self.facts: dict[str, Any] = {
            "formulations_sha256": formulations_hash(options.formulations),
            "negatives_sha256": sample_hash(selection.negative),
            "counts": {name: frame.height for name, frame in blocks.items()},
            "heldout_negatives": unseen.height,
            "augmented": {name: frame.height - blocks[name].height for name, frame in augmented.items()},
            "terms": terms_of(options),
        } | ({"clinical": composed.facts} if composed else {})

    def __iter__(self) -> Iterator[pl.DataFrame]:
        sha, last, count = hashlib.sha256(), "", 0
        for start in _slices(self._plan["entry_id"]):
            questions = _questions(self._plan.slice(*start), self._templates).sort("question_id")
            _check_unique(questions)
            if questions["question_id"][0] <= last:
                raise ValueError(f"{questions['question_id'][0]} does not come after {last}")
            last, count = questions["question_id"][-1], count + questions.height
            sha.update(canonical_rows(questions))
            yield questions
        self.facts |= {"questions": count, "questions_sha256": sha.hexdigest()}


def build_questions(sources: CatalogueTables, options: Data) -> QuestionSet:
    """Return all questions of a data key at once; the same as collecting a `QuestionStream`."""
    stream = QuestionStream(sources, options)
    questions = pl.concat(list(stream))
    return QuestionSet(questions, stream.facts)


def build_text_questions(texts: pl.DataFrame, version: str, further: Collection[str] = ()) -> pl.DataFrame:
    """Return the questions on a user's texts under every formulation.

    Every text is a tumour, so the answer to yes/no is always yes. A text without a task's code is not asked for it.

    Args:
        texts: schema Entries.
        version: of the formulations.
        further: keys of tasks beyond those of the protocol.
    """
    formulations = load_formulations(version)
    tasks = [task for task in TASKS.values() if task.key in {*PROTOCOL, *further} and task.asks_texts]
    templates = pl.concat([_template_rows(formulations[task.block], set()) for task in tasks])
    plan = pl.concat([_asked_of_texts(texts, task) for task in tasks])
    questions = _questions(plan, templates).sort("question_id")
    _check_unique(questions)
    return questions


def _asked_of_texts(texts: pl.DataFrame, task: Task) -> pl.DataFrame:
    coded = texts if task.column is None else texts.filter(pl.col(task.column).is_not_null())
    return with_answers(coded, task, pl.col(task.column or "code")).with_columns(
        *NOT_COMPOSED, origin_id=pl.col("entry_id"), block=pl.lit(task.block), split=pl.lit("test")
    )


def canonical_rows(questions: pl.DataFrame) -> bytes:
    r"""Return rows for hashing: UTF-8; id, question, answer and split separated by tabs, a row a line.

    A backslash, tab, line feed or carriage return inside a value is written ``\\``, ``\t``, ``\n`` or ``\r``.
    """
    escaped = questions.select(
        pl.col(name)
        .str.replace_all("\\", "\\\\", literal=True)
        .str.replace_all("\t", "\\t", literal=True)
        .str.replace_all("\n", "\\n", literal=True)
        .str.replace_all("\r", "\\r", literal=True)
        for name in HASHED
    )
    return escaped.write_csv(separator="\t", include_header=False, quote_style="never").encode()


def terms_of(options: Data) -> str:
    """Return the sentence that data derived from BfArM's files must carry."""
    versions = {*options.alphaid, options.icd10gm, *options.icdo3, *options.ops}
    return "example catalogue of the project" if versions == {"example"} else TERMS_SENTENCE


def _further_blocks(
    sources: CatalogueTables, selection: Selection, out: set[str], options: Data
) -> dict[str, pl.DataFrame]:
    """Return the blocks that the paper does not have, as far as they are asked for."""
    blocks = {}
    if options.topography_from_alphaid:
        if sources.topographies is None:
            raise InputError("topography_from_alphaid needs the ICD-O-3 to ICD-10 rules; set the key crosswalk")
        blocks["topography-alphaid"] = topography_from_alphaid(selection.positive, sources.topographies)
    if options.links:
        if sources.pairs is None:
            raise InputError("links need the ICD-O-3 to ICD-10 rules; set the key crosswalk")
        blocks["icdo-link"] = links(sources.pairs, selection.topography, selection.morphology, out, options)
    return blocks


def _with_augmented(entries: pl.DataFrame, out: set[str], options: Data) -> pl.DataFrame:
    """Add the rewritten copies of the labels that are trained on."""
    if options.augmentation is None:
        return entries
    # Of all entries, so that no copy reads like a held-out label; then only copies of what is trained on.
    copies = augment(entries, options.augmentation).filter(~pl.col("text_key").is_in(list(out)))
    return pl.concat([entries, copies.select(entries.columns)])


def _composed(
    sources: CatalogueTables, selection: Selection, out: set[str], options: Data
) -> "ClinicalQuestions | None":
    """Return the blocks on composed texts, if they are asked for."""
    if options.clinical is None:
        return None
    from onkocode.questions.clinical.blocks import clinical_questions  # loads the tables of clinical language

    return clinical_questions(sources, selection, out, options)


def _plan(
    rows: dict[str, pl.DataFrame], unseen: pl.DataFrame, out: set[str], composed: "ClinicalQuestions | None"
) -> pl.DataFrame:
    """Return one row per entry and block, in the order of the question ids.

    `split` is null where the formulation decides, `asked_in` where an entry is put into all of its block.
    """
    label_out = pl.when(pl.col("text_key").is_in(list(out))).then(pl.lit("heldout_label"))
    parts = [frame.with_columns(block=pl.lit(name), split=label_out) for name, frame in rows.items()]
    parts.append(unseen.with_columns(block=pl.lit("tumour"), split=pl.lit(HELDOUT_NEGATIVE)))
    parts = [part.with_columns(NOT_COMPOSED) for part in parts] + (list(composed.blocks.values()) if composed else [])
    # With the slash that follows an entry's id in that of a question: `5-87/` comes after `5-87.0/`.
    plan: pl.DataFrame = pl.concat([part.select(PLANNED) for part in parts])
    return plan.sort(pl.col("entry_id") + "/", "block")


def _slices(entry_ids: pl.Series) -> Iterator[tuple[int, int]]:
    """Yield offset and length of slices that part no entry from itself."""
    start, total = 0, len(entry_ids)
    while start < total:
        end = min(start + SLICE, total)
        while end < total and entry_ids[end] == entry_ids[end - 1]:
            end += 1
        yield start, end - start
        start = end


def _templates(formulations: dict[str, Block], blocks: list[str], options: Data) -> pl.DataFrame:
    parts = []
    for name in blocks:
        block = formulations[name]
        out = heldout_formulations(list(block.templates), options.heldout_formulations, options.seed)
        parts.append(_template_rows(block, out))
    return pl.concat(parts)


def _template_rows(block: Block, out: set[str]) -> pl.DataFrame:
    """Return a row per formulation: the words before and after the text, and the split unless the label decides."""
    return pl.DataFrame(
        [
            (block.name, block.task, key, *template.split(PLACE), "heldout_formulation" if key in out else "train")
            for key, template in block.templates.items()
        ],
        schema=["block", "task", "formulation_id", "before", "after", "formulation_split"],
        orient="row",
    )


def _questions(plan: pl.DataFrame, templates: pl.DataFrame) -> pl.DataFrame:
    """Put every entry into every formulation of its block, or into those that it names."""
    crossed: pl.DataFrame = plan.join(templates, on="block").filter(
        pl.col("asked_in").is_null() | pl.col("asked_in").list.contains(pl.col("formulation_id"))
    )
    return crossed.select(
        pl.concat_str("entry_id", "block", "formulation_id", separator="/").alias("question_id"),
        "entry_id",
        "cluster",
        "block",
        "formulation_id",
        "task",
        pl.concat_str("before", "text", "after").alias("question"),
        "text",
        "answer",
        pl.col("expected").alias("code"),
        "accepted",
        pl.coalesce("split", "formulation_split").alias("split"),
        "origin_id",
        "flags",
        "rules",
    )


def _check_unique(questions: pl.DataFrame) -> None:
    twice = questions.filter(pl.col("question_id").is_duplicated())["question_id"]
    if len(twice):
        raise InputError(f"question id {twice[0]!r} arises twice; the entries' ids are not unique")
