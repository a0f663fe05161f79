"""evaluate-checkpoint, judge-answers and measure-answers on tiny models, as the workflow calls them."""

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from onkocode.catalogues.parse import parse_catalogue
from onkocode.cli import main
from onkocode.evaluation import generation
from onkocode.models.loading import load_base
from onkocode.models.tokenizing import load_tokenizer
from onkocode.questions.formulations import load_formulations
from onkocode.records.schemas import JUDGED, METRICS, PREDICTIONS, read_table, write_table

from .conftest import CATALOGUES, LABELS, ROOT, question_rows

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

    def arguments(self, run: str, epoch: int, condition: str, names: tuple[str, ...], **settings: Any) -> list[str]:
        command = ["evaluate-checkpoint", "--model", "tiny", "--epoch", str(epoch), "--condition", condition]
        command += ["--base", str(self.folder / "base.json"), "--settings", json.dumps(TESTING | THINKING | settings)]
        command += ["--questions", *(f"{name}={self.folder / name}.parquet" for name in names)]
        command += ["--adapter", str(self.adapter)] if epoch else []
        command += ["--scratch", str(self.private / "scratch" / run)]
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
        assert frame.schema == pl.Schema(PREDICTIONS)
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
    assert main(place.arguments("base", 0, "free", BOTH, evaluation={"shard": 10})) == 0
    folder = place.predictions("base", "clinic").parent
    assert mode(folder) == 0o700
    assert [mode(parent) for parent in (folder.parent, folder.parent.parent)] == [0o700, 0o700]
    files = [path for path in place.private.rglob("*") if path.is_file()]
    assert len(files) == 4  # two tables, each with its provenance
    assert {mode(path) for path in files} == {0o600}


def test_scratch_is_private_and_goes_when_all_is_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    def write(frame: pl.DataFrame, table: str, path: Path) -> None:
        write_table(frame, table, path)
        modes.append((mode(path), mode(path.parent), mode(path.parent.parent)))

    monkeypatch.setattr(generation, "write_table", write)
    assert main(place.arguments("base", 0, "free", BOTH, evaluation={"shard": 10})) == 0
    assert len(modes) == 8  # 32 questions on each data set in shards of 10
    assert set(modes) == {(0o600, 0o700, 0o700)}
    assert not (place.private / "scratch" / "base").exists()


def test_interrupted_evaluation_goes_on_where_it_stopped(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"evaluation": {"shard": 10}}
    assert main(place.arguments("whole", 0, "free", BOTH, **small)) == 0
    calls: list[int] = []
    original = generation._answer_shard

    def count(*arguments: Any) -> pl.DataFrame:
        if len(calls) == 5:
            raise KeyboardInterrupt
        calls.append(1)
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(generation, "_answer_shard", count)
        with pytest.raises(KeyboardInterrupt):
            main(place.arguments("broken", 0, "free", BOTH, **small))
    assert place.predictions("broken", "catalogue").exists()
    assert not place.predictions("broken", "clinic").exists()
    calls.clear()

    def fewer(*arguments: Any) -> pl.DataFrame:
        calls.append(1)
        return original(*arguments)

    monkeypatch.setattr(generation, "_answer_shard", fewer)
    assert main(place.arguments("broken", 0, "free", BOTH, **small)) == 0
    assert len(calls) == 3
    for name in BOTH:
        one, other = (read_table(place.predictions(run, name), "predictions") for run in ("whole", "broken"))
        assert one.drop("seconds").equals(other.drop("seconds"))


def test_shards_of_an_older_adapter_are_not_used(
    place: Place, tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("onkocode.commands.evaluation.write_table", stop)
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


@pytest.mark.parametrize("quantisation", ["8bit", "4bit"])
def test_quantised_model_answers(place: Place, quantisation: str) -> None:
    testing = {"testing": TESTING["testing"] | {"quantisation": quantisation}}
    assert main(place.arguments("base", 0, "free", ("clinic",), **testing)) == 0
    assert read_table(place.predictions("base", "clinic"), "predictions").height == 32


def judged_and_measured(place: Place, folder: Path) -> tuple[Path, Path]:
    """Run the verbs up to the metrics; returns the judged table and the metrics."""
    for name in ("icd10gm", "icdo3"):
        _, codes = parse_catalogue(name, "example", ROOT / "example" / "catalogues" / CATALOGUES[name])
        write_table(codes, "codes", folder / f"{name}.parquet")
    judged, metrics = folder / "results" / "judged.parquet", folder / "results" / "metrics.parquet"
    command = ["judge-answers", "--predictions", str(place.predictions("trained", "clinic"))]
    command += ["--questions", str(folder / "clinic.parquet"), "--output", str(judged)]
    assert main([*command, "--icd10gm", str(folder / "icd10gm.parquet"), "--icdo3", str(folder / "icdo3.parquet")]) == 0
    assert main(["measure-answers", "--judged", str(judged), "--bootstrap", "20", "--output", str(metrics)]) == 0
    return judged, metrics


def test_no_text_and_no_answer_leaves_the_private_folder(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(place.arguments("trained", 1, "free", ("clinic",))) == 0
    judged, metrics = judged_and_measured(place, place.folder)
    captured = capfd.readouterr()
    assert read_table(judged, "judged").schema == pl.Schema(JUDGED)
    assert read_table(metrics, "metrics").schema == pl.Schema(METRICS)
    written = [captured.out, captured.err]
    for path in judged.parent.iterdir():
        content = path.read_bytes().decode("utf-8", errors="replace")
        written.append(content if path.suffix == ".json" else str(pl.read_parquet(path).to_dicts()))
    assert len(written) == 6
    answers = read_table(place.predictions("trained", "clinic"), "predictions")["answer"].to_list()
    hidden = [text for _, text, _ in LABELS] + [answer for answer in answers if len(answer) > 8]
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
    (place.adapter / "adapter_model.safetensors").unlink()
    assert main(place.arguments("x", 1, "free", ("clinic",))) == 2
    assert "adapter_model.safetensors is missing" in capsys.readouterr().err
