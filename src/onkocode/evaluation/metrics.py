"""All metrics, each declared in one place. A new one is a row of `_DECLARED`; `measuring` and reporting read it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from onkocode.config.base import CONSTRAINED, FREE, SINGLE, SWAPPED, THINKING
from onkocode.tasks import CODED, DECIDED, NO, TASKS

# Factor from the values of tables to the unit: rates and differences of rates are kept in 0…1.
UNITS = {"%": 100.0, "points": 100.0, "s": 1.0, "tokens": 1.0, "questions": 1.0}


@dataclass(frozen=True)
class Metric:
    """What is measured of judged answers.

    Attributes:
        key: as in the column `metric` of results.
        label: name in figures and tables.
        value: truth value or number of an answer, from the columns of JUDGED; null = it was not recorded.
        unit: of `UNITS`; % = a share of answers, points = a difference of shares.
        denominators: of which answers: valid, all.
        among: the answers that it is about; None = all. Where there are none, there is no row.
        tasks: that have it.
        conditions: that have it.
        balance: truth value of an answer; the answers of which it is true and those of which it is not count alike.
        gain: it is compared with the base model on the same questions as well, as the metric `gain_<key>`.
        paired: it is such a comparison.
    """

    key: str
    label: str
    value: pl.Expr
    unit: str = "%"
    denominators: tuple[str, ...] = ("all",)
    among: pl.Expr | None = None
    tasks: tuple[str, ...] = tuple(TASKS)
    conditions: tuple[str, ...] = (FREE, THINKING, SWAPPED, CONSTRAINED)
    balance: pl.Expr | None = None
    gain: bool = False
    paired: bool = False

    @property
    def factor(self) -> float:
        """Number by which a value of the tables is multiplied to be in the unit."""
        return UNITS[self.unit]


LEADING = ("accuracy", "partial_accuracy", "invalid_rate")  # what tables of parts and differences are about
_POSITIVE = pl.col("expected") != NO
_NO = (pl.col("predicted") == NO).fill_null(value=False)
_YES = (pl.col("predicted") != NO).fill_null(value=False)
_ADMITTED = pl.col("admissible").fill_null(value=False)
_NONEXISTENT = ~(pl.col("exists").fill_null(value=True) | _ADMITTED)
_NONTERMINAL = pl.col("exists").fill_null(value=False) & ~pl.col("terminal").fill_null(value=True)
_BEHAVIOUR, _RIGHT_BEHAVIOUR = (pl.col(name).str.extract(r"/([0-9])$") for name in ("predicted", "expected"))
_SAME_BEHAVIOUR = (_BEHAVIOUR == _RIGHT_BEHAVIOUR).fill_null(value=False)
_BOTH = ("valid", "all")
TIMED = (FREE, THINKING, SWAPPED, CONSTRAINED, SINGLE)

_DECLARED = (
    Metric("accuracy", "Accuracy", pl.col("exact"), denominators=_BOTH, gain=True),
    Metric("partial_accuracy", "Partial accuracy", pl.col("partial"), denominators=_BOTH, tasks=CODED, gain=True),
    Metric("single_code_accuracy", "Accuracy, categories with one code taken for it", pl.col("single"), tasks=CODED),
    Metric("behaviour_accuracy", "Behaviour accuracy", _SAME_BEHAVIOUR, denominators=_BOTH, tasks=("morphology",)),
    Metric("invalid_rate", "Invalid answers", ~pl.col("valid")),
    Metric("nonexistent_rate", "Codes that do not exist", _NONEXISTENT, denominators=("valid",), tasks=CODED),
    Metric(
        "admissible_rate",
        "Codes that registries admit and the catalogue lacks",
        pl.col("valid") & pl.col("admissible"),
        denominators=("valid",),
        tasks=("morphology",),
    ),
    Metric("nonterminal_rate", "Codes that are not terminal", _NONTERMINAL, denominators=("valid",), tasks=CODED),
    Metric("several_rate", "Several answers", pl.col("several")),
    Metric("strict_accuracy", "Accuracy, strict reading", pl.col("strict_exact")),
    Metric("strict_partial_accuracy", "Partial accuracy, strict reading", pl.col("strict_partial"), tasks=CODED),
    Metric("strict_invalid_rate", "Invalid answers, strict reading", ~pl.col("strict_valid")),
    *(
        Metric(f"{reason.replace(' ', '_')}_rate", f"Invalid answers: {name}", pl.col("kind") == reason, tasks=tasks)
        for reason, name, tasks in (
            ("no code", "no code", CODED),
            ("other system", "a code of another system", CODED),
            ("mixture", "codes that are mixed up", CODED),
            ("invented", "no code by its form", CODED),
            ("group", "a group of codes", CODED),
            ("undecided", "neither yes nor no", DECIDED),
        )
    ),
    Metric("cut_rate", "Thoughts that do not end", pl.col("cut")),
    Metric("recall", "Recall", _YES, among=_POSITIVE, tasks=DECIDED),
    Metric("specificity", "Specificity", _NO, among=~_POSITIVE, tasks=DECIDED),
    Metric(
        "balanced_accuracy",
        "Balanced accuracy",
        pl.when(_POSITIVE).then(_YES).otherwise(_NO),
        tasks=DECIDED,
        balance=_POSITIVE,
    ),
    Metric("thought_rate", "Thoughts that are not empty", pl.col("thought"), conditions=(THINKING,)),
    Metric("truncated_rate", "Answers that the limit on tokens cut", pl.col("truncated")),
    Metric("top5_accuracy", "Right among the first five", pl.col("right_rank").is_between(1, 5), tasks=CODED),
    Metric("seconds_per_question", "Response time", pl.col("seconds"), unit="s", conditions=TIMED),
    Metric("batch_size", "Questions answered together", pl.col("batch"), unit="questions", conditions=TIMED),
    Metric("tokens_per_question", "Length of the answer", pl.col("tokens"), unit="tokens", conditions=TIMED),
)


def _gains() -> Iterator[Metric]:
    for metric in _DECLARED:
        if metric.gain:
            key, label = f"gain_{metric.key}", f"Gain in {metric.label[0].lower()}{metric.label[1:]}"
            about = replace(metric, key=key, label=label, unit="points", denominators=("all",))
            yield replace(about, gain=False, paired=True, conditions=(FREE, THINKING))


METRICS = {metric.key: metric for metric in (*_DECLARED, *_gains())}
