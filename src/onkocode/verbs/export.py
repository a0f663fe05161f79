"""Verb that hands a trained adapter on."""

from onkocode.verbs.options import BASE, EPOCH, MODEL, Option, Verb

VERBS: tuple[Verb, ...] = (
    Verb(
        "export",
        "export",
        "copy an adapter with a complete card, or merge it into its base and save a whole model",
        (
            MODEL,
            EPOCH,
            BASE,
            Option("--adapter", "adapter directory of train-epoch or fetch-adapter"),
            Option("--metrics", "metrics table, whose rates the card shows", required=False),
            Option("--merge", "merge into the original weights of the base (in main memory, on the CPU)", flag=True),
            Option("--output", "directory to write"),
        ),
    ),
)
