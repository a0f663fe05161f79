"""Keys of training and testing: how one adapter is made, how a model answers, and what a preset or recipe changes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from onkocode.config.base import Mark, PositiveInt, Quantisation, Section, Seed, Share
from onkocode.config.changes import Change, keys_of


class RecoveryStep(Section):
    """What changes in one further attempt, after a loss or gradient that is not finite; null = stays as it is.

    Every attempt goes on from the last good save. One that changes the questions per optimizer step repeats the epoch
    from its beginning, because the steps are counted anew.
    """

    learning_rate: float | None = Field(None, gt=0, description="Peak learning rate.")
    learning_rate_factor: float | None = Field(
        None, gt=0, le=1, description="Peak learning rate as a share of the recipe's own, instead of learning_rate."
    )
    max_grad_norm: float | None = Field(None, gt=0, description="Gradient norm clipping.")
    batch_size: PositiveInt | None = Field(None, description="Questions per device and step.")
    gradient_accumulation: PositiveInt | None = Field(None, description="Batches per optimizer step.")
    gpus: PositiveInt | None = Field(
        None, description="GPUs that the attempt needs; a job that sees fewer ends, and its retry asks for them."
    )

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if self.learning_rate is not None and self.learning_rate_factor is not None:
            raise ValueError("set learning_rate or learning_rate_factor, not both")
        return self

    def peak_rate(self, own: float) -> float | None:
        """Return the peak learning rate of the attempt where the step changes it; `own` is the recipe's."""
        return self.learning_rate if self.learning_rate_factor is None else own * self.learning_rate_factor


class Training(Section):
    """How one adapter is trained."""

    epochs: int = Field(
        5,
        ge=0,
        description="Passes over the training questions, a checkpoint after each; 0 = only test the base model.",
    )
    lora_rank: PositiveInt = Field(8, description="Rank of the LoRA matrices.")
    lora_alpha: PositiveInt = Field(16, description="LoRA scaling: alpha / rank.")
    lora_parameters: PositiveInt | None = Field(
        None,
        description="Trainable parameters wanted; the rank is chosen to come closest, alpha keeps its ratio to it; "
        "null = lora_rank as it is.",
    )
    lora_dropout: Share = Field(0.1, description="Dropout before the LoRA matrices.")
    target_modules: list[str] | Literal["all-linear"] | None = Field(
        None,
        description="Modules that get LoRA matrices; null = PEFT's default for the architecture (q_proj and v_proj).",
    )
    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate.")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear",
        description="How the learning rate goes on after the warm-up, over all epochs together; under constant without "
        "a warm-up, epochs can be added to those that are finished.",
    )
    warmup_share: Share = Field(0.0, description="Share of all steps over which the learning rate rises.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of AdamW.")
    batch_size: PositiveInt = Field(6, description="Questions per device and step.")
    gradient_accumulation: PositiveInt = Field(1, description="Batches per optimizer step.")
    max_grad_norm: float = Field(1.0, ge=0, description="Gradient norm clipping; 0 = none.")
    precision: Literal["bf16", "fp32"] = Field("bf16", description="Number format of the computation.")
    quantisation: Quantisation = Field("none", description="bitsandbytes: 8bit = int8, 4bit = nf4 twice quantised.")
    loss: Literal["answer", "full"] = Field("full", description="Loss on the answer only, or on the prompt as well.")
    group_by_length: bool = Field(False, description="Put questions of like length into a batch: less padding.")
    activation_checkpointing: bool = Field(False, description="Less GPU memory for about a third more time.")
    max_length: PositiveInt = Field(512, description="Tokens; a longer question is an error, never cut.")
    system_prompt: str | None = Field(None, description="System prompt; null = what the chat template does by itself.")
    processes: PositiveInt = Field(
        1,
        description="Data-parallel processes on one node, a GPU each; 1 = one process, which splits a model over all "
        "its GPUs.",
    )
    recovery: Annotated[list[RecoveryStep], Mark.ASIDE] = Field(
        [],
        description="Further attempts after a non-finite loss or gradient, one after the other; none = stop at once.",
    )
    save_minutes: Annotated[float, Mark.NEUTRAL] = Field(20, gt=0, description="Minutes between saves within an epoch.")
    log_steps: Annotated[PositiveInt, Mark.ASIDE] = Field(50, description="Steps between two rows of metrics.jsonl.")
    seed: Seed = Field(0, description="Seed of the LoRA matrices, of dropout and of the order of batches.")

    @property
    def depends_on_total(self) -> bool:
        """Tell whether an epoch depends on how many there are in all, by the learning rate of its steps."""
        return self.schedule != "constant" or self.warmup_share > 0


class Testing(Section):
    """How a model answers."""

    quantisation: Quantisation = Field("none", description="bitsandbytes: 8bit = int8, 4bit = nf4 twice quantised.")
    precision: Literal["bf16", "fp32"] = Field("bf16", description="Number format of the computation.")
    batch_size: PositiveInt = Field(64, description="Questions answered at once.")
    max_new_tokens: PositiveInt = Field(64, description="Longest answer, in tokens.")
    short_answer: bool = Field(True, description="Ask base models (epoch 0), and only those, for a short answer.")


@keys_of(Training)
class TrainingChange(Change):
    """Training keys that a preset or recipe sets; null = not set here."""


@keys_of(Testing)
class TestingChange(Change):
    """Testing keys that a preset or recipe sets; null = not set here."""
