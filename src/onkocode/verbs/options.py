"""The verbs of `onkocode` and their options, a module per stage. Nothing heavy is imported here."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Option:
    """An option of a verb; a name without dashes is an argument by position."""

    name: str
    help: str
    type: Callable[[str], Any] = Path
    required: bool = True
    many: bool = False
    flag: bool = False
    default: Any = None
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Verb:
    """A verb and the module of `onkocode.commands` that holds its function.

    The function is named like the verb, verb first: `build-questions` is `build_questions`, `catalogues diff` is
    `diff_catalogues`.
    """

    name: str
    module: str
    help: str
    options: Sequence[Option] = field(default_factory=tuple)

    @property
    def function(self) -> str:
        """Name of the function that does the work."""
        return "_".join(reversed(self.name.split())).replace("-", "_")


def settings_argument(text: str) -> Any:
    """Return settings given as JSON, or as `@FILE` holding JSON."""
    import json

    try:
        return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"not JSON, nor @FILE with JSON: {error}") from None


def named_path(text: str) -> tuple[str, Path]:
    """Return NAME=FILE as a pair."""
    name, separator, path = text.partition("=")
    if not separator or not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=FILE")
    return name, Path(path)


def share(text: str) -> float:
    """Return a share, 0…1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1")
    return value


SETTINGS = "JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)"


def settings_of(of: str, required: bool = True) -> Option:
    """Return the option for settings as JSON."""
    return Option("--settings", f"{of}: {SETTINGS}", settings_argument, required, default={})


MODEL = Option("--model", "the {model} key", str)
EPOCH = Option("--epoch", "0 is the base model", int)
CONDITION = Option("--condition", "how it is asked", str, choices=("free", "thinking"))
OUTPUT = Option("--output", "file to write")
TRACKING = Option("--tracking", "W&B: JSON of `tracking`; off by default", settings_argument, False, default={})
BASE = Option("--base", "base.json of prepare-model")
OPTIONAL_BASE = Option("--base", "base.json of prepare-model, for a language model", required=False)
METRICS = Option("--metrics", "table of collect-metrics")
MODELS = Option("--models", "files of describe-model, in the order of the figure", many=True)

TRAINING_LOGS = Option("--training", "metrics.jsonl of train-epoch", required=False, many=True)
TEXTS = Option("--texts", "keys of the test sets, in order", str, required=False, many=True)
VALID_FLOOR = Option(
    "--valid-floor", "least share of valid answers, 0 to 1 (evaluation.valid_floor)", share, required=False, default=0.9
)
FIGURE = Option("--output", "SVG to write; PNG and the plotted numbers (TSV) lie beside it")
TABLE = Option("--output", "HTML to write; the TSV lies beside it")

FORMULATIONS = Option("--formulations", "version of the formulations", str, required=False, default="v1")
