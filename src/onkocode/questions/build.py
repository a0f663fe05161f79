"""Building the question tables of a data key and of users' test sets."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from onkocode.config.schema import Data
from onkocode.questions.blocks import YES, block_entries, sample_hash
from onkocode.questions.formulations import PLACE, Block, formulations_hash, load_formulations
from onkocode.questions.splits import heldout_formulations, heldout_labels, split_of
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_rows

TERMS_SENTENCE = (
    "Die Erstellung erfolgt unter Verwendung der maschinenlesbaren Fassung des Bundesinstituts für Arzneimittel und "
    "Medizinprodukte (BfArM)."
)


@dataclass(frozen=True)
class QuestionSet:
    """Questions (schema QUESTIONS) in id order, and the facts about them for the provenance."""

    questions: pl.DataFrame
    facts: dict[str, Any]


def build_questions(
    alphaid: pl.DataFrame, icdo3: pl.DataFrame, ops: pl.DataFrame, icd10gm: pl.DataFrame, options: Data
) -> QuestionSet:
    """Return all questions of a data key, with their splits.

    Args:
        alphaid: entries of Alpha-ID.
        icdo3: entries of ICD-O-3.
        ops: entries of OPS.
        icd10gm: label space of ICD-10-GM.
        options: the data key.

    Raises:
        InputError: a tumour label's code is unknown to the label space, or a block has no entries.
    """
    _check_known(alphaid, icd10gm, options)
    formulations = load_formulations(options.formulations)
    entries = block_entries(alphaid, icdo3, ops, icd10gm, options)
    empty = [name for name, frame in entries.items() if frame.is_empty()]
    if empty:
        raise InputError(f"no entries for block {', '.join(empty)}; check the catalogues of this data key")
    labels_out = heldout_labels(entries, options.heldout_labels, options.seed)
    parts = []
    for name, block in formulations.items():
        out = heldout_formulations(list(block.templates), options.heldout_formulations, options.seed)
        split = split_of(pl.col("text_key").is_in(labels_out), pl.col("formulation_id").is_in(out))
        parts.append(_cross(entries[name], block).with_columns(split=split))
    questions = _in_id_order(pl.concat(parts))
    facts = {
        "questions_sha256": questions_hash(questions),
        "formulations_sha256": formulations_hash(options.formulations),
        "negatives_sha256": sample_hash(entries["tumour"].filter(pl.col("answer") != YES)),
        "counts": {name: frame.height for name, frame in entries.items()},
        "terms": TERMS_SENTENCE if options.alphaid != "example" else "example catalogue of the project",
    }
    return QuestionSet(questions, facts)


def build_text_questions(texts: pl.DataFrame, version: str) -> pl.DataFrame:
    """Return the questions on a user's texts: ICD-10, topography and tumour yes/no under every formulation.

    Every text is a tumour, so the answer to yes/no is always yes.
    """
    formulations = load_formulations(version)
    expected = {"icd10": pl.col("code"), "topography": pl.col("topography"), "tumour": pl.lit(None, pl.String)}
    parts = []
    for name, code in expected.items():
        answers = texts.with_columns(expected=code).with_columns(answer=pl.col("expected").fill_null(YES))
        parts.append(_cross(answers, formulations[name]).with_columns(split=pl.lit("test")))
    return _in_id_order(pl.concat(parts))


def questions_hash(questions: pl.DataFrame) -> str:
    """Return the SHA-256 over canonical rows (id, question, answer, split) in id order; the same on every machine."""
    return hash_rows(questions.select("question_id", "question", "answer", "split").iter_rows())


def _cross(entries: pl.DataFrame, block: Block) -> pl.DataFrame:
    """Put every entry into every formulation of a block."""
    templates = pl.DataFrame(
        {
            "formulation_id": list(block.templates),
            "before": [template.split(PLACE)[0] for template in block.templates.values()],
            "after": [template.split(PLACE)[1] for template in block.templates.values()],
        }
    )
    columns = ["entry_id", "cluster", "text", "text_key", "answer", "expected", "accepted"]
    return (
        entries.select(columns)
        .join(templates, how="cross")
        .with_columns(
            question_id=pl.concat_str("entry_id", pl.lit(block.name), "formulation_id", separator="/"),
            block=pl.lit(block.name),
            task=pl.lit(block.task),
            question=pl.concat_str("before", "text", "after"),
            code=pl.col("expected"),
            origin_id=pl.col("entry_id"),
        )
    )


def _in_id_order(questions: pl.DataFrame) -> pl.DataFrame:
    repeated = questions.filter(pl.col("question_id").is_duplicated())
    if repeated.height:
        raise InputError(f"question id {repeated['question_id'][0]!r} arises twice; the entries' ids are not unique")
    return questions.sort("question_id")


def _check_known(alphaid: pl.DataFrame, icd10gm: pl.DataFrame, options: Data) -> None:
    known = set(icd10gm["code"].to_list())
    valid = alphaid.filter(pl.col("code").is_not_null() & ~pl.col("flags").list.contains("invalid"))
    unknown = sorted(code for code in valid["code"].unique().to_list() if "C" <= code < "D49" and code not in known)
    if unknown:
        raise InputError(
            f"Alpha-ID {options.alphaid} uses tumour codes that ICD-10-GM {options.icd10gm} does not have: "
            f"{', '.join(unknown[:10])}{' …' if len(unknown) > 10 else ''}; name matching versions in the data key"
        )
