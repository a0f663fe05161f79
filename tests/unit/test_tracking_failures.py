"""W&B that fails in all ways: the job goes on, its numbers are kept, and one line says so."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode import tracking
from onkocode.cli import main
from onkocode.config.schema import Tracking
from onkocode.tracking import TrackedRun

from .test_tracking import history, measure, records
from .training_jobs import command, rows_of, same, without_clock

KEY = "0123456789" * 4
GENEROUS = 120  # seconds: a machine may be busy, but nothing waits for ever

# Stands for wandb: does what it is told at one place, and otherwise writes rows to where an offline run has them.
PRETENDED = """
import atexit, os, pathlib, signal, sys, time

def reach(place):
    if place == os.environ.get("PLACE") and (mode == "online" or os.environ.get("ALWAYS")):
        print("noise of wandb", file=sys.stderr, flush=True)
        print("noise of wandb", flush=True)
        exec(os.environ["ACT"])

class Settings:
    def __init__(self, **settings): pass

class Run:
    def __init__(self, dir):
        self.file = pathlib.Path(dir) / "wandb" / f"{mode}-run-1" / "run-1.wandb"
        self.file.parent.mkdir(parents=True)
        self.dir = str(self.file.parent / "files")
    def define_metric(self, name, step_metric): pass
    def log(self, values):
        reach("log")
        with self.file.open("a") as stream: print(values, file=stream)
    def finish(self, exit_code):
        reach("finish")

def init(dir, settings, **called):
    global mode
    mode = called["mode"]
    reach("init")
    return Run(dir)

def teardown():
    reach("teardown")

mode = "online"
reach("import")
"""
ACTS = {
    "raises": ("raise RuntimeError('out of order')", "out of order"),
    "exits": ("sys.exit(7)", "SystemExit"),
    "vanishes": ("os._exit(0)", "its process ended"),
    "dies": ("os.kill(os.getpid(), signal.SIGKILL)", "its process ended"),
    "hangs": ("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); time.sleep(600)", "no answer within"),
    "interrupts": ("os.kill(os.getppid(), 0) or (_ for _ in ()).throw(KeyboardInterrupt)", "KeyboardInterrupt"),
}
PLACES = ("import", "init", "log", "finish", "teardown")


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    start = time.monotonic()
    yield
    assert time.monotonic() - start < GENEROUS


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, act: str) -> None:
    (folder / "pretended").mkdir()
    (folder / "pretended" / "wandb.py").write_text(PRETENDED, encoding="utf-8")
    paths = [str(folder / "pretended"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("PLACE", place)
    monkeypatch.setenv("ACT", act)


def use(folder: Path, mode: str = "online") -> None:
    """Log three rows."""
    with TrackedRun(Tracking.model_validate({"mode": mode}), "tiny", "train", 1, {"seed": 3}, folder) as run:
        for step in (1, 2, 3):
            run.log({"train/loss": 0.5 * step}, step)


def only_line(capfd: pytest.CaptureFixture[str]) -> str:
    """Return the only line that the log has got, by this process or any other."""
    written = capfd.readouterr()
    assert written.out == ""
    (line,) = written.err.splitlines()
    assert line.startswith("onkocode: tracking: ")
    assert KEY not in line
    return line


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("place", PLACES)
def test_whatever_wandb_does_the_numbers_go_to_an_offline_run(
    place: str, act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pretend(tmp_path, monkeypatch, place, ACTS[act][0])
    monkeypatch.setattr(tracking, "CLOSING", 1.5)
    if place == "import":  # happens again for the offline run
        use(tmp_path / "run")
        assert tracking.KEPT in only_line(capfd)
        return
    use(tmp_path / "run")
    line = only_line(capfd)
    assert ACTS[act][1] in line or "no answer" in line
    (file,) = tmp_path.glob("run/wandb/offline-run-1/run-1.wandb")
    assert line.endswith(f"wandb sync {file.parent}")
    assert [row.count("train/loss") for row in file.read_text(encoding="utf-8").splitlines()] == [1, 1, 1]


@pytest.mark.parametrize("place", PLACES)
def test_if_an_offline_run_fails_as_well_one_line_says_where_the_numbers_are(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pretend(tmp_path, monkeypatch, place, "raise OSError('disk full')")
    monkeypatch.setenv("ALWAYS", "1")
    use(tmp_path / "run")
    line = only_line(capfd)
    assert line.count("disk full") == 2
    assert line.endswith(tracking.KEPT)


def test_job_that_fails_or_leaves_waits_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, "init", "time.sleep(600)")
    monkeypatch.setenv("ALWAYS", "1")
    monkeypatch.setattr(tracking, "LEAVING", 0.5)
    monkeypatch.setattr(tracking, "CLOSING", 600)
    with (
        pytest.raises(KeyError),
        TrackedRun(Tracking.model_validate({"mode": "online"}), "t", "train", 1, {}, tmp_path),
    ):
        raise KeyError


def test_logging_never_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far more rows than a pipe holds, to a process that reads none."""
    pretend(tmp_path, monkeypatch, "init", "time.sleep(600)")
    monkeypatch.setattr(tracking, "CLOSING", 1)
    with TrackedRun(Tracking.model_validate({"mode": "online"}), "tiny", "train", 1, {}, tmp_path) as run:
        for step in range(5000):
            run.log({f"train/number-{number}": 1.0 for number in range(10)}, step)
    (file,) = tmp_path.glob("wandb/offline-run-1/run-1.wandb")
    assert len(file.read_text(encoding="utf-8").splitlines()) == 5000


