"""What a node is like: the job that `onkocode cluster check` sends to each partition.

`python -m onkocode.cluster.probe REQUEST` reads what is asked, and writes what it sees beside it. Only the standard
library is imported at first, and everything else in a way that its failure is a result too. Whether a network can be
reached is not tried.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULT = ".result.json"
QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader")


@dataclass(frozen=True)
class Request:
    """What is asked: the token that stands in the files to look for, the folders to look at by name, and about GPUs."""

    token: str
    folders: dict[str, str]
    gpus: bool = False


@dataclass(frozen=True)
class Device:
    """A GPU as the driver tells it; capability is that of CUDA, such as (8, 6)."""

    name: str
    driver: str
    capability: tuple[int, int]


@dataclass
class Seen:
    """What was seen on the node.

    Attributes:
        node: SLURM's name of it.
        python: version of Python.
        tokens: whether the token was read, by folder; else the folder is another one than where the job was submitted.
        writable: whether a file could be written, by folder.
        free: bytes that are free, by folder.
        onkocode: why the package cannot be imported; empty = it can.
        devices: GPUs by nvidia-smi.
        driver_error: why nvidia-smi told none; empty = it did.
        driver_cuda: the newest version of CUDA that the driver supports; empty = not told.
        visible: CUDA_VISIBLE_DEVICES; None = not set.
        torch: version; empty = it cannot be imported, and `torch_error` says why.
        cuda: version of CUDA that torch was built with; empty = none.
        hip: torch is that for AMD's GPUs.
        available: torch can compute on GPUs, else `torch_error` says why not.
        names: GPUs by torch.
        capabilities: theirs.
        architectures: for which torch brings kernels, such as sm_80 and compute_90.
        bitsandbytes: version; empty = it cannot be imported, and `bitsandbytes_error` says why.
        native: its library for this device was loaded, else `bitsandbytes_error` says why not.
    """

    node: str = ""
    python: str = ""
    tokens: dict[str, bool] = field(default_factory=dict)
    writable: dict[str, bool] = field(default_factory=dict)
    free: dict[str, float] = field(default_factory=dict)
    onkocode: str = ""
    devices: list[Device] = field(default_factory=list)
    driver_error: str = ""
    driver_cuda: str = ""
    visible: str | None = None
    torch: str = ""
    torch_error: str = ""
    cuda: str = ""
    hip: bool = False
    available: bool = False
    names: list[str] = field(default_factory=list)
    capabilities: list[tuple[int, int]] = field(default_factory=list)
    architectures: list[str] = field(default_factory=list)
    bitsandbytes: str = ""
    bitsandbytes_error: str = ""
    native: bool = False


def token_file(folder: Path, token: str) -> Path:
    """Return the file that shows whether a node sees the same folder."""
    return folder / f".onkocode-check-{token}"


def look(request: Request) -> Seen:
    """Look at the node; what cannot be seen is told, and stops nothing."""
    seen = Seen(node=os.environ.get("SLURMD_NODENAME", socket.gethostname()))
    seen.python, seen.visible = sys.version.split()[0], os.environ.get("CUDA_VISIBLE_DEVICES")
    for name, folder in request.folders.items():
        _look_at_folder(seen, name, Path(folder), request.token)
    try:
        __import__("onkocode.cli")
    except Exception as error:
        seen.onkocode = _said(error)
    if request.gpus:
        seen.devices, seen.driver_error = ask_driver()
        seen.driver_cuda = ask_driver_cuda() if seen.devices else ""
        _look_at_torch(seen)
        _look_at_bitsandbytes(seen)
    return seen


def _look_at_folder(seen: Seen, name: str, folder: Path, token: str) -> None:
    seen.tokens[name] = seen.writable[name] = False
    with suppress(OSError):
        seen.tokens[name] = token_file(folder, token).read_text(encoding="utf-8") == token
        seen.free[name] = float(shutil.disk_usage(folder).free)
        own = folder / f".onkocode-check-{token}.{os.getpid()}"
        own.write_text(token, encoding="utf-8")
        own.unlink()
        seen.writable[name] = True


def ask_driver() -> tuple[list[Device], str]:
    """Return the GPUs that nvidia-smi tells, or why it tells none."""
    try:
        done = subprocess.run(QUERY, capture_output=True, encoding="utf-8", errors="replace", timeout=120, check=False)  # noqa: S603
    except OSError:
        return [], "nvidia-smi is not there"
    except subprocess.TimeoutExpired:
        return [], "nvidia-smi does not answer"
    devices = devices_of(done.stdout) if done.returncode == 0 else []
    lines = (done.stdout + done.stderr).strip().splitlines()
    return devices, "" if devices else f"nvidia-smi: {lines[0] if lines else 'no GPUs'}"


def ask_driver_cuda() -> str:
    """Return the newest CUDA that the driver supports, which stands in the head of nvidia-smi's table."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603
            QUERY[:1], capture_output=True, encoding="utf-8", errors="replace", timeout=120, check=False
        )
        found = re.search(r"CUDA(?: UMD)? Version:\s*([\d.]+)", done.stdout)
        return found[1] if found else ""
    return ""


def devices_of(text: str) -> list[Device]:
    """Return the GPUs of nvidia-smi's lines, such as `NVIDIA A40, 550.54.15, 8.6`."""
    rows = [re.fullmatch(r"(.+), ([\d.]+), (\d+)\.(\d+)", line.strip()) for line in text.splitlines()]
    return [Device(row[1], row[2], (int(row[3]), int(row[4]))) for row in rows if row is not None]


def _look_at_torch(seen: Seen) -> None:
    try:
        import torch

        seen.torch, seen.cuda, seen.hip = str(torch.__version__), torch.version.cuda or "", bool(torch.version.hip)
        seen.architectures = list(torch.cuda.get_arch_list())
        seen.available = torch.cuda.is_available()
        numbers = range(torch.cuda.device_count() if seen.available else 0)
        seen.names = [torch.cuda.get_device_name(number) for number in numbers]
        seen.capabilities = [torch.cuda.get_device_capability(number) for number in numbers]
        if numbers:  # a kernel is launched, which a driver that does not fit refuses
            torch.ones(2, device="cuda").sum().item()
        elif seen.cuda:
            torch.cuda.init()  # says why there is none
    except Exception as error:
        seen.torch_error = _said(error)


def _look_at_bitsandbytes(seen: Seen) -> None:
    try:
        import bitsandbytes
        from bitsandbytes.cextension import lib

        seen.bitsandbytes = str(bitsandbytes.__version__)
        # In place of a library that does not load there is one of which every function raises.
        seen.native = "Error" not in type(lib).__name__
        seen.bitsandbytes_error = "" if seen.native else str(getattr(lib, "error_msg", "its library does not load"))
    except Exception as error:
        seen.bitsandbytes_error = _said(error)


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def result_file(request: Path) -> Path:
    """Return where the answer to a request is written."""
    return request.with_name(request.stem + RESULT)


def read_seen(file: Path) -> Seen | None:
    """Return what was seen; None where that is not there, or not whole."""
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        devices = [Device(item["name"], item["driver"], tuple(item["capability"])) for item in found.pop("devices")]
        capabilities = [(int(pair[0]), int(pair[1])) for pair in found.pop("capabilities")]
        return Seen(**found, devices=devices, capabilities=capabilities)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def main(request: Path) -> None:
    """Answer a request."""
    seen = look(Request(**json.loads(request.read_text(encoding="utf-8"))))
    file = result_file(request)
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_text(json.dumps(asdict(seen), indent=1), encoding="utf-8")
    temporary.replace(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
