"""Saves within an epoch, and the finished epoch as adapter and state."""

import json
from pathlib import Path

import pytest

from onkocode.records.errors import InputError
from onkocode.training.checkpoints import (
    ADAPTER_FILES,
    COMPLETE,
    STATE_FILES,
    assemble,
    is_complete,
    latest_checkpoint,
    mark_complete,
    publish,
    step_of,
    truncate_log,
)

FURTHER = ("rng_state.pth", "tokenizer.json", "tokenizer_config.json", "README.md", "training_args.bin")


def checkpoint(scratch: Path, step: int, whole: bool = True) -> Path:
    path = scratch / f"checkpoint-{step}"
    path.mkdir(parents=True)
    for name in (*ADAPTER_FILES, *STATE_FILES, *FURTHER):
        (path / name).write_text(f"{name} of step {step}", encoding="utf-8")
    (path / "trainer_state.json").write_text(json.dumps({"global_step": step}), encoding="utf-8")
    if whole:
        mark_complete(path, step, 1)
    return path


def test_marked_checkpoint_is_whole(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 5, whole=False)
    assert not is_complete(path)
    mark_complete(path, 5, 1)
    assert is_complete(path)
    record = json.loads((path / COMPLETE).read_text(encoding="utf-8"))
    assert record["step"] == 5
    assert set(record["sizes"]) == {*ADAPTER_FILES, *STATE_FILES, *FURTHER}


@pytest.mark.parametrize("name", [*ADAPTER_FILES, *STATE_FILES, "rng_state.pth"])
def test_missing_or_shortened_file_makes_it_broken(tmp_path: Path, name: str) -> None:
    path = checkpoint(tmp_path, 5)
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:-1])
    assert not is_complete(path)
    (path / name).write_bytes(content)
    assert is_complete(path)
    (path / name).unlink()
    assert not is_complete(path)


@pytest.mark.parametrize("mark", ["", "{", "[]", '{"step": 5}', '{"sizes": {}}'])
def test_broken_mark_makes_it_broken(tmp_path: Path, mark: str) -> None:
    path = checkpoint(tmp_path, 5)
    (path / COMPLETE).write_text(mark, encoding="utf-8")
    assert not is_complete(path)


def test_newest_whole_checkpoint_by_number(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    for step in (9, 10, 100):
        checkpoint(tmp_path, step)
    checkpoint(tmp_path, 200, whole=False)
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-100"
    (tmp_path / "checkpoint-100" / "optimizer.pt").write_bytes(b"")
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert step_of(tmp_path / "previous-1234") == 1234


def published(tmp_path: Path) -> Path:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 5}\n', encoding="utf-8")
    epoch = tmp_path / "epoch-1"
    publish(checkpoint(tmp_path / "scratch", 5), epoch / "adapter", epoch / "state", log, epoch / "metrics.jsonl")
    return epoch


def test_publishing_parts_adapter_and_state(tmp_path: Path) -> None:
    epoch = published(tmp_path)
    assert {path.name for path in (epoch / "adapter").iterdir()} == set(ADAPTER_FILES)
    state = {*STATE_FILES, "rng_state.pth", "training_args.bin", "complete.json"}
    assert {path.name for path in (epoch / "state").iterdir()} == state
    assert (epoch / "metrics.jsonl").read_text(encoding="utf-8") == '{"step": 5}\n'
    assert sorted(path.name for path in epoch.iterdir()) == ["adapter", "metrics.jsonl", "state"]


def test_assembling_puts_them_together_again(tmp_path: Path) -> None:
    epoch = published(tmp_path)
    (epoch / "adapter" / "provenance.json").write_text("{}", encoding="utf-8")
    path = assemble(epoch, tmp_path / "next", 5, 5)
    assert path == tmp_path / "next" / "previous-5"
    assert {file.name for file in path.iterdir()} == {
        *ADAPTER_FILES,
        *STATE_FILES,
        "rng_state.pth",
        "training_args.bin",
    }
    assert (path / "optimizer.pt").read_text(encoding="utf-8") == "optimizer.pt of step 5"


@pytest.mark.parametrize("name", [*(f"adapter/{n}" for n in ADAPTER_FILES), *(f"state/{n}" for n in STATE_FILES)])
def test_incomplete_epoch_before_is_an_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    epoch = published(tmp_path)
    (epoch / name).unlink()
    with pytest.raises(InputError, match="incomplete epoch") as caught:
        assemble(epoch, tmp_path / "next", 5, 5)
    assert str(epoch / name) in str(caught.value)
    assert not (tmp_path / "next").exists()


@pytest.mark.parametrize("name", ["rng_state.pth", "optimizer.pt"])
def test_a_cut_or_missing_file_of_the_epoch_before_is_an_error(tmp_path: Path, name: str) -> None:
    """Random states are not needed to go on, but to go on exactly."""
    epoch = published(tmp_path)
    (epoch / "state" / name).write_bytes(b"")
    with pytest.raises(InputError, match=f"{name} is missing or cut"):
        assemble(epoch, tmp_path / "next", 5, 5)
    (epoch / "state" / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing or cut"):
        assemble(epoch, tmp_path / "next", 5, 5)


def test_log_is_cut_after_the_step_resumed_from(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    truncate_log(log, 3)
    assert not log.exists()
    rows = [json.dumps({"step": step, "loss": 0.5}) for step in (1, 2, 3, 4)]
    log.write_text("\n".join(rows) + '\n{"step": 5, "lo', encoding="utf-8")
    truncate_log(log, 3)
    assert log.read_text(encoding="utf-8") == "\n".join(rows[:3]) + "\n"
    truncate_log(log, 0)
    assert log.read_text(encoding="utf-8") == ""
