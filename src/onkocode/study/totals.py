"""A number of epochs that was changed: what it trains again, and what that costs.

Under a schedule that falls, the rate of every step depends on all epochs together, so that an epoch of six is none of
five. Under a constant one it does not, and finished epochs stay.
"""

import json
from pathlib import Path
from typing import Any

from onkocode.config import ModelRecipe
from onkocode.records.provenance import read_provenance


def retrained(recipe: ModelRecipe, folder: Path) -> str | None:
    """Return what a changed number of epochs trains again, for a person; None where it trains nothing again.

    Args:
        recipe: of a language model that is trained here.
        folder: its results of training, with a directory for each epoch; incomplete ones are passed over.
    """
    total = recipe.training.epochs
    records = {epoch: read_provenance(folder / f"epoch-{epoch}/adapter") for epoch in range(1, total + 1)}
    totals = {epoch: found for epoch, record in records.items() if (found := _total(record)) is not None}
    other = [epoch for epoch, found in totals.items() if found != total]
    if not recipe.training.depends_on_total or not other:
        return None
    first = other[0]  # later epochs go on from it, so that they are trained again as well
    again = f"all {total}" if first == 1 else f"epochs {first} to {total}"
    return (
        f"recipes.{recipe.replicate_of or recipe.model}: epochs {totals[first]} -> {total} under a "
        f"{recipe.training.schedule} schedule trains {again} again ({_cost(recipe, folder, total - first + 1)}); copy "
        "the recipe under a new key to keep the old one, or use schedule: constant without a warm-up, under which "
        "epochs can be added"
    )


def _total(record: dict[str, Any]) -> int | None:
    """Return the number of epochs that a finished epoch was trained as one of."""
    settings = record.get("settings")
    found = settings.get("epochs") if isinstance(settings, dict) else None
    return found if isinstance(found, int) else None


def _cost(recipe: ModelRecipe, folder: Path, epochs: int) -> str:
    """Return what so many epochs cost: as the finished ones did, or where they do not tell, the recipe's limits."""
    seconds = [found for path in sorted(folder.glob("epoch-*")) if (found := _seconds(path)) is not None]
    resources = recipe.config.resources
    each = sum(seconds) / len(seconds) / 3600 if seconds else resources.training_hours
    said = "as the finished ones took" if seconds else "at most, by training_hours"
    unit = "GPU-hours" if resources.gpus_training else "hours"
    return f"{each * epochs * max(1, resources.gpus_training):,.3g} {unit}, {said}"


def _seconds(epoch: Path) -> float | None:
    """Return the seconds that a finished epoch took, over all tries of its job."""
    log = epoch / "metrics.jsonl"
    try:
        return float(json.loads(log.read_text(encoding="utf-8").splitlines()[-1])["seconds"])
    except (OSError, IndexError, KeyError, TypeError, ValueError):  # not finished, or of another version
        return None
