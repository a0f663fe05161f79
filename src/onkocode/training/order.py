"""The order of training questions: a pure function of data, seed and epoch, so that resuming by index is exact."""

from collections.abc import Sequence

from onkocode.records.ids import digest, shuffled

GROUP_BATCHES = 50  # batches whose questions are sorted by length together; the Trainer's own value


def epoch_order(
    ids: Sequence[str], lengths: Sequence[int], seed: int, epoch: int, batch_size: int, group_by_length: bool
) -> list[int]:
    """Return the indexes of the questions in the order in which an epoch sees them.

    Args:
        ids: question ids.
        lengths: tokens per question.
        seed: training seed.
        epoch: 0 for the first.
        batch_size: questions per optimizer step and device.
        group_by_length: put questions of similar length into one batch; the batches themselves stay shuffled.
    """
    order = shuffled(range(len(ids)), seed, f"order-{epoch}", ids)
    if not group_by_length:
        return order
    size = batch_size * GROUP_BATCHES
    grouped: list[int] = []
    for start in range(0, len(order), size):
        # ties keep the shuffled order, since sorting is stable
        grouped += sorted(order[start : start + size], key=lambda index: lengths[index])
    full = len(grouped) - len(grouped) % batch_size
    batches = [grouped[start : start + batch_size] for start in range(0, full, batch_size)]
    names = [digest(epoch, *batch) for batch in batches]
    # The incomplete batch stays last: every other one must keep its size.
    return [index for batch in shuffled(batches, seed, "batches", names) for index in batch] + grouped[full:]
