"""Adapters that are handed on: copied with their card, or merged into the original weights of their base."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from onkocode.cli import main
from onkocode.config.loading import merge as merge_config
from onkocode.export import merge
from onkocode.export.merge import compare_logits, merge_adapter, stored_precision
from onkocode.models.loading import load_adapter, load_base
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file
from onkocode.records.schemas import columns_of, read_table, write_table
from onkocode.study import Study, slices

from .test_model_card import Handed, trained_by_the_verb

IDS = torch.tensor([[3, 40, 50, 60, 70, 80, 90, 100]])


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return torch.as_tensor(model.eval()(IDS).logits).float()


def unmerged(base: Path, adapter: Path, quantisation: str = "none") -> torch.Tensor:
    return logits(load_adapter(load_base(base, quantisation, "fp32"), adapter))


def plain(folder: Path) -> torch.Tensor:
    """Logits of a directory that is loaded as anybody would."""
    return logits(AutoModelForCausalLM.from_pretrained(folder, dtype="auto"))


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(torch.allclose(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max())))


def random_adapter(base: Path, target: Path, **config: Any) -> Path:
    """Write an adapter all of whose matrices say something."""
    torch.manual_seed(0)
    model = get_peft_model(load_base(base, "none", "fp32"), LoraConfig(r=4, task_type="CAUSAL_LM", **config))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
        elif "modules_to_save" in name or "trainable_tokens_delta" in name:
            parameter.data += 0.2 * torch.randn_like(parameter)
    model.save_pretrained(target)
    return target


@pytest.fixture(scope="module")
def handed(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Handed:
    return trained_by_the_verb(tiny_models["llama"], small_questions, tmp_path_factory.mktemp("merge") / "plain")


def arguments(handed: Handed, output: Path, *further: str, **changes: str) -> list[str]:
    values = {"model": "tiny", "epoch": "1", "base": str(handed.folder / "base.json"), "adapter": str(handed.adapter)}
    values |= changes | {"output": str(output)}
    return ["export", *(part for name, value in values.items() for part in (f"--{name}", value)), *further]


def test_export_copies_the_adapter_with_card_and_record(handed: Handed, tmp_path: Path) -> None:
    (handed.adapter / "adapter_model.bin").write_bytes(b"pickled")
    output = tmp_path / "out"
    assert main(arguments(handed, output)) == 0
    (handed.adapter / "adapter_model.bin").unlink()
    names = ["README.md", "adapter_config.json", "adapter_model.safetensors", "provenance.json"]
    assert sorted(path.name for path in output.iterdir()) == names
    weights = [folder / "adapter_model.safetensors" for folder in (output, handed.adapter)]
    assert hash_file(weights[0]) == hash_file(weights[1])
    card = (output / "README.md").read_text(encoding="utf-8")
    assert card == (handed.adapter / "README.md").read_text(encoding="utf-8")
    for path in output.glob("*.*"):
        if path.suffix != ".safetensors":  # what is published tells no local path
            assert str(handed.folder) not in path.read_text(encoding="utf-8"), path.name
            assert str(handed.base) not in path.read_text(encoding="utf-8"), path.name
    record = json.loads((output / "provenance.json").read_text(encoding="utf-8"))
    assert record["verb"] == "export"
    assert record["adapter"]["data"]["sha256"] == "f" * 64
    loaded = PeftModel.from_pretrained(load_base(handed.base, "none", "fp32"), output)
    assert torch.equal(logits(loaded), unmerged(handed.base, handed.adapter))
    # what was exported can be exported again, and replaces an earlier export only
    assert main(arguments(handed, tmp_path / "again", adapter=str(output))) == 0
    assert (tmp_path / "again" / "README.md").read_text(encoding="utf-8") == card
    assert main(arguments(handed, tmp_path / "again", adapter=str(output))) == 0


def test_base_of_the_hub_is_named_by_id_and_commit(handed: Handed, tmp_path: Path) -> None:
    shutil.copytree(handed.adapter, tmp_path / "adapter")
    record = json.loads((handed.folder / "base.json").read_text(encoding="utf-8"))
    hub = {"hub": "Qwen/Qwen3-8B", "revision": "c" * 40}
    (tmp_path / "base.json").write_text(json.dumps(record | hub), encoding="utf-8")
    assert main(arguments(handed, tmp_path / "out", base=str(tmp_path / "base.json"))) == 0
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["base_model_name_or_path"], config["revision"]) == ("Qwen/Qwen3-8B", "c" * 40)
    assert ModelCard.load(tmp_path / "out" / "README.md").data.base_model == "Qwen/Qwen3-8B"


def test_rates_of_the_checkpoint_stand_in_the_card(
    handed: Handed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row: dict[str, Any] = {"model": "tiny", "epoch": 1, "condition": "free", "dataset": "clinic", "task": "icd10"}
    row |= {"stratum": "all", "metric": "accuracy", "denominator": "all", "k": 6.0, "n": 24, "clusters": 8}
    rows = [
        row | {"value": 0.25, "low": 0.1, "high": 0.45, "method": "clopper-pearson"},
        row | {"value": 0.25, "low": 0.125, "high": 0.5, "method": "cluster-bootstrap"},
        row | {"epoch": 2, "value": 0.75, "low": 0.5, "high": 0.9, "method": "clopper-pearson"},
    ]
    write_table(pl.DataFrame(rows, schema=columns_of("metrics")), "metrics", tmp_path / "metrics.parquet")
    metrics = ("--metrics", str(tmp_path / "metrics.parquet"))
    assert main(arguments(handed, tmp_path / "out", *metrics)) == 0
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| test set clinic | icd10 | 24 | 25.0 (12.5–50.0) | – | – | – |" in card
    assert "75.0" not in card
    none = pl.DataFrame(rows[2:], schema=columns_of("metrics"))
    write_table(none, "metrics", tmp_path / "metrics.parquet")
    assert main(arguments(handed, tmp_path / "none", *metrics)) == 2
    assert "the metrics hold nothing on model tiny, epoch 1" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_merged_model_answers_like_base_and_adapter(
    handed: Handed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "merged"
    assert main(arguments(handed, output, "--merge")) == 0
    expected = unmerged(handed.base, handed.adapter)
    assert close(plain(output), expected)
    assert not close(plain(handed.base), expected)  # the adapter does something
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert hash_file(output / name) == hash_file(handed.base / name)
    assert AutoTokenizer.from_pretrained(output).chat_template
    assert not list(output.glob("adapter*"))
    config = json.loads((output / "config.json").read_text(encoding="utf-8"))
    assert config["tie_word_embeddings"] is True
    facts = json.loads((output / "provenance.json").read_text(encoding="utf-8"))["merged"]
    assert (facts["precision"], facts["untied"], facts["quantised"]) == ("fp32", False, None)
    assert facts["difference"]["relative"] < 1e-5
    assert facts["difference"]["same_token"] == facts["difference"]["positions"]
    data = ModelCard.load(output / "README.md").data
    assert (data.library_name, data.license) == ("transformers", "other")
    said = capsys.readouterr().out
    recipe = yaml.safe_load(said[said.index("models:") :])
    assert recipe["recipes"]["tiny-epoch-1-merged"]["base"] == {"path": str(output)}
    assert recipe["recipes"]["tiny-epoch-1-merged"]["training"]["epochs"] == 0


def test_merged_model_is_scored_like_its_adapter(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    usual_umask: None,
    in_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Epoch 0 of the recipe that the export prints answers as the adapter's epoch does, question by question."""
    made = trained_by_the_verb(tiny_models["llama"], small_questions, tmp_path / "made", system_prompt="Kurz.")
    merged = tmp_path / "merged"
    capsys.readouterr()
    assert main(arguments(made, merged, "--merge")) == 0
    said = capsys.readouterr().out
    study = study_with(yaml.safe_load(said[said.index("models:") :]))
    (key,) = study.models
    assert study.epochs(key, 0) == [0]
    recorded = tmp_path / "merged.json"
    assert main(["prepare-model", "--settings", slices.base(study, key), "--output", str(recorded)]) == 0
    write_table(small_questions, "questions", tmp_path / "catalogue.parquet")
    asking = json.loads(slices.testing(study, key))
    assert asking["system_prompt"] == "Kurz."
    ours = {**asking, "testing": {**asking["testing"], "short_answer": True}}  # of the adapter's recipe
    answers: list[list[str]] = []
    for epoch, settings, further in (
        (1, ours, ["--base", str(made.folder / "base.json"), "--adapter", str(made.adapter)]),
        (0, asking, ["--base", str(recorded)]),
        (0, ours, ["--base", str(recorded)]),
    ):
        table = tmp_path / "private" / f"{len(answers)}.parquet"
        command = ["evaluate-checkpoint", "--model", key, "--epoch", str(epoch), "--condition", "free", *further]
        command += ["--questions", f"catalogue={tmp_path / 'catalogue.parquet'}", "--settings", json.dumps(settings)]
        command += ["--scratch", str(tmp_path / "private" / "s"), "--answers", str(table.with_suffix(""))]
        assert main([*command, "--output", f"catalogue={table}"]) == 0
        answers.append(read_table(table, "predictions")["answer"].to_list())
    assert answers[1] == answers[0]
    assert answers[2] != answers[0]  # with the sentence that base models get


