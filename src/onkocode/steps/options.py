"""Kinds of options that several steps have, and what they become."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from cyclopts import Parameter, Token


class Model:
    """A promise of a pydantic model: where it comes from, so that it is imported when its settings are read."""

    source: str


def _json(kind: object, tokens: Sequence[Token]) -> Any:
    """Return what stands in JSON, or in `@FILE` holding JSON."""
    text = tokens[0].value
    try:
        return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        message = f"not JSON, nor @FILE with JSON: {error}"
    raise ValueError(message)  # outside, so that its cause is not told in its place


def _settings(kind: Any, tokens: Sequence[Token]) -> Any:
    """Return settings, checked by the model that the step names."""
    from onkocode.config.base import validated

    promise = next(part for part in (kind, *get_args(kind)) if isinstance(part, type) and issubclass(part, Model))
    model = getattr(importlib.import_module(promise.source), promise.__name__)
    return validated(model, _json(kind, tokens), tokens[0].keyword or "")


def _named(kind: object, tokens: Sequence[Token]) -> list[tuple[str, Path]]:
    """Return NAME=FILE as pairs."""
    pairs = []
    for text in (token.value for token in tokens):
        name, separator, path = text.partition("=")
        if not separator or not name or not path:
            raise ValueError(f"{text!r} is not of the form NAME=FILE")
        pairs.append((name, Path(path)))
    return pairs


def _share(kind: object, tokens: Sequence[Token]) -> float:
    value = float(tokens[0].value)
    if not 0 <= value <= 1:
        raise ValueError(f"{tokens[0].value} is not a share from 0 to 1")
    return value


# Settings as JSON or @FILE: `Annotated[Training, SETTINGS]`, the model imported for type checkers only.
SETTINGS = Parameter(converter=_settings, n_tokens=1, accepts_keys=False, metavar="JSON")
Json = Annotated[Any, Parameter(converter=_json, n_tokens=1, accepts_keys=False, metavar="JSON")]

SOME = Parameter(consume_multiple=(1, None))  # at least one
SomePaths = Annotated[Sequence[Path], SOME]
NamedPaths = Annotated[Sequence[tuple[str, Path]], Parameter(converter=_named, n_tokens=1, metavar="NAME=FILE")]
SomeNamedPaths = Annotated[NamedPaths, SOME]
Share = Annotated[float, Parameter(converter=_share)]
Condition = Literal["free", "thinking"]

SOURCES = Path("config/catalogues.tsv")
FORMULATIONS = "v1"
VALID_FLOOR = 0.9
