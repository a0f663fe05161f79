"""Commands of SLURM that answer as a test wishes. A job of `sbatch` runs at once, where the test lets jobs run."""

import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.unit import slurm_answers as said

NAMES = ("scontrol", "sacctmgr", "sacct", "sbatch", "squeue", "scancel")
SCRIPT = """
import json, os, subprocess, sys
from pathlib import Path

folder = Path(__file__).parent
answers = json.loads((folder / "answers.json").read_text())
name, words = Path(sys.argv[0]).name, sys.argv[1:]
line = " ".join([name, *words])
with (folder / "calls.txt").open("a") as calls:
    calls.write(line + "\\n")
if answers["down"]:
    sys.exit("slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)")
if name == "scontrol":
    print(answers[next(word for word in ("config", "partition", "node") if word in words)])
elif name in ("sacctmgr", "sacct"):
    sys.exit("no accounting") if answers[name] is None else print(answers[name])
elif name == "sbatch":
    script = sys.stdin.read()
    for part, message in answers["refuse"].items():
        if part in line:
            sys.exit(message)
    if "--test-only" in words:
        print("sbatch: Job 7 to start at 2024-03-01T10:00:00 using 1 processors on nodes gpu1", file=sys.stderr)
        sys.exit()
    jobs = folder / "jobs.txt"
    number = str(len(jobs.read_text().splitlines()) + 1 if jobs.exists() else 1)
    with jobs.open("a") as stream:
        stream.write(number + "\\n")
    if answers["state"] in ("COMPLETED", "FAILED"):
        log = words[words.index("--output") + 1].replace("%j", number)
        given = os.environ | {"SLURM_JOB_ID": number, "SLURMD_NODENAME": "node1"} | answers["environment"]
        with open(log, "w") as output:
            subprocess.run(["/bin/sh"], input=script, text=True, env=given, stdout=output, stderr=output)
    print(number)
elif name == "squeue":
    jobs = (folder / "jobs.txt").read_text().split() if (folder / "jobs.txt").exists() else []
    for number in jobs:
        print(f"{number}|{answers['state']}|{answers['reason']}|node1|cluster-check")
"""


class FakeSlurm:
    """The commands, found first on PATH; by default those of a cluster with SLURM 22.05."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name in NAMES:
            file = folder / name
            file.write_text(f"#!{sys.executable}\n{SCRIPT}")
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
        self.answers: dict[str, Any] = {
            "config": said.SETTINGS_22,
            "partition": said.PARTITIONS_22,
            "node": said.NODES_22,
            "sacctmgr": None,
            "sacct": None,
            "refuse": {},
            "state": "COMPLETED",
            "reason": "None",
            "environment": {},
            "down": False,
        }
        self.answer()

    def answer(self, **further: Any) -> None:
        """Answer otherwise from now on."""
        self.answers |= further
        (self.folder / "answers.json").write_text(json.dumps(self.answers))

    @property
    def calls(self) -> list[str]:
        """The command lines so far."""
        file = self.folder / "calls.txt"
        return file.read_text().splitlines() if file.exists() else []

    def environment(self, given: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the environment in which the commands are found."""
        return {**given, "PATH": f"{self.folder}:{given['PATH']}"}
