"""`onkocode fetch`: all that a study needs from elsewhere, fetched ahead and checked."""

import copy
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from onkocode.cli import main
from onkocode.config.loading import merge
from onkocode.config.site import site_of, use_cache
from onkocode.models.hub.cache import Place
from onkocode.records.errors import InputError

from .hub_server import COMMIT, NEXT, Hub, hub_serving
from .serving import Served, serving, whole

FILES = ("config/config.yaml", "config/quickstart.yaml")
BASE, ADAPTER = "somebody/model", "somebody/adapter"
WEIGHTS = "model.safetensors"
RECIPE = {
    "kind": "published-adapter",
    "label": "Published",
    "family": "Llama",
    "base": {"hub": BASE},
    "adapter": {"hub": ADAPTER, "revision": "v1"},
    "data": "example",
    "preset": "tiny",
}


@dataclass
class Site:
    """A study with a base and an adapter of a Hub, and one catalogue of a server."""

    folder: Path
    hub: Hub
    server: Served
    merged: dict[str, Any]

    def fetch(self, *words: str) -> int:
        config = self.folder / "study.yaml"
        config.write_text(yaml.safe_dump(self.merged), encoding="utf-8")
        return main(["fetch", "--config", str(config), "--results", str(self.folder / "results"), *words])

    @property
    def catalogue(self) -> Path:
        return self.folder / "results/catalogues/ops-example/source"


@pytest.fixture
def site(in_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("ONKOCODE_CATALOGUES", raising=False)
    merged: dict[str, Any] = {}
    for file in FILES:
        merge(merged, yaml.safe_load((in_root / file).read_text(encoding="utf-8")))
    merged["models"] = ["published", "majority-code", "tiny-llama"]
    merged["recipes"]["published"] = copy.deepcopy(RECIPE)
    weights = {WEIGHTS: b"w" * 200_000, "adapter_model.safetensors": b"a" * 50_000}
    files = {"config.json": b"{}", "adapter_config.json": b"{}", "README.md": b"# Card"} | weights
    ops = next((in_root / "example/catalogues/ops").glob("*kodes*"))
    with ExitStack() as stack:
        server = stack.enter_context(serving(whole(ops.read_bytes())))
        hub = stack.enter_context(hub_serving(files, tmp_path / "hub", monkeypatch))
        table = (in_root / "config/catalogues.tsv").read_text(encoding="utf-8")
        row = next(line for line in table.splitlines() if line.startswith("ops\texample"))
        served = "\t".join(["ops", "example", ops.name, server.at(f"/{ops.name}"), "", "MIT", ""])
        (tmp_path / "sources.tsv").write_text(table.replace(row, served), encoding="utf-8")
        merged["catalogues"] = {"sources": str(tmp_path / "sources.tsv"), "accept_terms": True}
        yield Site(tmp_path, hub, server, merged)


def rows(shown: str) -> list[list[str]]:
    """Return what, name, version and state of each row of the table."""
    lines = shown.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("what "))
    cells = [line.split() for line in lines[begin + 2 :]]
    return [[*row[:3], row[-1]] for row in cells]


