"""Verbs of the stage evaluation."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.catalogues.vocabulary.label_space import SYSTEM_OF_TASK, LabelSpace
from onkocode.commands.common import read_model, validated
from onkocode.config.schema import Tracking
from onkocode.records.errors import InputError
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance
from onkocode.records.schemas import read_table, write_table
from onkocode.terminal import say


def evaluate_checkpoint(options: Namespace) -> None:
    """Let one checkpoint answer all data sets, on a base that is loaded once."""
    outputs, questions = dict(options.output), dict(options.questions)
    if set(outputs) != set(questions):
        raise InputError("--questions and --output must have the same names")
    if (options.base is None) == (options.coder is None):
        raise InputError("give --base, of a language model, or --coder, a directory of fit-coder")
    if options.base is not None and (options.epoch > 0) != (options.adapter is not None):
        raise InputError("--adapter is needed from epoch 1 on, and only there")
    for path in outputs.values():
        restrict_to_owner(path)

    from onkocode.evaluation.asking import Asking, ask, choose_questions

    settings = validated(Asking, options.settings)
    coder, made_of = _language_model(options, settings) if options.coder is None else _fitted(options.coder)
    record = Provenance("evaluate-checkpoint", settings.model_dump(), made_of | questions, settings.thinking.seed)
    tables = {name: read_table(path, "questions") for name, path in questions.items()}
    asked = choose_questions(tables, options.condition, settings)
    predictions = ask(coder, asked, options.model, options.epoch, options.condition)
    record.add(**coder.facts)
    for name, frame in predictions.items():
        record.write(outputs[name])
        write_table(frame, "predictions", outputs[name])
    say(coder.finish())


def _language_model(options: Namespace, settings: Any) -> tuple[Any, dict[str, Path]]:
    """Return a language model as a coder, and the files that make it."""
    for path in (options.scratch / "answers", options.answers / "answers"):
        restrict_to_owner(path)
    from onkocode.coders.language_model import Checkpoint, LanguageModel

    inputs = {"base": options.base} | ({"adapter": options.adapter} if options.adapter else {})
    checkpoint, shard = Checkpoint(read_model(options.base), options.adapter), settings.evaluation.shard
    coder = LanguageModel(checkpoint, options.condition, settings, options.answers, options.scratch, shard)
    return coder, inputs


def _fitted(folder: Path) -> tuple[Any, dict[str, Path]]:
    """Return a fitted coder, and the files that make it."""
    from onkocode.coders.fitted import FittedCoder, files_of

    return FittedCoder(folder), {f"coder {name}": path for name, path in files_of(folder).items()}


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
