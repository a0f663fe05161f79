"""`onkocode cluster`: each check with its outcomes, and the verbs on a SLURM that only answers."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from onkocode.cli import main
from onkocode.cluster import probing
from onkocode.cluster.asking import (
    Asked,
    arguments,
    asked_by,
    check_room,
    check_taken,
    check_types,
    partition_for,
    refused,
)
from onkocode.cluster.check import needs_of
from onkocode.cluster.findings import Finding
from onkocode.cluster.gpu_software import Need
from onkocode.cluster.places import Place, check_catalogues, check_models, check_place, places_of, weights_in
from onkocode.cluster.probe import Seen, read_seen
from onkocode.cluster.probing import Answer, Probe, check_node, judge_silence
from onkocode.cluster.site_checks import (
    check_account,
    check_gpu_request,
    check_memory,
    check_partition,
    check_settings,
    check_site,
)
from onkocode.cluster.slurm import Row, SlurmError
from onkocode.config.loading import merge_files
from onkocode.config.site import Partition, Site, site_of
from onkocode.study import Study
from tests.unit.fake_slurm import FakeSlurm
from tests.unit.test_cluster_detect import MIXED, NEW, OLD

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]
SITE: dict[str, Any] = {
    "partitions": {
        "cpu": {"hours": 24, "memory_mb": 64000, "cores": 16},
        "gpu": {"hours": 24, "memory_mb": 64000, "cores": 16, "gpus": {"a40": 2}},
    }
}


def site(**further: Any) -> Site:
    return site_of({**SITE, **further})


def levels(found: Any) -> list[str]:
    return [item.level for item in found]


def study(**further: Any) -> Study:
    """The example's study, changed."""
    files = [ROOT / "config/config.yaml", ROOT / "config/quickstart.yaml"]
    merged = merge_files(files)
    for key, value in further.items():
        merged[key] = {**merged[key], **value} if isinstance(value, dict) else value
    return Study(merged, [])


def paper() -> Study:
    files = [ROOT / "config/config.yaml"]
    return Study(merge_files(files), files)


# -- the site file --


def test_partition_that_is_right() -> None:
    found = list(check_partition("gpu", site().partitions["gpu"], OLD, [], []))
    assert [str(item) for item in found] == ["ok       partition gpu: up; 24 h, 64,000 MB, 16 cores, 2 a40"]
    # What asks for less than there is, or for any GPU, is right as well.
    smaller = Partition(hours=1, memory_mb=1000, cores=1, gpus={"gpu": 2})
    assert levels(check_partition("gpu", smaller, OLD, [], [])) == ["ok"]


@pytest.mark.parametrize(
    ("name", "change", "says", "key"),
    [
        ("gpus", {}, "not on this cluster (there are: cpu, gpu)", "partitions.gpus"),
        ("gpu", {"hours": 48}, "hours is 48, the cluster allows 24", "partitions.gpu.hours"),
        ("gpu", {"memory_mb": 64001}, "memory_mb is 64001, the cluster allows 64000", "partitions.gpu.memory_mb"),
        ("gpu", {"cores": 17}, "cores is 17, the cluster allows 16", "partitions.gpu.cores"),
        ("gpu", {"gpus": {"a40": 3}}, "no node has 3 GPUs a40 (GPUs there: a40: 2)", "partitions.gpu.gpus"),
        ("gpu", {"gpus": {"a100": 1}}, "no node has 1 GPUs a100 (GPUs there: a40: 2)", "partitions.gpu.gpus"),
        ("gpu", {"gpus": {"gpu": 3}}, "no node has 3 GPUs gpu", "partitions.gpu.gpus"),
        ("cpu", {"gpus": {"a40": 1}}, "no node has 1 GPUs a40 (GPUs there: none)", "partitions.cpu.gpus"),
    ],
)
def test_partition_that_is_wrong(name: str, change: dict[str, Any], says: str, key: str) -> None:
    partition = Partition.model_validate({"hours": 24, "memory_mb": 64000, "cores": 16, **change})
    (found,) = check_partition(name, partition, OLD, [], [])
    assert found.level == "wrong"
    assert says in found.what
    assert f"`{key}` in config/site.yaml" in found.advice


