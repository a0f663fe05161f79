"""What is checked of a base before anything is spent: texts, vocabulary, special tokens, chat template, stop tokens."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import AutoTokenizer

from onkocode.cli import main
from onkocode.models.tokenizing import load_tokenizer
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file
from onkocode.records.schemas import write_table

from .conftest import ARCHITECTURES
from .training_jobs import command

Change = Callable[[Path], object]


@pytest.fixture
def base(tiny_models: dict[str, Path], tmp_path: Path) -> Path:
    """A sound base that a test may spoil."""
    return Path(shutil.copytree(tiny_models["llama"], tmp_path / "base"))


def prepare(base: Path) -> int:
    settings = json.dumps({"base": {"path": str(base)}})
    return main(["prepare-model", "--settings", settings, "--output", str(base.parent / "base.json")])


def edit(file: Path, **values: Any) -> None:
    """Set keys of a JSON file; None takes one away."""
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    kept = {key: value for key, value in (found | values).items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")


def said_of(base: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what prepare-model says of a base that it refuses."""
    assert prepare(base) == 2
    assert not (base.parent / "base.json").exists()
    said = capsys.readouterr().err
    assert str(base) in said
    return said


# -- sound bases --


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_record_of_a_sound_base_never_changes(tiny_models: dict[str, Path], architecture: str, tmp_path: Path) -> None:
    """Training reads it, so another byte in it would train everything again."""
    base = tiny_models[architecture]
    output = tmp_path / "base.json"
    settings = json.dumps({"base": {"path": str(base)}})
    assert main(["prepare-model", "--settings", settings, "--output", str(output)]) == 0
    sizes = [values.numel() for values in load_file(base / "model.safetensors").values()]
    hashes = {name: hash_file(base / name) for name in ("config.json", "tokenizer.json")}
    record: dict[str, Any] = {"path": str(base), "hub": None, "revision": None}
    record |= {"architecture": architecture, "parameters": sum(sizes), "sha256": hashes}
    assert output.read_text(encoding="utf-8") == json.dumps(record, indent=1) + "\n"


def pad_embeddings(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    rows = weights["model.embed_tokens.weight"]
    weights["model.embed_tokens.weight"] = rows.new_zeros(rows.shape[0] + 12, rows.shape[1])
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    edit(base / "config.json", vocab_size=rows.shape[0] + 12)


def other_stop(base: Path) -> None:
    """End answers with a token that only the model's own configuration names, as many published models do."""
    edit(base / "tokenizer_config.json", eos_token="<|begin_of_text|>")  # noqa: S106 -- no password
    edit(base / "generation_config.json", eos_token_id=[0, 3])


def stop_in_config(base: Path) -> None:
    other_stop(base)
    (base / "generation_config.json").unlink()
    edit(base / "config.json", eos_token_id=[0, 3])


def rebuild(base: Path, change: Callable[[Any], object]) -> None:
    """Change the tokenizer of a base and save it again."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    change(tokenizer)
    tokenizer.save_pretrained(base)


def normalise(normaliser: Any) -> Change:
    def change(tokenizer: Any) -> None:
        tokenizer.backend_tokenizer.normalizer = normaliser

    return lambda base: rebuild(base, change)


def byte_fallback(base: Path) -> None:
    """Give the base a tokenizer of Mixtral's kind: few letters, bytes for all others, a space before every text."""
    special = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    names = [token["content"] for token in special]
    names += ["<unk>", "▁", *"abc", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, [], byte_fallback=True))
    tokenizer.add_special_tokens(names[: len(special)])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    spaces = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(spaces)
    tokenizer.save(str(base / "tokenizer.json"))


