"""The plan of one recipe: parameters, tokens, steps, memory, hours and disk before anything is spent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from onkocode.config.training import Training
from onkocode.models.architectures import Architecture
from onkocode.models.costs import (
    check_experts,
    default_targets,
    flop_per_token,
    rank_and_alpha,
    target_names,
    trainable_parameters,
)
from onkocode.models.gpus import Gpu
from onkocode.planning.calibration import Speed
from onkocode.planning.lengths import Lengths
from onkocode.planning.memory import Batch, Memory, disk_bytes, loading_bytes, training_memory
from onkocode.training.order import GROUP_BATCHES

UNKNOWN_LENGTH = "training.max_length"  # where nothing says how long the questions are


@dataclass(frozen=True)
class Subject:
    """What is trained: the base and how large its files are, the questions and how long they are (None = not known)."""

    architecture: Architecture
    base_bytes: float
    questions: int | None
    questions_source: str
    lengths: Lengths | None


@dataclass(frozen=True)
class Plan:
    """The plan of one recipe on one kind of GPU; what is not known is None."""

    model: str
    subject: Subject
    settings: Training
    gpu: Gpu | None
    gpus: int
    rank: int
    alpha: float
    targets: int  # adapted matrices
    trainable: int
    flop_per_token: float
    flop_per_epoch: float | None
    memory: Memory
    loading: float
    disk: dict[str, float]
    speed: Speed | None
    asked_hours: tuple[float, ...]  # limit of an epoch's job at first, and at most at each retry; empty = not known

    @property
    def tokens(self) -> float | None:
        """Tokens of an epoch, without padding."""
        lengths, questions = self.subject.lengths, self.subject.questions
        return None if lengths is None or questions is None else lengths.mean * questions

    @property
    def steps(self) -> int | None:
        """Optimizer steps of an epoch."""
        settings, questions = self.settings, self.subject.questions
        size = settings.batch_size * settings.gradient_accumulation * settings.processes
        return None if questions is None else math.ceil(questions / size)

    @property
    def needed(self) -> float:
        """Bytes that the fullest GPU must have, while loading or training."""
        return max(self.memory.total, self.loading)

    @property
    def spare(self) -> float | None:
        """Bytes that stay free on the fullest GPU; negative = it does not fit."""
        return None if self.gpu is None else self.gpu.memory - self.needed

    @property
    def hours(self) -> float | None:
        """Hours of an epoch; the GPUs of one process take turns, those of several processes share the questions."""
        if self.speed is None or self.flop_per_epoch is None:
            return None
        return self.speed.hours(self.flop_per_epoch) / self.settings.processes

    @property
    def gpu_hours(self) -> float | None:
        """Hours of an epoch times the GPUs that are held."""
        return None if self.hours is None else self.hours * max(1, self.gpus)


def make_plan(
    model: str,
    subject: Subject,
    settings: Training,
    gpu: Gpu | None = None,
    gpus: int = 0,
    speed: Speed | None = None,
    asked_hours: Sequence[float] = (),
) -> Plan:
    """Work out the plan of a recipe.

    Args:
        model: the {model} key.
        subject: base and questions.
        settings: the recipe's training values.
        gpu: kind of GPU; None = none is named.
        gpus: how many the job gets; 0 = it computes on the CPU.
        speed: what training is expected to reach; None = not known.
        asked_hours: time limit that the job of an epoch asks the cluster for at its first try, and at most at each
            retry.

    Raises:
        InputError: target_modules that PEFT would refuse.
    """
    architecture, lengths = subject.architecture, subject.lengths
    shapes = architecture.matrices()
    names = target_names(shapes, settings.target_modules or default_targets(architecture.model_type))
    check_experts(names, settings.lora_dropout)
    rank, alpha = rank_and_alpha(settings, architecture.model_type, shapes)
    targets = {name: shapes[name] for name in names}
    trainable = trainable_parameters(rank, targets.values())
    longest = settings.max_length if lengths is None else lengths.longest
    tokens = settings.batch_size * longest
    share = 1.0 if lengths is None else labelled_share(lengths, settings.loss)
    batch = Batch(tokens, tokens * share)
    memory = training_memory(architecture, settings, rank, targets, batch, gpus)
    shards = max(1, gpus) if settings.processes == 1 else 1
    return Plan(
        model=model,
        subject=subject,
        settings=settings,
        gpu=gpu,
        gpus=gpus,
        rank=rank,
        alpha=alpha,
        targets=len(names),
        trainable=trainable,
        flop_per_token=flop_per_token(architecture, trainable, share),
        flop_per_epoch=epoch_flop(subject, settings, trainable),
        memory=memory,
        loading=loading_bytes(architecture, settings.quantisation, settings.precision) / shards + memory.context,
        disk=disk_bytes(subject.base_bytes, trainable, settings.epochs),
        speed=speed,
        asked_hours=tuple(asked_hours),
    )


def labelled_share(lengths: Lengths, loss: Literal["answer", "full"]) -> float:
    """Return the share of the tokens that carry a label, and go through the output layer."""
    return 1.0 if loss == "full" else lengths.answer / lengths.mean


def epoch_flop(subject: Subject, settings: Training, trainable: int) -> float | None:
    """Return the operations of an epoch: the layers compute padding too, the output layer labelled tokens only."""
    if subject.lengths is None or subject.questions is None:
        return None
    window = None
    if settings.group_by_length:
        window = GROUP_BATCHES * settings.gradient_accumulation * settings.processes
    padded = subject.lengths.padded(settings.batch_size, window)
    labelled = subject.lengths.mean * labelled_share(subject.lengths, settings.loss) / padded
    each = flop_per_token(subject.architecture, trainable, labelled, settings.activation_checkpointing, tiled_head=True)
    return subject.questions * padded * each
