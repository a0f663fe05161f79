"""Steps of the stage evaluation that look at all checkpoints: choosing, comparing, breaking down, and certainty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.options import SETTINGS, VALID_FLOOR, NamedPaths, Share, SomePaths
from onkocode.terminal import say

if TYPE_CHECKING:
    import polars as pl

    from onkocode.evaluation.comparisons import Comparing
    from onkocode.evaluation.overview import Overview


@step()
def collect_metrics(
    *,
    metrics: SomePaths,
    judged: Sequence[Path] = (),
    texts: Sequence[str] = (),
    valid_floor: Share = VALID_FLOOR,
    choice: Literal["best", "one-standard-error"] = "best",
    output: Path,
    selection: Path,
    frequencies: Path | None = None,
) -> None:
    """Put the metrics of all checkpoints into one table, and choose the best checkpoints.

    Args:
        metrics: tables of score-answers
        judged: judged tables of the data sets by which epochs are chosen; without them nothing is cross-fitted
        texts: keys of the test sets, in order
        valid_floor: least share of valid answers, 0 to 1 (evaluation.valid_floor)
        choice: best, or the earliest within one standard error of it (evaluation.choice)
        output: file to write
        selection: table of selected checkpoints to write
        frequencies: table to write of how often each epoch would be chosen
    """
    import polars as pl

    from onkocode.evaluation.crossfitting import FREQUENCIES, cross_fitted_metrics, refine
    from onkocode.evaluation.selection import select_checkpoints, write_selection
    from onkocode.records.schemas import read_table, write_table
    from onkocode.reporting.outputs import write_tsv

    settings = {"texts": list(texts), "valid_floor": valid_floor, "choice": choice}
    record = Provenance("collect-metrics", settings, {str(path): path for path in [*metrics, *judged]})
    table = pl.concat([read_table(path, "metrics") for path in metrics])
    chosen, shares = select_checkpoints(table, list(texts), valid_floor), pl.DataFrame(schema=FREQUENCIES)
    if judged:
        answers = _read_judged(judged)
        chosen, shares = refine(chosen, answers, choice, valid_floor)
        table = pl.concat([table, cross_fitted_metrics(chosen, answers, choice, valid_floor)])
    written = [output, selection, *([frequencies] if frequencies else [])]
    record.write(*written)
    write_table(table, "metrics", output)
    write_selection(chosen, selection)
    if frequencies:
        write_tsv(shares, frequencies)


@step()
def compare_checkpoints(
    *, judged: SomePaths, selection: Path, settings: Annotated[Comparing, SETTINGS], output: Path
) -> None:
    """Compare checkpoints on the same questions: trained and base, prompts, conditions, epochs, coders.

    Args:
        judged: judged tables of all checkpoints and conditions
        selection: table of collect-metrics
        settings: texts, bases, primary, choice: JSON, or @FILE (`onkocode settings`)
        output: table of differences to write
    """
    from onkocode.config.base import CATALOGUE
    from onkocode.evaluation.choosing import choice_of
    from onkocode.evaluation.comparisons import compare
    from onkocode.evaluation.crossfitting import epoch_weights
    from onkocode.evaluation.pairs import Asked, planned_pairs
    from onkocode.evaluation.selection import chosen_ways, read_selection
    from onkocode.records.schemas import write_table

    record = Provenance(
        "compare-checkpoints", settings.model_dump(), {str(path): path for path in [*judged, selection]}
    )
    answers = _read_judged(judged)
    ways, chosen = chosen_ways(read_selection(selection)), _chosen(answers, selection)
    choose = choice_of("test", settings.choice, 0)
    weights = {
        (model, dataset): table
        for model, (way, dataset) in ways.items()
        if way == "test" and (table := epoch_weights(answers, model, dataset, choose)) is not None
    }
    available = {Asked(*row) for row in answers.select("model", "epoch", "condition").unique().iter_rows()}
    pairs = planned_pairs(available, chosen, settings.bases)
    found = compare(answers, pairs, settings.texts or (CATALOGUE,), settings.primary, weights)
    record.write(output)
    write_table(found, "comparisons", output)


@step(by_hand=True)
def compare(*, left: SomePaths, right: SomePaths) -> None:
    """Compare any two checkpoints, conditions or coders on the questions that both answered; prints their differences.

    Args:
        left: judged tables of one (results/evaluation/<model>/epoch-<n>/<condition>/<data set>.parquet)
        right: judged tables of the other
    """
    import polars as pl

    from onkocode.evaluation.comparisons import compare_two
    from onkocode.records.schemas import read_table
    from onkocode.text_tables import text_table

    sides = [pl.concat([read_table(path, "judged") for path in paths]) for paths in (left, right)]
    found = compare_two(*sides).with_columns(pl.col("left", "right", "difference", "low", "high") * 100)
    columns = ["dataset", "task", "metric", "left", "right", "difference", "low", "high"]
    rows = [
        [*row[:-3], f"{row[-3]:.5f}", *row[-2:]] for row in found.select(*columns, "p", "n", "clusters").iter_rows()
    ]
    heads = ["data set", "task", "measure", "left %", "right %", "difference", "from", "to", "p", "questions", "texts"]
    say(text_table(heads, rows, left=3))
    say("Points of all answers; 95 % intervals over texts; p by flipped signs, not corrected for other comparisons.")


@step()
def break_down(
    *,
    judged: SomePaths,
    selection: Path,
    questions: NamedPaths,
    leakage: NamedPaths = (),
    codes: SomePaths,
    settings: Annotated[Overview, SETTINGS],
    strata: Path,
    output: Path,
    confusions: Path,
) -> None:
    """Measure parts of the answers: by kind of code, by formulation, the same texts under all conditions, new labels.

    Args:
        judged: judged tables of all checkpoints and conditions
        selection: table of collect-metrics
        questions: tables of build-questions, by data key
        leakage: private tables of check-leakage, by data key: which held-out labels are near a trained one
        codes: label spaces
        settings: data, bases, least_cell, bootstrap: JSON, or @FILE (`onkocode settings`)
        strata: metrics of parts to write, of all checkpoints
        output: metrics by kind of code and by formulation to write, of base and chosen checkpoints
        confusions: table of confusions to write (TSV)
    """
    import polars as pl

    from onkocode.evaluation.overview import Sources, details, parts_of
    from onkocode.records.schemas import read_table, write_table
    from onkocode.reporting.outputs import write_tsv

    known = {key: path for key, path in leakage if path.is_file()}
    inputs = {str(path): path for path in [*judged, selection, *codes, *dict(questions).values(), *known.values()]}
    record = Provenance("break-down", settings.model_dump(), inputs)
    answers = _read_judged(judged)
    near = {key: read_table(path, "leakage") for key, path in known.items()}
    sources = Sources({key: read_table(path, "questions") for key, path in questions}, near)
    spaces = pl.concat([read_table(path, "codes") for path in codes]).unique(["code", "system"], keep="first")
    found = details(answers, _chosen(answers, selection), sources, spaces, settings)
    record.write(strata, output, confusions)
    write_table(parts_of(answers, sources, settings), "metrics", strata)
    write_table(found.rates, "metrics", output)
    write_tsv(found.confusions, confusions)


@step()
def measure_certainty(*, judged: SomePaths, selection: Path, output: Path) -> None:
    """Measure what scores are worth: accuracy by coverage, calibration, and how many cases need no human.

    Args:
        judged: judged tables of all checkpoints, conditions free and constrained
        selection: table of collect-metrics
        output: table to write
    """
    from onkocode.evaluation.certainty import measure_certainty as measured
    from onkocode.records.schemas import write_table

    record = Provenance("measure-certainty", {}, {str(path): path for path in [*judged, selection]})
    answers = _read_judged(judged)
    found = measured(answers, _chosen(answers, selection))
    record.write(output)
    write_table(found, "certainty", output)


def _read_judged(paths: Sequence[Path]) -> pl.DataFrame:
    """Read judged answers, save those to training questions, of which there may be millions."""
    import polars as pl

    from onkocode.records.schemas import read_table

    seen = ["train", "heldout_formulation"]
    return pl.concat([read_table(path, "judged").filter(~pl.col("split").is_in(seen)) for path in paths])


def _chosen(judged: pl.DataFrame, selection: Path) -> dict[str, int]:
    """Return the epoch that stands for each model: the chosen one, or the only one."""
    from onkocode.evaluation.selection import chosen_epochs, read_selection, single_epochs

    return single_epochs(judged) | chosen_epochs(read_selection(selection))
