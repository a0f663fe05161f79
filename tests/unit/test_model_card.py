"""The card of an adapter: what it tells, and that what it shows works."""

import contextlib
import io
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from huggingface_hub import ModelCard

from onkocode.catalogues.fetching.sources import TERMS_SENTENCE
from onkocode.cli import main
from onkocode.coders.answers import AnswerStore, Decoding
from onkocode.coders.course import Course
from onkocode.coders.generation import answer_missing
from onkocode.export.card import LICENCES, CheckpointFacts, adapter_card, rate_rows, training_facts
from onkocode.models.loading import load_adapter, load_base
from onkocode.models.prompts import encode_prompts, prompt_format
from onkocode.models.tokenizing import load_tokenizer
from onkocode.questions.formulations import formulations_hash
from onkocode.records.provenance import Provenance, read_provenance
from onkocode.records.schemas import write_table
from tests.unit.training_jobs import BASIC, STEPS, rows_of

from .conftest import ROOT

DATA = {"alphaid": ["2024"], "icd10gm": "2024", "icdo3": ["2019", "2014"], "ops": ["2024"], "formulations": "v1"}


@dataclass(frozen=True)
class Handed:
    """An adapter that was trained by the verb, and the facts of its card."""

    folder: Path
    base: Path
    facts: CheckpointFacts

    @property
    def adapter(self) -> Path:
        return self.folder / "epoch-1" / "adapter"


def trained_by_the_verb(base: Path, questions: pl.DataFrame, folder: Path, **settings: Any) -> Handed:
    """Train an epoch, and write card and record as the verb does when it publishes."""
    folder.mkdir(parents=True)
    table, record, output = folder / "key.parquet", folder / "base.json", folder / "epoch-1"
    write_table(questions, "questions", table)
    built = Provenance("build-questions", DATA, {})
    built.add(questions_sha256="f" * 64, formulations_sha256=formulations_hash("v1"), terms=TERMS_SENTENCE)
    built.write(table)
    assert (
        main(["prepare-model", "--settings", json.dumps({"base": {"path": str(base)}}), "--output", str(record)]) == 0
    )
    values = BASIC | settings
    command = ["train-epoch", "--model", "tiny", "--epoch", "1", "--base", str(record), "--questions", str(table)]
    command += ["--settings", json.dumps(values), "--scratch", str(folder / "scratch"), "--output", str(output)]
    assert main(command) == 0
    described = json.loads(record.read_text(encoding="utf-8"))
    adapter = output / "adapter"
    provenance = read_provenance(adapter)
    provenance |= training_facts("tiny", 1, described, table, output, provenance["settings"])
    (adapter / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    facts = CheckpointFacts("tiny", 1, described, provenance)
    (adapter / "README.md").write_text(adapter_card(facts), encoding="utf-8")
    return Handed(folder, base, facts)


@pytest.fixture(scope="module")
def handed(
    tiny_models: dict[str, Path], small_questions: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Handed:
    folder = tmp_path_factory.mktemp("card") / "plain"
    return trained_by_the_verb(tiny_models["llama"], small_questions, folder)


def changed(facts: CheckpointFacts, **record: Any) -> CheckpointFacts:
    return replace(facts, record={**facts.record, **record})


def on_hub(facts: CheckpointFacts, hub: str) -> CheckpointFacts:
    return replace(facts, base={**facts.base, "hub": hub, "revision": "a" * 40})


def front_matter(card: str) -> dict[str, Any]:
    data: Any = ModelCard(card).data
    return dict(data.to_dict())


def code_of(card: str) -> str:
    found = re.search(r"```python\n(.*?)```", card, flags=re.DOTALL)
    assert found
    return found[1]


def test_card_tells_what_was_trained(handed: Handed) -> None:
    card = (handed.adapter / "README.md").read_text(encoding="utf-8")
    last = rows_of(handed.folder / "epoch-1")[-1]
    record = handed.facts.record
    for told in (
        "Kein Medizinprodukt. Not a medical device.",
        TERMS_SENTENCE,
        "f" * 64,
        formulations_hash("v1"),
        str(record["prompt_sha256"]),
        handed.facts.base["sha256"]["config.json"],
        f"| last logged loss | {last['loss']:.4g} (step {STEPS}) |",
        "| epoch | 1 of 2 |",
        "| questions for training | 28 |",
        f"| trained values | {record['trainable_parameters']:,} |",
        "| data | `key`, alphaid 2024, icd10gm 2024, icdo3 2019 + 2014, ops 2024 |",
        "| `learning_rate` | `0.02` |",
        "| `lora_rank` | `4` |",
        "No attempt at this epoch failed.",
        "There is no system prompt, except what the template itself adds.",
        "`onkocode export --metrics` writes them",
    ):
        assert told in card, told
    assert "not recorded" not in card
    assert str(handed.folder) not in card
    assert str(handed.base) not in card  # a card that is published tells no local path
    assert "save_minutes" not in card


def test_front_matter_is_read_by_the_hubs_own_reader(handed: Handed) -> None:
    local = front_matter(adapter_card(handed.facts))
    assert local["library_name"] == "peft"
    assert local["language"] == ["de"]
    assert (local["license"], local["license_name"]) == ("other", "that-of-the-base-model")
    assert "base_model" not in local
    hub = front_matter(adapter_card(on_hub(handed.facts, "Qwen/Qwen3-8B")))
    assert (hub["base_model"], hub["base_model_relation"]) == ("Qwen/Qwen3-8B", "adapter")
    assert hub["license"] == "apache-2.0"
    assert "license_name" not in hub


def test_licences_are_those_of_all_bases_of_the_paper() -> None:
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    bases = [recipe["base"]["hub"] for recipe in config["recipes"].values() if "base" in recipe]
    assert set(LICENCES) == set(bases)


@pytest.mark.parametrize("hub", ["meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"])
def test_llamas_licence_is_told_with_what_it_asks_for(handed: Handed, hub: str) -> None:
    card = adapter_card(on_hub(handed.facts, hub))
    assert front_matter(card)["license"] == {"8B": "llama3.1", "0B": "llama3.3"}[hub.removesuffix("-Instruct")[-2:]]
    assert "Built with\nLlama" in card
    assert f"[{hub}](https://huggingface.co/{hub}), commit `{'a' * 40}`" in card
    assert "Built with" not in adapter_card(on_hub(handed.facts, "Qwen/Qwen3-8B"))


def ran(code: str) -> tuple[str, dict[str, Any]]:
    """Run the code of a card; returns what it prints and its variables."""
    variables: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "card", "exec"), variables)  # noqa: S102 -- that it runs is what is tested
    return printed.getvalue().strip(), variables


