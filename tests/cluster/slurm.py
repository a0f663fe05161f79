"""A real SLURM on this machine, from Debian's packages, with three made-up nodes and made-up GPUs.

It needs root and Debian's archive, neither systemd nor cgroups nor a GPU. Everything lies in one folder but the
packages, and the link /etc/slurm/slurm.conf: the plugin of Snakemake drops SLURM_CONF inside jobs. Ports are fixed, so
there is one cluster at a time.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

LINK = Path("/etc/slurm/slurm.conf")
LOCK = Path(tempfile.gettempdir()) / "onkocode-test-cluster.lock"
PORT = 26810
NODES = {"cpu1": 3, "gpu1": 4, "gpu2": 5}  # port of each, after PORT
PACKAGES = ["munge", "slurmctld", "slurmd", "slurm-client"]
ACCOUNTING = ["slurmdbd", "slurm-wlm-mysql-plugin", "mariadb-server-core", "mariadb-client-core"]
POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class Options:
    """What differs between clusters.

    Attributes:
        accounting: with slurmdbd and a database (and the account `lab`), so that sacct answers.
        min_job_age: seconds that finished jobs stay in squeue.
        limits: EnforcePartLimits: ALL refuses at submission what a partition does not allow, NO lets it wait for ever.
        gres_only: cons_res, which knows no --gpus.
        preempt: what happens to jobs in `gpu` when one in `urgent` needs their GPUs: REQUEUE or CANCEL.
        requeue_exit: exit codes after which the site starts a job again by itself, e.g. 1-100.
        down_after: seconds of silence after which a node counts as down.
        cores: of each node.
        partition_minutes: time limits by partition, beside the default of a day.
        further: lines of slurm.conf.
    """

    accounting: bool = False
    min_job_age: int = 600
    limits: str = "ALL"
    gres_only: bool = False
    preempt: str | None = None
    requeue_exit: str | None = None
    down_after: int = 15
    cores: int = 16
    partition_minutes: dict[str, int] = field(default_factory=dict)
    further: tuple[str, ...] = ()


def missing(accounting: bool = False) -> str | None:
    """Install what is needed; returns why there can be no cluster here, None when there can."""
    if os.geteuid() != 0:
        return "a SLURM cluster on this machine needs root"
    if shutil.which("dpkg-query") is None or shutil.which("apt-get") is None:
        return "a SLURM cluster on this machine needs Debian's packages"
    wanted = PACKAGES + (ACCOUNTING if accounting else [])
    found = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package}\n", *wanted], capture_output=True)
    lacking = [name for name in wanted if f"ii {name}" not in found.stdout.decode()]
    if not lacking:
        return None
    own = not POLICY.exists()
    if own:  # keeps packages from starting daemons of their own
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "-qq", "update"], capture_output=True, env=environment, check=False)
        command = ["apt-get", "-qq", "-y", "install", "--no-install-recommends", *lacking]
        done = subprocess.run(command, capture_output=True, env=environment, text=True, check=False)
    finally:
        if own:
            POLICY.unlink()
    return f"Debian's packages cannot be installed: {done.stderr[-300:]}" if done.returncode else None


def wait_until(found: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait; raises AssertionError when it takes too long."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, f"gave up waiting for {what}"
        time.sleep(0.1)


def answer(*command: str) -> str:
    """Return what a command prints; nothing where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else ""


def scontrol(job: str) -> dict[str, str]:
    """Return what the controller knows of a job; empty when it has forgotten it."""
    words = [word for word in answer("scontrol", "show", "job", "-o", job).split() if "=" in word]
    return dict(word.split("=", 1) for word in words)


