"""Answering questions with a model, in batches of similar length, with saves in between."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import torch
from tqdm import tqdm

from onkocode.coders.answers import AnswerStore, Decoding
from onkocode.models.tokenizing import stop_ids
from onkocode.records.ids import digest


def answer_missing(
    load: Callable[[], Any],
    tokenizer: Any,
    prompts: Mapping[str, list[int]],
    decoding: Decoding,
    store: AnswerStore,
    shard_size: int,
) -> int:
    """Let a model answer what the store has no answer to; returns how many prompts that were.

    Args:
        load: returns a causal language model, with or without adapter; called only when something is to be asked.
        tokenizer: its tokenizer, padding on the left.
        prompts: token ids by key of the answer.
        decoding: batch size, length and sampling.
        store: where answers are looked up and saved.
        shard_size: questions between two saves at least, in whole batches, so that it changes no answer. Where answers
            are sampled, thoughts are long, and every batch is saved.
    """
    # Sorting by length keeps padding small. Order and draws follow from the prompts, never from keys, which hold when
    # the weights were written: a study that is made again, or a job that goes on, asks in the same way.
    order, kept = sorted(prompts, key=lambda key: (len(prompts[key]), prompts[key])), store.keys
    missing = [key for key in order if key not in kept]
    if not missing:
        return 0
    model = load()
    total = len(prompts)
    batches = 1 if decoding.sampling else math.ceil(shard_size / decoding.batch_size)
    step = batches * decoding.batch_size
    with tqdm(total=total, initial=total - len(missing), desc="answering", unit="question", mininterval=2) as bar:
        for start in range(0, len(missing), step):
            keys = missing[start : start + step]
            asked = [prompts[key] for key in keys]
            if decoding.sampling is not None:
                torch.manual_seed(int(digest(decoding.sampling.seed, order.index(keys[0]), *asked)[:12], 16))
            part = _answer_shard(model, tokenizer, asked, decoding, bar)
            store.add(part.with_columns(key=pl.Series(keys, dtype=pl.String)))
    return len(missing)


def _answer_shard(
    model: Any, tokenizer: Any, prompts: Sequence[list[int]], decoding: Decoding, bar: "tqdm[Any]"
) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    stops = stop_tokens(model, tokenizer)
    for start in range(0, len(prompts), decoding.batch_size):
        batch = list(prompts[start : start + decoding.batch_size])
        began = time.perf_counter()
        generated = _generate(model, tokenizer.pad_token_id, stops, batch, decoding)
        seconds = (time.perf_counter() - began) / len(batch)
        for ids in generated:
            length = _length(ids, stops)
            text = tokenizer.decode(ids[:length], skip_special_tokens=True).strip()
            rows.append(
                {"rank": 1, "answer": text, "score": None, "tokens": length, "seconds": seconds, "batch": len(batch)}
            )
        bar.update(len(batch))
    return pl.DataFrame(rows, schema_overrides={"score": pl.Float64})


def _length(ids: list[int], stops: list[int]) -> int:
    """Return the number of generated tokens up to and with the one that ended the answer."""
    return next((number for number, token in enumerate(ids, 1) if token in stops), len(ids))


def stop_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return the tokens that end an answer: the end of turn, and what the model's own configuration adds to it."""
    return stop_ids(tokenizer, model.generation_config.eos_token_id)


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
