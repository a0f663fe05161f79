"""What several steps share."""

import json
from collections.abc import Sequence
from pathlib import Path

from onkocode.records.files import located, write_text

CONFIG = Path("config/config.yaml")


def config_files(given: Sequence[Path]) -> list[Path]:
    """Return the configuration files: those given, else config/config.yaml of one's own, else the shipped one."""
    return list(given) or [located(CONFIG)]


def write_json(path: Path, record: object) -> None:
    """Write a record for people to read."""
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
