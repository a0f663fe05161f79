"""The verb `status`: every state and cause, from made-up folders and a made-up queue."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from onkocode.cli import main
from onkocode.cluster import screen, show
from onkocode.cluster.reasons import CAUSES, PAUSES
from onkocode.cluster.running import NOTE, note_start
from onkocode.cluster.sources import Progress, Sources
from onkocode.cluster.status import State, Status, look
from onkocode.records.endings import Cause
from onkocode.records.ownership import read_owner, this_process

from .made_up_study import FILES, MODEL, ROOT, MadeUp, aged, fake_squeue, made_up, row
from .terminals import on_terminal, says_the_same

FIRST, SECOND, THIRD = (f"train_epoch.{MODEL}.{epoch}" for epoch in (1, 2, 3))
ASKED = f"evaluate_checkpoint.{MODEL}.0"
ARGUMENTS = ["status", "--config", *map(str, FILES)]


@pytest.fixture(scope="module")
def planned() -> MadeUp:
    return made_up()


@pytest.fixture
def begun(planned: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """The quickstart in an empty folder, on a machine without SLURM."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("COLUMNS", "80")
    return planned


def with_queue(folder: Path, monkeypatch: pytest.MonkeyPatch, *rows: str, **how: Any) -> None:
    monkeypatch.setenv("PATH", f"{fake_squeue(folder, rows, **how)}:/usr/bin:/bin")


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*ARGUMENTS, *arguments]) == 0
    return capsys.readouterr().out


# -- states ---------------------------------------------------------------------------------------------------------


def test_in_an_empty_folder_all_waits(begun: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    found = begun.statuses()
    assert {status.state for status in found.values()} == {"waiting"}
    assert found[FIRST].reason == f"waits for prepare_model.{MODEL}"
    assert found[SECOND].reason == f"waits for {FIRST}"
    text = shown(capsys)
    assert "Training: 0 of 13 done" in text
    assert "Snakemake does not run here" in text


def test_done_is_what_has_all_its_outputs(begun: MadeUp) -> None:
    begun.finish(FIRST, "fit_coder.lexicon", ASKED)
    found = begun.statuses()
    assert [found[name].state for name in (FIRST, "fit_coder.lexicon", ASKED)] == ["done"] * 3
    assert (found[SECOND].state, found[SECOND].reason) == ("waiting", "not begun")
    for output in begun.job(FIRST).outputs:
        Path(output).unlink()
        assert begun.status(FIRST).state == "waiting"
        Path(output).touch()
    Path("private/predictions/tiny-llama/epoch-0/free/example.parquet").unlink()
    assert begun.status(ASKED).state == "waiting"


def test_a_job_with_a_living_owner_runs(begun: MadeUp) -> None:
    begun.owned(FIRST)
    said = {"task": "training", "done": 43, "total": 118, "unit": "step", "loss": 1.5, "left_seconds": 300.0}
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - 60))
    begun.scratch(FIRST, "progress.json", said | {"seconds": 9, "updated": moment})
    found = begun.status(FIRST)
    assert (found.state, found.where) == ("running", f"process {os.getpid()} on node {os.uname().nodename}")
    assert found.progress is not None
    assert (found.progress.percent, found.progress.loss, found.progress.unit) == (36, 1.5, "step")
    assert found.progress.left_seconds == pytest.approx(240, abs=5)
    (line,) = show.running(found, 200)
    assert "step 43 of 118 (36%), loss 1.5, 4 min left" in line
    assert begun.status(SECOND).reason == f"waits for {FIRST}"


def test_a_job_that_gave_a_sign_of_life_runs(begun: MadeUp) -> None:
    begun.ended(FIRST, "running", age=60)
    assert begun.status(FIRST).state == "running"
    begun.ended(FIRST, "running", age=200)
    assert (begun.status(FIRST).state, begun.status(FIRST).cause) == ("failed", "killed")
    begun.ended(FIRST, "running")
    begun.dead_owner(FIRST)
    assert begun.status(FIRST).state == "failed"  # its owner is known to be dead
    begun.owned(FIRST, host="elsewhere", node="n7", job="4711")
    found = begun.status(FIRST)
    assert (found.state, found.slurm, found.where) == ("running", "4711", "SLURM job 4711")