def test_partition_that_is_closed_or_empty() -> None:
    partition = Partition(hours=1, memory_mb=1000, cores=1)
    assert "is down" in next(check_partition("closed", partition, MIXED, [], [])).what
    assert "not open to you" in next(check_partition("other", partition, MIXED, [], ["users"])).what
    assert "has no nodes" in next(check_partition("empty", partition, MIXED, [], [])).what
    assert levels(check_partition("secret", partition, MIXED, [], [])) == ["warning", "ok"]


def test_partition_of_certain_accounts() -> None:
    """An account below a named one is admitted, and which lie below which is not known."""
    partition = Partition(hours=1, memory_mb=1000, cores=1)
    listed, *others = check_partition("paid", partition, MIXED, ["lab"], [])
    assert str(listed) == (
        "warning  partition paid: is for the accounts rich, richer and those below them; "
        "remove `partitions.paid` in config/site.yaml if lab is none of them"
    )
    assert "wrong" not in levels(others)
    denying = replace(MIXED, queues={"paid": replace(MIXED.queues["paid"], accounts=[], denied=["lab"])})
    assert "not open to you" in next(check_partition("paid", partition, denying, ["lab"], [])).what


def test_partitions_are_judged_by_the_account_that_is_charged() -> None:
    given: dict[str, Any] = {"partitions": {"paid": {"hours": 1, "memory_mb": 1000, "cores": 1}}}
    for account, expected in (("lab", True), ("rich", False), (None, False)):
        found = check_site(site_of({**given, "account": account}), MIXED, ["rich", "lab"], [], True)
        assert any("is for the accounts rich, richer" in item.what for item in found) == expected


def test_memory_that_slurm_is_not_told_is_said_once() -> None:
    untold = replace(OLD, nodes=[replace(node, memory_mb=1) for node in OLD.nodes])
    (found,) = (item for item in check_site(site(), untold, [], [], True) if item.level != "ok")
    assert str(found).startswith(
        "wrong    memory: SLURM is not told the memory of the nodes (RealMemory; partitions: cpu, gpu); ask the site"
    )
    assert list(check_memory(site(), OLD)) == []


def test_partition_of_several_kinds_of_nodes() -> None:
    kinds = {"nvidia_a100": 4, "a40": 2}
    partition = Partition.model_validate({"hours": 84.5, "memory_mb": 256000, "cores": 64, "gpus": kinds})
    found = list(check_partition("gpu", partition, MIXED, [], ["users"]))
    assert [item.what for item in found if item.level == "warning"] == [
        "partition gpu: its nodes with 2 a40 have 128,000 MB and 32 cores at most"
    ]


@pytest.mark.parametrize(
    ("account", "accounts", "enforced", "level"),
    [
        (None, [], "none", "ok"),
        (None, ["lab"], "associations", "ok"),
        ("lab", ["lab", "other"], "associations,limits", "ok"),
        ("lab", [], "associations", "ok"),
        ("lb", ["lab"], "none", "warning"),
        ("lb", ["lab"], "associations,limits", "wrong"),
    ],
)
def test_account(account: str | None, accounts: list[str], enforced: str, level: str) -> None:
    (found,) = check_account(site(account=account), {"AccountingStorageEnforce": enforced}, accounts)
    assert found.level == level
    assert (level == "ok") or "`account` in config/site.yaml" in found.advice


