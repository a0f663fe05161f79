"""Steps of the stage reporting: figures and tables from files in results alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.options import SETTINGS

if TYPE_CHECKING:
    from onkocode.reporting.results import Settings


@step()
def draw(
    *,
    item: str,
    metrics: Path | None = None,
    selection: Path | None = None,
    frequencies: Path | None = None,
    comparisons: Path | None = None,
    strata: Path | None = None,
    breakdown: Path | None = None,
    confusions: Path | None = None,
    certainty: Path | None = None,
    models: Sequence[Path] = (),
    training: Sequence[Path] = (),
    attempts: Sequence[Path] = (),
    questions: Path | None = None,
    settings: Annotated[Settings | None, SETTINGS] = None,
    output: Path,
) -> None:
    """Draw a figure, or write a table, with the numbers that it shows.

    Each needs some of the files alone; which, its row in onkocode/reporting/registry.py says.

    Args:
        item: its name, e.g. size_accuracy, performance or questions-example
        metrics: table of collect-metrics
        selection: selected checkpoints of collect-metrics
        frequencies: epoch choices of collect-metrics
        comparisons: table of compare-checkpoints
        strata: metrics of parts of the answers, of break-down
        breakdown: metrics by kind of code, of break-down
        confusions: table of break-down
        certainty: table of measure-certainty
        models: files of describe-model, in the order of the figure
        training: metrics.jsonl of train-epoch
        attempts: attempts.jsonl of train-epoch
        questions: table of build-questions
        settings: texts (keys of the test sets, in order), valid_floor, paper_ceilings: JSON, or @FILE
        output: SVG to write, PNG and TSV lie in the same folder; or HTML, and the TSV
    """
    from onkocode.reporting.registry import find
    from onkocode.reporting.results import Results, Settings

    row, settings = find(item), settings or Settings()
    given = {"metrics": metrics, "selection": selection, "models": models, "training": training}
    given |= {"attempts": attempts, "questions": questions, "frequencies": frequencies, "comparisons": comparisons}
    given |= {"strata": strata, "breakdown": breakdown, "confusions": confusions, "certainty": certainty}
    files = {name: [value] if isinstance(value, Path) else value or () for name, value in given.items()}
    results = Results({str(name): files[name] for name in row.inputs}, settings)
    read = {str(name): getattr(settings, name) for name in row.settings}
    inputs = {str(path): path for paths in results.files.values() for path in paths}
    record = Provenance("draw", {"item": item, **read}, inputs)
    drawn = row.draw(results)
    record.write(output)
    drawn.write(output)
