"""The step that looks for test texts in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from onkocode.records.errors import InputError
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.common import write_json
from onkocode.steps.options import SETTINGS, NamedPaths

if TYPE_CHECKING:
    from onkocode.config.data import Leakage
    from onkocode.questions.leakage import Texts


@step()
def check_leakage(
    *,
    questions: Path,
    texts: NamedPaths = (),
    settings: Annotated[Leakage | None, SETTINGS] = None,
    pairs: Path,
    output: Path,
) -> None:
    """Look for test texts, and held-out labels, that occur in training; refuse them, if that is asked for.

    Args:
        questions: table of build-questions
        texts: test sets (entries)
        settings: leakage: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        pairs: table of the pairs that were found, by id; private
        output: counts to write (JSON)
    """
    import polars as pl

    from onkocode.config.data import Leakage
    from onkocode.questions.leakage import count_pairs, find_pairs
    from onkocode.records.schemas import write_table

    settings = settings or Leakage()
    tables = _by_key(texts)
    inputs = {"questions": questions} | {f"texts-{key}": path for key, path in tables.items()}
    record = Provenance("check-leakage", settings.model_dump(), inputs)
    training, sets = _read(questions, tables)
    found = {key: find_pairs(tests, training, settings.near) for key, tests in sets.items()}
    counts = {key: count_pairs(found[key], tests.count) for key, tests in sets.items()}
    told = {"entries": training.count, "texts": training.texts["text"].n_unique()}
    record.write(output)
    write_json(output, {"settings": settings.model_dump(), "training": told, "test_sets": counts})
    restrict_to_owner(pairs)  # not before the counts, which everybody may read
    record.write(pairs)
    named = [frame.with_columns(test_set=pl.lit(key)) for key, frame in found.items()]
    write_table(pl.concat(named), "leakage", pairs)
    _refuse({key: counts[key] for key in tables}, settings.refuse, pairs)


def _by_key(texts: NamedPaths) -> dict[str, Path]:
    from onkocode.questions.leakage import UNSEEN

    keys = [key for key, _ in texts]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"--texts names {key} twice; every test set has a key of its own")
        if key in UNSEEN:
            raise InputError(f"--texts: {key} is the name of a split of the questions; give the test set another key")
    return dict(texts)


def _read(questions: Path, tables: Mapping[str, Path]) -> tuple[Texts, dict[str, Texts]]:
    """Return what is trained on, and the test sets by key: the user's, then the splits that stay out of training."""
    from onkocode.questions.leakage import TRAINING, UNSEEN, texts_of_entries, texts_of_questions
    from onkocode.records.schemas import read_table

    table = read_table(questions, "questions")
    training = texts_of_questions(table, TRAINING)
    if not training.count:
        raise InputError(f"{questions}: holds no question that is trained on; give a table of build-questions")
    sets = {key: texts_of_entries(read_table(path, "entries")) for key, path in tables.items()}
    return training, sets | {split: texts_of_questions(table, [split]) for split in UNSEEN}


def _refuse(counts: Mapping[str, Mapping[str, Any]], refuse: str, pairs: Path) -> None:
    """Raise InputError when a user's test set holds texts that are not allowed."""
    from onkocode.questions.leakage import leaking

    problems = [
        f"  {key}: {number} of {found['texts']} texts ({found['exact']} exact, {found['normalised']} exact after "
        f"normalisation, {found['code_agreement']['near']['same']} near with the same code)"
        for key, found in counts.items()
        if (number := leaking(found, refuse))
    ]
    if problems:
        raise InputError(
            f"test texts occur in training (leakage.refuse: {refuse}):\n"
            + "\n".join(problems)
            + f"\n{pairs} lists them by "
            "id. Remove these rows from the test set, train on a data key without these labels, or set leakage.refuse: "
            "nothing to have them counted only"
        )
