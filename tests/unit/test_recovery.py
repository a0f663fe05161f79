"""What happens when an attempt fails: another rate, smaller batches, a signal, a full disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file

from onkocode.cli import main
from onkocode.config.training import Training
from onkocode.records import progress, stopping
from onkocode.records.endings import read_endings
from onkocode.records.errors import InputError, ShortageError, StoppedError
from onkocode.records.limits import parse_time_left, seconds_left
from onkocode.records.progress import PROGRESS_FILE
from onkocode.records.stopping import EARLY, STOP_FILE, StopRequest
from onkocode.training import processes
from onkocode.training.attempts import Attempt, check_gpus, in_force, next_attempt, read_attempts, write_attempts
from onkocode.training.checkpoints import latest_checkpoint
from onkocode.training.fit import PATIENCE
from onkocode.training.trainer import EpochTrainer, NonFiniteError, Standstill
from tests.unit import ranks
from tests.unit.training_jobs import (
    STEPS,
    adapter_of,
    command,
    rows_of,
    same,
    same_state,
    settings,
    start,
    train,
    wait_for_save,
    without_clock,
)

# -- the policy --


def after(chosen: Training, overrides: dict[str, Any], count: int) -> list[dict[str, Any] | None]:
    """Return what is in force after each of several non-finite attempts at one epoch; None = the policy has no more."""
    found: list[dict[str, Any] | None] = []
    attempts: list[Attempt] = []
    for _ in range(count):
        following = next_attempt("non-finite", chosen, overrides, attempts)
        if following is None:
            return [*found, None]
        overrides, entry = following
        attempts.append(Attempt("non-finite", "step 3: gradient norm nan", 1, 3, 0, [], overrides, entry))
        found.append(overrides)
    return found


def test_the_policy_is_used_step_by_step() -> None:
    chosen = settings(recovery=[{}, {"learning_rate": 1e-5, "max_grad_norm": 1.0}, {"batch_size": 2}])
    second = {"learning_rate": 1e-5, "max_grad_norm": 1.0, "recovery_entry": 1}
    third = second | {"batch_size": 2, "recovery_entry": 2}
    assert after(chosen, {}, 4) == [{}, second, third, None]
    assert after(settings(), {}, 1) == [None]


def test_a_later_epoch_goes_on_in_the_policy_and_never_raises_the_rate_again() -> None:
    chosen = settings(learning_rate=2e-4, recovery=[{}, *({"learning_rate_factor": share} for share in (0.5, 0.2))])
    first, second = {"learning_rate": 1e-4, "recovery_entry": 1}, {"learning_rate": 4e-5, "recovery_entry": 2}
    assert after(chosen, {}, 4) == [{}, first, second, None]
    assert after(chosen, first, 3) == [first, second, None]  # {} is another try with what is in force
    assert after(chosen, second, 2) == [second, None]


def test_a_preset_s_policy_never_makes_a_run_bolder() -> None:
    chosen = settings(learning_rate=1e-6, max_grad_norm=0.1, recovery=[{"learning_rate": 1e-5, "max_grad_norm": 0.3}])
    assert after(chosen, {}, 1) == [{"learning_rate": 1e-6, "max_grad_norm": 0.1, "recovery_entry": 0}]
    unclipped = settings(max_grad_norm=0.0, recovery=[{"max_grad_norm": 0.3}])
    assert after(unclipped, {}, 1) == [{"max_grad_norm": 0.3, "recovery_entry": 0}]


def test_a_share_is_one_of_the_recipes_own_rate() -> None:
    chosen = settings(learning_rate=4e-5, recovery=[{"learning_rate_factor": 0.5}, {"learning_rate_factor": 0.25}])
    found = after(chosen, {}, 2)
    assert [overrides and overrides["learning_rate"] for overrides in found] == [2e-5, 1e-5]
    assert in_force(chosen, found[0] or {}).learning_rate == 2e-5


def test_missing_memory_uses_up_no_step_of_the_policy() -> None:
    memory = Attempt("out-of-memory", "", 1, 0, 0, [], {"batch_size": 2, "gradient_accumulation": 2}, None)
    chosen = settings(recovery=[{"learning_rate": 1e-5}])
    smaller = {"batch_size": 2, "gradient_accumulation": 2, "learning_rate": 1e-5, "recovery_entry": 0}
    assert next_attempt("non-finite", chosen, memory.overrides, [memory]) == (smaller, 0)


@pytest.mark.parametrize(
    ("batch", "accumulation", "expected"),
    [(6, 1, (3, 2)), (3, 2, (1, 6)), (5, 2, (2, 5)), (7, 1, (1, 7)), (1, 4, None), (16, 1, (8, 2))],
)
def test_batches_shrink_but_not_what_a_step_holds(
    batch: int, accumulation: int, expected: tuple[int, int] | None
) -> None:
    chosen = settings(batch_size=batch, gradient_accumulation=accumulation)
    following = next_attempt("out-of-memory", chosen, {"learning_rate": 1e-5}, [])
    if expected is None:
        assert following is None
        return
    assert following is not None
    found, entry = following
    assert entry is None
    assert found == {"learning_rate": 1e-5, "batch_size": expected[0], "gradient_accumulation": expected[1]}
    now = in_force(chosen, found)
    assert now.batch_size * now.gradient_accumulation == batch * accumulation


def test_gpus_that_the_policy_asks_for() -> None:
    check_gpus({}, 0)
    check_gpus({"gpus": 2}, 2)
    with pytest.raises(
        ShortageError, match="goes on with 2 GPUs, but this job sees 1; start it again with 2"
    ) as caught:
        check_gpus({"gpus": 2}, 1)
    assert caught.value.cause == "gpus"


def test_attempts_survive_a_kill_while_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "attempts.jsonl"
    failed = Attempt("non-finite", "step 3: gradient norm nan", 1, 3, 0, [], {"batch_size": 2}, 0)
    assert read_attempts(path) == []
    write_attempts([failed, failed], path)
    assert read_attempts(path) == [failed, failed]
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert read_attempts(path) == [failed] * whole[:cut].count(b"\n")


# -- non-finite values --


class Fault:
    """Raises as the trainer does when a gradient is not finite, at one step, as long as the rate is too high."""

    def __init__(self, patch: pytest.MonkeyPatch, step: int, above: float, times: int = 99) -> None:
        self.left = times
        original = EpochTrainer._get_grad_norm

        def faulty(trainer: EpochTrainer, model: Any, grad_norm: Any = None) -> Any:
            if trainer.state.global_step + 1 == step and trainer.args.learning_rate > above and self.left:
                self.left -= 1
                for parameter in model.parameters():
                    if parameter.grad is not None:
                        parameter.grad.fill_(float("nan"))
                return original(trainer, model, torch.tensor(float("nan")))
            return original(trainer, model, grad_norm)

        patch.setattr(EpochTrainer, "_get_grad_norm", faulty)


def attempts_of(epoch: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (epoch / "attempts.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_passing_fault_leaves_no_trace_in_the_weights(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Qwen3-14B of the paper: resumed from the last valid save, then stable."""
    train(tiny_models["llama"], small_questions, tmp_path / "calm")
    Fault(monkeypatch, step=5, above=0, times=1)
    facts = train(tiny_models["llama"], small_questions, tmp_path / "once", save_minutes=1e-9, recovery=[{}])
    assert same(tmp_path / "calm/epoch-1", tmp_path / "once/epoch-1")
    assert same_state(tmp_path / "calm/epoch-1", tmp_path / "once/epoch-1")
    (failed,) = attempts_of(tmp_path / "once/epoch-1")
    assert (failed["cause"], failed["epoch"], failed["step"], failed["resumed_from"]) == ("non-finite", 1, 5, 0)
    assert facts["failed_attempts"] == 1
    rows = rows_of(tmp_path / "once/epoch-1")
    assert [row["attempt"] for row in rows] == [1] * 4 + [2] * 3
    expected = [row | {"attempt": 0} for row in without_clock(rows_of(tmp_path / "calm/epoch-1"))]
    assert [row | {"attempt": 0} for row in without_clock(rows)] == expected
    assert attempts_of(tmp_path / "calm/epoch-1") == []


