"""Answering where memory is short: smaller batches, the same answers, a clear end where one question is too much."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from onkocode.coders import generation
from onkocode.coders.answers import Decoding
from onkocode.config.schema import Thinking
from onkocode.records.errors import InputError, ShortageError

from .test_generation import GREEDY, QUESTIONS, Asked, said, shards

HOT = Thinking.model_validate({"seed": 1, "temperature": 1.5})
GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")
REMEDIES = ("quantise", "batch_size", "memory_mb", "gpu_model")


@pytest.fixture(scope="module")
def asked(tiny_models: dict[str, Path]) -> Asked:
    return Asked(tiny_models["llama"])


def sizes_asked(
    monkeypatch: pytest.MonkeyPatch, error: Exception, missing: Callable[[list[list[int]]], bool]
) -> list[int]:
    """Raise the error for batches for which memory is missing; returns a list that fills with the sizes asked."""
    sizes: list[int] = []
    original = generation._generate

    def generate(model: Any, pad: int, stops: list[int], batch: list[list[int]], decoding: Decoding) -> Any:
        sizes.append(len(batch))
        if missing(batch):
            raise error
        return original(model, pad, stops, batch, decoding)

    monkeypatch.setattr(generation, "_generate", generate)
    return sizes


@pytest.mark.parametrize("error", [GPU, CPU, MemoryError()], ids=["gpu", "cpu", "python"])
def test_missing_memory_halves_the_batch_and_changes_no_answer(
    asked: Asked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    calm = asked.answer(tmp_path / "calm")
    sizes = sizes_asked(monkeypatch, error, lambda batch: len(batch) > 2)
    answered = asked.answer(tmp_path / "short")
    assert sizes == [8, 4, 2, 2, 2, 2, 1]  # nine questions; the smaller size is kept
    assert said(answered).equals(said(calm))
    assert sorted(answered["batch"]) == [1] + [2] * 8
    printed = capsys.readouterr().out
    assert "out of memory with 8 questions at once; going on with 4 (testing.batch_size)" in printed
    assert "out of memory with 4 questions at once; going on with 2" in printed


def test_what_was_answered_before_is_not_asked_again(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = asked.answer(tmp_path / "calm", replace(GREEDY, batch_size=3))
    long = max(map(len, asked.prompts))
    # The longest are asked last; before them, everything goes into one save.
    sizes = sizes_asked(monkeypatch, CPU, lambda batch: len(batch) > 1 and max(map(len, batch)) == long)
    answered = asked.answer(tmp_path / "short", replace(GREEDY, batch_size=3), shard=100)
    assert sizes == [3, 3, 3, 1, 1, 1]
    assert [len(pl.read_parquet(path)) for path in shards(tmp_path / "short")] in ([6, 3], [3, 6])
    assert said(answered).equals(said(calm))


def test_fewer_questions_than_a_batch_are_halved_themselves(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = sizes_asked(monkeypatch, GPU, lambda batch: len(batch) > 4)
    asked.answer(tmp_path, replace(GREEDY, batch_size=64))
    assert sizes == [9, 4, 4, 1]


def test_a_sampled_batch_that_is_halved_draws_like_one_that_was_asked_so(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = replace(GREEDY, batch_size=4, sampling=HOT)
    by_two = asked.answer(tmp_path / "two", replace(decoding, batch_size=2))
    by_four = asked.answer(tmp_path / "four", decoding)
    assert not said(by_two).equals(said(by_four))
    sizes = sizes_asked(monkeypatch, GPU, lambda batch: len(batch) > 2)
    halved = asked.answer(tmp_path / "halved", decoding)
    assert sizes == [4, 2, 2, 2, 2, 1]
    assert halved.drop("seconds").equals(by_two.drop("seconds"))
    again = asked.answer(tmp_path / "again", decoding)
    assert said(again).equals(said(halved))


@pytest.mark.parametrize(("sampling", "section"), [(None, "testing"), (HOT, "thinking")])
@pytest.mark.parametrize(("error", "cause"), [(GPU, "gpu-memory"), (CPU, "memory")])
def test_missing_memory_for_one_question_ends_the_job(
    asked: Asked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sampling: Thinking | None,
    section: str,
    error: Exception,
    cause: str,
) -> None:
    sizes = sizes_asked(monkeypatch, error, lambda _: True)
    with pytest.raises(InputError, match="out of memory with a single question") as caught:
        asked.answer(tmp_path, replace(GREEDY, sampling=sampling))
    assert sizes == [8, 4, 2, 1]
    message = str(caught.value)
    assert all(remedy in message for remedy in (*REMEDIES, f"{section}.batch_size", f"{section}.max_new_tokens"))
    assert not any(question in message for question in QUESTIONS)
    assert isinstance(caught.value, ShortageError)  # from which a retry asks for more
    assert caught.value.cause == cause


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shape mismatch"), RuntimeError("CUDA error: device-side assert triggered"), ValueError("no")],
)
def test_other_errors_go_through_at_once(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    sizes = sizes_asked(monkeypatch, error, lambda _: True)
    with pytest.raises(type(error), match=str(error)):
        asked.answer(tmp_path)
    assert sizes == [8]
