"""Verbs of the stage reporting: figures and tables from files in results alone."""

from argparse import Namespace

from onkocode.commands.common import validated
from onkocode.records.provenance import Provenance


def draw(options: Namespace) -> None:
    """Draw a figure or table."""
    from onkocode.reporting.registry import find
    from onkocode.reporting.results import Results, Settings

    item, settings = find(options.item), validated(Settings, options.settings)
    given = {str(name): getattr(options, name) for name in item.inputs}
    files = {name: value if isinstance(value, list) else [value] if value else [] for name, value in given.items()}
    inputs = {str(path): path for paths in files.values() for path in paths}
    read = {str(name): getattr(settings, name) for name in item.settings}
    record = Provenance("draw", {"item": options.item, **read}, inputs)
    drawn = item.draw(Results(files, settings))
    record.write(options.output)
    drawn.write(options.output)


def summarise_checkpoint(options: Namespace) -> None:
    """Write the table of one checkpoint."""
    from onkocode.reporting import performance

    settings = {"model": options.model, "epoch": options.epoch}
    record = Provenance("summarise-checkpoint", settings, {str(options.metrics): options.metrics})
    performance.write_performance_summary([options.metrics], options.model, options.epoch, options.output)
    record.write(options.output)
