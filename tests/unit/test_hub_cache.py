"""Files of the Hub: planned, resumed, checked, and not asked for twice."""

import json
import os
import shutil
import time
from collections import namedtuple
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from onkocode.cli import main
from onkocode.models.hub import checking
from onkocode.models.hub.cache import Place
from onkocode.models.hub.listing import Listed, size_text
from onkocode.models.hub.snapshot import Wanted, make_plan, snapshot
from onkocode.records.errors import InputError

from .hub_server import COMMIT, NEXT, REPOSITORY, Hub, hub_serving

PATTERNS = ["model*.safetensors", "config.json"]
WEIGHTS = "model-00001.safetensors"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    files = {"config.json": b'{"a": 1}', WEIGHTS: os.urandom(300_000), "model-00002.safetensors": os.urandom(50_000)}
    with hub_serving(files | {"pytorch_model.bin": b"pickled"}, cache, monkeypatch) as hub:
        yield hub


def fetch(revision: str = "main") -> Path:
    path, commit = snapshot(REPOSITORY, revision, PATTERNS, "base")
    assert path.name == commit
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def wanted(hub: Hub) -> dict[str, bytes]:
    return {name: content for name, content in hub.files.items() if name != "pytorch_model.bin"}


def test_files_are_planned_fetched_and_checked(hub: Hub, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = fetch()
    assert contents(path) == wanted(hub)
    assert hub.ranges("pytorch_model.bin") == []
    shown = capsys.readouterr()
    first, *lines = shown.out.splitlines()
    assert first == (f"{REPOSITORY} at commit {COMMIT}: 3 files, 0.4 MB, 0.0 MB are there already, into {cache}")
    assert sorted(line.split(":")[0] for line in lines) == [f"  {WEIGHTS}", "  model-00002.safetensors"]
    assert shown.err == ""  # no bars where nobody watches


def test_what_is_whole_is_not_asked_for_again(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch()
    hub.asked.clear()
    monkeypatch.setattr(checking, "is_right", lambda *_: pytest.fail("is hashed again"))
    fetch()
    assert [path for _, path, _ in hub.asked] == [f"/api/models/{REPOSITORY}/revision/main"]
    fetch(COMMIT)
    assert len(hub.asked) == 1  # a commit never changes
    assert "0.4 MB, 0.4 MB are there already" in capsys.readouterr().out


def test_disk_without_room_is_refused_before_anything_is_fetched(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6, 200_000))
    with pytest.raises(InputError) as caught:
        fetch()
    assert str(caught.value).startswith(f"{REPOSITORY}: 0.4 MB needed, 0.2 MB free in {cache}; ")
    assert "HF_HOME" in str(caught.value)
    assert str(caught.value).endswith("or `cache` of config/site.yaml, which comes before it")
    assert [method for method, path, _ in hub.asked if "/resolve/" in path] == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 0, 10**6))
    fetch()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6, 0))
    fetch()  # nothing is needed any more


def test_broken_connection_is_continued(hub: Hub) -> None:
    hub.files.pop("model-00002.safetensors")
    hub.breaks = [100_000, 50_000]
    assert contents(fetch()) == wanted(hub)
    assert hub.ranges(WEIGHTS) == ["", "bytes=100000-", "bytes=150000-"]


