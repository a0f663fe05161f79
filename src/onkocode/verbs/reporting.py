"""Verbs of the stage reporting."""

from onkocode.verbs.options import EPOCH, MODEL, TABLE, TRAINING_LOGS, Option, Verb, settings_of

VERBS: tuple[Verb, ...] = (
    Verb(
        "draw",
        "reporting",
        "draw a figure, or write a table, from results",
        (
            Option("--item", "its name, e.g. size_accuracy or questions-example", str),
            Option("--metrics", "table of collect-metrics", required=False),
            Option("--selection", "selected checkpoints of collect-metrics", required=False),
            Option("--models", "files of describe-model, in the order of the figure", required=False, many=True),
            TRAINING_LOGS,
            Option("--attempts", "attempts.jsonl of train-epoch", required=False, many=True),
            Option("--questions", "table of build-questions", required=False),
            settings_of("texts, valid_floor, paper_ceilings", required=False),
            Option("--output", "SVG (PNG and TSV lie beside it) or HTML (TSV beside it) to write"),
        ),
    ),
    Verb(
        "summarise-checkpoint",
        "reporting",
        "write the table of one checkpoint",
        (MODEL, EPOCH, Option("--metrics", "table of measure-answers"), TABLE),
    ),
)
