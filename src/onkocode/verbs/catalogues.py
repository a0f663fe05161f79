"""Verbs of the stage catalogues."""

from pathlib import Path

from onkocode.verbs.options import OUTPUT, Option, Verb, named_path, settings_argument, settings_of

SHELF = (
    Option("--sources", "table of sources", default=Path("config/catalogues.tsv"), required=False),
    Option("--folder", "folder with files of yours; default: ONKOCODE_CATALOGUES", required=False),
    Option("--consent", "true: you have read and accept the terms of use", settings_argument, False, default=False),
)

NAMED = Option(
    "--catalogue",
    "VERSION=FILE: files that you name for a version, e.g. icd10gm-2022=codes.txt or transitions-2021_2022=table.txt",
    named_path,
    required=False,
    many=True,
)

VERBS: tuple[Verb, ...] = (
    Verb(
        "retrieve-catalogue",
        "catalogues",
        "copy a local catalogue file, or download it",
        (
            Option("--dataset", "alphaid, icd10gm, icdo3 or ops", str),
            Option("--version", "version as in the table of sources", str),
            Option("--file", "the file that you name for this version", required=False),
            *SHELF,
            OUTPUT,
        ),
    ),
    Verb(
        "parse-catalogue",
        "catalogues",
        "turn a catalogue file into entries and a label space",
        (
            Option("--dataset", "alphaid, icd10gm, icdo3 or ops", str),
            Option("--version", "its version", str),
            Option("--file", "the catalogue file"),
            Option("--entries", "table of entries to write"),
            Option("--codes", "label space to write"),
        ),
    ),
    Verb(
        "parse-transitions",
        "catalogues",
        "turn a year-to-year transition table of ICD-10-GM into a table",
        (Option("--file", "the transition table"), OUTPUT),
    ),
    Verb(
        "parse-crosswalk",
        "catalogues",
        "turn the ICD-O-3 to ICD-10 rules into a table",
        (Option("--file", "the rules"), OUTPUT),
    ),
    Verb(
        "catalogues diff",
        "changes",
        "list the tumour codes and training entries that change between two versions of ICD-10-GM",
        (
            Option("old", "the old version, e.g. 2023", str),
            Option("new", "the new version, e.g. 2024 (it may also be the earlier one)", str),
            Option("--all-codes", "list all changed codes, not only those of tumours", flag=True),
            *SHELF,
            NAMED,
            Option("--output", "directory for changes.tsv, entries.tsv and report.md; default: print", required=False),
        ),
    ),
    Verb(
        "catalogues recode",
        "changes",
        "list the coded records that the change between two versions of ICD-10-GM affects, and what to do with each; "
        "only id, code and advice leave the file",
        (
            Option("file", "CSV or TSV of coded records with a header (UTF-8 or Windows-1252)"),
            Option("--from", "version that the records are coded in, e.g. 2023", str),
            Option("--to", "version to recode to, e.g. 2024", str),
            Option("--id", "column with the record's id; default: id", str, required=False, default="id"),
            Option("--column", "column with the ICD-10-GM code; default: icd10", str, required=False, default="icd10"),
            *SHELF,
            NAMED,
            Option(
                "--output", "work list to write (CSV for Excel); default: FILE.recode.csv beside it", required=False
            ),
        ),
    ),
    Verb(
        "read-texts",
        "catalogues",
        "read and check a test set of coded texts",
        (
            Option("--key", "the test set's key", str),
            Option("--file", "CSV or TSV"),
            settings_of("columns of the file", required=False),
            Option("--icd10gm", "label space of ICD-10-GM"),
            Option("--icdo3", "label space of ICD-O-3"),
            OUTPUT,
        ),
    ),
    Verb(
        "check-inputs",
        "catalogues",
        "check all questions and test sets together, before any training",
        (
            Option("--questions", "KEY=FILE of data keys", named_path, many=True),
            Option("--texts", "KEY=FILE of questions on test sets", named_path, required=False, many=True),
            settings_of("evaluation, and where a model thinks thinking", required=False),
            OUTPUT,
        ),
    ),
)
