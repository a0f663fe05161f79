"""evaluate-checkpoint and score-answers on tiny models, as the workflow calls them."""

import json
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from onkocode.cli import main
from onkocode.coders import answers, generation
from onkocode.coders.language_model import Checkpoint
from onkocode.config import training
from onkocode.models.loading import load_base
from onkocode.models.tokenizing import load_tokenizer
from onkocode.questions.formulations import load_formulations
from onkocode.records import endings
from onkocode.records.endings import read_endings
from onkocode.records.schemas import columns_of, read_table, schema_mark, write_table

from .conftest import LABELS, question_rows, schema_of
from .scoring import score

TESTING = {"testing": {"precision": "fp32", "batch_size": 8, "max_new_tokens": 12}}
THINKING = {"thinking": {"share": 0.5, "max_new_tokens": 30, "batch_size": 8, "tasks": ["icd10"]}}


@dataclass(frozen=True)
class Place:
    """A folder with question tables, a base record and an adapter."""

    folder: Path
    adapter: Path

    @property
    def private(self) -> Path:
        return self.folder / "private"

    def predictions(self, run: str, name: str) -> Path:
        return self.private / "predictions" / run / f"{name}.parquet"

    def answers(self, run: str) -> Path:
        return self.private / "answers" / run

    def arguments(self, run: str, epoch: int, condition: str, names: tuple[str, ...], **settings: Any) -> list[str]:
        command = ["evaluate-checkpoint", "--model", "tiny", "--epoch", str(epoch), "--condition", condition]
        command += ["--base", str(self.folder / "base.json"), "--settings", json.dumps(TESTING | THINKING | settings)]
        command += ["--questions", *(f"{name}={self.folder / name}.parquet" for name in names)]
        command += ["--adapter", str(self.adapter)] if epoch else []
        command += ["--scratch", str(self.private / "scratch" / run), "--answers", str(self.answers(run))]
        return [*command, "--output", *(f"{name}={self.predictions(run, name)}" for name in names)]


BOTH = ("catalogue", "clinic")


def random_adapter(base: Path, target: Path) -> None:
    """Write a LoRA adapter that changes every answer."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(load_base(base, "none", "fp32"), LoraConfig(r=4, target_modules="all-linear"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(target)


@pytest.fixture
def place(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    text_table: pl.DataFrame,
    tmp_path: Path,
    usual_umask: None,
) -> Place:
    write_table(small_questions, "questions", tmp_path / "catalogue.parquet")
    write_table(text_table, "questions", tmp_path / "clinic.parquet")
    (tmp_path / "base.json").write_text(json.dumps({"path": str(tiny_models["qwen3"])}), encoding="utf-8")
    random_adapter(tiny_models["qwen3"], tmp_path / "adapter")
    return Place(tmp_path, tmp_path / "adapter")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_base_and_adapter_answer_every_data_set(place: Place) -> None:
    assert main(place.arguments("base", 0, "free", BOTH)) == 0
    assert main(place.arguments("trained", 1, "free", BOTH)) == 0
    frames = {
        (run, name): read_table(place.predictions(run, name), "predictions")
        for run in ("base", "trained")
        for name in BOTH
    }
    for (run, name), frame in frames.items():
        assert frame.schema == pl.Schema(columns_of("predictions"))
        assert frame["question_id"].to_list() == sorted(row["question_id"] for row in question_rows(name))  # type: ignore[type-var]
        assert frame.select("model", "epoch", "condition", "dataset").unique().rows() == [
            ("tiny", int(run == "trained"), "free", name)
        ]
    assert frames["base", "clinic"]["answer"].to_list() != frames["trained", "clinic"]["answer"].to_list()
    # the same questions under both names: the same answers
    for run in ("base", "trained"):
        assert frames[run, "catalogue"]["answer"].to_list() == frames[run, "clinic"]["answer"].to_list()


def test_thinking_asks_a_share_of_the_texts_and_leaves_room_to_think(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = recorded_prompts(monkeypatch)
    assert main(place.arguments("thinking", 0, "thinking", ("clinic",))) == 0
    answered = read_table(place.predictions("thinking", "clinic"), "predictions")
    assert answered.height == 12  # half of 8 texts under 3 formulations
    assert set(answered["condition"]) == {"thinking"}
    assert len(prompts) == 12
    assert not any("<think>" in prompt for prompt in prompts)
    assert all(prompt.endswith("<|im_start|>assistant\n") for prompt in prompts)


def test_a_thought_that_the_prompt_opens_shows_in_the_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its mark, a thought that is cut would be read as an answer."""
    record = place.folder / "base.json"
    base = place.folder / "opens"
    shutil.copytree(json.loads(record.read_text(encoding="utf-8"))["path"], base)
    record.write_text(json.dumps({"path": str(base)}), encoding="utf-8")
    template = base / "chat_template.jinja"
    text = template.read_text(encoding="utf-8")
    opening = text.replace("enable_thinking is false %}", "enable_thinking %}{{ '<think>\\n' }}{% else %}")
    assert opening != text
    template.write_text(opening, encoding="utf-8")
    prompts = recorded_prompts(monkeypatch)
    assert main(place.arguments("thinking", 0, "thinking", ("clinic",))) == 0
    assert all(prompt.endswith("<|im_start|>assistant\n<think>\n") for prompt in prompts)
    answers = read_table(place.predictions("thinking", "clinic"), "predictions")["answer"]
    assert all(answer.startswith("<think>\n") for answer in answers)
    assert main(place.arguments("free", 0, "free", ("clinic",))) == 0
    free = read_table(place.predictions("free", "clinic"), "predictions")["answer"]
    assert not all(answer.startswith("<think>\n") for answer in free)


