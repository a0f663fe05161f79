"""What all sections of the configuration share: key forms, marks of options, and that an unknown key is an error."""

from enum import Enum
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
# Conditions under which questions are asked: as the study asked; thinking first; with the sentence that asks for a
# short answer where free has none, and the other way round; one question at a time; held to codes of the label space.
FREE, THINKING, SWAPPED, SINGLE, CONSTRAINED = "free", "thinking", "swapped", "single", "constrained"
M = TypeVar("M", bound=BaseModel)
Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]+$")]  # a part of paths


def _as_list(value: Any) -> Any:
    """Take a single version for a list of one."""
    return value if isinstance(value, list) else [value]


Versions = Annotated[Annotated[list[Version], Field(min_length=1)], BeforeValidator(_as_list)]
Quantisation = Literal["none", "8bit", "4bit"]
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


class Mark(Enum):
    """What an option means for work that is done already; stands in its annotation.

    `warmup_floor: Annotated[float, Mark.ADDED] = Field(0.0, description=…)`
    """

    # Came after a release. At its default it is no part of any job's settings, so that an upgrade repeats no job: every
    # option that is added to a section of which jobs take their settings is marked so, at whatever depth.
    ADDED = "added"
    # Changes no result. An edit repeats no job.
    NEUTRAL = "neutral"
    # Changes neither weights nor answers, but what is recorded or made of them. Saves of a job that was interrupted are
    # used after an edit, and no model is asked again.
    ASIDE = "aside"


class Section(BaseModel):
    """A group of keys; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def validated(model: type[M], settings: object, option: str = "--settings") -> M:
    """Check settings; raises InputError with every mistake."""
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        problems = [f"  {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise InputError(f"{option} has mistakes:\n" + "\n".join(problems)) from None