def test_scratch_that_nobody_works_at_is_stale(begun: MadeUp) -> None:
    begun.scratch(SECOND, "step_size", "4")
    begun.dead_owner(SECOND)
    found = begun.status(SECOND)
    assert (found.state, found.next) == ("stale", "goes on when Snakemake is started")
    Path(begun.job(THIRD).scratch).mkdir(parents=True)  # empty: nothing was begun
    assert begun.status(THIRD).state == "waiting"
    begun.finish(SECOND)  # outputs count before what lies in scratch
    assert begun.status(SECOND).state == "done"


@pytest.mark.parametrize("cause", [cause for cause in (*get_args(Cause)[:-1], *CAUSES) if isinstance(cause, str)])
def test_every_cause_has_a_reason_and_a_next_step(begun: MadeUp, cause: str) -> None:
    if cause == "running":
        return
    begun.ended(SECOND, cause)
    log = begun.logged(SECOND, "onkocode train-epoch: the gradient is 0\n")
    found = begun.status(SECOND)
    assert found.cause == cause
    assert found.state == ("stale" if cause in PAUSES else "failed")
    assert found.reason
    assert found.next
    text = "\n".join(show.failure(found, 80))
    assert f"log: {log}" in text
    assert "next: " in text


def test_next_steps(begun: MadeUp) -> None:
    for cause, words in {
        "memory": "asks for more at the next try; or set resources.max_memory_mb",
        "disk-full": "make room in scratch/training/tiny-llama/epoch-2, start Snakemake again",
        "refused": "see to what the log says, then start Snakemake again",
        "stopped": "goes on by itself while Snakemake runs, else start Snakemake again",
    }.items():
        begun.ended(SECOND, cause)
        assert words in begun.status(SECOND).next


def test_the_reason_is_the_last_message_of_the_log(begun: MadeUp) -> None:
    begun.ended(SECOND, "failed")
    begun.scratch(SECOND, "failure.json", {"message": "no attempt\nleft"})
    assert begun.status(SECOND).reason == "no attempt left"
    lines = ["onkocode train-epoch: older", "Traceback (most recent call last):", "ValueError: raised", ""]
    begun.logged(SECOND, "\n".join(lines[1:]))
    assert begun.status(SECOND).reason == "ValueError: raised"
    begun.logged(SECOND, "\n".join([*lines, " 43%|####  | 43/100\rbar", "wandb: goodbye"]))
    assert begun.status(SECOND).reason == "onkocode train-epoch: older"
    begun.logged(SECOND, f"onkocode train-epoch: {'long ' * 1000}\n")
    assert len(begun.status(SECOND).reason) <= 300


def test_a_log_alone_tells_of_an_error(begun: MadeUp) -> None:
    begun.logged("build_questions.example", "onkocode build-questions: no such catalogue\n")
    begun.logged("score_checkpoint.tiny-llama.0", "torch: a warning about Errors\nonkocode: tracking: no key\n")
    begun.logged("collect_metrics", "/bin/sh: line 1: 4711 Killed\n")
    found = begun.statuses()
    assert found["build_questions.example"].state == "failed"
    assert found["build_questions.example"].reason == "onkocode build-questions: no such catalogue"
    assert found["score_checkpoint.tiny-llama.0"].state == "waiting"
    assert found["collect_metrics"].state == "failed"
    begun.finish("build_questions.example")
    assert begun.status("build_questions.example").state == "done"


