"""Training of an epoch on tiny models, in processes of their own where a kill or a start from nothing matters."""

import json
import math
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from onkocode.cli import main
from onkocode.models.tokenizing import load_tokenizer
from onkocode.records.endings import read_endings
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file
from onkocode.training.callbacks import Saves
from onkocode.training.checkpoints import latest_checkpoint
from tests.unit.training_jobs import (
    STEPS,
    adapter_of,
    command,
    rows_of,
    same,
    start,
    train,
    wait_for_save,
    without_clock,
)


@dataclass(frozen=True)
class Trained:
    """Two finished epochs of a tiny llama."""

    folder: Path
    facts: tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def trained(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    facts = tuple(train(tiny_models["llama"], small_questions, folder, epoch) for epoch in (1, 2))
    return Trained(folder, (facts[0], facts[1]))


def test_weights_changed_and_loss_fell(trained: Trained) -> None:
    for epoch in (1, 2):
        matrices = adapter_of(trained.folder / f"epoch-{epoch}")
        second = [value for name, value in matrices.items() if "lora_B" in name]
        assert len(second) == 7  # q, k, v, o, gate, up, down of one layer
        assert all(bool(value.abs().max() > 0) for value in second)  # they start at zero
        assert {value.dtype for value in matrices.values()} == {torch.float32}
    first, last = rows_of(trained.folder / "epoch-1"), rows_of(trained.folder / "epoch-2")
    assert [row["step"] for row in first] == list(range(1, STEPS + 1))
    assert [row["step"] for row in last] == list(range(STEPS + 1, 2 * STEPS + 1))
    mean = [sum(row["loss"] for row in rows) / STEPS for rows in (first, last)]
    assert mean[1] < 0.8 * mean[0]
    assert not same(trained.folder / "epoch-1", trained.folder / "epoch-2")


def test_facts_for_the_provenance(trained: Trained) -> None:
    facts = trained.facts[1]
    # rank 4 × (in + out) of q, k, v, o (32→32, 32→16 twice, 32→32) and gate, up (32→96), down (96→32)
    by_hand = 4 * (64 + 48 + 48 + 64 + 3 * 128)
    assert facts["trainable_parameters"] == by_hand
    assert facts["steps"] == 2 * STEPS
    assert facts["questions"] == 28
    assert facts["prompt_sha256"] == trained.facts[0]["prompt_sha256"]


def test_log_rows_hold_numbers_only_and_grow(trained: Trained) -> None:
    rows = rows_of(trained.folder / "epoch-1")
    for row in rows:
        assert set(row) == {
            "step",
            "epoch",
            "attempt",
            "loss",
            "grad_norm",
            "learning_rate",
            "token_accuracy",
            "tokens",
            "seconds",
            "peak_memory_mb",
            "tokens_per_second",
            "examples_per_second",
        }
        assert all(isinstance(value, int | float) and math.isfinite(value) for value in row.values())
    assert rows[-1]["epoch"] == 1.0
    assert [row["tokens"] for row in rows] == sorted({row["tokens"] for row in rows})


def test_log_counts_all_tokens_of_the_epoch(
    trained: Trained, tiny_models: dict[str, Path], small_questions: pl.DataFrame
) -> None:
    from onkocode.models.prompts import encode_examples, prompt_format

    tokenizer = load_tokenizer(tiny_models["llama"])
    rows = small_questions.filter(pl.col("split") == "train")
    examples = encode_examples(
        tokenizer, prompt_format(tokenizer), rows["question"].to_list(), rows["answer"].to_list(), "answer", 512
    )
    assert rows_of(trained.folder / "epoch-1")[-1]["tokens"] == sum(len(row["input_ids"]) for row in examples)


def test_learning_rate_goes_on_over_epochs(trained: Trained) -> None:
    """The linear schedule falls from 0.02 to 0 over the 14 steps of both epochs."""
    rates = [row["learning_rate"] for epoch in (1, 2) for row in rows_of(trained.folder / f"epoch-{epoch}")]
    assert rates == pytest.approx([2e-2 * (14 - step) / 14 for step in range(14)], rel=1e-6)


def test_adapter_loads_with_plain_peft_and_changes_the_model(trained: Trained, tiny_models: dict[str, Path]) -> None:
    adapter = trained.folder / "epoch-2" / "adapter"
    assert sorted(path.name for path in adapter.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    base = AutoModelForCausalLM.from_pretrained(tiny_models["llama"]).eval()
    ids = torch.tensor([[3, 40, 50, 60]])
    with torch.inference_mode():
        before = base(ids).logits.clone()
        after = PeftModel.from_pretrained(base, adapter).eval()(ids).logits
    assert not torch.allclose(before, after, atol=1e-3)


def test_base_weights_are_untouched(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    files = sorted(path for path in tiny_models["qwen3"].iterdir() if path.is_file())
    before = {path.name: hash_file(path) for path in files}
    train(tiny_models["qwen3"], small_questions, tmp_path)
    after = {path.name: hash_file(path) for path in sorted(tiny_models["qwen3"].iterdir()) if path.is_file()}
    assert after == before
    rows = rows_of(tmp_path / "epoch-1")
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_state_goes_on_and_the_epoch_before_is_not_written(trained: Trained) -> None:
    state = trained.folder / "epoch-1" / "state"
    assert {"optimizer.pt", "scheduler.pt", "trainer_state.json", "rng_state.pth"} <= {p.name for p in state.iterdir()}
    assert not [path for path in state.iterdir() if "token" in path.name or path.suffix == ".safetensors"]
    recorded = json.loads((state / "trainer_state.json").read_text(encoding="utf-8"))
    assert recorded["global_step"] == STEPS


@pytest.mark.parametrize("quantisation", ["8bit", "4bit"])
@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_quantised_bases_train_and_resume_exactly(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, architecture: str, quantisation: str
) -> None:
    base = tiny_models[architecture]
    train(base, small_questions, tmp_path, quantisation=quantisation)
    rows = rows_of(tmp_path / "epoch-1")
    assert sum(row["loss"] for row in rows[-3:]) < sum(row["loss"] for row in rows[:3])
    assert {value.dtype for value in adapter_of(tmp_path / "epoch-1").values()} == {torch.float32}
    if architecture == "llama":
        shutil.copytree(tmp_path / "epoch-1", tmp_path / "again" / "epoch-1")
        train(base, small_questions, tmp_path, 2, quantisation=quantisation)
        interrupted(base, small_questions, tmp_path / "again", 2, quantisation=quantisation)
        train(base, small_questions, tmp_path / "again", 2, quantisation=quantisation)
        assert same(tmp_path / "epoch-2", tmp_path / "again" / "epoch-2")


def test_quantised_mixture_trains(tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"quantisation": "4bit", "target_modules": ["q_proj", "v_proj"]}
    train(tiny_models["mixtral"], small_questions, tmp_path, **chosen)
    rows = rows_of(tmp_path / "epoch-1")
    assert sum(row["loss"] for row in rows[-3:]) < sum(row["loss"] for row in rows[:3])
    assert len(adapter_of(tmp_path / "epoch-1")) == 4


class StopError(Exception):
    """Stands for whatever ends a process in the middle of an epoch."""


def interrupted(base: Path, questions: pl.DataFrame, folder: Path, epoch: int, after: int = 3, **changes: Any) -> None:
    """Start an epoch that saves at every step, and end it after the given number of saves."""
    saves = 0
    original = Saves.on_save

    def stop(self: Saves, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        nonlocal saves
        original(self, args, state, control, **kwargs)
        saves += 1
        if saves == after:
            raise StopError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Saves, "on_save", stop)
        with pytest.raises(StopError):
            train(base, questions, folder, epoch, save_minutes=1e-9, **changes)


@pytest.mark.parametrize("grouped", [False, True])
def test_resumed_epoch_is_the_undisturbed_one(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, trained: Trained, tmp_path: Path, grouped: bool
) -> None:
    whole = trained.folder
    if not grouped:
        whole = tmp_path / "whole"
        for epoch in (1, 2):
            train(tiny_models["llama"], small_questions, whole, epoch, group_by_length=False)
    shutil.copytree(whole / "epoch-1", tmp_path / "epoch-1")
    interrupted(tiny_models["llama"], small_questions, tmp_path, 2, group_by_length=grouped)
    assert not (tmp_path / "epoch-2").exists()
    train(tiny_models["llama"], small_questions, tmp_path, 2, group_by_length=grouped)
    assert same(whole / "epoch-2", tmp_path / "epoch-2")
    assert without_clock(rows_of(whole / "epoch-2")) == without_clock(rows_of(tmp_path / "epoch-2"))


def test_two_jobs_are_one_run_of_two_epochs(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, trained: Trained, tmp_path: Path
) -> None:
    """The same trainer, left to run over both epochs, ends with the same weights."""

    def go_on(self: Saves, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_log = control.should_save = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Saves, "on_epoch_end", go_on)
        train(tiny_models["llama"], small_questions, tmp_path)
    whole = tmp_path / "scratch" / "epoch-1" / f"checkpoint-{2 * STEPS}"
    expected = load_file(whole / "adapter_model.safetensors")
    found = adapter_of(trained.folder / "epoch-2")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("all_broken", [False, True])
def test_broken_save_is_passed_over(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, trained: Trained, tmp_path: Path, all_broken: bool
) -> None:
    interrupted(tiny_models["llama"], small_questions, tmp_path, 1, after=4)
    scratch = tmp_path / "scratch" / "epoch-1"
    # The last save and, should it be damaged, the one before are kept.
    assert sorted(path.name for path in scratch.glob("checkpoint-*")) == ["checkpoint-3", "checkpoint-4"]
    newest = scratch / "checkpoint-4" / "optimizer.pt"
    newest.write_bytes(newest.read_bytes()[:100])
    assert latest_checkpoint(scratch) == scratch / "checkpoint-3"
    if all_broken:
        (scratch / "checkpoint-3" / "adapter_model.safetensors").unlink()
        assert latest_checkpoint(scratch) is None
    train(tiny_models["llama"], small_questions, tmp_path)
    assert same(trained.folder / "epoch-1", tmp_path / "epoch-1")
    assert [row["step"] for row in rows_of(tmp_path / "epoch-1")] == list(range(1, STEPS + 1))


def test_epoch_that_was_saved_but_not_published_is_not_trained_on(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, trained: Trained, tmp_path: Path
) -> None:
    interrupted(tiny_models["llama"], small_questions, tmp_path, 1, after=STEPS)
    assert (tmp_path / "scratch" / "epoch-1" / f"checkpoint-{STEPS}").is_dir()
    facts = train(tiny_models["llama"], small_questions, tmp_path)
    assert facts == trained.facts[0]
    assert same(trained.folder / "epoch-1", tmp_path / "epoch-1")
    assert [row["step"] for row in rows_of(tmp_path / "epoch-1")] == list(range(1, STEPS + 1))


@pytest.mark.parametrize("change", [{"learning_rate": 1e-3}, {"seed": 1}, {"loss": "full"}])
def test_saves_of_other_settings_are_not_resumed_from(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, change: dict[str, Any]
) -> None:
    interrupted(tiny_models["llama"], small_questions, tmp_path / "stale", 1)
    train(tiny_models["llama"], small_questions, tmp_path / "stale", **change)
    train(tiny_models["llama"], small_questions, tmp_path / "fresh", **change)
    assert same(tmp_path / "stale" / "epoch-1", tmp_path / "fresh" / "epoch-1")


def test_epoch_before_on_other_data_is_an_error(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, trained: Trained, tmp_path: Path
) -> None:
    shutil.copytree(trained.folder / "epoch-1", tmp_path / "epoch-1")
    fewer = small_questions.filter(pl.col("formulation_id") != "icd10-12")
    with pytest.raises(InputError, match="ends at step 7, but this epoch begins at step 6"):
        train(tiny_models["llama"], fewer, tmp_path, 2)
    assert not (tmp_path / "epoch-2").exists()


def test_incomplete_epoch_before_is_an_error(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, trained: Trained, tmp_path: Path
) -> None:
    shutil.copytree(trained.folder / "epoch-1", tmp_path / "epoch-1")
    (tmp_path / "epoch-1" / "state" / "scheduler.pt").unlink()
    with pytest.raises(InputError, match=r"scheduler\.pt is missing or cut"):
        train(tiny_models["llama"], small_questions, tmp_path, 2)


def test_no_training_questions_are_an_error(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no training questions"):
        train(tiny_models["llama"], small_questions.filter(pl.col("split") != "train"), tmp_path)
    with pytest.raises(InputError, match=r"training\.max_length"):
        train(tiny_models["llama"], small_questions, tmp_path, max_length=12)


@pytest.mark.parametrize(("batch_size", "accumulation", "steps"), [(4, 2, 4), (3, 3, 4), (28, 1, 1), (5, 10, 1)])
def test_gradient_accumulation_gives_the_expected_steps(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    batch_size: int,
    accumulation: int,
    steps: int,
) -> None:
    facts = train(
        tiny_models["llama"],
        small_questions,
        tmp_path,
        epochs=1,
        batch_size=batch_size,
        gradient_accumulation=accumulation,
    )
    rows = rows_of(tmp_path / "epoch-1")
    assert [row["step"] for row in rows] == list(range(1, steps + 1))
    assert facts["steps"] == steps


def test_accumulated_batches_are_one_large_batch(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"epochs": 1, "lora_dropout": 0.0}
    train(tiny_models["llama"], small_questions, tmp_path / "one", batch_size=8, **options)
    train(tiny_models["llama"], small_questions, tmp_path / "two", batch_size=4, gradient_accumulation=2, **options)
    one, two = rows_of(tmp_path / "one" / "epoch-1"), rows_of(tmp_path / "two" / "epoch-1")
    assert [row["loss"] for row in one] == pytest.approx([row["loss"] for row in two], rel=1e-3)


def with_broken_letter(base: Path, target: Path, letter: str) -> None:
    """Copy a model whose embedding of one letter is not a number; its output layer is whole."""
    shutil.copytree(base, target)
    token = load_tokenizer(base)(letter, add_special_tokens=False)["input_ids"]
    weights = load_file(target / "model.safetensors")
    embedding = weights["model.embed_tokens.weight"]
    weights["lm_head.weight"] = embedding.clone()
    embedding[token[-1]] = float("nan")
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    (target / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}), encoding="utf-8")


@pytest.mark.parametrize("max_grad_norm", [0.0, 1.0])
def test_non_finite_gradient_stops_before_the_weights_change(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, max_grad_norm: float
) -> None:
    base = tmp_path / "base"
    with_broken_letter(tiny_models["llama"], base, "§")
    changed = pl.when(pl.col("question_id").str.contains("E05/icd10/icd10-12")).then(pl.lit("§ 5"))
    questions = small_questions.with_columns(question=changed.otherwise(pl.col("question")))
    with pytest.raises(InputError, match="stopped before the weights were damaged") as caught:
        train(base, questions, tmp_path, save_minutes=1e-9, max_grad_norm=max_grad_norm)
    scratch = tmp_path / "scratch" / "epoch-1"
    failure = json.loads((scratch / "failure.json").read_text(encoding="utf-8"))
    assert failure["cause"] == "non-finite"
    assert failure["epoch"] == 1
    saves = sorted((path for path in scratch.glob("checkpoint-*")), key=lambda path: int(path.name[11:]))
    assert len(saves) >= 1
    assert f"step {int(saves[-1].name[11:]) + 1}:" in failure["message"]
    assert str(saves[-1]) in str(caught.value)
    for save in saves:
        assert all(bool(value.isfinite().all()) for value in load_file(save / "adapter_model.safetensors").values())
    assert not (tmp_path / "epoch-1").exists()


def test_killed_job_that_is_started_again_ends_like_an_undisturbed_one(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    undisturbed = tmp_path / "undisturbed"
    for epoch in (1, 2):
        train(tiny_models["llama"], small_questions, undisturbed, epoch, batch_size=1)
    shutil.copytree(undisturbed / "epoch-1", tmp_path / "epoch-1")
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 2, save_minutes=1e-9, batch_size=1)
    kill_after_first_save(arguments, tmp_path)
    assert [ending.cause for ending in read_endings(tmp_path / "scratch")] == ["killed"]
    left = sorted(int(path.parent.name[11:]) for path in tmp_path.glob("scratch/checkpoint-*/complete.json"))
    assert 28 < left[0] <= left[-1] < 56  # in the middle of the epoch
    assert not (tmp_path / "epoch-2/adapter").exists()
    assert main(arguments) == 0
    assert same(undisturbed / "epoch-2", tmp_path / "epoch-2")
    rows = rows_of(tmp_path / "epoch-2")
    assert [row["step"] for row in rows] == list(range(29, 57))
    assert without_clock(rows) == without_clock(rows_of(undisturbed / "epoch-2"))
    assert not (tmp_path / "scratch").exists()


def kill_after_first_save(arguments: list[str], folder: Path) -> None:
    """Run the verb in a process of its own and kill it as soon as a save in its scratch is whole."""
    process = start(arguments, folder / "log")
    wait_for_save(process, folder / "scratch", folder / "log")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL


def test_verb_writes_provenance_and_removes_scratch(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tiny_models["llama"]
    assert main(command(base, small_questions, tmp_path, 1)) == 0
    output = tmp_path / "epoch-1"
    assert sorted(path.name for path in output.iterdir()) == [
        "adapter",
        "attempts.jsonl",
        "attempts.jsonl.provenance.json",
        "metrics.jsonl",
        "metrics.jsonl.provenance.json",
        "state",
    ]
    provenance = json.loads((output / "adapter" / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["settings"]["learning_rate"] == 2e-2
    assert provenance["inputs"]["questions"]["sha256"] == hash_file(tmp_path / "questions.parquet")
    assert provenance["steps"] == STEPS
    assert not (tmp_path / "scratch").exists()
    assert main(command(base, small_questions, tmp_path, 3)) == 2
    assert "outside 1…2" in capsys.readouterr().err
    assert main([*command(base, small_questions, tmp_path, 1), "--previous", str(output)]) == 2
    assert "--previous" in capsys.readouterr().err
