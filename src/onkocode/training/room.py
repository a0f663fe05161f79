"""Room for the saves of a training job: how much one takes, whether there is enough, and what to remove where not."""

import shutil
from pathlib import Path

from onkocode.config.training import Training
from onkocode.models.architectures import read_architecture
from onkocode.models.costs import default_targets, rank_and_alpha, save_bytes, target_names, trainable_parameters
from onkocode.models.locate import TOKENIZER_FILES
from onkocode.records.errors import InputError, ShortageError
from onkocode.records.room import free_bytes, remove_half_written
from onkocode.training.checkpoints import COMPLETE, is_complete

SAVES = 2  # the one that is kept, and the next, which is written before it goes; or the last one, and the results


def save_size(base: Path, settings: Training) -> int | None:
    """Return about how many bytes a save takes: adapter, optimizer, tokenizer; None for an unknown architecture."""
    try:
        architecture = read_architecture(base)
        shapes = architecture.matrices()
        names = target_names(shapes, settings.target_modules or default_targets(architecture.model_type))
        rank, _ = rank_and_alpha(settings, architecture.model_type, shapes)
    except InputError:
        return None  # training itself says what is wrong, if anything is
    trained = save_bytes(trainable_parameters(rank, [shapes[name] for name in names]))
    files = {file for pattern in TOKENIZER_FILES for file in base.glob(pattern)}
    return trained + sum(file.stat().st_size for file in files)


def check_room(scratch: Path, size: int | None) -> None:
    """Refuse to train where there is no room for two saves, those that are there from before included.

    One more is always written before the oldest one goes.

    Args:
        scratch: folder of the saves.
        size: of one; None = not known.

    Raises:
        ShortageError: there is not.
    """
    free = free_bytes(scratch)
    if size is None or free is None:
        return
    there = sum(is_complete(path) for path in scratch.glob("checkpoint-*"))
    needed = size * max(1, SAVES - there)
    if free < needed:
        raise ShortageError(
            f"{scratch}: {free:,} bytes are free there, but saves of this training need about {needed:,} more; make "
            "room and start the same job again",
            "disk-full",
        )


def remove_unfinished(*folders: Path) -> None:
    """Remove saves without their mark, of which nothing can go on, and temporary files; whole saves stay."""
    for folder in folders:
        for save in folder.glob("checkpoint-*"):
            if not (save / COMPLETE).is_file():
                shutil.rmtree(save, ignore_errors=True)
        remove_half_written(folder)
