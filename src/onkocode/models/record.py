"""The record of prepare-model: where the base lies, and what it is."""

import json
import platform
from pathlib import Path
from typing import Any

from onkocode.models.locate import weight_files
from onkocode.records.errors import InputError


def read_model(path: Path) -> dict[str, Any]:
    """Return the record of prepare-model."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a record of prepare-model ({error}); run it again") from None
    return record


def read_visible_model(path: Path, weights: bool = False) -> dict[str, Any]:
    """Return the record of prepare-model, if this node sees the model that it names.

    Args:
        path: the record.
        weights: look for all files of weights too; kept answers are read without them.

    Raises:
        InputError: no record, or a file of the model that is not there.
    """
    record = read_model(path)
    model = Path(record["path"])
    missing = "" if (model / "config.json").is_file() else str(model / "config.json")
    if weights and not missing:
        try:
            weight_files(model)
        except InputError as error:
            missing = str(error).partition(" is missing")[0]
    if missing:
        place = "put HF_HOME" if record.get("hub") else "put it"
        raise InputError(
            f"{missing}: is missing on {platform.node()}: the model's directory is not visible on this node: {place} "
            "on a shared file system and run prepare-model again"
        )
    return record
