"""Answering questions with a model, in batches of similar length, with saves in between."""

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import torch
from tqdm import tqdm

from onkocode.coders.answers import AnswerStore, Decoding
from onkocode.coders.course import Course
from onkocode.models.tokenizing import stop_ids
from onkocode.records.endings import cause_of
from onkocode.records.errors import ShortageError
from onkocode.records.ids import digest
from onkocode.terminal import say


def answer_missing(
    load: Callable[[], Any],
    tokenizer: Any,
    prompts: Mapping[str, list[int]],
    decoding: Decoding,
    store: AnswerStore,
    shard_size: int,
    course: Course,
) -> int:
    """Let a model answer what the store has no answer to; returns how many prompts that were.

    A batch for which memory is missing is asked again as two, and later ones are no larger. Greedy answers stay what
    they are, up to rounding. Draws of sampled ones hang on the seed and on the prompts of the batch that was answered,
    so they are those of a job with batches of that size from there on.

    Args:
        load: returns a causal language model, with or without adapter; called only when something is to be asked.
        tokenizer: its tokenizer, padding on the left.
        prompts: token ids by key of the answer.
        decoding: batch size, length and sampling.
        store: where answers are looked up and saved.
        shard_size: questions between two saves at least, in whole batches, so that it changes no answer. Where answers
            are sampled, thoughts are long, and every batch is saved.
        course: of the job, which may have to leave before all is answered.

    Raises:
        ShortageError: memory is missing for a single question.
        StoppedError: somebody asked to stop, or time is up; what was answered is saved.
    """
    # Sorting by length keeps padding small. Order and draws follow from the prompts, never from keys, which hold when
    # the weights were written: a study that is made again, or a job that goes on, asks in the same way.
    order, kept = sorted(prompts, key=lambda key: (len(prompts[key]), prompts[key])), store.keys
    missing = [key for key in order if key not in kept]
    start, total = 0, len(prompts)
    course.announce(total, total - len(missing))
    if not missing:
        return 0
    model = load()
    bar = tqdm(total=total, initial=total - len(missing), desc="answering", unit="question", mininterval=2)
    with bar, course.answering():
        while start < len(missing):
            batches = 1 if decoding.sampling else math.ceil(shard_size / decoding.batch_size)
            keys = missing[start : start + batches * decoding.batch_size]
            asked = [prompts[key] for key in keys]
            if decoding.sampling is not None:
                torch.manual_seed(int(digest(decoding.sampling.seed, order.index(keys[0]), *asked)[:12], 16))
            part = _answer_shard(model, tokenizer, asked, decoding, bar, course)
            if part.height:
                store.add(part.with_columns(key=pl.Series(keys[: part.height], dtype=pl.String)))
            start += part.height
            if start < len(missing):
                course.go_on()
            if part.height < len(keys):
                decoding = _smaller(decoding, len(keys) - part.height)
    return len(missing)


def _smaller(decoding: Decoding, left: int) -> Decoding:
    """Return the decoding with half of the batch, of so many questions at most, for which memory was missing."""
    tried = min(decoding.batch_size, left)
    say(f"\nout of memory with {tried} questions at once; going on with {tried // 2} ({_section(decoding)}.batch_size)")
    return replace(decoding, batch_size=tried // 2)


def _answer_shard(
    model: Any, tokenizer: Any, prompts: Sequence[list[int]], decoding: Decoding, bar: "tqdm[Any]", course: Course
) -> pl.DataFrame:
    """Return the answers in order; not all where memory was missing for the next batch, or the job is to leave."""
    rows: list[dict[str, Any]] = []
    stops = stop_tokens(model, tokenizer)
    for start in range(0, len(prompts), decoding.batch_size):
        batch = list(prompts[start : start + decoding.batch_size])
        began = time.perf_counter()
        generated = _generate_within_memory(model, tokenizer.pad_token_id, stops, batch, decoding)
        if generated is None:
            break
        together = time.perf_counter() - began
        seconds = together / len(batch)
        for ids in generated:
            length = _length(ids, stops)
            text = tokenizer.decode(ids[:length], skip_special_tokens=True).strip()
            rows.append(
                {"rank": 1, "answer": text, "score": None, "tokens": length, "seconds": seconds, "batch": len(batch)}
            )
        bar.update(len(batch))
        course.answered(len(batch), together)
        if course.leaving:
            break
    return pl.DataFrame(rows, schema_overrides={"score": pl.Float64})


def _length(ids: list[int], stops: list[int]) -> int:
    """Return the number of generated tokens up to and with the one that ended the answer."""
    return next((number for number, token in enumerate(ids, 1) if token in stops), len(ids))


def stop_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return the tokens that end an answer: the end of turn, and what the model's own configuration adds to it."""
    return stop_ids(tokenizer, model.generation_config.eos_token_id)


def _generate_within_memory(
    model: Any, pad: int, stops: list[int], batch: Sequence[list[int]], decoding: Decoding
) -> list[list[int]] | None:
    """Generate; None where memory is missing for several prompts at once. Other errors go through."""
    try:
        generated: list[list[int]] = _generate(model, pad, stops, batch, decoding)
    except Exception as error:
        lack = cause_of(error)
        if lack not in ("memory", "gpu-memory"):
            raise
        if len(batch) == 1:
            raise ShortageError(_too_little(error, batch[0], decoding), lack) from error
    else:
        return generated
    # Behind the handler, since the error holds what was computed.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _section(decoding: Decoding) -> str:
    """Return the part of the configuration that the decoding is from."""
    return "testing" if decoding.sampling is None else "thinking"


def _too_little(error: Exception, prompt: Sequence[int], decoding: Decoding) -> str:
    """Say how little was too much, and what a person can do; no word of the question."""
    section = _section(decoding)
    return (
        f"out of memory with a single question of {len(prompt)} tokens and an answer of up to "
        f"{decoding.max_new_tokens} ({type(error).__name__}: {str(error).partition(chr(10))[0]}); what was answered "
        f"before is saved. {section}.batch_size can be no smaller: quantise the model (testing.quantisation), lower "
        f"{section}.max_new_tokens, or give the recipe more memory or larger GPUs (resources.memory_mb, gpus_testing, "
        "gpu_model)"
    )


@torch.inference_mode()  # type: ignore[untyped-decorator]
def _generate(
    model: Any, pad: int, stops: list[int], batch: Sequence[list[int]], decoding: Decoding
) -> list[list[int]]:
    width = max(map(len, batch))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in batch], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch], device=model.device)
    options: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "min_p": None}
    if decoding.sampling is not None:
        sampling = decoding.sampling
        options = {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
        }
    output = model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=decoding.max_new_tokens,
        pad_token_id=pad,
        eos_token_id=stops,
        repetition_penalty=1.0,  # some models bring one, which would punish repeating a code
        **options,
    )
    generated: list[list[int]] = output[:, width:].tolist()
    return generated
