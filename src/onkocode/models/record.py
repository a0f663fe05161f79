"""The record of prepare-model: where the base lies, and what it is."""

import json
from pathlib import Path
from typing import Any

from onkocode.records.errors import InputError


def read_model(path: Path) -> dict[str, Any]:
    """Return the record of prepare-model."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a record of prepare-model ({error}); run it again") from None
    return record
