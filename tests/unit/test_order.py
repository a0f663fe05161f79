"""The order of questions: a pure function of data, seed and epoch."""

from itertools import pairwise

import pytest

from onkocode.training.order import epoch_order
from onkocode.training.sampler import EpochOrder

IDS = [f"alphaid-2024:I{number}/icd10/icd10-01" for number in range(103)]
LENGTHS = [20 + (number * 37) % 41 for number in range(103)]


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("size", [1, 4, 7, 103, 200])
def test_every_question_once(grouped: bool, size: int) -> None:
    order = epoch_order(IDS, LENGTHS, 0, 0, size, grouped)
    assert sorted(order) == list(range(103))


@pytest.mark.parametrize("grouped", [False, True])
def test_differs_by_epoch_and_seed_and_by_nothing_else(grouped: bool) -> None:
    first = epoch_order(IDS, LENGTHS, 0, 0, 4, grouped)
    assert epoch_order(IDS, LENGTHS, 0, 0, 4, grouped) == first
    assert epoch_order(IDS, LENGTHS, 0, 1, 4, grouped) != first
    assert epoch_order(IDS, LENGTHS, 1, 0, 4, grouped) != first
    assert first != list(range(103))


def test_order_follows_ids_and_not_positions() -> None:
    order = [IDS[index] for index in epoch_order(IDS, LENGTHS, 5, 2, 4, False)]
    turned = IDS[::-1]
    assert [turned[index] for index in epoch_order(turned, LENGTHS[::-1], 5, 2, 4, False)] == order


def test_further_questions_leave_the_order_of_the_others() -> None:
    order = epoch_order(IDS, LENGTHS, 5, 2, 4, False)
    assert [index for index in epoch_order([*IDS, "x"], [*LENGTHS, 9], 5, 2, 4, False) if index != 103] == order


def test_grouping_keeps_lengths_close_and_the_incomplete_batch_last() -> None:
    size = 4
    order = epoch_order(IDS, LENGTHS, 0, 0, size, True)
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    assert [len(batch) for batch in batches] == [4] * 25 + [3]
    spread = [max(LENGTHS[i] for i in batch) - min(LENGTHS[i] for i in batch) for batch in batches]
    # 103 questions of 41 lengths, all within one group of 50 batches: neighbours differ by at most 2 tokens.
    assert max(spread) <= 2
    means = [sum(LENGTHS[i] for i in batch) for batch in batches[:-1]]
    assert any(a > b for a, b in pairwise(means))  # the batches themselves are shuffled
    assert any(a < b for a, b in pairwise(means))
    plain = epoch_order(IDS, LENGTHS, 0, 0, size, False)
    wide = [max(LENGTHS[i] for i in plain[s : s + size]) - min(LENGTHS[i] for i in plain[s : s + size]) for s in (0, 4)]
    assert min(wide) > 2


def test_groups_hold_fifty_batches() -> None:
    ids = [str(number) for number in range(600)]
    lengths = [number % 97 for number in range(600)]
    order = epoch_order(ids, lengths, 0, 0, 2, True)
    shuffled = epoch_order(ids, lengths, 0, 0, 2, False)
    group_of = {index: place // 100 for place, index in enumerate(shuffled)}
    assert all(group_of[order[start]] == group_of[order[start + 1]] for start in range(0, 600, 2))


def test_sampler_gives_the_order_of_the_epoch_it_was_told() -> None:
    sampler = EpochOrder(IDS, LENGTHS, 3, 4, True)
    assert list(sampler) == epoch_order(IDS, LENGTHS, 3, 0, 4, True)
    sampler.set_epoch(2)
    assert list(sampler) == epoch_order(IDS, LENGTHS, 3, 2, 4, True) == sampler.order(2)
    assert len(sampler) == 103
