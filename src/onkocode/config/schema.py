"""Every key of the configuration, its type, its default and what it means.

`workflow/schemas/config.schema.json` is generated from these classes (`onkocode write-schema`), and a test fails when
the two drift apart. Order of precedence: field default < preset < recipe.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from onkocode.config.base import Key, PositiveInt, Section, Seed, Split, Task
from onkocode.config.data import Catalogues, Data, DataChange, Leakage, Texts
from onkocode.config.training import TestingChange, TrainingChange

# The accuracy of the valid answers is then at most a ninth above that of all answers. The epochs that the paper chose
# have 99.92 % valid ICD-10 answers and more (its Table 4), so this floor changes none of its choices.
VALID_FLOOR = 0.9


class HubBase(Section):
    """A model of the Hugging Face Hub, or of the local cache of it."""

    hub: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="Hub id.")
    revision: str = Field("main", description="Branch, tag or commit; what it resolves to is recorded.")


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
    revision: str = Field("main", description="Branch, tag or commit; what it resolves to is recorded.")
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


class TinyModel(Section):
    """Shape and pre-training of a tiny model."""

    architecture: Literal["qwen2", "qwen3", "llama", "mistral", "mixtral"] = Field(description="Model architecture.")
    data: Key = Field(description="Data key whose labels (without codes) give the vocabulary.")
    hidden_size: PositiveInt = Field(128, description="Width; a multiple of twice the heads.")
    layers: PositiveInt = Field(2, description="Decoder layers.")
    heads: PositiveInt = Field(4, description="Attention heads.")
    steps: int = Field(300, ge=0, description="Pre-training steps.")
    batch_size: PositiveInt = Field(32, description="Documents per pre-training step.")
    learning_rate: float = Field(3e-3, gt=0, description="Peak learning rate of the pre-training.")
    seed: int = Field(0, description="Seed of the weights and of the order of documents.")


class Preset(Section):
    """A named set of data, training and testing values."""

    data: DataChange = Field(default_factory=DataChange, description="Data options.")
    training: TrainingChange = Field(default_factory=TrainingChange, description="Training keys.")
    testing: TestingChange = Field(default_factory=TestingChange, description="Testing keys.")


class Resources(Section):
    """What one job of a recipe asks the cluster for."""

    gpus_training: int = Field(0, ge=0, description="GPUs of a training job.")
    gpus_testing: int = Field(0, ge=0, description="GPUs of a testing job.")
    gpu_model: str | None = Field(None, description="GPU type as the cluster names it, e.g. a40.")
    memory_mb: PositiveInt = Field(4000, description="Main memory of a training or testing job.")
    max_memory_mb: PositiveInt | None = Field(
        None,
        description="The most that a retry asks for: twice the memory each time that it ran out, and no more for any "
        "other cause; null = four times memory_mb.",
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
        if self.max_memory_mb is not None and self.max_memory_mb < self.memory_mb:
            raise ValueError("max_memory_mb must not be below memory_mb")
        if self.max_hours is not None and self.max_hours < max(self.training_hours, self.testing_hours):
            raise ValueError("max_hours must not be below training_hours or testing_hours")
        return self


class RecipeConfig(Section):
    """One complete recipe: a base model and how it is trained and tested. Its key is the `{model}` of all paths."""

    kind: Literal["llm", "published-adapter"] = Field(
        "llm",
        description="Kind of coder: llm is trained here; published-adapter is a ready adapter of somebody else, which "
        "is tested as epoch 1, with its base as epoch 0.",
    )
    label: str = Field(description="Name in figures and tables.")
    family: str = Field(description="Model family; one colour in figures.")
    base: Base = Field(description="Where the base model comes from: hub, path or built.")
    adapter: Adapter | None = Field(
        None,
        description="Where a published adapter comes from: hub or path. It is asked in the chat template of its base.",
    )
    parameters: float | None = Field(None, gt=0, description="Number of parameters; null = counted from the weights.")
    data: Key = Field(description="Data key that it is trained on, and asked about.")
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
    resources: Resources = Field(
        default_factory=lambda: Resources.model_validate({}), description="What its jobs ask the cluster for."
    )


class Evaluation(Section):
    """What every checkpoint is asked."""

    tasks: list[Task] = Field(["icd10", "topography", "tumour"], min_length=1, description="Tasks that are asked.")
    splits: list[Split] = Field(
        ["train", "heldout_formulation", "heldout_label", "heldout_negative"],
        description="Splits of the catalogue questions that are asked.",
    )
    entries: PositiveInt | None = Field(None, description="Catalogue entries per task and split; null = all.")
    seed: int = Field(0, description="Seed of the choice of entries.")
    bootstrap: PositiveInt = Field(1000, description="Resamples of the cluster bootstrap.")
    shard: PositiveInt = Field(2048, description="Questions between two saves within an evaluation.")
    valid_floor: float = Field(
        VALID_FLOOR,
        ge=0,
        le=1,
        description="Least share of valid answers for an epoch to be chosen the way the paper chose, by the accuracy "
        "of the valid answers; below it, figures mark rates of the valid answers.",
    )
    paper_ceilings: bool = Field(
        False, description="Draw the paper's upper limits in Figure 3; they hold for its own test texts."
    )


class Thinking(Section):
    """Thinking mode of base models.

    Temperature 0.6, top_p 0.95, top_k 20 and min_p 0 are what the Qwen3 model cards recommend for it, and what the
    paper prints. The limit on tokens is inferred: the cards recommend an output length of 32,768 tokens for most
    queries, the paper prints none. Thoughts that it cuts are counted (`cut_rate`).
    """

    share: float = Field(0.1, gt=0, le=1, description="Share of each test set's texts.")
    tasks: list[Task] = Field(["icd10", "topography"], min_length=1, description="Tasks that are asked.")
    max_new_tokens: PositiveInt = Field(
        4096,
        description="Longest thought and answer together, in tokens. Inferred, to bound the time: the paper prints "
        "none, the Qwen3 model cards recommend 32768. Longer thoughts are cut and counted.",
    )
    batch_size: PositiveInt = Field(16, description="Questions answered at once.")
    temperature: float = Field(0.6, gt=0, description="Sampling temperature; of the Qwen3 model cards.")
    top_p: float = Field(
        0.95, gt=0, le=1, description="Sample among the likeliest tokens of this total share; of the Qwen3 model cards."
    )
    top_k: PositiveInt = Field(20, description="Sample among this many likeliest tokens; of the Qwen3 model cards.")
    min_p: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Least probability of a token, relative to the likeliest one; of the Qwen3 model cards.",
    )
    seed: int = Field(0, description="Seed of the choice of texts and of the sampling.")


class Tracking(Section):
    """Weights & Biases. The key and host come from WANDB_API_KEY and WANDB_BASE_URL only; a failure stops no job."""

    mode: Literal["off", "offline", "online"] = Field("off", description="offline writes files to be sent later.")
    project: str = Field("onkocode", description="Project at W&B.")
    entity: str | None = Field(None, description="User or team at W&B; null = the account's default.")


class Config(Section):
    """The whole configuration."""

    pathvars: dict[str, str] = Field(
        default_factory=dict, description="Snakemake's path variables: results, logs, benchmarks, private, scratch."
    )
    models: list[Key] = Field(
        min_length=1, description="Keys of `recipes` to run. A list, so that a later file replaces it."
    )
    test_sets: list[Key] = Field(default_factory=list, description="Keys of `texts` to test on.")
    recipes: dict[Key, RecipeConfig] = Field(description="Recipes by {model} key.")
    data: dict[Key, Data] = Field(description="Data keys.")
    texts: dict[Key, Texts] = Field(default_factory=dict, description="Test sets.")
    tiny_models: dict[Key, TinyModel] = Field(default_factory=dict, description="Tiny models that can be built.")
    presets: dict[Key, Preset] = Field(
        default_factory=dict, description="Presets of your own, beside the built-in ones."
    )
    catalogues: Catalogues = Field(
        default_factory=lambda: Catalogues.model_validate({}), description="Where the catalogue files come from."
    )
    evaluation: Evaluation = Field(
        default_factory=lambda: Evaluation.model_validate({}), description="What every checkpoint is asked."
    )
    leakage: Leakage = Field(
        default_factory=lambda: Leakage.model_validate({}), description="Comparison of test texts with training labels."
    )
    thinking: Thinking = Field(
        default_factory=lambda: Thinking.model_validate({}),
        description="How the thinking mode of base models is tested.",
    )
    tracking: Tracking = Field(default_factory=lambda: Tracking.model_validate({}), description="Weights & Biases.")
