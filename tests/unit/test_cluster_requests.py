"""What jobs ask a cluster for: the site's words, its limits, and the GPUs that it has."""

from pathlib import Path
from typing import Any

import pytest

from onkocode.cluster import here
from onkocode.cluster.requests import NoGpuError, Tries, resources
from onkocode.config.loading import merge_files
from onkocode.config.site import Site, site_of
from onkocode.records.endings import Ending
from onkocode.records.errors import InputError
from onkocode.study import Study

PAPER = Path("config/config.yaml")
# Table 3 of the paper: GPUs of training and of testing.
TABLE_3 = {
    "qwen2.5-7b": (1, 1),
    "llama-3.1-8b": (1, 1),
    "qwen3-8b": (1, 1),
    "mistral-nemo": (2, 1),
    "qwen3-14b": (1, 1),
    "qwen3-32b": (2, 1),
    "mixtral-8x7b": (2, 2),
    "llama-3.3-70b": (2, 2),
}


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(merge_files([PAPER]), [PAPER])


def site(gpus: dict[str, int], hours: float = 200, **further: Any) -> Site:
    cpu = {"hours": 12, "memory_mb": 500_000, "cores": 64}
    return site_of({"partitions": {"cpu": cpu, "gpu": {**cpu, "hours": hours, "gpus": gpus}}, **further})


@pytest.mark.parametrize("model", TABLE_3)
def test_gpus_of_table_3(study: Study, model: str) -> None:
    asked = [resources(study, model, stage, site({"a40": 4}), Tries()) for stage in ("training", "testing")]
    assert tuple(item["gpu"] for item in asked) == TABLE_3[model]
    assert {item["gpu_model"] for item in asked} == {"a40"}
    assert {item["gres"] for item in asked} == {""}


def test_by_gres(study: Study) -> None:
    only = site({"a40": 4}, gpu_request="gres")
    asked = resources(study, "mistral-nemo", "training", only, Tries())
    assert {name: asked[name] for name in ("gpu", "gpu_model", "gres")} == {
        "gpu": 0,
        "gpu_model": "",
        "gres": "gpu:a40:2",
    }
    assert resources(study, "lexicon", "training", only, Tries())["gres"] == ""
    untyped = site({"gpu": 4}, gpu_request="gres")
    assert resources(study, "mistral-nemo", "training", untyped, Tries())["gres"] == "gpu:2"


def test_no_type_without_gpus_or_where_types_are_not_told_apart(study: Study) -> None:
    assert resources(study, "lexicon", "training", site({"a40": 4}), Tries())["gpu_model"] == ""
    asked = resources(study, "mistral-nemo", "training", site({"gpu": 4}), Tries())
    assert (asked["gpu"], asked["gpu_model"]) == (2, "")


def test_time_within_the_limit_of_the_partition(study: Study) -> None:
    assert resources(study, "llama-3.3-70b", "training", None, Tries())["runtime"] == 153 * 60
    assert resources(study, "llama-3.3-70b", "training", site({"a40": 4}), Tries())["runtime"] == 153 * 60
    assert resources(study, "llama-3.3-70b", "training", site({"a40": 4}, hours=24), Tries())["runtime"] == 24 * 60
    assert resources(study, "fusion", "training", site({"a40": 4}), Tries())["runtime"] == 2 * 60
    # Too many GPUs for any partition: the request stays, and is refused before anything is submitted.
    assert resources(study, "llama-3.3-70b", "training", site({"a40": 1}, hours=24), Tries())["runtime"] == 153 * 60


def test_another_type_by_the_plan(study: Study) -> None:
    large = site({"h100": 8, "t4": 4})
    assert resources(study, "qwen3-32b", "training", large, Tries())["gpu"] == 1
    asked = resources(study, "llama-3.3-70b", "training", large, Tries())
    assert (asked["gpu"], asked["gpu_model"]) == (1, "h100")
    assert 60 <= int(asked["runtime"]) < 153 * 60
    assert resources(study, "llama-3.3-70b", "testing", large, Tries())["gpu_model"] == "h100"
    with pytest.raises(InputError, match=r"qwen3-8b: asks for a40, which the cluster has not \(t4\).*bf16"):
        resources(study, "qwen3-8b", "training", site({"t4": 4}), Tries())


