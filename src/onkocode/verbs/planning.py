"""Verb of planning: what a study will cost."""

from onkocode.verbs.options import Option, Verb

VERBS: tuple[Verb, ...] = (
    Verb(
        "plan",
        "planning",
        "say what training will cost (parameters, tokens, memory, hours, disk) and how far that can be trusted",
        (
            Option("--config", "configuration files; default: config/config.yaml", many=True, required=False),
            Option("--model", "{model} keys; default: all in `models`", str, required=False, many=True),
            Option("--gpu", "kinds of GPU, e.g. A40; default: the recipe's gpu_model", str, required=False, many=True),
            Option("--results", "directory of results; default: that of the configuration", required=False),
            Option("--output", "file for all numbers (TSV); default: print only", required=False),
        ),
    ),
)
