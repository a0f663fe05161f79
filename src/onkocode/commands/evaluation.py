"""Verbs of the stage evaluation."""

import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from onkocode.catalogues.label_space import SYSTEM_OF_TASK, LabelSpace
from onkocode.commands.common import read_model, validated
from onkocode.config.base import Section
from onkocode.config.schema import Evaluation, Thinking, Tracking
from onkocode.config.training import Testing
from onkocode.models.sources import ADAPTER_WEIGHTS, weights_identity
from onkocode.records.errors import InputError
from onkocode.records.files import close_to_others
from onkocode.records.ids import digest, hash_file
from onkocode.records.provenance import Provenance
from onkocode.records.schemas import read_table, write_table

CATALOGUE = "catalogue"


class Asking(Section):
    """Settings of evaluate-checkpoint."""

    testing: Testing = Field(default_factory=Testing)
    evaluation: Evaluation = Field(default_factory=lambda: Evaluation.model_validate({}))
    thinking: Thinking = Field(default_factory=lambda: Thinking.model_validate({}))
    formulations: str = "v1"
    system_prompt: str | None = None


def evaluate_checkpoint(options: Namespace) -> None:
    """Let one checkpoint answer all data sets, on a base that is loaded once."""
    outputs, questions = dict(options.output), dict(options.questions)
    if set(outputs) != set(questions):
        raise InputError("--questions and --output must have the same names")
    if (options.epoch > 0) != (options.adapter is not None):
        raise InputError("--adapter is needed from epoch 1 on, and only there")
    settings = validated(Asking, options.settings)
    base = read_model(options.base)
    for path in [*outputs.values(), options.scratch / "shards"]:
        close_to_others(path)

    from onkocode.evaluation.generation import Decoding, answer_questions
    from onkocode.models.loading import load_adapter, load_base
    from onkocode.models.prompts import encode_prompts, prompt_format
    from onkocode.models.tokenizing import load_tokenizer

    inputs = {"base": options.base, **questions} | ({"adapter": options.adapter} if options.adapter else {})
    record = Provenance("evaluate-checkpoint", settings.model_dump(), inputs, settings.thinking.seed)
    tokenizer = load_tokenizer(Path(base["path"]))
    model = load_base(Path(base["path"]), settings.testing.quantisation, settings.testing.precision)
    if options.adapter:
        model = load_adapter(model, options.adapter)
    model.eval()
    thinking = options.condition == "thinking"
    form = prompt_format(tokenizer, settings.system_prompt, thinking)
    decoding = Decoding(settings.testing.batch_size, settings.testing.max_new_tokens)
    if thinking:
        decoding = Decoding(settings.thinking.batch_size, settings.thinking.max_new_tokens, settings.thinking)
    record.add(prompt_sha256=form.sha256)
    coder = _coder(Path(base["path"]), options.adapter, settings.testing)
    for name, path in questions.items():
        asked = _choose(read_table(path, "questions"), name, options.condition, settings)
        texts = _texts(asked, options.epoch, settings)
        identity = asked.select(
            model=pl.lit(options.model),
            epoch=pl.lit(options.epoch, pl.Int64),
            condition=pl.lit(options.condition),
            dataset=pl.lit(name),
            question_id=pl.col("question_id"),
        )
        prompts = encode_prompts(tokenizer, form, texts)
        shards, size = options.scratch / name, settings.evaluation.shard
        answered = answer_questions(model, tokenizer, prompts, identity, decoding, shards, size, coder)
        record.beside(outputs[name])
        write_table(answered, "predictions", outputs[name])
    shutil.rmtree(options.scratch)


def _coder(base: Path, adapter: Path | None, testing: Testing) -> str:
    """Return a hash of what makes the model that answers."""
    weights = hash_file(adapter / ADAPTER_WEIGHTS) if adapter else None
    return digest(weights_identity(base), weights, testing.quantisation, testing.precision)


def _choose(questions: pl.DataFrame, name: str, condition: str, settings: Asking) -> pl.DataFrame:
    from onkocode.evaluation.sampling import catalogue_questions, text_questions, thinking_questions

    if condition == "thinking":
        chosen = thinking_questions(questions, settings.thinking)
    elif name == CATALOGUE:
        chosen = catalogue_questions(questions, settings.evaluation)
    else:
        chosen = text_questions(questions, list(settings.evaluation.tasks))
    if chosen.is_empty():
        raise InputError(
            f"data set {name!r}: no question belongs to the chosen tasks and splits (evaluation, thinking)"
        )
    return chosen


def _texts(asked: pl.DataFrame, epoch: int, settings: Asking) -> list[str]:
    """Return what is asked: base models, and only those, are asked for a short answer as well."""
    from onkocode.evaluation.sampling import with_short_answer

    if epoch == 0 and settings.testing.short_answer:
        return with_short_answer(asked, settings.formulations)
    return asked["question"].to_list()


def judge_answers(options: Namespace) -> None:
    """Judge predictions."""
    from onkocode.evaluation.judging import judge_answers as judge

    inputs = {name: getattr(options, name) for name in ("predictions", "questions", "icd10gm", "icdo3")}
    record = Provenance("judge-answers", {}, inputs)
    codes = pl.concat([read_table(options.icd10gm, "codes"), read_table(options.icdo3, "codes")])
    spaces = {task: LabelSpace.of(codes, system) for task, system in SYSTEM_OF_TASK.items()}
    judged = judge(read_table(options.predictions, "predictions"), read_table(options.questions, "questions"), spaces)
    record.beside(options.output)
    write_table(judged, "judged", options.output)


def measure_answers(options: Namespace) -> None:
    """Compute the metrics of one checkpoint."""
    from onkocode.evaluation.metrics import measure

    tracking = validated(Tracking, options.tracking)
    judged = pl.concat([read_table(path, "judged") for path in options.judged])
    baseline = pl.concat([read_table(path, "judged") for path in options.baseline]) if options.baseline else None
    inputs = {str(path): path for path in [*options.judged, *options.baseline]}
    record = Provenance("measure-answers", {"bootstrap": options.bootstrap}, inputs)
    metrics = measure(judged, baseline, options.bootstrap)
    record.beside(options.output)
    write_table(metrics, "metrics", options.output)
    _mirror(metrics, tracking, options.output)


def _mirror(metrics: pl.DataFrame, tracking: Tracking, output: Path) -> None:
    """Send the table of numbers to W&B, if it is on."""
    if tracking.mode == "off":
        return
    from onkocode.tracking import Run

    row: dict[str, Any] = metrics.row(0, named=True)
    run = Run(tracking, row["model"], "evaluate", row["epoch"], {"condition": row["condition"]}, output.parent)
    values = {"evaluate/epoch": row["epoch"]}
    for item in metrics.unique(["dataset", "task", "stratum", "metric", "denominator"]).iter_rows(named=True):
        if item["value"] is not None:
            name = "/".join(item[key] for key in ("dataset", "task", "stratum", "metric", "denominator"))
            values[f"evaluate/{item['condition']}/{name}"] = item["value"]
    with run:
        run.log(values)


def collect_metrics(options: Namespace) -> None:
    """Put all metrics into one table and select checkpoints."""
    from onkocode.evaluation.selection import select_checkpoints, write_selection

    record = Provenance("collect-metrics", {"texts": options.texts}, {str(path): path for path in options.metrics})
    metrics = pl.concat([read_table(path, "metrics") for path in options.metrics])
    selection = select_checkpoints(metrics, options.texts)
    record.beside(options.output, options.selection)
    write_table(metrics, "metrics", options.output)
    write_selection(selection, options.selection)
