"""What SLURM gives a job: memory, and the time that is left."""

import os
import re
import subprocess

MEMORY_VARIABLE = "ONKOCODE_MEMORY_MB"  # hands it down: Snakemake's plugin removes SLURM's own before the last step


def memory_given() -> int | None:
    """Return the main memory in MB that SLURM gives this job on this node; None outside of SLURM, or without limit."""
    if os.environ.get(MEMORY_VARIABLE, "").isdecimal():
        return int(os.environ[MEMORY_VARIABLE]) or None
    whole, per_core = os.environ.get("SLURM_MEM_PER_NODE", ""), os.environ.get("SLURM_MEM_PER_CPU", "")
    cores = os.environ.get("SLURM_CPUS_ON_NODE", "")
    if whole.isdecimal():
        return int(whole) or None  # 0 = all that the node has
    if per_core.isdecimal() and cores.isdecimal():
        return int(per_core) * int(cores) or None
    return None


def seconds_left() -> float | None:
    """Return the seconds that SLURM gives this job still; None outside of SLURM, or where it does not say.

    Its own warning (`--signal`) cannot be relied on: with process tracking by cgroups it reaches a step's first process
    alone, which is Snakemake.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return None
    try:
        command = ["squeue", "--noheader", "--jobs", job, "--format=%L"]
        answer = subprocess.run(command, capture_output=True, timeout=60, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_time_left(answer.stdout.decode(errors="replace"))


def parse_time_left(text: str) -> float | None:
    """Return the seconds of SLURM's time left, [[days-]hours:]minutes:seconds; None for words such as UNLIMITED."""
    found = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)", text.strip())
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
