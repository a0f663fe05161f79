"""The private parts of transformers, trl and torch that training rests on.

A library may rename them in any version, and a renamed hook would never be called, in silence. So they are looked for
when a trainer is built, and counted while it trains.
"""

import inspect
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from transformers import TrainerCallback

from onkocode.records.errors import InputError
from onkocode.records.files import PROJECT

# Methods that EpochTrainer overrides: their parameters, and what would be lost without them.
HOOKS: dict[str, tuple[tuple[str, ...], str]] = {
    "_get_grad_norm": (("model", "grad_norm"), "the stop before a step that is not finite"),
    "_get_train_sampler": (("train_dataset",), "the order of the questions"),
    "_load_optimizer_and_scheduler": (("checkpoint",), "another learning rate after a recovery"),
    "_save_rng_state": (("output_dir",), "an exact log after a save"),
    "_load_rng_state": (("checkpoint",), "an exact log after a save"),
}
BUILT = ("_metrics",)  # attributes of a trainer that is built,
TRAINING = ("_tr_loss", "_globalstep_last_logged")  # and of one that trains
SCHEDULE = ("base_lrs", "lr_lambdas", "last_epoch", "_last_lr")  # of a learning rate schedule of torch
PACKAGES = ("transformers", "trl", "accelerate", "torch")


def check_hooks(trainer: type) -> None:
    """Look for the hooks in a class that is to be derived from.

    Raises:
        InputError: a hook is missing or takes other parameters.
    """
    for name, (parameters, purpose) in HOOKS.items():
        hook = getattr(trainer, name, None)
        if not callable(hook):
            raise _changed(f"{trainer.__name__} has no hook {name}", purpose)
        found = [parameter for parameter in inspect.signature(hook).parameters if parameter != "self"]
        if found != list(parameters):
            raise _changed(f"the hook {name} of {trainer.__name__} takes ({', '.join(found)})", purpose)


def check_attributes(thing: object, names: Iterable[str]) -> None:
    """Look for private attributes.

    Raises:
        InputError: one is missing.
    """
    for name in names:
        if not hasattr(thing, name):
            raise _changed(f"{type(thing).__name__} has no attribute {name}", "the exact continuation of training")


def check_entries(schedule: Mapping[str, object], names: Iterable[str]) -> None:
    """Look for entries of a saved schedule that are to be changed.

    Raises:
        InputError: one is missing.
    """
    for name in names:
        if name not in schedule:
            raise _changed(f"the schedule of a save has no entry {name}", "the exact continuation of training")


class HookCalls(TrainerCallback):  # type: ignore[misc]
    """Sees to it that the hooks are called: a count, which the hooks keep, is compared with the steps and saves.

    Args:
        trainer: the trainer, for its attributes.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        self.count: Counter[str] = Counter()
        self.before = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look for the attributes of a trainer that trains."""
        self.before = state.global_step
        check_attributes(self.trainer, TRAINING)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Refuse a step that passed the hooks by; nothing is saved after it."""
        self._demand("_get_grad_norm", state.global_step - self.before)
        self._demand("_get_train_sampler", 1)
        if self.before:
            self._demand("_load_optimizer_and_scheduler", 1)
            self._demand("_load_rng_state", 1)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Refuse a save that passed its hook by, before it is marked as whole."""
        self._demand("_save_rng_state", 1)

    def _demand(self, name: str, calls: int) -> None:
        if self.count[name] < calls:
            raise _changed(f"the hook {name} was called {self.count[name]} times instead of {calls}", HOOKS[name][1])


def _changed(what: str, purpose: str) -> InputError:
    installed = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return InputError(
        f"{what}, on which {purpose} rests; installed are {installed}. Install versions that are tested: {_tested()}"
    )


def _tested() -> str:
    """Return the tested versions; for an installed package those that it asks for."""
    constraints = PROJECT / "constraints.txt"
    try:
        lines = constraints.read_text(encoding="utf-8").splitlines() if constraints.is_file() else requires("onkocode")
    except PackageNotFoundError:
        lines = None
    return ", ".join(line for line in lines or [] if line.startswith(PACKAGES)) or "see constraints.txt"
