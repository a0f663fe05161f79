"""The memory of a process that computes on the CPU."""

import ctypes

# Of mallopt(3), glibc. 32 MiB is the largest threshold that it takes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER, _LARGEST = -1, 32 * 1024**2


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees.

    Tensors are allocated anew at every step. Where their memory goes back to the system each time, page faults take a
    seventh of the time of a small model. Other C libraries than glibc are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _NEVER)