@pytest.mark.parametrize(
    ("architecture", "prompt", "quantisation"), [("llama", 'Nur "Code".\nKurz.', "none"), ("qwen3", None, "8bit")]
)
def test_code_of_the_card_asks_as_the_evaluation_does(
    tiny_models: dict[str, Path],
    small_questions: pl.DataFrame,
    tmp_path: Path,
    architecture: str,
    prompt: str | None,
    quantisation: str,
) -> None:
    base = tiny_models[architecture]
    settings = {"system_prompt": prompt, "quantisation": quantisation}
    made = trained_by_the_verb(base, small_questions, tmp_path / "made", **settings)
    code = code_of((made.adapter / "README.md").read_text(encoding="utf-8"))
    assert "onkocode" not in code
    assert ("load_in_8bit=True" in code) == (quantisation == "8bit")
    printed, variables = ran(code.replace('"BASE"', repr(str(base))).replace('"ADAPTER"', repr(str(made.adapter))))
    tokenizer = load_tokenizer(base)
    question = "Wie lautet der ICD-10-Code für die Diagnose „Bösartiger Tumor der linken Niere“?"
    ids = encode_prompts(tokenizer, prompt_format(tokenizer, prompt), [question])
    assert variables["prompt"]["input_ids"].tolist() == ids
    model = load_adapter(load_base(base, quantisation, "fp32"), made.adapter).eval()
    store = AnswerStore(tmp_path / "kept", tmp_path / "saves", "coder")
    answer_missing(lambda: model, tokenizer, {"key": ids[0]}, Decoding(1, 32), store, 8, Course(tmp_path))
    assert printed == store.answers(["key"])["answer"][0]


