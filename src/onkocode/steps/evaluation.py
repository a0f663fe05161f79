"""Steps of the stage evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from onkocode.models.record import read_visible_model
from onkocode.records.endings import recorded
from onkocode.records.errors import InputError
from onkocode.records.offline import close_hub
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.common import check_adapter
from onkocode.steps.options import SETTINGS, Condition, NamedPaths, SomeNamedPaths
from onkocode.terminal import say

if TYPE_CHECKING:
    import polars as pl

    from onkocode.coders.interface import Coder
    from onkocode.config.schema import Tracking
    from onkocode.evaluation.asking import Asking
    from onkocode.evaluation.checking import Scored


@step()
def evaluate_checkpoint(
    *,
    model: str,
    epoch: int,
    condition: Condition,
    base: Path | None = None,
    adapter: Path | None = None,
    coder: Path | None = None,
    questions: SomeNamedPaths,
    settings: Annotated[Asking, SETTINGS],
    scratch: Path,
    answers: Path,
    output: SomeNamedPaths,
) -> None:
    """Let a coder answer all data sets; the base of a language model is loaded once.

    Args:
        model: the {model} key
        epoch: 0 is the base model
        condition: how it is asked
        base: base.json of prepare-model, for a language model
        adapter: its adapter directory (from epoch 1 on)
        coder: directory of fit-coder, for a coder that is no language model
        questions: question tables
        settings: testing, evaluation, thinking: JSON, or @FILE; keys left out have their defaults (`onkocode settings`)
        scratch: directory for saves within the evaluation
        answers: directory of answers that are kept, so that nothing is asked twice
        output: predictions; they hold raw answers
    """
    close_hub()
    outputs, asked_for = dict(output), dict(questions)
    if set(outputs) != set(asked_for):
        raise InputError("--questions and --output must have the same names")
    if (base is None) == (coder is None):
        raise InputError("give --base, of a language model, or --coder, a directory of fit-coder")
    if base is not None:
        check_adapter(epoch, adapter)
    for path in [*outputs.values(), scratch / "answers"]:
        restrict_to_owner(path)

    from onkocode.evaluation.asking import ask, choose_questions
    from onkocode.evaluation.checking import check_questions
    from onkocode.records.schemas import read_table, write_table

    asked, made_of = _fitted(coder) if coder else _language_model(base, adapter, condition, settings, answers, scratch)
    with recorded(scratch):
        record = Provenance("evaluate-checkpoint", settings.model_dump(), made_of | asked_for, settings.thinking.seed)
        tables = {name: read_table(path, "questions") for name, path in asked_for.items()}
        for name, table in tables.items():
            check_questions(table, asked_for[name])
        predictions = ask(asked, choose_questions(tables, condition, settings), model, epoch, condition)
        record.add(**asked.facts)
        for name, frame in predictions.items():
            record.write(outputs[name])
            write_table(frame, "predictions", outputs[name])
    say(asked.finish())


@step()
def evaluate_conditions(
    *,
    model: str,
    epoch: int,
    base: Path | None = None,
    adapter: Path | None = None,
    questions: SomeNamedPaths,
    icd10gm: Path | None = None,
    icdo3: Path | None = None,
    settings: Annotated[Asking, SETTINGS],
    scratch: Path,
    answers: Path,
    output: SomeNamedPaths,
) -> None:
    """Let a language model answer under further conditions; it is loaded once.

    Args:
        model: the {model} key
        epoch: 0 is the base model
        base: base.json of prepare-model
        adapter: its adapter directory (from epoch 1 on)
        questions: question tables
        icd10gm: label space of ICD-10-GM that constrained answers come from
        icdo3: label space of ICD-O-3 that constrained answers come from
        settings: testing, evaluation, conditions: JSON, or @FILE; keys left out have defaults (`onkocode settings`)
        scratch: directory for saves within the evaluation
        answers: directory of answers that are kept, a folder per condition
        output: predictions by <condition>/<questions>; they hold raw answers
    """
    close_hub()
    outputs, asked_for = dict(output), dict(questions)
    if wrong := [name for name in outputs if name.partition("/")[2] not in asked_for]:
        raise InputError(f"--output {wrong[0]}: not of the form <condition>/<name of --questions>")
    if base is None:
        raise InputError("give --base: a language model alone is asked under further conditions")
    check_adapter(epoch, adapter)
    for path in [*outputs.values(), scratch / "answers", answers / "answers"]:
        restrict_to_owner(path)

    from onkocode.coders.language_model import Checkpoint
    from onkocode.evaluation.conditions import answer_under
    from onkocode.records.schemas import read_table, write_table

    if any(name.startswith("constrained/") for name in outputs) and None in (icd10gm, icdo3):
        raise InputError("give --icd10gm and --icdo3: constrained answers are codes of these label spaces")
    checkpoint = Checkpoint(read_visible_model(base), adapter)
    spaces = {name: path for name, path in {"icd10gm": icd10gm, "icdo3": icdo3}.items() if path}
    files = {"base": base} | ({"adapter": adapter} if adapter else {})
    with recorded(scratch):
        record = Provenance("evaluate-conditions", settings.model_dump(), files | spaces | asked_for)
        tables = {name: read_table(path, "questions") for name, path in asked_for.items()}
        codes = [read_table(path, "codes") for path in spaces.values()]
        found = answer_under(checkpoint, list(outputs), tables, codes, settings, (model, epoch), (answers, scratch))
        for name, frame in found.predictions.items():
            record.write(outputs[name])
            write_table(frame, "predictions", outputs[name])
    say(found.finish())


def _language_model(
    base: Path | None, adapter: Path | None, condition: str, settings: Asking, kept: Path, scratch: Path
) -> tuple[Coder, dict[str, Path]]:
    """Return a language model as a coder, and the files that make it."""
    restrict_to_owner(kept / "answers")
    from onkocode.coders.language_model import Checkpoint, LanguageModel

    inputs = {"base": base, "adapter": adapter}
    files = {role: path for role, path in inputs.items() if path is not None}
    checkpoint, shard = Checkpoint(read_visible_model(files["base"]), adapter), settings.evaluation.shard
    return LanguageModel(checkpoint, condition, settings, kept, scratch, shard), files


def _fitted(folder: Path) -> tuple[Coder, dict[str, Path]]:
    """Return a fitted coder, and the files that make it."""
    from onkocode.coders.fitted import FittedCoder, files_of

    return FittedCoder(folder), {f"coder {name}": path for name, path in files_of(folder).items()}


@step()
def score_answers(
    *,
    predictions: SomeNamedPaths,
    questions: SomeNamedPaths,
    icd10gm: SomeNamedPaths,
    icdo3: SomeNamedPaths,
    ops: NamedPaths = (),
    registries: Path | None = None,
    baseline: Sequence[Path] = (),
    bootstrap: int = 1000,
    tracking: Annotated[Tracking | None, SETTINGS] = None,
    judged: SomeNamedPaths,
    summary: Path | None = None,
    output: Path,
) -> None:
    """Judge the answers of one checkpoint, and compute rates and gains with intervals; the results hold no text.

    Args:
        predictions: tables of evaluate-checkpoint
        questions: the questions that were asked
        icd10gm: label spaces of ICD-10-GM
        icdo3: label spaces of ICD-O-3
        ops: label spaces of OPS, of the data sets that ask for its codes
        registries: morphologies that registries admit, of parse-catalogue
        baseline: the base model's judged tables, for gains
        bootstrap: resamples
        tracking: W&B: JSON of `tracking`; off by default
        judged: judged tables to write
        summary: table of all rates to write (HTML; the TSV lies in the same folder)
        output: metrics to write
    """
    import polars as pl

    from onkocode.evaluation.checking import check_scored

    given = [dict(pairs) for pairs in (predictions, questions, icd10gm, icdo3, judged)]
    if any(set(table) != set(given[0]) for table in given):
        raise InputError("--predictions, --questions, --icd10gm, --icdo3 and --judged must have the same names")
    roles = dict(zip(("predictions", "questions", "icd10gm", "icdo3"), given, strict=False)) | {"ops": dict(ops)}
    read = [_read(name, {role: files[name] for role, files in roles.items() if name in files}) for name in given[0]]
    scored = [item for item, _ in read]
    check_scored(scored)
    base = _baseline(baseline, scored)
    rows = _judged([(item, record, given[-1][item.name]) for item, record in read], registries)
    metrics = _measured(pl.concat(rows), base, [*(path for _, path in judged), *baseline], bootstrap, output)
    if summary is not None:
        _summarise(metrics, output, summary)
    if tracking is not None and tracking.mode != "off":
        _mirror(metrics, tracking, output)


def _read(name: str, files: dict[str, Path]) -> tuple[Scored, Provenance]:
    """Read what the answers to one data set are judged by, from predictions, questions and catalogues."""
    import polars as pl

    from onkocode.evaluation.checking import Scored
    from onkocode.records.schemas import read_table

    catalogues = [path for role, path in files.items() if role not in ("predictions", "questions")]
    predictions, questions = (read_table(files[role], role) for role in ("predictions", "questions"))
    codes = pl.concat([read_table(path, "codes") for path in catalogues])
    return Scored(name, predictions, questions, codes, files), Provenance("score-answers", {}, files)


def _baseline(files: Sequence[Path], scored: Sequence[Scored]) -> pl.DataFrame | None:
    """Return the judged tables of the base model together; None where there are none."""
    import polars as pl

    from onkocode.evaluation.checking import check_baseline
    from onkocode.records.schemas import read_table

    tables = {path: read_table(path, "judged") for path in files}
    check_baseline(tables, scored)
    return pl.concat(tables.values()) if tables else None


def _judged(scored: Sequence[tuple[Scored, Provenance, Path]], registries: Path | None) -> list[pl.DataFrame]:
    """Judge the answers to all data sets; write and return the judged rows. Nothing is written where one fails."""
    from onkocode.catalogues.vocabulary.label_space import label_spaces
    from onkocode.evaluation.judging import judge_answers
    from onkocode.records.schemas import read_table, write_table

    admitted = label_spaces(read_table(registries, "codes")) if registries else {}
    rows = [judge_answers(item.predictions, item.questions, item.spaces, admitted) for item, _, _ in scored]
    for judged, (_, record, output) in zip(rows, scored, strict=True):
        record.write(output)
        write_table(judged, "judged", output)
    return rows


def _measured(
    judged: pl.DataFrame, baseline: pl.DataFrame | None, files: Sequence[Path], bootstrap: int, output: Path
) -> pl.DataFrame:
    """Write and return the metrics of judged rows, which stand in the files, as the baseline does."""
    from onkocode.evaluation.measuring import measure
    from onkocode.records.schemas import write_table

    record = Provenance("score-answers", {"bootstrap": bootstrap}, {str(path): path for path in files})
    metrics = measure(judged, baseline, bootstrap)
    record.write(output)
    write_table(metrics, "metrics", output)
    return metrics


def _summarise(metrics: pl.DataFrame, file: Path, output: Path) -> None:
    """Write the table of one checkpoint from its metrics, which stand in the file."""
    from onkocode.reporting.summary import write_performance_summary

    record = Provenance("score-answers", {}, {str(file): file})
    model, epoch = metrics.select("model", "epoch").row(0)
    write_performance_summary([file], model, epoch, output)
    record.write(output)


def _mirror(metrics: pl.DataFrame, tracking: Tracking, output: Path) -> None:
    """Send the table of numbers to W&B."""
    from onkocode.tracking import TrackedRun

    if metrics.is_empty():
        return
    row: dict[str, Any] = metrics.row(0, named=True)
    run = TrackedRun(tracking, row["model"], "evaluate", row["epoch"], {"condition": row["condition"]}, output.parent)
    values = {"evaluate/epoch": row["epoch"]}
    place = ["condition", "dataset", "task", "stratum", "metric", "denominator"]
    for item in metrics.unique(place, keep="first", maintain_order=True).iter_rows(named=True):
        if item["value"] is not None:
            name = "/".join(item[key] for key in ("dataset", "task", "stratum", "metric", "denominator"))
            values[f"evaluate/{item['condition']}/{name}"] = item["value"]
    with run:
        run.log(values)
