"""Verb of the stage training."""

import shutil
from argparse import Namespace
from pathlib import Path

from onkocode.commands.common import read_model, validated
from onkocode.config.schema import Tracking
from onkocode.config.training import Training
from onkocode.records.endings import recorded
from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.records.provenance import Provenance
from onkocode.records.schemas import read_table


def train_epoch(options: Namespace) -> None:
    """Train one epoch."""
    settings = validated(Training, options.settings)
    tracking = validated(Tracking, options.tracking)
    if not 1 <= options.epoch <= settings.epochs:
        raise InputError(f"--epoch {options.epoch} is outside 1…{settings.epochs} (training.epochs)")
    if (options.epoch > 1) != (options.previous is not None):
        raise InputError("--previous names the directory of the epoch before; needed from epoch 2 on, and only there")
    model = read_model(options.base)

    from onkocode.export.card import CheckpointFacts, adapter_card, training_facts
    from onkocode.tracking import TrackedRun
    from onkocode.training import epoch, processes

    job = epoch.EpochJob(Path(model["path"]), options.epoch, options.previous, options.scratch, options.output)
    if processes.is_worker():
        off = TrackedRun(validated(Tracking, {}), options.model, "train", options.epoch, {}, options.scratch.parent)
        processes.work(job, read_table(options.questions, "questions"), off)
        return
    inputs = {"base": options.base, "questions": options.questions}
    if options.previous is not None:
        inputs["previous"] = options.previous / "adapter"
    record = Provenance("train-epoch", settings.model_dump(), inputs, settings.seed)
    run = TrackedRun(tracking, options.model, "train", options.epoch, settings.model_dump(), options.scratch.parent)
    launch = processes.launcher(job, options.arguments) if settings.processes > 1 else None
    with recorded(options.scratch), run:  # closed last: W&B may take its time
        record.add(**epoch.train_epoch(job, read_table(options.questions, "questions"), settings, run, launch))
        chosen = record.record["settings"]
        record.add(**training_facts(options.model, options.epoch, model, options.questions, options.output, chosen))
        card = adapter_card(CheckpointFacts(options.model, options.epoch, model, record.record))
        write_text(options.output / "adapter" / "README.md", card)
        record.write(options.output / "adapter", options.output / "metrics.jsonl", options.output / "attempts.jsonl")
    shutil.rmtree(options.scratch)
