"""Answering questions: batches, shards that are resumed from, and counted tokens."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tqdm import tqdm

from onkocode.coders import generation
from onkocode.coders.answers import AnswerStore, Decoding, answer_keys
from onkocode.coders.course import Course
from onkocode.coders.generation import answer_missing, stop_tokens
from onkocode.config.schema import Thinking
from onkocode.models.loading import load_base
from onkocode.models.prompts import encode_prompts, prompt_format
from onkocode.models.tokenizing import load_tokenizer
from onkocode.records.schemas import empty_table, read_table, write_table

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

    def answer(self, folder: Path, decoding: Decoding = GREEDY, shard: int = 3, **options: Any) -> pl.DataFrame:
        """Answer the prompts; what is saved on the way stays in the folder."""
        prompts = options.pop("prompts", self.prompts)
        model = options.pop("model", self.model)
        coder = options.pop("coder", "coder")
        ids = [f"q{number}" for number in range(len(prompts))]
        keys = answer_keys(coder, decoding, prompts, ids)
        store = AnswerStore(folder / "kept", folder, coder)
        asked = dict(zip(keys, prompts, strict=True))
        self.asked = answer_missing(lambda: model, self.tokenizer, asked, decoding, store, shard, Course(folder))
        return pl.concat([pl.DataFrame({"question_id": ids}), store.answers(keys)], how="horizontal")


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
    assert moved == []  # nothing is left to ask


def test_predictions_have_their_columns_and_one_row_per_question(asked: Asked, tmp_path: Path) -> None:
    answered = asked.answer(tmp_path)
    assert answered.drop("question_id").schema == empty_table("answers").drop("key").schema
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


def shards(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def test_lost_shard_is_answered_again_and_the_others_are_reused(asked: Asked, tmp_path: Path) -> None:
    by_three = replace(GREEDY, batch_size=3)
    first = asked.answer(tmp_path, by_three)
    assert asked.asked == len(QUESTIONS)
    saved = shards(tmp_path)
    assert len(saved) == 3
    marked = read_table(saved[1], "answers").with_columns(answer=pl.lit("read from the shard"))
    write_table(marked, "answers", saved[1])
    saved[0].unlink()
    again = asked.answer(tmp_path, by_three)
    assert asked.asked == 3
    reused = again.filter(pl.col("answer") == "read from the shard")
    assert reused.height == 3
    rest = again.filter(~pl.col("question_id").is_in(reused["question_id"].to_list()))
    assert said(rest).equals(said(first.filter(pl.col("question_id").is_in(rest["question_id"].to_list()))))
    assert shards(tmp_path) == saved


@pytest.mark.parametrize(
    "change",
    [
        {"coder": "another adapter"},
        {"decoding": replace(GREEDY, max_new_tokens=9)},
        {"decoding": replace(GREEDY, sampling=Thinking.model_validate({"seed": 1}))},
        {"prompts": "other"},
    ],
)
def test_answers_to_another_prompt_model_or_decoding_are_never_used(
    tiny_models: dict[str, Path], tmp_path: Path, change: dict[str, Any]
) -> None:
    asked = Asked(tiny_models["llama"])
    asked.answer(tmp_path)
    if change.get("prompts"):
        # The same ids with other prompts of the same lengths, as after a change of the system prompt.
        change = {"prompts": [[*prompt[:-1], prompt[-1] ^ 1] for prompt in asked.prompts]}
    asked.answer(tmp_path, **change)
    assert asked.asked == len(QUESTIONS)


@pytest.mark.parametrize("sampling", [None, Thinking.model_validate({"seed": 1, "temperature": 1.5})])
def test_only_what_is_new_is_asked_and_the_rest_stays_as_it_was(
    asked: Asked, tmp_path: Path, sampling: Thinking | None
) -> None:
    decoding = replace(GREEDY, sampling=sampling)
    first = asked.answer(tmp_path, decoding, prompts=asked.prompts[:-2])
    assert asked.asked == len(QUESTIONS) - 2
    second = asked.answer(tmp_path, decoding)
    assert asked.asked == 2
    assert second.head(first.height).equals(first)  # seconds and batches too
    # How many are asked at once, or between two saves, and which share is asked, let nothing be asked again.
    further = sampling and sampling.model_copy(update={"share": 1.0, "batch_size": 2, "tasks": ["tumour"]})
    assert asked.answer(tmp_path, replace(decoding, batch_size=2, sampling=further), shard=1).equals(second)
    assert asked.asked == 0


def test_draws_hang_on_the_prompts_and_no_two_questions_share_one(asked: Asked, tmp_path: Path) -> None:
    """Not on the coder's identity, which says when its weights were written: a study made again gives the same."""
    decoding = replace(GREEDY, batch_size=2, sampling=Thinking.model_validate({"seed": 1, "temperature": 1.5}))
    prompts = [asked.prompts[0]] * 4 + asked.prompts  # batches that hold the same prompts
    made = [asked.answer(tmp_path / name, decoding, shard=4, prompts=prompts, coder=name) for name in ("a", "b")]
    assert said(made[0]).equals(said(made[1]))
    assert made[0].head(4)["answer"].n_unique() == 4