def test_stopped_download_is_continued_by_the_next_run(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.files.pop("model-00002.safetensors")
    hub.breaks = [120_000, *[0] * 20]
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch()
    hub.asked.clear()
    hub.breaks.clear()
    assert contents(fetch()) == wanted(hub)
    assert hub.ranges(WEIGHTS) == ["bytes=120000-"]
    assert "0.2 MB of it earlier" in capsys.readouterr().out


def test_failure_stops_the_other_files_and_keeps_what_they_have(hub: Hub) -> None:
    other = "model-00002.safetensors"
    hub.slow = {WEIGHTS, other}  # the former takes 1.5 s
    hub.sent[other] = hub.files[other][:30_000]
    began = time.monotonic()
    with pytest.raises(InputError, match="cannot be"):
        fetch()
    assert time.monotonic() - began < 1.4
    part = Place(REPOSITORY).part(Listed(WEIGHTS, None, hub.tag(WEIGHTS)))
    assert 1000 < part.stat().st_size < 300_000
    hub.sent.clear()
    assert contents(fetch()) == wanted(hub)


def test_two_at_a_time_fetch_each_file_once(hub: Hub) -> None:
    hub.slow = {WEIGHTS}
    with ThreadPoolExecutor(2) as threads:
        paths = {future.result() for future in [threads.submit(fetch), threads.submit(fetch)]}
    assert [contents(path) for path in paths] == [wanted(hub)]
    assert hub.ranges(WEIGHTS) == [""]


@pytest.mark.parametrize("name", ["config.json", WEIGHTS])
def test_file_that_arrives_damaged_is_named_and_fetched_again(hub: Hub, cache: Path, name: str) -> None:
    hub.sent[name] = bytes(reversed(hub.files[name]))
    with pytest.raises(InputError, match=f"arrived damaged, and removed from {cache}: {name}; run it again"):
        fetch()
    hub.sent.clear()
    assert contents(fetch()) == wanted(hub)


def test_file_that_is_damaged_in_the_cache_is_fetched_again(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    blob = (fetch() / WEIGHTS).resolve()
    blob.write_bytes(bytes(300_000))
    assert contents(fetch()) == wanted(hub)
    assert f"damaged in the cache, fetched again: {WEIGHTS}" in capsys.readouterr().out


def test_cut_file_is_fetched_again(hub: Hub) -> None:
    (fetch() / WEIGHTS).resolve().write_bytes(b"short")
    assert contents(fetch(COMMIT)) == wanted(hub)


def test_change_that_keeps_size_and_time_is_found_where_all_is_hashed_again(hub: Hub) -> None:
    blob = (fetch() / WEIGHTS).resolve()
    stat = blob.stat()
    blob.write_bytes(bytes(300_000))
    os.utime(blob, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    plan = make_plan(Wanted(REPOSITORY, COMMIT, tuple(PATTERNS), "base"))
    assert checking.damaged(plan.place, plan.repository) == []
    assert [file.name for file in checking.damaged(plan.place, plan.repository, again=True)] == [WEIGHTS]
    assert contents(fetch()) == wanted(hub)  # it counts as unchecked from then on


def test_cache_serves_where_the_hub_cannot_be_reached(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub.constants as constants

    path = fetch()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch() == path
    assert f"What is in the cache serves instead: commit {COMMIT}" in capsys.readouterr().out
    (path / WEIGHTS).unlink()
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch()


def test_cache_of_another_program_is_checked_by_the_names_of_its_files(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as constants

    path = fetch()
    shutil.rmtree(Place(REPOSITORY).folder / "onkocode")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch() == path
    shutil.rmtree(Place(REPOSITORY).folder / "onkocode")
    (path / WEIGHTS).resolve().write_bytes(bytes(300_000))
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch()


def test_next_commit_fetches_what_changed(hub: Hub) -> None:
    fetch()
    hub.asked.clear()
    hub.commit, hub.files["config.json"] = NEXT, b'{"a": 2}'
    assert contents(fetch()) == wanted(hub)
    assert (hub.ranges(WEIGHTS), hub.ranges("config.json")) == ([], [""])


def test_huggingface_hub_still_reads_its_cache(hub: Hub, cache: Path) -> None:
    from huggingface_hub import scan_cache_dir, snapshot_download

    path = fetch()
    assert scan_cache_dir(cache).warnings == []
    assert snapshot_download(REPOSITORY, revision="main", allow_patterns=PATTERNS, local_files_only=True) == str(path)


def test_git_names_a_file_as_blob_id_does(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello\n")
    assert checking.blob_id(tmp_path / "file") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert checking.is_right(tmp_path / "file", Listed("file", None, ""))


def test_sizes_are_rounded_to_the_safe_side() -> None:
    assert [size_text(size) for size in (0, 1, 16_381_516_776)] == ["0.0 MB", "0.1 MB", "16.4 GB"]
    assert [size_text(size, free=True) for size in (99_999, 199_999_999)] == ["0.0 MB", "0.1 GB"]


def test_branch_stands_for_one_commit_in_a_study(
    tiny_models: dict[str, Path], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {path.name: path.read_bytes() for path in tiny_models["llama"].iterdir()}
    output = tmp_path / "base.json"

    def prepared(revision: str) -> dict[str, str]:
        output.unlink(missing_ok=True)  # as Snakemake does before a job
        settings = json.dumps({"base": {"hub": REPOSITORY, "revision": revision}})
        assert main(["prepare-model", "--settings", settings, "--output", str(output)]) == 0
        record: dict[str, str] = json.loads(output.read_text(encoding="utf-8"))
        return record

    with hub_serving(files, cache, monkeypatch) as hub:
        first = prepared("main")
        assert set(first) == {"path", "hub", "revision", "architecture", "parameters", "sha256"}
        hub.commit = NEXT
        hub.asked.clear()
        assert prepared("main") == first
        assert hub.asked == []
        assert prepared("v2")["revision"] == NEXT
        assert prepared(COMMIT)["revision"] == COMMIT
