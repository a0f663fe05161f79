"""The order of training questions as torch wants it."""

from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

from onkocode.training.order import epoch_order


class EpochOrder(Sampler[int]):  # type: ignore[misc]
    """Sampler over `epoch_order`; the Trainer tells it the epoch."""

    def __init__(
        self, ids: Sequence[str], lengths: Sequence[int], seed: int, batch_size: int, group_by_length: bool
    ) -> None:
        self.ids, self.lengths, self.seed = ids, lengths, seed
        self.batch_size, self.group_by_length = batch_size, group_by_length
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, 0 for the first."""
        self.epoch = epoch

    def order(self, epoch: int) -> list[int]:
        """Return the indexes of an epoch."""
        return epoch_order(self.ids, self.lengths, self.seed, epoch, self.batch_size, self.group_by_length)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self.epoch))

    def __len__(self) -> int:
        return len(self.ids)
