"""Verbs of the stage evaluation."""

from onkocode.verbs.options import (
    CONDITION,
    EPOCH,
    MODEL,
    OPTIONAL_BASE,
    OUTPUT,
    TEXTS,
    TRACKING,
    VALID_FLOOR,
    Option,
    Verb,
    named_path,
    settings_of,
)

VERBS: tuple[Verb, ...] = (
    Verb(
        "evaluate-checkpoint",
        "evaluation",
        "let a coder answer all data sets",
        (
            MODEL,
            EPOCH,
            CONDITION,
            OPTIONAL_BASE,
            Option("--adapter", "its adapter directory (from epoch 1 on)", required=False),
            Option("--coder", "directory of fit-coder, for a coder that is no language model", required=False),
            Option("--questions", "NAME=FILE of question tables", named_path, many=True),
            settings_of("testing, evaluation and thinking"),
            Option("--scratch", "directory for saves within the evaluation"),
            Option("--answers", "directory of answers that are kept, so that nothing is asked twice"),
            Option("--output", "NAME=FILE of predictions; they hold raw answers", named_path, many=True),
        ),
    ),
    Verb(
        "keep-answers",
        "upgrade",
        "take over the answers of predictions that an earlier version wrote, so that later runs ask only what is new",
        (Option("--config", "configuration files, later ones over earlier ones", required=False, many=True),),
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
            VALID_FLOOR,
            OUTPUT,
            Option("--selection", "table of selected checkpoints to write"),
        ),
    ),
)
