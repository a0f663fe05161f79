"""What several verbs share."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from onkocode.records.errors import InputError
from onkocode.records.files import located

CONFIG = Path("config/config.yaml")
M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], settings: Any) -> M:
    """Check settings from the command line; raises InputError with every mistake."""
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        problems = [f"  {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise InputError("--settings has mistakes:\n" + "\n".join(problems)) from None


def read_model(path: Path) -> dict[str, Any]:
    """Return the record of prepare-model."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a record of prepare-model ({error}); run it again") from None
    return record


def config_files(given: Sequence[Path]) -> list[Path]:
    """Return the configuration files: those given, else config/config.yaml of one's own, else the shipped one."""
    return list(given) or [located(CONFIG)]
