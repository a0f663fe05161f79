"""Classes of changes, derived from the classes of values."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeVar, get_args

from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from onkocode.config.base import Section


class Change(Section):
    """Keys of a section that are set elsewhere; all may be missing."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


C = TypeVar("C", bound=Change)


def keys_of(section: type[Section], without: Collection[str] = ()) -> Callable[[type[C]], type[C]]:
    """Return a decorator that gives a change the keys of a section: same constraints and descriptions, all null."""

    def derive(change: type[C]) -> type[C]:
        fields: dict[str, Any] = {
            name: _optional(field) for name, field in section.model_fields.items() if name not in without
        }
        name, doc, module = change.__name__, change.__doc__, change.__module__
        return create_model(name, __base__=change, __doc__=doc, __module__=module, **fields)

    return derive


def _optional(field: FieldInfo) -> Any:
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return Optional[kind], Field(None, description=field.description)  # noqa: UP045


def nullable_keys(section: type[BaseModel]) -> set[str]:
    """Return the keys for which null is a value of its own."""
    return {name for name, field in section.model_fields.items() if type(None) in get_args(field.annotation)}
