"""Steps of the stage reporting: figures and tables from files in results alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.options import VALID_FLOOR, Share, SomePaths


def _record(verb: str, inputs: Sequence[Path], **settings: object) -> Provenance:
    """Start the provenance of a figure or table."""
    return Provenance(verb, settings, {str(path): path for path in inputs})


@step()
def plot_loss_curves(
    *, training: Sequence[Path] = (), attempts: Sequence[Path] = (), models: SomePaths, output: Path
) -> None:
    """Draw Figure 1, the loss of every model.

    Args:
        training: metrics.jsonl of train-epoch
        attempts: attempts.jsonl of train-epoch
        models: files of describe-model, in the order of the figure
        output: SVG to write; PNG and the plotted numbers (TSV) lie in the same folder
    """
    from onkocode.reporting import loss_curves

    record = _record("plot-loss-curves", [*models, *training])
    loss_curves.plot_loss_curves(training, models, output, attempts)
    record.write(output)


@step()
def plot_accuracy_by_epoch(
    *, metrics: Path, models: SomePaths, texts: Sequence[str] = (), valid_floor: Share = VALID_FLOOR, output: Path
) -> None:
    """Draw Figure 2, accuracy on catalogue and texts at every epoch.

    Args:
        metrics: table of collect-metrics
        models: files of describe-model, in the order of the figure
        texts: keys of the test sets, in order
        valid_floor: least share of valid answers, 0 to 1 (evaluation.valid_floor)
        output: SVG to write; PNG and the plotted numbers (TSV) lie in the same folder
    """
    from onkocode.reporting import accuracy_by_epoch

    record = _record("plot-accuracy-by-epoch", [metrics, *models], texts=list(texts), valid_floor=valid_floor)
    accuracy_by_epoch.plot_accuracy_by_epoch([metrics], models, texts, output, valid_floor=valid_floor)
    record.write(output)


@step()
def plot_heldout_by_epoch(*, metrics: Path, models: SomePaths, output: Path) -> None:
    """Draw accuracy on trained labels, held-out formulations and held-out labels.

    Args:
        metrics: table of collect-metrics
        models: files of describe-model, in the order of the figure
        output: SVG to write; PNG and the plotted numbers (TSV) lie in the same folder
    """
    from onkocode.reporting import accuracy_by_epoch

    record = _record("plot-heldout-by-epoch", [metrics, *models])
    accuracy_by_epoch.plot_heldout_by_epoch([metrics], models, output)
    record.write(output)


@step()
def plot_size_accuracy(
    *, metrics: Path, models: SomePaths, texts: Sequence[str] = (), ceilings: bool = False, output: Path
) -> None:
    """Draw Figure 3, accuracy against size.

    Args:
        metrics: table of collect-metrics
        models: files of describe-model, in the order of the figure
        texts: keys of the test sets, in order
        ceilings: draw the paper's upper limits, which hold for its own texts
        output: SVG to write; PNG and the plotted numbers (TSV) lie in the same folder
    """
    from onkocode.reporting import size_accuracy

    record = _record("plot-size-accuracy", [metrics, *models], texts=list(texts), ceilings=ceilings)
    size_accuracy.plot_size_accuracy([metrics], models, texts, output, ceilings=ceilings)
    record.write(output)


@step()
def plot_thinking_mode(
    *, metrics: Path, models: SomePaths, texts: Sequence[str] = (), valid_floor: Share = VALID_FLOOR, output: Path
) -> None:
    """Draw Figure 4, thinking mode against base and trained models.

    Args:
        metrics: table of collect-metrics
        models: files of describe-model, in the order of the figure
        texts: keys of the test sets, in order
        valid_floor: least share of valid answers, 0 to 1 (evaluation.valid_floor)
        output: SVG to write; PNG and the plotted numbers (TSV) lie in the same folder
    """
    from onkocode.reporting import thinking_mode

    record = _record("plot-thinking-mode", [metrics, *models], texts=list(texts), valid_floor=valid_floor)
    thinking_mode.plot_thinking_mode([metrics], models, texts, output, valid_floor)
    record.write(output)


@step()
def tabulate_questions(*, questions: Path, output: Path) -> None:
    """Write Table 1, the questions per block.

    Args:
        questions: table of build-questions
        output: HTML to write; the TSV lies in the same folder
    """
    from onkocode.reporting import tables

    record = _record("tabulate-questions", [questions])
    tables.write_question_counts(questions, output)
    record.write(output)


@step()
def tabulate_models(*, models: SomePaths, training: Sequence[Path] = (), output: Path) -> None:
    """Write Table 3, the models.

    Args:
        models: files of describe-model, in the order of the figure
        training: metrics.jsonl of train-epoch
        output: HTML to write; the TSV lies in the same folder
    """
    from onkocode.reporting import tables

    record = _record("tabulate-models", [*models, *training])
    tables.write_model_table(models, training, output)
    record.write(output)


@step()
def tabulate_performance(
    *, metrics: Path, models: SomePaths, texts: Sequence[str] = (), valid_floor: Share = VALID_FLOOR, output: Path
) -> None:
    """Write Table 4, base against trained models.

    Args:
        metrics: table of collect-metrics
        models: files of describe-model, in the order of the figure
        texts: keys of the test sets, in order
        valid_floor: least share of valid answers, 0 to 1 (evaluation.valid_floor)
        output: HTML to write; the TSV lies in the same folder
    """
    from onkocode.reporting import performance

    record = _record("tabulate-performance", [metrics, *models], texts=list(texts), valid_floor=valid_floor)
    performance.write_performance_table([metrics], models, texts, output, valid_floor)
    record.write(output)


@step()
def tabulate_replicates(*, metrics: Path, models: SomePaths, texts: Sequence[str] = (), output: Path) -> None:
    """Write the table of replicates, accuracy over the seeds of a recipe.

    Args:
        metrics: table of collect-metrics
        models: files of describe-model, in the order of the figure
        texts: keys of the test sets, in order
        output: HTML to write; the TSV lies in the same folder
    """
    from onkocode.reporting import replicates

    record = _record("tabulate-replicates", [metrics, *models], texts=list(texts))
    replicates.write_replicate_table([metrics], models, texts, output)
    record.write(output)
