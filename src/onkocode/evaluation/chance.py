"""Random draws that are the same on every machine and with every version of numpy.

The raw 64-bit stream of PCG64 is guaranteed not to change, unlike the methods of its generators; the bias of a modulo
is below 2^-40 for any realistic number of clusters.
"""

import numpy as np

from onkocode.records.ids import digest


def stream_of(*parts: object) -> np.random.PCG64:
    """Return the stream of bits that belongs to a purpose."""
    return np.random.PCG64(int(digest(*parts)[:16], 16))


def with_replacement(stream: np.random.PCG64, number: int) -> np.ndarray:
    """Draw as many places in 0…number − 1 as there are, each as often as it comes."""
    return np.asarray((stream.random_raw(number) % np.uint64(number)).astype(np.int64))
