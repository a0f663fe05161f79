"""Verb that hands a trained adapter on: with a complete card, or merged into its base."""

import json
import shutil
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.commands.common import read_model
from onkocode.records.errors import InputError
from onkocode.records.files import new_directory, write_text
from onkocode.records.provenance import Provenance, read_provenance, refuse_other_directory
from onkocode.terminal import say

VERB = "export"
CARD, AUTHORS_CARD = "README.md", "README.author.md"


def export(options: Namespace) -> None:
    """Copy an adapter with its card, or merge it and save a whole model."""
    from onkocode.export.card import BASE_FACTS, CheckpointFacts, adapter_card, rescore_recipe
    from onkocode.models import adapters

    refuse_other_directory(options.output, VERB)
    base = read_model(options.base)
    config = adapters.read_adapter_config(options.adapter)
    trained = _trained(options.adapter)
    _check_checkpoint(options, trained)
    _check_base(options.adapter, config, trained, base)
    if options.merge or Path(base["path"]).is_dir():  # only the names can be compared where the base is not at hand
        adapters.check_fits(Path(base["path"]), options.adapter)
    rates = _rates(options)
    inputs = {"base": options.base, "adapter": options.adapter}
    inputs |= {"metrics": options.metrics} if options.metrics else {}
    record = Provenance(VERB, {"model": options.model, "epoch": options.epoch, "merge": options.merge}, inputs)
    for described in record.record["inputs"].values():
        described["path"] = Path(described["path"]).name  # what is published tells no local path
    told = {key: base.get(key) for key in BASE_FACTS}
    with new_directory(options.output) as folder:
        facts: dict[str, Any] | None = None
        if options.merge:
            facts = _merge(Path(base["path"]), options.adapter, folder, trained)
            adapters.copy_texts(options.adapter, folder)
        else:
            record.add(**adapters.copy_adapter(options.adapter, folder))
            _name_base(folder, base)
        if trained.get("verb") == "fetch-adapter":
            _keep_authors_card(options.adapter, folder)
        card = CheckpointFacts(options.model, options.epoch, told, trained, rates, facts)
        write_text(folder / CARD, adapter_card(card))
        record.add(base=told, adapter=_told(trained), merged=facts)
        record.write(folder)
    say(f"{options.output}: {'merged model' if options.merge else 'adapter'} with card and provenance")
    if options.merge:
        say(
            "The merged model is not the one that was scored. Score it: put this into a configuration file, with "
            "preset, testing and resources as in the recipe of the adapter, and give it after the others to "
            f"--configfile. Its results are those of epoch 0.\n\n{rescore_recipe(card, str(options.output.resolve()))}"
        )


def _keep_authors_card(adapter: Path, folder: Path) -> None:
    """Put the author's card beside the new one; an adapter that was exported before has it there already."""
    for name in (AUTHORS_CARD, CARD):
        if (adapter / name).is_file():
            shutil.copyfile(adapter / name, folder / AUTHORS_CARD)
            return


def _merge(base: Path, adapter: Path, folder: Path, trained: Mapping[str, Any]) -> dict[str, Any]:
    from onkocode.export.merge import merge_adapter

    settings = trained.get("settings") or {}
    quantisation, prompt = settings.get("quantisation", "none"), settings.get("system_prompt")
    facts = merge_adapter(base, adapter, folder, quantisation, prompt)
    if facts["quantised"] is not None:
        apart = facts["quantised"]
        say(
            f"The adapter was trained on a base quantised to {quantisation}; the merged model is not quantised. Logits "
            f"differ by at most {apart['largest']:.2g} ({apart['relative']:.2g} of their norm) on {apart['prompts']} "
            f"prompts; the likeliest token is the same at {apart['same_token']} of {apart['positions']} positions."
        )
    return facts


def _trained(adapter: Path) -> dict[str, Any]:
    """Return the record of train-epoch or fetch-adapter, which an export hands on; empty where there is none."""
    try:
        record = read_provenance(adapter)
    except ValueError as error:
        raise InputError(f"{adapter}/provenance.json: not JSON ({error}); train that epoch again") from None
    record = (record.get("adapter") or {}) if record.get("verb") == VERB else record
    return record if record.get("verb") in ("train-epoch", "fetch-adapter") else {}


def _check_checkpoint(options: Namespace, trained: Mapping[str, Any]) -> None:
    """Raise InputError where the adapter is another checkpoint than the one that is named."""
    if options.epoch < 1:
        raise InputError(f"--epoch {options.epoch}: an adapter is epoch 1 or later; epoch 0 is the base model itself")
    found = (trained.get("model", options.model), trained.get("epoch", options.epoch))
    if found != (options.model, options.epoch):
        raise InputError(
            f"{options.adapter}: is {found[0]}, epoch {found[1]}, but --model and --epoch name {options.model}, epoch "
            f"{options.epoch}"
        )
    if trained.get("verb") == "fetch-adapter" and options.epoch != 1:
        raise InputError(f"--epoch {options.epoch}: a published adapter counts as epoch 1")


def _check_base(adapter: Path, config: Mapping[str, Any], trained: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    """Raise InputError where the base is another one than the adapter was trained on, as far as the records tell."""
    from onkocode.models.adapters import check_base

    known = trained.get("base")
    if not known:
        check_base(config, base, None, str(adapter))
        return
    for key in ("hub", "revision", "architecture", "sha256"):
        old, new = known.get(key), base.get(key)
        if old is not None and new is not None and old != new:
            raise InputError(
                f"{adapter}: was trained on another base: its {key} was {json.dumps(old)}, that of --base is "
                f"{json.dumps(new)}; give the base.json of the adapter's own recipe"
            )


def _rates(options: Namespace) -> pl.DataFrame | None:
    if options.metrics is None:
        return None
    from onkocode.reporting.inputs import read_metrics
    from onkocode.reporting.performance import performance_summary

    return performance_summary(read_metrics([options.metrics]), options.model, options.epoch)


def _name_base(folder: Path, base: Mapping[str, Any]) -> None:
    """Let the adapter name its base by Hub id and commit, or by its directory's name: no local path leaves."""
    from onkocode.models.locate import ADAPTER_CONFIG

    path = folder / ADAPTER_CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base.get("hub") or Path(base["path"]).name
    config["revision"] = base.get("revision")
    write_text(path, json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _told(trained: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of the adapter without paths and machine."""
    kept = {key: value for key, value in trained.items() if key not in ("inputs", "hardware", "settings_sha256")}
    if isinstance(kept.get("base"), Mapping):
        kept["base"] = {key: value for key, value in kept["base"].items() if key != "path"}
    if isinstance(kept.get("settings"), Mapping):
        kept["settings"] = {key: value for key, value in kept["settings"].items() if key != "path"}
    return kept
