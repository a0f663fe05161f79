"""The verb that looks for test texts in training."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.commands.common import validated
from onkocode.config.data import Leakage
from onkocode.questions.leakage import (
    TRAINING,
    UNSEEN,
    Texts,
    count_pairs,
    find_pairs,
    leaking,
    texts_of_entries,
    texts_of_questions,
)
from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance
from onkocode.records.schemas import read_table, write_table


def check_leakage(options: Namespace) -> None:
    """Count and list the test texts that occur in training; refuse them, if that is asked for."""
    settings = validated(Leakage, options.settings)
    tables = _by_key(options.texts)
    inputs = {"questions": options.questions} | {f"texts-{key}": path for key, path in tables.items()}
    record = Provenance("check-leakage", settings.model_dump(), inputs)
    training, sets = _read(options.questions, tables)
    pairs = {key: find_pairs(tests, training, settings.near) for key, tests in sets.items()}
    counts = {key: count_pairs(pairs[key], tests.count) for key, tests in sets.items()}
    report = {
        "settings": settings.model_dump(),
        "training": {"entries": training.count, "texts": training.texts["text"].n_unique()},
        "test_sets": counts,
    }
    record.write(options.output)
    write_text(options.output, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    restrict_to_owner(options.pairs)  # not before the counts, which everybody may read
    record.write(options.pairs)
    named = [frame.with_columns(test_set=pl.lit(key)) for key, frame in pairs.items()]
    write_table(pl.concat(named), "leakage", options.pairs)
    _refuse({key: counts[key] for key in tables}, settings.refuse, options.pairs)


def _by_key(texts: list[tuple[str, Path]]) -> dict[str, Path]:
    keys = [key for key, _ in texts]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"--texts names {key} twice; every test set has a key of its own")
        if key in UNSEEN:
            raise InputError(f"--texts: {key} is the name of a split of the questions; give the test set another key")
    return dict(texts)


def _read(questions: Path, tables: dict[str, Path]) -> tuple[Texts, dict[str, Texts]]:
    """Return what is trained on, and the test sets by key: the user's, then the splits that stay out of training."""
    table = read_table(questions, "questions")
    training = texts_of_questions(table, TRAINING)
    if not training.count:
        raise InputError(f"{questions}: holds no question that is trained on; give a table of build-questions")
    sets = {key: texts_of_entries(read_table(path, "entries")) for key, path in tables.items()}
    return training, sets | {split: texts_of_questions(table, [split]) for split in UNSEEN}


def _refuse(counts: dict[str, dict[str, Any]], refuse: str, pairs: Path) -> None:
    """Raise InputError when a user's test set holds texts that are not allowed."""
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