def test_way_to_ask_for_gpus() -> None:
    assert levels(check_gpu_request(site(), OLD)) == ["ok"]
    (found,) = check_gpu_request(site(), MIXED)
    assert str(found) == (
        "wrong    GPUs: select/cons_res knows no --gpus; set `gpu_request` in config/site.yaml to gres"
    )
    assert levels(check_gpu_request(site(gpu_request="gres"), MIXED)) == ["ok"]
    assert levels(check_gpu_request(site(gpu_request="gres"), OLD)) == ["ok"]
    assert "none" in next(check_gpu_request(site(partitions={"cpu": SITE["partitions"]["cpu"]}), MIXED)).what


@pytest.mark.parametrize(
    ("settings", "accounting", "expected"),
    [
        (OLD.settings, False, ["ok", "ok", "ok"]),
        (MIXED.settings, True, ["ok", "warning", "ok"]),
        (MIXED.settings, False, ["warning", "warning", "ok"]),
        (NEW.settings, False, ["ok", "ok", "ok"]),
        ({}, False, ["ok", "warning", "ok"]),
    ],
)
def test_settings(settings: dict[str, str], accounting: bool, expected: list[str]) -> None:
    assert levels(check_settings(settings, accounting)) == expected


def test_settings_in_words() -> None:
    words = [str(item) for item in check_settings(MIXED.settings, False)]
    assert "ended jobs: known for 60 s (MinJobAge) and then forgotten" in words[0]
    assert "its own record" in words[0]
    assert "EnforcePartLimits=NO" in words[1]
    assert "end with 1-100 (RequeueExit)" in words[2]
    assert "JobRequeue=0" in [str(item) for item in check_settings({"JobRequeue": "0"}, True)][2]


# -- what jobs ask for --

JOB = Asked(("a",), "training", 2, "a40", 48000, 4, 600)


def test_arguments_are_those_of_the_executor() -> None:
    given = arguments(site(account="lab", qos="high", options=["--exclude=n1"]), JOB, "gpu", Path("x-%j.log"))
    assert given[0] == "sbatch"
    for words in (["-A", "lab"], ["-p", "gpu"], ["-t", "600"], ["--mem", "48000"], ["--output", "x-%j.log"]):
        assert given[given.index(words[0]) + 1] == words[1]
    assert {"--gpus=a40:2", "--cpus-per-task=4", "--qos=high", "--exclude=n1", "--signal=B:USR1@240"} <= set(given)
    gres = arguments(site(gpu_request="gres"), JOB, "gpu", Path("x"))
    assert "--gres=gpu:a40:2" in gres
    assert not any(word.startswith("--gpus") for word in gres)
    untyped = replace(JOB, gpu_type="", gpus=1)
    assert "--gpus=1" in arguments(site(), untyped, "gpu", Path("x"))
    assert "--gres=gpu:1" in arguments(site(gpu_request="gres"), untyped, "gpu", Path("x"))
    none = arguments(site(), replace(JOB, gpus=0, gpu_type="", minutes=1), "cpu", Path("x"))
    assert not any("gpu" in word for word in none)
    assert "--signal=B:USR1@15" in none


def test_jobs_of_the_paper_each_once() -> None:
    asked, problems = asked_by(paper(), site(partitions={"gpu": {**SITE["partitions"]["gpu"], "hours": 1000}}))
    assert problems == []
    by_model = {(item.stage, model): item for item in asked for model in item.models}
    assert by_model["training", "qwen3-32b"] == Asked(("qwen3-32b",), "training", 2, "a40", 96000, 1, 3240)
    assert by_model["testing", "fusion"].gpus == 0
    assert ("training", "majority-code") in by_model
    assert len({model for item in asked for model in item.models}) == 13
    assert len(asked) < 2 * 13


def test_room() -> None:
    assert check_room(site(), JOB) is None
    too_long = check_room(site(), replace(JOB, minutes=1500))
    assert too_long is not None
    assert "25 h, but partitions with room for it allow 24 h" in too_long.what
    assert "lower training_hours" in too_long.advice
    for change in ({"gpus": 3}, {"memory_mb": 70000}, {"cores": 17}):
        found = check_room(site(), replace(JOB, **change))  # type: ignore[arg-type]
        assert found is not None
        assert found.level == "wrong"
        assert "`partitions` in config/site.yaml" in found.advice
    assert partition_for(site(), JOB) == "gpu"
    assert partition_for(site(), replace(JOB, gpus=0, gpu_type="")) == "cpu"
    assert partition_for(site(), replace(JOB, gpus=3)) is None