def test_another_rate_and_clipping_take_over_and_hold_for_later_epochs(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Qwen3-32B of the paper: still unstable after resuming, then a lower rate and clipping."""
    Fault(monkeypatch, step=4, above=5e-3)
    policy = [{}, {"learning_rate": 4e-3, "max_grad_norm": 0.5}]
    base = tiny_models["llama"]
    for epoch in (1, 2):
        train(base, small_questions, tmp_path, epoch, save_minutes=1e-9, recovery=policy, max_grad_norm=0.0)
    assert [failed["overrides"] for failed in attempts_of(tmp_path / "epoch-1")] == [
        {},
        policy[1] | {"recovery_entry": 1},
    ]
    assert attempts_of(tmp_path / "epoch-2") == []
    rows = [row for epoch in (1, 2) for row in rows_of(tmp_path / f"epoch-{epoch}")]
    # Linear to zero over 14 steps: from the recipe's rate, and from step 4 on from that of the policy.
    factors = [(14 - step) / 14 for step in range(14)]
    expected = [(2e-2 if step < 3 else 4e-3) * factor for step, factor in enumerate(factors)]
    assert [row["learning_rate"] for row in rows] == pytest.approx(expected, rel=1e-6)
    assert [row["attempt"] for row in rows] == [1] * 3 + [3] * 4 + [1] * 7
    state = json.loads((tmp_path / "epoch-2/state/overrides.json").read_text(encoding="utf-8"))
    assert state == policy[1] | {"recovery_entry": 1}


def test_after_the_last_attempt_the_job_ends_with_a_plain_account(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Fault(monkeypatch, step=3, above=0)
    with pytest.raises(InputError, match=r"step 3: gradient norm nan.*attempt 3.*last good save is .*checkpoint-2"):
        train(tiny_models["llama"], small_questions, tmp_path, save_minutes=1e-9, recovery=[{}, {"max_grad_norm": 0.1}])
    scratch = tmp_path / "scratch/epoch-1"
    failure = json.loads((scratch / "failure.json").read_text(encoding="utf-8"))
    assert (failure["epoch"], failure["step"], failure["cause"], failure["attempts"]) == (1, 3, "non-finite", 3)
    assert len(read_attempts(scratch / "attempts.jsonl")) == 2
    assert not (tmp_path / "epoch-1").exists()


def test_a_changed_batch_repeats_the_epoch_from_its_beginning(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, policy = tiny_models["llama"], [{"batch_size": 2}]
    train(base, small_questions, tmp_path, 1)
    fault = Fault(monkeypatch, step=STEPS + 3, above=0, times=1)
    facts = train(base, small_questions, tmp_path, 2, save_minutes=1e-9, recovery=policy)
    assert fault.left == 0
    assert facts["steps"] == 28  # two epochs of 14 steps
    rows = rows_of(tmp_path / "epoch-2")
    assert [row["step"] for row in rows] == list(range(15, 29))
    assert rows[-1]["epoch"] == 2.0
    assert [row["learning_rate"] for row in rows] == pytest.approx([2e-2 * (28 - n) / 28 for n in range(14, 28)])
    (failed,) = attempts_of(tmp_path / "epoch-2")
    assert failed["step"] == STEPS + 3
    # A job that begins with such batches, on the same epoch before, is the same.
    assert {row["attempt"] for row in rows} == {2}


def test_the_policy_goes_on_after_a_kill(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempts that failed before a job died are not tried again."""
    policy = [{"learning_rate": 1e-2}, {"learning_rate": 1e-3}]
    with pytest.MonkeyPatch.context() as patch:
        Fault(patch, step=4, above=2e-3)
        train(tiny_models["llama"], small_questions, tmp_path / "whole", recovery=policy)
    with pytest.MonkeyPatch.context() as patch:
        Fault(patch, step=4, above=2e-3)
        patch.setattr(EpochTrainer, "training_step", dies_at_rate(EpochTrainer.training_step, 1e-3))
        with pytest.raises(KeyboardInterrupt):
            train(tiny_models["llama"], small_questions, tmp_path / "killed", recovery=policy)
    assert len(read_attempts(tmp_path / "killed/scratch/epoch-1/attempts.jsonl")) == 2
    Fault(monkeypatch, step=4, above=2e-3)
    train(tiny_models["llama"], small_questions, tmp_path / "killed", recovery=policy)
    assert same(tmp_path / "whole/epoch-1", tmp_path / "killed/epoch-1")
    assert len(attempts_of(tmp_path / "killed/epoch-1")) == 2


def dies_at_rate(original: Any, rate: float) -> Any:
    def step(trainer: EpochTrainer, *rest: Any) -> Any:
        if trainer.args.learning_rate == rate and trainer.state.global_step == 2:
            raise KeyboardInterrupt
        return original(trainer, *rest)

    return step


# -- memory --


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_missing_memory_halves_the_batch(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    original = EpochTrainer.training_step

    def step(trainer: EpochTrainer, model: Any, inputs: Any, *rest: Any) -> Any:
        if inputs["input_ids"].shape[0] > 1 and trainer.state.global_step == 2:
            raise error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return original(trainer, model, inputs, *rest)

    monkeypatch.setattr(EpochTrainer, "training_step", step)
    facts = train(tiny_models["llama"], small_questions, tmp_path, lora_dropout=0.0, save_minutes=1e-9)
    assert [failed["cause"] for failed in attempts_of(tmp_path / "epoch-1")] == ["out-of-memory"] * 2
    assert facts["overrides"] == {"batch_size": 1, "gradient_accumulation": 4}
    assert [row["step"] for row in rows_of(tmp_path / "epoch-1")] == list(range(1, STEPS + 1))
    monkeypatch.undo()
    train(tiny_models["llama"], small_questions, tmp_path / "roomy", lora_dropout=0.0)
    losses = [[row["loss"] for row in rows_of(folder / "epoch-1")] for folder in (tmp_path, tmp_path / "roomy")]
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)  # the same questions in every step


@pytest.mark.parametrize(
    ("error", "cause"),
    [(torch.OutOfMemoryError("CUDA out of memory"), "gpu-memory"), (MemoryError(), "memory")],
)
def test_missing_memory_for_one_question_ends_the_job(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    cause: str,
) -> None:
    def step(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(EpochTrainer, "training_step", step)
    expected = r"out of memory with a single question per device.*activation_checkpointing"
    with pytest.raises(ShortageError, match=expected) as caught:
        train(tiny_models["llama"], small_questions, tmp_path)
    assert caught.value.cause == cause


def test_other_errors_are_not_swallowed(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: Any) -> Any:
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(EpochTrainer, "training_step", step)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        train(tiny_models["llama"], small_questions, tmp_path, recovery=[{}, {}])


# -- nothing to learn --


def test_steps_without_a_gradient_are_counted_in_a_row() -> None:
    standstill = Standstill(3)
    seen = [standstill.reached(norm, 1.0) for norm in (0, 0, 1e-30, 0, 0, 0, 0, 2.0, 0)]
    assert seen == [False] * 5 + [True, True, False, False]


@pytest.fixture
def zeros(tiny_models: dict[str, Path], tmp_path: Path) -> Path:
    """A base whose weights became zeros, as after a copy that was broken off: no gradient reaches its layers."""
    base = Path(shutil.copytree(tiny_models["llama"], tmp_path / "zeros"))
    weights = load_file(base / "model.safetensors")
    weights = {name: torch.zeros_like(values) for name, values in weights.items()}
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    return base


@pytest.mark.parametrize(("batch", "step"), [(4, STEPS), (1, PATIENCE)])  # an epoch of fewer steps ends as well
@pytest.mark.parametrize("clipping", [0.0, 1.0])
def test_training_that_learns_nothing_ends_at_once(
    zeros: Path, small_questions: pl.DataFrame, tmp_path: Path, batch: int, step: int, clipping: float
) -> None:
    chosen: dict[str, Any] = {"batch_size": batch, "max_grad_norm": clipping, "recovery": [{}, {}], "log_steps": 5}
    expected = rf"nothing was learned: step {step}: the gradient, but not the loss, was exactly 0 for {step} steps; run"
    with pytest.raises(InputError, match=expected):
        train(zeros, small_questions, tmp_path, **chosen)
    scratch = tmp_path / "scratch/epoch-1"
    failure = json.loads((scratch / "failure.json").read_text(encoding="utf-8"))
    assert (failure["epoch"], failure["step"], failure["cause"], failure["attempts"]) == (1, step, "standstill", 1)
    assert not (tmp_path / "epoch-1").exists()
    with pytest.raises(InputError, match="nothing was learned"):  # started again, it ends again
        train(zeros, small_questions, tmp_path, **chosen)


def without_loss(patch: pytest.MonkeyPatch, first: int, last: int = 99) -> None:
    """Let loss and gradient be exactly 0 from one step to another; no real base that is let through has such."""
    original = EpochTrainer.compute_loss

    def compute(trainer: EpochTrainer, *rest: Any, **named: Any) -> Any:
        found = original(trainer, *rest, **named)
        return found * 0 if first <= trainer.state.global_step + 1 <= last else found

    patch.setattr(EpochTrainer, "compute_loss", compute)


def test_training_on_nothing_ends_at_once(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_loss(monkeypatch, 1)
    with pytest.raises(InputError, match=r"step 10: gradient and loss were exactly 0 for 10 steps; run prepare-model"):
        train(tiny_models["llama"], small_questions, tmp_path, batch_size=1)


@pytest.mark.parametrize("log_steps", [1, 5])
def test_questions_known_by_heart_are_no_fault(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log_steps: int,
) -> None:
    """In the epoch in which they came to be known, and in later ones, which begin with a loss of 0."""
    without_loss(monkeypatch, 8)
    for epoch in (1, 2):
        train(tiny_models["llama"], small_questions, tmp_path, epoch, batch_size=1, log_steps=log_steps)
        assert attempts_of(tmp_path / f"epoch-{epoch}") == []


def test_a_few_steps_without_a_gradient_are_no_fault(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_loss(monkeypatch, 1, PATIENCE - 1)
    train(tiny_models["llama"], small_questions, tmp_path, batch_size=1)
    assert len(rows_of(tmp_path / "epoch-1")) == 28


# -- leaving early --


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_saves_and_leaves(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    before = {known: signal.getsignal(known) for known in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)}
    train(tiny_models["llama"], small_questions, tmp_path / "calm", log_steps=3)
    original = EpochTrainer.training_step

    def step(trainer: EpochTrainer, *rest: Any) -> Any:
        if trainer.state.global_step == 3:
            os.kill(os.getpid(), number)
        return original(trainer, *rest)

    monkeypatch.setattr(EpochTrainer, "training_step", step)
    with pytest.raises(
        StoppedError, match=r"asked to stop, or out of time; the last whole save is .*checkpoint-4; start the same job"
    ):
        train(tiny_models["llama"], small_questions, tmp_path / "left", log_steps=3)
    assert {known: signal.getsignal(known) for known in before} == before
    assert not (tmp_path / "left/epoch-1").exists()
    monkeypatch.undo()
    train(tiny_models["llama"], small_questions, tmp_path / "left", log_steps=3)
    assert same(tmp_path / "calm/epoch-1", tmp_path / "left/epoch-1")
    # The save lies between two log rows: their means are over the same steps nevertheless.
    rows = without_clock(rows_of(tmp_path / "left/epoch-1"))
    assert rows == without_clock(rows_of(tmp_path / "calm/epoch-1"))
    assert [row["step"] for row in rows] == [1, 3, 6, 7]


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Callable[[], object]) -> None:
    """Do something in the middle of an optimizer step."""
    original = EpochTrainer.training_step

    def training_step(trainer: EpochTrainer, *rest: Any) -> Any:
        if trainer.state.global_step + 1 == step:
            act()
        return original(trainer, *rest)

    monkeypatch.setattr(EpochTrainer, "training_step", training_step)


def test_the_stop_file_saves_and_leaves_and_binds_no_later_job(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOOK", 0.0)
    train(tiny_models["llama"], small_questions, tmp_path / "calm")
    arguments, scratch = command(tiny_models["llama"], small_questions, tmp_path, 1), tmp_path / "scratch"
    with monkeypatch.context() as patch:
        at_step(patch, 4, (scratch / STOP_FILE).touch)
        assert main(arguments) == 75
    assert step_of_save(scratch) == 4
    assert [ending.cause for ending in read_endings(scratch)] == ["stopped"]
    assert (scratch / STOP_FILE).exists()
    found = json.loads((scratch / PROGRESS_FILE).read_text(encoding="utf-8"))
    assert (found["task"], found["done"], found["total"], found["unit"]) == ("training", 4, STEPS, "step")
    assert found["loss"] > 0
    assert main(arguments) == 0
    assert same(tmp_path / "calm/epoch-1", tmp_path / "epoch-1")
    assert not scratch.exists()


def test_progress_counts_the_steps_of_the_epoch(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(progress, "write_text", lambda path, text: written.append(json.loads(text)))
    monkeypatch.setattr(progress, "EVERY", 0.0)
    for epoch in (1, 2):
        train(tiny_models["llama"], small_questions, tmp_path, epoch)
    assert [row["done"] for row in written] == [*range(1, STEPS + 1)] * 2
    assert {row["total"] for row in written} == {STEPS}
    assert all(row["left_seconds"] is not None for row in written)


def test_a_job_that_is_told_to_leave_ends_with_75_and_goes_on(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    train(tiny_models["llama"], small_questions, tmp_path / "calm", batch_size=1)
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 1, batch_size=1, save_minutes=1e-9)
    process = start(arguments, tmp_path / "log")
    wait_for_save(process, tmp_path / "scratch", tmp_path / "log")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 75
    assert "asked to stop" in (tmp_path / "log").read_text(encoding="utf-8")
    assert not (tmp_path / "epoch-1").exists()
    assert [ending.cause for ending in read_endings(tmp_path / "scratch")] == ["stopped"]
    assert main(arguments) == 0
    assert not (tmp_path / "scratch").exists()
    assert same(tmp_path / "calm/epoch-1", tmp_path / "epoch-1")


# -- disks and damaged saves --


def test_a_full_disk_leaves_the_save_before(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    """The largest file of a save fails on the third one, as a disk does that has no room left."""
    train(tiny_models["llama"], small_questions, tmp_path / "calm")
    original = EpochTrainer._save_rng_state

    def save(trainer: EpochTrainer, output_dir: str) -> None:
        if trainer.state.global_step == 3:
            raise OSError(28, "No space left on device", output_dir)
        original(trainer, output_dir)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EpochTrainer, "_save_rng_state", save)
        with pytest.raises(InputError, match=r"the disk is full.*checkpoint-2; make room and start the same job"):
            train(tiny_models["llama"], small_questions, tmp_path, save_minutes=1e-9)
    train(tiny_models["llama"], small_questions, tmp_path)
    assert same(tmp_path / "calm/epoch-1", tmp_path / "epoch-1")


def test_a_limit_on_file_sizes_is_a_full_disk_too(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    """Real writers meet a real limit: the kernel refuses to let a file grow."""
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 1, save_minutes=1e-9)
    smallest = 20_000  # bytes; adapters and optimizer states are larger
    script = "import resource, sys; from onkocode.cli import main; "
    script += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({smallest}, resource.RLIM_INFINITY)); "
    script += "sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 2, done.stderr[-2000:]
    assert "the disk is full" in done.stderr
    assert latest_checkpoint(tmp_path / "scratch") is None
    assert main(arguments) == 0


@pytest.mark.parametrize("name", ["optimizer.pt", "adapter_model.safetensors", "trainer_state.json", "scheduler.pt"])
@pytest.mark.parametrize("how", ["cut", "missing"])
def test_a_damaged_save_falls_back_to_the_one_before(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
    interrupted_job: Path,
    name: str,
    how: str,
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    shutil.copytree(interrupted_job, folder, dirs_exist_ok=True)
    scratch = folder / "scratch/epoch-1"
    file = scratch / "checkpoint-4" / name
    if how == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert latest_checkpoint(scratch) == scratch / "checkpoint-3"
    train(tiny_models["llama"], small_questions, folder)
    assert same(interrupted_job / "calm/epoch-1", folder / "epoch-1")


@pytest.fixture(scope="module")
def interrupted_job(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A job that was left after its fourth step, with a save at every step; and the undisturbed one, `calm`."""
    folder = tmp_path_factory.mktemp("interrupted")
    original = EpochTrainer.training_step

    def step(trainer: EpochTrainer, *rest: Any) -> Any:
        if trainer.state.global_step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(trainer, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EpochTrainer, "training_step", step)
        with pytest.raises(StoppedError):
            train(tiny_models["llama"], small_questions, folder, save_minutes=1e-9)
    train(tiny_models["llama"], small_questions, folder / "calm")
    return folder


def test_adapters_stay_finite(tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path) -> None:
    """A rate that blows the weights up in earnest: nothing that was saved is not finite, and a lower rate recovers."""
    train(tiny_models["llama"], small_questions, tmp_path, learning_rate=1e30, recovery=[{"learning_rate": 1e-3}])
    assert len(attempts_of(tmp_path / "epoch-1")) == 1
    assert all(bool(value.isfinite().all()) for value in adapter_of(tmp_path / "epoch-1").values())


def test_the_error_carries_the_step() -> None:
    assert NonFiniteError("step 7: …", 7).step == 7


# -- several processes --


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4:55\n", 295),
        ("0:00", 0),
        ("1:00:01", 3601),
        ("2-03:04:05", 2 * 86400 + 3 * 3600 + 4 * 60 + 5),
        ("UNLIMITED", None),
        ("NOT_SET", None),
        ("INVALID", None),
        ("", None),
    ],
)
def test_time_left_as_slurm_writes_it(text: str, seconds: float | None) -> None:
    assert parse_time_left(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [(7200.0, 7200 - EARLY), (100.0, 75.0), (0.0, 0.0)],
)
def test_a_job_leaves_before_its_time_is_over(
    seconds: float, moment: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    request = StopRequest(tmp_path, seconds)
    now = 1000 + moment - 1
    assert not request.here()
    now = 1000 + moment
    assert request.here()


def test_without_slurm_or_its_answer_there_is_no_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert seconds_left() is None
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert seconds_left() is None  # no squeue
    squeue(tmp_path, "echo broken >&2; exit 1")
    assert seconds_left() is None
    squeue(tmp_path, 'test "$3" = 7 && echo 1:30')
    assert seconds_left() == 90
    assert not StopRequest(tmp_path).here()


def squeue(folder: Path, script: str) -> None:
    """Write a squeue that answers with a script of the shell."""
    (folder / "squeue").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "squeue").chmod(0o755)


def test_a_job_that_runs_out_of_time_goes_on_like_an_undisturbed_one(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    train(tiny_models["llama"], small_questions, tmp_path / "calm", batch_size=1)
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 1, batch_size=1)
    squeue(tmp_path, "echo 0:00")
    process = start(arguments, tmp_path / "log", SLURM_JOB_ID="7", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert process.wait(timeout=120) == 75
    assert "out of time" in (tmp_path / "log").read_text(encoding="utf-8")
    assert step_of_save(tmp_path / "scratch") == 1
    assert main(arguments) == 0
    assert same(tmp_path / "calm/epoch-1", tmp_path / "epoch-1")


def step_of_save(scratch: Path) -> int:
    """Return the step of the only whole save."""
    (save,) = scratch.glob("checkpoint-*/complete.json")
    return int(save.parent.name.removeprefix("checkpoint-"))


def test_data_parallel_processes_leave_together_and_go_on(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: dict[str, Any] = {"processes": 2, "batch_size": 1, "save_minutes": 1e-9, "epochs": 1, "log_steps": 3}
    # The processes look for the file of their parent every two seconds, so there must be more to do.
    several = [small_questions.with_columns(pl.col("question_id") + f"-{number}") for number in range(6)]
    questions = pl.concat(several)
    calm = command(tiny_models["llama"], questions, tmp_path / "calm", 1, **chosen)
    with monkeypatch.context() as patch:
        patch.setattr(processes, "subprocess", ranks)  # the others are started by torchrun
        assert main(calm) == 0
    arguments = command(tiny_models["llama"], questions, tmp_path / "left", 1, **chosen)
    process = start(arguments, tmp_path / "log")
    wait_for_save(process, tmp_path / "left/scratch", tmp_path / "log")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=240) == 75
    assert not (tmp_path / "left/epoch-1").exists()
    assert main(arguments) == 0
    assert same(tmp_path / "calm/epoch-1", tmp_path / "left/epoch-1")
    rows = [without_clock(rows_of(tmp_path / folder / "epoch-1")) for folder in ("calm", "left")]
    assert rows[0] == rows[1]
    assert [row["step"] for row in rows[0]] == [1, *range(3, 85, 3)]  # 168 questions, one on each of two


def test_data_parallel_processes_fail_together_with_the_cause(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen: dict[str, Any] = {"processes": 2, "batch_size": 2, "learning_rate": 1e30, "max_grad_norm": 0.0}
    chosen["recovery"] = [{"learning_rate": 1e29}]
    assert main(command(tiny_models["llama"], small_questions, tmp_path, 1, **chosen)) == 2
    said = capsys.readouterr().err
    assert "training stopped before the weights were damaged: step" in said
    assert "(attempt 2)" in said


def test_data_parallel_processes_that_learn_nothing_end_together(
    zeros: Path,
    small_questions: pl.DataFrame,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "subprocess", ranks)
    chosen: dict[str, Any] = {"processes": 2, "batch_size": 1, "recovery": [{}]}
    assert main(command(zeros, small_questions, tmp_path, 1, **chosen)) == 2
    assert "nothing was learned: step 10: the gradient, but not the loss, was exactly 0" in capsys.readouterr().err
    assert not (tmp_path / "epoch-1").exists()
