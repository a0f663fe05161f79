"""Whether a node's driver, GPUs, torch and bitsandbytes fit each other, and the recipes. Pure functions.

Sources: NVIDIA, "CUDA Compatibility", minor version compatibility (docs.nvidia.com/deploy/cuda-compatibility), with the
exact versions of table 2 of the CUDA release notes; NVIDIA's compatibility guides for each architecture on kernels and
PTX; the installation guide of bitsandbytes 0.50 on what its parts need.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onkocode.cluster.findings import Finding, ok, warning, wrong
from onkocode.cluster.probe import Seen

Capability = tuple[int, int]
# The oldest driver for Linux with which any CUDA of a major version runs. Torch is published for 11.8, 12.x and 13.x.
OLDEST_DRIVER = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
BF16: Capability = (8, 0)  # Ampere; V100 and T4 have no bf16 units
QUANTISED: dict[str, Capability] = {"8bit": (7, 5), "4bit": (6, 0)}  # LLM.int8() and NF4


@dataclass(frozen=True)
class Need:
    """What the jobs of a recipe compute with."""

    model: str
    stage: str
    precision: str
    quantisation: str


def check_gpus(seen: Seen, asked: int, needs: Sequence[Need]) -> Iterator[Finding]:
    """Yield what there is to say of a node with GPUs.

    Args:
        seen: what the probe saw.
        asked: how many GPUs it had asked for.
        needs: what the recipes whose jobs go there compute with.
    """
    yield from check_driver(seen)
    if seen.devices:
        yield from check_count(seen, asked)
    if not seen.torch:
        yield wrong(f"torch: cannot be imported on node {seen.node} ({seen.torch_error})", "install the project anew")
        return
    if seen.hip:
        yield ok(f"torch {seen.torch}: for AMD's GPUs, whose driver is not checked")
        return
    if not seen.cuda:
        advice = "install torch from PyPI, or from PyTorch's index for the driver's CUDA"
        yield wrong(f"torch {seen.torch}: has no CUDA, so that node {seen.node} would train on its processor", advice)
        return
    if not seen.devices:
        return
    yield check_cuda(seen)
    for name, capability in dict(zip(seen.names, seen.capabilities, strict=False)).items() or _by_driver(seen):
        yield check_kernels(name, capability, seen)
        yield from check_needs(name, capability, needs)
    yield from check_bitsandbytes(seen, needs)


def _by_driver(seen: Seen) -> list[tuple[str, Capability]]:
    return list({device.name: device.capability for device in seen.devices}.items())


def check_driver(seen: Seen) -> Iterator[Finding]:
    """Yield which GPUs the driver tells, or that there is none."""
    if not seen.devices:
        advice = "training would run on the processor; ask the site, or name GPU nodes only in `partitions`"
        if seen.hip and seen.available:
            yield ok(f"node {seen.node}: {', '.join(sorted(set(seen.names)))}")
        else:
            yield wrong(f"no GPU driver on node {seen.node} ({seen.driver_error})", advice)
        return
    kinds = sorted({device.name for device in seen.devices})
    if len(kinds) > 1:
        what = f"node {seen.node}: has GPUs of several kinds ({', '.join(kinds)})"
        yield warning(what, "name one by resources.gpu_model of the recipes, else a job gets any of them")
    else:
        cuda = f", CUDA up to {seen.driver_cuda}" if seen.driver_cuda else ""
        yield ok(f"node {seen.node}: {kinds[0]}, driver {seen.devices[0].driver}{cuda}")


def check_count(seen: Seen, asked: int) -> Iterator[Finding]:
    """Yield whether a job sees as many GPUs as it asked for."""
    if seen.visible is None:
        what = f"node {seen.node}: CUDA_VISIBLE_DEVICES is not set, {len(seen.devices)} GPUs are seen"
        if len(seen.devices) > asked:
            yield warning(what, "jobs on the same node may take each other's GPUs; ask the site")
        return
    given = [word for word in seen.visible.split(",") if word.strip()]
    if len(given) != asked:
        what = f"node {seen.node}: {asked} GPUs were asked for, {len(given)} were given ({seen.visible or 'none'})"
        yield wrong(what, "correct `gpu_request` in config/site.yaml, or ask the site")


def check_cuda(seen: Seen) -> Finding:
    """Return whether the driver is new enough for the CUDA that torch was built with.

    Within a major version any driver from the oldest one on will do (minor version compatibility); a driver of a later
    major version runs what was built for earlier ones.
    """
    driver, said = seen.devices[0].driver, f"torch {seen.torch} with CUDA {seen.cuda}"
    oldest = OLDEST_DRIVER.get(int(seen.cuda.split(".")[0]))
    if seen.available and not seen.torch_error:  # also where the site has NVIDIA's forward compatibility
        return ok(f"{said}: computes on node {seen.node}")
    if oldest is not None and _version(driver) < _version(oldest):
        advice = f"install a torch for {_newest(driver)} from PyTorch's index, or ask the site for a newer driver"
        return wrong(f"{said}: needs driver {oldest} or later, node {seen.node} has {driver}", advice)
    reason = f" ({seen.torch_error})" if seen.torch_error else ""
    return wrong(f"{said}: cannot compute on the GPU of node {seen.node}{reason}", "ask the site, or try another node")


def _newest(driver: str) -> str:
    fitting = [major for major, oldest in OLDEST_DRIVER.items() if _version(driver) >= _version(oldest)]
    return f"CUDA {max(fitting)}" if fitting else "an older CUDA"


def check_kernels(name: str, capability: Capability, seen: Seen) -> Finding:
    """Return whether torch brings kernels for a GPU.

    Kernels for sm_XY run on GPUs of the same major capability from that minor one on; what stands as compute_XY (PTX)
    is compiled for any later GPU, by a driver that knows the CUDA it was written with.
    """
    shown = f"{name} (capability {capability[0]}.{capability[1]})"
    built = [found for entry in seen.architectures if (found := _architecture(entry)) is not None]
    if not built:
        return ok(f"{shown}: torch does not say which GPUs it was built for")
    kernels = [item for kind, item, exact in built if kind == "sm" and _runs(item, capability, exact)]
    texts = [item for kind, item, exact in built if kind == "compute" and not exact and item <= capability]
    too_old = seen.driver_cuda and _version(seen.driver_cuda) < _version(seen.cuda)
    if kernels:
        return ok(f"{shown}: torch has kernels for it")
    if texts and not too_old:
        return warning(
            f"{shown}: torch has no kernels for it, the driver compiles them", "the first steps take minutes"
        )
    newer = all(item < capability for _, item, _ in built)
    advice = (
        "install a newer torch" if newer else "install an older torch, or ask for another GPU (resources.gpu_model)"
    )
    return wrong(f"{shown}: torch {seen.torch} has no kernels for it ({', '.join(seen.architectures)})", advice)


def _runs(built: Capability, capability: Capability, exact: bool) -> bool:
    return built == capability if exact else built[0] == capability[0] and built[1] <= capability[1]


def _architecture(entry: str) -> tuple[str, Capability, bool] | None:
    """Return kind, capability, and whether it runs on no other: sm_90a."""
    found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", entry)
    return None if found is None else (found[1], (int(found[2]), int(found[3])), found[4] == "a")


def check_needs(name: str, capability: Capability, needs: Sequence[Need]) -> Iterator[Finding]:
    """Yield what recipes compute with that a GPU cannot."""
    shown = f"{name} (capability {capability[0]}.{capability[1]})"
    emulated = [need for need in needs if need.precision == "bf16" and capability < BF16]
    if emulated:
        advice = "set precision: fp32, which needs twice the memory, or ask for another GPU (resources.gpu_model)"
        yield wrong(f"{shown}: computes no bf16, which {_names(emulated)} asks for", advice)
    for kind, least in QUANTISED.items():
        lacking = [need for need in needs if need.quantisation == kind and capability < least]
        if lacking:
            what = (
                f"{shown}: too old for quantisation {kind} ({least[0]}.{least[1]} or later), set for {_names(lacking)}"
            )
            yield wrong(what, "change quantisation, or ask for another GPU (resources.gpu_model)")


def check_bitsandbytes(seen: Seen, needs: Sequence[Need]) -> Iterator[Finding]:
    """Yield whether bitsandbytes works, where a recipe is quantised."""
    quantised = [need for need in needs if need.quantisation != "none"]
    if not quantised:
        return
    said = f"bitsandbytes {seen.bitsandbytes}" if seen.bitsandbytes else "bitsandbytes"
    if seen.native:
        yield ok(f"{said}: its library loads on node {seen.node}")
        return
    advice = f"install a version for CUDA {seen.cuda}; {_names(quantised)} is quantised"
    yield wrong(f"{said}: does not work on node {seen.node} ({seen.bitsandbytes_error})", advice)


def _names(needs: Sequence[Need]) -> str:
    names = [f"{need.stage} of {need.model}" for need in needs]
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
