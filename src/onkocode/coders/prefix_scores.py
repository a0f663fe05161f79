"""Probabilities that a causal language model gives to what follows prompts, with the prompts read only once."""

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from onkocode.coders.answer_trie import TrieNode

# The layers of a cache whose rows can be taken out and grown by several tokens, with what stands right of them masked.
REUSABLE = (DynamicLayer, DynamicSlidingWindowLayer)
Wanted = tuple[int, TrieNode]  # number of the prompt in the batch, node of the tree
Grown = tuple[float, list[float]]  # of a node: log-probability of its forced ids; of each child's id after them


class PrefixScorer:
    """A model that scores the nodes of a tree behind a batch of prompts.

    Its keys and values of the prompts are kept and copied for each node. Where its cache is of a kind that does not
    allow that, or it has none, the prompts are read again with each node.

    Args:
        model: a causal language model of transformers in evaluation mode, with or without LoRA adapter.
        pad: id of the padding token.
        rows: nodes in one pass at most, which bounds the memory.
    """

    def __init__(self, model: Any, pad: int, rows: int) -> None:
        self._model, self._pad, self._rows = model, pad, rows
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._takes = set(inspect.signature(inner.forward).parameters)
        self.reuses = "past_key_values" in self._takes
        self._prompts: Sequence[list[int]] = []
        self._cache: Any = None

    def read(self, prompts: Sequence[list[int]]) -> None:
        """Read the prompts of the next batch.

        Args:
            prompts: token ids, of each one at least.
        """
        self._prompts, self._cache = prompts, None
        # The last token is read with each node, so that the first ids of answers are scored like all others.
        width = max(map(len, prompts)) - 1
        if not self.reuses or width == 0:
            return
        ids = [[self._pad] * (width + 1 - len(prompt)) + prompt[:-1] for prompt in prompts]
        output = self._forward(ids, self._mask(prompts, width), 1, use_cache=True)
        cache = getattr(output, "past_key_values", None)
        layers = getattr(cache, "layers", None) or []
        self.reuses = bool(layers) and all(type(layer) in REUSABLE for layer in layers)
        self._cache = cache if self.reuses else None

    def score(self, wanted: Sequence[Wanted]) -> list[Grown]:
        """Return the log-probabilities of what follows each node's prefix, under a softmax over the whole vocabulary.

        Raises:
            ArithmeticError: the model gives no numbers.
        """
        order = sorted(range(len(wanted)), key=lambda place: len(self._row(*wanted[place])))
        found: dict[int, Grown] = {}
        for start in range(0, len(order), self._rows):
            places = order[start : start + self._rows]
            found.update(zip(places, self._score_rows([wanted[place] for place in places]), strict=True))
        return [found[place] for place in range(len(wanted))]

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _score_rows(self, wanted: Sequence[Wanted]) -> list[Grown]:
        rows = [self._row(*each) for each in wanted]
        width = max(map(len, rows))
        # Padded on the right, where a causal model cannot look; on the left it would widen the gap to the prompt.
        ids = [row + [self._pad] * (width - len(row)) for row in rows]
        mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
        steps = [_steps(node) for _, node in wanted]
        # The place whose logits are for the first id of a step: the row's end, as many steps back as there are.
        firsts = [len(row) - len(targets) for row, targets in zip(rows, steps, strict=True)]
        output = self._grown(wanted, ids, mask, width - min(firsts))
        logits, left_out = output.logits, width - output.logits.shape[1]
        places = [
            (row, first + step - left_out)
            for row, (first, targets) in enumerate(zip(firsts, steps, strict=True))
            for step in range(len(targets))
        ]
        flat = iter(_log_probabilities(logits, places, [ids for targets in steps for ids in targets]))
        return [_sums(node, [next(flat) for _ in targets]) for (_, node), targets in zip(wanted, steps, strict=True)]

    def _row(self, number: int, node: TrieNode) -> list[int]:
        """Return the ids that are read for a node: all whose logits are needed, after what the cache holds."""
        prompt = self._prompts[number]
        forced = node.forced if node.children else node.forced[:-1]
        return [*(prompt if self._cache is None else prompt[-1:]), *node.prefix, *forced]

    def _grown(self, wanted: Sequence[Wanted], ids: list[list[int]], mask: list[list[int]], keep: int) -> Any:
        if self._cache is None:
            return self._forward(ids, mask, keep, use_cache=False)
        prompts = [self._prompts[number] for number, _ in wanted]
        before = self._mask(prompts, max(map(len, self._prompts)) - 1)
        whole = [left + right for left, right in zip(before, mask, strict=True)]
        cache = _select(self._cache, [number for number, _ in wanted])
        return self._forward(ids, whole, keep, use_cache=True, past_key_values=cache)

    def _mask(self, prompts: Sequence[list[int]], width: int) -> list[list[int]]:
        """Return the attention mask of prompts without their last token, padded on the left."""
        return [[0] * (width + 1 - len(prompt)) + [1] * (len(prompt) - 1) for prompt in prompts]

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _forward(self, ids: list[list[int]], mask: list[list[int]], keep: int, **options: Any) -> Any:
        device = self._model.device
        attention = torch.tensor(mask, device=device)
        options["position_ids"] = (attention.cumsum(1) - 1).clamp(min=0)[:, -len(ids[0]) :]
        options["logits_to_keep"] = keep
        taken = {name: value for name, value in options.items() if name in self._takes}
        return self._model(input_ids=torch.tensor(ids, device=device), attention_mask=attention, **taken)


def _select(cache: Any, rows: list[int]) -> Any:
    """Return a cache of rows of another one, which stays as it is."""
    selected = copy.copy(cache)
    selected.layers = [copy.copy(layer) for layer in cache.layers]
    selected.batch_select_indices(torch.tensor(rows))
    return selected


def _steps(node: TrieNode) -> list[list[int]]:
    """Return the ids that are scored, by their place: each forced one, then those of the children."""
    steps = [[token] for token in node.forced]
    return [*steps, [child.prefix[-1] for child in node.children]] if node.children else steps


def _log_probabilities(logits: Any, places: list[tuple[int, int]], ids: list[list[int]]) -> list[list[float]]:
    """Return the log-probability of each of the ids at each place (row, position) of logits (rows, positions, ids)."""
    rows, positions = (torch.tensor(part, device=logits.device) for part in zip(*places, strict=True))
    scores = logits[rows, positions].float()
    counts = [len(part) for part in ids]
    at = torch.repeat_interleave(torch.arange(len(ids)), torch.tensor(counts)).to(logits.device)
    tokens = torch.tensor([token for part in ids for token in part], device=logits.device)
    found = (scores[at, tokens] - scores.logsumexp(-1)[at]).clamp(max=0.0)
    if bool(found.isnan().any()):
        raise ArithmeticError("the model gives no numbers as logits; its weights or its precision are broken")
    return [part.tolist() for part in found.double().split(counts)]


def _sums(node: TrieNode, steps: list[list[float]]) -> Grown:
    forced = sum(step[0] for step in steps[: len(node.forced)])
    return forced, steps[-1] if node.children else []