@pytest.mark.parametrize(
    ("message", "level", "key"),
    [
        ("sbatch: error: invalid partition specified: x", "wrong", "partitions"),
        ("allocation failure: Invalid account or account/partition combination specified", "wrong", "account"),
        ("allocation failure: Invalid qos specification", "wrong", "qos"),
        ("allocation failure: Requested time limit is invalid (missing or exceeds some limit)", "wrong", "partitions"),
        ("allocation failure: Invalid generic resource (gres) specification", "wrong", "gpu_request"),
        ("allocation failure: Requested node configuration is not available", "wrong", "partitions"),
        ("sbatch: unrecognized option '--excluded=x'", "wrong", "options"),
        ("allocation failure: something new", "wrong", "ask the site"),
        ("Unable to contact slurm controller (connect failure)", "warning", "later"),
    ],
)
def test_refusals(message: str, level: str, key: str) -> None:
    found = refused(JOB, message)
    assert found.level == level
    assert key in found.advice


def saying(message: str) -> Callable[..., str]:
    """Return what answers as a failing sbatch does."""

    def run(*arguments: object) -> str:
        raise SlurmError(message)

    return run


def test_nodes_that_are_down_now() -> None:
    """A job that fits nodes of which none is up waits; one that fits none is refused for good."""
    answer = saying("allocation failure: Requested node configuration is not available")
    all_down = replace(OLD, nodes=[replace(node, states={"DOWN"}) for node in OLD.nodes])
    found = check_taken(site(), JOB, all_down, answer)
    assert found.level == "warning"
    assert "its nodes of partition gpu are down now (gpu1, gpu2)" in found.what
    assert found.advice == "the job waits until one is up"
    assert check_taken(site(), JOB, OLD, answer).level == "wrong"  # one is up, and SLURM refuses still
    more = site(partitions={"gpu": {**SITE["partitions"]["gpu"], "cores": 64}})
    assert check_taken(more, replace(JOB, cores=17), all_down, answer).level == "wrong"  # no node has so many
    assert check_taken(site(), JOB, all_down, saying("Invalid qos specification")).level == "wrong"


def test_recipes_without_a_gpu_do_not_end_the_check(fake: FakeSlurm, capsys: Capture) -> None:
    unknown = site(partitions={"gpu": {**SITE["partitions"]["gpu"], "gpus": {"mystery": 4}}})
    asked, problems = asked_by(paper(), unknown)
    assert any("fusion" in item.models for item in asked)
    assert len(problems) == 8  # a line for each language model
    assert {item.advice for item in problems} == {"set resources.gpu_model of the recipe to one of mystery"}
    assert "training of qwen3-8b: recipes.qwen3-8b: asks for a40" in str(problems)
    write_site(partitions={"gpu": {**SITE["partitions"]["gpu"], "gpus": {"mystery": 4}}})
    assert main(["cluster", "check", "--no-jobs", "--config", str(ROOT / "config/config.yaml")]) == 2
    shown = capsys.readouterr().out
    assert "wrong    training of qwen3-8b: " in shown
    assert "results: " in shown
    assert "model Qwen/Qwen3-8B" in shown


