"""A study that somebody has begun: folders and files as jobs leave them, written by hand."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onkocode.cluster.expected import Job, study_jobs
from onkocode.cluster.sources import Sources
from onkocode.cluster.status import Status, look
from onkocode.cluster.submission import comment_of, key_of
from onkocode.config.loading import merge_files
from onkocode.records.endings import Ending
from onkocode.records.ownership import this_process
from onkocode.study import Study

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "config/config.yaml", ROOT / "config/quickstart.yaml"]
MODEL = "tiny-llama"


@dataclass
class MadeUp:
    """A study in the working directory."""

    study: Study

    @property
    def jobs(self) -> dict[str, Job]:
        return {job.name: job for job in study_jobs(self.study)}

    def job(self, name: str) -> Job:
        return self.jobs[name]

    def finish(self, *names: str) -> None:
        """Write the outputs of jobs."""
        for name in names:
            for output in self.job(name).outputs:
                Path(output).parent.mkdir(parents=True, exist_ok=True)
                Path(output).touch()

    def scratch(self, name: str, file: str, content: object, age: float = 0.0) -> Path:
        """Write a file into the scratch folder of a job."""
        path = Path(self.job(name).scratch) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        aged(path, age)
        return path

    def ended(self, name: str, cause: Any, age: float = 0.0, **values: Any) -> None:
        """Let a try of a job have ended, or run."""
        self.scratch(name, "endings.json", [asdict(Ending(cause, **values))], age)

    def owned(self, name: str, **changes: Any) -> None:
        """Let this process, or another one, work at a job."""
        self.scratch(name, "owner.json", asdict(this_process("token")) | changes)

    def dead_owner(self, name: str) -> None:
        self.owned(name, pid=2**22 + 1)

    def logged(self, name: str, text: str, age: float = 0.0) -> Path:
        """Write the log of a job."""
        path = Path(self.job(name).log)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        aged(path, age)
        return path

    def record(self, name: str, number: int, age: float = 0.0, **values: Any) -> None:
        """Write what a SLURM job wrote about itself."""
        path = Path(f"logs/slurm/jobs/{number}-0.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"names": [name], "keys": [self.key(name)], "node": "n1", "began": "", "status": "running"}
        path.write_text(json.dumps(content | {"codes": [], "message": "", "told": []} | values))
        aged(path, age)

    def key(self, name: str) -> str:
        return key_of(self.job(name).outputs, Path.cwd())

    def comment(self, name: str) -> str:
        return comment_of([(self.key(name), "contents")])

    def statuses(self) -> dict[str, Status]:
        found = look(list(self.jobs.values()), Sources(Path.cwd(), "logs"))
        return {status.job.name: status for status in found}

    def status(self, name: str) -> Status:
        return self.statuses()[name]


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def row(number: int, state: str, name: str = "x", comment: str = "", reason: str = "None", **more: str) -> str:
    """Return a line of squeue."""
    node, starts = more.get("node", ""), more.get("starts", "N/A")
    return "|".join([str(number), state, reason, node, starts, "0:10", name, comment or "(null)"])


def fake_squeue(folder: Path, rows: Sequence[str] = (), code: int = 0, error: str = "") -> Path:
    """Write a program that answers like squeue; returns its folder, to be put on PATH."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    (folder / "rows").write_text("".join(f"{line}\n" for line in rows))
    script = programs / "squeue"
    script.write_text(f"#!/bin/sh\necho \"$@\" >> {folder}/asked\necho '{error}' >&2\ncat {folder}/rows\nexit {code}\n")
    script.chmod(0o755)
    return programs


def made_up(files: Sequence[Path] = FILES) -> MadeUp:
    return MadeUp(Study(merge_files(files), files))
