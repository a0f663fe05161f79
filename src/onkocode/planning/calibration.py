"""How fast training really is: the paper's hours and runs of one's own, and how well they predict others.

One number is fitted, the rate in FLOP/s (or the share of the GPU's peak). Its error is measured by leaving out: each
model's time is predicted with the rate of all the others.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onkocode.models.architectures import known_architecture, known_tokenizer
from onkocode.models.costs import flop_per_token, lora_unit
from onkocode.models.gpus import Gpu, named_gpu
from onkocode.paper import ReportedModel, paper
from onkocode.planning.lengths import table_lengths
from onkocode.records.errors import InputError


@dataclass(frozen=True)
class Check:
    """A time that was predicted without its own measurement, beside the measurement."""

    name: str
    predicted: float
    measured: float

    @property
    def ratio(self) -> float:
        """How many times too long the prediction is."""
        return self.predicted / self.measured


@dataclass(frozen=True)
class Speed:
    """A rate in FLOP/s of one GPU (or of the CPU), with the ratios that leaving out found."""

    flop_per_second: float
    ratios: tuple[float, ...]
    source: str

    def hours(self, flop: float) -> float:
        """Return the hours that the operations take."""
        return flop / self.flop_per_second / 3600

    def span(self, hours: float) -> tuple[float, float] | None:
        """Return the hours with the largest error of leaving out either way; None where nothing could be left out."""
        return (hours / max(self.ratios), hours / min(self.ratios)) if self.ratios else None


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean of positive numbers."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def leave_one_out(rates: Mapping[str, float]) -> dict[str, float]:
    """Return for each key the geometric mean of the others; empty for fewer than two."""
    if len(rates) < 2:
        return {}
    return {key: geometric_mean(rate for other, rate in rates.items() if other != key) for key in rates}


def paper_flop(run: ReportedModel) -> float:
    """Return the operations of a reported fine-tuning, padding included.

    Tokens are those of the project's own formulations; the output layer is counted as transformers computes it.

    Raises:
        InputError: the model is not in the table of architectures.
    """
    architecture = known_architecture(run.hub)
    tokenizer = None if architecture is None else known_tokenizer(architecture)
    if architecture is None or tokenizer is None:
        raise InputError(f"{run.hub}: not in architectures.yaml")
    training = paper().training
    trainable = training.lora_rank * lora_unit(architecture.matrices(), list(training.target_modules))
    tokens = table_lengths(tokenizer, None).padded(run.batch) * paper().questions.total * training.epochs
    return tokens * flop_per_token(architecture, trainable)


def paper_rates() -> dict[str, float]:
    """Return the FLOP/s of each reported fine-tuning: with two GPUs, one computes while the other waits."""
    return {run.label: paper_flop(run) / (run.hours * 3600) for run in paper().models.rows}


def paper_checks() -> list[Check]:
    """Return the hours of each reported fine-tuning as the seven others predict them."""
    rates = paper_rates()
    without = leave_one_out(rates)
    return [
        Check(run.label, run.hours * rates[run.label] / without[run.label], run.hours) for run in paper().models.rows
    ]


def paper_utilisation() -> float:
    """Return the share of the A40's bf16 peak that the paper's fine-tunings reached, geometric mean."""
    return geometric_mean(paper_rates().values()) / float(named_gpu(paper().models.gpu).peak("bf16") or 0)


def paper_speed(gpu: Gpu, precision: str) -> Speed | None:
    """Return the speed of a GPU at the utilisation of the paper's fine-tunings; None for a GPU without that peak."""
    peak = gpu.peak(precision)
    if peak is None:
        return None
    share = paper_utilisation()
    source = (
        f"{100 * share:.1f} % of its {precision} peak of {peak / 1e12:g} ({gpu.source}), as the paper's hours on A40"
    )
    if gpu.name != paper().models.gpu or precision != "bf16":
        source += "; untested for this one"
    return Speed(share * peak, tuple(check.ratio for check in paper_checks()), source)
