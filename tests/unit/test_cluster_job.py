"""What runs on the node: steps, marks, signals, records; and the script that starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from onkocode.cluster import hooks, submission, work
from onkocode.cluster.job import TRY_AGAIN, Payload, read_records
from onkocode.cluster.slurm import RefusedError, Row
from onkocode.records.ownership import common_folder, owning


@pytest.fixture
def payload(tmp_path: Path) -> Payload:
    scratch = tmp_path / "scratch"
    return Payload(
        str(tmp_path / "jobs"), ["a"], ["key"], ["true"], [str(scratch), str(tmp_path / "out")], [str(scratch)]
    )


def start(payload: Payload, tmp_path: Path, **variables: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "ONKOCODE_OWNER"}
    process = subprocess.Popen(
        [sys.executable, "-m", "onkocode.cluster.job"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment | {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "gpu1"} | variables,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(payload)))
    process.stdin.close()
    return process


def test_steps_run_one_after_the_other_and_each_has_its_code(payload: Payload, tmp_path: Path) -> None:
    commands = ["echo 1 >> done", "exit 3", "echo 3 >> done"]
    several = replace(payload, names=["a", "b", "c"], keys=["k1", "k2", "k3"], commands=commands)
    assert start(several, tmp_path).wait() == 3
    (record,) = read_records(tmp_path / "jobs", "7")
    assert (record.status, record.codes, record.node, record.keys) == ("ended", [0, 3, 0], "gpu1", ["k1", "k2", "k3"])
    assert (tmp_path / "done").read_text() == "1\n3\n"
    assert not list(tmp_path.rglob("owner.json"))


def test_step_knows_that_the_folders_are_its_own(payload: Payload, tmp_path: Path) -> None:
    program = "from pathlib import Path; from onkocode.records.ownership import check_owned, owning\n"
    folders = f"Path({payload.own[0]!r}), Path({payload.own[1]!r})"
    program += f"with owning({folders}): check_owned({folders})"
    assert start(replace(payload, commands=[f'{sys.executable} -c "{program}"']), tmp_path).wait() == 0


def test_a_second_copy_ends_at_once_and_runs_nothing(payload: Payload, tmp_path: Path) -> None:
    with owning(Path(payload.own[0])):
        process = start(replace(payload, commands=["touch ran"]), tmp_path)
        assert process.wait() == TRY_AGAIN
        assert process.stderr is not None
        assert "works at this already" in process.stderr.read()
    (record,) = read_records(tmp_path / "jobs", "7")
    assert record.status == "owned"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=lambda number: number.name)
def test_step_with_saves_is_asked_to_leave_by_a_file(payload: Payload, tmp_path: Path, number: signal.Signals) -> None:
    # As a real step: what lay there before is forgotten at its begin.
    stop = f"{payload.scratch[0]}/stop"
    command = f"mkdir -p {payload.scratch[0]}; touch begun; sleep 0.3; rm -f {stop}; "
    command += f"while [ ! -e {stop} ]; do sleep 0.05; done; exit {TRY_AGAIN}"
    process = start(replace(payload, commands=[command]), tmp_path)
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=20) == TRY_AGAIN
    (record,) = read_records(tmp_path / "jobs", "7")
    assert record.told == [number.name]
    assert not record.failed


def test_step_without_saves_is_ended(payload: Payload, tmp_path: Path) -> None:
    process = start(replace(payload, commands=["touch begun; exec sleep 60"], own=[], scratch=[]), tmp_path)
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 128 + signal.SIGTERM


def test_a_failed_job_that_the_site_starts_again_ends_itself(payload: Payload, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    scancel = tmp_path / "bin/scancel"
    scancel.write_text('#!/bin/sh\necho "$@" > cancelled\nkill -KILL $PPID\n')
    scancel.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    failing = replace(payload, commands=["echo x >> ran; exit 3"])
    assert start(failing, tmp_path).wait() == 3
    assert start(failing, tmp_path, SLURM_RESTART_COUNT="1", PATH=path).wait() == 3
    start(failing, tmp_path, SLURM_RESTART_COUNT="2", PATH=path).wait(timeout=20)
    assert (tmp_path / "cancelled").read_text() == "7\n"
    assert (tmp_path / "ran").read_text() == "x\nx\n"
    assert [record.status for record in read_records(tmp_path / "jobs", "7")] == ["ended", "ended", "refused"]


@pytest.mark.parametrize("there", [True, False], ids=["outputs are there", "outputs are gone"])
def test_what_an_earlier_start_has_done_is_not_done_again(payload: Payload, tmp_path: Path, there: bool) -> None:
    once = replace(payload, commands=["echo x >> ran; touch result"], outputs=["result"])
    assert start(once, tmp_path).wait() == 0
    if not there:
        (tmp_path / "result").unlink()
    assert start(replace(once, before=["7"]), tmp_path, SLURM_JOB_ID="8").wait() == 0
    assert (tmp_path / "ran").read_text() == ("x\n" if there else "x\nx\n")


def test_a_requeued_job_that_left_goes_on(payload: Payload, tmp_path: Path) -> None:
    leaving = replace(payload, commands=[f"echo x >> ran; exit {TRY_AGAIN}"])
    assert start(leaving, tmp_path).wait() == TRY_AGAIN
    assert start(leaving, tmp_path, SLURM_RESTART_COUNT="1").wait() == TRY_AGAIN
    assert (tmp_path / "ran").read_text() == "x\nx\n"


def test_of_several_steps_a_requeued_job_does_those_that_are_missing(payload: Payload, tmp_path: Path) -> None:
    """Others may read by now what the first ones wrote."""
    commands = ["echo 1 >> done", "[ -e begun ] && echo 2 >> done", "echo 3 >> done"]
    several = replace(payload, names=["a", "b", "c"], keys=["k1", "k2", "k3"], commands=commands)
    assert start(several, tmp_path).wait() == 1
    (tmp_path / "begun").touch()
    assert start(several, tmp_path, SLURM_RESTART_COUNT="1").wait() == 0
    assert (tmp_path / "done").read_text() == "1\n3\n2\n"
    assert read_records(tmp_path / "jobs", "7")[-1].good


@pytest.mark.parametrize("sent", ["before", "after"])
def test_a_job_that_slurm_got_twice_is_done_once(payload: Payload, tmp_path: Path, sent: str) -> None:
    """The other one has a number of which nothing is known; what ended before this was sent counts no longer."""
    once = replace(payload, commands=["echo x >> ran; touch result"], outputs=["result"], sent=time.time() - 5)
    assert start(once, tmp_path, SLURM_JOB_ID="9").wait() == 0
    twin = replace(once, sent=once.sent if sent == "before" else time.time() + 5)
    assert start(twin, tmp_path, SLURM_JOB_ID="8").wait() == 0
    assert (tmp_path / "ran").read_text() == ("x\n" if sent == "before" else "x\nx\n")


@pytest.mark.parametrize("fault", ["none", "python", "folder", "package"])
def test_script_says_what_the_node_lacks(payload: Payload, tmp_path: Path, fault: str) -> None:
    python = tmp_path / "python with 'quotes'"
    body = "exit 1" if fault == "package" else f'PYTHONPATH={os.pathsep.join(sys.path)} exec {sys.executable} "$@"'
    if fault != "python":
        python.write_text(f"#!/bin/sh\n{body}\n")
        python.chmod(0o755)
    folder = tmp_path / ("nowhere" if fault == "folder" else ".")
    script = submission.script_of(str(python), folder, payload)
    done = subprocess.run(["/bin/sh"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == {"none": 0, "folder": 126}.get(fault, 127)
    said = {"none": "", "python": "is not there", "folder": "nowhere is not there", "package": "is not installed"}[
        fault
    ]
    assert said in done.stderr


def test_jobs_are_known_again_by_what_they_write_and_compute_from() -> None:
    folder = Path("/study")
    assert submission.key_of(["b", "a"], folder) == submission.key_of(["a", "b"], folder)
    assert submission.key_of(["a"], folder) != submission.key_of(["a"], Path("/other"))
    # The settings of a step hold what changes no result; its key does not.
    first = submission.contents_of([{"key": "k", "settings": "1"}])
    assert first == submission.contents_of([{"key": "k", "settings": "2"}])
    assert submission.contents_of([{"settings": "1"}]) != submission.contents_of([{"settings": "2"}])
    assert submission.keys_in(submission.comment_of([("k1", "c1"), ("k2", "c2")])) == {"k1": "c1", "k2": "c2"}
    assert submission.keys_in("rule_all") == submission.keys_in("") == {}


def test_adopts_what_is_the_same() -> None:
    def row(state: str, contents: str = "same") -> Row:
        return Row("7", state, comment=submission.comment_of([("key", contents)]))

    def adopt(found: Row, fresh: bool = False) -> Row | None:
        return submission.adoptable([Row("1", "RUNNING", comment="x"), found], "key", "same", lambda _: fresh)

    assert adopt(row("RUNNING")) == row("RUNNING")
    assert adopt(row("PENDING")) == row("PENDING")
    assert adopt(row("COMPLETED")) is None
    assert adopt(row("COMPLETED"), fresh=True) == row("COMPLETED")
    assert adopt(row("FAILED", "other"), fresh=True) is None
    with pytest.raises(RefusedError, match="scancel 7"):
        adopt(row("PENDING", "other"))


@pytest.mark.parametrize(
    ("resources", "options"),
    [
        ({"gpu": 0, "gpu_model": "a40", "gres": ""}, []),
        ({"gpu": 2, "gpu_model": "nvidia_a100-sxm4-80gb", "gres": ""}, ["--nodes=1", "--gpus=nvidia_a100-sxm4-80gb:2"]),
        ({"gpu": 1, "gpu_model": ""}, ["--nodes=1", "--gpus=1"]),
        ({"gpu": 0, "gres": "gpu:a40:2"}, ["--gres=gpu:a40:2"]),
        ({}, []),
    ],
)
def test_gpus_are_asked_for(resources: dict[str, object], options: list[str]) -> None:
    assert submission.gpu_options(resources) == options


def test_names_and_folders() -> None:
    assert submission.name_of("train_epoch", ["qwen3-8b", "2"]) == "train_epoch.qwen3-8b.2"
    assert submission.name_of("a", ["ü b/c", "x" * 200]).startswith("a._b_c.xxx")
    assert len(submission.name_of("a", ["x" * 200])) == submission.NAME_LENGTH
    assert common_folder([Path("r/a/1/x"), Path("r/a/1/y")]) == Path("r/a/1")
    assert common_folder([Path("r/a/1/x"), Path("r/a/2/y/z")]) == Path("r/a")


def test_small_jobs_that_ask_for_the_same_go_together() -> None:
    def job(name: str, bundle: int = 3, memory: int = 10) -> SimpleNamespace:
        return SimpleNamespace(
            name=name, threads=1, resources={"bundle": bundle, "mem_mb": memory}, is_group=lambda: False
        )

    jobs = [job("a"), job("b", 1), job("c"), job("d", memory=20), job("e"), job("f"), job("g", 1)]
    assert [[item.name for item in bundle] for bundle in work.bundles(jobs)] == [
        ["a", "c", "e"],
        ["b"],
        ["d"],
        ["f"],
        ["g"],
    ]


def test_of_failed_jobs_the_end_of_the_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    bars = "".join(f"\r{number} %" for number in range(10**6))
    log.write_text(f"== onkocode train-epoch\n{bars}\nonkocode train-epoch: the data set has no questions\n")
    job = SimpleNamespace(name="train_epoch", wildcards=["a", "1"], log=[log, tmp_path / "b"], is_group=lambda: False)
    shown = list(hooks.ends_of_logs([job]))
    assert shown[0] == f"train_epoch.a.1: the end of {log}"
    assert shown[1:] == [
        "    onkocode train-epoch: the data set has no questions",
        f"train_epoch.a.1: the end of {tmp_path / 'b'} (empty)",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("slurmstepd: error: Exceeded job memory limit", True),
        ("error: Detected 1 oom_kill event in StepId=3.0", True),
        ("slurmstepd: error: Detected 1 oom-kill event(s)", True),
        ("all is well", False),
    ],
)
def test_memory_words(tmp_path: Path, text: str, found: bool) -> None:
    log = tmp_path / "1.log"
    assert not work.exceeded_memory(log)
    log.write_bytes(b"x" * 100_000 + text.encode())
    assert work.exceeded_memory(log) == found