def test_training_learns_of_a_failure_at_the_next_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "malformed")
    with TrackedRun(Tracking.model_validate({"mode": "online"}), "tiny", "train", 1, {}, tmp_path) as run:
        deadline = time.monotonic() + GENEROUS
        said = ""
        while not said and time.monotonic() < deadline:
            time.sleep(0.1)
            run.log({"train/loss": 1.0}, 1)
            said = capfd.readouterr().err
        assert "WANDB_API_KEY invalid" in said
        assert "malformed" not in said
        run.log({"train/loss": 0.25}, 2)
    assert capfd.readouterr().err == ""
    assert history(records(tmp_path))[-1]["train/loss"] == 0.25


def answering(status: int, body: bytes) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that fails in the way that the parameter names."""
    kind = request.param
    with ExitStack() as stack:
        if kind in ("closed", "silent"):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            if kind == "silent":
                listener.listen(50)
            port = listener.getsockname()[1]
        else:
            web = ThreadingHTTPServer(("127.0.0.1", 0), answering(*kind))
            stack.callback(web.server_close)
            thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(web.shutdown)
            port = web.server_port
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
        yield


SERVERS = [
    "closed",
    "silent",
    pytest.param((401, b'{"errors": [{"message": "user is not logged in"}]}'), marks=pytest.mark.full),
    pytest.param((500, b"broken"), marks=pytest.mark.full),
    pytest.param((200, b"\xff\xfe no JSON"), marks=pytest.mark.full),
    pytest.param((200, b'{"data": null}'), marks=pytest.mark.full),
]


@pytest.mark.parametrize("server", SERVERS, indirect=True, ids=str)
def test_server_that_fails_changes_no_metrics(
    server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracking, "OPENING", 2.0)
    (tmp_path / "off").mkdir()
    (tmp_path / "online").mkdir()
    off = measure(tmp_path / "off", '{"mode": "off"}')
    capfd.readouterr()
    online = measure(tmp_path / "online", '{"mode": "online"}')
    assert "wandb sync" in only_line(capfd)
    assert online.read_bytes() == off.read_bytes()
    (row,) = history(records(online.parent))
    assert row["evaluate/free/clinic/icd10/all/accuracy/all"] == 0.75


@pytest.mark.parametrize("key", ["", "short", "two\nlines " * 8], ids=["none", "short", "lines"])
def test_missing_or_malformed_key(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", key)
    use(tmp_path)
    line = only_line(capfd)
    assert re.search("(?i)api.key", line)
    assert not key or key.strip() not in line
    assert [row["train/loss"] for row in history(records(tmp_path))] == [0.5, 1.0, 1.5]


def test_service_killed_in_mid_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    offline = Tracking.model_validate({"mode": "offline"})
    with TrackedRun(offline, "tiny", "train", 1, {}, tmp_path) as run:
        run.log({"train/loss": 4.0}, 1)
        process = run._process
        assert process is not None
        assert process.wait_until_open(GENEROUS)
        listed = subprocess.check_output(["pgrep", "-P", str(process._process.pid)], text=True)
        for pid in listed.split():
            os.kill(int(pid), signal.SIGKILL)
        run.log({"train/loss": 2.0}, 2)
    place = Path(only_line(capfd).rsplit(" ", 1)[1])
    (tmp_path / "again" / "wandb").mkdir(parents=True)
    place.rename(tmp_path / "again" / "wandb" / place.name)
    assert [row["train/loss"] for row in history(records(tmp_path / "again"))] == [4.0, 2.0]


def test_folder_that_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wandb").write_text("a file", encoding="utf-8")
    use(tmp_path, "offline")
    assert only_line(capfd).endswith(tracking.KEPT)


def test_full_disk(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No file may have more than 1 KiB, which wandb itself does not notice."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        use(tmp_path, "offline")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert only_line(capfd).endswith(tracking.KEPT)


@pytest.mark.parametrize(
    "place", ["log", pytest.param("init", marks=pytest.mark.full), pytest.param("finish", marks=pytest.mark.full)]
)
def test_training_is_the_same_with_and_without(
    place: str,
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pretend(tmp_path, monkeypatch, place, ACTS["hangs"][0])
    monkeypatch.setattr(tracking, "CLOSING", 1.0)
    epochs = []
    for mode in ("off", "online"):
        arguments = command(tiny_models["llama"], small_questions, tmp_path / mode, 1, log_steps=2)
        assert main([*arguments, "--tracking", json.dumps({"mode": mode})]) == 0
        epochs.append(tmp_path / mode / "epoch-1")
    assert "onkocode: tracking: W&B failed" in capfd.readouterr().err
    off, online = epochs
    assert same(off, online)
    assert without_clock(rows_of(off)) == without_clock(rows_of(online))
    names = [sorted(path.relative_to(epoch) for path in epoch.rglob("*")) for epoch in epochs]
    assert names[0] == names[1]
