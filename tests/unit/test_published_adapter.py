"""Adapters of others: what a recipe may say of them, how they are fetched, and that they are tested like our own."""

import copy
import hashlib
import json
import resource
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from onkocode.cli import main
from onkocode.config import load_config
from onkocode.config.loading import merge
from onkocode.models.adapters import check_base, check_fits, named_base, read_adapter_config
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import read_table, write_table
from onkocode.reporting.inputs import read_models
from onkocode.reporting.models_table import model_table
from onkocode.study import Study, slices
from tests.unit.training_jobs import train

FILES = [Path("config/config.yaml"), Path("config/quickstart.yaml")]
PUBLISHED = {
    "kind": "published-adapter",
    "label": "Published",
    "family": "Llama",
    "base": {"built": "llama"},
    "adapter": {"hub": "somebody/adapter", "revision": "v1"},
    "data": "example",
    "preset": "tiny",
}


# -- what a recipe may say ------------------------------------------------------------------------------------------


@pytest.fixture
def merged(in_root: Path) -> dict[str, Any]:
    """The quickstart with a published adapter and a base that is only tested."""
    found: dict[str, Any] = {}
    for file in FILES:
        merge(found, yaml.safe_load((in_root / file).read_text(encoding="utf-8")))
    found["models"] = ["tiny-llama", "published", "untrained"]
    found["recipes"]["published"] = copy.deepcopy(PUBLISHED)
    untrained = found["recipes"]["tiny-llama"] | {"label": "Untrained", "training": {"epochs": 0}}
    found["recipes"]["untrained"] = untrained
    return found


def test_jobs_of_published_adapters_and_of_bases_that_are_only_tested(merged: dict[str, Any]) -> None:
    study = Study(merged, [])
    assert study.epochs("published", 0) == [0, 1]
    assert study.epochs("untrained", 0) == [0]
    assert study.trained_models == ["tiny-llama"]
    assert study.trained_checkpoints == [("tiny-llama", 1), ("tiny-llama", 2), ("tiny-llama", 3)]
    assert [pair for pair in study.checkpoints(0) if pair[0] != "tiny-llama"] == [
        ("published", 0),
        ("published", 1),
        ("untrained", 0),
    ]
    assert json.loads(slices.adapter(study, "published"))["adapter"]["revision"] == "v1"
    assert study.local_adapter("published") == []


def test_local_adapter_is_an_input_of_its_rule(merged: dict[str, Any], tmp_path: Path) -> None:
    merged["recipes"]["published"]["adapter"] = {"path": str(tmp_path)}
    assert Study(merged, []).local_adapter("published") == [str(tmp_path)]
    (tmp_path / "adapter_model.safetensors").touch()
    assert Study(merged, []).local_adapter("published") == [str(tmp_path / "adapter_model.safetensors")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"adapter": None}, "recipes.published.adapter: is needed by kind: published-adapter"),
        ({"kind": "llm"}, "recipes.published.kind: must be published-adapter"),
        ({"kind": "merged"}, "recipes.published.kind: must be one of llm, published-adapter, "),
        ({"adapter": {"built": "llama"}}, "recipes.published.adapter: must hold exactly one of hub and path"),
        ({"adapter": {"hub": "a/b", "path": "c"}}, "recipes.published.adapter: must hold exactly one of hub and path"),
        ({"adapter": {"hub": "no-owner"}}, "recipes.published.adapter.hub: String should match pattern"),
        (
            {"adapter": {"hub": "a/b", "revisoin": "x"}},
            "recipes.published.adapter.revisoin: unknown key; did you mean 'revision'?",
        ),
        (
            {"training": {"epochs": 3, "system_prompt": "Kurz."}},
            "recipes.published.training.epochs: means nothing to a published adapter",
        ),
    ],
)
def test_mistakes_of_a_recipe_are_named(merged: dict[str, Any], change: dict[str, Any], expected: str) -> None:
    merged["recipes"]["published"] |= change
    with pytest.raises(InputError) as caught:
        load_config(merged)
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2  # nothing else is wrong


