"""The blocks of questions on composed texts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from onkocode.catalogues.vocabulary.codes import SECONDARY
from onkocode.config.data import Clinical, Data
from onkocode.language.lexicon import shipped_lexicon
from onkocode.language.rows import READERS, shipped
from onkocode.questions.blocks import CatalogueTables, Selection
from onkocode.questions.clinical.composing import Composed, Composer, Taken
from onkocode.questions.clinical.files import content_hash
from onkocode.questions.clinical.tumours import Known
from onkocode.questions.formulations import COMPOSED, all_blocks
from onkocode.questions.leakage import normal_forms
from onkocode.records.ids import digest, shuffled

SCHEMA: dict[str, pl.DataType] = {
    **dict.fromkeys(("entry_id", "text", "icd10", "topography", "morphology", "rules", "split"), pl.String()),
    **dict.fromkeys(("asked", "flags"), pl.List(pl.String())),
}


@dataclass(frozen=True)
class ClinicalQuestions:
    """Entries of each block on composed texts, as a plan of questions has them, and facts about them."""

    blocks: dict[str, pl.DataFrame]
    facts: dict[str, Any]


def clinical_questions(
    sources: CatalogueTables, selection: Selection, out: set[str], options: Data
) -> ClinicalQuestions:
    """Return the blocks on composed texts of a data key.

    No text reads like a label of the catalogues: it would teach a label that is held out, or repeat one.

    Args:
        sources: catalogues.
        selection: entries of the other blocks.
        out: text keys that stay out of training.
        options: the data key, with `clinical`.
    """
    clinical = options.clinical
    if clinical is None:
        raise ValueError("a data key without composed texts")
    composer = Composer(shipped_lexicon(), _known(sources, selection, options), clinical, _taken(selection, out))
    texts = pl.DataFrame(map(_row, composer.texts()), schema=SCHEMA, orient="row")
    blocks = {name: _block(texts, name, task, options, clinical) for name, task in COMPOSED.items()}
    return ClinicalQuestions(blocks, _facts(texts, blocks))


def _known(sources: CatalogueTables, selection: Selection, options: Data) -> Known:
    icd10 = set(sources.icd10gm.filter(pl.col("tumour") & pl.col("terminal"))["code"])
    if options.sample is not None:
        icd10 &= set(selection.positive["code"])
    if not options.secondary_tumours:
        icd10 = {code for code in icd10 if not code.startswith(SECONDARY)}
    return Known(icd10, selection.icdo3, None if sources.pairs is None else _by_axes(sources.pairs))


def _by_axes(pairs: pl.DataFrame) -> Mapping[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for topography, morphology, icd10 in pairs.select("topography", "morphology", "icd10").iter_rows():
        found.setdefault((topography, morphology), set()).add(icd10)
    return found


def _taken(selection: Selection, out: set[str]) -> Taken:
    """Return what no text may read like: every label, and in whatever order of words one that is held out."""
    frames = (selection.positive, selection.topography, selection.morphology, selection.procedures)
    negatives = (selection.negative, selection.heldout_negative)
    keys = {key for frame in (*frames, *negatives) for key in frame["text_key"]}
    apart = {*out, *selection.heldout_negative["text_key"]}
    return Taken(keys, {form for key in apart for form in normal_forms(key)})


def _row(composed: Composed) -> tuple[Any, ...]:
    codes = (composed.icd10, composed.topography, composed.morphology)
    split = "heldout_label" if composed.heldout else None
    rules = " ".join(dict.fromkeys(composed.rules))
    return (composed.id, composed.text, *codes, rules, split, list(composed.asked), list(composed.flags))


def _block(texts: pl.DataFrame, name: str, task: str, options: Data, clinical: Clinical) -> pl.DataFrame:
    """Return the entries that are asked for the code of a task, with the formulations in which they are."""
    asked = texts.filter(pl.col("asked").list.contains(task))
    ids = list(all_blocks(options.formulations)[name].templates)
    chosen = [_formulations(entry, ids, name, clinical) for entry in asked["entry_id"]]
    return asked.with_columns(
        cluster=pl.col("entry_id"),
        answer=pl.col(task),
        expected=pl.col(task),
        accepted=pl.lit([], pl.List(pl.String)),
        origin_id=pl.col("entry_id"),
        block=pl.lit(name),
        asked_in=pl.Series(chosen, dtype=pl.List(pl.String)),
    )


def _formulations(entry: str, ids: Sequence[str], block: str, clinical: Clinical) -> list[str]:
    keys = [f"{entry}/{block}/{key}" for key in ids]
    return shuffled(ids, clinical.seed, "clinical-formulations", keys)[: clinical.formulations]


def _facts(texts: pl.DataFrame, blocks: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    return {
        "texts": texts.height,
        "heldout": texts["split"].is_not_null().sum(),
        "underspecified": texts.filter(pl.col("flags").list.len() > 0).height,
        "codes": {task: blocks[name]["answer"].n_unique() for name, task in COMPOSED.items()},
        "tables_sha256": digest(*_contents(), content_hash()),
    }


def _contents() -> Iterable[str]:
    return (shipped(table) for table in READERS)