class Cluster:
    """A running cluster; see `cluster`."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder, self.options = folder, options
        self.host = socket.gethostname().split(".")[0]
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    # -- starting -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        for name in ("run", "log", "state", "spool", "dev"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o600)
        self.configure()
        run = self.folder / "run"
        self.launch(
            *("munged", "munged", "--foreground", "--force", f"--key-file={self.folder / 'munge.key'}"),
            *(f"--socket={run / 'munge.socket'}", f"--pid-file={run / 'munged.pid'}"),
            *(f"--seed-file={self.folder / 'state/munge.seed'}", f"--log-file={self.folder / 'log/munged.log'}"),
        )
        wait_until(lambda: bool(answer("munge", "-n", f"--socket={run / 'munge.socket'}")), 20, "munged")
        if self.options.accounting:
            self._start_accounting()
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        wait_until(self.is_up, 60, "all nodes")

    def start_controller(self) -> None:
        self.launch("slurmctld", "slurmctld", "-D")
        wait_until(lambda: "UP" in answer("scontrol", "ping"), 60, "slurmctld")

    def start_node(self, node: str) -> None:
        self.launch(node, "slurmd", "-D", "-N", node)

    def launch(self, name: str, *command: str) -> None:
        """Start a daemon detached from this process."""
        path = os.environ | {"PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}"}
        path |= {"SLURM_CONF": str(self.folder / "slurm.conf")}
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=path, start_new_session=True
            )

    def _start_accounting(self) -> None:
        data, socket_file = self.folder / "mysql", self.folder / "run/mysql.sock"
        install = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db"]
        subprocess.run([*install, "--auth-root-authentication-method=socket"], capture_output=True, check=True)
        self.launch(
            *("mariadbd", "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", "--bind-address=127.0.0.1"),
            *(f"--port={PORT + 2}", f"--socket={socket_file}", f"--pid-file={self.folder / 'run/mariadbd.pid'}"),
            *("--innodb-buffer-pool-size=64M", "--innodb-log-file-size=64M", "--innodb-flush-log-at-trx-commit=0"),
            "--innodb-lock-wait-timeout=900",
        )
        sql = ["mariadb", "--no-defaults", f"--socket={socket_file}", "-u", "root", "-e"]
        wait_until(lambda: bool(answer(*sql, "select 1")), 60, "mariadbd")
        for user in ("slurm@'127.0.0.1'", "slurm@localhost"):
            grant = f"create user {user} identified by 'slurm'; grant all on slurm_acct_db.* to {user};"
            subprocess.run([*sql, f"create database if not exists slurm_acct_db; {grant}"], check=True)
        self.launch("slurmdbd", "slurmdbd", "-D")
        listing = ["sacctmgr", "-n", "list", "cluster"]
        wait_until(lambda: subprocess.run(listing, capture_output=True).returncode == 0, 60, "slurmdbd")
        for words in ("cluster lab", "account lab cluster=lab", "user root account=lab cluster=lab"):
            subprocess.run(["sacctmgr", "-i", "add", *words.split()], capture_output=True, check=True)

    # -- configuration ------------------------------------------------------------------------------------------------

    def configure(self) -> None:
        """Write the configuration and let SLURM's default place point to it."""
        (self.folder / "slurm.conf").write_text(self._slurm_conf())
        for number, device in enumerate(("null", "zero")):  # enough for SLURM to count and number them
            link = self.folder / "dev" / f"fake{number}"
            link.unlink(missing_ok=True)
            link.symlink_to(f"/dev/{device}")
        gres = f"NodeName=gpu[1-2] Name=gpu Type=a40 File={self.folder}/dev/fake[0-1]\n"
        (self.folder / "gres.conf").write_text(gres)
        # Nothing here uses cgroups; v1 loads anywhere, what is found by itself would ask systemd.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        if self.options.accounting:
            (self.folder / "slurmdbd.conf").write_text(self._slurmdbd_conf())
            (self.folder / "slurmdbd.conf").chmod(0o600)
        LINK.parent.mkdir(exist_ok=True)
        LINK.unlink(missing_ok=True)
        LINK.symlink_to(self.folder / "slurm.conf")

    def _slurm_conf(self) -> str:
        given, run = self.options, self.folder / "run"
        storage = "AccountingStorageType=accounting_storage/none"
        if given.accounting:
            storage = "\n".join(
                (
                    "AccountingStorageType=accounting_storage/slurmdbd",
                    f"AccountingStorageHost=127.0.0.1\nAccountingStoragePort={PORT + 1}",
                    f"AccountingStoragePass={run / 'munge.socket'}",
                    "AccountingStorageTRES=gres/gpu,gres/gpu:a40\nAccountingStoreFlags=job_comment",
                )
            )
        requeue = f"RequeueExit={given.requeue_exit}\n" if given.requeue_exit else ""
        preempt = f"PreemptType=preempt/partition_prio\nPreemptMode={given.preempt}\n" if given.preempt else ""
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={self.host} NodeAddr=127.0.0.1 Port={PORT + port}"
            + (" Gres=gpu:a40:2 Feature=a40" if node.startswith("gpu") else "")
            for node, port in NODES.items()
        )
        limit = {"cpu": 1440, "gpu": 1440, "urgent": 1440} | given.partition_minutes
        return f"""ClusterName=lab
SlurmctldHost={self.host}(127.0.0.1)
SlurmctldPort={PORT}
SlurmUser=root
SlurmdUser=root
MailProg=/bin/true
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={run / "munge.socket"}
StateSaveLocation={self.folder / "state"}
SlurmdSpoolDir={self.folder / "spool"}/%n
SlurmctldPidFile={run / "slurmctld.pid"}
SlurmdPidFile={run}/slurmd.%n.pid
SlurmctldLogFile={self.folder / "log/slurmctld.log"}
SlurmdLogFile={self.folder / "log"}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout={given.down_after}
EnforcePartLimits={given.limits}
SelectType=select/{"cons_res" if given.gres_only else "cons_tres"}
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
PriorityType=priority/basic
CompleteWait=0
KillWait=20
OverTimeLimit=0
MinJobAge={given.min_job_age}
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
{requeue}{preempt}{storage}
{chr(10).join(given.further)}
NodeName=DEFAULT CPUs={given.cores} RealMemory=64000 State=UNKNOWN
{nodes}
PartitionName=DEFAULT State=UP DefaultTime=00:10:00 DefMemPerCPU=500
PartitionName=cpu Nodes=cpu1 Default=YES MaxTime={limit["cpu"]}
PartitionName=gpu Nodes=gpu1,gpu2 PriorityTier=1 MaxTime={limit["gpu"]}
PartitionName=urgent Nodes=gpu1,gpu2 PriorityTier=10 MaxTime={limit["urgent"]}
"""

    def _slurmdbd_conf(self) -> str:
        return f"""AuthType=auth/munge
AuthInfo=socket={self.folder / "run/munge.socket"}
DbdHost={self.host}
DbdAddr=127.0.0.1
DbdPort={PORT + 1}
SlurmUser=root
PidFile={self.folder / "run/slurmdbd.pid"}
LogFile={self.folder / "log/slurmdbd.log"}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={PORT + 2}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""

    # -- looking ------------------------------------------------------------------------------------------------------

    def is_up(self) -> bool:
        """Tell whether all nodes answer."""
        states = answer("sinfo", "-h", "-N", "-o", "%N %t").split("\n")
        up = {line.split()[0] for line in states if line.split()[1:] in (["idle"], ["mix"], ["alloc"], ["comp"])}
        return up == set(NODES)

    def jobs(self, states: str = "all") -> list[dict[str, str]]:
        """Return all jobs that the controller remembers, the first one first."""
        text = answer("squeue", "-h", f"--states={states}", "-o", "%i|%T|%j|%P|%N|%r|%k")
        names = ("id", "state", "name", "partition", "node", "reason", "comment")
        found = [dict(zip(names, line.split("|"), strict=True)) for line in text.splitlines()]
        return sorted(found, key=lambda job: int(job["id"].split("_")[0]))

    # -- faults -------------------------------------------------------------------------------------------------------

    def kill_daemon(self, name: str) -> None:
        """Kill a daemon at once: slurmctld, or the slurmd of a node; jobs on the node go on running."""
        process = self.daemons.pop(name)
        process.kill()
        process.wait()

    def kill_node(self, node: str) -> None:
        """Kill a node as a power cut does: slurmd, and all processes of its jobs."""
        steps = [pid for pid, words in processes() if words[0].startswith("slurmstepd:")]
        on_node = [pid for pid in steps if environment_of_children(pid).get("SLURMD_NODENAME") == node]
        self.kill_daemon(node)
        for pid in [process for step in on_node for process in reversed([step, *descendants(step)])]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Cancel all jobs, and stop the daemons in reverse order."""
        if "slurmctld" in self.daemons:
            ids = answer("squeue", "-h", "-o", "%A").split()
            if ids:
                for how in (["--signal=KILL", "--full"], []):
                    subprocess.run(["scancel", *how, *ids], capture_output=True, timeout=30, check=False)
                with suppress(AssertionError):
                    wait_until(lambda: not answer("squeue", "-h", "-t", "R,CG,S", "-o", "%i").split(), 15, "jobs")
        for process in reversed(list(self.daemons.values())):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            process.kill()
            process.wait()
        self.daemons.clear()
        for pid, words in processes():  # orphans of nodes that were killed
            if words[0].startswith("slurmstepd:"):
                for process_id in [*descendants(pid), pid]:
                    with suppress(ProcessLookupError):
                        os.kill(process_id, signal.SIGKILL)
        if LINK.is_symlink() and LINK.resolve() == (self.folder / "slurm.conf").resolve():
            LINK.unlink()


def processes() -> Iterator[tuple[int, list[str]]]:
    """Yield the id and the command line of each process."""
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            with suppress(OSError):
                words = (path / "cmdline").read_text(errors="replace").split("\0")
                if words[0]:
                    yield int(path.name), words


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    found = []
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


def environment_of_children(pid: int) -> dict[str, str]:
    """Return the environment of the first process that a step daemon started."""
    for child in descendants(pid):
        with suppress(OSError):
            words = Path(f"/proc/{child}/environ").read_text(errors="replace").split("\0")
            return dict(word.split("=", 1) for word in words if "=" in word)
    return {}


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other test has a cluster: there is one at a time on a machine."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def cluster(folder: Path, options: Options = Options()) -> Iterator[Cluster]:
    """Start a cluster, and stop it at the end of the block."""
    with alone():
        running = Cluster(folder, options)
        try:
            running.start()
            yield running
        finally:
            running.stop()
