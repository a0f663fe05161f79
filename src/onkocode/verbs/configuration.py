"""Verbs of the stage configuration."""

from onkocode.verbs.options import OUTPUT, Option, Verb, settings_of

SLICES = ("data", "base", "description", "training", "testing", "thinking")

VERBS: tuple[Verb, ...] = (
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
        (settings_of("the option"), OUTPUT),
    ),
    Verb(
        "write-config",
        "configuration",
        "check a merged configuration and save it with the results",
        (settings_of("the merged configuration"), OUTPUT),
    ),
    Verb(
        "remove-private",
        "configuration",
        "remove everything private that was written: users' texts, answers to them, pairs of the leakage check",
        (
            Option("folder", "the folder of pathvars.private, mostly `private`"),
            Option("--yes", "do not ask", required=False, flag=True),
        ),
    ),
    Verb(
        "write-schema",
        "configuration",
        "write the JSON schema of the configuration",
        (OUTPUT,),
    ),
)
