"""Which checkpoints are compared with which, before any number is seen."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from onkocode.config.base import CONSTRAINED, FREE, SWAPPED, THINKING


class Asked(NamedTuple):
    """A checkpoint under a condition; epoch 0 is the base model."""

    model: str
    epoch: int
    condition: str


@dataclass(frozen=True)
class Pair:
    """Two to be compared: the difference is `left` minus `right`. `kind` says what for."""

    kind: str
    left: Asked
    right: Asked


KINDS = {
    "training": "Trained against its base",
    "training, short answer asked": "Trained against its base, both asked for a short answer",
    "training, short answer not asked": "Trained against its base, neither asked for a short answer",
    "prompt": "Asked for a short answer against not asked, the same weights",
    "thinking": "Thinking against not thinking, the same weights",
    "training against thinking": "Trained against its thinking base",
    "constrained": "Held to the label space against free, the same weights",
    "epochs": "Chosen epoch against the others of its training",
    "coders": "Coders with each other, at their chosen epochs",
}

# The choice of the epoch has a part in these differences.
OF_CHOSEN = (
    "training",
    "training, short answer asked",
    "training, short answer not asked",
    "training against thinking",
    "coders",
)


def planned_pairs(available: Set[Asked], chosen: Mapping[str, int], bases: Mapping[str, str]) -> list[Pair]:
    """Return the comparisons, each pair once.

    Args:
        available: what was asked.
        chosen: epoch by model, of models with a choice or a single checkpoint.
        bases: the model whose epoch 0 is the base, by model.
    """
    found = [
        *_of_training(chosen, bases),
        *_of_conditions(available, chosen, bases),
        *_of_epochs(available, chosen),
        *(
            Pair("coders", Asked(one, chosen[one], FREE), Asked(other, chosen[other], FREE))
            for one, other in combinations(chosen, 2)
            if one not in bases or bases[one] != bases.get(other)  # seeds of one recipe stand in a table of their own
        ),
    ]
    return [pair for pair in dict.fromkeys(found) if pair.left != pair.right and {pair.left, pair.right} <= available]


def _of_training(chosen: Mapping[str, int], bases: Mapping[str, str]) -> Iterator[Pair]:
    """Yield what training brings: as the study asked, and with one and the same prompt."""
    for model, epoch in chosen.items():
        if model in bases and epoch:
            base = bases[model]
            yield Pair("training", Asked(model, epoch, FREE), Asked(base, 0, FREE))
            yield Pair("training, short answer asked", Asked(model, epoch, SWAPPED), Asked(base, 0, FREE))
            yield Pair("training, short answer not asked", Asked(model, epoch, FREE), Asked(base, 0, SWAPPED))


def _of_conditions(available: Set[Asked], chosen: Mapping[str, int], bases: Mapping[str, str]) -> Iterator[Pair]:
    """Yield what a condition brings to the same weights."""
    for asked in sorted(available):
        model, epoch, condition = asked
        free = Asked(model, epoch, FREE)
        if condition == SWAPPED:
            with_sentence, without = (free, asked) if epoch == 0 else (asked, free)
            yield Pair("prompt", with_sentence, without)
        elif condition in (THINKING, CONSTRAINED):
            yield Pair(condition, asked, free)
    for model, epoch in chosen.items():
        if model in bases and epoch:
            yield Pair("training against thinking", Asked(model, epoch, FREE), Asked(bases[model], 0, THINKING))


def _of_epochs(available: Set[Asked], chosen: Mapping[str, int]) -> Iterator[Pair]:
    for asked in sorted(available):
        best = chosen.get(asked.model)
        if asked.condition == FREE and best is not None and asked.epoch not in (0, best):
            yield Pair("epochs", Asked(asked.model, best, FREE), asked)
