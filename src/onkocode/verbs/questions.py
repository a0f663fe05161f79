"""Verbs of the stage questions."""

from onkocode.verbs.options import FORMULATIONS, OUTPUT, Option, Verb, named_path, settings_of

VERBS: tuple[Verb, ...] = (
    Verb(
        "build-questions",
        "questions",
        "build the questions of a data key",
        (
            Option("--alphaid", "entries of Alpha-ID, the leading version first", many=True),
            Option("--icdo3", "entries of ICD-O-3, the leading version first", many=True),
            Option("--ops", "entries of OPS, the leading version first", many=True),
            Option("--icd10gm", "label space of ICD-10-GM"),
            Option("--topographies", "label space of ICD-O-3; needed with --crosswalk", required=False),
            Option("--crosswalk", "table of parse-crosswalk", required=False),
            settings_of("data key"),
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
            Option("--tasks", "tasks beyond ICD-10, topography and yes/no", str, required=False, many=True),
            OUTPUT,
        ),
    ),
    Verb(
        "check-leakage",
        "leakage",
        "look for test texts, and held-out labels, that occur in training",
        (
            Option("--questions", "table of build-questions"),
            Option("--texts", "KEY=FILE of test sets (entries)", named_path, required=False, many=True),
            settings_of("leakage", required=False),
            Option("--pairs", "table of the pairs that were found, by id; private"),
            Option("--output", "counts to write (JSON)"),
        ),
    ),
    Verb(
        "questions describe",
        "datasets",
        "print Table 1 for your catalogue files beside the paper's",
        (
            Option("--config", "configuration files; default: config/config.yaml", many=True, required=False),
            Option("--data", "data key; default: that of the first model", str, required=False),
            Option("--output", "file for the same numbers (TSV); default: print only", required=False),
        ),
    ),
    Verb(
        "questions compare",
        "datasets",
        "set a data set of build-questions beside somebody else's (Parquet, JSON, JSONL or CSV)",
        (
            Option("file", "the other data set: a file, or a directory with files of one kind"),
            Option("--questions", "table of build-questions"),
            Option("--question-column", "its column of questions, where the name is not known", str, required=False),
            Option("--answer-column", "its column of answers", str, required=False),
            Option("--output", "file for the comparison (TSV); default: print only", required=False),
        ),
    ),
    Verb(
        "questions export",
        "datasets",
        "write a data set that `datasets.load_dataset` reads, with its card",
        (
            Option("--questions", "table of build-questions"),
            Option("--system-prompt", "system prompt to put before every question", str, required=False),
            Option("--output", "directory to write"),
        ),
    ),
)