def test_all_is_planned_fetched_and_checked(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.fetch() == 0
    shown = capsys.readouterr().out
    plan, _, done = shown.partition("to download, ")
    assert f"{BASE} at commit {COMMIT}: 2 files, 0.3 MB, 0.0 MB are there already, into {site.folder / 'hub'}" in plan
    assert f"{ADAPTER} at commit {COMMIT}: 3 files" in plan
    assert plan.splitlines()[-1] == "0.3 MB "
    assert f"ops example: {site.server.url}/" in done
    assert rows(done) == [
        ["base", BASE, COMMIT, "there"],
        ["adapter", ADAPTER, COMMIT, "there"],
        ["catalogue", "alphaid", "example", "yours"],
        ["catalogue", "icd10gm", "example", "yours"],
        ["catalogue", "icdo3", "example", "yours"],
        ["catalogue", "ops", "example", "there"],
    ]
    assert site.catalogue.is_file()
    asked = len(site.server.asked)
    site.hub.asked.clear()
    assert site.fetch() == 0
    assert [path for _, path, _ in site.hub.asked if not path.startswith("/api/")] == []
    assert len(site.server.asked) == asked
    assert site.fetch("--check") == 0


def test_check_reaches_no_network(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.fetch("--check") == 2
    assert {row[3] for row in rows(capsys.readouterr().out)} == {"missing", "yours"}
    assert site.hub.asked == []
    assert site.server.asked == []


def test_check_of_a_cache_that_lacks_the_weights(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.hub.files.pop(WEIGHTS)
    assert site.fetch() == 2  # nothing failed, but no model can be loaded from it
    assert f"{BASE} {COMMIT}: missing: weights" in capsys.readouterr().err


def test_what_a_check_finds_damaged_is_fetched_again(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as constants

    assert site.fetch() == 0
    blob = (Place(BASE).snapshot(COMMIT) / WEIGHTS).resolve()
    blob.write_bytes(b"x" * 200_000)
    site.catalogue.write_bytes(b"spoilt")
    capsys.readouterr()
    assert site.fetch("--check") == 2
    said = capsys.readouterr()
    assert f"{BASE} {COMMIT}: damaged: {WEIGHTS}" in said.err
    assert "ops example: damaged" in said.err
    site.catalogue.unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # closed by the check
    assert site.fetch() == 0
    assert blob.read_bytes() == site.hub.files[WEIGHTS]
    assert site.fetch("--check") == 0


def test_what_fails_stops_nothing_else(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.merged["catalogues"]["accept_terms"] = False
    site.hub.sent["adapter_model.safetensors"] = b"b" * 50_000
    assert site.fetch() == 2
    said = capsys.readouterr()
    assert "ops example: the terms of use must be accepted" in said.err
    assert f"{ADAPTER}: arrived damaged" in said.err
    states = {row[1]: row[3] for row in rows(said.out)}
    assert (states[BASE], states["ops"]) == ("there", "missing")


def test_room_is_needed_for_all_together(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 0, 230_000))  # enough for either
    assert site.fetch() == 2
    assert f"{BASE}, {ADAPTER}: 0.3 MB needed, 0.2 MB free in" in capsys.readouterr().err
    assert [path for _, path, _ in site.hub.asked if "/resolve/" in path] == []


def test_models_can_be_named(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.fetch("--model", "tiny-llama", "--check") == 2
    assert [row[0] for row in rows(capsys.readouterr().out)] == ["catalogue"] * 4
    assert site.fetch("--model", "tiny-lama") == 2
    assert "--model tiny-lama: not among `models` (known: published, " in capsys.readouterr().err


def test_commit_that_the_study_has_is_fetched(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    from onkocode.models.revisions import keep_commit

    keep_commit(site.folder / "results/models/published/base.json", {"hub": BASE, "revision": "main"}, NEXT)
    assert site.fetch() == 0
    assert rows(capsys.readouterr().out.partition("to download, ")[2])[0] == ["base", BASE, NEXT, "there"]


def test_models_go_to_the_cache_of_the_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where jobs will look for them, whatever the shell says."""
    cache = with_site_cache(site.folder, monkeypatch)
    assert site.fetch("--model", "published") == 0
    assert (cache / "hub/models--somebody--model/snapshots" / COMMIT / WEIGHTS).is_file()
    assert not (site.folder / "elsewhere").exists()
    assert (os.environ["HF_HOME"], os.environ["HF_HUB_CACHE"]) == (str(cache), str(cache / "hub"))


def with_site_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with a site file; returns the cache that it names."""
    monkeypatch.chdir(folder)
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(folder / "elsewhere"))
    cache = folder / "site-cache"
    (folder / "config").mkdir(exist_ok=True)
    partitions = {"p": {"hours": 1, "memory_mb": 1, "cores": 1}}
    content = yaml.safe_dump({"cache": str(cache), "partitions": partitions})
    (folder / "config/site.yaml").write_text(content, encoding="utf-8")
    return cache


@pytest.mark.parametrize(
    "words",
    [
        ["fetch"],
        ["plan"],
        ["cluster", "check", "--no-jobs"],
        ["prepare-model", "--settings", '{"base": {"hub": "a/b"}}', "--output", "base.json"],
        [
            "fetch-adapter",
            *("--settings", '{"adapter": {"hub": "a/c"}}'),
            *("--base", "base.json", "--output", "adapter"),
        ],
    ],
    ids=lambda words: words[0],
)
def test_every_verb_that_looks_into_the_cache_looks_into_that_of_the_site(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(site: Any) -> None:
        raise InputError(f"looks into {site.hub_cache}")

    cache = with_site_cache(tmp_path, monkeypatch)
    monkeypatch.setattr("onkocode.config.site.use_cache", told)
    assert main(words) == 2
    assert f"looks into {cache / 'hub'}" in capsys.readouterr().err


def test_hub_is_told_of_the_cache_of_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, which imports huggingface_hub after."""
    cache = with_site_cache(tmp_path, monkeypatch)
    code = (
        "import sys; from onkocode.config.site import read_site, use_cache; use_cache(read_site()); "
        "assert 'huggingface_hub' not in sys.modules; from huggingface_hub import constants; "
        "from onkocode.cluster.places import hub_cache; print(constants.HF_HUB_CACHE, hub_cache(read_site()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(cache / "hub")] * 2


def test_without_a_cache_of_the_site_all_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", "mine")
    for given in (None, site_of({"partitions": {"p": {"hours": 1, "memory_mb": 1, "cores": 1}}})):
        use_cache(given)
        assert os.environ["HF_HUB_CACHE"] == "mine"


def test_quickstart_needs_nothing_from_elsewhere(in_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--config", *FILES, "--check"]) == 0
    assert {row[3] for row in rows(capsys.readouterr().out)} == {"yours"}
