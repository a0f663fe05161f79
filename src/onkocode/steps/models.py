"""Steps of the stage models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from onkocode.models.record import read_model
from onkocode.records.errors import InputError
from onkocode.records.files import new_directory
from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.common import write_json
from onkocode.steps.options import FORMULATIONS, SETTINGS, Json, SomePaths

if TYPE_CHECKING:
    from onkocode.config.models import AdapterSettings, BaseModelSettings
    from onkocode.config.schema import TinyModel


@step()
def pretrain_model(
    *,
    entries: SomePaths,
    codes: SomePaths,
    formulations: str = FORMULATIONS,
    settings: Annotated[TinyModel, SETTINGS],
    output: Path,
) -> None:
    """Build and briefly pre-train a tiny model, on text without label–code pairs.

    Args:
        entries: entries whose labels (not codes) are used
        codes: label spaces whose codes (not titles) are used
        formulations: version of the formulations
        settings: tiny model: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        output: model directory to write
    """
    import polars as pl

    from onkocode.models import tiny
    from onkocode.models.corpus import build_corpus, vocabulary_texts
    from onkocode.questions.formulations import load_formulations
    from onkocode.records.schemas import read_table

    shape = settings
    inputs = {f"{path.parent.name}-{path.stem}": path for path in [*entries, *codes]}
    record = Provenance("pretrain-model", shape.model_dump(), inputs, shape.seed)
    labels = sorted({text for path in entries for text in read_table(path, "entries")["text"].to_list()})
    spaces = pl.concat([read_table(path, "codes") for path in codes])
    # Codes that occur in answers: terminal ones, and of ICD-10-GM only tumours.
    spaces = spaces.filter(pl.col("terminal") & (pl.col("tumour") | (pl.col("system") != "icd10gm")))
    known = {str(system): sorted(part["code"].to_list()) for (system,), part in spaces.group_by(["system"])}
    corpus = build_corpus(labels, known, shape.steps * shape.batch_size, shape.architecture == "qwen3", shape.seed)
    blocks = load_formulations(formulations).values()
    phrasings = [text for block in blocks for text in (*block.templates.values(), block.short)]
    tokenizer = tiny.build_tokenizer(shape.architecture, vocabulary_texts(corpus, phrasings))
    model = tiny.build_model(shape, tokenizer)
    losses = tiny.pretrain(model, tokenizer, corpus, shape)
    record.add(documents=len(corpus), loss_first=losses[:1], loss_last=losses[-1:])
    with new_directory(output) as directory:
        tiny.save(model, tokenizer, directory)
        with (directory / "corpus.jsonl").open("w", encoding="utf-8") as stream:
            for document in corpus:
                stream.write(json.dumps(document, ensure_ascii=False) + "\n")
    record.write(output)


@step()
def prepare_model(*, settings: Annotated[BaseModelSettings, SETTINGS], built: Path | None = None, output: Path) -> None:
    """Locate and check a base model (Hub, directory, tiny).

    Nothing but the base stands in the record, since training and testing read it.

    Args:
        settings: the recipe's base: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        built: directory of pretrain-model, for a tiny model
        output: file to write
    """
    from onkocode.config.models import BuiltBase
    from onkocode.config.site import read_site, use_cache
    from onkocode.models.base_check import check_base
    from onkocode.models.locate import describe_base, locate_base
    from onkocode.models.revisions import keep_commit, known_commit

    use_cache(read_site())
    base = settings.base
    if isinstance(base, BuiltBase) and built is None:
        raise InputError("a tiny model needs --built, the directory of pretrain-model")
    record = Provenance("prepare-model", base.model_dump(mode="json"), {})
    named = base.model_dump(mode="json")
    located = locate_base(named, built, known_commit(output, named))
    check_base(Path(located["path"]))
    record.write(output)
    keep_commit(output, named, located["revision"])
    write_json(output, located | describe_base(Path(located["path"])))


@step()
def fetch_adapter(*, settings: Annotated[AdapterSettings, SETTINGS], base: Path, output: Path) -> None:
    """Copy or download a published adapter (Hub, directory), if it was trained and fits its base.

    Args:
        settings: the recipe's adapter: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        base: base.json of prepare-model
        output: adapter directory to write
    """
    from onkocode.config.site import read_site, use_cache
    from onkocode.models import adapters
    from onkocode.models.revisions import keep_commit, known_commit

    use_cache(read_site())
    wanted, model = settings.adapter, read_model(base)
    named = wanted.model_dump(mode="json")
    record = Provenance("fetch-adapter", named, {"base": base})
    located = adapters.locate_adapter(named, known_commit(output, named))
    path, name = Path(located["path"]), located["hub"] or located["path"]
    adapters.check_base(adapters.read_adapter_config(path), model, wanted.trained_on, name)
    adapters.check_values(path)
    adapters.check_fits(Path(model["path"]), path)
    with new_directory(output) as directory:
        record.add(**{key: located[key] for key in ("hub", "revision")}, base=model)
        record.add(**adapters.copy_adapter(path, directory))
        record.write(directory)
    keep_commit(output, named, located["revision"])


@step()
def describe_model(
    *, model: str, settings: Json, base: Path | None = None, replicate_of: str | None = None, output: Path
) -> None:
    """Put together what figures and tables say of a coder.

    Args:
        model: the {model} key
        settings: recipe: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        base: base.json of prepare-model, for a language model
        replicate_of: key of the recipe that the model is one seed of
        output: file to write
    """
    from onkocode.config.coders import read_recipe
    from onkocode.models.description import describe

    recipe = read_recipe(settings)
    record = Provenance("describe-model", recipe.model_dump(mode="json"), {"base": base} if base else {})
    description = {"model": model} | describe(recipe, read_model(base) if base else None, replicate_of)
    record.write(output)
    write_json(output, description)
