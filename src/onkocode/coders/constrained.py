"""Answers of a language model out of a label space, with their exact probabilities.

The answers are a tree of tokens, so nothing else can be said. A search walks down that tree; what it has not looked at
is bounded by the beginnings where it stopped. So for every search it is known how probable the label space is, within
limits, and which answers no other one surpasses: `BestFirst` makes sure of them, `Beam` and `GREEDY` cost less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from onkocode.coders.answer_trie import AnswerTrie
from onkocode.coders.prefix_scores import PrefixScorer
from onkocode.coders.searches import BestFirst, Scored, Search, Walk

BEST = BestFirst()


class Candidate(NamedTuple):
    """An answer of the label space.

    Attributes:
        answer: as in the label space.
        log_probability: that the model gives it and ends its turn, in the tokens in which it is trained to.
        probability: among the answers of the label space; at least this, and at most `upper / lower` times it.
    """

    answer: str
    log_probability: float
    probability: float


@dataclass(frozen=True)
class Ranking:
    """What a search found for a prompt.

    Attributes:
        candidates: the most probable answers that were found, best first; equal ones by their tokens.
        proven: how many of them, from the first on, are as probable as any answer that was not found, or more.
        lower: probability that the model gives some answer of the label space, at least: that of all answers found.
        upper: the same at most: with what was left aside.
        expanded: beginnings that the model went on from, each a row of a pass.
    """

    candidates: tuple[Candidate, ...]
    proven: int
    lower: float
    upper: float
    expanded: int


def rank_candidates(
    model: Any,
    pad: int,
    prompts: Sequence[list[int]],
    trie: AnswerTrie,
    search: Search = BEST,
    *,
    batch_size: int = 8,
    rows: int = 64,
) -> list[Ranking]:
    """Return the most probable answers of a label space to each prompt.

    Log-probabilities are sums over tokens under a softmax over the whole vocabulary, in single precision at least. How
    many prompts and rows go together changes them by rounding alone; of 8-bit models, by more.

    Args:
        model: a causal language model of transformers in evaluation mode, with or without LoRA adapter.
        pad: id of the padding token.
        prompts: token ids, of each one at least; of similar length next to each other, little is padded.
        trie: the label space.
        search: how the tree is searched.
        batch_size: prompts that are read, and searched for, together.
        rows: beginnings in one pass through the model at most. Memory grows with it: each row holds the keys and values
            of a prompt, and logits over the vocabulary at one place or a few.

    Raises:
        ValueError: an empty prompt, or batches of nothing.
        ArithmeticError: the model gives no numbers.
    """
    if batch_size < 1 or rows < 1 or not all(prompts):
        raise ValueError("prompts must not be empty, nor batch_size or rows less than 1")
    scorer = PrefixScorer(model, pad, rows)
    found: list[Ranking] = []
    for start in range(0, len(prompts), batch_size):
        batch = prompts[start : start + batch_size]
        found += [_ranking(walk, search.top) for walk in _walk(scorer, batch, trie, search)]
    return found


def _walk(scorer: PrefixScorer, prompts: Sequence[list[int]], trie: AnswerTrie, search: Search) -> list[Walk]:
    scorer.read(prompts)
    walks = [Walk(open=[Scored(0.0, trie.root)]) for _ in prompts]
    while True:
        chosen = [search.choose(walk) for walk in walks]
        wanted = [(number, each.node) for number, part in enumerate(chosen) for each in part]
        if not wanted:
            return walks
        grown = iter(scorer.score(wanted))
        for walk, part in zip(walks, chosen, strict=True):
            walk.replace(part, [next(grown) for _ in part])


def _ranking(walk: Walk, top: int) -> Ranking:
    weights, best = walk.weights(), walk.complete[:top]
    found, left = math.fsum(weights.complete), math.fsum(weights.open + weights.dropped)
    highest = max((each.log_probability for each in walk.open + walk.dropped), default=-math.inf)
    candidates = tuple(
        Candidate(each.node.answer or "", each.log_probability, weight / ((found + left) or 1.0))
        for each, weight in zip(best, weights.complete, strict=False)
    )
    scale = math.exp(weights.shift)
    lower, upper = min(1.0, scale * found), min(1.0, scale * (found + left))  # rounding must not lead above 1
    return Ranking(candidates, sum(each.log_probability >= highest for each in best), lower, upper, walk.expanded)
