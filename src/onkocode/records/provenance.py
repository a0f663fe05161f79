"""Where a result comes from: written beside it, before it."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.records.ids import canonical_json, digest, hash_file

PACKAGES = (
    "onkocode",
    "torch",
    "transformers",
    "trl",
    "peft",
    "bitsandbytes",
    "accelerate",
    "polars",
    "scikit-learn",
    "rapidfuzz",
    "snakemake",
    "matplotlib",
    "wandb",
)


class Provenance:
    """Collects what a verb read and how it ran; `beside` writes it next to the result.

    Args:
        verb: the command's name.
        settings: the part of the configuration that the verb used.
        inputs: files that were read, by role; each is hashed, a directory by its own provenance file if there is one.
        seed: the seed in force, if any choice was random.
    """

    def __init__(
        self, verb: str, settings: Mapping[str, Any], inputs: Mapping[str, Path], seed: int | None = None
    ) -> None:
        self.started = time.time()
        self.record: dict[str, Any] = {
            "verb": verb,
            "settings": dict(settings),
            "settings_sha256": digest(canonical_json(settings)),
            "inputs": {role: _describe(path) for role, path in inputs.items()},
            "seed": seed,
            "versions": _versions(),
            "git_commit": _git_commit(),
            "hardware": _hardware(),
        }

    def add(self, **facts: Any) -> None:
        """Add facts that only the run could know, such as hashes of what it built."""
        self.record.update(facts)

    def write(self, *results: Path) -> None:
        """Write ``<result>.provenance.json`` for each result, or ``provenance.json`` inside it for a directory."""
        record = self.record | {
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds"),
            "seconds": round(time.time() - self.started, 3),
        }
        text = json.dumps(record, indent=1, ensure_ascii=False, default=str) + "\n"
        for result in results:
            write_text(provenance_path(result), text)


def provenance_path(result: Path) -> Path:
    """Return the path of a result's provenance file."""
    return result / "provenance.json" if result.is_dir() else result.with_name(result.name + ".provenance.json")


def read_provenance(result: Path) -> dict[str, Any]:
    """Return the provenance record that stands beside a result; empty when there is none."""
    path = provenance_path(result)
    if not path.is_file():
        return {}
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def refuse_other_directory(path: Path, verb: str) -> None:
    """Raise InputError where a directory that is to be replaced holds anything but an earlier result of the verb."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    try:
        earlier = path.is_dir() and read_provenance(path).get("verb") == verb
    except (OSError, ValueError, AttributeError):
        earlier = False
    if not earlier:
        raise InputError(f"{path}: is there already and is no earlier export; name a new directory")


def _describe(path: Path) -> dict[str, Any]:
    if path.is_file():
        return {"path": str(path), "sha256": hash_file(path)}
    files: Sequence[Path] = sorted(file for file in path.rglob("*.safetensors") if file.is_file())
    return {"path": str(path), "safetensors": {file.name: hash_file(file) for file in files}}


def _versions() -> dict[str, str]:
    import importlib.metadata  # with all that reads e-mail

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def _git_commit() -> str | None:
    root = Path(__file__).resolve().parents[3]
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=10)  # noqa: S603
        return done.stdout.decode(errors="replace").strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _hardware() -> dict[str, Any]:
    facts: dict[str, Any] = {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }

    torch = sys.modules.get("torch")  # only a verb that loaded torch anyway can have used a GPU
    if torch is not None and torch.cuda.is_available():
        facts["gpus"] = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return facts


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()
