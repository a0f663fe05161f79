"""Verb of the stage training."""

import shutil
from argparse import Namespace
from pathlib import Path

from onkocode.commands.common import read_model, validated
from onkocode.config.coders import KINDS, fit_settings
from onkocode.config.schema import Tracking
from onkocode.config.training import Training
from onkocode.records.errors import InputError
from onkocode.records.files import new_directory, write_text
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
    with run:  # closed last: W&B may take its time
        record.add(**epoch.train_epoch(job, read_table(options.questions, "questions"), settings, run, launch))
        chosen = record.record["settings"]
        record.add(**training_facts(options.model, options.epoch, model, options.questions, options.output, chosen))
        card = adapter_card(CheckpointFacts(options.model, options.epoch, model, record.record))
        write_text(options.output / "adapter" / "README.md", card)
        record.write(options.output / "adapter", options.output / "metrics.jsonl", options.output / "attempts.jsonl")
        shutil.rmtree(options.scratch)


def fit_coder(options: Namespace) -> None:
    """Fit a coder in one job."""
    from onkocode.coders import fitted

    section = fit_settings(options.settings.get("kind"))
    if section is None:
        fitted_kinds = [kind for kind in KINDS if fit_settings(kind)]
        raise InputError(f"--settings: kind must be one of {', '.join(fitted_kinds)}")
    settings = validated(section, options.settings)
    record = Provenance("fit-coder", settings.model_dump(), {"questions": options.questions})
    with new_directory(options.output) as folder:
        record.add(**fitted.fit_coder(settings, read_table(options.questions, "questions"), folder))
        record.write(folder)
