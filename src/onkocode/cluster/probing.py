"""Probe jobs: submitted as the workflow submits its jobs, waited for, and judged."""

import json
import shlex
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError

from onkocode.cluster import slurm, submission
from onkocode.cluster.asking import NAME, Asked, arguments, refused
from onkocode.cluster.findings import Finding, ok, warning, wrong
from onkocode.cluster.gpu_software import Need, check_gpus
from onkocode.cluster.job import Payload
from onkocode.cluster.places import Place
from onkocode.cluster.probe import Request, Seen, read_seen, result_file, token_file
from onkocode.cluster.slurm import Row, SlurmError
from onkocode.config.site import Partition, Site

MEMORY_MB, MINUTES = 8000, 10  # of a probe: importing torch with CUDA maps some gigabytes
ARRIVAL = 10.0  # seconds for which a result is waited for after its job has ended: file systems are slow
PAUSE = 2.0  # seconds between two looks
LAST_LINES = 3  # of the log of a probe that failed


@dataclass(frozen=True)
class Probe:
    """A probe job: its partition, the GPUs that it asked for, and its files."""

    partition: str
    gpus: int
    id: str
    request: Path
    log: Path


@dataclass(frozen=True)
class Answer:
    """How a probe ended: what it saw, or the last that SLURM said of its job, and the end of its log."""

    seen: Seen | None
    row: Row | None
    log: str


def asked_of(partition: Partition) -> Asked:
    """Return what the probe of a partition asks for."""
    return Asked(
        models=(NAME,),
        stage="probe",
        gpus=1 if partition.gpus else 0,
        gpu_type="",
        memory_mb=min(MEMORY_MB, partition.memory_mb),
        cores=1,
        minutes=max(1, min(MINUTES, int(60 * partition.hours))),
    )


def check_nodes(
    site: Site,
    names: Sequence[str],
    places: Sequence[Place],
    needs: Mapping[str, Sequence[Need]],
    logs: Path,
    wait: float,
) -> Iterator[Finding]:
    """Send a probe to each partition, and yield what there is to say of its node.

    Args:
        site: the site file.
        names: partitions.
        places: folders that nodes must see.
        needs: what recipes compute with, by partition.
        logs: folder for the files of the probes.
        wait: minutes to wait for all of them.
    """
    folders = {place.name: place.there for place in places} | {"working directory": Path.cwd()}
    with tokens(folders) as request:
        probes: list[Probe] = []
        try:
            for name in names:
                sent = send(site, name, request, logs)
                if isinstance(sent, Finding):
                    yield sent
                else:
                    probes.append(sent)
            for probe, answer in wait_for(probes, wait):
                yield from judge(probe, answer, needs.get(probe.partition, []))
        finally:
            with suppress(SlurmError):
                slurm.cancel([probe.id for probe in probes])


@contextmanager
def tokens(folders: Mapping[str, Path]) -> Iterator[Request]:
    """Put a file into each folder, by which a node shows that it sees the same; yields what to ask the nodes."""
    token = uuid.uuid4().hex
    asked: dict[str, str] = {}
    try:
        for name, folder in folders.items():
            with suppress(OSError):  # that a folder cannot be written to is said elsewhere
                token_file(folder, token).write_text(token, encoding="utf-8")
                asked[name] = str(folder)
        yield Request(token, asked)
    finally:
        for folder in folders.values():
            with suppress(OSError):
                token_file(folder, token).unlink(missing_ok=True)


def send(site: Site, name: str, request: Request, logs: Path) -> Probe | Finding:
    """Submit the probe of a partition; returns what SLURM says where it does not take it."""
    asked = asked_of(site.partitions[name])
    folder = (logs / NAME).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    result_file(file).unlink(missing_ok=True)
    file.write_text(json.dumps(asdict(replace(request, gpus=asked.gpus > 0))), encoding="utf-8")
    command = shlex.join([sys.executable, "-m", "onkocode.cluster.probe", str(file)])
    payload = Payload(str(folder / "jobs"), [f"{NAME}.{name}"], [request.token], [command])
    script = submission.script_of(sys.executable, Path.cwd(), payload)
    try:
        given = arguments(site, asked, name, folder / f"{name}-%j.log", f"{NAME}.{name}")
        id_ = slurm.run(given, script).strip().split(";")[0].split()[-1]
    except (SlurmError, WorkflowError) as error:
        found = refused(asked, str(error))
        return Finding(found.level, f"partition {name}: {found.what}", found.advice)
    return Probe(name, asked.gpus, id_, file, folder / f"{name}-{id_}.log")