def test_system_prompt_of_a_published_adapter_is_asked_with(merged: dict[str, Any]) -> None:
    merged["recipes"]["published"]["training"] = {"system_prompt": "Kurz."}
    assert json.loads(slices.testing(Study(merged, []), "published"))["system_prompt"] == "Kurz."


# -- fetching -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A base, and an adapter that somebody published for it."""

    base: Path
    adapter: Path
    folder: Path

    def fetch(self, adapter: dict[str, Any], base: Path | None = None) -> int:
        command = ["fetch-adapter", "--settings", json.dumps({"adapter": adapter})]
        command += ["--base", str(base or self.folder / "base.json"), "--output", str(self.folder / "fetched")]
        return main(command)


@pytest.fixture(scope="module")
def published(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("published")
    train(tiny_models["llama"], small_questions, folder)
    return folder / "epoch-1" / "adapter"


@pytest.fixture
def place(tiny_models: dict[str, Path], published: Path, tmp_path: Path) -> Place:
    shutil.copytree(published, tmp_path / "adapter")
    (tmp_path / "adapter" / "README.md").write_text("# How I trained it\n", encoding="utf-8")
    (tmp_path / "adapter" / "modeling.py").write_text("raise SystemExit\n", encoding="utf-8")
    torch.save({}, tmp_path / "adapter" / "training_args.bin")
    prepare(tiny_models["llama"], tmp_path / "base.json")
    return Place(tiny_models["llama"], tmp_path / "adapter", tmp_path)


def prepare(base: Path, output: Path) -> None:
    settings = json.dumps({"base": {"path": str(base)}})
    assert main(["prepare-model", "--settings", settings, "--output", str(output)]) == 0


def edit_config(adapter: Path, **values: Any) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_local_adapter_is_copied_without_anything_that_could_run(place: Place) -> None:
    assert place.fetch({"path": str(place.adapter)}) == 0
    fetched = place.folder / "fetched"
    names = ["README.md", "adapter_config.json", "adapter_model.safetensors", "provenance.json"]
    assert sorted(path.name for path in fetched.iterdir()) == names
    record = read_provenance(fetched)
    assert record["adapter_sha256"] == hash_file(place.adapter / "adapter_model.safetensors")
    assert (record["verb"], record["hub"], record["revision"]) == ("fetch-adapter", None, None)
    assert record["trainable_parameters"] == 4 * (64 + 48 + 48 + 64 + 3 * 128)  # rank × (in + out), as trained


def test_pickled_adapter_is_refused_and_never_opened(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (place.folder / "was run",))

    (place.adapter / "adapter_model.safetensors").unlink()
    torch.save(Trap(), place.adapter / "adapter_model.bin")
    assert place.fetch({"path": str(place.adapter)}) == 2
    said = capsys.readouterr().err
    assert "adapter_model.safetensors is missing (there is adapter_model.bin); pickled weights can run code" in said
    assert not (place.folder / "was run").exists()
    assert not (place.folder / "fetched").exists()


def test_what_is_no_lora_adapter_is_refused(place: Place, tiny_models: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"whole model is tested as the base of a recipe with training\.epochs: 0"):
        read_adapter_config(tiny_models["llama"])
    for values, expected in (
        ({"megatron_config": {"a": 1}, "megatron_core": "evil"}, "made for Megatron"),
        ({"peft_type": "PREFIX_TUNING"}, "of the type PREFIX_TUNING; only LORA"),
    ):
        edit_config(place.adapter, **values)
        with pytest.raises(InputError, match=expected):
            read_adapter_config(place.adapter)
    (place.adapter / "adapter_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is not JSON"):
        read_adapter_config(place.adapter)


@pytest.mark.parametrize("architecture", ["mixtral", "wide", "deep"])
def test_adapter_of_another_base_is_refused(
    place: Place, tiny_models: dict[str, Path], architecture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tiny_models.get(architecture)
    if base is None:
        base = place.folder / architecture
        shutil.copytree(place.base, base)
        config = json.loads((base / "config.json").read_text(encoding="utf-8"))
        wrong = {"hidden_size": 64, "intermediate_size": 80} if architecture == "wide" else {"num_hidden_layers": 2}
        (base / "config.json").write_text(json.dumps(config | wrong), encoding="utf-8")
        AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base)).save_pretrained(base)
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    edit_config(place.adapter, target_modules=modules)  # in every layer, as most adapters are published
    prepare(base, place.folder / "other.json")
    assert place.fetch({"path": str(place.adapter)}, place.folder / "other.json") == 2
    assert f"does not fit the base model in {base}" in capsys.readouterr().err
    assert not (place.folder / "fetched").exists()


