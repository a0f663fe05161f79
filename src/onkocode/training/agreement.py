"""Processes that train together agree on when to save and when to leave."""

import torch
from torch import distributed


def in_parallel() -> bool:
    """Tell whether this process is one of several that train together."""
    several: bool = distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
    return several


def agree(wish: bool) -> bool:
    """Return whether any of the processes that train together wishes so; the same answer in all of them."""
    if not in_parallel():
        return wish
    value = torch.tensor(int(wish))
    if distributed.get_backend() == "nccl":
        value = value.cuda()
    distributed.all_reduce(value, op=distributed.ReduceOp.MAX)
    agreed: bool = value.item() > 0
    return agreed
