"""The memory of a process that computes on the CPU."""

import subprocess
import sys

# Prints how many pages come anew where arrays of 8 MiB are made and freed again and again.
PROGRAM = """
import resource, sys
import numpy as np
from onkocode.models.cpu_memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
for _ in range(3):
    np.ones(2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    arrays = [np.ones(2**20) for _ in range(4)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_what_is_freed_is_used_again() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, check=True).stdout)
        for how in ("return", "keep")
    }
    assert faults["keep"] < faults["return"] / 2, faults
