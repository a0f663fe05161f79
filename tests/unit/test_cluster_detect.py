"""The site file that follows from what SLURM prints, on clusters of several versions."""

from pathlib import Path

import pytest
import yaml

from onkocode.cluster.detect import Cluster, cluster_of, fields, gpus_of, hours_of, site_from
from onkocode.cluster.site_text import site_text
from onkocode.config.loading import read_yaml
from onkocode.config.site import site_of
from onkocode.records.errors import InputError
from tests.unit import slurm_answers as said

ROOT = Path(__file__).parents[2]


def settings(text: str) -> dict[str, str]:
    return {line.split("=")[0].strip(): line.split("=", 1)[1].strip() for line in text.splitlines() if "=" in line}


OLD = cluster_of(settings(said.SETTINGS_22), said.PARTITIONS_22, said.NODES_22)
MIXED = cluster_of(settings(said.SETTINGS_23), said.PARTITIONS_23, said.NODES_23)
NEW = cluster_of(settings(said.SETTINGS_24), said.PARTITIONS_24, said.NODES_24)


def test_site_of_22_05() -> None:
    site = site_from(OLD, [], ["users"])
    assert OLD.version == "22.05.8"
    assert {name: item.model_dump() for name, item in site.partitions.items()} == {
        "cpu": {"hours": 24, "memory_mb": 64000, "cores": 16, "gpus": {}},
        "gpu": {"hours": 24, "memory_mb": 64000, "cores": 16, "gpus": {"a40": 2}},
    }
    assert (site.gpu_request, site.account) == ("gpus", None)
    assert [node.up for node in OLD.nodes_of("gpu")] == [True, False]


def test_site_of_23_11() -> None:
    """What others, root or nobody may use is left out; nodes that are down or drained count, future ones do not."""
    site = site_from(MIXED, ["lab"], ["users"])
    assert list(site.partitions) == ["long", "gpu"]
    # 32 of 92 cores, each with 8000 MB at most, which is less than the node's memory.
    assert site.partitions["long"].model_dump() == {"hours": 720, "memory_mb": 256000, "cores": 32, "gpus": {}}
    # Memory and cores of the node with most GPUs, within MaxMemPerCPU of the cluster.
    expected = {"hours": 84.5, "memory_mb": 256000, "cores": 64, "gpus": {"nvidia_a100": 4, "a40": 2}}
    assert site.partitions["gpu"].model_dump() == expected
    assert (site.gpu_request, site.account) == ("gres", "lab")
    assert list(site_from(MIXED, ["rich", "lab"], ["physics"]).partitions) == ["long", "other", "paid", "gpu"]
    assert site_from(MIXED, ["rich", "lab"], []).account is None


def test_site_of_24_05() -> None:
    site = site_from(NEW, ["lab", "lab2"], [])
    assert site.partitions["2gpu"].model_dump() == {
        "hours": 168,
        "memory_mb": 180000,
        "cores": 32,
        "gpus": {"gpu": 4, "l40s": 4},
    }


def queue(**said: str) -> Cluster:
    """Return a cluster of one partition with one node."""
    line = " ".join(["PartitionName=p State=UP", *(f"{name}={value}" for name, value in said.items())])
    return cluster_of({}, line, "NodeName=n CPUTot=8 RealMemory=8000 State=IDLE Partitions=p")


def test_accounts_that_a_partition_denies() -> None:
    denying = queue(DenyAccounts="poor,new", AllowAccounts="ALL")
    with pytest.raises(InputError, match="no partition"):
        site_from(denying, ["poor"], [])
    for accounts in (["poor", "lab"], ["lab"], []):
        assert list(site_from(denying, accounts, []).partitions) == ["p"]
    # SLURM reads no DenyAccounts beside AllowAccounts.
    assert queue(DenyAccounts="lab", AllowAccounts="lab").queues["p"].admits([], ["lab"])


def test_partition_of_other_accounts_is_described_only_without_another() -> None:
    """The account may lie below a named one."""
    assert "paid" not in site_from(MIXED, ["lab"], ["users"]).partitions
    alone = queue(AllowAccounts="faculty")
    text = site_text(site_from(alone, ["lab"], []), alone, ["lab"])
    assert "yours are not named" in text
    assert "yours are not named" not in site_text(site_from(alone, ["faculty"], []), alone, ["faculty"])


