"""What every recipe says of its coder, and what that of a language model says beside it."""

from typing import Literal, Self

from pydantic import Field, model_validator

from onkocode.config.base import Key, PositiveInt, Section, Seed
from onkocode.config.models import Adapter, Base
from onkocode.config.training import TestingChange, TrainingChange


class Resources(Section):
    """What one job of a recipe asks the cluster for."""

    gpus_training: int = Field(0, ge=0, description="GPUs of a training job.")
    gpus_testing: int = Field(0, ge=0, description="GPUs of a testing job.")
    gpu_model: str | None = Field(None, description="GPU type as the cluster names it, e.g. a40.")
    memory_mb: PositiveInt | None = Field(
        None,
        description="Main memory of a training or testing job; null = of a language model by its size, by what was "
        "measured, of another coder 4000.",
    )
    max_memory_mb: PositiveInt | None = Field(
        None,
        description="The most that a retry asks for: twice the memory each time that it ran out, and no more for any "
        "other cause; null = four times what the first try asks for.",
    )
    threads: PositiveInt = Field(1, description="CPU cores of a training or testing job.")
    training_hours: float = Field(
        1.0,
        gt=0,
        description="Time limit of the job of an epoch, which saves and leaves before it and goes on in a retry.",
    )
    testing_hours: float = Field(
        1.0, gt=0, description="Time limit of an evaluation; a retry goes on from the last save."
    )
    max_hours: float | None = Field(
        None,
        gt=0,
        description="The most that a retry asks for: twice the time whenever a job was killed at its limit, before it "
        "could save and leave; null = never more than training_hours or testing_hours.",
    )

    @model_validator(mode="after")
    def _ceilings(self) -> Self:
        if self.max_memory_mb is not None and self.memory_mb is not None and self.max_memory_mb < self.memory_mb:
            raise ValueError("max_memory_mb must not be below memory_mb")
        if self.max_hours is not None and self.max_hours < max(self.training_hours, self.testing_hours):
            raise ValueError("max_hours must not be below training_hours or testing_hours")
        return self


class RecipeConfig(Section):
    """What every recipe says of its coder. Its key is the `{model}` of all paths."""

    label: str = Field(description="Name in figures and tables.")
    family: str = Field(description="Model family; one colour in figures.")
    data: Key = Field(description="Data key that it is trained on, and asked about.")
    resources: Resources = Field(
        default_factory=lambda: Resources.model_validate({}), description="What its jobs ask the cluster for."
    )


class LanguageModelConfig(RecipeConfig):
    """A language model: its base, and how it is trained and tested; or a ready adapter on it."""

    kind: Literal["llm", "published-adapter"] = Field(
        "llm",
        description="Kind of coder: llm is trained here; published-adapter is a ready adapter of somebody else, which "
        "is tested as epoch 1, with its base as epoch 0.",
    )
    base: Base = Field(description="Where the base model comes from: hub, path or built.")
    adapter: Adapter | None = Field(
        None,
        description="Where a published adapter comes from: hub or path. It is asked in the chat template of its base.",
    )
    parameters: float | None = Field(None, gt=0, description="Number of parameters; null = counted from the weights.")
    preset: Key = Field(
        "paper",
        description="Preset that gives the values which are not set here; of its training keys, a published adapter "
        "takes system_prompt alone.",
    )
    training: TrainingChange = Field(
        default_factory=TrainingChange,
        description="What differs from the preset; a published adapter may set system_prompt alone.",
    )
    testing: TestingChange = Field(default_factory=TestingChange, description="What differs from the preset.")
    seeds: list[Seed] | None = Field(
        None,
        min_length=1,
        description="Train once per seed, as replicates with the keys `<recipe>.s<seed>`; null = once, with "
        "training.seed.",
    )
    thinking: bool = Field(False, description="The base model has a thinking mode that is to be tested as well.")

    @property
    def is_published(self) -> bool:
        """Tell whether it is an adapter of somebody else, which is tested here, not trained."""
        return self.kind == "published-adapter"
