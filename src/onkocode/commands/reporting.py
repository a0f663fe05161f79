"""Verbs of the stage reporting: figures and tables from files in results alone."""

from argparse import Namespace

from onkocode.records.provenance import Provenance


def _record(options: Namespace, **settings: object) -> Provenance:
    """Start the provenance of a figure or table: every file option is an input."""
    inputs = {}
    for name in ("metrics", "models", "training", "questions"):
        value = getattr(options, name, None)
        for path in value if isinstance(value, list) else [value] if value else []:
            inputs[str(path)] = path
    return Provenance(str(options.verb), settings, inputs)


def plot_loss_curves(options: Namespace) -> None:
    """Draw Figure 1."""
    from onkocode.reporting import loss_curves

    record = _record(options)
    loss_curves.plot_loss_curves(options.training, options.models, options.output, options.attempts)
    record.write(options.output)


def plot_accuracy_by_epoch(options: Namespace) -> None:
    """Draw Figure 2."""
    from onkocode.reporting import accuracy_by_epoch

    record = _record(options, texts=options.texts, valid_floor=options.valid_floor)
    accuracy_by_epoch.plot_accuracy_by_epoch(
        [options.metrics], options.models, options.texts, options.output, valid_floor=options.valid_floor
    )
    record.write(options.output)


def plot_heldout_by_epoch(options: Namespace) -> None:
    """Draw accuracy on trained and held-out labels and formulations."""
    from onkocode.reporting import accuracy_by_epoch

    record = _record(options)
    accuracy_by_epoch.plot_heldout_by_epoch([options.metrics], options.models, options.output)
    record.write(options.output)


def plot_size_accuracy(options: Namespace) -> None:
    """Draw Figure 3."""
    from onkocode.reporting import size_accuracy

    record = _record(options, texts=options.texts, ceilings=options.ceilings)
    size_accuracy.plot_size_accuracy(
        [options.metrics], options.models, options.texts, options.output, ceilings=options.ceilings
    )
    record.write(options.output)


def plot_thinking_mode(options: Namespace) -> None:
    """Draw Figure 4."""
    from onkocode.reporting import thinking_mode

    record = _record(options, texts=options.texts, valid_floor=options.valid_floor)
    thinking_mode.plot_thinking_mode(
        [options.metrics], options.models, options.texts, options.output, options.valid_floor
    )
    record.write(options.output)


def tabulate_questions(options: Namespace) -> None:
    """Write Table 1."""
    from onkocode.reporting import tables

    record = _record(options)
    tables.write_question_counts(options.questions, options.output)
    record.write(options.output)


def tabulate_models(options: Namespace) -> None:
    """Write Table 3."""
    from onkocode.reporting import tables

    record = _record(options)
    tables.write_model_table(options.models, options.training, options.output)
    record.write(options.output)


def tabulate_performance(options: Namespace) -> None:
    """Write Table 4."""
    from onkocode.reporting import performance

    record = _record(options, texts=options.texts, valid_floor=options.valid_floor)
    performance.write_performance_table(
        [options.metrics], options.models, options.texts, options.output, options.valid_floor
    )
    record.write(options.output)


def tabulate_replicates(options: Namespace) -> None:
    """Write the table of replicates."""
    from onkocode.reporting import replicates

    record = _record(options, texts=options.texts)
    replicates.write_replicate_table([options.metrics], options.models, options.texts, options.output)
    record.write(options.output)
