"""Step of the stage training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from onkocode.models.record import read_visible_model
from onkocode.records.endings import recorded
from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.records.offline import close_hub
from onkocode.records.ownership import check_owned, owning
from onkocode.records.provenance import Provenance
from onkocode.records.stopping import forget_stop
from onkocode.steps.app import step
from onkocode.steps.common import remove_scratch
from onkocode.steps.options import SETTINGS

if TYPE_CHECKING:
    from onkocode.config.schema import Tracking
    from onkocode.config.training import Training


@step()
def train_epoch(
    *,
    model: str,
    epoch: int,
    base: Path,
    questions: Path,
    settings: Annotated[Training, SETTINGS],
    previous: Path | None = None,
    scratch: Path,
    tracking: Annotated[Tracking | None, SETTINGS] = None,
    output: Path,
) -> None:
    """Train one epoch; goes on where an interrupted job stopped.

    Args:
        model: the {model} key
        epoch: from 1 on
        base: base.json of prepare-model
        questions: table of build-questions
        settings: training: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        previous: directory of the epoch before (from epoch 2 on)
        scratch: directory for saves within the epoch
        tracking: W&B: JSON of `tracking`; off by default
        output: directory for adapter/, state/ and metrics.jsonl
    """
    if not 1 <= epoch <= settings.epochs:
        raise InputError(f"--epoch {epoch} is outside 1…{settings.epochs} (training.epochs)")
    if (epoch > 1) != (previous is not None):
        raise InputError("--previous names the directory of the epoch before; needed from epoch 2 on, and only there")

    close_hub()
    forget_stop(scratch)
    with owning(scratch, output):
        with recorded(scratch):  # closed last: W&B may take its time
            from onkocode.config.schema import Tracking
            from onkocode.export.card import CheckpointFacts, adapter_card, training_facts
            from onkocode.models.compiling import compiling_later
            from onkocode.records.schemas import read_table
            from onkocode.tracking import TrackedRun

            with compiling_later():
                from onkocode.training import processes
                from onkocode.training.epoch import EpochJob
                from onkocode.training.epoch import train_epoch as train

            located = read_visible_model(base, weights=True)
            job = EpochJob(Path(located["path"]), epoch, previous, scratch, output)
            inputs = {"base": base, "questions": questions}
            inputs |= {"previous": previous / "adapter"} if previous is not None else {}
            record = Provenance("train-epoch", settings.model_dump(), inputs, settings.seed)
            run = TrackedRun(tracking or Tracking(), model, "train", epoch, settings.model_dump(), scratch.parent)
            launch = processes.launcher(job, questions) if settings.processes > 1 else None
            with run:
                record.add(**train(job, read_table(questions, "questions"), settings, run, launch))
                chosen = record.record["settings"]
                record.add(**training_facts(model, epoch, located, questions, output, chosen))
                card = adapter_card(CheckpointFacts(model, epoch, located, record.record))
                check_owned(scratch, output)
                write_text(output / "adapter" / "README.md", card)
                record.write(output / "adapter", output / "metrics.jsonl", output / "attempts.jsonl")
        remove_scratch(scratch)