HARMLESS: dict[str, Change] = {
    "composes letters": normalise(normalizers.NFC()),
    "decomposes letters": normalise(normalizers.NFD()),
    "begins with a space": normalise(normalizers.Prepend(" ")),
    "bytes of unknown letters": byte_fallback,
    "more rows than tokens": pad_embeddings,
    "stop token of the model": other_stop,
    "stop token of the configuration": stop_in_config,
    "no pad token": lambda base: edit(base / "tokenizer_config.json", pad_token=None),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_usual_is_no_fault(base: Path, name: str) -> None:
    HARMLESS[name](base)
    assert prepare(base) == 0


# -- texts --


def only_config(base: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (base / name).unlink()


def only_a_class(base: Path) -> None:
    (base / "tokenizer.json").unlink()
    (base / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizerFast"}', encoding="utf-8")


def whole_words(base: Path) -> None:
    """Give the base a vocabulary of words, to which all others are unknown."""
    file = base / "tokenizer.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    found["model"] = {"type": "WordLevel", "vocab": found["model"]["vocab"] | {"?": 499}, "unk_token": "?"}
    file.write_text(json.dumps(found), encoding="utf-8")
    edit(base / "tokenizer_config.json", unk_token="?")  # noqa: S106


def other_decoder(tokenizer: Any) -> None:
    tokenizer.backend_tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace(" ", "")])


EMPTY: dict[str, tuple[str, Change]] = {
    "class of another model": ("llama", only_a_class),
    "nothing but config.json": ("qwen3", only_config),
    "emptied": ("llama", lambda base: rebuild(base, lambda one: setattr(one.backend_tokenizer, "model", models.BPE()))),
}
LOSSY: dict[str, tuple[Change, str]] = {
    "small letters": (normalise(normalizers.Lowercase()), "(lost: B"),
    "no accents": (normalise(normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])), "(lost: äöü)"),
    "no digits": (normalise(normalizers.Replace("5", "")), "(lost: 5)"),
    "no ß": (normalise(normalizers.Replace("ß", "ss")), "(lost: ß)"),
    "plain quotation marks": (normalise(normalizers.Replace("„", '"')), "(lost: „)"),
    "whole words": (whole_words, "(lost:  BNQabd"),
    "no spaces": (lambda base: rebuild(base, other_decoder), "(lost:  )"),
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty_tokenizer_is_refused_wherever_it_would_be_used(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    usual_umask: None,
    name: str,
) -> None:
    architecture, spoil = EMPTY[name]
    base = Path(shutil.copytree(tiny_models[architecture], tmp_path / "base"))
    spoil(base)
    assert "the tokenizer is empty, texts become no tokens" in said_of(base, capsys)
    assert main(command(base, small_questions, tmp_path, 1)) == 2
    assert "the tokenizer is empty" in capsys.readouterr().err
    assert not (tmp_path / "epoch-1").exists()
    asked, answers = tmp_path / "catalogue.parquet", tmp_path / "private" / "catalogue.parquet"
    write_table(small_questions, "questions", asked)
    evaluation = ["evaluate-checkpoint", "--model", "m", "--epoch", "0", "--condition", "free", "--settings", "{}"]
    evaluation += ["--base", str(tmp_path / "base.json"), "--scratch", str(tmp_path / "private" / "scratch")]
    evaluation += ["--answers", str(tmp_path / "private" / "answers")]
    assert main([*evaluation, "--questions", f"catalogue={asked}", "--output", f"catalogue={answers}"]) == 2
    assert "the tokenizer is empty" in capsys.readouterr().err
    assert not answers.exists()


@pytest.mark.parametrize("name", LOSSY)
def test_tokenizer_that_changes_letters_is_refused(base: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, expected = LOSSY[name]
    spoil(base)
    said = said_of(base, capsys)
    assert "the tokenizer does not give texts back" in said
    assert expected in said
    with pytest.raises(InputError, match="does not give texts back"):
        load_tokenizer(base)


# -- vocabulary, special tokens, chat template, stop tokens --


def template(text: str) -> Change:
    return lambda base: (base / "chat_template.jinja").write_text(text, encoding="utf-8")


def other_turn(base: Path) -> None:
    file = base / "chat_template.jinja"
    file.write_text(file.read_text(encoding="utf-8").replace("<|eot_id|>", "<|end_header_id|>"), encoding="utf-8")


def no_begin(base: Path) -> None:
    """Let the template write the token by its name, as published ones do, and take the name away."""
    file = base / "chat_template.jinja"
    text = file.read_text(encoding="utf-8")
    file.write_text("{{- bos_token }}" + text[text.index("{%- for") :], encoding="utf-8")
    assert prepare(base) == 0
    (base.parent / "base.json").unlink()
    edit(base / "tokenizer_config.json", bos_token=None)


FAULTS: dict[str, tuple[Change, str]] = {
    "tokens of another model": (
        lambda base: rebuild(base, lambda one: one.add_tokens(["⟦neu⟧", "⟦alt⟧"])),
        "2 tokens of the tokenizer, e.g. '⟦alt⟧', have no row in the embeddings, which have 500",
    ),
    "pad token of its own": (
        lambda base: rebuild(base, lambda one: one.add_special_tokens({"pad_token": "[PAD]"})),
        "1 tokens of the tokenizer, e.g. '[PAD]', have no row",
    ),
    "no begin-of-text token": (
        no_begin,
        "the chat template begins with bos_token, but the tokenizer has none; fetch tokenizer_config.json",
    ),
    "no end-of-turn token": (
        lambda base: edit(base / "tokenizer_config.json", eos_token=None),
        "the tokenizer has no end-of-turn token",
    ),
    "another end-of-turn token": (
        other_turn,
        "the chat template ends an answer with '<|end_header_id|>', at which generation would not stop",
    ),
    "stop token beyond the rows": (
        lambda base: edit(base / "generation_config.json", eos_token_id=[3, 500]),
        "a stop token (3, 500) has no row in the embeddings, which have 500",
    ),
    "stop token in words": (
        lambda base: edit(base / "generation_config.json", eos_token_id="<|eot_id|>"),  # noqa: S106
        "generation_config.json: eos_token_id holds something else than ids of tokens",
    ),
    "no chat template": (lambda base: (base / "chat_template.jinja").unlink(), "has no chat template"),
    "cut chat template": (template("{% for message in messages %}{{ mess"), "the chat template refuses"),
    "chat template without the question": (template("{{ bos_token }}Frage:"), "does not hold the question"),
    "chat template without the answer": (
        template("{{ bos_token }}{{ messages[0].content }}<|eot_id|>"),
        "does not hold the answer",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_a_base_is_named(base: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, expected = FAULTS[name]
    spoil(base)
    said = said_of(base, capsys)
    assert expected in said
    assert len(said.splitlines()) == 1


def test_faults_are_named_together(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (base / name).write_bytes(b"")
    said = said_of(base, capsys)
    assert f"{base}: 3 faults in this model:" in said
    assert all(f"{base / name}: empty" in said for name in ("config.json", "tokenizer.json", "model.safetensors"))
