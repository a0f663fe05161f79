"""Verbs of the stage training."""

from onkocode.verbs.options import BASE, EPOCH, MODEL, TRACKING, Option, Verb, settings_of

VERBS: tuple[Verb, ...] = (
    Verb(
        "train-epoch",
        "training",
        "train one epoch; goes on where an interrupted job stopped",
        (
            MODEL,
            EPOCH,
            BASE,
            Option("--questions", "table of build-questions"),
            settings_of("training"),
            Option("--previous", "directory of the epoch before (from epoch 2 on)", required=False),
            Option("--scratch", "directory for saves within the epoch"),
            TRACKING,
            Option("--output", "directory for adapter/, state/ and metrics.jsonl"),
        ),
    ),
    Verb(
        "fit-coder",
        "training",
        "fit a coder that is no language model, in one job",
        (
            Option("--questions", "table of build-questions"),
            settings_of("coder"),
            Option("--output", "directory to write"),
        ),
    ),
)
