"""The answers of a label space as a tree of their tokens: a model is asked for them and for nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from onkocode.models.prompts import PromptFormat, encode_answers
from onkocode.records.errors import InputError

_Rows = Sequence[tuple[tuple[int, ...], str]]


@dataclass(frozen=True, eq=False)
class TrieNode:
    """Where answers part, or where one ends.

    Attributes:
        prefix: token ids from the answer's beginning up to and with the one that leads here.
        forced: the ids that all answers below have in common after the prefix; of a leaf, the rest of its answer.
        children: by the id that follows, ascending; it is the last one of their prefix.
        answer: of a leaf; None elsewhere.
    """

    prefix: tuple[int, ...]
    forced: tuple[int, ...]
    children: tuple["TrieNode", ...] = ()
    answer: str | None = None


@dataclass(frozen=True)
class AnswerTrie:
    """The tree of a label space. `size` is the number of its answers."""

    root: TrieNode
    size: int

    @classmethod
    def build(cls, tokenizer: Any, form: PromptFormat, answers: Sequence[str]) -> "AnswerTrie":
        """Build the tree of answers in the tokens in which a model was trained to give them.

        Args:
            tokenizer: a transformers tokenizer.
            form: the rendered chat template.
            answers: the label space; each counts once.

        Raises:
            InputError: no answers, or some that their tokens do not tell apart.
        """
        return cls.of_tokens(encode_answers(tokenizer, form, answers))

    @classmethod
    def of_tokens(cls, tokens: Mapping[str, Sequence[int]]) -> "AnswerTrie":
        """Build the tree of answers whose token ids are known, the end-of-turn token among them.

        Raises:
            InputError: no answers, or ids that are the beginning of others', equal to them or none at all.
        """
        if not tokens:
            raise InputError("the label space is empty, so no answer can be chosen; name its codes")
        rows = sorted((tuple(ids), answer) for answer, ids in tokens.items())
        _check(rows)
        return cls(_node(rows, 0), len(rows))

    def answers(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield every answer with its token ids, in the order of the ids."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            if node.answer is not None:
                yield node.answer, node.prefix + node.forced
            waiting += reversed(node.children)


def _check(rows: _Rows) -> None:
    # Sorted, the ids that begin like others stand right before one of them.
    if not rows[0][0]:
        raise InputError(f"the tokenizer makes no token of the answer „{rows[0][1]}“ and its end-of-turn token")
    for (shorter, answer), (ids, other) in pairwise(rows):
        if ids[: len(shorter)] == shorter:
            how = "the same as" if ids == shorter else "the beginning of"
            raise InputError(
                f"the tokens of the answer „{answer}“ are {how} those of „{other}“, so a model cannot choose between "
                "them; leave one out, or take the tokenizer's files of the model itself"
            )


def _node(rows: _Rows, start: int) -> TrieNode:
    """Return the node above answers whose ids, sorted, agree before `start`."""
    first, last = rows[0][0], rows[-1][0]
    if len(rows) == 1:
        return TrieNode(first[:start], first[start:], answer=rows[0][1])
    end = next(place for place in range(start, len(first)) if first[place] != last[place])
    parts = groupby(rows, key=lambda row: row[0][end])
    return TrieNode(first[:start], first[start:end], tuple(_node(list(part), end + 1) for _, part in parts))
