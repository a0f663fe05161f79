"""What is asked of SLURM, and what it answers."""

import getpass
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

# Of a job that waits; one in a state that is not known here is taken for alive.
WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "PREEMPTED"}
ENDED |= {"DEADLINE", "LAUNCH_FAILED", "RECONFIG_FAIL"}
# In messages of sbatch about a controller that is down or busy; what it refuses has other words.
BUSY = (
    "Unable to contact slurm controller",
    "Socket timed out",
    "temporarily unable",
    "Connection refused",
    "timed out",
    "Zero Bytes were transmitted",
    "controller in standby mode",
    "Invalid authentication credential",
    "Protocol authentication error",
    "Resource temporarily unavailable",  # of the machine: it starts no more processes
    "Cannot allocate memory",
)
# Limits on the number of jobs, which pass when some have ended. What follows them is said of every limit of policy.
SUBMIT_LIMIT = re.compile(r"MaxSubmit|GrpSubmit|MaxJobs|MaxJobCount")
POLICY_LIMIT = re.compile(r"\b(QOS|Assoc|Grp|Max|Min)[A-Z]\w+")


class SlurmError(Exception):
    """A command of SLURM failed."""


class RefusedError(Exception):
    """A job cannot be submitted, and no further try could change that."""


class BusyError(Exception):
    """SLURM takes no job at the moment."""


@dataclass(frozen=True)
class Row:
    """A job, as squeue or sacct shows it: `reason` is why it waits, `code` its exit code where that is known."""

    id: str
    state: str
    reason: str = ""
    node: str = ""
    comment: str = ""
    code: int | None = None

    @property
    def alive(self) -> bool:
        """Tell whether it is waiting or running."""
        return self.state not in ENDED


