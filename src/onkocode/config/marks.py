"""What the marks of options mean for the settings of jobs."""

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

from onkocode.config.base import Mark, Section

S = TypeVar("S", bound=Section)


def marked(section: type[BaseModel], *marks: Mark) -> dict[str, Any]:
    """Return the keys with one of the marks, and their defaults."""
    fields = section.model_fields
    return {name: fields[name].get_default(call_default_factory=True) for name in _names(section, marks)}


@cache  # asked for each job of a study, and always the same
def _names(section: type[BaseModel], marks: tuple[Mark, ...]) -> list[str]:
    return [name for name, field in section.model_fields.items() if any(mark in field.metadata for mark in marks)]


def at_default(section: S, *marks: Mark) -> S:
    """Return a section in which the keys with one of the marks stand at their defaults."""
    return section.model_copy(update=marked(type(section), *marks))


def effective(section: BaseModel) -> dict[str, Any]:
    """Return all values as JSON holds them, without those of added options that stand at their defaults."""
    dumped, added = section.model_dump(mode="json"), marked(type(section), Mark.ADDED)
    values = {name: getattr(section, name) for name in type(section).model_fields}
    chosen = {name: value for name, value in values.items() if name not in added or value != added[name]}
    return {name: _effective(value, dumped[name]) for name, value in chosen.items()}


def _effective(value: Any, dumped: Any) -> Any:
    if isinstance(value, BaseModel):
        return effective(value)
    if isinstance(value, list):
        return [_effective(*pair) for pair in zip(value, dumped, strict=True)]
    if isinstance(value, dict):
        return {key: _effective(inner, dumped[key]) for key, inner in value.items()}
    return dumped
