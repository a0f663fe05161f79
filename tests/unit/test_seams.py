"""A library that renames what training rests on is refused; without this, its guards would vanish in silence."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import transformers
import trl
from trl import SFTTrainer

from onkocode.records.errors import InputError
from onkocode.training import seams, trainer
from onkocode.training.checkpoints import _set_step, latest_checkpoint
from onkocode.training.seams import BUILT, HOOKS, SCHEDULE, TRAINING, check_hooks
from onkocode.training.trainer import EpochTrainer, set_learning_rate
from tests.unit.training_jobs import train


class Library:
    """A stand-in for the trainer of another version of the libraries."""

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> None: ...
    def _get_train_sampler(self, train_dataset: Any = None) -> None: ...
    def _load_optimizer_and_scheduler(self, checkpoint: Any) -> None: ...
    def _save_rng_state(self, output_dir: str) -> None: ...
    def _load_rng_state(self, checkpoint: Any) -> None: ...


def changed(name: str, hook: Callable[..., None] | None) -> type:
    """Return the stand-in with another hook, or without it."""
    methods = {key: value for key, value in vars(Library).items() if key in HOOKS and key != name}
    return type("Trainer", (), methods | ({name: hook} if hook else {}))


def test_the_installed_libraries_have_all_hooks() -> None:
    check_hooks(SFTTrainer)
    check_hooks(Library)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_overrides_one_and_is_guarded(name: str) -> None:
    assert name in vars(EpochTrainer)
    with pytest.raises(InputError, match=rf"Trainer has no hook {name}, on which .* rests; installed are") as caught:
        check_hooks(changed(name, None))
    said = str(caught.value)
    assert f"transformers {transformers.__version__}, trl {trl.__version__}" in said
    tested = said.partition("Install versions that are tested: ")[2]
    assert re.search(r"transformers==[\d.]+, trl==[\d.]+", tested)


def test_no_private_method_is_overridden_without_a_guard() -> None:
    own = {name for name in vars(EpochTrainer) if name.startswith("_") and not name.startswith("__")}
    assert {name for name in own if hasattr(SFTTrainer, name)} == set(HOOKS)


def test_a_guarded_hook_with_other_parameters_is_refused() -> None:
    def other(self: Any, model: Any, grad_norm: Any = None, parallel: Any = None) -> None: ...

    with pytest.raises(InputError, match=r"_get_grad_norm of Trainer takes \(model, grad_norm, parallel\)"):
        check_hooks(changed("_get_grad_norm", other))


def test_a_trainer_is_not_built_on_a_changed_library(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "SFTTrainer", changed("_get_grad_norm", None))
    with pytest.raises(InputError, match="has no hook _get_grad_norm, on which the stop before a step"):
        train(tiny_models["llama"], small_questions, tmp_path)
    assert not (tmp_path / "epoch-1").exists()


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_that_is_never_called_ends_training_before_anything_is_published(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """As in a version that keeps the method, but goes another way."""
    epoch = 2 if "_load" in name else 1
    if epoch == 2:
        train(tiny_models["llama"], small_questions, tmp_path, 1)

    def passed_by(self: Any, *rest: Any, **named: Any) -> Any:
        return getattr(SFTTrainer, name)(self, *rest, **named)

    monkeypatch.setattr(EpochTrainer, name, passed_by)
    with pytest.raises(
        InputError, match=rf"the hook {name} was called 0 times instead of 1, on which {HOOKS[name][1]}"
    ):
        train(tiny_models["llama"], small_questions, tmp_path, epoch, save_minutes=1e-9)
    assert not (tmp_path / f"epoch-{epoch}").exists()
    assert latest_checkpoint(tmp_path / f"scratch/epoch-{epoch}") is None


def test_the_norm_is_counted_at_every_step(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a short cut that some steps take."""
    original = EpochTrainer._get_grad_norm

    def now_and_then(self: Any, model: Any, grad_norm: Any = None) -> Any:
        if self.state.global_step == 3:
            return SFTTrainer._get_grad_norm(self, model, grad_norm=grad_norm)
        return original(self, model, grad_norm)

    monkeypatch.setattr(EpochTrainer, "_get_grad_norm", now_and_then)
    with pytest.raises(InputError, match="_get_grad_norm was called 3 times instead of 4"):
        train(tiny_models["llama"], small_questions, tmp_path)


@pytest.mark.parametrize("name", [*BUILT, *TRAINING])
def test_a_private_attribute_that_is_gone_is_named(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    renamed = tuple(f"{key}_renamed" if key == name else key for key in (BUILT if name in BUILT else TRAINING))
    owner, constant = (trainer, "BUILT") if name in BUILT else (seams, "TRAINING")
    monkeypatch.setattr(owner, constant, renamed)
    with pytest.raises(InputError, match=f"EpochTrainer has no attribute {name}_renamed"):
        train(tiny_models["llama"], small_questions, tmp_path)
    assert not (tmp_path / "epoch-1").exists()


@pytest.mark.parametrize("name", ["last_epoch", "_step_count"])
def test_a_schedule_that_is_saved_under_other_names_is_refused(tmp_path: Path, name: str) -> None:
    """Steps of another size begin at another step, which is written into the saved schedule."""
    (tmp_path / "trainer_state.json").write_text('{"global_step": 3}')
    saved = {"last_epoch": 3, "_step_count": 4, "base_lrs": [0.1]}
    torch.save(saved, tmp_path / "scheduler.pt")
    _set_step(tmp_path, 5)
    found = torch.load(tmp_path / "scheduler.pt", weights_only=True)
    assert found == {"last_epoch": 5, "_step_count": 6, "base_lrs": [0.1]}
    torch.save({key: value for key, value in saved.items() if key != name}, tmp_path / "scheduler.pt")
    with pytest.raises(InputError, match=f"the schedule of a save has no entry {name}, on which"):
        _set_step(tmp_path, 5)


@pytest.mark.parametrize("name", SCHEDULE)
def test_a_schedule_without_its_private_parts_is_refused(name: str) -> None:
    """An attribute that is only set would otherwise be made anew, and the rate would stay as it was loaded."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5)
    set_learning_rate(optimizer, schedule, 0.1)
    assert schedule.get_last_lr() == [0.05]
    delattr(schedule, name)
    with pytest.raises(InputError, match=f"LambdaLR has no attribute {name}, on which the exact"):
        set_learning_rate(optimizer, schedule, 0.2)
