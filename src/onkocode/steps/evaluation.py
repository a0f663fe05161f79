"""Steps of the stage evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from onkocode.models.record import read_model
from onkocode.records.endings import recorded
from onkocode.records.errors import InputError
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.options import SETTINGS, VALID_FLOOR, Condition, Share, SomeNamedPaths, SomePaths
from onkocode.terminal import say

if TYPE_CHECKING:
    import polars as pl

    from onkocode.config.schema import Tracking
    from onkocode.evaluation.asking import Asking


@step()
def evaluate_checkpoint(
    *,
    model: str,
    epoch: int,
    condition: Condition,
    base: Path,
    adapter: Path | None = None,
    questions: SomeNamedPaths,
    settings: Annotated[Asking, SETTINGS],
    scratch: Path,
    answers: Path,
    output: SomeNamedPaths,
) -> None:
    """Let a model answer all data sets, on a base that is loaded once.

    Args:
        model: the {model} key
        epoch: 0 is the base model
        condition: how it is asked
        base: base.json of prepare-model
        adapter: adapter directory (from epoch 1 on)
        questions: question tables
        settings: testing, evaluation, thinking: JSON, or @FILE; keys left out have their defaults (`onkocode settings`)
        scratch: directory for saves within the evaluation
        answers: directory of answers that are kept, so that nothing is asked twice
        output: predictions; they hold raw answers
    """
    outputs, asked_for = dict(output), dict(questions)
    if set(outputs) != set(asked_for):
        raise InputError("--questions and --output must have the same names")
    if (epoch > 0) != (adapter is not None):
        raise InputError("--adapter is needed from epoch 1 on, and only there")
    for path in [*outputs.values(), scratch / "answers", answers / "answers"]:
        restrict_to_owner(path)

    import polars as pl

    from onkocode.evaluation.answers import AnswerStore
    from onkocode.evaluation.asking import Checkpoint, asked_of
    from onkocode.evaluation.generation import answer_missing
    from onkocode.evaluation.sampling import THINKING
    from onkocode.records.schemas import read_table, write_table

    with recorded(scratch):
        inputs = {"base": base, **asked_for} | ({"adapter": adapter} if adapter else {})
        record = Provenance("evaluate-checkpoint", settings.model_dump(), inputs, settings.thinking.seed)
        checkpoint = Checkpoint(read_model(base), adapter)
        coder = checkpoint.identity(settings.testing)
        tables = {name: read_table(path, "questions") for name, path in asked_for.items()}
        asked = asked_of(checkpoint, coder, condition, tables, settings)
        store = AnswerStore(answers, scratch, coder)
        load = partial(checkpoint.load, settings.testing)
        decoding, shard = settings.decoding(condition), settings.evaluation.shard
        new = answer_missing(load, asked.tokenizer, asked.prompts, decoding, store, shard)
        record.add(prompt_sha256=asked.form.sha256, prompts=len(asked.prompts), asked=new)
        for name, frame in asked.questions.items():
            identity = frame.select(
                model=pl.lit(model),
                epoch=pl.lit(epoch, pl.Int64),
                condition=pl.lit(condition),
                dataset=pl.lit(name),
                question_id=pl.col("question_id"),
            )
            predictions = pl.concat([identity, store.answers(asked.keys[name])], how="horizontal").sort("question_id")
            if condition == THINKING:  # where the prompt opens the thought, the answer alone does not show it
                predictions = predictions.with_columns(answer=pl.lit(asked.form.opened) + pl.col("answer"))
            record.write(outputs[name])
            write_table(predictions, "predictions", outputs[name])
    store.close()
    say(f"{new} of {len(asked.prompts)} prompts asked, the others had an answer")


@step()
def judge_answers(*, predictions: Path, questions: Path, icd10gm: Path, icdo3: Path, output: Path) -> None:
    """Judge predictions; the result holds no text.

    Args:
        predictions: table of evaluate-checkpoint
        questions: the questions that were asked
        icd10gm: label space of ICD-10-GM
        icdo3: label space of ICD-O-3
        output: file to write
    """
    import polars as pl

    from onkocode.catalogues.vocabulary.label_space import SYSTEM_OF_TASK, LabelSpace
    from onkocode.evaluation.judging import judge_answers as judge
    from onkocode.records.schemas import read_table, write_table

    inputs = {"predictions": predictions, "questions": questions, "icd10gm": icd10gm, "icdo3": icdo3}
    record = Provenance("judge-answers", {}, inputs)
    codes = pl.concat([read_table(icd10gm, "codes"), read_table(icdo3, "codes")])
    spaces = {task: LabelSpace.of(codes, system) for task, system in SYSTEM_OF_TASK.items()}
    judged = judge(read_table(predictions, "predictions"), read_table(questions, "questions"), spaces)
    record.write(output)
    write_table(judged, "judged", output)


@step()
def measure_answers(
    *,
    judged: SomePaths,
    baseline: Sequence[Path] = (),
    bootstrap: int = 1000,
    tracking: Annotated[Tracking | None, SETTINGS] = None,
    output: Path,
) -> None:
    """Compute rates and gains with intervals for one checkpoint.

    Args:
        judged: tables of judge-answers
        baseline: the base model's judged tables, for gains
        bootstrap: resamples
        tracking: W&B: JSON of `tracking`; off by default
        output: file to write
    """
    import polars as pl

    from onkocode.evaluation.metrics import measure
    from onkocode.records.schemas import read_table, write_table

    of_base = pl.concat([read_table(path, "judged") for path in baseline]) if baseline else None
    inputs = {str(path): path for path in [*judged, *baseline]}
    record = Provenance("measure-answers", {"bootstrap": bootstrap}, inputs)
    metrics = measure(pl.concat([read_table(path, "judged") for path in judged]), of_base, bootstrap)
    record.write(output)
    write_table(metrics, "metrics", output)
    if tracking is not None and tracking.mode != "off":
        _mirror(metrics, tracking, output)


def _mirror(metrics: pl.DataFrame, tracking: Tracking, output: Path) -> None:
    """Send the table of numbers to W&B."""
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


@step()
def collect_metrics(
    *, metrics: SomePaths, texts: Sequence[str] = (), valid_floor: Share = VALID_FLOOR, output: Path, selection: Path
) -> None:
    """Put the metrics of all checkpoints into one table and select the best checkpoints.

    Args:
        metrics: tables of measure-answers
        texts: keys of the test sets, in order
        valid_floor: least share of valid answers, 0 to 1 (evaluation.valid_floor)
        output: file to write
        selection: table of selected checkpoints to write
    """
    import polars as pl

    from onkocode.evaluation.selection import select_checkpoints, write_selection
    from onkocode.records.schemas import read_table, write_table

    settings = {"texts": list(texts), "valid_floor": valid_floor}
    record = Provenance("collect-metrics", settings, {str(path): path for path in metrics})
    table = pl.concat([read_table(path, "metrics") for path in metrics])
    chosen = select_checkpoints(table, list(texts), valid_floor)
    record.write(output, selection)
    write_table(table, "metrics", output)
    write_selection(chosen, selection)
