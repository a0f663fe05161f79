"""The card (README.md) of a trained adapter, or of the model that it was merged into."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.catalogues.fetching.sources import TERMS_SENTENCE
from onkocode.config.base import CATALOGUE
from onkocode.models.prompts import DATE
from onkocode.questions.formulations import PLACE, load_formulations
from onkocode.questions.lineage import recorded
from onkocode.training.attempts import ATTEMPTS_FILE, read_attempts
from onkocode.training.checkpoints import LOG_FILE

# Licences of the paper's bases as the front matter of their Hub pages names them, with the text that they link to.
LLAMA = "https://github.com/meta-llama/llama-models/blob/main/models/{}/LICENSE"
LICENCES = {
    **dict.fromkeys(
        (
            "Qwen/Qwen2.5-7B-Instruct-1M",
            "Qwen/Qwen3-8B",
            "Qwen/Qwen3-14B",
            "Qwen/Qwen3-32B",
            "mistralai/Mistral-Nemo-Instruct-2407",
            "mistralai/Mixtral-8x7B-Instruct-v0.1",
        ),
        ("apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    ),
    "meta-llama/Llama-3.1-8B-Instruct": ("llama3.1", LLAMA.format("llama3_1")),
    "meta-llama/Llama-3.3-70B-Instruct": ("llama3.3", LLAMA.format("llama3_3")),
}
BASE_FACTS = ("hub", "revision", "architecture", "parameters", "sha256")  # not the local path
CATALOGUES = ("alphaid", "icd10gm", "icdo3", "ops", "crosswalk")
NOT_TOLD = {"save_minutes", "log_steps", "recovery"}  # they change no weights
DTYPES = {"bf16": "bfloat16", "fp32": "float32"}
EXAMPLE = "Bösartiger Tumor der linken Niere"
STRATA = {
    "train": "labels and formulations of the training",
    "heldout_formulation": "trained labels, other formulations",
    "heldout_label": "labels that were held out",
    "heldout_negative": "diagnoses that are no tumours",
}
MEASURES = (("accuracy", "all"), ("accuracy", "valid"), ("partial_accuracy", "all"), ("invalid_rate", "all"))


@dataclass(frozen=True)
class CheckpointFacts:
    """What a card tells.

    Attributes:
        model: the {model} key.
        epoch: the epoch.
        base: record of prepare-model.
        record: provenance of train-epoch with `training_facts`, or of fetch-adapter; may be empty.
        rates: rates of this checkpoint, columns as `performance_summary` returns them.
        merged: facts of `merge_adapter`; None for the adapter itself.
    """

    model: str
    epoch: int
    base: Mapping[str, Any]
    record: Mapping[str, Any]
    rates: pl.DataFrame | None = None
    merged: Mapping[str, Any] | None = None


def training_facts(
    model: str, epoch: int, base: Mapping[str, Any], questions: Path, output: Path, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the provenance of an adapter keeps for its card.

    Args:
        model: the {model} key.
        epoch: the epoch.
        base: record of prepare-model.
        questions: table of build-questions; the record beside it tells of the data.
        output: directory of the epoch, with its log and its attempts.
        settings: the recipe's training values.
    """
    built = recorded(questions)
    options = built.get("settings") or {}
    rows = [json.loads(line) for line in (output / LOG_FILE).read_text(encoding="utf-8").splitlines()]
    finite = [row for row in rows if isinstance(row.get("loss"), float) and math.isfinite(row["loss"])]
    failed = [
        {"cause": attempt.cause, "step": attempt.step, "overrides": attempt.overrides}
        for attempt in read_attempts(output / ATTEMPTS_FILE)
    ]
    return {
        "model": model,
        "epoch": epoch,
        "epochs": settings["epochs"],
        "base": {key: base.get(key) for key in BASE_FACTS},
        "data": {
            "key": questions.stem,
            "sha256": built.get("questions_sha256"),
            "catalogues": {name: options[name] for name in CATALOGUES if options.get(name)},
            "formulations": options.get("formulations"),
            "formulations_sha256": built.get("formulations_sha256"),
            "terms": built.get("terms"),
        },
        "last_loss": {"step": finite[-1]["step"], "loss": finite[-1]["loss"]} if finite else None,
        "attempts": failed,
    }


