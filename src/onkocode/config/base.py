"""What all sections of the configuration share: key forms, and that an unknown key is an error."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from onkocode.records.errors import InputError
from onkocode.tasks import TASKS

CATALOGUE = "catalogue"  # key of the data set of catalogue questions
FREE, THINKING = "free", "thinking"  # conditions under which questions are asked
M = TypeVar("M", bound=BaseModel)
Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]+$")]  # a part of paths


def _as_list(value: Any) -> Any:
    """Take a single version for a list of one."""
    return value if isinstance(value, list) else [value]


Versions = Annotated[Annotated[list[Version], Field(min_length=1)], BeforeValidator(_as_list)]
Quantisation = Literal["none", "8bit", "4bit"]
Split = Literal["train", "heldout_formulation", "heldout_label", "heldout_negative"]
Share = Annotated[float, Field(ge=0, lt=1)]
PositiveInt = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what NumPy takes
AugmentationKind = Literal["abbreviation", "side", "stage", "grading", "certainty", "typing-error", "compound"]


def _known_task(key: str) -> str:
    """Refuse what is no key of the table of tasks."""
    if key not in TASKS:
        raise ValueError(f"must be one of {', '.join(TASKS)}")
    return key


# Not an enumeration: the schema of the configuration would list the tasks a second time.
TaskKey = Annotated[str, AfterValidator(_known_task)]


class Section(BaseModel):
    """A group of keys; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def describe(change: type[Section], whole: type[Section]) -> None:
    """Give the keys of a change the descriptions of the whole, where they stand once."""
    for name, field in change.model_fields.items():
        field.description = whole.model_fields[name].description
    change.model_rebuild(force=True)


def validated(model: type[M], settings: object, option: str = "--settings") -> M:
    """Check settings; raises InputError with every mistake."""
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        problems = [f"  {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise InputError(f"{option} has mistakes:\n" + "\n".join(problems)) from None
