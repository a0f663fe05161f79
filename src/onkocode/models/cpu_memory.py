"""The memory of a process that computes on the CPU."""

import ctypes

# Of mallopt(3), which names 32 MiB as the largest threshold.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER, _LARGEST = -1, 32 * 1024**2


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees.

    Tensors are allocated anew at every step. Where their memory goes back to the system each time, page faults take up
    to a fifth of the time of a small model. Other C libraries than glibc are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _NEVER)