def test_adapter_with_a_tensor_too_many_is_refused(place: Place) -> None:
    weights = load_file(place.adapter / "adapter_model.safetensors")
    name = next(iter(weights))
    save_file(
        weights | {name.replace("layers.0", "layers.7"): weights[name].clone()},
        place.adapter / "adapter_model.safetensors",
    )
    with pytest.raises(InputError, match=r"1 tensors differ, e\.g\. .*layers\.7.* has no place"):
        check_fits(place.base, place.adapter)


def test_base_goes_by_the_name_that_the_adapter_gives(tmp_path: Path) -> None:
    cache = "/home/somebody/.cache/huggingface/hub/models--org--base-model/snapshots/" + "a" * 40
    assert named_base({"base_model_name_or_path": cache}) == "org/base-model"
    assert named_base({"base_model_name_or_path": "org/base-model"}) == "org/base-model"
    assert named_base({"base_model_name_or_path": "/home/somebody/models/base"}) is None
    assert named_base({"base_model_name_or_path": None}) is None
    config = {"base_model_name_or_path": "mirror/llama"}
    check_base(config, {"hub": "Mirror/Llama"}, None, "x")
    check_base(config, {"hub": None}, None, "x")  # a local base has no name to compare
    check_base(config, {"hub": "meta/llama"}, "mirror/llama", "x")
    with pytest.raises(InputError, match=r"x: was trained on mirror/llama, but the base is meta/llama; .*trained_on"):
        check_base(config, {"hub": "meta/llama"}, "mirror/other", "x")


# -- the Hub --------------------------------------------------------------------------------------------------------


@dataclass
class Hub:
    """A Hub with one repository; `refusal` = error code of every answer."""

    files: dict[str, bytes]
    refusal: str | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""


