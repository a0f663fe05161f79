"""Held-out labels and held-out formulations: seeded, by text key over all blocks."""

from collections import Counter
from collections.abc import Mapping

import polars as pl

from onkocode.records.ids import shuffled


def heldout_labels(blocks: Mapping[str, pl.DataFrame], share: float, seed: int) -> set[str]:
    """Return the text keys that stay out of training.

    A text key is held out in every block in which it occurs, so a label never stands in two splits through different
    formulations. A code's last remaining label of a block stays in training, since nobody could learn it otherwise.

    Args:
        blocks: per block its entries with `text_key` and `expected` (null where the answer is no code).
        share: share of the distinct text keys, 0…1.
        seed: seed of the choice.
    """
    if share <= 0:
        return set()
    codes_of: dict[str, set[tuple[str, str]]] = {}
    for name, entries in blocks.items():
        for key, code in entries.select("text_key", "expected").unique().iter_rows():
            codes_of.setdefault(key, set()).update([(name, code)] if code is not None else [])
    left = Counter(pair for pairs in codes_of.values() for pair in pairs)
    keys = sorted(codes_of)
    wanted = round(share * len(keys))
    chosen: set[str] = set()
    for key in shuffled(keys, seed, "heldout-labels", keys):
        if len(chosen) == wanted:
            break
        if all(left[pair] > 1 for pair in codes_of[key]):
            left.subtract(codes_of[key])
            chosen.add(key)
    return chosen


def heldout_formulations(ids: list[str], count: int, seed: int) -> set[str]:
    """Return the formulations of one block that stay out of training; at least half of them stay in."""
    return set(shuffled(ids, seed, "heldout-formulations", ids)[: min(count, len(ids) // 2)])
