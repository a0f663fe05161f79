"""Verbs of the stage evaluation."""

from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from onkocode.catalogues.vocabulary.label_space import SYSTEM_OF_TASK, LabelSpace
from onkocode.commands.common import read_model, validated
from onkocode.config.schema import Tracking
from onkocode.records.endings import recorded
from onkocode.records.errors import InputError
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance
from onkocode.records.schemas import read_table, write_table
from onkocode.terminal import say

if TYPE_CHECKING:
    from onkocode.evaluation.answers import AnswerStore


def evaluate_checkpoint(options: Namespace) -> None:
    """Let one checkpoint answer all data sets, on a base that is loaded once."""
    outputs, questions = dict(options.output), dict(options.questions)
    if set(outputs) != set(questions):
        raise InputError("--questions and --output must have the same names")
    if (options.epoch > 0) != (options.adapter is not None):
        raise InputError("--adapter is needed from epoch 1 on, and only there")
    for path in [*outputs.values(), options.scratch / "answers", options.answers / "answers"]:
        restrict_to_owner(path)

    with recorded(options.scratch):
        store = _answer(options, outputs, questions)
    store.close()


def _answer(options: Namespace, outputs: dict[str, Path], questions: dict[str, Path]) -> "AnswerStore":
    """Write the answers of a checkpoint; returns the store that holds them, to be closed."""
    from onkocode.evaluation.answers import AnswerStore
    from onkocode.evaluation.asking import Asking, Checkpoint, asked_of
    from onkocode.evaluation.generation import answer_missing
    from onkocode.evaluation.sampling import THINKING

    settings = validated(Asking, options.settings)
    inputs = {"base": options.base, **questions} | ({"adapter": options.adapter} if options.adapter else {})
    record = Provenance("evaluate-checkpoint", settings.model_dump(), inputs, settings.thinking.seed)
    checkpoint = Checkpoint(read_model(options.base), options.adapter)
    coder = checkpoint.identity(settings.testing)
    tables = {name: read_table(path, "questions") for name, path in questions.items()}
    asked = asked_of(checkpoint, coder, options.condition, tables, settings)
    store = AnswerStore(options.answers, options.scratch, coder)
    load = partial(checkpoint.load, settings.testing)
    decoding, shard = settings.decoding(options.condition), settings.evaluation.shard
    new = answer_missing(load, asked.tokenizer, asked.prompts, decoding, store, shard)
    record.add(prompt_sha256=asked.form.sha256, prompts=len(asked.prompts), asked=new)
    for name, frame in asked.questions.items():
        identity = frame.select(
            model=pl.lit(options.model),
            epoch=pl.lit(options.epoch, pl.Int64),
            condition=pl.lit(options.condition),
            dataset=pl.lit(name),
            question_id=pl.col("question_id"),
        )
        predictions = pl.concat([identity, store.answers(asked.keys[name])], how="horizontal").sort("question_id")
        if options.condition == THINKING:  # where the prompt opens the thought, the answer alone does not show it
            predictions = predictions.with_columns(answer=pl.lit(asked.form.opened) + pl.col("answer"))
        record.write(outputs[name])
        write_table(predictions, "predictions", outputs[name])
    say(f"{new} of {len(asked.prompts)} prompts asked, the others had an answer")
    return store


def judge_answers(options: Namespace) -> None:
    """Judge predictions."""
    from onkocode.evaluation.judging import judge_answers as judge

    inputs = {name: getattr(options, name) for name in ("predictions", "questions", "icd10gm", "icdo3")}
    record = Provenance("judge-answers", {}, inputs)
    codes = pl.concat([read_table(options.icd10gm, "codes"), read_table(options.icdo3, "codes")])
    spaces = {task: LabelSpace.of(codes, system) for task, system in SYSTEM_OF_TASK.items()}
    judged = judge(read_table(options.predictions, "predictions"), read_table(options.questions, "questions"), spaces)
    record.write(options.output)
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
    record.write(options.output)
    write_table(metrics, "metrics", options.output)
    _mirror(metrics, tracking, options.output)


def _mirror(metrics: pl.DataFrame, tracking: Tracking, output: Path) -> None:
    """Send the table of numbers to W&B, if it is on."""
    if tracking.mode == "off":
        return
    from onkocode.tracking import TrackedRun

    row: dict[str, Any] = metrics.row(0, named=True)
    run = TrackedRun(tracking, row["model"], "evaluate", row["epoch"], {"condition": row["condition"]}, output.parent)
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

    settings = {"texts": options.texts, "valid_floor": options.valid_floor}
    record = Provenance("collect-metrics", settings, {str(path): path for path in options.metrics})
    metrics = pl.concat([read_table(path, "metrics") for path in options.metrics])
    selection = select_checkpoints(metrics, options.texts, options.valid_floor)
    record.write(options.output, options.selection)
    write_table(metrics, "metrics", options.output)
    write_selection(selection, options.selection)
