"""What several steps share."""

import json
from collections.abc import Sequence
from pathlib import Path

from onkocode.records.errors import InputError
from onkocode.records.files import located, write_text

CONFIG = Path("config/config.yaml")


def config_files(given: Sequence[Path]) -> list[Path]:
    """Return the configuration files: those given, else config/config.yaml of one's own, else the shipped one."""
    return list(given) or [located(CONFIG)]


def write_json(path: Path, record: object) -> None:
    """Write a record for people to read."""
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def check_adapter(epoch: int, adapter: Path | None) -> None:
    """Refuse a base model with an adapter, and a trained epoch without one."""
    if (epoch > 0) != (adapter is not None):
        raise InputError("--adapter is needed from epoch 1 on, and only there")