def run(command: Sequence[str], given: str | None = None, seconds: float = 60) -> str:
    """Run a command of SLURM and return what it prints.

    Raises:
        SlurmError: it is not there, failed, or took too long.
    """
    try:
        done = subprocess.run(  # noqa: S603
            command, input=given, capture_output=True, encoding="utf-8", errors="replace", timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(f"{command[0]}: {error}") from None
    if done.returncode:
        raise SlurmError(done.stderr.strip() or done.stdout.strip() or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def queue() -> dict[str, Row]:
    """Return the jobs of this user that the controller knows, finished ones too, by id; raises SlurmError."""
    format_ = "--format=%i|%T|%r|%N|%k"  # the comment last: it may hold the separator
    text = run(["squeue", "--noheader", "--states=all", "--all", f"--user={getpass.getuser()}", format_])
    rows = [line.split("|", 4) for line in text.splitlines() if line.count("|") >= 4]
    return {row[0]: Row(row[0], _word(row[1]), row[2], row[3], row[4]) for row in rows}


def accounted(job: str) -> Row | None:
    """Return a job that the controller has forgotten, from the accounting; None where that does not know it either."""
    format_ = "--format=JobIDRaw,State,ExitCode,NodeList"
    try:
        text = run(["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job}", format_])
    except SlurmError:
        return None  # no accounting on this cluster
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 3]
    found = [Row(row[0], _word(row[1]), node=row[3], code=code_of(row[2])) for row in rows if row[0] == job]
    return found[-1] if found else None


def details(job: str) -> dict[str, str]:
    """Return all that the controller knows of a job by its names (JobState, ExitCode, Restarts); empty: not known."""
    try:
        text = run(["scontrol", "--oneliner", "show", "job", job])
    except SlurmError:
        return {}
    return dict(re.findall(r"(\S+?)=(\S*)", text))


def exit_code(job: str) -> int | None:
    """Return the exit code of a finished job; None where the controller does not know it."""
    return code_of(details(job).get("ExitCode", ""))


def settings() -> dict[str, str]:
    """Return the configuration of the cluster by its names (MinJobAge, EnforcePartLimits); raises SlurmError."""
    pairs = (line.partition("=") for line in run(["scontrol", "show", "config"]).splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def is_busy(message: str) -> bool:
    """Tell whether SLURM did not answer, or not now: the same may be asked again."""
    return any(words in message for words in BUSY)


def is_full(message: str) -> bool:
    """Tell whether sbatch refused a job for the number of jobs alone, of which some will end.

    SLURM says "job submit limit" of every limit of policy, and mostly names the one that counts before.
    """
    if SUBMIT_LIMIT.search(message):
        return True
    return "job submit limit" in message and not POLICY_LIMIT.search(message)


def cancel(jobs: Sequence[str]) -> None:
    """Cancel jobs; those that are gone already are passed over."""
    if jobs:
        run(["scancel", *jobs])


def hopeless(reason: str) -> str | None:
    """Return why a waiting job will never start, and what to do; None while there is hope.

    The names are those of the section "Job reason codes" of squeue's manual.
    """
    for names, advice in HOPELESS:
        if reason.strip("()").split(",")[0] in names:
            return advice
    return None


HOPELESS = (
    (
        {"PartitionTimeLimit", "QOSMaxWallDurationPerJobLimit", "AssocMaxWallDurationPerJobLimit"},
        "it asks for more time than is allowed there; set the limit of the partition (`hours`) in config/site.yaml",
    ),
    (
        {"PartitionConfig", "BadConstraints", "AssocMaxNodePerJobLimit", "QOSMaxGRESPerJob", "QOSMaxCpuPerJobLimit"}
        | {"QOSMaxMemoryPerJob", "AssocMaxCpuPerJobLimit", "AssocMaxMemPerJob", "AssocMaxGRESPerJob"}
        | {"QOSMaxTRESPerJob"},
        "no node there has what it asks for; compare config/site.yaml with `sinfo -N -o '%N %P %c %m %G'`",
    ),
    (
        {"InvalidAccount", "InvalidQOS", "AccountNotAllowed", "QOSNotAllowed"},
        "account or QOS are not allowed there; set `account` and `qos` in config/site.yaml",
    ),
    ({"DependencyNeverSatisfied"}, "a job that it waits for has failed"),
    (
        {"JobHeldAdmin", "launch_failed_requeued_held"},
        "the site holds it, often since it could not be started on a node",
    ),
)
PASSING = {
    "ReqNodeNotAvail": "its nodes are down or kept for a maintenance; it starts when they are back, or earlier if it "
    "asks for less time",
    "NodeDown": "its node is down; it starts when that is back",
    "PartitionNodeLimit": "its nodes are down, or it asks for more than the partition has",
    "PartitionDown": "the partition is closed; it starts when the site opens it",
    "PartitionInactive": "the partition is closed; it starts when the site opens it",
    "AssociationJobLimit": "your account has as many jobs as it may; it starts when some have ended",
    "QOSMaxNodePerUserLimit": "you have as many nodes as you may; it starts when some of your jobs have ended",
}


def passing(reason: str) -> str | None:
    """Return why a job waits for long, where that passes by itself or by what the site does; None for other reasons."""
    return PASSING.get(reason.strip("()").split(",")[0])


REFUSALS = {
    "account": "set `account` in config/site.yaml (yours: `sacctmgr show associations user=$USER`)",
    "partition": "correct the partitions in config/site.yaml (`sinfo`)",
    "QOS": "set `qos` in config/site.yaml, or lower `jobs` in profiles/slurm/config.yaml",
    "Requested node configuration": "ask for less, or correct what nodes have in config/site.yaml",
    "time limit": "correct the time limit (`hours`) of the partition in config/site.yaml",
    "gres": "set `gpu_request` and the GPU types in config/site.yaml",
    "gpus": "set `gpu_request: gres` in config/site.yaml",
    "limit": "lower `jobs` in profiles/slurm/config.yaml",
}


def refusal(message: str) -> str:
    """Return what sbatch said, and what to do about it."""
    advice = next((text for word, text in REFUSALS.items() if word.casefold() in message.casefold()), "ask the site")
    return f"sbatch refused it ({' '.join(message.split())}); {advice}, and start Snakemake again"


def _word(state: str) -> str:
    """Return the state alone: sacct says by whom a job was cancelled, and cuts long states with a plus."""
    return state.split()[0].rstrip("+") if state.split() else ""


def code_of(text: str) -> int | None:
    """Return the code of `code:signal`; of a signal the code that a shell gives it."""
    found = re.fullmatch(r"(\d+):(\d+)", text.strip())
    if found is None:
        return None
    code, number = map(int, found.groups())
    return 128 + number if number else code
