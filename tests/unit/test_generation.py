"""Answering questions: batches, shards that are resumed from, and counted tokens."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tqdm import tqdm

from onkocode.config.schema import Thinking
from onkocode.evaluation import generation
from onkocode.evaluation.generation import Decoding, answer_questions, stop_tokens
from onkocode.models.loading import load_base
from onkocode.models.prompts import encode_prompts, prompt_format
from onkocode.models.tokenizing import load_tokenizer
from onkocode.records.schemas import PREDICTIONS, read_table, write_table

GREEDY = Decoding(batch_size=8, max_new_tokens=10)
QUESTIONS = [
    "ICD-10-Code zu: Krebs der Niere",
    "Bitte wiederhole: Prostatakrebs",
    "Welche Topographie nach ICD-O hat Gurlam?",
    "Zähle ab C50.9 weiter.",
    "Nenne einige Begriffe.",
    "Ist Brustkrebs ein Tumor?",
    "Bitte wiederhole: Krebs des Blinddarms mit Durchbruch",
    "Gesucht wird der OPS-Code von Traunhan Braunmaut.",
    "Wie lautet der ICD-10-Code für die Diagnose „Magenkrebs, im unteren Drittel, mit Blutung“?",
]


class Asked:
    """A loaded tiny model with its prompts."""

    def __init__(self, path: Path) -> None:
        self.tokenizer = load_tokenizer(path)
        self.model = load_base(path, "none", "fp32").eval()
        self.prompts = encode_prompts(self.tokenizer, prompt_format(self.tokenizer), QUESTIONS)

    def identity(self, count: int = len(QUESTIONS)) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "model": ["tiny"] * count,
                "epoch": [0] * count,
                "condition": ["free"] * count,
                "dataset": ["catalogue"] * count,
                "question_id": [f"q{number}" for number in range(count)],
            }
        )

    def answer(self, scratch: Path, decoding: Decoding = GREEDY, shard: int = 3, **options: Any) -> pl.DataFrame:
        prompts = options.pop("prompts", self.prompts)
        return answer_questions(
            options.pop("model", self.model),
            self.tokenizer,
            prompts,
            self.identity(len(prompts)),
            decoding,
            scratch,
            shard,
            **options,
        )


@pytest.fixture(scope="module", params=["llama", "qwen3"])
def asked(request: pytest.FixtureRequest, tiny_models: dict[str, Path]) -> Asked:
    return Asked(tiny_models[request.param])


def said(frame: pl.DataFrame) -> pl.DataFrame:
    """Return what must be the same on every run: all but seconds and batch sizes."""
    return frame.drop("seconds", "batch")


def test_the_bar_moves_with_every_batch(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[int] = []

    class Bar(tqdm):  # type: ignore[type-arg]
        def update(self, n: float | None = 1) -> bool | None:
            moved.append(int(n or 0))
            return super().update(n)

    monkeypatch.setattr(generation, "tqdm", Bar)
    asked.answer(tmp_path, shard=100)
    size, count = GREEDY.batch_size, len(asked.prompts)
    assert moved == [min(size, count - start) for start in range(0, count, size)]
    assert len(moved) > 1
    moved.clear()
    asked.answer(tmp_path, shard=100)
    assert moved == [count]  # from the shard


def test_predictions_have_their_columns_and_one_row_per_question(asked: Asked, tmp_path: Path) -> None:
    answered = asked.answer(tmp_path)
    assert answered.schema == pl.Schema(PREDICTIONS)
    assert answered["question_id"].to_list() == [f"q{number}" for number in range(9)]
    assert set(answered["rank"]) == {1}
    assert answered["score"].null_count() == 9
    assert (answered["seconds"] > 0).all()
    assert answered["tokens"].is_between(1, 10).all()


def test_batched_answers_are_the_one_by_one_answers(asked: Asked, tmp_path: Path) -> None:
    together = asked.answer(tmp_path / "many", shard=100)
    alone = asked.answer(tmp_path / "one", replace(GREEDY, batch_size=1), shard=1)
    assert said(together).equals(said(alone))
    assert set(together["batch"]) == {8, 1}
    assert together["answer"].n_unique() > 3  # answers that are all alike would prove nothing


def test_answers_are_those_of_a_plain_loop_and_tokens_count_the_end_of_turn(asked: Asked, tmp_path: Path) -> None:
    longest = 24
    answered = asked.answer(tmp_path, replace(GREEDY, max_new_tokens=longest))
    eos = asked.tokenizer.eos_token_id
    ended = 0
    for number, prompt in enumerate(asked.prompts):
        new: list[int] = []
        while len(new) < longest and eos not in new:
            with torch.inference_mode():
                new.append(int(asked.model(torch.tensor([prompt + new])).logits[0, -1].argmax()))
        row = answered.row(number, named=True)
        assert row["tokens"] == len(new)
        assert row["answer"] == asked.tokenizer.decode(new, skip_special_tokens=True).strip()
        ended += new[-1] == eos
    assert ended >= 3  # the models are pre-trained to end their turn


def test_lost_shard_is_answered_again_and_the_others_are_reused(asked: Asked, tmp_path: Path) -> None:
    first = asked.answer(tmp_path)
    shards = sorted(tmp_path.glob("*.parquet"))
    assert len(shards) == 3
    marked = read_table(shards[1], "predictions").with_columns(answer=pl.lit("read from the shard"))
    write_table(marked, "predictions", shards[1])
    shards[0].unlink()
    again = asked.answer(tmp_path)
    reused = again.filter(pl.col("answer") == "read from the shard")
    assert sorted(reused["question_id"]) == sorted(marked["question_id"])
    rest = again.filter(~pl.col("question_id").is_in(marked["question_id"].to_list()))
    assert said(rest).equals(said(first.filter(pl.col("question_id").is_in(rest["question_id"].to_list()))))
    assert sorted(tmp_path.glob("*.parquet")) == shards


@pytest.mark.parametrize(
    "change",
    [
        {"coder": "another adapter"},
        {"decoding": replace(GREEDY, max_new_tokens=9)},
        {"decoding": replace(GREEDY, sampling=Thinking.model_validate({"seed": 1}))},
        {"prompts": "reversed"},
    ],
)
def test_shards_of_another_question_model_or_decoding_are_never_used(
    tiny_models: dict[str, Path], tmp_path: Path, change: dict[str, Any]
) -> None:
    asked = Asked(tiny_models["llama"])
    asked.answer(tmp_path)
    before = set(tmp_path.glob("*.parquet"))
    if change.get("prompts"):
        # The same ids with other prompts of the same lengths, as after a change of the system prompt.
        change = {"prompts": [[*prompt[:-1], prompt[-1] ^ 1] for prompt in asked.prompts]}
    asked.answer(tmp_path, **change)
    assert len(set(tmp_path.glob("*.parquet")) - before) == 3


def test_sampling_with_a_seed_is_the_same_on_every_run(asked: Asked, tmp_path: Path) -> None:
    hot = Thinking.model_validate({"temperature": 1.5, "top_p": 1.0, "top_k": 50, "seed": 7})
    decoding = replace(GREEDY, sampling=hot)
    first = asked.answer(tmp_path / "one", decoding)
    torch.manual_seed(12345)
    assert said(asked.answer(tmp_path / "two", decoding)).equals(said(first))
    other = asked.answer(tmp_path / "three", replace(decoding, sampling=hot.model_copy(update={"seed": 8})))
    assert not said(other).equals(said(first))
    assert not said(asked.answer(tmp_path / "greedy")).equals(said(first))


def test_configuration_of_a_model_does_not_change_greedy_decoding(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    asked = Asked(tiny_models["llama"])
    plain = asked.answer(tmp_path / "plain")
    # As published models set them; they must neither sample nor punish repeated tokens.
    config = asked.model.generation_config
    config.do_sample, config.temperature, config.top_k, config.repetition_penalty = True, 5.0, 500, 5.0
    assert said(asked.answer(tmp_path / "configured")).equals(said(plain))


def test_further_stop_tokens_of_a_model_end_the_answer(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    asked = Asked(tiny_models["llama"])
    eos = asked.tokenizer.eos_token_id
    assert stop_tokens(asked.model, asked.tokenizer) == [eos]
    repeated = asked.answer(tmp_path / "before").filter(pl.col("question_id") == "q3").row(0, named=True)
    third = asked.tokenizer(repeated["answer"], add_special_tokens=False)["input_ids"][2]
    asked.model.generation_config.eos_token_id = [third, eos]
    assert stop_tokens(asked.model, asked.tokenizer) == sorted([third, eos])
    stopped = asked.answer(tmp_path / "after").filter(pl.col("question_id") == "q3").row(0, named=True)
    assert stopped["tokens"] <= 3 < repeated["tokens"]
    asked.model.generation_config.eos_token_id = None
    assert stop_tokens(asked.model, asked.tokenizer) == [eos]


def test_think_block_stays_in_the_answer(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    asked = Asked(tiny_models["qwen3"])
    prompts = encode_prompts(asked.tokenizer, prompt_format(asked.tokenizer, thinking=True), QUESTIONS)
    start = asked.tokenizer.convert_tokens_to_ids("<think>")
    forced = [[*prompt, start] for prompt in prompts]
    answered = asked.answer(tmp_path, replace(GREEDY, max_new_tokens=60), prompts=forced)
    assert answered["answer"].str.contains("</think>", literal=True).sum() >= 3
    assert not answered["answer"].str.contains("<|im_end|>", literal=True).any()