def test_another_type_that_a_partition_has_enough_of(study: Study) -> None:
    few = site_of({"partitions": {"a": gpus_of_a_node({"l40s": 1}), "b": gpus_of_a_node({"v100_32gb": 1, "l40": 8})}})
    for stage in ("training", "testing"):
        asked = resources(study, "llama-3.3-70b", stage, few, Tries())
        assert (asked["gpu"], asked["gpu_model"]) == (2, "l40")
    # Where none has enough, the request stays that for the fewest, and is refused before anything is submitted.
    assert resources(study, "llama-3.3-70b", "training", site({"l40s": 1}), Tries())["gpu"] == 2


def gpus_of_a_node(gpus: dict[str, int]) -> dict[str, Any]:
    return {"hours": 200, "memory_mb": 500_000, "cores": 64, "gpus": gpus}


def test_slices_of_gpus_are_not_used_by_themselves(study: Study) -> None:
    slices = {"nvidia_a100_1g.10gb": 28, "a100_3g.20gb": 8}
    asked = resources(study, "llama-3.3-70b", "training", site({**slices, "h100": 8}), Tries())
    assert asked["gpu_model"] == "h100"
    with pytest.raises(NoGpuError) as caught:
        resources(study, "qwen3-8b", "training", site({**slices, "mystery": 1, "riddle": 1}), Tries())
    said = str(caught.value)
    named = "nvidia_a100_1g.10gb, a100_3g.20gb"
    assert f"MIG slices, which are used only where a recipe names them: {named}" in said
    assert "not in the table of GPUs: mystery, riddle (known: B200, " in said
    assert said.count("L40S") == 1
    assert said.endswith(f"; set resources.gpu_model of the recipe to one of {named}, mystery, riddle")


def test_more_memory_after_running_out_of_it_alone(study: Study) -> None:
    here = site({"a40": 4}, hours=24)
    first = resources(study, "qwen3-8b", "training", here, Tries())
    for cause in ("stopped", "time", "killed", "failed"):
        assert resources(study, "qwen3-8b", "training", here, Tries(None, [Ending(cause)] * 5)) == first
    again = resources(study, "qwen3-8b", "training", here, Tries(None, [Ending("memory")]))
    assert again == first | {"mem_mb": 2 * int(first["mem_mb"])}


def test_site_file_names_every_mistake() -> None:
    with pytest.raises(InputError, match=r"config/site.yaml has mistakes:\n(.*\n)*.*partitions.gpu.hours"):
        site_of({"partitions": {"gpu": {"hours": 0, "memory_mb": 1, "cores": 1}}, "acount": "x"})


def test_jobs_of_another_cluster_could_not_be_watched() -> None:
    with pytest.raises(InputError, match="another cluster"):
        site({"a40": 4}, options=["--clusters=other"])


def test_without_a_site_file_the_site_is_taken_from_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(here.VARIABLE, raising=False)
    asked = []

    def detect() -> Site:
        asked.append(1)
        return site({"a40": 4})

    monkeypatch.setattr(here, "detect_site", detect)
    assert here.site_here(on_cluster=False) is None
    assert here.site_here(on_cluster=True) == here.site_here(on_cluster=True) == site({"a40": 4})
    assert len(asked) == 1  # jobs take it from the environment
    assert "cpu (12 h), gpu (200 h, 4 a40 a node)" in here.told(here.site_here(on_cluster=True))
    (tmp_path / "config").mkdir()
    (tmp_path / "config/site.yaml").write_text("partitions: {own: {hours: 1, memory_mb: 1, cores: 1}}")
    assert list(here.site_here(on_cluster=True).partitions) == ["own"]  # type: ignore[union-attr]


def test_without_a_site_file_and_without_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(here.VARIABLE, "")
    assert here.site_here(on_cluster=True) is None
    assert "config/site.yaml is missing" in here.told(None)
