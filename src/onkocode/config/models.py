"""Where base models and adapters come from."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from onkocode.config.base import Key, Section


class HubBase(Section):
    """A model of the Hugging Face Hub, or of the local cache of it."""

    hub: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="Hub id.")
    revision: str = Field(
        "main", description="Branch, tag or commit; resolved once and recorded, and a commit pins it."
    )


class LocalBase(Section):
    """A model in a local directory that `from_pretrained` reads."""

    path: Path = Field(description="The directory.")


class BuiltBase(Section):
    """A tiny model that the project builds and briefly pre-trains itself."""

    built: Key = Field(description="Key of `tiny_models`.")


def _base_kind(value: Any) -> str | None:
    """Return which key of a base is given; None when it is none or more than one."""
    given = set(value) if isinstance(value, dict) else set(getattr(value, "model_fields_set", ()))
    kinds = given & {"hub", "path", "built"}
    return str(kinds.pop()) if len(kinds) == 1 else None


Base = Annotated[
    Annotated[HubBase, Tag("hub")] | Annotated[LocalBase, Tag("path")] | Annotated[BuiltBase, Tag("built")],
    Discriminator(_base_kind),
]


class BaseModelSettings(Section):
    """Settings of prepare-model."""

    base: Base = Field(description="Where the base model comes from.")


class HubAdapter(Section):
    """A LoRA adapter of the Hugging Face Hub, or of the local cache of it."""

    hub: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="Hub id.")
    revision: str = Field(
        "main", description="Branch, tag or commit; resolved once and recorded, and a commit pins it."
    )
    trained_on: str | None = Field(
        None,
        description="Hub id of the base that the adapter itself names, where that is this base under another id.",
    )


class LocalAdapter(Section):
    """A LoRA adapter in a local directory that PEFT reads."""

    path: Path = Field(description="The directory.")
    trained_on: str | None = Field(
        None,
        description="Hub id of the base that the adapter itself names, where that is this base under another id.",
    )


Adapter = Annotated[Annotated[HubAdapter, Tag("hub")] | Annotated[LocalAdapter, Tag("path")], Discriminator(_base_kind)]


class AdapterSettings(Section):
    """Settings of fetch-adapter."""

    adapter: Adapter = Field(description="Where the published adapter comes from.")