def recorded_prompts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that fills with the prompts that are sent to the model."""
    sent: list[str] = []
    original = generation._answer_shard

    def record(model: Any, tokenizer: Any, prompts: list[list[int]], *further: Any) -> pl.DataFrame:
        sent.extend(tokenizer.decode(prompt) for prompt in prompts)
        return original(model, tokenizer, prompts, *further)

    monkeypatch.setattr(generation, "_answer_shard", record)
    return sent


def test_only_the_base_is_asked_for_a_short_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = [block.short for block in load_formulations("v1").values()]
    prompts = recorded_prompts(monkeypatch)
    assert main(place.arguments("base", 0, "free", ("clinic",))) == 0
    assert len(prompts) == 32
    assert all(any(f"\n{sentence}<|im_end|>" in prompt for sentence in sentences) for prompt in prompts)
    assert all(prompt.endswith("<think>\n\n</think>\n\n") for prompt in prompts)
    prompts.clear()
    assert main(place.arguments("trained", 1, "free", ("clinic",))) == 0
    assert len(prompts) == 32
    assert not any(sentence in prompt for sentence in sentences for prompt in prompts)
    prompts.clear()
    testing = {"testing": TESTING["testing"] | {"short_answer": False}}
    assert main(place.arguments("plain", 0, "free", ("clinic",), **testing)) == 0
    assert len(prompts) == 32
    assert not any(sentence in prompt for sentence in sentences for prompt in prompts)


def test_evaluation_sends_the_prompts_that_training_learned_from(
    place: Place, tiny_models: dict[str, Path], small_questions: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onkocode.models.prompts import encode_examples, prompt_format

    sent: list[list[int]] = []
    original = generation._answer_shard

    def record(model: Any, tokenizer: Any, prompts: list[list[int]], *further: Any) -> pl.DataFrame:
        sent.extend(prompts)
        return original(model, tokenizer, prompts, *further)

    monkeypatch.setattr(generation, "_answer_shard", record)
    assert main(place.arguments("trained", 1, "free", ("catalogue",), system_prompt="Kurz.")) == 0
    tokenizer = load_tokenizer(tiny_models["qwen3"])
    form = prompt_format(tokenizer, "Kurz.")
    texts, answers = small_questions["question"].to_list(), small_questions["answer"].to_list()
    trained = encode_examples(tokenizer, form, texts, answers, "answer", 512)
    learned = {
        tuple(ids for ids, label in zip(row["input_ids"], row["labels"], strict=True) if label == -100)
        for row in trained
    }
    assert {tuple(prompt) for prompt in sent} == learned


def test_predictions_are_for_their_owner_only(place: Place) -> None:
    assert main(place.arguments("base", 0, "free", BOTH, evaluation={"shard": 16})) == 0
    folder = place.predictions("base", "clinic").parent
    assert mode(folder) == 0o700
    assert [mode(parent) for parent in (folder.parent, folder.parent.parent)] == [0o700, 0o700]
    files = [path for path in place.private.rglob("*") if path.is_file()]
    assert len(files) == 5  # two tables, each with its provenance, and the answers
    assert {mode(path) for path in files} == {0o600}


def test_scratch_is_private_and_goes_when_all_is_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    def write(frame: pl.DataFrame, table: str, path: Path) -> None:
        write_table(frame, table, path)
        modes.append((mode(path), mode(path.parent), mode(path.parent.parent)))

    monkeypatch.setattr(answers, "write_table", write)
    assert main(place.arguments("base", 0, "free", BOTH, evaluation={"shard": 1})) == 0
    assert len(modes) == 5  # the same 32 prompts on both data sets in batches of 8, and the file that stays
    assert set(modes) == {(0o600, 0o700, 0o700)}
    assert not (place.private / "scratch" / "base").exists()


def counted(monkeypatch: pytest.MonkeyPatch, limit: int | None = None) -> list[int]:
    """Return a list that gets the number of prompts of every batch that is asked; after so many it is interrupted."""
    calls: list[int] = []
    original = generation._answer_shard

    def count(model: Any, tokenizer: Any, prompts: list[list[int]], *further: Any) -> pl.DataFrame:
        if limit is not None and len(calls) == limit:
            raise KeyboardInterrupt
        calls.append(len(prompts))
        return original(model, tokenizer, prompts, *further)

    monkeypatch.setattr(generation, "_answer_shard", count)
    return calls


@pytest.mark.parametrize(("run", "epoch", "condition"), [("free", 0, "free"), ("thinking", 0, "thinking")])
def test_interrupted_evaluation_goes_on_where_it_stopped(
    place: Place, monkeypatch: pytest.MonkeyPatch, run: str, epoch: int, condition: str
) -> None:
    small = {"evaluation": {"shard": 6}, "testing": TESTING["testing"] | {"batch_size": 5}}
    small |= {"thinking": THINKING["thinking"] | {"batch_size": 5}}
    names = ("clinic",) if condition == "thinking" else BOTH
    assert main(place.arguments(f"{run}-whole", epoch, condition, names, **small)) == 0
    with monkeypatch.context() as patch:
        counted(patch, limit=2)
        with pytest.raises(KeyboardInterrupt):
            main(place.arguments(f"{run}-broken", epoch, condition, names, **small))
    assert not place.predictions(f"{run}-broken", names[0]).exists()
    calls = counted(monkeypatch)
    assert main(place.arguments(f"{run}-broken", epoch, condition, names, **small)) == 0
    assert sum(calls) == {"free": 32 - 2 * 10, "thinking": 12 - 2 * 5}[condition]  # thoughts are saved by the batch
    for name in names:
        one, other = (read_table(place.predictions(f"{run}-{end}", name), "predictions") for end in ("whole", "broken"))
        assert one.drop("seconds").equals(other.drop("seconds"))


def with_rows(place: Place, name: str, rows: list[dict[str, object]]) -> None:
    write_table(pl.DataFrame(rows, schema=schema_of("questions")), "questions", place.folder / f"{name}.parquet")


def test_only_what_has_no_answer_is_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row | {"question": f"{row['question']} (Klinik)"} for row in question_rows("clinic", "test")]
    only_icd10 = {"evaluation": {"tasks": ["icd10"]}}
    calls = counted(monkeypatch)

    def asked(names: tuple[str, ...], **settings: Any) -> int:
        for run in ("base", "trained"):  # base models and adapters alike
            calls.clear()
            assert main(place.arguments(run, int(run == "trained"), "free", names, **settings)) == 0
        return sum(calls)

    assert asked(("catalogue",), **only_icd10) == 24
    assert asked(("catalogue",)) == 8  # a further task
    with_rows(place, "clinic", rows)
    assert asked(BOTH) == 32  # a further data set
    assert asked(BOTH, evaluation={"shard": 3}, testing=TESTING["testing"] | {"batch_size": 2}) == 0
    further = rows[0] | {"question_id": "clinic:new/icd10/icd10-01", "question": "Code zu: Brustkrebs rechts"}
    with_rows(place, "clinic", [*rows, further])
    assert asked(BOTH) == 1  # a further row of a test set
    assert "1 of 65 prompts asked, the others had an answer" in capsys.readouterr().out
    mended = [row | {"question": str(row["question"]).replace("Welcher", "Was für ein")} for row in rows]
    with_rows(place, "clinic", mended)
    assert asked(BOTH) == 8  # a mended formulation
    assert read_table(place.predictions("base", "clinic"), "predictions").height == 32
    assert asked(BOTH, system_prompt="Kurz.") == 64
    assert asked(BOTH, testing=TESTING["testing"] | {"max_new_tokens": 11}) == 64
    assert asked(BOTH) == 0  # back to what was asked before


@pytest.mark.parametrize("changed", ["weights", "quantisation", "precision", "generation_config.json"])
def test_another_model_is_asked_anew(
    place: Place, tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    base = tmp_path / "copy"
    shutil.copytree(tiny_models["qwen3"], base)
    (place.folder / "base.json").write_text(json.dumps({"path": str(base)}), encoding="utf-8")
    calls = counted(monkeypatch)
    assert main(place.arguments("run", 0, "free", ("clinic",))) == 0
    settings: dict[str, Any] = {}
    if changed == "weights":
        shutil.copyfile(tiny_models["qwen3"] / "model.safetensors", base / "model.safetensors")  # written anew
    elif changed == "quantisation":
        settings = {"testing": TESTING["testing"] | {"quantisation": "8bit"}}
    elif changed == "precision":
        settings = {"testing": TESTING["testing"] | {"precision": "bf16"}}
    else:
        stops = json.loads((base / changed).read_text(encoding="utf-8"))
        (base / changed).write_text(json.dumps(stops | {"eos_token_id": [1, 2]}), encoding="utf-8")
    calls.clear()
    assert main(place.arguments("run", 0, "free", ("clinic",), **settings)) == 0
    assert sum(calls) == 32


def test_a_model_that_was_moved_is_the_same(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(tiny_models["qwen3"], tmp_path / "moved")  # with their times
    found = {
        Checkpoint({"path": str(path)}, None).identity(training.Testing())
        for path in (tiny_models["qwen3"], tmp_path / "moved")
    }
    assert len(found) == 1


def test_commit_of_the_hub_says_which_weights_they_are(place: Place, tiny_models: dict[str, Path]) -> None:
    record = {"path": str(tiny_models["qwen3"]), "hub": "some/model", "revision": "a" * 40}
    found = {
        Checkpoint(record | change, None).identity(training.Testing())
        for change in ({}, {"revision": "b" * 40}, {"hub": None, "revision": None})
    }
    assert len(found) == 3
    assert Checkpoint(record, None).identity(training.Testing()) in found
    assert Checkpoint(record, place.adapter).identity(training.Testing()) not in found


def test_answers_of_an_older_adapter_are_not_used(
    place: Place, tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("onkocode.records.schemas.write_table", stop)
        with pytest.raises(KeyboardInterrupt):
            main(place.arguments("run", 1, "free", ("clinic",)))
    assert list((place.private / "scratch" / "run").rglob("*.parquet"))
    # trained again meanwhile: the adapter that answers nothing new is the base itself
    weights = place.adapter / "adapter_model.safetensors"
    from safetensors.torch import load_file, save_file

    save_file({name: torch.zeros_like(value) for name, value in load_file(weights).items()}, weights)
    assert main(place.arguments("run", 1, "free", ("clinic",))) == 0
    base = {"testing": TESTING["testing"] | {"short_answer": False}}
    assert main(place.arguments("base", 0, "free", ("clinic",), **base)) == 0
    found, expected = (read_table(place.predictions(run, "clinic"), "predictions") for run in ("run", "base"))
    assert found["answer"].to_list() == expected["answer"].to_list()


def stop(*_: Any) -> None:
    raise KeyboardInterrupt


def test_why_it_ended_stands_in_scratch_until_it_is_done(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = place.private / "scratch" / "run"
    errors = [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), KeyboardInterrupt()]
    for error in errors:
        with monkeypatch.context() as patch:
            patch.setattr("onkocode.coders.language_model.load_base", raising(error))
            with pytest.raises(type(error)):
                main(place.arguments("run", 1, "free", ("clinic",)))
    assert [ending.cause for ending in read_endings(scratch)] == ["memory", "gpu-memory", "stopped"]
    assert main(place.arguments("run", 1, "free", ("clinic",))) == 0
    assert not scratch.exists()


def test_nothing_writes_to_scratch_while_it_is_removed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = place.private / "scratch" / "run"
    removed = []

    def remove(folder: Path, *_: Any, **__: Any) -> None:
        removed.append(folder)
        if folder == scratch:
            before = sorted(path.name for path in scratch.iterdir())
            assert endings.ENDINGS_FILE not in before
            time.sleep(0.3)
            assert sorted(path.name for path in scratch.iterdir()) == before
        real(folder)

    real = shutil.rmtree
    monkeypatch.setattr(endings, "LOOK", 0.001)
    monkeypatch.setattr(endings, "BEAT", 0.0)  # the record of the job is written all the time
    monkeypatch.setattr("onkocode.steps.common.shutil.rmtree", remove)
    assert main(place.arguments("run", 1, "free", ("clinic",))) == 0
    assert scratch in removed
    assert not scratch.exists()


def raising(error: BaseException) -> Callable[..., None]:
    def function(*_: Any, **__: Any) -> None:
        raise error

    return function


@pytest.mark.parametrize("quantisation", ["8bit", "4bit"])
def test_quantised_model_answers(place: Place, quantisation: str) -> None:
    testing = {"testing": TESTING["testing"] | {"quantisation": quantisation}}
    assert main(place.arguments("base", 0, "free", ("clinic",), **testing)) == 0
    assert read_table(place.predictions("base", "clinic"), "predictions").height == 32


def judged_and_measured(place: Place, folder: Path) -> tuple[Path, Path]:
    """Run the verbs up to the metrics; returns the judged table and the metrics."""
    predictions, questions = place.predictions("trained", "clinic"), folder / "clinic.parquet"
    (judged,), metrics = score(folder, {"clinic": predictions}, {"clinic": questions})
    return judged, metrics


def test_no_text_and_no_answer_leaves_the_private_folder(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(place.arguments("trained", 1, "free", ("clinic",))) == 0
    judged, metrics = judged_and_measured(place, place.folder)
    captured = capfd.readouterr()
    assert read_table(judged, "judged").schema == pl.Schema(columns_of("judged"))
    assert read_table(metrics, "metrics").schema == pl.Schema(columns_of("metrics"))
    written = [captured.out, captured.err]
    for path in judged.parent.iterdir():
        content = path.read_bytes().decode("utf-8", errors="replace")
        written.append(content if path.suffix == ".json" else str(pl.read_parquet(path).to_dicts()))
    assert len(written) == 6
    said = read_table(place.predictions("trained", "clinic"), "predictions")["answer"].to_list()
    hidden = [text for _, text, _ in LABELS] + [answer for answer in said if len(answer) > 8]
    assert len(hidden) > 20
    for text in hidden:
        assert not any(text in place_of for place_of in written)


def test_wrong_use_is_an_error(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    adapter = place.arguments("x", 1, "free", ("clinic",))
    adapter[adapter.index("--epoch") + 1] = "0"
    assert main(adapter) == 2
    assert "--adapter is needed from epoch 1 on" in capsys.readouterr().err
    names = place.arguments("x", 0, "free", ("clinic",))
    assert main([*names[:-1], "other=" + names[-1].partition("=")[2]]) == 2
    assert "same names" in capsys.readouterr().err
    only_train = {"evaluation": {"splits": ["heldout_formulation"]}}
    assert main(place.arguments("x", 0, "free", ("catalogue",), **only_train)) == 2
    assert "no question belongs" in capsys.readouterr().err
    questions = read_table(place.folder / "catalogue.parquet", "questions")
    twice = pl.concat([questions, questions.head(1)])
    twice.write_parquet(place.folder / "catalogue.parquet", metadata={"schema": schema_mark("questions")})
    assert main(place.arguments("x", 0, "free", BOTH)) == 2
    said = capsys.readouterr().err
    assert f"{place.folder / 'catalogue.parquet'}: 1 question(s) stand(s) more than once, e.g. catalogue:E01" in said
    (place.adapter / "adapter_model.safetensors").unlink()
    assert main(place.arguments("x", 1, "free", ("clinic",))) == 2
    assert "adapter_model.safetensors is missing" in capsys.readouterr().err
