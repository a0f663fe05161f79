"""What the plan can know of bases and questions: files that are there first, the tables of the package else.

Nothing is downloaded, and torch is loaded only to tokenise questions.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from onkocode.config.data import Data
from onkocode.config.models import Base, BuiltBase, HubBase
from onkocode.config.schema import TinyModel
from onkocode.config.training import Training
from onkocode.models.architectures import (
    Architecture,
    architecture_from,
    known_architecture,
    known_tokenizer,
    read_architecture,
)
from onkocode.models.locate import INDEX, WEIGHTS, weight_shapes
from onkocode.models.tiny_shape import sizes
from onkocode.paper import paper
from onkocode.planning.lengths import Lengths, counted_lengths, table_lengths
from onkocode.questions.stored import scan_questions
from onkocode.records.errors import InputError
from onkocode.records.ids import shuffled

TOKENISED = 20_000  # questions that are tokenised for the lengths; two seconds per model
LONGEST = 500  # of these by characters, the one with the most tokens counts as the longest of all
NO_LOSS = -100  # label of a token without loss
EXAMPLE = "example"  # version of the example catalogues, which Table 1 says nothing of


@dataclass(frozen=True)
class FoundBase:
    """A base: its shape, where its files lie (None = not here), and how large its weights are on disk."""

    architecture: Architecture
    directory: Path | None
    bytes: float


def find_base(base: Base, tiny_models: Mapping[str, TinyModel], results: Path) -> FoundBase:
    """Return what is known of a recipe's base.

    Args:
        base: the recipe's `base`.
        tiny_models: of the configuration.
        results: directory of results, in which tiny models are built.

    Raises:
        InputError: a local directory without config.json or with broken weights, or a model of the Hub that is neither
            in the cache nor in the table.
    """
    if isinstance(base, HubBase):
        directory = _cached(base)
        if directory is not None:
            return _on_disk(directory)
        architecture = known_architecture(base.hub)
        if architecture is None:
            raise InputError(
                f"{base.hub}: neither in the cache of the Hub nor in the package's table; fetch its config.json "
                f"(`hf download {base.hub} config.json`), or leave it out with --model"
            )
        return FoundBase(architecture, None, 2.0 * architecture.parameters)
    if isinstance(base, BuiltBase):
        directory = results / "models" / "tiny" / base.built
        if (directory / "config.json").is_file():
            return _on_disk(directory)
        architecture = tiny_architecture(tiny_models[base.built])
        return FoundBase(architecture, None, 4.0 * architecture.parameters)
    if any((base.path / name).is_file() for name in (WEIGHTS, INDEX)):
        weight_shapes(base.path)
    return _on_disk(base.path)


def _cached(base: HubBase) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(base.hub, "config.json", revision=base.revision)
    return Path(found).parent if isinstance(found, str) else None


def _on_disk(directory: Path) -> FoundBase:
    architecture = read_architecture(directory)
    sizes = [file.stat().st_size for file in directory.glob("model*.safetensors")]
    return FoundBase(architecture, directory, float(sum(sizes)) if sizes else 2.0 * architecture.parameters)


def tiny_architecture(shape: TinyModel) -> Architecture:
    """Return the shape that a tiny model will have; its vocabulary may turn out smaller."""
    config = {"model_type": shape.architecture, **sizes(shape)}
    return architecture_from(config, "tiny model, not built yet")


def count_questions(path: Path, data: Data) -> tuple[int | None, str]:
    """Return the training questions of a data key and where the number is from; None where nothing tells it.

    Args:
        path: where its table of questions lies, or will.
        data: the data key.
    """
    if path.is_file():
        train = scan_questions(path).filter(pl.col("split") == "train")
        return int(train.select(pl.len()).collect().item()), str(path)
    versions = {*data.alphaid, data.icd10gm, *data.icdo3, *data.ops}
    if data.sample is not None or EXAMPLE in versions:
        return None, f"{path} is not there"
    held = data.heldout_formulations
    asked = sum(row.entries * (row.formulations - held) for row in paper().questions.blocks)
    return round(asked * (1 - data.heldout_labels)), "Table 1 of the paper"


def find_lengths(found: FoundBase, questions: Path, settings: Training) -> Lengths | None:
    """Return the tokens per question: counted where tokenizer and questions are there, else from the table.

    Raises:
        InputError: the tokenizer or the table of questions cannot be used.
    """
    if found.directory is not None and questions.is_file() and _has_tokenizer(found.directory):
        return tokenised_lengths(found.directory, questions, settings)
    tokenizer = known_tokenizer(found.architecture)
    return None if tokenizer is None else table_lengths(tokenizer, settings.system_prompt)


def _has_tokenizer(directory: Path) -> bool:
    return any((directory / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "tekken.json"))


def tokenised_lengths(directory: Path, questions: Path, settings: Training) -> Lengths:
    """Tokenise a part of the training questions with the model's own tokenizer, as training will."""
    from onkocode.models.prompts import encode_examples, prompt_format
    from onkocode.models.tokenizing import load_tokenizer

    columns = ("question_id", "question", "answer")
    rows = scan_questions(questions).filter(pl.col("split") == "train").select(columns).collect()
    if rows.is_empty():
        raise InputError(f"{questions}: holds no training questions")
    tokenizer = load_tokenizer(directory)
    form = prompt_format(tokenizer, settings.system_prompt)

    def encoded(part: pl.DataFrame) -> list[dict[str, list[int]]]:
        texts = (part["question"].to_list(), part["answer"].to_list())
        return encode_examples(tokenizer, form, *texts, loss="answer", max_length=sys.maxsize)

    characters = pl.col("question").str.len_chars() + pl.col("answer").str.len_chars()
    long = encoded(rows.sort(characters, descending=True).head(LONGEST))
    order = shuffled(range(rows.height), settings.seed, "plan", rows["question_id"].to_list())[:TOKENISED]
    examples = encoded(rows[order])
    said = f"{len(order):,} of {rows.height:,} tokenised" if len(order) < rows.height else "all tokenised"
    return counted_lengths(
        [len(example["input_ids"]) for example in examples],
        [sum(label != NO_LOSS for label in example["labels"]) for example in examples],
        max(len(example["input_ids"]) for example in (*examples, *long)),
        said,
    )