COMMIT = "b" * 40


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        name = self.path.rpartition("/")[2]
        self.hub.asked.append(name)
        if self.hub.refusal:
            self.reply(403, b"", {"X-Error-Code": self.hub.refusal})
        elif "/tree/" in self.path:
            listing = [{"type": "file", "path": n, "size": len(c), "oid": "0"} for n, c in self.hub.files.items()]
            self.reply(200, json.dumps(listing).encode(), {"Content-Type": "application/json"})
        elif self.path.startswith("/api/"):
            facts = {"id": "somebody/adapter", "sha": COMMIT, "siblings": [{"rfilename": f} for f in self.hub.files]}
            self.reply(200, json.dumps(facts).encode(), {"Content-Type": "application/json"})
        else:
            content = self.hub.files[name]
            tag = hashlib.sha256(content).hexdigest()
            self.reply(200, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{tag}"'}, body)

    def reply(self, status: int, content: bytes, headers: dict[str, str], body: bool = True) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    import huggingface_hub.constants as constants

    hub = Hub({path.name: path.read_bytes() for path in place.adapter.iterdir() if path.is_file()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place.folder / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


ON_HUB = {"hub": "somebody/adapter", "revision": "main"}


def test_adapter_of_the_hub_is_downloaded_without_anything_that_could_run(place: Place, hub: Hub) -> None:
    assert place.fetch(ON_HUB) == 0
    fetched = place.folder / "fetched"
    assert hash_file(fetched / "adapter_model.safetensors") == hash_file(place.adapter / "adapter_model.safetensors")
    assert (read_provenance(fetched)["hub"], read_provenance(fetched)["revision"]) == ("somebody/adapter", COMMIT)
    assert not {"modeling.py", "training_args.bin", "provenance.json"} & set(hub.asked)
    names = ["README.md", "adapter_config.json", "adapter_model.safetensors", "provenance.json"]
    assert sorted(path.name for path in fetched.iterdir()) == names


def test_pickled_adapter_of_the_hub_is_not_even_downloaded(
    place: Place, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.files["adapter_model.bin"] = hub.files.pop("adapter_model.safetensors")
    assert place.fetch(ON_HUB) == 2
    assert "somebody/adapter: adapter_model.safetensors is missing; pickled" in capsys.readouterr().err
    assert "adapter_model.bin" not in hub.asked


@pytest.mark.parametrize("token", [None, "hf_x"])
@pytest.mark.parametrize("verb", ["fetch-adapter", "prepare-model"])
def test_gated_repository_says_what_to_do(
    place: Place,
    hub: Hub,
    token: str | None,
    verb: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.refusal = "GatedRepo"
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    if verb == "fetch-adapter":
        assert place.fetch(ON_HUB) == 2
    else:
        settings = json.dumps({"base": {"hub": "somebody/adapter"}})
        assert main(["prepare-model", "--settings", settings, "--output", str(place.folder / "b.json")]) == 2
    said = capsys.readouterr().err
    assert (
        "somebody/adapter: gated; accept its licence on its Hub page and set the environment variable HF_TOKEN" in said
    )
    assert f"(which {'is set' if token else 'is not set'})" in said
    assert not token or token not in said


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ("RepoNotFound", "no such repository on the Hub, or private without HF_TOKEN; check adapter.hub"),
        ("RevisionNotFound", "has no revision 'main'; check adapter.revision"),
    ],
)
def test_unknown_repository_or_revision_names_the_key(
    place: Place, hub: Hub, refusal: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.refusal = refusal
    assert place.fetch(ON_HUB) == 2
    assert f"somebody/adapter: {expected}" in capsys.readouterr().err


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Yield a directory on a disk with hardly any room."""
    folder.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(size, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield folder / "hub"
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def small_files(folder: Path) -> Iterator[Path]:
    """Yield a directory while no file may grow beyond a few kilobytes, as under a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def file_in_place(folder: Path) -> Iterator[Path]:
    folder.write_text("", encoding="utf-8")
    yield folder


@contextmanager
def file_above(folder: Path) -> Iterator[Path]:
    folder.write_text("", encoding="utf-8")
    yield folder / "hub"


@contextmanager
def no_place_for_files(_: Path) -> Iterator[Path]:
    yield Path("/proc/hub")  # where not even root can write


FULL, UNWRITABLE = "the disk is full", "cannot write there"


@pytest.mark.parametrize("verb", ["fetch-adapter", "prepare-model"])
@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (small_disk, FULL),
        (small_files, FULL),
        (file_in_place, UNWRITABLE),
        (file_above, UNWRITABLE),
        (no_place_for_files, UNWRITABLE),
    ],
)
def test_cache_that_takes_nothing_is_named_with_what_to_set(
    place: Place,
    hub: Hub,
    verb: str,
    kind: Callable[[Path], AbstractContextManager[Path]],
    cause: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import huggingface_hub.constants as constants

    if verb == "prepare-model":
        hub.files = {path.name: path.read_bytes() for path in place.base.iterdir()}
    hub.files = {name: content.ljust(90_000, b" ") for name, content in hub.files.items()}
    output, cache = place.folder / "hub.json", ""
    with kind(place.folder / "small") as folder:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", cache := str(folder))
        if verb == "fetch-adapter":
            assert place.fetch(ON_HUB) == 2
        else:
            settings = json.dumps({"base": {"hub": "somebody/adapter"}})
            assert main(["prepare-model", "--settings", settings, "--output", str(output)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"onkocode {verb}: somebody/adapter: cannot be kept in the cache of the Hub, {cache}" in said
    assert cause in said
    assert "set the environment variable HF_HOME to a directory with room" in said
    assert not output.exists()
    assert not (place.folder / "fetched").exists()


# -- testing and reporting ------------------------------------------------------------------------------------------


def test_published_adapter_answers_like_the_trained_one(
    place: Place, small_questions: pl.DataFrame, usual_umask: None
) -> None:
    assert place.fetch({"path": str(place.adapter)}) == 0
    write_table(small_questions, "questions", place.folder / "catalogue.parquet")
    settings = json.dumps({"testing": {"precision": "fp32", "batch_size": 8, "max_new_tokens": 12}})
    answers = []
    for adapter in (place.adapter, place.folder / "fetched"):
        table = place.folder / "private" / adapter.name / "catalogue.parquet"
        command = ["evaluate-checkpoint", "--model", "m", "--epoch", "1", "--condition", "free", "--settings", settings]
        command += ["--base", str(place.folder / "base.json"), "--adapter", str(adapter)]
        command += ["--questions", f"catalogue={place.folder / 'catalogue.parquet'}", "--output", f"catalogue={table}"]
        command += ["--answers", str(table.parent / "answers")]  # else the first one's answers would serve both
        assert main([*command, "--scratch", str(place.folder / "private" / "scratch")]) == 0
        answers.append(read_table(table, "predictions")["answer"].to_list())
    assert answers[0] == answers[1]


def test_exported_card_says_whose_adapter_it_is(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.fetch({"path": str(place.adapter)}) == 0
    for fetched, output in (("fetched", "out"), ("out", "again")):
        command = ["export", "--model", "pub", "--epoch", "1", "--base", str(place.folder / "base.json")]
        command += ["--adapter", str(place.folder / fetched), "--output", str(place.folder / output)]
        assert main(command) == 0
        card = (place.folder / output / "README.md").read_text(encoding="utf-8")
        assert "was not trained with onkocode but published by others" in card
        assert hash_file(place.adapter / "adapter_model.safetensors") in card
        assert (place.folder / output / "README.author.md").read_text(encoding="utf-8") == "# How I trained it\n"
        assert str(place.folder) not in (place.folder / output / "provenance.json").read_text(encoding="utf-8")
    assert main([*command[:4], "2", *command[5:]]) == 2
    assert "a published adapter counts as epoch 1" in capsys.readouterr().err


def test_models_that_were_not_trained_here_have_no_training_in_table_3(
    merged: dict[str, Any], tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    study = Study(merged, [])
    prepare(tiny_models["llama"], tmp_path / "base.json")
    paths = []
    for model in study.models:
        paths.append(tmp_path / f"{model}.json")
        command = ["describe-model", "--model", model, "--settings", slices.description(study, model)]
        assert main([*command, "--base", str(tmp_path / "base.json"), "--output", str(paths[-1])]) == 0
    models = read_models(paths)
    assert [model.trained for model in models] == [True, False, False]
    table = model_table(models, {"tiny-llama": 1.5})
    assert table["quantisation_training"].to_list() == ["4bit", None, None]
    assert table["gpus_training"].to_list() == [0, None, None]
    assert table["hours"].to_list() == [1.5, None, None]
    files = [str(path) for path in paths]
    output = tmp_path / "models.html"  # no log of training at all
    assert main(["draw", "--item", "models", "--models", *files, "--training", "--output", str(output)]) == 0
    assert "–: not trained here" in output.read_text(encoding="utf-8")
