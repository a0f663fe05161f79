"""Verbs of the stage models."""

from onkocode.verbs.options import BASE, FORMULATIONS, MODEL, OPTIONAL_BASE, OUTPUT, Option, Verb, settings_of

REPLICATE_OF = Option("--replicate-of", "key of the recipe that the model is one seed of", str, required=False)

VERBS: tuple[Verb, ...] = (
    Verb(
        "pretrain-model",
        "models",
        "build and briefly pre-train a tiny model, on text without label–code pairs",
        (
            Option("--entries", "entries whose labels (not codes) are used", many=True),
            Option("--codes", "label spaces whose codes (not titles) are used", many=True),
            FORMULATIONS,
            settings_of("tiny model"),
            Option("--output", "model directory to write"),
        ),
    ),
    Verb(
        "prepare-model",
        "models",
        "locate a base model (Hub, directory, tiny)",
        (
            settings_of("the recipe's base"),
            Option("--built", "directory of pretrain-model, for a tiny model", required=False),
            OUTPUT,
        ),
    ),
    Verb(
        "fetch-adapter",
        "models",
        "copy or download a published adapter (Hub, directory), if it fits its base",
        (
            settings_of("the recipe's adapter"),
            BASE,
            Option("--output", "adapter directory to write"),
        ),
    ),
    Verb(
        "describe-model",
        "models",
        "put together what figures and tables say of a coder",
        (MODEL, settings_of("recipe"), OPTIONAL_BASE, REPLICATE_OF, OUTPUT),
    ),
)