def wait_for(probes: Sequence[Probe], minutes: float) -> Iterator[tuple[Probe, Answer]]:
    """Yield each probe when it has ended, or when the time is up."""
    end, waiting, ended = time.monotonic() + 60 * minutes, list(probes), dict[str, float]()
    while waiting:
        now = time.monotonic()
        rows: dict[str, Row] | None = None
        with suppress(SlurmError):
            rows = slurm.queue()
        for probe in list(waiting):
            row = None if rows is None else rows.get(probe.id)
            seen = read_seen(result_file(probe.request))
            if rows is not None and (row is None or not row.alive):
                ended.setdefault(probe.id, now)
            if seen is not None or now > end or now > ended.get(probe.id, now) + ARRIVAL:
                waiting.remove(probe)
                yield probe, Answer(seen, row, _last_lines(probe.log))
        if waiting:
            time.sleep(PAUSE)


def _last_lines(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return " / ".join(line.strip() for line in lines[-LAST_LINES:])


def judge(probe: Probe, answer: Answer, needs: Sequence[Need]) -> Iterator[Finding]:
    """Yield what an answer, or that there is none, says of a partition."""
    if answer.seen is None:
        yield judge_silence(probe, answer)
        return
    for found in [*check_node(answer.seen), *(check_gpus(answer.seen, probe.gpus, needs) if probe.gpus else [])]:
        yield Finding(found.level, f"partition {probe.partition}: {found.what}", found.advice)


def judge_silence(probe: Probe, answer: Answer) -> Finding:
    """Return what it means that a probe has written nothing."""
    row, place = answer.row, f"partition {probe.partition}"
    if row is not None and row.alive and row.state != "RUNNING":
        advice = slurm.hopeless(row.reason)
        said = f"{place}: the probe job {probe.id} did not start in time ({row.state.lower()}: {row.reason})"
        if advice is not None:
            return wrong(said, advice)
        return warning(said, "try again later, or with a longer --wait")
    if row is not None and row.alive:
        said = f"{place}: the probe job {probe.id} did not end in time on node {row.node}"
        return warning(said, "try again with a longer --wait")
    state = "is gone" if row is None else f"ended ({row.state.lower()}) on node {row.node}"
    if answer.log:
        return wrong(f"{place}: the probe job {probe.id} {state} without a result", f"its log ends: {answer.log}")
    advice = f"nodes there may not see this working directory, in which its log {probe.log} was to be"
    return wrong(f"{place}: the probe job {probe.id} {state} without a result or a log", advice)


def check_node(seen: Seen) -> Iterator[Finding]:
    """Yield whether a node sees and writes the same folders, and has the same software."""
    blind = [name for name, read in seen.tokens.items() if not read]
    for name in blind:
        named = {"scratch": "`scratch`", "cache": "`cache`"}.get(name)
        advice = f"set {named} in config/site.yaml to a folder of" if named else "work in a folder on"
        yield wrong(f"node {seen.node}: its {name} is not the one of this machine", f"{advice} a shared file system")
    closed = [name for name, written in seen.writable.items() if not written and name not in blind]
    for name in closed:
        yield wrong(f"node {seen.node}: cannot write to the {name}", "ask the site, or name another folder")
    if seen.onkocode:
        yield wrong(f"node {seen.node}: onkocode cannot be imported ({seen.onkocode})", "install it where nodes see it")
    own = sys.version.split()[0]
    if seen.python != own:
        what = f"node {seen.node}: {sys.executable} is Python {seen.python} there, {own} here"
        yield wrong(what, "make the environment with a Python on a shared file system")
    if not blind and not closed and not seen.onkocode and seen.python == own:
        yield ok(f"node {seen.node}: sees the same folders and the same software")
