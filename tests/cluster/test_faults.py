"""What goes wrong on clusters, on a real SLURM: nothing is lost or done twice, and it ends with a message."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.counting import SITE, Counting, ended, running_job
from tests.cluster.slurm import Options, answer, cluster, scontrol, wait_until

pytestmark = pytest.mark.usefixtures("possible")


def words(steps: int, pause: float = 0.3, **further: int) -> dict[str, object]:
    given = ["--steps", str(steps), "--pause", str(pause)]
    for name, value in further.items():
        given += [f"--{name}", str(value)]
    return {"words": given}


def submissions(name: str = "count") -> list[dict[str, str]]:
    """All submitted jobs of the workflow that the controller remembers."""
    ids = answer("squeue", "-h", "--states=all", "-o", "%i %j").splitlines()
    found = [scontrol(line.split()[0]) for line in ids if line.split()[1].startswith(name)]
    return sorted(found, key=lambda job: int(job["JobId"]))


@pytest.mark.full
def test_memory(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm"):
        study = Counting(tmp_path / "study", {"a": {**words(5, memory=1100), "mem_mb": 900}})
        assert study.run() == 0, study.said
        assert study.is_exact("a", 5)
        assert [job["MinMemoryNode"] for job in submissions()] == ["900M", "1800M"]
        assert "ran out of memory" in study.said


@pytest.mark.full
def test_memory_of_a_job_without_saves(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm"):
        jobs = {"a": {**words(5, memory=1100), "mem_mb": 900, "saves": False}}
        study = Counting(tmp_path / "study", jobs)
        assert study.run() == 0, study.said
        assert study.is_exact("a", 5)
        assert [job["MinMemoryNode"] for job in submissions()] == ["900M", "1800M"]
        assert "ran out of memory" in study.said


@pytest.mark.full
def test_time(tmp_path: Path) -> None:
    """A job that is longer than its time leaves and goes on, more often than the workflow would retry it."""
    with cluster(tmp_path / "slurm"):
        study = Counting(tmp_path / "study", {"a": {**words(75, 1.0), "runtime": 1}})
        assert study.run("--retries", "0", seconds=400) == 0, study.said
        assert study.steps("a") == list(range(1, 76))
        assert study.is_exact("a", 75)
        assert len(submissions()) >= 3
        assert {job["TimeLimit"] for job in submissions()} == {"00:01:00"}


@pytest.mark.full
@pytest.mark.parametrize("polling", ["squeue", "sacct"])
def test_cancel(tmp_path: Path, polling: str) -> None:
    with cluster(tmp_path / "slurm", Options(accounting=polling == "sacct")):
        study = Counting(tmp_path / "study", {"a": words(30)})
        process = study.start("--slurm-status-command", polling)
        study.wait_for_step("a", 3)
        subprocess.run(["scancel", running_job("count.a")], check=True)
        assert ended(process) == 0, study.said
        assert study.is_exact("a", 30)
        assert study.steps("a") == list(range(1, 31))
        assert "was cancelled" in study.said


@pytest.mark.full
@pytest.mark.parametrize("processes", ["dead", "alive"])
def test_node_down(tmp_path: Path, processes: str) -> None:
    with cluster(tmp_path / "slurm") as site:
        steps = 40 if processes == "dead" else 150
        study = Counting(tmp_path / "study", {"a": {**words(steps), "gpu": 1}})
        process = study.start()
        study.wait_for_step("a", 3)
        node = scontrol(running_job("count.a"))["NodeList"]
        if processes == "dead":
            site.kill_node(node)
        else:
            site.kill_daemon(node)
        assert ended(process, 500) == 0, study.said
        assert study.is_exact("a", steps)
        # Of a node that was cut off, steps after the last save are done again; never two at once.
        assert sorted(set(study.steps("a"))) == list(range(1, steps + 1))
        assert len(study.steps("a")) <= steps + (1 if processes == "dead" else 0)


@pytest.mark.full
@pytest.mark.parametrize("ends", ["first", "last"])
def test_orphan(tmp_path: Path, ends: str) -> None:
    """A copy on a node that SLURM has lost goes on; or it hangs, is taken for dead, and wakes when all is done."""
    with cluster(tmp_path / "slurm"):
        study = Counting(tmp_path / "study", {"a": words(60)})
        command = [sys.executable, "-m", "tests.cluster.worker", "--scratch", "scratch/a"]
        orphan = subprocess.Popen(
            [*command, "--output", "out/a/result.txt", *study.words("a")],
            cwd=study.root,
            env=study.environment() | {"SLURM_JOB_ID": "999", "SLURMD_NODENAME": "lost"},
        )
        study.wait_for_step("a", 3)
        if ends == "last":
            orphan.send_signal(signal.SIGSTOP)
        assert study.run(seconds=400) == 0, study.said
        assert "SLURM job 999 on node lost works at this already" in study.said
        assert study.is_exact("a", 60)
        before = (study.root / "out/a/result.txt").stat().st_mtime_ns
        orphan.send_signal(signal.SIGCONT)
        assert orphan.wait(timeout=60) == (0 if ends == "first" else 75)
        assert study.is_exact("a", 60)
        assert (study.root / "out/a/result.txt").stat().st_mtime_ns == before
        assert study.steps("a") == list(range(1, 61))
        assert not list(study.root.rglob("owner.json"))


@pytest.mark.full
@pytest.mark.parametrize("mode", ["REQUEUE", "CANCEL"])
def test_preemption(tmp_path: Path, mode: str) -> None:
    with cluster(tmp_path / "slurm", Options(preempt=mode)):
        study = Counting(tmp_path / "study", {"a": {**words(40), "gpu": 2}})
        process = study.start("--retries", "0")
        study.wait_for_step("a", 3)
        for _ in range(2):  # both nodes, so that it must wait
            sleep = ["--gpus-per-node=2", "--time=1", "--output=/dev/null", "--wrap", "sleep 20"]
            subprocess.run(["sbatch", "-p", "urgent", *sleep], check=True, capture_output=True)
        assert ended(process, 400) == 0, study.said
        assert study.is_exact("a", 40)
        assert study.steps("a") == list(range(1, 41))


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM], ids=lambda number: number.name)
def test_snakemake_ends_and_is_started_again(tmp_path: Path, number: signal.Signals) -> None:
    with cluster(tmp_path / "slurm"):
        jobs = {"a": words(60), "b": {**words(5), "gpu": 2}, "c": {**words(5), "gpu": 2}, "d": {**words(5), "gpu": 2}}
        study = Counting(tmp_path / "study", jobs)
        for node in ("gpu1", "gpu2"):  # so that three jobs wait
            subprocess.run(["scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test"], check=True)
        process = study.start()
        study.wait_for_step("a", 3)
        wait_until(lambda: len(submissions()) == 4, 180, "all submissions")
        first = running_job("count.a")
        subprocess.run(["scontrol", "suspend", first], check=True)  # however long it takes until the next start
        began = time.monotonic()
        process.send_signal(number)
        ended(process, 30)
        assert time.monotonic() - began < 30
        if number == signal.SIGKILL:
            study.unlock()
        again = study.start()
        wait_until(lambda: study.said.count("of an earlier run goes on") == 4, 180, f"adoption; {study.said}")
        subprocess.run(["scontrol", "resume", first], check=True)
        for node in ("gpu1", "gpu2"):
            subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], check=True)
        assert ended(again) == 0, study.said
        assert len(submissions()) == 4
        assert study.steps("a") == list(range(1, 61))
        for name, steps in (("a", 60), ("b", 5), ("c", 5), ("d", 5)):
            assert study.is_exact(name, steps)
        assert "Nothing to be done" in (study.run(), study.said)[1]


@pytest.mark.full
def test_two_snakemakes(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm"):
        study = Counting(tmp_path / "study", {"a": words(40)})
        first = study.start()
        study.wait_for_step("a", 2)
        assert study.run() != 0
        assert "cannot be locked" in study.said
        second = study.start("--nolock")
        assert ended(second) == 0, study.said
        assert ended(first) == 0, study.said
        assert study.steps("a") == list(range(1, 41))
        assert len(submissions()) == 1


@pytest.mark.full
@pytest.mark.parametrize("accounting", [False, True], ids=["squeue", "sacct"])
def test_vanished(tmp_path: Path, accounting: bool) -> None:
    """The controller forgets a job before anybody has looked."""
    with cluster(tmp_path / "slurm", Options(accounting=accounting, min_job_age=2)):
        study = Counting(tmp_path / "study", {"a": words(5), "b": words(1, fail=3)})
        process = study.start("--slurm-init-seconds-before-status-checks", "15", "--retries", "0", "--keep-going")
        assert ended(process, 300) == 1
        assert study.is_exact("a", 5)
        assert "count.b: " in study.said or "exit code 3" in study.said


@pytest.mark.full
@pytest.mark.parametrize("limits", ["ALL", "NO"])
def test_partition_is_shorter_than_the_site_file_says(tmp_path: Path, limits: str) -> None:
    with cluster(tmp_path / "slurm", Options(limits=limits, partition_minutes={"cpu": 5})):
        study = Counting(tmp_path / "study", {"a": {**words(5), "runtime": 60}})
        assert study.run() == 1
        assert "config/site.yaml" in study.said
        assert study.said.count("Error in rule count") == 1
        assert not answer("squeue", "-h", "-o", "%i").split()


@pytest.mark.full
def test_small_jobs_are_sent_together(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm"):
        jobs = {name: {**words(2), "bundle": 3} for name in "abcdef"}
        study = Counting(tmp_path / "study", jobs | {"f": {**words(1, fail=3), "bundle": 3}})
        assert study.run("--retries", "1", "--keep-going") == 1
        for name in "abcde":
            assert study.is_exact(name, 2)
            assert study.steps(name) == [1, 2]
        limits = [job["TimeLimit"] for job in submissions()]
        assert (limits[:2], set(limits[2:])) == (["00:30:00", "00:30:00"], {"00:10:00"})
        assert "count.f" in submissions()[-1]["JobName"]
        assert study.said.count("Error in rule count") == 2


def test_gres_only(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm", Options(gres_only=True)):
        study = Counting(tmp_path / "study", {"a": {**words(5), "gres": "gpu:a40:2"}}, {**SITE, "gpu_request": "gres"})
        assert study.run() == 0, study.said
        assert study.is_exact("a", 5)
        assert "gpu" in submissions()[0]["TresPerNode"]
        assert submissions()[0]["Partition"] == "gpu"


@pytest.mark.full
def test_gpus_of_one_node(tmp_path: Path) -> None:
    """Two nodes with a free GPU each are not what a job with two GPUs waits for."""
    with cluster(tmp_path / "slurm"):
        for node in ("gpu1", "gpu2"):
            taking = ["-w", node, "--gres=gpu:1", "--mem=500", "--output=/dev/null", "--wrap", "sleep 25"]
            subprocess.run(["sbatch", "-p", "gpu", *taking], check=True, capture_output=True)
        wait_until(lambda: len(answer("squeue", "-h", "-t", "RUNNING").splitlines()) == 2, 180, "both nodes taken")
        study = Counting(tmp_path / "study", {"a": {**words(5), "gpu": 2}})
        assert study.run() == 0, study.said
        assert [job["NumNodes"] for job in submissions()] == ["1"]
        assert study.is_exact("a", 5)


@pytest.mark.parametrize("fault", [pytest.param("account", marks=pytest.mark.full), "partition", "size"])
def test_refused(tmp_path: Path, fault: str) -> None:
    further = ("AccountingStorageEnforce=associations",) if fault == "account" else ()
    with cluster(tmp_path / "slurm", Options(accounting=fault == "account", further=further)):
        site = {"account": "nobody"} if fault == "account" else {}
        partitions = {"nowhere": SITE["partitions"]["cpu"]} if fault == "partition" else SITE["partitions"]
        job = {**words(5), "mem_mb": 10**6} if fault == "size" else words(5)
        study = Counting(tmp_path / "study", {"a": job}, {**SITE, **site, "partitions": partitions})
        assert study.run() == 1
        assert study.said.count("Error in rule count") == (0 if fault == "size" else 1)
        assert "config/site.yaml" in study.said
        assert not submissions()


@pytest.mark.full
def test_site_starts_failed_jobs_again(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm", Options(requeue_exit="1-100")):
        study = Counting(tmp_path / "study", {"a": words(1, fail=3)})
        assert study.run("--retries", "0", seconds=550) == 1
        assert "the site started this job again" in study.said
        assert study.said.count("Error in rule count") == 1
        assert len(submissions()) == 1


@pytest.mark.full
def test_disk_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        with cluster(tmp_path / "slurm"):
            study = Counting(tmp_path / "study", {"a": words(20)})
            (study.root / "scratch").symlink_to(disk)
            process = study.start()
            study.wait_for_step("a", 3)
            with pytest.raises(OSError, match="No space"):
                (disk / "filler").write_bytes(bytes(10**5))
            assert ended(process) == 1
            assert study.said.count("Error in rule count") == 1
            assert "before you have changed something" in study.said
            (disk / "filler").unlink()
            assert study.run() == 0, study.said
            assert study.is_exact("a", 20)
            assert study.steps("a")[-1] == 20
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_environment_is_missing_on_the_node(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm"):
        study = Counting(tmp_path / "study", {"a": words(5)})
        python = tmp_path / "bin/python"
        python.parent.mkdir()
        python.symlink_to(sys.executable)
        paths = os.pathsep.join(path for path in sys.path if "site-packages" in path)
        os.environ["PYTHONPATH"] = paths
        try:
            for node in ("cpu1",):
                subprocess.run(["scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test"], check=True)
            process = study.start(python=str(python))
            wait_until(lambda: len(submissions()) == 1, 180, f"submission; {study.said}")
            python.unlink()
            subprocess.run(["scontrol", "update", "NodeName=cpu1", "State=RESUME"], check=True)
            assert ended(process) == 1
        finally:
            del os.environ["PYTHONPATH"]
        assert study.said.count("Error in rule count") == 1
        assert "lacks the environment" in study.said
        assert len(submissions()) == 1


@pytest.mark.full
def test_controller_is_silent_for_too_long(tmp_path: Path) -> None:
    """Snakemake ends, its jobs go on, and the next start adopts them."""
    with cluster(tmp_path / "slurm") as site:
        study = Counting(tmp_path / "study", {"a": words(400)}, SITE | {"silent_minutes": 1})
        process = study.start()
        study.wait_for_step("a", 3)
        site.kill_daemon("slurmctld")
        assert ended(process, 240) != 0
        assert "SLURM has not answered for 1 min" in study.said
        assert study.steps("a")[-1] < 400
        site.start_controller()
        assert study.run() == 0, study.said
        assert "of an earlier run goes on" in study.said
        assert study.is_exact("a", 400)
        assert study.steps("a") == list(range(1, 401))
        assert len(submissions()) == 1
