"""Main memory of training and evaluation jobs as processes, on the CPU, and the formula that follows.

    python benchmarks/memory_of_jobs.py [--sizes 10 135 400] [--questions 1000 100000 500000]

Builds models of random weights with so many million parameters, stored in bf16 like published ones, and starts
train-epoch and evaluate-checkpoint on each, in the ways they are loaded (fp32 or bf16; bf16, as int8 and as nf4). The
smallest is trained and asked with growing tables of questions, too. A training job is asked to stop after a few steps,
since its peak has passed by then. Prints for each job the largest memory of its own (anonymous pages, read every 20 ms)
and the largest resident set, which holds mapped files; then base, bytes per byte of weights and bytes per question by
least squares, with what is left over. Ten minutes on one core.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from transformers.utils import logging as hf_logging

from onkocode.config.schema import TinyModel
from onkocode.models.locate import WEIGHTS
from onkocode.models.tiny import build_model, build_tokenizer, save
from onkocode.records.schemas import columns_of, write_table

# Width and layers of Llamas with so many million parameters.
SHAPES = {10: (384, 6), 50: (640, 9), 135: (896, 13), 400: (1280, 19)}
WAYS = (("fp32", "none"), ("bf16", "none"), ("bf16", "8bit"), ("bf16", "4bit"))
FEW = 1000
QUESTION = "Wie lautet der ICD-10-Code für die Diagnose „Bösartige Neubildung der Brustdrüse, Nummer {}“?"
STEPS, INTERVAL = 3, 0.02
MB = 1e6


@dataclass(frozen=True)
class Job:
    """A job and what it took, in bytes."""

    verb: str
    millions: int
    precision: str
    quantisation: str
    weights: float  # bytes of the stored weights
    questions: int
    own: float = 0.0
    resident: float = 0.0
    seconds: float = 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", choices=sorted(SHAPES), default=[10, 135, 400])
    parser.add_argument("--questions", type=int, nargs="+", default=[FEW, 100_000, 500_000])
    options = parser.parse_args()
    hf_logging.disable_progress_bar()
    print("verb      million  loaded as   questions   own MB  resident MB  seconds")
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for job in planned(Path(folder), options.sizes, options.questions):
            measured.append(done := measure(Path(folder), job))
            way = done.precision if done.quantisation == "none" else done.quantisation
            sizes = f"{done.own / MB:8,.0f} {done.resident / MB:12,.0f} {done.seconds:8.0f}"
            print(f"{done.verb:9} {done.millions:7} {way:>10} {done.questions:11,} {sizes}", flush=True)
    for verb in ("train", "evaluate"):
        print_fit(verb, [job for job in measured if job.verb == verb])


def planned(folder: Path, sizes: list[int], counts: list[int]) -> Iterator[Job]:
    """Yield the jobs, each when its base and questions are there."""
    for count in sorted({FEW, *counts}):
        write_questions(folder, count)
    for millions in sizes:
        weights = float(build(folder, millions))
        for verb in ("train", "evaluate"):
            for precision, quantisation in WAYS:
                yield Job(verb, millions, precision, quantisation, weights, FEW)
    weights = float((base_of(folder, min(sizes)) / WEIGHTS).stat().st_size)
    for verb in ("train", "evaluate"):
        for count in counts:
            if count != FEW:
                yield Job(verb, min(sizes), "fp32", "none", weights, count)


def base_of(folder: Path, millions: int) -> Path:
    """Return the directory of a base."""
    return folder / f"base-{millions}"


def build(folder: Path, millions: int) -> int:
    """Write a base of random weights in bf16 and its record; returns the bytes of its weights."""
    import torch

    width, layers = SHAPES[millions]
    shape = {"architecture": "llama", "data": "none", "hidden_size": width, "layers": layers, "heads": width // 64}
    tokenizer = build_tokenizer("llama", [QUESTION.format(number) for number in range(FEW)])
    path = base_of(folder, millions)
    save(build_model(TinyModel.model_validate(shape), tokenizer).to(torch.bfloat16), tokenizer, path)
    record = {"path": str(path), "hub": None, "revision": None}
    path.with_suffix(".json").write_text(json.dumps(record), encoding="utf-8")
    return (path / WEIGHTS).stat().st_size


def write_questions(folder: Path, count: int) -> None:
    """Write a table of questions, all of them of the split train."""
    number = pl.int_range(count, eager=True).alias("number").to_frame().select(pl.col("number").cast(pl.String))
    fixed = {"block": "icd10", "formulation_id": "icd10-01", "task": "icd10", "answer": "C50.9", "code": "C50.9"}
    ids = ("question_id", "entry_id", "cluster", "origin_id")
    table = number.select(
        *(pl.format("catalogue:E{}", "number").alias(name) for name in ids),
        *(pl.lit(value).alias(name) for name, value in fixed.items()),
        question=pl.format(QUESTION, "number"),
        text="number",
        split=pl.lit("train"),
        accepted=pl.lit([], dtype=pl.List(pl.String)),
    )
    schema = columns_of("questions")
    missing = [pl.lit(None).alias(name) for name in schema if name not in table.columns]
    table = table.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in schema.items())
    write_table(table, "questions", folder / f"questions-{count}.parquet")


def command(folder: Path, run: Path, job: Job) -> list[str]:
    """Return the arguments of the verb."""
    questions = folder / f"questions-{job.questions}.parquet"
    loaded = {"precision": job.precision, "quantisation": job.quantisation}
    common = ["--model", "measured", "--base", str(base_of(folder, job.millions).with_suffix(".json"))]
    common += ["--scratch", str(run / "scratch")]
    if job.verb == "train":
        settings = json.dumps(loaded | {"epochs": 1, "batch_size": 2, "log_steps": 1})
        common += ["--epoch", "1", "--questions", str(questions), "--settings", settings]
        return ["train-epoch", *common, "--output", str(run / "epoch-1")]
    testing = loaded | {"batch_size": 8, "max_new_tokens": 4}
    settings = json.dumps({"testing": testing, "evaluation": {"entries": 16, "splits": ["train"]}})
    common += ["--epoch", "0", "--condition", "free", "--questions", f"catalogue={questions}", "--settings", settings]
    common += ["--answers", str(run / "answers")]
    return ["evaluate-checkpoint", *common, "--output", f"catalogue={run / 'predictions.parquet'}"]


def measure(folder: Path, job: Job) -> Job:
    """Run a job and return it with its memory."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        run, began, asked, own, resident = Path(name), time.monotonic(), False, 0.0, 0.0
        arguments = [sys.executable, "-m", "onkocode.cli", *command(folder, run, job)]
        with (run / "log").open("wb") as log:
            process = subprocess.Popen(arguments, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})
        while process.poll() is None:
            now = memory_of(process.pid)
            own, resident = max(own, now[0]), max(resident, now[1])
            if job.verb == "train" and not asked and steps_done(run) >= STEPS:
                process.send_signal(signal.SIGTERM)
                asked = True
            time.sleep(INTERVAL)
        if process.returncode not in (0, 75):
            raise SystemExit((run / "log").read_text(encoding="utf-8", errors="replace")[-3000:])
    took = time.monotonic() - began
    return Job(**{**vars(job), "own": own, "resident": resident, "seconds": took})


