"""Steps of the stage evaluation, from the judging of answers on; those in which coders answer are in `answering`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from onkocode.records.errors import InputError
from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.options import SETTINGS, NamedPaths, SomeNamedPaths

if TYPE_CHECKING:
    import polars as pl

    from onkocode.config.schema import Tracking
    from onkocode.evaluation.checking import Scored


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
