"""Ways through the tree of answers: which beginnings a model is asked to go on from.

The probability of a beginning, the product of its tokens' probabilities, is that of all answers below it together. It
only falls on the way down, so a beginning bounds what lies below it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from onkocode.coders.answer_trie import TrieNode
from onkocode.coders.prefix_scores import Grown


class Scored(NamedTuple):
    """A beginning with its log-probability, or a whole answer."""

    log_probability: float
    node: TrieNode
    complete: bool = False

    @property
    def rank(self) -> tuple[float, tuple[int, ...]]:
        """Sort key: the most probable first, equal ones by their tokens."""
        return -self.log_probability, self.node.prefix


class Weights(NamedTuple):
    """Probabilities of what a walk has come to, in its order, all divided by e to the power of `shift`.

    A whole label space may be so improbable that its probabilities are no longer told from 0.
    """

    complete: list[float]
    open: list[float]
    dropped: list[float]
    shift: float


@dataclass
class Walk:
    """How far a search has come for a prompt; together its parts hold every answer of the tree once.

    Attributes:
        complete: the answers that were found, best first.
        open: beginnings from which it may go on, best first.
        dropped: what it has given up.
        expanded: how many beginnings it has gone on from.
    """

    complete: list[Scored] = field(default_factory=list)
    open: list[Scored] = field(default_factory=list)
    dropped: list[Scored] = field(default_factory=list)
    expanded: int = 0

    def replace(self, parents: Sequence[Scored], grown: Sequence[Grown]) -> None:
        """Put what follows open beginnings in their place."""
        gone = {id(parent.node) for parent in parents}
        self.open = [each for each in self.open if id(each.node) not in gone]
        for parent, scores in zip(parents, grown, strict=True):
            for child in _children(parent, scores):
                (self.complete if child.complete else self.open).append(child)
        self.complete.sort(key=lambda each: each.rank)
        self.open.sort(key=lambda each: each.rank)
        self.expanded += len(parents)

    def weights(self) -> Weights:
        """Return the probabilities of all parts."""
        parts = [[each.log_probability for each in part] for part in (self.complete, self.open, self.dropped)]
        highest = max((number for part in parts for number in part), default=0.0)
        shift = highest if math.isfinite(highest) else 0.0
        complete, waiting, dropped = ([math.exp(number - shift) for number in part] for part in parts)
        return Weights(complete, waiting, dropped, shift)


class Search(Protocol):
    """A way through the tree."""

    @property
    def top(self) -> int:
        """Return how many answers are wanted at most."""

    def choose(self, walk: Walk) -> list[Scored]:
        """Return the open beginnings to go on from next; none where the search ends. May drop others."""


@dataclass(frozen=True)
class BestFirst:
    """Finds the most probable answers for certain, and how probable the label space is.

    It goes on from the most probable beginnings until so many answers are found that no beginning is more probable
    than they are, and all open beginnings together weigh little. Those that this needs whatever lies below them are
    expanded at once: as many as one after the other, equal ones aside, in fewer passes through the model.

    Attributes:
        top: answers to be found.
        tolerance: probability left open at most, as a share of that of the answers found; infinite = no limit.
    """

    top: int = 1
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        if self.top < 1 or not self.tolerance >= 0:
            raise ValueError("top must be 1 or more, and tolerance no less than 0")

    def choose(self, walk: Walk) -> list[Scored]:
        """Return the beginnings that must be expanded."""
        weights = walk.weights()
        return walk.open[: max(self._for_top(weights), self._for_mass(weights))]

    def _for_top(self, weights: Weights) -> int:
        for place, weight in enumerate(weights.open):
            # Of answers as probable as this beginning, another holds no more than fit into its probability.
            better = sum(other >= weight for other in weights.complete[: self.top])
            fitting = sum(int(other / weight) if weight else 1 for other in weights.open[:place])
            if better + fitting >= self.top:
                return place
        return len(weights.open)

    def _for_mass(self, weights: Weights) -> int:
        found, left = math.fsum(weights.complete), math.fsum(weights.open)
        if not left or left <= self.tolerance * found:
            return 0
        # What is found in the end is at most all that is found or open now.
        allowed, kept, count = self.tolerance * (found + left), 0.0, len(weights.open)
        while count > 1 and kept + weights.open[count - 1] <= allowed:
            count -= 1
            kept += weights.open[count]
        return count


@dataclass(frozen=True)
class Beam:
    """Goes on with the few best beginnings wherever answers part; what it leaves aside it never comes back to.

    Of width 1, it takes the best token at every step. Answers that are whole keep their place in the beam.

    Attributes:
        width: beginnings and answers that are kept.
    """

    width: int

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError("width must be 1 or more")

    @property
    def top(self) -> int:
        """Return how many answers are wanted at most: those in the beam."""
        return self.width

    def choose(self, walk: Walk) -> list[Scored]:
        """Drop what is not in the beam; returns what is not whole yet."""
        ordered = sorted(walk.complete + walk.open, key=lambda each: each.rank)
        kept = ordered[: self.width]
        walk.dropped += ordered[self.width :]
        walk.complete = [each for each in kept if each.complete]
        walk.open = [each for each in kept if not each.complete]
        return list(walk.open)


GREEDY = Beam(1)


def _children(parent: Scored, grown: Grown) -> list[Scored]:
    """Return what follows a beginning; a leaf is followed by its answer, and a leaf with nothing to add is one."""
    forced, scores = grown
    score = parent.log_probability + forced
    if parent.node.answer is not None:
        return [Scored(score, parent.node, True)]
    return [
        Scored(score + own, child, child.answer is not None and not child.forced)
        for child, own in zip(parent.node.children, scores, strict=True)
    ]
