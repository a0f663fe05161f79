"""Tiny models: shape, pre-training, and the same weights on every run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from onkocode.models.corpus import Document
from onkocode.models.loading import load_base
from onkocode.models.tiny import encode_corpus
from onkocode.models.tokenizing import load_tokenizer

from .conftest import ARCHITECTURES, make_tiny


def llama_parameters(vocabulary: int, hidden: int = 32, layers: int = 1) -> int:
    """Parameters of the tiny llama, added up by hand: tied embeddings, half as many key and value heads."""
    attention = hidden * hidden * 2 + hidden * (hidden // 2) * 2
    mlp = 3 * hidden * (3 * hidden)
    norms = 2 * hidden
    return vocabulary * hidden + layers * (attention + mlp + norms) + hidden


def test_number_of_parameters(tiny_models: dict[str, Path]) -> None:
    model = load_base(tiny_models["llama"], "none", "fp32")
    vocabulary = len(load_tokenizer(tiny_models["llama"]))
    assert vocabulary == 500
    assert model.num_parameters() == llama_parameters(vocabulary) == 28384


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_architecture_is_the_published_class(tiny_models: dict[str, Path], architecture: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_models[architecture])
    assert model.config.model_type == architecture
    assert type(model).__name__.lower() == f"{architecture}forcausallm"
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_saved_model_is_the_one_that_was_trained(corpus: list[Document], tmp_path: Path) -> None:
    plain = [(question, answer, None) for question, answer, _ in corpus[:64]]
    model, _ = make_tiny("mistral", plain, tmp_path / "model", steps=3)
    loaded = load_base(tmp_path / "model", "none", "fp32")
    ids = torch.tensor([[5, 9, 40, 41, 3]])
    with torch.inference_mode():
        assert torch.equal(model.eval()(ids).logits, loaded.eval()(ids).logits)
    assert (tmp_path / "model" / "model.safetensors").is_file()
    assert not list((tmp_path / "model").glob("*.bin"))


def test_pretraining_lowers_the_loss(corpus: list[Document], tmp_path: Path) -> None:
    plain = [(question, answer, None) for question, answer, _ in corpus]
    _, losses = make_tiny("llama", plain, tmp_path / "model", steps=40)
    assert len(losses) == 40
    assert sum(losses[-5:]) / 5 < 0.6 * losses[0]


def state_of(model: Any) -> dict[str, torch.Tensor]:
    return dict(model.state_dict())


def test_same_seed_same_weights_and_other_seed_others(corpus: list[Document], tmp_path: Path) -> None:
    documents = corpus[:32]
    first, losses = make_tiny("qwen3", documents, tmp_path / "one", steps=2)
    torch.manual_seed(99)  # what went before must not matter
    second, again = make_tiny("qwen3", documents, tmp_path / "two", steps=2)
    other, _ = make_tiny("qwen3", documents, tmp_path / "three", steps=2, seed=1)
    assert losses == again
    assert all(torch.equal(value, state_of(second)[name]) for name, value in state_of(first).items())
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(state_of(first)[name], state_of(other)[name])
    one, two = (tmp_path / folder / "model.safetensors" for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11])
def test_any_number_of_steps_is_taken(corpus: list[Document], tmp_path: Path, steps: int) -> None:
    _, losses = make_tiny("llama", [(q, a, None) for q, a, _ in corpus[:8]], tmp_path / "model", steps=steps)
    assert len(losses) == steps


def test_no_steps_give_a_random_model(corpus: list[Document], tmp_path: Path) -> None:
    _, losses = make_tiny("qwen2", [(q, a, None) for q, a, _ in corpus[:8]], tmp_path / "model", steps=0)
    assert losses == []
    assert load_base(tmp_path / "model", "none", "fp32").config.model_type == "qwen2"


def test_digits_are_single_tokens_and_codes_are_split(tiny_models: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(tiny_models["llama"])
    tokens = tokenizer.tokenize("C50.9")
    assert tokens == ["C", "5", "0", ".", "9"]


def test_documents_end_with_the_end_of_turn(tiny_models: dict[str, Path], corpus: list[Document]) -> None:
    tokenizer = load_tokenizer(tiny_models["llama"])
    encoded = encode_corpus(tokenizer, [(question, answer, None) for question, answer, _ in corpus[:20]])
    assert {ids[-1] for ids in encoded} == {tokenizer.eos_token_id}
    assert {ids.count(tokenizer.eos_token_id) for ids in encoded} == {2}  # the question's turn and the answer's
