"""GPUs: memory and peak speed."""

import re
from dataclasses import dataclass

from onkocode.records.errors import InputError

VENDOR = "vendor data sheet"
MIB = 2**20
SLICE = r"\b\d+g \d+gb\b"  # the profile of a MIG slice: compute and memory, with single spaces for other signs


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes:
        name: short name.
        pattern: what the name that torch or SLURM gives holds, case-folded and with single spaces for other signs.
        memory_mib: memory that the driver shows, with error correction where that is the default; the data sheet's
            figure in GB is larger for most.
        bf16: peak of dense bf16 matrix products with float32 sums, in 10^12 FLOP/s; None = the GPU has no bf16 units.
        fp32: peak of float32 without tensor cores, in 10^12 FLOP/s.
        source: where the peaks are from.
    """

    name: str
    pattern: str
    memory_mib: int
    bf16: float | None
    fp32: float
    source: str = VENDOR

    @property
    def memory(self) -> int:
        """Memory in bytes."""
        return self.memory_mib * MIB

    def peak(self, precision: str) -> float | None:
        """Return the peak in FLOP/s; precision is bf16 or fp32."""
        value = self.bf16 if precision == "bf16" else self.fp32
        return None if value is None else value * 1e12


# The first pattern that fits counts, so longer names stand before their beginnings. Peaks with sparsity, which some
# data sheets print alone, are halved.
GPUS = (
    Gpu("B200", r"b200", 183_359, 2250.0, 75.0),
    Gpu("H200 NVL", r"h200 nvl", 143_771, 835.5, 60.0),
    Gpu("H200", r"h200", 143_771, 989.5, 67.0),
    Gpu("H100 NVL", r"h100 nvl", 95_830, 835.5, 60.0),
    Gpu("H100-80 PCIe", r"h100( 80)? pcie", 81_559, 756.0, 51.0),
    Gpu("H100-80", r"h100", 81_559, 989.5, 67.0),
    Gpu("A100-80", r"a100( \w+)* 80( ?gb?)?", 81_920, 312.0, 19.5),
    Gpu("A100-40", r"a100", 40_960, 312.0, 19.5),
    Gpu("L40S", r"l40s", 46_068, 362.0, 91.6),
    Gpu("L40", r"l40", 46_068, 181.0, 90.5),
    Gpu("L4", r"l4", 23_034, 121.0, 30.3),
    Gpu("A40", r"a40", 46_068, 149.7, 37.4),
    Gpu("A30", r"a30", 24_576, 165.0, 10.3),
    Gpu("A10", r"a10", 23_028, 125.0, 31.2),
    Gpu("RTX 6000 Ada", r"(rtx ?)?6000 ada", 49_140, 364.2, 91.1),
    Gpu("RTX A6000", r"(rtx ?)?a6000", 49_140, 154.8, 38.7),
    Gpu("RTX 4090", r"(rtx ?)?4090", 24_564, 165.2, 82.6, "vendor white paper"),
    Gpu("RTX 3090", r"(rtx ?)?3090", 24_576, 71.0, 35.6, "vendor white paper"),
    Gpu("V100-32", r"v100( \w+)* 32( ?gb?)?", 32_768, None, 15.7),
    Gpu("V100-16", r"v100", 16_384, None, 15.7),
    Gpu("T4", r"t4", 15_360, None, 8.1),
)


def is_slice(name: str) -> bool:
    """Tell whether a name is that of a slice of a GPU (MIG), such as "nvidia_a100_1g.10gb"."""
    return re.search(SLICE, _words(name)) is not None


def find_gpu(name: str) -> Gpu | None:
    """Return the GPU that a name means, None when it is not in the table, or only a slice of a GPU.

    Args:
        name: as torch gives it ("NVIDIA A100-SXM4-80GB"), as SLURM ("a100_80gb"), or as in the table ("A100-80").
    """
    if is_slice(name):
        return None
    words = _words(name)
    for gpu in GPUS:
        if re.search(rf"\b{gpu.pattern}\b", words):
            return gpu
    return None


def _words(name: str) -> str:
    return " ".join(re.split(r"[^a-z0-9]+", name.casefold())).strip()


def named_gpu(name: str) -> Gpu:
    """Return the GPU that a person named; raises InputError when it is not in the table, or a slice of a GPU."""
    gpu = find_gpu(name)
    if gpu is None and is_slice(name):
        raise InputError(f"GPU {name!r} is a MIG slice, of which nothing is known; name a whole GPU")
    if gpu is None:
        raise InputError(f"GPU {name!r} is not in the table (known: {known_gpus()})")
    return gpu


def known_gpus() -> str:
    """Return the names of the table, for a message."""
    return ", ".join(gpu.name for gpu in GPUS)


def peak_flops(gpu_name: str, precision: str = "bf16") -> float | None:
    """Return the peak speed in FLOP/s by torch's device name; None for an unknown GPU, or one without bf16 units."""
    gpu = find_gpu(gpu_name)
    return None if gpu is None else gpu.peak(precision)
