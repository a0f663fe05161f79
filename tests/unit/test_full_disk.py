"""Disks that are full, for real: a small one is mounted where this process may do so."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.coders import generation
from onkocode.records.endings import cause_of, read_endings, recorded
from onkocode.records.errors import InputError, ShortageError
from onkocode.records.files import write_text
from onkocode.records.room import free_bytes, full_disk, remove_half_written
from onkocode.records.schemas import read_table
from onkocode.training.checkpoints import latest_checkpoint
from onkocode.training.room import SAVES, check_room, save_size
from tests.unit.training_jobs import command, same, settings, start, train, wait_for_save

from .test_evaluate_verb import BOTH, TESTING, Place, place, random_adapter
from .test_leaving import before_batch
from .test_recovery import at_step

__all__ = ["place", "random_adapter"]
SIZE = 4  # MB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("there is no program to mount a small disk with")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip("this process may not mount a small disk")
    yield folder
    subprocess.run([unmount, "--lazy", folder], check=True)


def fill(disk: Path, left: int = 0) -> Path:
    """Fill a disk but for so many bytes; returns the file that does."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    free = shutil.disk_usage(disk).free - left
    with suppress(OSError), ballast.open("wb") as stream:  # others write meanwhile
        stream.write(bytes(max(0, free)))
    return ballast


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that the disk has no room for; returns the one message."""
    capsys.readouterr()
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    messages = [line for line in said.splitlines() if line.startswith("onkocode ")]
    assert len(messages) == 1, said
    assert said.rstrip().endswith(messages[0])
    return messages[0]


def whole(message: str, disk: Path) -> None:
    """Check that a message says where, how much is free, and what to do."""
    assert str(disk) in message
    assert re.search(r"[\d,]+ bytes are free", message)
    assert message.endswith("make room and start the same job again")


def test_a_disk_that_fills_while_it_trains(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(tiny_models["llama"], small_questions, tmp_path / "calm")
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 1, save_minutes=1e-9)
    scratch = disk / "scratch"
    arguments[arguments.index("--scratch") + 1] = str(scratch)
    size = save_size(tiny_models["llama"], settings()) or 0
    with monkeypatch.context() as patch:
        at_step(patch, 3, lambda: fill(disk, size // 2))
        message = refused(arguments, capsys)
    whole(message, disk)
    assert f"about {size:,} are needed" in message
    assert f"the last whole save is {scratch / 'checkpoint-2'}" in message
    assert sorted(path.name for path in scratch.glob("checkpoint-*")) == ["checkpoint-1", "checkpoint-2"]
    assert not list(scratch.glob(".*"))
    assert [ending.cause for ending in read_endings(scratch)] == ["disk-full"]
    fill(disk)
    for _ in range(2):  # still full
        whole(refused(arguments, capsys), disk)
    assert latest_checkpoint(scratch) == scratch / "checkpoint-2"
    (disk / "ballast").unlink()
    assert main(arguments) == 0
    assert same(tmp_path / "calm/epoch-1", tmp_path / "epoch-1")


def test_a_disk_that_fills_while_several_processes_train(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, disk: Path
) -> None:
    chosen = {"processes": 2, "batch_size": 1, "save_minutes": 1e-9, "epochs": 1}
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 1, **chosen)
    scratch, log = disk / "scratch", tmp_path / "log"
    arguments[arguments.index("--scratch") + 1] = str(scratch)
    process = start(arguments, log)
    wait_for_save(process, scratch, log)
    fill(disk)
    assert process.wait(timeout=120) == 2
    whole(log.read_text(encoding="utf-8").splitlines()[-1], disk)
    assert [ending.cause for ending in read_endings(scratch)] == ["disk-full"]
    assert latest_checkpoint(scratch) is not None


@pytest.mark.parametrize("left", [0, 4096, 3 * 4096, 6 * 4096, 10 * 4096, 20 * 4096])
def test_no_room_at_the_start(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    disk: Path,
    capsys: pytest.CaptureFixture[str],
    left: int,
) -> None:
    """Of a second epoch, which begins with a copy of the one before: the disk is full at any place on the way."""
    first = command(tiny_models["llama"], small_questions, tmp_path, 1)
    assert main(first) == 0
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 2)
    arguments[arguments.index("--scratch") + 1] = str(disk / "scratch")
    fill(disk, left)
    for _ in range(2):
        whole(refused(arguments, capsys), disk)
    (disk / "ballast").unlink()
    assert main(arguments) == 0


def test_training_is_refused_where_two_saves_find_no_room(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = save_size(tiny_models["llama"], settings())
    assert size is not None
    monkeypatch.setattr("onkocode.training.room.free_bytes", lambda folder: SAVES * size)
    check_room(tmp_path, size)
    monkeypatch.setattr("onkocode.training.room.free_bytes", lambda folder: SAVES * size - 1)
    with pytest.raises(ShortageError, match=f"{SAVES * size - 1:,} bytes are free there.*about {SAVES * size:,} more"):
        check_room(tmp_path, size)
    check_room(tmp_path, None)


def test_the_size_of_a_save_is_foretold(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("onkocode.training.epoch.publish", died)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_models["llama"], small_questions, tmp_path)
    (save,) = tmp_path.rglob("checkpoint-*")
    taken = sum(file.stat().st_size for file in save.iterdir())
    assert save_size(tiny_models["llama"], settings()) == pytest.approx(taken, rel=0.5)


def test_a_disk_that_fills_while_it_answers(
    place: Place, disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"testing": TESTING["testing"] | {"batch_size": 8}, "evaluation": {"shard": 1}}
    calm, arguments = (place.arguments(run, 1, "free", BOTH, **small) for run in ("calm", "full"))
    assert main(calm) == 0
    arguments = [word.replace(str(place.private), str(disk / "private")) for word in arguments]
    with monkeypatch.context() as patch:
        before_batch(patch, generation, "_generate", 3, lambda: fill(disk))
        whole(refused(arguments, capsys), disk)
    for _ in range(2):
        whole(refused(arguments, capsys), disk)
    (disk / "ballast").unlink()
    assert main(arguments) == 0
    for name in BOTH:
        found = read_table(disk / "private/predictions/full" / f"{name}.parquet", "predictions")
        expected = read_table(place.predictions("calm", name), "predictions")
        assert found.drop("seconds").equals(expected.drop("seconds"))


@pytest.mark.parametrize("left", [0, 4096, 3 * 4096])
def test_no_room_for_a_coder(
    small_questions: pl.DataFrame, tmp_path: Path, disk: Path, capsys: pytest.CaptureFixture[str], left: int
) -> None:
    small = command(tmp_path, small_questions, tmp_path, 1)  # for the table
    questions = small[small.index("--questions") + 1]
    arguments = ["fit-coder", "--questions", questions, "--settings", json.dumps({"kind": "classifier"})]
    arguments += ["--scratch", str(disk / "scratch"), "--output", str(disk / "coder")]
    fill(disk, left)
    whole(refused(arguments, capsys), disk)
    (disk / "ballast").unlink()
    assert main(arguments) == 0


def test_a_full_disk_of_the_log_changes_no_status(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, disk: Path
) -> None:
    fill(disk)
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 1)
    arguments[arguments.index("--base") + 1] = str(tmp_path / "nowhere.json")
    process = start(arguments, disk / "log")
    assert process.wait(timeout=120) == 2


def test_wandb_on_a_full_disk_changes_nothing(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    disk: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 1)
    arguments[arguments.index("--scratch") + 1] = str(disk / "training" / "scratch")
    arguments += ["--tracking", json.dumps({"mode": "offline"})]
    fill(disk)
    whole(refused(arguments, capsys), disk)


def test_a_verb_without_a_record_of_its_end_says_it_too(
    disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(disk)
    monkeypatch.chdir(disk)
    message = refused(["write-option", "--settings", '{"mode": "off"}', "--output", str(disk / "option.json")], capsys)
    whole(message, disk)


def test_why_a_job_ended_is_recorded_on_a_full_disk(disk: Path) -> None:
    def fails() -> None:
        fill(disk)
        raise InputError("the user's mistake")

    for _ in range(3):
        with pytest.raises(InputError), recorded(disk / "scratch"):
            fails()
    assert [ending.cause for ending in read_endings(disk / "scratch")] == ["refused"] * 3


# -- what needs no disk --


def test_what_is_said_of_a_full_disk(tmp_path: Path) -> None:
    error = OSError(28, "No space left on device", "from", None, str(tmp_path / "to"))
    free = free_bytes(tmp_path)
    assert free is not None
    message = str(full_disk(error, tmp_path, 1234567, "nothing was saved yet"))
    assert message.startswith(f"{tmp_path / 'to'}: the disk is full (OSError: [Errno 28] No space left on device")
    assert message.endswith("about 1,234,567 are needed; nothing was saved yet; make room and start the same job again")
    assert "bytes are free there" in message
    assert isinstance(full_disk(error, tmp_path), InputError)
    assert full_disk(RuntimeError(), tmp_path / "not" / "yet").cause == "disk-full"


def test_no_folder_for_temporary_files_is_a_full_disk() -> None:
    error = FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']")
    assert cause_of(error) == "disk-full"


def test_a_file_that_cannot_grow_is_named(tmp_path: Path) -> None:
    script = "import resource, sys; from pathlib import Path; from onkocode.records.files import write_text\n"
    script += "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    script += "write_text(Path(sys.argv[1]), 1000 * 'x')"
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "file"], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == f"OSError: [Errno 27] File too large: '{tmp_path / 'file'}'"
    assert list(tmp_path.iterdir()) == []


def test_only_half_written_files_are_removed(tmp_path: Path) -> None:
    for name in (".a.json.7.tmp.json", ".a.7.tmp", ".hidden", "a.json", ".a.tmp.more.words"):
        write_text(tmp_path / name, "")
    (tmp_path / ".previous-7.12.tmp").mkdir()
    (tmp_path / ".previous-7.12.tmp" / "file").touch()
    remove_half_written(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.tmp.more.words", ".hidden", "a.json"]
