"""Logs of jobs of the workflow: a heading for each try, and what stays of tries before."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from onkocode.records.log_file import KEPT, heading
from onkocode.records.private import VARIABLE

GOOD = ["write-option", "--settings", "{}", "--output"]
TEXT = "Geheimkarzinom"


def run(log: Path, arguments: list[str], *, of_workflow: bool = True, apart: bool = False, **variables: str) -> int:
    """Run a verb as a rule does, with its outputs added to the log."""
    env = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "SLURM_JOB_ID")} | variables
    env |= {VARIABLE: "private"} if of_workflow else {}
    with log.open("ab") as stream, log.with_suffix(".out").open("ab") as other:
        command = [sys.executable, "-m", "onkocode.cli", *arguments]
        return subprocess.run(command, stdout=other if apart else stream, stderr=stream, env=env).returncode


def read(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines()


def test_each_try_has_a_heading_and_earlier_logs_stay(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    bad = ["write-option", "--settings", f"{{{TEXT}", "--output", str(tmp_path / TEXT)]
    for number in (1, 2):
        assert run(log, bad, SLURM_JOB_ID="123", SLURM_RESTART_COUNT=str(number - 1)) == 2
        first, message = read(log.with_name(f"job.log.{number}"))
        restart = r" \(restart 1\)" if number == 2 else ""
        time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
        assert re.fullmatch(
            rf"== onkocode write-option, {time}, node {os.uname().nodename}, SLURM job 123{restart}", first
        )
        assert TEXT not in first
        assert "--settings" in message
        log.unlink()  # as Snakemake does
    assert run(log, [*GOOD, str(tmp_path / "option.json")]) == 0
    assert [line[:24] for line in read(log)] == ["== onkocode write-option"]
    assert sorted(path.name for path in tmp_path.glob("job.log*")) == ["job.log", "job.log.1", "job.log.2"]


def test_a_log_that_nobody_removed_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    for _ in range(2):
        assert run(log, ["write-option"]) == 2
    assert len([line for line in read(log) if line.startswith("== ")]) == 2
    assert sorted(path.name for path in tmp_path.glob("job.log*")) == ["job.log", "job.log.1"]
    assert run(log, [*GOOD, str(tmp_path / "option.json")]) == 0
    assert [path.name for path in tmp_path.glob("job.log*")] == ["job.log"]


def test_the_oldest_logs_go(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    for number in range(3, 3 + KEPT + 2):
        log.with_name(f"job.log.{number}").write_text(str(number))
    log.with_name("job.log.txt").write_text("another")
    assert run(log, ["write-option"]) == 2
    numbers = {path.name.removeprefix("job.log.") for path in tmp_path.glob("job.log.*")}
    assert numbers == {str(number) for number in range(6, 3 + KEPT + 3)} | {"txt"}


@pytest.mark.parametrize(("of_workflow", "apart"), [(False, False), (True, True)])
def test_commands_of_people_have_no_heading(tmp_path: Path, of_workflow: bool, apart: bool) -> None:
    log = tmp_path / "job.log"
    assert run(log, ["write-option"], of_workflow=of_workflow, apart=apart) == 2
    assert [line for line in read(log) if line.startswith("==")] == []
    assert [path.name for path in tmp_path.glob("job.log*")] == ["job.log"]


@pytest.mark.parametrize(
    ("job", "restarts", "end"), [("7", "", ", SLURM job 7"), ("7", "0", ", SLURM job 7"), ("x", "1", "")]
)
def test_what_is_said_of_slurm(job: str, restarts: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", job)
    monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
    assert heading("onkocode x").endswith(f"node {os.uname().nodename}{end}")