def test_types_of_recipes() -> None:
    assert list(check_types(paper(), site())) == []
    other = site(partitions={"gpu": {**SITE["partitions"]["gpu"], "gpus": {"a100": 4}}})
    (found,) = check_types(paper(), other)
    assert found.level == "warning"
    assert "no partition names a40, which qwen2.5-7b asks for; by the plan it asks for others" in found.what
    sliced = site(partitions={"gpu": {**SITE["partitions"]["gpu"], "gpus": {"a100": 4, "a100_1g.10gb": 7}}})
    assert "(not for a100_1g.10gb: MIG slices, which are used only where" in next(check_types(paper(), sliced)).what
    untyped = site(partitions={"gpu": {**SITE["partitions"]["gpu"], "gpus": {"gpu": 4}}})
    assert list(check_types(paper(), untyped)) == []
    merged = merge_files([ROOT / "config/config.yaml"])
    merged["recipes"]["qwen3-8b"]["resources"]["gpu_model"] = None
    several = site(partitions={"gpu": {**SITE["partitions"]["gpu"], "gpus": {"a40": 4, "a100": 4}}})
    assert [item.what for item in check_types(Study(merged, []), several)] == [
        "GPUs: qwen3-8b names no type, so it takes any of a40, a100"
    ]


def test_needs_by_partition() -> None:
    large = site(partitions={"big": {"hours": 200, "memory_mb": 200000, "cores": 64, "gpus": {"a40": 4}}})
    needs = needs_of(paper(), large, asked_by(paper(), large)[0])["big"]
    assert Need("qwen3-32b", "training", "bf16", "8bit") in needs
    assert Need("mistral-nemo", "testing", "bf16", "8bit") in needs
    assert not any(need.model == "fusion" for need in needs)


# -- places, models, catalogues --


def test_room_on_disks() -> None:
    place = Place("cache", Path("x"), "cache", 100e9)
    assert check_place(place, True, 100e9, 100e9).level == "ok"
    assert check_place(place, True, 101e9, 150e9).level == "warning"
    short = check_place(place, True, 99e9, 100e9)
    assert str(short).startswith("wrong    cache: x, 99 GB free, 100.0 GB needed; make room there, or set `cache` in")
    assert check_place(replace(place, name="results", named_by="pathvars.results"), True, 1e9, 2e9).level == "warning"
    closed = check_place(place, False, 1e12, 0)
    assert closed.level == "wrong"
    assert "cannot be written to" in closed.what


def test_places_of_a_study(tmp_path: Path) -> None:
    given = site(scratch=tmp_path / "fast/saves", cache=tmp_path / "hub")
    places, unknown = places_of(paper(), given)
    assert unknown == []
    assert {place.name: place.named_by for place in places} == {
        "scratch": "scratch",
        "cache": "cache",
        "results": "pathvars.results",
    }
    assert places[0].there == tmp_path
    # Two bytes for each of the 200 thousand million parameters of the paper's models.
    assert 3.5e11 < places[1].needed < 4.5e11
    assert [place.named_by for place in places_of(paper(), site())[0]][:2] == ["pathvars.scratch", "HF_HOME"]


def test_scratch_of_the_configuration_comes_before_that_of_the_site(tmp_path: Path) -> None:
    """Snakemake takes them in that order."""
    files = [ROOT / "config/config.yaml", ROOT / "config/small.yaml"]
    place = places_of(Study(merge_files(files), files), site(scratch=tmp_path))[0][0]
    assert (place.folder, place.named_by) == (Path("scratch/small"), "pathvars.scratch")


def test_folder_below_a_closed_one_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, is_dir = tmp_path / "closed", Path.is_dir

    def refused_below(path: Path) -> bool:
        if closed in path.parents:
            raise PermissionError(path)
        return is_dir(path)

    closed.mkdir()
    monkeypatch.setattr(Path, "is_dir", refused_below)
    assert Place("scratch", closed / "a/b", "scratch").there == closed


def cached(cache: Path, hub: str, weights: bool = True) -> None:
    repository = cache / f"hub/models--{hub.replace('/', '--')}"
    folder = repository / "snapshots/0123456789abcdef0123456789abcdef01234567"
    folder.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(folder.name)
    (folder / "config.json").write_text("{}")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for number in (1, 2) if weights else (1,):
        (folder / f"model-{number}.safetensors").write_bytes(b"")


