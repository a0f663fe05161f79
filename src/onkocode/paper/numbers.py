"""Typed reading of ``numbers.yaml``."""

from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict

Span = tuple[float, float]  # lowest and highest, or the ends of a 95 % interval


class Part(BaseModel):
    """Numbers that belong together; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Printed(Part):
    """Numbers with the place where the paper prints them, and those of them that it does not print with the reason."""

    source: str
    inferred: dict[str, str]


class QuestionBlock(Part):
    """A row of Table 1; ``codes`` is None where the paper counts none."""

    block: str
    title: str
    entries: int
    codes: int | None
    formulations: int
    questions: int


class Questions(Printed):
    """Table 1."""

    total: int
    blocks: tuple[QuestionBlock, ...]


class Texts(Printed):
    """The texts of the test; formulations by task."""

    unique: int
    years: tuple[int, int]
    formulations: dict[str, int]
    tumours_only: bool


class Estimate(Part):
    """A share in % with its 95 % interval."""

    value: float
    low: float
    high: float


class Ceiling(Part):
    """95 % intervals, in %, of what the texts of the study's registry allow at best."""

    exact: Span
    partial: Span


class Quality(Printed):
    """Table 2, by task; counts are of ``cases``."""

    cases: int
    kappa: dict[str, float]
    method: str
    derivable: dict[str, dict[Literal["fully", "partially", "not"], Estimate]]
    contradictions: dict[str, int]
    reasons: dict[str, int]
    ceilings: dict[str, Ceiling]


class ReportedModel(Part):
    """A row of Table 3; parameters in 10⁹, hours of fine-tuning, batch = questions per step and device."""

    label: str
    hub: str
    parameters: float
    quantisation_training: Literal["none", "8bit", "4bit"]
    quantisation_testing: Literal["none", "8bit", "4bit"]
    gpus_training: int
    gpus_testing: int
    hours: float
    batch: int


class Models(Printed):
    """Table 3."""

    gpu: str
    rows: tuple[ReportedModel, ...]


class Incident(Part):
    """A training whose gradients were not finite."""

    model: str
    epoch: int
    remedy: str


class Training(Printed):
    """How the models were trained."""

    epochs: int
    lora_rank: int
    lora_alpha: int
    lora_dropout: float
    target_modules: tuple[str, ...]
    learning_rate: float
    weight_decay: float
    batch_size: int
    gradient_accumulation: int
    incidents: tuple[Incident, ...]


class Sampling(Part):
    """How thinking was sampled, and the share of the texts that it was asked about."""

    share: float
    temperature: float
    top_p: float
    top_k: int
    min_p: float


class Evaluation(Printed):
    """How the models were asked."""

    temperature: float
    thinking: Sampling


class Seconds(Printed):
    """Response times per question in seconds, by state."""

    thinking: Span
    base: Span
    trained: Span


class Rates(NamedTuple):
    """Rates of a task in %: exact and partial accuracy of the valid answers, and invalid answers of all."""

    accuracy: float
    partial_accuracy: float | None
    invalid_rate: float


class Performance(Part):
    """Rows of Table 4: a model before and after training, by task, and the epoch that is shown."""

    model: str
    base: dict[str, Rates]
    trained: dict[str, Rates]
    epoch: int


class Results(Printed):
    """Table 4."""

    rows: tuple[Performance, ...]


class Paper(Part):
    """All numbers."""

    questions: Questions
    texts: Texts
    quality: Quality
    models: Models
    training: Training
    evaluation: Evaluation
    seconds: Seconds
    results: Results


@cache
def paper() -> Paper:
    """Return the numbers."""
    text = resources.files("onkocode.paper").joinpath("numbers.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where there is one
    return Paper.model_validate(yaml.load(text, loader))  # noqa: S506
