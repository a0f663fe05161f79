"""Broken files of bases and adapters: each is an input error that names the file, whichever verb meets it first."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from onkocode.cli import main
from onkocode.models.loading import load_adapter, load_base
from onkocode.models.tokenizing import load_tokenizer
from onkocode.records.errors import InputError

from .conftest import ROOT

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 123456789\n"
# What can stand where a file should be, made of the whole one.
BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "pointer": lambda whole: POINTER,
    "empty": lambda whole: b"",
    "zeros": lambda whole: bytes(len(whole)),
    "half": lambda whole: whole[: len(whole) // 2],
    "one byte": lambda whole: whole[:1],
    "web page": lambda whole: b"<!doctype html><html><body>Log in to go on</body></html>",
    "other encoding": lambda whole: "ä".encode("latin-1") + whole,
}
NO_OBJECT = {"list": b"[]", "null": b"null", "number": b"3", "deep": b"[" * 100_000}
JSON_FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
TOKENIZER = JSON_FILES[2:]
CASES = [(name, kind) for name in (*JSON_FILES, "model.safetensors") for kind in BROKEN]
CASES += [(name, kind) for name in JSON_FILES for kind in NO_OBJECT] + [("chat_template.jinja", "pointer")]


@pytest.fixture
def base(tiny_models: dict[str, Path], tmp_path: Path) -> Path:
    """A sound base that a test may spoil."""
    return Path(shutil.copytree(tiny_models["llama"], tmp_path / "base"))


def spoil(file: Path, kind: str) -> None:
    file.write_bytes(NO_OBJECT[kind] if kind in NO_OBJECT else BROKEN[kind](file.read_bytes()))


def prepare(base: Path) -> int:
    chosen = json.dumps({"base": {"path": str(base)}})
    return main(["prepare-model", "--settings", chosen, "--output", str(base.parent / "base.json")])


def refused(base: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line in which prepare-model refuses a base."""
    assert prepare(base) == 2
    assert not (base.parent / "base.json").exists()
    (said,) = capsys.readouterr().err.splitlines()
    return said


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_broken_file_of_a_base_is_named(base: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = base / name
    spoil(file, kind)
    said = refused(base, capsys)
    assert f"onkocode prepare-model: {file}: " in said
    if kind == "pointer":
        assert "Git LFS pointer in place of the file; run `git lfs pull`" in said
    # The same where the file was spoilt after it had been prepared.
    with pytest.raises(InputError) as caught:
        load_tokenizer(base) if name in (*TOKENIZER, "chat_template.jinja") else load_base(base, "none", "fp32")
    assert f"onkocode prepare-model: {caught.value}" == said


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("kind", BROKEN)
def test_broken_file_of_an_adapter_is_named(
    base: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(base) == 0
    file = make_adapter(base) / name
    spoil(file, kind)
    said = fetched(base, capsys)
    assert f"onkocode fetch-adapter: {file}: " in said
    assert ("Git LFS pointer" in said) == (kind == "pointer")
    with pytest.raises(InputError) as caught:
        load_adapter(load_base(base, "none", "fp32"), file.parent)
    assert f"onkocode fetch-adapter: {caught.value}" == said


def make_adapter(base: Path, start_of_b: float = 0.5) -> Path:
    """Write an adapter for a base whose matrices B hold one value."""
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(load_base(base, "none", "fp32"), LoraConfig(r=2, target_modules=["q_proj"]))
    for name, values in model.named_parameters():
        if "lora_B" in name:
            values.data.fill_(start_of_b)
    model.save_pretrained(base.parent / "adapter")
    return base.parent / "adapter"


def fetched(base: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line in which fetch-adapter refuses the adapter beside a base."""
    chosen = json.dumps({"adapter": {"path": str(base.parent / "adapter")}})
    command = ["fetch-adapter", "--settings", chosen, "--base", str(base.parent / "base.json")]
    capsys.readouterr()  # of loading the base
    assert main([*command, "--output", str(base.parent / "fetched")]) == 2
    assert not (base.parent / "fetched").exists()
    (said,) = capsys.readouterr().err.splitlines()
    return said


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "its matrices B are all 0, so it answers exactly as the base model does"),
        (float("nan"), "1 of 2 tensors hold NaN or infinity"),
        (float("inf"), "1 of 2 tensors hold NaN or infinity"),
    ],
)
def test_adapter_that_was_never_trained_or_is_not_finite_is_refused(
    base: Path, value: float, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(base) == 0
    make_adapter(base, value)
    assert expected in fetched(base, capsys)


# -- config.json and index --


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model_type": None}, "names no model_type"),
        ({"model_type": 3}, "names no model_type"),
        (
            {"model_type": "llama9"},
            r"the model type 'llama9' cannot be loaded: transformers .* does not know it; a newer",
        ),
        ({"model_type": "vit"}, "the model type 'vit' is none that answers in text"),
        ({"hidden_size": "wide"}, r"cannot be used \("),
        (
            {"hidden_size": 64},
            r"weights are not those that config\.json describes: model\.layers\.0\.self_attn\.q_proj",
        ),
        ({"num_hidden_layers": 3}, r"layers\.1\.self_attn\.q_proj\.weight is missing \(14 such tensors\)"),
        ({"tie_word_embeddings": False}, r"lm_head\.weight is missing \(1 such tensors\)"),
        ({"vocab_size": 512}, r"embed_tokens\.weight has the shape \(500, 32\), not \(512, 32\)"),
    ],
)
def test_config_that_does_not_fit_is_refused(
    base: Path, changes: dict[str, object], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = base / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    said = refused(base, capsys)
    assert str(base) in said
    assert re.search(expected, said)


@pytest.fixture
def parts(base: Path) -> Path:
    """A base with its weights in several files, as large models are published."""
    load_base(base, "none", "fp32").save_pretrained(base, max_shard_size="50KB")
    (base / "model.safetensors").unlink(missing_ok=True)
    return base


def places(base: Path) -> dict[str, str]:
    return dict(json.loads((base / "model.safetensors.index.json").read_text(encoding="utf-8"))["weight_map"])


def write_places(base: Path, found: object) -> None:
    (base / "model.safetensors.index.json").write_text(json.dumps({"weight_map": found}), encoding="utf-8")


@pytest.mark.parametrize("kind", [*BROKEN, *NO_OBJECT])
def test_broken_index_is_named(parts: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(parts) == 0
    (parts.parent / "base.json").unlink()
    spoil(parts / "model.safetensors.index.json", kind)
    assert f"{parts / 'model.safetensors.index.json'}: " in refused(parts, capsys)


@pytest.mark.parametrize(
    "found", [None, [], {}, {"model.norm.weight": 3}, {"model.norm.weight": "../base.safetensors"}]
)
def test_index_without_sound_places_is_named(parts: Path, found: object, capsys: pytest.CaptureFixture[str]) -> None:
    write_places(parts, found)
    assert f"{parts / 'model.safetensors.index.json'}: " in refused(parts, capsys)


def test_every_part_is_looked_at(parts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(set(places(parts).values()))
    assert len(files) > 1
    for name in files:
        whole = (parts / name).read_bytes()
        (parts / name).write_bytes(whole[:-1])
        assert f"{parts / name}: has {len(whole) - 1:,} of {len(whole):,} bytes" in refused(parts, capsys)
        (parts / name).unlink()
        assert f"{name} is missing" in refused(parts, capsys)
        (parts / name).write_bytes(whole)
        values = load_file(parts / name)
        lost = max(values)
        save_file({key: values[key] for key in values if key != lost}, parts / name, metadata={"format": "pt"})
        assert f"{parts / name}: has no tensor {lost}, which" in refused(parts, capsys)
        (parts / name).write_bytes(whole)


def test_tensors_that_no_file_holds_are_not_filled_at_random(base: Path) -> None:
    """Also those that prepare-model does not know of, of whatever architecture."""
    values = load_file(base / "model.safetensors")
    values.pop("model.layers.0.input_layernorm.weight")
    save_file(values, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        InputError, match=r"1 tensors of the model are not in its safetensors, e\.g\. .*input_layernorm"
    ):
        load_base(base, "none", "fp32")


# -- cut and changed anywhere --


@pytest.fixture(scope="module")
def spoilt(tiny_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(tiny_models["llama"], tmp_path_factory.mktemp("spoilt") / "base"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from([*JSON_FILES, "model.safetensors"]))
def test_cut_anywhere_is_refused_and_named(
    spoilt: Path, capsys: pytest.CaptureFixture[str], data: st.DataObject, name: str
) -> None:
    whole = (spoilt / name).read_bytes()
    cut = data.draw(st.integers(0, len(whole.rstrip()) - 1))
    try:
        (spoilt / name).write_bytes(whole[:cut])
        said = refused(spoilt, capsys)
        assert f"onkocode prepare-model: {spoilt / name}: " in said
        assert name != "model.safetensors" or re.search(r": (empty|cut after|has [\d,]+ of [\d,]+ bytes)", said)
    finally:
        (spoilt / name).write_bytes(whole)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_header_gives_no_traceback(
    spoilt: Path, capsys: pytest.CaptureFixture[str], data: st.DataObject
) -> None:
    file = spoilt / "model.safetensors"
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    at, byte = data.draw(st.integers(0, header - 1)), data.draw(st.integers(0, 255))
    try:
        file.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        assert prepare(spoilt) in (0, 2)  # a change in the metadata is none of the weights
    finally:
        file.write_bytes(whole)
        (spoilt.parent / "base.json").unlink(missing_ok=True)


def test_plan_names_a_broken_file_of_a_local_base(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = base.parent / "study.yaml"
    recipe = f"  mine: {{preset: tiny, label: Mine, family: Mine, data: example, base: {{path: {base}}}}}\n"
    config.write_text(f"recipes:\n{recipe}models: [mine]\n", encoding="utf-8")
    command = ["plan", "--config", str(ROOT / "config/config.yaml"), str(ROOT / "config/quickstart.yaml"), str(config)]
    command += ["--results", str(base.parent / "results")]
    assert main(command) == 0, capsys.readouterr().err
    for name in ("config.json", "model.safetensors"):
        whole = (base / name).read_bytes()
        (base / name).write_bytes(POINTER)
        assert main(command) == 2
        assert f"recipes.mine: {base / name}: a Git LFS pointer" in capsys.readouterr().err
        (base / name).write_bytes(whole)