def memory_of(process: int) -> tuple[float, float]:
    """Return the bytes of a process that no file stands behind, and its largest resident set; zeros after its end."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0, 0.0
    found = {line.split()[0]: line.split()[1] for line in lines if line.startswith(("RssAnon:", "VmHWM:"))}
    own, resident = (1024.0 * int(found.get(name, 0)) for name in ("RssAnon:", "VmHWM:"))
    return own, resident


def steps_done(run: Path) -> int:
    """Return the steps that a training job has logged."""
    log = run / "scratch" / "metrics.jsonl"
    return len(log.read_text(encoding="utf-8").splitlines()) if log.is_file() else 0


def print_fit(verb: str, jobs: list[Job]) -> None:
    """Fit and print, for each kind of memory: base + factor of the way of loading · weights + factor · questions."""
    rows = []
    for job in jobs:
        weights = [job.weights * ((job.precision, job.quantisation) == way) for way in WAYS]
        rows.append([1.0, *weights, float(job.questions)])
    for kind in ("own", "resident"):
        target = np.array([getattr(job, kind) for job in jobs])
        found, *_ = np.linalg.lstsq(np.array(rows), target, rcond=None)
        left = target - np.array(rows) @ found
        factors = [
            f"{value:.2f} as {precision if quantisation == 'none' else quantisation}"
            for (precision, quantisation), value in zip(WAYS, found[1:-1], strict=True)
        ]
        print(f"{verb}, {kind}: {found[0] / MB:,.0f} MB, bytes per stored byte of weights: {', '.join(factors)};")
        print(f"  {found[-1]:,.0f} bytes per question; left over: {left.min() / MB:,.0f} to {left.max() / MB:,.0f} MB")


if __name__ == "__main__":
    main()