@pytest.mark.parametrize("memory", ["RealMemory=1", "RealMemory=1 MemSpecLimit=2000", ""])
def test_memory_that_slurm_is_not_told(memory: str) -> None:
    cluster = cluster_of({}, "PartitionName=p State=UP", f"NodeName=n CPUTot=8 {memory} State=IDLE Partitions=p")
    site = site_from(cluster, [], [])
    text = site_text(site, cluster, [])
    assert "# SLURM is not told the memory of these nodes (RealMemory), and takes" in text
    assert site_of(yaml.safe_load(text)) == site
    assert "RealMemory" not in site_text(site_from(OLD, [], []), OLD, [])


def test_no_partition_that_could_be_used() -> None:
    with pytest.raises(InputError, match=r"closed \(down\)"):
        site_from(cluster_of({}, said.PARTITIONS_23, ""), [], [])


@pytest.mark.parametrize(
    ("cluster", "accounts"), [(OLD, []), (MIXED, ["lab"]), (MIXED, ["rich", "lab"]), (NEW, ["no"])]
)
def test_text_is_read_as_the_site_that_it_was_written_for(cluster: Cluster, accounts: list[str]) -> None:
    site = site_from(cluster, accounts, ["users"])
    text = site_text(site, cluster, accounts)
    assert site_of(yaml.safe_load(text)) == site
    assert max(map(len, text.splitlines())) <= 120


def test_text_says_what_a_person_must_know() -> None:
    text = site_text(site_from(MIXED, ["rich", "lab"], ["users"]), MIXED, ["rich", "lab"])
    assert "no limit of time, so 720 hours" in text
    assert "2 nodes, 1 up; of 2 kinds" in text
    assert "yours are rich, lab" in text
    assert "--gres=gpu:a40:2" in text


def test_example_file_is_a_site() -> None:
    site = site_of(read_yaml(ROOT / "config/site.example.yaml"))
    assert site.gpu_types()
    page = (ROOT / "docs/site.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    assert site_of(yaml.safe_load(example)) == site


def test_page_names_every_key() -> None:
    page = (ROOT / "docs/site.md").read_text(encoding="utf-8")
    from onkocode.config.site import Partition, Site

    keys = [*Site.model_fields, *(f"partitions.NAME.{name}" for name in Partition.model_fields)]
    assert [name for name in keys if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("1-00:00:00", 24),
        ("12:30:00", 12.5),
        ("2-12", 60),
        ("1-06:30", 30.5),
        ("90", 1.5),
        ("30:00", 0.5),
        ("UNLIMITED", None),
        ("INFINITE", None),
        ("NONE", None),
    ],
)
def test_hours(text: str, hours: float | None) -> None:
    assert hours_of(text) == hours


@pytest.mark.parametrize(
    ("gres", "configured", "found"),
    [
        ("gpu:a40:2(S:0-1)", "", {"a40": 2}),
        ("gpu:nvidia_a100:4", "", {"nvidia_a100": 4}),
        ("gpu:4", "", {"gpu": 4}),
        ("gpu:4(S:0-1)", "gres/gpu=4", {"gpu": 4}),
        ("gpu", "", {"gpu": 1}),
        ("gpu:a40", "", {"a40": 1}),
        ("gpu:a100:2(IDX:0-1),gpu:v100:2,mps:400,shard:8", "", {"a100": 2, "v100": 2}),
        ("gpu:a100:no_consume:2", "", {"a100": 2}),
        ("gpu:1g.10gb:7", "", {"1g.10gb": 7}),
        ("gpu:nvidia_a100-sxm4-80gb:8(S:1,3,5,7)", "", {"nvidia_a100-sxm4-80gb": 8}),
        ("(null)", "cpu=32,mem=1G,gres/gpu=4", {"gpu": 4}),
        ("(null)", "cpu=32,gres/gpu=4,gres/gpu:l40s=4", {"l40s": 4}),
        ("(null)", "cpu=32", {}),
        ("craynetwork:1", "", {}),
        ("gpu:a40:0", "", {}),
    ],
)
def test_gpus(gres: str, configured: str, found: dict[str, int]) -> None:
    assert gpus_of(gres, configured) == found


def test_fields_with_spaces_and_signs() -> None:
    found = fields(said.NODES_22.splitlines()[2])
    assert found["OS"] == "Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC @0"
    assert found["Gres"] == "gpu:a40:2"
    assert found["AllocTRES"] == ""
    assert fields("PartitionName=x TRES=cpu=1,mem=2G State=UP")["TRES"] == "cpu=1,mem=2G"
