"""One door to all parsers: dataset name and file in, entries and label space out."""

from pathlib import Path

import polars as pl

from onkocode.catalogues.alphaid import parse_alphaid
from onkocode.catalogues.icdo3 import parse_icdo3
from onkocode.catalogues.kodes import parse_icd10gm, parse_ops
from onkocode.records.errors import InputError
from onkocode.records.schemas import empty_table

DATASETS = ("alphaid", "icd10gm", "icdo3", "ops")


def parse_catalogue(dataset: str, version: str, path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return entries (schema ENTRIES) and label space (schema CODES) of a catalogue file.

    Alpha-ID has labels only, ICD-10-GM a label space only; the other table is empty then.

    Raises:
        InputError: unknown dataset, or whatever the parser found.
    """
    if dataset == "alphaid":
        return parse_alphaid(path, version), empty_table("codes")
    if dataset == "icd10gm":
        return empty_table("entries"), parse_icd10gm(path)
    if dataset == "icdo3":
        return parse_icdo3(path, version)
    if dataset == "ops":
        return parse_ops(path, version)
    raise InputError(f"unknown dataset {dataset!r} (known: {', '.join(DATASETS)})")
