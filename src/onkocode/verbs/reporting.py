"""Verbs of the stage reporting."""

from onkocode.verbs.options import (
    FIGURE,
    METRICS,
    MODELS,
    TABLE,
    TEXTS,
    TRAINING_LOGS,
    VALID_FLOOR,
    Option,
    Verb,
)

VERBS: tuple[Verb, ...] = (
    Verb(
        "plot-loss-curves",
        "reporting",
        "draw Figure 1, the loss of every model",
        (
            TRAINING_LOGS,
            Option("--attempts", "attempts.jsonl of train-epoch", required=False, many=True),
            MODELS,
            FIGURE,
        ),
    ),
    Verb(
        "plot-accuracy-by-epoch",
        "reporting",
        "draw Figure 2, accuracy on catalogue and texts at every epoch",
        (METRICS, MODELS, TEXTS, VALID_FLOOR, FIGURE),
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
        (METRICS, MODELS, TEXTS, VALID_FLOOR, FIGURE),
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
        (METRICS, MODELS, TEXTS, VALID_FLOOR, TABLE),
    ),
    Verb(
        "tabulate-replicates",
        "reporting",
        "write the table of replicates, accuracy over the seeds of a recipe",
        (METRICS, MODELS, TEXTS, TABLE),
    ),
)
