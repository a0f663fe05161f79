"""Steps that look at a data set of questions: describe, compare, export."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from onkocode.records.errors import InputError
from onkocode.records.files import new_directory, write_text
from onkocode.records.provenance import Provenance, refuse_other_directory
from onkocode.steps.app import step
from onkocode.steps.common import config_files
from onkocode.terminal import say


@step("questions describe", by_hand=True)
def describe_questions(*, config: Sequence[Path] = (), data: str | None = None, output: Path | None = None) -> None:
    """Print Table 1 for your catalogue files, with the paper's numbers.

    Args:
        config: configuration files; default: config/config.yaml
        data: data key; default: that of the first model
        output: file for the same numbers (TSV); default: print only
    """
    from onkocode.config.loading import merge_files
    from onkocode.datasets.describe import describe, description_table, description_text
    from onkocode.datasets.local import local_files, read_local
    from onkocode.study import Study

    files = config_files(config)
    study = Study(merge_files(files), files)
    key = data or study.data_keys[0]
    if key not in study.data:
        raise InputError(f"--data {key}: no such data key (known: {', '.join(study.data)})")
    paths, settings = local_files(study, key), study.data[key]
    record = Provenance("questions describe", {key: settings.model_dump(mode="json")}, paths, settings.seed)
    with tempfile.TemporaryDirectory() as folder:
        sources, read = read_local(study, key, paths, Path(folder))
    described = describe(sources, settings)
    say(description_text(key, described, read))
    if output is not None:
        record.add(**described.facts)
        record.write(output)
        write_text(output, description_table(described, read).write_csv(separator="\t"))


@step("questions compare", by_hand=True)
def compare_questions(
    file: Path,
    /,
    *,
    questions: Path,
    question_column: str | None = None,
    answer_column: str | None = None,
    output: Path | None = None,
) -> None:
    """Compare somebody else's data set (Parquet, JSON, JSONL or CSV) with one of build-questions.

    Args:
        file: the other data set: a file, or a directory with files of one kind
        questions: table of build-questions
        question_column: its column of questions, where the name is not known
        answer_column: its column of answers
        output: file for the comparison (TSV); default: print only
    """
    from onkocode.datasets.comparison import COLUMNS, compare_datasets, comparison_table, comparison_text
    from onkocode.datasets.foreign import foreign_text, read_foreign
    from onkocode.questions.stored import scan_questions

    columns = {"question_column": question_column, "answer_column": answer_column}
    own = scan_questions(questions).select(COLUMNS).collect()
    foreign = read_foreign(file, **columns)
    record = Provenance("questions compare", columns, {"file": file, "questions": questions})
    compared = compare_datasets(foreign.pairs, own)
    say(foreign_text(file, foreign), comparison_text(compared), sep="\n\n")
    if output is not None:
        record.add(rows=foreign.pairs.height, files=dict(foreign.files))
        record.write(output)
        write_text(output, comparison_table(compared).write_csv(separator="\t"))


@step("questions export", by_hand=True)
def export_questions(*, questions: Path, system_prompt: str | None = None, output: Path) -> None:
    """Write a data set that `datasets.load_dataset` reads, with its card.

    Args:
        questions: table of build-questions
        system_prompt: system prompt to put before every question
        output: directory to write
    """
    from onkocode.datasets.card import DatasetFacts, write_card
    from onkocode.datasets.export import VERB, block_counts, check_written, write_splits
    from onkocode.questions.lineage import catalogue_sources, recorded
    from onkocode.questions.stored import scan_questions

    refuse_other_directory(output, VERB)
    table = scan_questions(questions)
    record = Provenance(VERB, {"system_prompt": system_prompt}, {"questions": questions})
    record.record["inputs"]["questions"]["path"] = questions.name  # a published data set tells no local path
    built = recorded(questions)
    with new_directory(output) as folder:
        splits = write_splits(table, folder / "data", system_prompt)
        sha256 = check_written(questions, splits, built.get("questions_sha256"))
        sources = catalogue_sources(questions)
        facts = DatasetFacts(questions.stem, splits, block_counts(splits), sha256, sources, built, system_prompt)
        write_card(facts, folder)
        record.add(questions_sha256=sha256, splits={split.name: split.questions for split in splits})
        record.write(folder)
    say(f"{output}: {sum(split.questions for split in splits):,} questions, hash {sha256}")
