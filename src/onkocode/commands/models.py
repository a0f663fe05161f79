"""Verbs of the stage models."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.commands.common import read_model, validated
from onkocode.config.coders import KINDS, LanguageModelConfig, RecipeConfig
from onkocode.config.models import AdapterSettings, BaseModelSettings, BuiltBase
from onkocode.config.schema import TinyModel
from onkocode.models.description import describe_language_model, describe_recipe
from onkocode.questions.formulations import load_formulations
from onkocode.records.errors import InputError
from onkocode.records.files import new_directory, write_text
from onkocode.records.provenance import Provenance
from onkocode.records.schemas import read_table


def pretrain_model(options: Namespace) -> None:
    """Build and pre-train a tiny model."""
    from onkocode.models import tiny
    from onkocode.models.corpus import build_corpus, vocabulary_texts

    shape = validated(TinyModel, options.settings)
    paths = [*options.entries, *options.codes]
    inputs = {f"{path.parent.name}-{path.stem}": path for path in paths}
    record = Provenance("pretrain-model", shape.model_dump(), inputs, shape.seed)
    labels = sorted({text for path in options.entries for text in read_table(path, "entries")["text"].to_list()})
    spaces = pl.concat([read_table(path, "codes") for path in options.codes])
    # Codes that occur in answers: terminal ones, and of ICD-10-GM only tumours.
    spaces = spaces.filter(pl.col("terminal") & (pl.col("tumour") | (pl.col("system") != "icd10gm")))
    codes = {str(system): sorted(part["code"].to_list()) for (system,), part in spaces.group_by(["system"])}
    corpus = build_corpus(labels, codes, shape.steps * shape.batch_size, shape.architecture == "qwen3", shape.seed)
    blocks = load_formulations(options.formulations).values()
    formulations = [text for block in blocks for text in (*block.templates.values(), block.short)]
    tokenizer = tiny.build_tokenizer(shape.architecture, vocabulary_texts(corpus, formulations))
    model = tiny.build_model(shape, tokenizer)
    losses = tiny.pretrain(model, tokenizer, corpus, shape)
    record.add(documents=len(corpus), loss_first=losses[:1], loss_last=losses[-1:])
    with new_directory(options.output) as directory:
        tiny.save(model, tokenizer, directory)
        with (directory / "corpus.jsonl").open("w", encoding="utf-8") as stream:
            for document in corpus:
                stream.write(json.dumps(document, ensure_ascii=False) + "\n")
    record.write(options.output)


def prepare_model(options: Namespace) -> None:
    """Locate and check a base model; nothing but the base stands in the record, since training and testing read it."""
    from onkocode.models.base_check import check_base
    from onkocode.models.locate import describe_base, locate_base

    base = validated(BaseModelSettings, options.settings).base
    if isinstance(base, BuiltBase) and options.built is None:
        raise InputError("a tiny model needs --built, the directory of pretrain-model")
    record = Provenance("prepare-model", base.model_dump(mode="json"), {})
    located = locate_base(base.model_dump(mode="json"), options.built)
    check_base(Path(located["path"]))
    record.write(options.output)
    _write_json(options.output, located | describe_base(Path(located["path"])))


def fetch_adapter(options: Namespace) -> None:
    """Copy or download a published adapter, after checking that it was trained and belongs to the base."""
    from onkocode.models import adapters

    wanted = validated(AdapterSettings, options.settings).adapter
    base = read_model(options.base)
    settings = wanted.model_dump(mode="json")
    record = Provenance("fetch-adapter", settings, {"base": options.base})
    located = adapters.locate_adapter(settings)
    path, name = Path(located["path"]), located["hub"] or located["path"]
    adapters.check_base(adapters.read_adapter_config(path), base, wanted.trained_on, name)
    adapters.check_values(path)
    adapters.check_fits(Path(base["path"]), path)
    with new_directory(options.output) as directory:
        record.add(**{key: located[key] for key in ("hub", "revision")}, base=base)
        record.add(**adapters.copy_adapter(path, directory))
        record.write(directory)


def describe_model(options: Namespace) -> None:
    """Put together what figures and tables say of a coder."""
    kind = options.settings.get("kind", "llm")
    if kind not in KINDS:
        raise InputError(f"--settings: kind must be one of {', '.join(KINDS)}")
    recipe: RecipeConfig = validated(KINDS[kind], options.settings)
    inputs = {"base": options.base} if options.base else {}
    record = Provenance("describe-model", recipe.model_dump(mode="json"), inputs)
    described = describe_recipe(options.model, kind, recipe)
    if isinstance(recipe, LanguageModelConfig):
        if options.base is None:
            raise InputError("--base is needed for a language model")
        described |= describe_language_model(recipe, read_model(options.base))
        if options.replicate_of:
            described |= {"replicate_of": options.replicate_of, "seed": recipe.training.seed}
    record.write(options.output)
    _write_json(options.output, described)


def _write_json(path: Path, record: dict[str, Any]) -> None:
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
