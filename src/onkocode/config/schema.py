"""Every key of the configuration, its type, its default and what it means.

`workflow/schemas/config.schema.json` is generated from these classes (`onkocode write-schema`), and a test fails when
the two drift apart. Order of precedence: field default < preset < recipe.
"""

from typing import Annotated, Literal

from pydantic import Field

from onkocode.config.base import Key, Mark, PositiveInt, Section, TaskKey, Version
from onkocode.config.coders import AnyRecipe
from onkocode.config.data import Catalogues, Data, DataChange, Leakage, Texts
from onkocode.config.training import TestingChange, TrainingChange
from onkocode.records.splits import CATALOGUE_SPLITS, CatalogueSplit
from onkocode.tasks import PROTOCOL

# The accuracy of the valid answers is then at most a ninth above that of all answers. The epochs that the paper chose
# have 99.92 % valid ICD-10 answers and more (its Table 4), so this floor changes none of its choices.
VALID_FLOOR = 0.9


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


class Primary(Section):
    """The one comparison that is named before the run, and is not corrected for the number of comparisons."""

    model: Key = Field(description="A model, at its chosen epoch; of a recipe with seeds, the first.")
    against: Key | None = Field(None, description="What it is compared with, at its chosen epoch; null = its base.")
    task: TaskKey = Field("icd10", description="Task, on the first test set.")
    metric: Literal["accuracy", "partial_accuracy", "invalid_rate"] = Field("accuracy", description="Of all answers.")


class Evaluation(Section):
    """What every checkpoint is asked."""

    tasks: list[TaskKey] = Field(list(PROTOCOL), min_length=1, description="Tasks that are asked.")
    splits: list[CatalogueSplit] = Field(
        list(CATALOGUE_SPLITS), description="Splits of the catalogue questions that are asked."
    )
    entries: PositiveInt | None = Field(None, description="Catalogue entries per task and split; null = all.")
    seed: int = Field(0, description="Seed of the choice of entries.")
    bootstrap: Annotated[PositiveInt, Mark.ASIDE] = Field(
        1000, description="Resamples of the cluster bootstrap (times and lengths)."
    )
    shard: Annotated[PositiveInt, Mark.NEUTRAL] = Field(
        2048,
        description="Questions between two saves within an evaluation, in whole batches; thoughts: one batch.",
    )
    valid_floor: Annotated[float, Mark.ASIDE] = Field(
        VALID_FLOOR,
        ge=0,
        le=1,
        description="Least share of valid answers for an epoch to be chosen the way the paper chose, by the accuracy "
        "of the valid answers; below it, figures mark rates of the valid answers.",
    )
    primary: Annotated[Primary | None, Mark.ASIDE] = Field(
        None,
        description="The primary endpoint; all other comparisons are corrected for their number (Holm). null, or a "
        "model that is not in `models` = all are.",
    )
    choice: Annotated[Literal["best", "one-standard-error"], Mark.ASIDE] = Field(
        "best",
        description="Which epoch is chosen: the best, or the earliest within one standard error of it.",
    )
    registries: Annotated[Version | None, Mark.ASIDE] = Field(
        None,
        description="Version of the registries' list of morphologies: its codes that the catalogue lacks count as "
        "admissible in registries, not as codes that do not exist; null = no list.",
    )
    least_cell: Annotated[int, Mark.ASIDE] = Field(
        0, ge=0, description="Kinds of code and confusions of fewer patients are left out, e.g. 5; 0 = none."
    )
    paper_ceilings: Annotated[bool, Mark.ASIDE] = Field(
        False, description="Draw the paper's upper limits in Figure 3; they hold for its own test texts."
    )


class Thinking(Section):
    """Thinking mode of base models.

    Temperature 0.6, top_p 0.95, top_k 20 and min_p 0 are what the Qwen3 model cards recommend for it, and what the
    paper prints. The limit on tokens is inferred: the cards recommend an output length of 32,768 tokens for most
    queries, the paper prints none. Thoughts that it cuts are counted (`cut_rate`).
    """

    share: float = Field(0.1, gt=0, le=1, description="Share of each test set's texts.")
    tasks: list[TaskKey] = Field(["icd10", "topography"], min_length=1, description="Tasks that are asked.")
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
    trained: Annotated[bool, Mark.ADDED] = Field(
        False, description="Ask the last trained epoch in thinking mode too: does it still think?"
    )


class Conditions(Section):
    """Further ways to ask, of the base and every trained epoch of language models."""

    asked: list[Literal["swapped", "single", "constrained"]] = Field(
        [],
        description="swapped: with the sentence that asks for a short answer where models are asked without it, and "
        "the other way round; single: one question at a time, for the response time; constrained: held to the codes of "
        "the label space, with the probability of each.",
    )
    share: float = Field(
        0.1, gt=0, le=1, description="swapped: share of each test set's texts, those of the thinking mode."
    )
    questions: PositiveInt = Field(50, description="single: questions per task and test set.")
    top: PositiveInt = Field(10, description="constrained: candidates that are kept per text.")
    tolerance: float = Field(
        0.05,
        gt=0,
        description="constrained, exact: a probability within the label space may be so much too small, as a share of "
        "itself; less costs more time.",
    )
    search: Literal["exact", "beam", "greedy"] = Field("exact", description="constrained: how candidates are found.")
    batch_size: PositiveInt = Field(16, description="constrained: texts at once.")
    seed: int = Field(0, description="Seed of the choice of texts and questions.")


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
    recipes: dict[Key, AnyRecipe] = Field(description="Recipes by {model} key.")
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
    conditions: Conditions = Field(
        default_factory=lambda: Conditions.model_validate({}), description="Further ways to ask language models."
    )
    tracking: Tracking = Field(default_factory=lambda: Tracking.model_validate({}), description="Weights & Biases.")