def test_models(tmp_path: Path) -> None:
    cached(tmp_path, "Qwen/Qwen3-8B")
    cached(tmp_path, "Qwen/Qwen3-14B", weights=False)
    assert weights_in(tmp_path / "hub", "Qwen/Qwen3-8B", "main") is not None
    assert weights_in(tmp_path / "hub", "Qwen/Qwen3-14B", "main") is None
    assert weights_in(tmp_path / "hub", "Qwen/Qwen3-32B", "main") is None
    found = {
        item.what.split()[1].strip(":"): item for item in check_models(paper(), site(cache=tmp_path), {"HF_TOKEN": "x"})
    }
    assert found["Qwen/Qwen3-8B"].level == "ok"
    assert found["Qwen/Qwen3-14B"].level == "warning"
    assert "HF_TOKEN" not in found["Qwen/Qwen3-32B"].advice
    offline = {
        item.what.split()[1].strip(":"): item
        for item in check_models(paper(), site(cache=tmp_path), {"HF_HUB_OFFLINE": "1"})
    }
    assert [offline[f"Qwen/Qwen3-{size}B"].level for size in (8, 14, 32)] == ["ok", "wrong", "wrong"]


def test_local_models(tmp_path: Path) -> None:
    merged = merge_files([ROOT / "config/config.yaml"])
    merged["models"] = ["qwen3-8b"]
    merged["recipes"]["qwen3-8b"]["base"] = {"path": str(tmp_path)}
    (found,) = check_models(Study(merged, []), site(), {})
    assert found.level == "wrong"
    assert "recipes.qwen3-8b.base.path" in found.advice
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert levels(check_models(Study(merged, []), site(), {})) == ["ok"]


def test_published_adapters(tmp_path: Path) -> None:
    merged = merge_files([ROOT / "config/config.yaml"])
    merged["models"] = ["ours"]
    adapter = {"kind": "published-adapter", "adapter": {"hub": "lab/adapter"}}
    merged["recipes"]["ours"] = {**merged["recipes"]["qwen3-8b"], **adapter, "thinking": False}
    names = [item.what.split()[1].strip(":") for item in check_models(Study(merged, []), site(cache=tmp_path), {})]
    assert names == ["Qwen/Qwen3-8B", "lab/adapter"]
    cached(tmp_path, "lab/adapter")
    folder = next((tmp_path / "hub/models--lab--adapter/snapshots").iterdir())
    (folder / "adapter_model.safetensors").write_bytes(b"")
    assert levels(check_models(Study(merged, []), site(cache=tmp_path), {})) == ["warning", "ok"]


