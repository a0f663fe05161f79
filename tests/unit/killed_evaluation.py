"""An evaluation that tells when it has loaded its model and when it is done, so that it can be killed in between.

Runs in a process of its own.
"""

import sys
from collections.abc import Sequence
from multiprocessing.synchronize import Event
from typing import Any

import torch

from onkocode.cli import main
from onkocode.coders.language_model import Checkpoint


def run(command: Sequence[str], answering: Event, done: Event) -> None:
    """Evaluate; ends with the status of the command."""
    torch.set_num_threads(1)
    load = Checkpoint.load

    def loaded(checkpoint: Checkpoint, *rest: Any) -> Any:
        model = load(checkpoint, *rest)
        answering.set()
        return model

    setattr(Checkpoint, "load", loaded)  # noqa: B010
    status = main(list(command))
    done.set()
    sys.exit(status)