def adapter_card(facts: CheckpointFacts) -> str:
    """Return the card as Markdown with YAML front matter."""
    from huggingface_hub import ModelCard

    record = facts.record
    settings, data = dict(record.get("settings") or {}), dict(record.get("data") or {})
    fetched = record.get("verb") == "fetch-adapter"
    template = resources.files("onkocode.export").joinpath("templates/model_card.md")
    card = ModelCard.from_template(
        _front_matter(facts),
        template_str=template.read_text(encoding="utf-8"),
        model=facts.model,
        epoch=facts.epoch,
        epochs=record.get("epochs"),
        base=_base_name(facts),
        hub=facts.base.get("hub"),
        revision=facts.base.get("revision"),
        base_sha256=(facts.base.get("sha256") or {}).get("config.json"),
        merged=facts.merged,
        fetched={key: record.get(key) for key in ("hub", "revision", "adapter_sha256")} if fetched else None,
        code=usage_code(facts),
        system_prompt=settings.get("system_prompt"),
        prompt_sha256=record.get("prompt_sha256"),
        date=DATE,
        data=data,
        terms_sentence=TERMS_SENTENCE,
        example=data.get("terms") not in (None, TERMS_SENTENCE),
        settings={} if fetched else {key: _json(value) for key, value in settings.items() if key not in NOT_TOLD},
        quantisation=settings.get("quantisation", "none"),
        overrides={key: _json(value) for key, value in (record.get("overrides") or {}).items()},
        attempts=record.get("attempts") or [],
        record=record,
        versions=record.get("versions") or {},
        rates=rate_rows(facts.rates) if facts.rates is not None else None,
        licence=LICENCES.get(str(facts.base.get("hub"))),
        recipe=rescore_recipe(facts),
    )
    return str(card)


def usage_code(facts: CheckpointFacts) -> str:
    """Return Python code that asks one question with plain `transformers` and `peft`, as the evaluation asks it."""
    settings = facts.record.get("settings") or {}
    version = str((facts.record.get("data") or {}).get("formulations") or "v1")
    question = next(iter(load_formulations(version)["icd10"].templates.values())).replace(PLACE, EXAMPLE)
    prompt = settings.get("system_prompt")
    turns = [{"role": "system", "content": prompt}] if prompt else []
    messages = "".join(f"    {_json(turn)},\n" for turn in [*turns, {"role": "user", "content": question}])
    merged = facts.merged is not None
    if merged:
        load = f'name = "MODEL"  # this directory, or its name on the Hub\n{_loading("name", "auto", "none", "")}'
    else:
        hub, revision = facts.base.get("hub"), facts.base.get("revision")
        where = f'"{hub}", "{revision}"' if hub else '"BASE", None  # BASE: directory of the base model'
        dtype = DTYPES.get(str(settings.get("precision")), "auto")
        load = (
            f'base, revision = {where}\nadapter = "ADAPTER"  # this directory, or its name on the Hub\n'
            + _loading("base", dtype, str(settings.get("quantisation", "none")), ", revision=revision")
            + "model = PeftModel.from_pretrained(model, adapter)\n"
        )
    imports = ["AutoModelForCausalLM", "AutoTokenizer"] + ["BitsAndBytesConfig"] * ("BitsAndBytesConfig(" in load)
    return (
        ("" if merged else "from peft import PeftModel\n")
        + f"from transformers import {', '.join(imports)}\n\n{load}\nmessages = [\n{messages}]\n"
        + "prompt = tokenizer.apply_chat_template(\n"
        + f'    messages, add_generation_prompt=True, enable_thinking=False, date_string="{DATE}",\n'
        + '    return_tensors="pt", return_dict=True,\n).to(model.device)\n'
        + "output = model.generate(**prompt, max_new_tokens=32, do_sample=False, repetition_penalty=1.0)\n"
        + 'print(tokenizer.decode(output[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True))'
    )


