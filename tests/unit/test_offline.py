"""Jobs that compute reach no network, and say what to do where the model is not visible on their node."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.models.record import read_visible_model
from onkocode.records.errors import InputError
from onkocode.records.offline import VARIABLES
from onkocode.records.schemas import read_table, write_table

from .training_jobs import command

# Every connection fails, is counted, and the job's own process tells what it was closed to.
CUT_OFF = """
import json, os, socket, sys
tried = []
def refuse(self, address, *_):
    tried.append(str(address))
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = lambda *place, **_: refuse(None, place)
from onkocode.cli import main
status = main(sys.argv[2:])
from huggingface_hub import constants
from transformers.utils.hub import is_offline_mode
told = {"tried": tried, "closed": [constants.HF_HUB_OFFLINE, is_offline_mode()]}
open(sys.argv[1], "w").write(json.dumps(told))
sys.exit(status)
"""


def cut_off(arguments: list[str], told: Path) -> dict[str, list[object]]:
    """Run a step in a process without a network; returns what it tried, and what it was closed to."""
    env = {key: value for key, value in os.environ.items() if key not in VARIABLES} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CUT_OFF, str(told), *arguments], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(told.read_text(encoding="utf-8"))
    return found


def asking(folder: Path, condition: str | None = None) -> list[str]:
    """Return the command that asks the trained model, under a further condition where one is named."""
    settings = {"testing": {"precision": "fp32", "batch_size": 8, "max_new_tokens": 12}}
    arguments = ["--model", "tiny", "--epoch", "1", "--base", str(folder / "base.json")]
    arguments += ["--adapter", str(folder / "epoch-1" / "adapter"), "--settings", json.dumps(settings)]
    arguments += ["--questions", f"clinic={folder / 'clinic.parquet'}", "--answers", str(folder / "private/answers")]
    output = folder / "private" / (condition or "free") / "clinic.parquet"
    arguments += ["--scratch", str(folder / "private/scratch"), "--output"]
    if condition:
        return ["evaluate-conditions", *arguments, f"{condition}/clinic={output}"]
    return ["evaluate-checkpoint", "--condition", "free", *arguments, f"clinic={output}"]


def test_training_and_asking_reach_no_network(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, text_table: pl.DataFrame, tmp_path: Path
) -> None:
    write_table(text_table, "questions", tmp_path / "clinic.parquet")
    closed = {"tried": [], "closed": [True, True]}
    training = command(tiny_models["llama"], small_questions, tmp_path, 1)
    assert cut_off(training, tmp_path / "told") == closed
    assert cut_off(asking(tmp_path), tmp_path / "told") == closed
    assert cut_off(asking(tmp_path, "swapped"), tmp_path / "told") == closed
    export = ["export", "--model", "tiny", "--epoch", "1", "--base", str(tmp_path / "base.json"), "--merge"]
    export += ["--adapter", str(tmp_path / "epoch-1/adapter"), "--output", str(tmp_path / "merged")]
    assert cut_off(export, tmp_path / "told") == closed
    assert read_table(tmp_path / "private/free/clinic.parquet", "predictions").height == text_table.height


def test_processes_that_train_together_are_closed_as_well(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, str]] = []
    start = subprocess.Popen.__init__

    def started(self: object, args: list[str], *rest: object, **named: object) -> None:
        if "torch.distributed.run" in args:
            given.append(dict(named["env"]))  # type: ignore[call-overload]
            args = ["false"]
        start(self, args, *rest, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess.Popen, "__init__", started)
    arguments = command(tiny_models["llama"], small_questions, tmp_path, 1, processes=2)
    with pytest.raises(RuntimeError, match="the training processes ended with status 1"):
        main(arguments)
    assert {given[0].get(name) for name in VARIABLES} == {"1"}


def test_model_that_this_node_does_not_see(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_models["llama"], model)
    record = tmp_path / "base.json"
    record.write_text(json.dumps({"path": str(model), "hub": "org/model", "revision": "a" * 40}), encoding="utf-8")
    assert read_visible_model(record, weights=True)["path"] == str(model)
    (model / "model.safetensors").unlink()
    assert read_visible_model(record)["path"] == str(model)
    for lost in ("model.safetensors", "config.json"):
        with pytest.raises(InputError) as caught:
            read_visible_model(record, weights=True)
        assert lost in str(caught.value)
        assert f"is missing on {platform.node()}: the model's directory is not visible on this node" in str(
            caught.value
        )
        assert "put HF_HOME on a shared file system and run prepare-model again" in str(caught.value)
        shutil.rmtree(model, ignore_errors=True)


@pytest.mark.parametrize("verb", ["train-epoch", "evaluate-checkpoint", "evaluate-conditions", "export"])
def test_steps_on_a_node_without_the_model(
    small_questions: pl.DataFrame, tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command(tmp_path / "nowhere", small_questions, tmp_path, 1)
    write_table(small_questions, "questions", tmp_path / "clinic.parquet")
    export = ["export", "--model", "tiny", "--epoch", "1", "--base", str(tmp_path / "base.json"), "--merge"]
    calls = {
        "train-epoch": arguments,
        "evaluate-checkpoint": asking(tmp_path),
        "evaluate-conditions": asking(tmp_path, "swapped"),
        "export": [*export, "--adapter", str(tmp_path), "--output", str(tmp_path / "merged")],
    }
    assert main(calls[verb]) == 2
    said = capsys.readouterr().err
    assert f"onkocode {verb}: {tmp_path / 'nowhere' / 'config.json'}: is missing on {platform.node()}" in said
    assert "put it on a shared file system" in said
