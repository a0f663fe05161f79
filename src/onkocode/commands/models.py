"""Verbs of the stage models."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.commands.common import read_model, validated
from onkocode.config.schema import AdapterSettings, BaseModelSettings, BuiltBase, RecipeConfig, TinyModel
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
    """Put together what figures and tables say of a model."""
    recipe = validated(RecipeConfig, options.settings)
    base = read_model(options.base)
    record = Provenance("describe-model", recipe.model_dump(mode="json"), {"base": options.base})
    model = {
        "model": options.model,
        "label": recipe.label,
        "family": recipe.family,
        "architecture": base["architecture"],
        "hub": base["hub"],
        "revision": base["revision"],
        "parameters": int(recipe.parameters or base["parameters"]),
        "thinking": recipe.thinking,
        "trained": recipe.kind == "llm" and recipe.training.epochs != 0,
        "quantisation_training": recipe.training.quantisation or "none",
        "quantisation_testing": recipe.testing.quantisation or "none",
        "gpus_training": recipe.resources.gpus_training,
        "gpus_testing": recipe.resources.gpus_testing,
    }
    if options.replicate_of:
        model |= {"replicate_of": options.replicate_of, "seed": recipe.training.seed}
    record.write(options.output)
    _write_json(options.output, model)


def _write_json(path: Path, record: dict[str, Any]) -> None:
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