def test_what_failed_before_this_start_of_snakemake_waits(begun: MadeUp) -> None:
    begun.ended(FIRST, "killed", age=500)
    begun.ended(f"train_epoch.tiny-qwen3-s.{1}", "failed")
    begun.logged("collect_metrics", "", age=500)
    begun.logged("break_down", "")
    locks = Path(".snakemake/locks")
    locks.mkdir(parents=True)
    (locks / "0.input.lock").touch()
    aged(locks / "0.input.lock", 100)
    found = begun.statuses()
    assert (found[FIRST].state, found["train_epoch.tiny-qwen3-s.1"].state) == ("waiting", "failed")
    assert "it was killed" in found[FIRST].reason
    assert (found["collect_metrics"].state, found["break_down"].state) == ("waiting", "running")
    (locks / "0.input.lock").unlink()
    assert begun.status(FIRST).state == "failed"


def locked(age: float) -> None:
    """Leave a lock as a Snakemake does that was started so many seconds ago."""
    lock = Path(".snakemake/locks/0.input.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    aged(lock, age)


def noted(age: float, **changes: Any) -> None:
    """Write which process that Snakemake is; by default this one."""
    NOTE.write_text(json.dumps(asdict(this_process()) | changes), encoding="utf-8")
    aged(NOTE, age)


GONE: dict[str, Any] = {"pid": 2**22 + 1}
ELSEWHERE: dict[str, Any] = {"host": "login2", "node": "login2"}


def test_a_killed_snakemake_runs_no_longer(begun: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    """It leaves its locks, and the logs of jobs that it had begun."""
    begun.logged("collect_metrics", "")
    begun.ended(FIRST, "killed", age=500)
    locked(100)
    note_start()
    assert read_owner(NOTE) == replace(this_process(), token=read_owner(NOTE).token)  # type: ignore[union-attr]
    assert begun.status("collect_metrics").state == "running"
    noted(99, **GONE)
    found = begun.statuses()
    assert (found["collect_metrics"].state, found[FIRST].state) == ("waiting", "failed")
    assert "Snakemake does not run here" in shown(capsys)
    noted(99, started=1)  # its number was given to another process
    assert begun.status("collect_metrics").state == "waiting"


@pytest.mark.parametrize("note", [{"age": 200, **GONE}, {"age": 99, **ELSEWHERE}, None])
def test_a_snakemake_out_of_sight_runs_while_its_jobs_write(begun: MadeUp, note: dict[str, Any] | None) -> None:
    """One of another machine; one that said nothing, whose locks are younger than the note of an earlier one."""
    locked(100)
    if note is not None:
        noted(**note)
    begun.logged("collect_metrics", "")
    assert begun.status("collect_metrics").state == "running"
    locked(9000)
    if note is not None:
        noted(**{**note, "age": note["age"] + 8900})
    begun.logged("collect_metrics", "", age=7300)
    found = begun.status("collect_metrics")
    assert (found.state, found.reason[:29]) == ("stale", "no line in its log for 2 h, a")
    assert "start it again" in found.next


def test_a_quiet_job_of_a_snakemake_in_sight_runs(begun: MadeUp) -> None:
    locked(9000)
    noted(8999)
    begun.logged("collect_metrics", "", age=7300)
    assert begun.status("collect_metrics").state == "running"


def test_who_may_not_write_sees_that_an_owner_is_dead(begun: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    begun.owned(FIRST, **ELSEWHERE)
    mark = Path(begun.job(FIRST).scratch) / "owner.json"

    def refused(path: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "touch", refused)
    assert begun.status(FIRST).state == "running"
    aged(mark, 200)
    assert begun.status(FIRST).state == "stale"


# -- SLURM ----------------------------------------------------------------------------------------------------------


def test_a_job_is_known_by_its_key(begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        row(7, "PENDING", comment=begun.comment(FIRST), reason="Priority"),
        row(8, "PENDING", comment=begun.comment(ASKED), reason="Resources", starts="2026-12-01T04:30:00"),
        row(9, "RUNNING", comment=begun.comment(SECOND), node="n3"),
        row(3, "FAILED", comment=begun.comment(SECOND)),  # an earlier one
        row(10, "RUNNING", name=THIRD, comment="onkocode 0123456789abcdef:x"),  # of another study
    ]
    with_queue(tmp_path, monkeypatch, *rows)
    found = begun.statuses()
    assert (found[FIRST].state, found[FIRST].slurm) == ("queued", "7")
    assert found[FIRST].reason == "others go first (Priority), place 1 among your jobs"
    assert found[ASKED].reason == "no node is free (Resources), may start 2026-12-01 04:30"
    assert (found[SECOND].state, found[SECOND].where) == ("running", "SLURM job 9 on node n3")
    assert found[THIRD].state == "waiting"
    assert (tmp_path / "asked").read_text().count("\n") == 1  # asked once


def test_a_job_is_known_by_its_name_where_slurm_keeps_no_comment(
    begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_queue(tmp_path, monkeypatch, row(7, "RUNNING", name=FIRST, node="n1"), "half a li", "")
    assert begun.status(FIRST).state == "running"


def test_a_job_that_slurm_will_never_start_says_what_to_do(
    begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_queue(tmp_path, monkeypatch, row(7, "PENDING", name=FIRST, reason="PartitionTimeLimit"))
    assert "config/site.yaml" in begun.status(FIRST).next
    assert "In the queue (1): PartitionTimeLimit; it asks for more time" in " ".join(shown(capsys).split())


@pytest.mark.parametrize(
    ("state", "cause"),
    [("OUT_OF_MEMORY", "memory"), ("TIMEOUT", "time"), ("CANCELLED by 1000", "cancelled"), ("NODE_FAIL", "node")],
)
def test_slurm_says_why_a_job_ended_that_could_not(
    begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, cause: str
) -> None:
    with_queue(tmp_path, monkeypatch, row(7, state, name=FIRST))
    begun.ended(FIRST, "running", age=500)
    assert begun.status(FIRST).cause == cause


def test_without_an_answer_of_slurm_files_count(
    begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_queue(
        tmp_path,
        monkeypatch,
        row(7, "RUNNING", name=FIRST),
        code=1,
        error="squeue: error: Unable to contact controller\nmore",
    )
    begun.owned(SECOND)
    found = begun.statuses()
    assert (found[FIRST].state, found[SECOND].state) == ("waiting", "running")
    text = " ".join(shown(capsys).split())
    assert "from files alone: Unable to contact controller Training:" in text


def test_records_of_slurm_jobs(begun: MadeUp) -> None:
    begun.record(FIRST, 5, age=60)
    begun.record(FIRST, 4, age=300, status="ended", codes=[1])
    begun.record(SECOND, 900, age=9000, status="ended", codes=[1])  # of a SLURM that numbered its jobs otherwise
    begun.record(SECOND, 10, status="ended", codes=[2])
    begun.record(THIRD, 11, status="ended", codes=[75])
    begun.record("collect_metrics", 12, age=600)
    found = begun.statuses()
    assert (found[FIRST].state, found[FIRST].where) == ("running", "SLURM job 5 on node n1")
    assert (found[SECOND].state, found[SECOND].reason) == ("failed", "exit code 2")
    assert (found[THIRD].state, found[THIRD].cause) == ("stale", "stopped")
    assert found["collect_metrics"].state == "waiting"  # it gives no sign of life


def test_a_job_that_never_began_is_told_of_by_the_log_of_slurm(
    begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_queue(tmp_path, monkeypatch, row(7, "FAILED", name=FIRST), row(8, "FAILED", name=SECOND))
    log = Path("logs/slurm/rule_train_epoch/tiny-llama_1/7.log")
    log.parent.mkdir(parents=True)
    log.write_text("onkocode: on node n3: python is not there\n", encoding="utf-8")
    found = begun.statuses()
    assert (found[FIRST].state, found[FIRST].log) == ("failed", str(log))
    assert found[FIRST].reason == "onkocode: on node n3: python is not there"
    assert (found[SECOND].reason, found[SECOND].log) == ("SLURM job 8 failed before it began", begun.job(SECOND).log)
    assert f"log: {log}\n    | onkocode: on node n3" in shown(capsys, "--failed")


# -- what is broken -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '"text"', "\x00\xff", '{"done": "x", "total": []}', '{"done": 1}', "[1"]
)
def test_broken_and_half_written_files(begun: MadeUp, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (FIRST, ASKED):
        for file in ("endings.json", "owner.json", "progress.json", "failure.json"):
            begun.scratch(name, file, content)
    Path("logs/slurm/jobs").mkdir(parents=True)
    Path("logs/slurm/jobs/1-0.json").write_text(content)
    Path("logs/slurm/jobs/no-number.json").write_text(content)
    Path("logs/slurm/jobs/2-0.json").mkdir()
    assert begun.status(FIRST).state == "stale"
    shown(capsys)
    begun.owned(FIRST)
    assert (begun.status(FIRST).state, begun.status(FIRST).progress) == ("running", None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"done": 1, "total": 0}, Progress(1, 0)),
        ({"done": 5, "total": 4, "loss": float("nan"), "unit": 3}, Progress(5, 4)),
        ({"done": 1, "total": 4, "loss": -1, "left_seconds": -5}, Progress(1, 4, loss=-1.0)),
        ({"done": True, "total": 4}, None),
        ({"done": 1, "total": 4, "updated": "yesterday", "left_seconds": "soon"}, Progress(1, 4)),
    ],
)
def test_progress_is_read_tolerantly(begun: MadeUp, said: dict[str, Any], expected: Progress | None) -> None:
    file = begun.scratch(FIRST, "progress.json", said)
    found = Sources(Path.cwd(), "logs").progress(str(file.parent))
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        same = ("done", "total", "unit", "loss", "left_seconds")
        assert [getattr(found, name) for name in same] == [getattr(expected, name) for name in same]
        assert found.percent in (None, 25, 100)


def test_a_job_without_progress_for_long_says_so(begun: MadeUp) -> None:
    begun.owned(FIRST)
    begun.scratch(FIRST, "progress.json", {"done": 1, "total": 4, "updated": time.time() - 1500})
    assert "no step for 25 min" in show.running(begun.status(FIRST), 100)[0]


# -- other studies --------------------------------------------------------------------------------------------------


def test_replicates_published_adapters_and_fitted_coders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = {"label": "Other", "family": "F", "base": {"hub": "a/b"}, "data": "example", "preset": "tiny"}
    adapter = {name: value for name, value in recipe.items() if name != "preset"}
    adapter |= {"kind": "published-adapter", "adapter": {"hub": "c/d"}}
    change = {
        "models": ["seeded", "published", "lexicon"],
        "recipes": {"seeded": recipe | {"seeds": [1, 2]}, "published": adapter | {"label": "Published"}},
        "pathvars": {"results": "out", "logs": "protocols", "scratch": str(tmp_path / "fast"), "private": "closed"},
        "evaluation": {"primary": None},
    }
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(change))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    files = [*FILES, file]
    begun = made_up(files)
    begun.finish("train_epoch.seeded.s1.1", "fit_coder.lexicon", "fetch_adapter.published")
    assert Path("out/training/lexicon/epoch-1/coder").exists()
    begun.scratch("train_epoch.seeded.s2.2", "step_size", "1")
    assert (tmp_path / "fast/training/seeded.s2/epoch-2/step_size").exists()
    begun.logged("evaluate_checkpoint.published.1", "onkocode evaluate-checkpoint: no\n")
    assert main(["status", "--config", *map(str, files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    training, evaluation = (
        lines.index("Training: 2 of 7 done, 1 stale"),
        next(number for number, line in enumerate(lines) if line.startswith("Evaluation: 0 of ")),
    )
    rows = {line.split()[0]: line.split()[1:] for line in lines[training + 2 : training + 5]}
    assert rows == {"seeded.s1": ["done", ".", "."], "seeded.s2": [".", "stale", "."], "lexicon": ["done", "-", "-"]}
    asked = {line.split()[0]: line.split()[1:] for line in lines[evaluation + 2 : evaluation + 6]}
    assert asked["seeded.s2"][0] == "-"  # it shares its base with the first one
    assert asked["published"] == [".", "FAIL", "-", "-"]
    assert asked["lexicon"] == ["-", ".", "-", "-"]
    assert "log: protocols/evaluate_checkpoint/published/epoch-1.log" in "\n".join(lines)
    assert main(["status", "--config", *map(str, files), "--model", "seeded"]) == 0
    assert "Training: 1 of 6 done" in capsys.readouterr().out


def test_a_model_that_is_none_is_refused(begun: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ARGUMENTS, "--model", "tiny-lama"]) == 2
    assert "did you mean 'tiny-llama'?" in capsys.readouterr().err


# -- what is shown --------------------------------------------------------------------------------------------------


def busy(begun: MadeUp, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something of everything happen."""
    begun.finish(FIRST, ASKED, "fit_coder.lexicon")
    begun.owned(SECOND)
    begun.scratch(SECOND, "progress.json", {"done": 43, "total": 100, "unit": "step", "loss": 1.25})
    begun.ended("train_epoch.tiny-qwen3-s.1", "memory")
    begun.ended("evaluate_checkpoint.tiny-llama.1", "failed")
    begun.logged("evaluate_checkpoint.tiny-llama.1", "x" * 60 + "\nonkocode evaluate-checkpoint: " + "word " * 40)
    begun.scratch("train_epoch.tiny-qwen3-m.1", "step_size", "4")
    with_queue(folder, monkeypatch, row(7, "PENDING", name="evaluate_thinking.tiny-qwen3-s.0", reason="Priority"))


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_it_fits_the_terminal(
    begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    busy(begun, tmp_path, monkeypatch)
    monkeypatch.setenv("COLUMNS", str(width))
    text = shown(capsys)
    paths = [line for line in text.splitlines() if line.startswith("    log: ")]
    assert max(len(line) for line in text.splitlines() if line not in paths) <= width
    assert len(paths) == 2
    assert text.isascii()
    assert "\x1b" not in text


def test_cells_and_details(
    begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    busy(begun, tmp_path, monkeypatch)
    text = shown(capsys)
    cells = [line.split() for line in text.splitlines()]
    assert ["tiny-llama", "done", "43%", "."] in cells
    assert ["tiny-llama", "1/2", "FAIL", ".", "."] in cells
    assert ["tiny-qwen3-s", "FAIL", ".", "."] in cells
    assert ["tiny-qwen3-s", "queue", ".", ".", "."] in cells
    assert ["tiny-qwen3-m", "stale", ".", "."] in cells
    assert f"  {SECOND}: step 43 of 100 (43%), loss 1.25, process" in text
    failed = text[text.index("Failed (2)") :]
    assert "train_epoch.tiny-qwen3-s.1: out of main memory" in failed
    assert "    next: asks for more at the next try" in failed
    assert "    log: logs/evaluate_checkpoint/tiny-llama/epoch-1.log" in failed
    assert "43%, run" not in text
    assert "run, 43% = running" in text


def test_other_jobs_are_counted_and_the_failed_ones_named(begun: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    begun.finish("write_option.consent", "write_config")
    begun.logged("check_leakage.example", "onkocode check-leakage: a text stands in training\n")
    text = shown(capsys)
    assert "Questions: 1 of 16 done, 1 failed: check_leakage.example" in text
    assert "Figures: 1 of 22 done" in text


def test_many_details_are_cut(begun: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    failing = [name for name in begun.jobs if name.startswith(("train_epoch", "evaluate_checkpoint"))]
    for name in failing:
        begun.ended(name, "failed")
    text = shown(capsys)
    assert text.count("    next: ") == show.AT_MOST
    assert f"  and {len(failing) - show.AT_MOST} more (all of them: onkocode status --failed)" in text
    assert shown(capsys, "--failed").count("    next: ") == len(failing)


def test_a_large_study_has_a_line_for_each_model(begun: MadeUp) -> None:
    job = begun.job(FIRST)
    names = [f"model-with-a-long-name-{number:03d}" for number in range(100)]
    many = [
        Status(type(job)("training", "train_epoch", (name, str(epoch)), (), "x.log", "", name, epoch), "done")
        for name in names
        for epoch in range(1, 11)
    ]
    lines = show.overview(many, Sources(Path.cwd(), "logs"), 80).splitlines()
    rows = [line for line in lines if line.endswith(" done" * 10)]
    assert len(rows) == len(set(rows)) == 100
    wide = [Status(type(job)("training", "t", ("m", str(e)), (), "", "", "m", e), "waiting") for e in range(1, 201)]
    assert max(map(len, show.overview(wide, Sources(Path.cwd(), "logs"), 40).splitlines())) <= 40


def test_what_fails_shows_the_end_of_its_log(begun: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--failed") == "No job has failed.\n"
    begun.ended(SECOND, "failed")
    bar = "".join(f"\r{number}%|####|" for number in range(100))
    begun.logged(SECOND, "\n".join([*map(str, range(50)), bar, "onkocode train-epoch: it broke"]) + "\n")
    begun.ended(THIRD, "disk-full")
    text = shown(capsys, "--failed")
    assert f"  {SECOND}: onkocode train-epoch: it broke\n    next: see to what the log says" in text
    assert "    | 99%|####|\n    | onkocode train-epoch: it broke\n" in text
    assert "    | 31\n" not in text
    assert "(the log is empty or missing)" in text


def test_it_is_readable_in_every_locale(begun: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    begun.ended(SECOND, "failed")
    begun.logged(SECOND, "onkocode train-epoch: Größe „x“ fehlt\n")
    monkeypatch.setattr(time, "strftime", lambda form, moment: "now")
    says_the_same("status", ARGUMENTS[1:], monkeypatch)
    _, out, _ = on_terminal("ascii", ARGUMENTS, monkeypatch)
    assert 'Groesse "x" fehlt' in out.decode("ascii")
    assert "log: logs/train_epoch/tiny-llama/epoch-2.log" in out.decode("ascii")


def test_all_of_it_for_programs(begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(begun, tmp_path, monkeypatch)
    assert main([*ARGUMENTS, "--json", "status.json"]) == 0
    found = json.loads(Path("status.json").read_text())
    jobs = {job["name"]: job for job in found["jobs"]}
    assert found["counts"]["training"] == {"done": 2, "running": 1, "waiting": 8, "stale": 1, "failed": 1}
    assert jobs[SECOND]["progress"]["percent"] == 43
    assert jobs["train_epoch.tiny-qwen3-s.1"]["cause"] == "memory"
    assert {job["state"] for job in jobs.values()} == set(get_args(State))
    assert (jobs["evaluate_thinking.tiny-qwen3-s.0"]["slurm_job"], jobs["collect_metrics"]["epoch"]) == ("7", None)


def test_it_writes_nothing(begun: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    begun.owned(SECOND)
    begun.ended(THIRD, "failed")
    before = sorted(Path.cwd().rglob("*"))
    shown(capsys)
    assert sorted(Path.cwd().rglob("*")) == before


def test_the_page_shows_what_is_printed(
    begun: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = ("questions", "models")
    begun.finish(*(name for name, job in begun.jobs.items() if job.stage in stages), FIRST)
    for kind in ("checkpoint", "conditions"):
        begun.finish(*(f"evaluate_{kind}.{model}.0" for model in ("tiny-qwen3-m", MODEL)))
    said = {"done": 88, "total": 204, "unit": "step", "loss": 1.172, "left_seconds": 95}
    begun.scratch(SECOND, "progress.json", said)
    begun.ended("train_epoch.tiny-qwen3-m.1", "disk-full")
    waiting = row(4713, "PENDING", comment=begun.comment("evaluate_thinking.tiny-qwen3-m.0"), reason="Priority")
    with_queue(tmp_path, monkeypatch, row(4712, "RUNNING", comment=begun.comment(SECOND), node="n3"), waiting)
    lines = shown(capsys, "--model", "tiny-qwen3-m", MODEL).splitlines()
    page = (ROOT / "docs/status.md").read_text(encoding="utf-8")
    example = page.split("```text\n")[1].split("```")[0].splitlines()
    assert lines[1:] == example[1:]  # the first line says when
    assert lines[0].split("; ")[1] == example[0].split("; ")[1]
    assert len(page.splitlines()) <= 60


# -- watching -------------------------------------------------------------------------------------------------------


def test_watching_goes_on_until_it_is_interrupted(begun: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        begun.finish(FIRST)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    code, out, _ = on_terminal("utf-8", [*ARGUMENTS, "--watch"], monkeypatch)
    assert (code, looks) == (0, [10.0] * 3)
    assert (out.count(b"Training: 0 of 13"), out.count(b"Training: 1 of 13")) == (1, 2)
    assert b"\x1b" not in out  # no terminal: one below the other


def test_a_terminal_is_written_in_place(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    texts = iter(["one\ntwo\nthree", "four", ""])

    def text(width: int, height: int | None) -> str:
        assert (width, height) == (50, 19)
        found = next(texts)
        if not found:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(screen, "is_terminal", lambda: True)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((50, 20)))
    screen.refresh(text, 0.0)
    frames = capsys.readouterr().out
    assert frames == "\rone\x1b[K\ntwo\x1b[K\nthree\x1b[K\n\x1b[J\x1b[3A\rfour\x1b[K\n\x1b[J\n"


def test_what_does_not_fit_a_terminal_is_left_out(begun: MadeUp) -> None:
    begun.ended(SECOND, "failed")
    statuses, sources = list(begun.statuses().values()), Sources(Path.cwd(), "logs")
    lines = show.overview(statuses, sources, 80, height=25).splitlines()
    assert len(lines) <= 25
    assert "and 6 models of which nothing runs, waits in SLURM or failed" in lines
    assert any(line.startswith("tiny-llama") for line in lines)
    few = show.overview(statuses, sources, 80, height=8).splitlines()
    assert len(few) == 8
    assert few[-1].endswith("more lines")


def test_colours_only_on_a_terminal(begun: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    begun.ended(SECOND, "failed")
    statuses, sources = list(begun.statuses().values()), Sources(Path.cwd(), "logs")
    plain, coloured = (show.overview(statuses, sources, 80, colour=colour) for colour in (False, True))
    assert "\x1b[1;31mFAIL\x1b[0m" in coloured
    assert coloured.replace("\x1b[1;31m", "").replace("\x1b[0m", "") == plain
    monkeypatch.setattr(screen, "is_terminal", lambda: True)
    assert screen.has_colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not screen.has_colours()


def test_a_real_terminal_and_a_real_interrupt(begun: MadeUp, tmp_path: Path) -> None:
    """Ctrl-C ends `--watch` well, on a terminal of its own."""
    pty = pytest.importorskip("pty")
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "onkocode.cli", *ARGUMENTS, "--watch"]
    environment = os.environ | {"TERM": "xterm", "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=child, stdin=child, start_new_session=True
    ) as it:
        os.close(child)
        out = b""
        while b"Figures: 0 of 22 done" not in out:
            out += os.read(parent, 4096)
        it.send_signal(2)
        while it.poll() is None:
            try:
                out += os.read(parent, 4096)
            except OSError:
                break
        assert it.wait(timeout=60) == 0
    os.close(parent)
    assert b"\x1b[J" in out
    assert b"Traceback" not in out


def test_it_needs_no_heavy_library(begun: MadeUp, tmp_path: Path) -> None:
    code = "import sys; from onkocode.cli import main; main(sys.argv[1:]); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, *ARGUMENTS], cwd=tmp_path, capture_output=True, text=True)
    assert {"torch", "transformers", "matplotlib", "snakemake"} & set(done.stdout.split()) == set()
    assert "onkocode.cluster.show" in done.stdout.split()


def test_looking_at_a_part_of_the_jobs(begun: MadeUp) -> None:
    begun.finish(FIRST)
    (found,) = look([begun.job(SECOND)], Sources(Path.cwd(), "logs"))
    assert (found.state, found.reason) == ("waiting", "not begun")
