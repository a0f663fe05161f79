"""Runs of one's own: what finished epochs took, and what the formulas say of them."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from onkocode.config.training import Training
from onkocode.models.gpus import find_gpu
from onkocode.planning.calibration import Check, Speed, geometric_mean, leave_one_out
from onkocode.planning.plan import Plan, Subject, epoch_flop, make_plan
from onkocode.records.provenance import read_provenance

CPU = "CPU"


@dataclass(frozen=True)
class PastRun:
    """A finished epoch. `trainable` is what was recorded, memory the peak of the process (CPU) or of all GPUs."""

    model: str
    epoch: int
    settings: Training
    device: str
    questions: int
    trainable: int
    tokens: int
    seconds: float
    memory: float

    @property
    def name(self) -> str:
        """Model and epoch."""
        return f"{self.model}, epoch {self.epoch}"


@dataclass(frozen=True)
class RunAndPlan:
    """A run beside the plan of the same recipe; `time` is None where no other model ran on the device."""

    run: PastRun
    plan: Plan
    time: Check | None
    memory: Check


def read_runs(results: Path, models: Sequence[str]) -> list[PastRun]:
    """Return the finished epochs of these models below a directory of results; incomplete records are passed over."""
    found: list[PastRun] = []
    for model in models:
        runs = [_read_run(model, folder) for folder in (results / "training" / model).glob("epoch-*")]
        found += sorted((run for run in runs if run is not None), key=lambda run: run.epoch)
    return found


def _read_run(model: str, folder: Path) -> PastRun | None:
    record = read_provenance(folder / "adapter")
    log = folder / "metrics.jsonl"
    if not record or not log.is_file():
        return None
    try:
        last: dict[str, Any] = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
        return PastRun(
            model=model,
            epoch=int(folder.name.removeprefix("epoch-")),
            settings=Training.model_validate(record["settings"]),
            device=_device(record),
            questions=int(record["questions"]),
            trainable=int(record["trainable_parameters"]),
            tokens=int(last["tokens"]),
            seconds=float(last["seconds"]),
            memory=float(last["peak_memory_mb"]) * 2**20,
        )
    except (IndexError, KeyError, TypeError, ValueError, ValidationError):  # of another version
        return None


def _device(record: Mapping[str, Any]) -> str:
    """Return the GPU as our table names it, torch's name where it is not in there, or CPU."""
    if record["device"] == "cpu":
        return CPU
    names = record["hardware"].get("gpus") or ["unknown GPU"]
    gpu = find_gpu(names[0])
    return str(names[0]) if gpu is None else gpu.name


def rates_by_device(runs: Sequence[PastRun], subjects: Mapping[str, Subject]) -> dict[str, dict[str, float]]:
    """Return FLOP/s by device and model, the geometric mean over its epochs."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        flop = epoch_flop(subjects[run.model], run.settings, run.trainable)
        if flop is not None and run.seconds > 0:
            each = flop * run.questions / (subjects[run.model].questions or run.questions)
            found[run.device][run.model].append(each / run.seconds / run.settings.processes)
    return {device: {m: geometric_mean(rates) for m, rates in by.items()} for device, by in found.items()}


def measured_speed(device: str, rates: Mapping[str, Mapping[str, float]]) -> Speed | None:
    """Return the speed that one's own runs reached on a device; None without any."""
    by_model = rates.get(device)
    if not by_model:
        return None
    without = leave_one_out(by_model)
    ratios = tuple(by_model[model] / without[model] for model in without)
    return Speed(geometric_mean(by_model.values()), ratios, f"measured here on {device}, by {', '.join(by_model)}")


def compare_with_plans(runs: Sequence[PastRun], subjects: Mapping[str, Subject]) -> list[RunAndPlan]:
    """Set each run beside what the formulas say: its time with the rate of the other models on the same device."""
    rates = rates_by_device(runs, subjects)
    compared = []
    for run in runs:
        plan = make_plan(run.model, subjects[run.model], run.settings)
        without = leave_one_out(rates.get(run.device, {})).get(run.model)
        time = None
        if without is not None and plan.flop_per_epoch is not None:
            time = Check(run.name, plan.flop_per_epoch / without / run.settings.processes, run.seconds)
        # Neither what torch counts nor a plan without a GPU has CUDA's context in it.
        compared.append(RunAndPlan(run, plan, time, Check(run.name, plan.memory.total, run.memory)))
    return compared
