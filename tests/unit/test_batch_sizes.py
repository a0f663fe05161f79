"""How many questions are asked at once changes no greedy answer in float32, in any architecture."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch

from onkocode.coders.answers import Decoding
from onkocode.models.prompts import encode_prompts, prompt_format

from .conftest import ARCHITECTURES, STEPS
from .test_generation import QUESTIONS, Asked, said

SIZES = (1, 3, 7, 64)
COUNT = 70  # more than the largest batch


def of_many_lengths(questions: list[str]) -> list[str]:
    """Return questions of one word up to several together; no two are alike."""
    words = " ".join(questions).split()
    joined = [" ".join(words[number : number + 1 + 5 * (number % 8)]) for number in range(COUNT)]
    return [f"{number}: {text}" for number, text in enumerate(joined)]


def scatter(model: torch.nn.Module) -> None:
    """Give a model that was hardly trained weights with which it says something else to every prompt."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_answers_are_the_same_for_any_batch_size(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path: Path, architecture: str
) -> None:
    asked = Asked(tiny_models[architecture])
    if architecture not in STEPS:
        scatter(asked.model)
    texts = of_many_lengths([*QUESTIONS, *small_questions["question"]])
    prompts = encode_prompts(asked.tokenizer, prompt_format(asked.tokenizer), texts)
    lengths = set(map(len, prompts))
    assert len(lengths) > 20
    assert max(lengths) > 3 * min(lengths)
    greedy = Decoding(batch_size=1, max_new_tokens=8)
    answered = {
        size: asked.answer(tmp_path / str(size), replace(greedy, batch_size=size), shard=100, prompts=prompts)
        for size in SIZES
    }
    for size, answers in answered.items():
        assert set(answers["batch"]) == {size, COUNT % size} - {0}
        assert said(answers).equals(said(answered[1])), f"batch size {size}"
    assert answered[1]["answer"].n_unique() > COUNT / 4  # answers that are all alike would prove nothing