def test_catalogues(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ONKOCODE_CATALOGUES", raising=False)
    monkeypatch.chdir(tmp_path)
    assert levels(check_catalogues(study())) == ["ok"]
    found = list(check_catalogues(paper()))
    assert set(levels(found)) == {"wrong"}
    assert "accept_terms" in " ".join(str(item) for item in found)
    merged = merge_files([ROOT / "config/config.yaml"])
    merged["catalogues"]["accept_terms"] = True
    accepted = list(check_catalogues(Study(merged, [])))
    assert "ok" in levels(accepted)
    assert "address is not known" in " ".join(item.what for item in accepted if item.level == "wrong")
    merged["catalogues"]["files"] = {"alphaid-2024": str(tmp_path / "missing.txt")}
    assert "missing.txt is not there" in " ".join(item.what for item in check_catalogues(Study(merged, [])))


# -- probes --

PROBE = Probe("gpu", 1, "5", Path("request.json"), Path("gpu-5.log"))
SOUND = Seen(node="gpu1", python=sys.version.split()[0], tokens={"scratch": True}, writable={"scratch": True})


def test_node_that_sees_the_same() -> None:
    assert [str(item) for item in check_node(SOUND)] == [
        "ok       node gpu1: sees the same folders and the same software"
    ]


@pytest.mark.parametrize(
    ("change", "says", "advises"),
    [
        ({"tokens": {"scratch": False}}, "its scratch is not the one of this machine", "set `scratch` in config/site"),
        ({"tokens": {"cache": False}}, "its cache is not the one of this machine", "set `cache` in config/site.yaml"),
        ({"tokens": {"working directory": False}}, "its working directory is not the one", "a shared file system"),
        ({"writable": {"scratch": False}}, "cannot write to the scratch", "ask the site"),
        ({"onkocode": "ModuleNotFoundError: x"}, "onkocode cannot be imported (ModuleNotFoundError: x)", "install"),
        ({"python": "3.9.2"}, "is Python 3.9.2 there", "shared file system"),
    ],
)
def test_node_that_does_not(change: dict[str, Any], says: str, advises: str) -> None:
    (found,) = check_node(replace(SOUND, **change))
    assert found.level == "wrong"
    assert says in found.what
    assert advises in found.advice


@pytest.mark.parametrize(
    ("row", "log", "level", "says"),
    [
        (Row("5", "PENDING", "Resources"), "", "warning", "did not start in time (pending: Resources)"),
        (Row("5", "PENDING", "PartitionTimeLimit"), "", "wrong", "PartitionTimeLimit"),
        (Row("5", "RUNNING", node="gpu1"), "", "warning", "did not end in time on node gpu1"),
        (Row("5", "FAILED", node="gpu1"), "no python", "wrong", "its log ends: no python"),
        (Row("5", "FAILED", node="gpu1"), "", "wrong", "may not see this working directory"),
        (None, "", "wrong", "the probe job 5 is gone without a result or a log"),
    ],
)
def test_probe_without_a_result(row: Row | None, log: str, level: str, says: str) -> None:
    found = judge_silence(PROBE, Answer(None, row, log))
    assert found.level == level
    assert says in str(found)


def test_result_that_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    assert read_seen(file) is None
    for text in ("", "[]", '{"node": "x"', "{}", '{"devices": [], "capabilities": [], "else": 1}'):
        file.write_text(text)
        assert read_seen(file) is None


# -- the verbs --


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    slurm = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", slurm.environment()["PATH"])
    monkeypatch.delenv("ONKOCODE_CATALOGUES", raising=False)
    monkeypatch.setattr(probing, "PAUSE", 0.1)
    monkeypatch.setattr(probing, "ARRIVAL", 0.2)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return slurm


CHECK = ["cluster", "check", "--config", str(ROOT / "config/config.yaml"), str(ROOT / "config/quickstart.yaml")]


def outcome(capsys: Capture, *further: str) -> tuple[int, list[str]]:
    status = main([*CHECK, *further])
    return status, capsys.readouterr().out.splitlines()


def not_ok(lines: list[str]) -> list[str]:
    return [line for line in lines[:-1] if not line.startswith("ok ")]


def test_describe_never_overwrites(fake: FakeSlurm, capsys: Capture) -> None:
    assert main(["cluster", "describe"]) == 0
    printed = capsys.readouterr().out
    assert main(["cluster", "describe", "--output", "config/site.yaml"]) == 0
    assert Path("config/site.yaml").read_text() == printed
    assert main(["cluster", "describe", "--output", "config/site.yaml"]) == 2
    assert "is there already" in capsys.readouterr().err
    fake.answer(down=True)
    assert main(["cluster", "describe"]) == 2
    assert "SLURM does not answer (slurm_load_ctl_conf error" in capsys.readouterr().err


def test_check_after_describe(fake: FakeSlurm, capsys: Capture) -> None:
    assert main(["cluster", "check"]) == 2
    assert "cluster describe --output config/site.yaml" in capsys.readouterr().err
    assert main(["cluster", "describe", "--output", "config/site.yaml"]) == 0
    capsys.readouterr()
    status, lines = outcome(capsys, "--no-jobs")
    assert (status, not_ok(lines)) == (0, []), lines
    assert lines[-1].startswith("0 wrong, 0 warning, ")
    tests = [call for call in fake.calls if call.startswith("sbatch")]
    assert tests
    assert all("--test-only" in call for call in tests)


def write_site(**further: Any) -> None:
    Path("config").mkdir(exist_ok=True)
    Path("config/site.yaml").write_text(yaml.safe_dump({**SITE, **further}))


def test_check_names_what_sbatch_refuses(fake: FakeSlurm, capsys: Capture) -> None:
    write_site(account="lb")
    fake.answer(refuse={"-A lb": "sbatch: error: Invalid account or account/partition combination specified"})
    status, lines = outcome(capsys, "--no-jobs")
    assert status == 2
    assert all("correct `account` in config/site.yaml" in line for line in not_ok(lines))
    assert not_ok(lines)


def test_check_without_slurm(fake: FakeSlurm, capsys: Capture) -> None:
    write_site()
    fake.answer(down=True)
    status, lines = outcome(capsys)
    assert status == 2
    assert next(line for line in lines if line.startswith("wrong")).startswith("wrong    SLURM: does not answer")
    assert any(line.startswith("ok       catalogues: ") for line in lines)


def test_probes_run_and_are_judged(fake: FakeSlurm, capsys: Capture) -> None:
    """A node without a driver is wrong, since training would run on its processor."""
    write_site()
    status, lines = outcome(capsys)
    assert status == 2, lines
    assert "ok       partition cpu: node node1: sees the same folders and the same software" in lines
    assert "ok       partition gpu: node node1: sees the same folders and the same software" in lines
    without = "wrong    partition gpu: no GPU driver on node node1 (nvidia-smi is not there); training would run on"
    if any("no GPU driver" in line for line in lines):  # a machine with a GPU is judged by what it has
        assert any(line.startswith(without) for line in lines)
    sent = [call for call in fake.calls if call.startswith("sbatch") and "--test-only" not in call]
    assert ["--gpus=1" in call for call in sent] == [False, True]
    assert not list(Path().glob(".onkocode-check*"))


@pytest.mark.parametrize(
    ("answers", "status", "says"),
    [
        (
            {"state": "PENDING", "reason": "Resources"},
            0,
            "warning  partition cpu: the probe job 1 did not start in time",
        ),
        (
            {"state": "PENDING", "reason": "InvalidQOS"},
            2,
            "wrong    partition cpu: the probe job 1 did not start in time",
        ),
        ({"state": "CANCELLED"}, 2, "wrong    partition cpu: the probe job 1 ended (cancelled) on node node1 without"),
    ],
)
def test_probes_that_do_not_run(
    fake: FakeSlurm, capsys: Capture, answers: dict[str, str], status: int, says: str
) -> None:
    write_site()
    fake.answer(**answers)
    given, lines = outcome(capsys, "--wait", "0.01")
    assert given == status
    assert any(line.startswith(says) for line in lines), lines
    assert "scancel 1 2" in fake.calls


def test_probe_on_a_node_without_the_environment(
    fake: FakeSlurm, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_site(partitions={"cpu": SITE["partitions"]["cpu"]})
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    fake.answer(state="FAILED")
    status, lines = outcome(capsys, "--wait", "0.1")
    assert status == 2
    assert any("/no/such/python is not there" in line for line in lines), lines


def test_probe_that_is_not_taken(fake: FakeSlurm, capsys: Capture) -> None:
    write_site()
    fake.answer(refuse={"--job-name cluster-check.gpu": "sbatch: error: QOSMaxGRESPerUser"}, state="PENDING")
    status, lines = outcome(capsys, "--wait", "0")
    assert status == 2
    assert any(
        line.startswith("wrong    partition gpu: probe of cluster-check: SLURM would not take it") for line in lines
    )


def test_finding_in_one_line() -> None:
    assert str(Finding("wrong", "a", "b")) == "wrong    a; b"
    assert str(Finding("ok", "a")) == "ok       a"
