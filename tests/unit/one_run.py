"""Run an attempt over all epochs in one go, as a process of torchrun: what jobs of one epoch each are compared with."""

from onkocode.training.callbacks import Saves
from onkocode.training.worker import work


def go_on(self, args, state, control, **kwargs):
    """Log and save at the end of every epoch, and train on."""
    control.should_log = control.should_save = True


if __name__ == "__main__":
    setattr(Saves, "on_epoch_end", go_on)  # noqa: B010
    work()