@pytest.mark.parametrize("shard", [1, 3, 4, 100])
def test_saves_fall_between_batches(asked: Asked, tmp_path: Path, shard: int) -> None:
    """What stands in a batch changes answers of 8-bit models, and where saves fall must not."""
    answered = asked.answer(tmp_path, replace(GREEDY, batch_size=2), shard=shard)
    assert sorted(answered["batch"]) == [1] + [2] * 8
    assert len(shards(tmp_path)) == {1: 5, 3: 3, 4: 3, 100: 1}[shard]


def test_model_is_not_loaded_where_nothing_is_to_be_asked(asked: Asked, tmp_path: Path) -> None:
    asked.answer(tmp_path)

    def load() -> Any:
        raise AssertionError("loaded")

    keys = answer_keys("coder", GREEDY, asked.prompts, [""] * len(QUESTIONS))
    prompts = dict(zip(keys, asked.prompts, strict=True))
    store = AnswerStore(tmp_path / "kept", tmp_path, "coder")
    assert answer_missing(load, asked.tokenizer, prompts, GREEDY, store, 3, Course(tmp_path)) == 0
    with pytest.raises(AssertionError, match="loaded"):
        answer_missing(load, asked.tokenizer, prompts | {"new": [1]}, GREEDY, store, 3, Course(tmp_path))


def test_equal_prompts_share_an_answer_unless_it_is_sampled(asked: Asked, tmp_path: Path) -> None:
    twice = [*asked.prompts, asked.prompts[0]]
    together = asked.answer(tmp_path / "greedy", prompts=twice)
    assert asked.asked == len(QUESTIONS)
    assert together["answer"][0] == together["answer"][-1]
    hot = Thinking.model_validate({"temperature": 1.5, "top_p": 1.0, "top_k": 50})
    asked.answer(tmp_path / "sampled", replace(GREEDY, sampling=hot), prompts=twice)
    assert asked.asked == len(twice)


def test_closed_store_keeps_every_answer_in_one_file_and_removes_the_saves(asked: Asked, tmp_path: Path) -> None:
    scratch, kept = tmp_path / "scratch", tmp_path / "kept"
    keys = answer_keys("coder", GREEDY, asked.prompts, [""] * len(QUESTIONS))
    prompts = dict(zip(keys, asked.prompts, strict=True))
    store = AnswerStore(kept, scratch, "coder")
    with pytest.raises(ValueError, match="9 answers are missing"):
        store.answers(keys)
    answer_missing(lambda: asked.model, asked.tokenizer, prompts, GREEDY, store, 4, Course(tmp_path))
    left = store.answers(keys)
    (scratch / "coder" / ".half.123.tmp.parquet").write_bytes(b"a save that was cut off")
    assert AnswerStore(kept, scratch, "coder").answers(keys).equals(left)  # killed before it was closed
    store.close()
    assert not list(scratch.iterdir())
    assert [path.name for path in kept.iterdir()] == ["coder.parquet"]
    assert AnswerStore(kept, scratch, "coder").answers(keys).equals(left)
    assert AnswerStore(kept, scratch, "another").keys == set()


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