def rate_rows(rates: pl.DataFrame) -> list[list[str]]:
    """Return header and rows: questions, task, number asked, then each measure with its 95 % interval.

    Catalogue questions stand apart by split, test sets as a whole.
    """
    catalogue, whole = pl.col("dataset") == CATALOGUE, pl.col("stratum") == "all"
    chosen = rates.filter(pl.col("condition") == "free", catalogue != whole)
    rows = [["questions", "task", "n", "exact", "exact, of the valid", "category", "invalid"]]
    for keys, part in chosen.group_by(["dataset", "stratum", "task"], maintain_order=True):
        dataset, stratum, task = (str(key) for key in keys)
        name = f"catalogue: {STRATA.get(stratum, stratum)}" if dataset == CATALOGUE else f"test set {dataset}"
        asked = part.filter(pl.col("metric") == "accuracy", pl.col("denominator") == "all")["n"]
        cells = [_rate(part, metric, denominator) for metric, denominator in MEASURES]
        rows.append([name, task, f"{asked[0]:,}" if asked.len() else "–", *cells])
    return rows


def rescore_recipe(facts: CheckpointFacts, path: str = "MODEL") -> str:
    """Return the recipe (YAML) with which the workflow asks a merged model as it asked the adapter.

    Without `short_answer: false` it would be asked for a short answer too, as base models are.
    """
    settings = facts.record.get("settings") or {}
    key = f"{facts.model}-epoch-{facts.epoch}-merged"
    training: dict[str, Any] = {"epochs": 0}
    if facts.record.get("verb") != "fetch-adapter" and "system_prompt" in settings:
        training["system_prompt"] = settings["system_prompt"]
    data = (facts.record.get("data") or {}).get("key") or "DATA"
    return (
        f"models: [{key}]\nrecipes:\n  {key}: # add preset, testing and resources of the adapter's own recipe\n"
        f"    label: {_json(key)}\n    family: {_json(facts.model)}\n    base: {{path: {_json(path)}}}\n"
        f"    data: {data} # a key of `data`\n    training: {_json(training)}\n"
        "    testing: {short_answer: false}\n"
    )


def _loading(name: str, dtype: str, quantisation: str, revision: str) -> str:
    options = {
        "8bit": "load_in_8bit=True",
        "4bit": 'load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, '
        'bnb_4bit_compute_dtype="bfloat16"',
    }.get(quantisation)
    quantised = f"quantisation = BitsAndBytesConfig(\n    {options}\n)\n" if options else ""
    argument = ", quantization_config=quantisation" if options else ""
    return (
        f"tokenizer = AutoTokenizer.from_pretrained({name}{revision})\n{quantised}"
        f"model = AutoModelForCausalLM.from_pretrained(\n"
        f'    {name}{revision}, dtype="{dtype}", device_map="auto"{argument}\n)\n'
    )


def _front_matter(facts: CheckpointFacts) -> Any:
    from huggingface_hub import ModelCardData

    hub = facts.base.get("hub")
    licence, link = LICENCES.get(str(hub), ("other", None))
    named: dict[str, Any] = {"license": licence}
    if licence == "other":
        named |= {"license_name": "that-of-the-base-model"}
    elif licence.startswith("llama"):
        named |= {"license_link": link}
    merged = facts.merged is not None
    return ModelCardData(
        base_model=hub,
        base_model_relation=("finetune" if merged else "adapter") if hub else None,
        library_name="transformers" if merged else "peft",
        **named,
        language=["de"],
        pipeline_tag="text-generation",
        tags=["lora", "medical", "oncology", "icd-10-gm", "icd-o-3"],
    )


def _base_name(facts: CheckpointFacts) -> str:
    """Return what the card calls the base; of a local one, not the directory."""
    hub = facts.base.get("hub")
    return f"[{hub}](https://huggingface.co/{hub})" if hub else f"a local {facts.base.get('architecture')} model"


def _rate(part: pl.DataFrame, metric: str, denominator: str) -> str:
    row = part.filter(pl.col("metric") == metric, pl.col("denominator") == denominator)
    if row.is_empty() or row["value"][0] is None:
        return "–"
    low, high = row["low"][0], row["high"][0]
    interval = f" ({low:.1f}–{high:.1f})" if low is not None and high is not None else ""
    return f"{row['value'][0]:.1f}{interval}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