def study_with(recipe: dict[str, Any]) -> Study:
    """Return the quickstart's study with the recipe that an export prints."""
    found: dict[str, Any] = {}
    for file in ("config/config.yaml", "config/quickstart.yaml"):
        merge_config(found, yaml.safe_load(Path(file).read_text(encoding="utf-8")))
    found["data"]["key"] = found["data"]["example"]
    merge_config(found, recipe)
    (key,) = recipe["models"]
    found["recipes"][key]["preset"] = "tiny"
    return Study(found, [])


@pytest.mark.parametrize("quantisation", ["8bit", "4bit"])
def test_adapter_of_a_quantised_base_is_merged_into_the_original_weights(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    quantisation: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = tiny_models["llama"]
    made = trained_by_the_verb(base, small_questions, tmp_path / "made", quantisation=quantisation)
    output = tmp_path / "merged"
    capsys.readouterr()
    assert main(arguments(made, output, "--merge")) == 0
    assert close(plain(output), unmerged(base, made.adapter))
    coarse = unmerged(base, made.adapter, quantisation)
    assert not close(plain(output), coarse)
    # how far it is from what was trained is said, in the terminal, the record and the card
    facts = json.loads((output / "provenance.json").read_text(encoding="utf-8"))["merged"]["quantised"]
    assert facts["quantisation"] == quantisation
    assert facts["relative"] > 1e-4
    assert 0 < facts["same_token"] <= facts["positions"]
    assert f"at most {facts['largest']:.2g} ({facts['relative']:.2g} of their norm)" in capsys.readouterr().out
    card = (output / "README.md").read_text(encoding="utf-8")
    assert f"trained on a base quantised to {quantisation}; this model is not quantised" in card
    assert f"{facts['same_token']} of {facts['positions']} positions" in card


@pytest.mark.parametrize(
    "config",
    [
        {"target_modules": ["q_proj", "v_proj"]},
        {"target_modules": ["q_proj"], "target_parameters": ["experts.gate_up_proj", "experts.down_proj"]},
    ],
)
def test_mixture_is_merged_and_keeps_its_layout(
    tiny_models: dict[str, Path], tmp_path: Path, config: dict[str, Any]
) -> None:
    base, output = tiny_models["mixtral"], tmp_path / "merged"
    adapter = random_adapter(base, tmp_path / "adapter", **config)
    output.mkdir()
    merge_adapter(base, adapter, output)
    assert close(plain(output), unmerged(base, adapter))
    before, after = load_file(base / "model.safetensors"), load_file(output / "model.safetensors")
    assert before.keys() == after.keys()
    experts = [name for name in before if "experts" in name]
    assert experts
    changed = [name for name in experts if not torch.equal(before[name], after[name])]
    assert changed == (experts if "target_parameters" in config else [])


@pytest.mark.parametrize(
    ("config", "untied"),
    [
        ({"target_modules": ["q_proj", "lm_head"]}, True),
        ({"target_modules": ["q_proj", "embed_tokens"]}, True),
        ({"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}, True),
        ({"target_modules": ["q_proj"], "trainable_token_indices": [40, 50]}, False),
    ],
)
def test_tied_embeddings_are_untied_where_only_one_changes(
    tiny_models: dict[str, Path], tmp_path: Path, config: dict[str, Any], untied: bool
) -> None:
    base, output = tiny_models["llama"], tmp_path / "merged"
    adapter = random_adapter(base, tmp_path / "adapter", **config)
    output.mkdir()
    assert merge_adapter(base, adapter, output)["untied"] is untied
    assert json.loads((output / "config.json").read_text(encoding="utf-8"))["tie_word_embeddings"] is not untied
    assert ("lm_head.weight" in load_file(output / "model.safetensors")) is untied
    assert close(plain(output), unmerged(base, adapter))


def test_base_in_bfloat16_stays_so(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    base, output = tmp_path / "base", tmp_path / "merged"
    shutil.copytree(tiny_models["qwen2"], base)
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    assert (stored_precision(base), stored_precision(tiny_models["qwen2"])) == ("bf16", "fp32")
    # as published: sampling values that transformers refuses to save together
    generation = '{"do_sample": false, "temperature": 0.7, "top_p": 0.8}'
    (base / "generation_config.json").write_text(generation, encoding="utf-8")
    adapter = random_adapter(tiny_models["qwen2"], tmp_path / "adapter", target_modules=["q_proj", "v_proj"])
    output.mkdir()
    facts = merge_adapter(base, adapter, output)
    assert facts["precision"] == "bf16"
    assert 0 < facts["difference"]["relative"] < 0.1  # rounding, and no more
    assert {value.dtype for value in load_file(output / "model.safetensors").values()} == {torch.bfloat16}
    assert (output / "generation_config.json").read_text(encoding="utf-8") == generation


def test_weights_are_saved_in_parts_that_load_again(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "SHARD", "40KB")
    base, output = tiny_models["llama"], tmp_path / "merged"
    adapter = random_adapter(base, tmp_path / "adapter", target_modules=["q_proj", "v_proj"])
    output.mkdir()
    merge_adapter(base, adapter, output)
    assert len(list(output.glob("model-*.safetensors"))) > 1
    assert close(plain(output), unmerged(base, adapter))


def test_difference_by_hand() -> None:
    one = [torch.tensor([[3.0, 0.0], [0.0, 4.0]])]
    other = [torch.tensor([[3.0, 0.0], [4.0, 1.0]])]
    found = compare_logits(one, other)
    assert (found.prompts, found.positions, found.largest, found.same_token) == (1, 2, 4.0, 1)
    assert found.relative == pytest.approx(1.0)  # |(4, −3)| = 5 and |(3, 4)| = 5


def test_merging_that_changes_answers_is_refused(
    handed: Handed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        merge, "_untie", lambda model: None
    )  # then a change of the output layer is in the embedding too
    adapter = random_adapter(handed.base, tmp_path / "adapter", target_modules=["q_proj", "lm_head"])
    assert main(arguments(handed, tmp_path / "out", "--merge", adapter=str(adapter))) == 2
    assert "does not answer like base and adapter" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_weights_that_are_not_finite_are_refused(handed: Handed, tmp_path: Path) -> None:
    adapter = random_adapter(handed.base, tmp_path / "adapter", target_modules=["q_proj"])
    weights = load_file(adapter / "adapter_model.safetensors")
    weights[next(iter(weights))][0, 0] = float("nan")
    save_file(weights, adapter / "adapter_model.safetensors")
    with pytest.raises(InputError, match="cannot be merged"):
        merge_adapter(handed.base, adapter, tmp_path / "out")


def test_base_that_is_quantised_on_disk_is_refused(handed: Handed, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(handed.base, base)
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (base / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "awq"}}))
    with pytest.raises(InputError, match="its weights are quantised"):
        merge_adapter(base, handed.adapter, tmp_path / "out")


@pytest.mark.parametrize("merged", [(), ("--merge",)])
def test_wrong_use_is_an_error_and_writes_nothing(
    handed: Handed,
    tiny_models: dict[str, Path],
    tmp_path: Path,
    merged: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "other.json"
    settings = json.dumps({"base": {"path": str(tiny_models["mixtral"])}})
    assert main(["prepare-model", "--settings", settings, "--output", str(other)]) == 0
    bare = tmp_path / "bare"  # an adapter without a record
    bare.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy2(handed.adapter / name, bare / name)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work", encoding="utf-8")
    out = tmp_path / "out"
    for said, command in {
        "no adapter (adapter_config.json is missing)": arguments(handed, out, *merged, adapter=str(tmp_path / "none")),
        "was trained on another base: its architecture": arguments(handed, out, *merged, base=str(other)),
        "does not fit the base model": arguments(handed, out, *merged, base=str(other), adapter=str(bare)),
        "is tiny, epoch 1, but --model and --epoch name tiny, epoch 2": arguments(handed, out, *merged, epoch="2"),
        "epoch 0 is the base model itself": arguments(handed, out, *merged, epoch="0"),
        "is no earlier export": arguments(handed, mine, *merged),
    }.items():
        assert main(command) == 2
        assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["bare", "mine", "other.json", "other.json.provenance.json"]
    )
    assert (mine / "thesis.txt").read_text(encoding="utf-8") == "years of work"