def test_code_names_hub_and_commit_and_four_bits(handed: Handed) -> None:
    settings = {**handed.facts.record["settings"], "quantisation": "4bit", "precision": "bf16"}
    code = code_of(
        adapter_card(on_hub(changed(handed.facts, settings=settings), "mistralai/Mixtral-8x7B-Instruct-v0.1"))
    )
    assert f'base, revision = "mistralai/Mixtral-8x7B-Instruct-v0.1", "{"a" * 40}"' in code
    assert 'bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True' in code
    assert 'dtype="bfloat16"' in code
    compile(code, "card", "exec")


def test_failed_attempts_and_values_in_force_are_told(handed: Handed) -> None:
    attempts = [
        {"cause": "non-finite", "step": 41, "overrides": {"learning_rate": 1e-5}},
        {"cause": "out-of-memory", "step": 0, "overrides": {"batch_size": 2}},
    ]
    card = adapter_card(changed(handed.facts, attempts=attempts, overrides={"learning_rate": 1e-5, "batch_size": 2}))
    assert "other values were in force, after attempts that failed: `learning_rate` `1e-05`, `batch_size` `2`." in card
    assert "2 failed attempts in this epoch: non-finite at step 41, out-of-memory at step 0." in card
    assert "No attempt" not in card


def test_what_is_not_recorded_is_said(handed: Handed) -> None:
    card = adapter_card(CheckpointFacts("tiny", 3, {"hub": None, "architecture": "llama"}, {}))
    assert "How the adapter was trained is not recorded beside it." in card
    assert TERMS_SENTENCE not in card
    compile(code_of(card), "card", "exec")
    data = {**handed.facts.record["data"], "sha256": None}
    assert "| hash of the questions | not recorded |" in adapter_card(changed(handed.facts, data=data, last_loss=None))


def test_example_catalogues_are_under_the_projects_own_licence(handed: Handed) -> None:
    data = {**handed.facts.record["data"], "terms": "example catalogue of the project"}
    card = adapter_card(changed(handed.facts, data=data))
    assert TERMS_SENTENCE not in card
    assert "under its MIT licence" in card


def test_values_cannot_break_the_table(handed: Handed) -> None:
    settings = {**handed.facts.record["settings"], "target_modules": ["q_proj|v_proj"]}
    assert '| `target_modules` | `["q_proj\\|v_proj"]` |' in adapter_card(changed(handed.facts, settings=settings))


def rates() -> pl.DataFrame:
    def row(dataset: str, stratum: str, metric: str, denominator: str, value: float | None, n: int) -> dict[str, Any]:
        limits = {"low": None if value is None else value - 1, "high": None if value is None else value + 2}
        names = {"dataset": dataset, "stratum": stratum, "condition": "free", "task": "icd10", "metric": metric}
        return names | {"denominator": denominator, "n": n, "value": value} | limits

    return pl.DataFrame(
        [
            row("catalogue", "all", "accuracy", "all", 99.0, 1500),
            row("catalogue", "heldout_label", "accuracy", "all", 40.0, 1200),
            row("catalogue", "heldout_label", "accuracy", "valid", 41.25, 1170),
            row("catalogue", "heldout_label", "partial_accuracy", "all", 60.0, 1200),
            row("catalogue", "heldout_label", "invalid_rate", "all", 2.5, 1200),
            row("clinic", "all", "accuracy", "all", 30.0, 24),
            row("clinic", "all", "accuracy", "valid", None, 0),
        ]
    )


def test_rates_stand_with_number_and_interval(handed: Handed) -> None:
    header, *rows = rate_rows(rates())
    assert header[:3] == ["questions", "task", "n"]
    numbers = ["40.0 (39.0–42.0)", "41.2 (40.2–43.2)", "60.0 (59.0–62.0)", "2.5 (1.5–4.5)"]
    assert rows[0] == ["catalogue: labels that were held out", "icd10", "1,200", *numbers]
    assert rows[1] == ["test set clinic", "icd10", "24", "30.0 (29.0–32.0)", "–", "–", "–"]
    assert len(rows) == 2
    card = adapter_card(replace(handed.facts, rates=rates()))
    assert f"| {' | '.join(rows[0])} |\n| {' | '.join(rows[1])} |" in card
    assert "are not known when an adapter is trained" not in card
