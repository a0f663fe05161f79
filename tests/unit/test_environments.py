"""Descriptions of environments and of the software say what pyproject.toml and constraints.txt say."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ENVS = ROOT / "workflow/envs"


@pytest.fixture
def project() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return read


def constraints() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_conda_environment_has_the_versions_that_are_tested_together(project: dict[str, Any]) -> None:
    read = yaml.safe_load((ENVS / "onkocode.yaml").read_text(encoding="utf-8"))
    *by_conda, by_pip = read["dependencies"]
    assert read["channels"] == ["conda-forge"]
    assert [re.fullmatch(r"(python|pip)=\d+\.\d+(\.\d+)?", each) is not None for each in by_conda] == [True, True]
    assert by_pip == {"pip": constraints()}
    major, minor = re.findall(r"\d+", by_conda[0])[:2]
    assert (int(major), int(minor)) >= tuple(map(int, re.findall(r"\d+", project["project"]["requires-python"])))


def test_constraints_name_every_dependency_at_one_version(project: dict[str, Any]) -> None:
    pinned = [re.fullmatch(r"([\w.-]+)==[\w.!+]+", line) for line in constraints()]
    assert None not in pinned
    names = [name_of(line) for line in constraints()]
    assert len(set(names)) == len(names)
    asked = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["dev"]]
    assert {name_of(each) for each in asked} - set(names) == set()


def test_package_comes_from_the_checkout_with_the_constraints() -> None:
    script = (ENVS / "onkocode.post-deploy.sh").read_text(encoding="utf-8")
    assert "pip install --constraint constraints.txt ." in script
    recipe = (ENVS / "onkocode.def").read_text(encoding="utf-8")
    assert "--constraint /opt/onkocode/constraints.txt --editable /opt/onkocode" in recipe
    copied = re.findall(r"^    (\S+) /opt/onkocode/\S+$", recipe, flags=re.MULTILINE)
    assert "constraints.txt" in copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_citation_names_this_version_and_the_paper(project: dict[str, Any]) -> None:
    read = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "type", "version", "license"} <= set(read)
    assert (read["cff-version"], read["type"]) == ("1.2.0", "software")
    assert (read["title"], read["version"]) == (project["project"]["name"], project["project"]["version"])
    assert f"{read['license']} License" == (ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()[0]
    paper = read["references"][0]
    assert {"type", "title", "authors"} <= set(paper)
    assert paper["title"].split()[0] in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (paper["authors"][0]["family-names"], paper["year"]) == ("Lenz", 2025)
