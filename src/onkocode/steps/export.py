"""Step that hands a trained adapter on: with a complete card, or merged into its base."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onkocode.models.record import read_model, read_visible_model
from onkocode.records.files import new_directory, write_text
from onkocode.records.offline import close_hub
from onkocode.records.provenance import Provenance, refuse_other_directory
from onkocode.steps.app import step
from onkocode.terminal import say

if TYPE_CHECKING:
    import polars as pl


@step(by_hand=True)
def export(
    *, model: str, epoch: int, base: Path, adapter: Path, metrics: Path | None = None, merge: bool = False, output: Path
) -> None:
    """Copy an adapter with a complete card, or merge it into its base and save a whole model.

    Args:
        model: the {model} key
        epoch: of the adapter, from 1 on
        base: base.json of prepare-model
        adapter: adapter directory of train-epoch or fetch-adapter
        metrics: metrics table, whose rates the card shows
        merge: merge into the original weights of the base (in main memory, on the CPU)
        output: directory to write
    """
    close_hub()
    from onkocode.export import checkpoint
    from onkocode.export.card import BASE_FACTS, CheckpointFacts, adapter_card, rescore_recipe
    from onkocode.models import adapters

    refuse_other_directory(output, checkpoint.VERB)
    located = read_visible_model(base, weights=True) if merge else read_model(base)
    config = adapters.read_adapter_config(adapter)
    trained = checkpoint.record_of(adapter)
    checkpoint.check_checkpoint(adapter, model, epoch, trained)
    checkpoint.check_trained_on(adapter, config, trained, located)
    path = Path(located["path"])
    if merge or path.is_dir():  # only the names can be compared where the base is not there
        adapters.check_fits(path, adapter)
    rates = _rates(metrics, model, epoch)
    inputs = {"base": base, "adapter": adapter} | ({"metrics": metrics} if metrics else {})
    record = Provenance(checkpoint.VERB, {"model": model, "epoch": epoch, "merge": merge}, inputs)
    for described in record.record["inputs"].values():
        described["path"] = Path(described["path"]).name  # what is published tells no local path
    told = {key: located.get(key) for key in BASE_FACTS}
    with new_directory(output) as folder:
        facts: dict[str, Any] | None = None
        if merge:
            facts = _merge(path, adapter, folder, trained)
            adapters.copy_texts(adapter, folder)
        else:
            record.add(**adapters.copy_adapter(adapter, folder))
            checkpoint.name_base(folder, located)
        if trained.get("verb") == "fetch-adapter":
            checkpoint.keep_authors_card(adapter, folder)
        card = CheckpointFacts(model, epoch, told, trained, rates, facts)
        write_text(folder / checkpoint.CARD, adapter_card(card))
        record.add(base=told, adapter=checkpoint.without_places(trained), merged=facts)
        record.write(folder)
    say(f"{output}: {'merged model' if merge else 'adapter'} with card and provenance")
    if merge:
        say(
            "The merged model is not the one that was scored. Score it: put this into a configuration file, with "
            "preset, testing and resources as in the recipe of the adapter, and give it after the others to "
            f"--configfile. Its results are those of epoch 0.\n\n{rescore_recipe(card, str(output.resolve()))}"
        )


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


def _rates(metrics: Path | None, model: str, epoch: int) -> pl.DataFrame | None:
    if metrics is None:
        return None
    from onkocode.reporting.inputs import read_metrics
    from onkocode.reporting.summary import performance_summary

    return performance_summary(read_metrics([metrics]), model, epoch)
