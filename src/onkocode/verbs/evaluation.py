"""Verbs of the stage evaluation."""

from onkocode.verbs.options import (
    BASE,
    CONDITION,
    EPOCH,
    MODEL,
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
        "let a model answer all data sets",
        (
            MODEL,
            EPOCH,
            CONDITION,
            BASE,
            Option("--adapter", "adapter directory (from epoch 1 on)", required=False),
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
        "score-answers",
        "evaluation",
        "judge the answers of one checkpoint, and compute rates and gains with intervals; the results hold no text",
        (
            Option("--predictions", "NAME=FILE of evaluate-checkpoint", named_path, many=True),
            Option("--questions", "NAME=FILE of the questions that were asked", named_path, many=True),
            Option("--icd10gm", "NAME=FILE of label spaces of ICD-10-GM", named_path, many=True),
            Option("--icdo3", "NAME=FILE of label spaces of ICD-O-3", named_path, many=True),
            Option("--baseline", "the base model's judged tables, for gains", required=False, many=True),
            Option("--bootstrap", "resamples", int, required=False, default=1000),
            TRACKING,
            Option("--judged", "NAME=FILE of judged tables to write", named_path, many=True),
            Option("--summary", "table of the checkpoint to write (HTML; TSV beside it)", required=False),
            OUTPUT,
        ),
    ),
    Verb(
        "collect-metrics",
        "evaluation",
        "put the metrics of all checkpoints into one table and select the best checkpoints",
        (
            Option("--metrics", "tables of score-answers", many=True),
            TEXTS,
            VALID_FLOOR,
            OUTPUT,
            Option("--selection", "table of selected checkpoints to write"),
        ),
    ),
)
