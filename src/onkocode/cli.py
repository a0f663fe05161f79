"""The command `onkocode`: one verb per step of the workflow, the same that the rules call.

Heavy libraries are imported by the verb that needs them, so `--help` answers at once.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onkocode.records.errors import InputError


@dataclass(frozen=True)
class Option:
    """An option of a verb."""

    name: str
    help: str
    type: Callable[[str], Any] = Path
    required: bool = True
    many: bool = False
    flag: bool = False
    default: Any = None
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Verb:
    """A verb: the function of the same name (with underscores) in a module of `onkocode.commands`."""

    name: str
    module: str
    help: str
    options: Sequence[Option] = field(default_factory=tuple)


def settings_argument(text: str) -> Any:
    """Return settings given as JSON, or as `@FILE` holding JSON."""
    import json

    try:
        return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"not JSON, nor @FILE with JSON: {error}") from None


def named_path(text: str) -> tuple[str, Path]:
    """Return NAME=FILE as a pair."""
    name, separator, path = text.partition("=")
    if not separator or not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=FILE")
    return name, Path(path)


SETTINGS = "JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)"


def _settings(of: str, required: bool = True) -> Option:
    return Option("--settings", f"{of}: {SETTINGS}", settings_argument, required, default={})


MODEL = Option("--model", "the {model} key", str)
EPOCH = Option("--epoch", "0 is the base model", int)
CONDITION = Option("--condition", "how it is asked", str, choices=("free", "thinking"))
OUTPUT = Option("--output", "file to write")
TRACKING = Option("--tracking", "W&B: JSON of `tracking`; off by default", settings_argument, False, default={})
BASE = Option("--base", "base.json of prepare-model")
METRICS = Option("--metrics", "table of collect-metrics")
MODELS = Option("--models", "files of describe-model, in the order of the figure", many=True)

TRAINING_LOGS = Option("--training", "metrics.jsonl of train-epoch", many=True)
TEXTS = Option("--texts", "keys of the test sets, in order", str, required=False, many=True)
FIGURE = Option("--output", "SVG to write; PNG and the plotted numbers (TSV) lie beside it")
TABLE = Option("--output", "HTML to write; the TSV lies beside it")

FORMULATIONS = Option("--formulations", "version of the formulations", str, required=False, default="v1")
SLICES = ("data", "base", "description", "training", "testing", "thinking")

VERBS: tuple[Verb, ...] = (
    Verb(
        "retrieve-catalogue",
        "catalogues",
        "copy a local catalogue file, or download it",
        (
            Option("--dataset", "alphaid, icd10gm, icdo3 or ops", str),
            Option("--version", "version as in the table of sources", str),
            Option("--sources", "table of sources", default=Path("config/catalogues.tsv"), required=False),
            Option("--folder", "folder with files of yours; default: ONKOCODE_CATALOGUES", required=False),
            Option("--file", "the file, where it is already known", required=False),
            Option(
                "--consent", "true: you have read and accept the terms of use", settings_argument, False, default=False
            ),
            OUTPUT,
        ),
    ),
    Verb(
        "parse-catalogue",
        "catalogues",
        "turn a catalogue file into entries and a label space",
        (
            Option("--dataset", "alphaid, icd10gm, icdo3 or ops", str),
            Option("--version", "its version", str),
            Option("--file", "the catalogue file"),
            Option("--entries", "table of entries to write"),
            Option("--codes", "label space to write"),
        ),
    ),
    Verb(
        "read-texts",
        "catalogues",
        "read and check a test set of coded texts",
        (
            Option("--key", "the test set's key", str),
            Option("--file", "CSV or TSV"),
            _settings("columns of the file", required=False),
            Option("--icd10gm", "label space of ICD-10-GM"),
            Option("--icdo3", "label space of ICD-O-3"),
            OUTPUT,
        ),
    ),
    Verb(
        "check-inputs",
        "catalogues",
        "check all questions and test sets together, before any training",
        (
            Option("--questions", "KEY=FILE of data keys", named_path, many=True),
            Option("--texts", "KEY=FILE of test sets (entries)", named_path, required=False, many=True),
            OUTPUT,
        ),
    ),
    Verb(
        "build-questions",
        "questions",
        "build the questions of a data key",
        (
            Option("--alphaid", "entries of Alpha-ID"),
            Option("--icdo3", "entries of ICD-O-3"),
            Option("--ops", "entries of OPS"),
            Option("--icd10gm", "label space of ICD-10-GM"),
            _settings("data key"),
            OUTPUT,
        ),
    ),
    Verb(
        "build-text-questions",
        "questions",
        "build the questions on a test set",
        (
            Option("--texts", "entries of read-texts"),
            FORMULATIONS,
            OUTPUT,
        ),
    ),
    Verb(
        "pretrain-model",
        "models",
        "build and briefly pre-train a tiny model, on text without label–code pairs",
        (
            Option("--entries", "entries whose labels (not codes) are used", many=True),
            Option("--codes", "label spaces whose codes (not titles) are used", many=True),
            FORMULATIONS,
            _settings("tiny model"),
            Option("--output", "model directory to write"),
        ),
    ),
    Verb(
        "prepare-model",
        "models",
        "locate a base model (Hub, directory, tiny)",
        (
            _settings("the recipe's base"),
            Option("--built", "directory of pretrain-model, for a tiny model", required=False),
            OUTPUT,
        ),
    ),
    Verb(
        "describe-model",
        "models",
        "put together what figures and tables say of a model",
        (MODEL, _settings("recipe"), BASE, OUTPUT),
    ),
    Verb(
        "train-epoch",
        "training",
        "train one epoch; goes on where an interrupted job stopped",
        (
            MODEL,
            EPOCH,
            BASE,
            Option("--questions", "table of build-questions"),
            _settings("training"),
            Option("--previous", "directory of the epoch before (from epoch 2 on)", required=False),
            Option("--scratch", "directory for saves within the epoch"),
            TRACKING,
            Option("--output", "directory for adapter/, state/ and metrics.jsonl"),
        ),
    ),
    Verb(
        "evaluate-checkpoint",
        "evaluation",
        "let a model answer all data sets",
        (
            MODEL,
            EPOCH,
            CONDITION,
            BASE,
            Option("--adapter", "adapter directory (from epoch 1 on)", required=False),
            Option("--questions", "NAME=FILE of question tables", named_path, many=True),
            _settings("testing, evaluation and thinking"),
            Option("--scratch", "directory for saves within the evaluation"),
            Option("--output", "NAME=FILE of predictions; they hold raw answers", named_path, many=True),
        ),
    ),
    Verb(
        "judge-answers",
        "evaluation",
        "judge predictions; the result holds no text",
        (
            Option("--predictions", "table of evaluate-checkpoint"),
            Option("--questions", "the questions that were asked"),
            Option("--icd10gm", "label space of ICD-10-GM"),
            Option("--icdo3", "label space of ICD-O-3"),
            OUTPUT,
        ),
    ),
    Verb(
        "measure-answers",
        "evaluation",
        "compute rates and gains with intervals for one checkpoint",
        (
            Option("--judged", "tables of judge-answers", many=True),
            Option("--baseline", "the base model's judged tables, for gains", required=False, many=True),
            Option("--bootstrap", "resamples", int, required=False, default=1000),
            TRACKING,
            OUTPUT,
        ),
    ),
    Verb(
        "collect-metrics",
        "evaluation",
        "put the metrics of all checkpoints into one table and select the best checkpoints",
        (
            Option("--metrics", "tables of measure-answers", many=True),
            TEXTS,
            OUTPUT,
            Option("--selection", "table of selected checkpoints to write"),
        ),
    ),
    Verb(
        "plot-loss-curves",
        "reporting",
        "draw Figure 1, the loss of every model",
        (TRAINING_LOGS, MODELS, FIGURE),
    ),
    Verb(
        "plot-accuracy-by-epoch",
        "reporting",
        "draw Figure 2, accuracy on catalogue and texts at every epoch",
        (METRICS, MODELS, TEXTS, FIGURE),
    ),
    Verb(
        "plot-heldout-by-epoch",
        "reporting",
        "draw accuracy on trained labels, held-out formulations and held-out labels",
        (METRICS, MODELS, FIGURE),
    ),
    Verb(
        "plot-size-accuracy",
        "reporting",
        "draw Figure 3, accuracy against size",
        (
            METRICS,
            MODELS,
            TEXTS,
            Option(
                "--ceilings", "draw the paper's upper limits, which hold for its own texts", flag=True, required=False
            ),
            FIGURE,
        ),
    ),
    Verb(
        "plot-thinking-mode",
        "reporting",
        "draw Figure 4, thinking mode against base and trained models",
        (METRICS, MODELS, TEXTS, FIGURE),
    ),
    Verb(
        "tabulate-questions",
        "reporting",
        "write Table 1, the questions per block",
        (Option("--questions", "table of build-questions"), TABLE),
    ),
    Verb(
        "tabulate-models",
        "reporting",
        "write Table 3, the models",
        (MODELS, TRAINING_LOGS, TABLE),
    ),
    Verb(
        "tabulate-performance",
        "reporting",
        "write Table 4, base against trained models",
        (METRICS, MODELS, TEXTS, TABLE),
    ),
    Verb(
        "summarise-checkpoint",
        "reporting",
        "write the table of one checkpoint",
        (MODEL, EPOCH, Option("--metrics", "table of measure-answers"), TABLE),
    ),
    Verb(
        "settings",
        "configuration",
        "print the settings that a rule hands to its verb, from configuration files",
        (
            Option("--config", "configuration files, later ones over earlier ones", many=True),
            Option("--of", "which settings", str, choices=SLICES),
            Option("--key", "a {model} key, or a data key", str),
        ),
    ),
    Verb(
        "write-option",
        "configuration",
        "write settings that change no result to a file",
        (_settings("the option"), OUTPUT),
    ),
    Verb(
        "write-config",
        "configuration",
        "check a merged configuration and save it with the results",
        (_settings("the merged configuration"), OUTPUT),
    ),
    Verb(
        "write-schema",
        "configuration",
        "write the JSON schema of the configuration",
        (OUTPUT,),
    ),
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    parser = argparse.ArgumentParser(prog="onkocode", description=__doc__.splitlines()[0] if __doc__ else "")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        sub = verbs.add_parser(verb.name, help=verb.help, description=verb.help)
        for option in verb.options:
            if option.flag:
                sub.add_argument(option.name, action="store_true", help=option.help)
                continue
            sub.add_argument(
                option.name,
                help=option.help,
                type=option.type,
                required=option.required,
                nargs=("+" if option.required else "*") if option.many else None,
                default=[] if option.many and option.default is None else option.default,
                choices=option.choices,
            )
        sub.set_defaults(run=verb)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run a verb; returns the exit status (2 = the user's input is wrong)."""
    options = build_parser().parse_args(arguments)
    verb: Verb = options.run
    module = importlib.import_module(f"onkocode.commands.{verb.module}")
    try:
        getattr(module, verb.name.replace("-", "_"))(options)
    except InputError as error:
        print(f"onkocode {verb.name}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except OSError as error:
        if error.filename is None:
            raise
        print(f"onkocode {verb.name}: {error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
