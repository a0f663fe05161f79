"""Answering questions with a loaded model, in batches of similar length, with saves in between."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from tqdm import tqdm

from onkocode.config.schema import Thinking
from onkocode.models.tokenizing import stop_ids
from onkocode.records.ids import digest
from onkocode.records.schemas import read_table, write_table


@dataclass(frozen=True)
class Decoding:
    """How answers are generated. `sampling` None = greedy."""

    batch_size: int
    max_new_tokens: int
    sampling: Thinking | None = None


def answer_questions(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    identity: pl.DataFrame,
    decoding: Decoding,
    scratch: Path,
    shard_size: int,
    coder: str = "",
) -> pl.DataFrame:
    """Return predictions (schema PREDICTIONS), resuming from the shards that an interrupted job left.

    Args:
        model: a causal language model, with or without adapter.
        tokenizer: its tokenizer, padding on the left.
        prompts: token ids per question.
        identity: as many rows with the identifying columns of PREDICTIONS (model … question_id).
        decoding: batch size, length and sampling.
        scratch: directory of the shards, private to this job.
        shard_size: questions per shard.
        coder: hash of everything that makes the model; shards of another coder are not used.
    """
    # Sorting by length keeps padding small; ids break ties, so shards are the same on every run.
    order = sorted(range(len(prompts)), key=lambda index: (len(prompts[index]), identity["question_id"][index]))
    scratch.mkdir(parents=True, exist_ok=True)
    parts = []
    with tqdm(total=len(order), desc="answering", unit="question", mininterval=2) as bar:
        for start in range(0, len(order), shard_size):
            rows = order[start : start + shard_size]
            ids = [identity["question_id"][index] for index in rows]
            key = digest(coder, decoding, *ids, *(prompts[index] for index in rows))
            path = scratch / f"{key[:16]}.parquet"
            if path.is_file():
                parts.append(read_table(path, "predictions"))
                bar.update(len(rows))
            else:
                if decoding.sampling is not None:
                    torch.manual_seed(int(digest(decoding.sampling.seed, path.name)[:12], 16))
                part = _answer_shard(model, tokenizer, [prompts[index] for index in rows], decoding, bar)
                part = pl.concat([identity[rows], part], how="horizontal")
                write_table(part, "predictions", path)
                parts.append(part)
    return pl.concat(parts, how="vertical_relaxed").sort("question_id")


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
