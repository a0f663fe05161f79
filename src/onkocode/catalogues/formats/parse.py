"""One door to all parsers: dataset name and file in, entries and label space out."""

from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.alphaid import parse_alphaid
from onkocode.catalogues.formats.detect import refuse_another
from onkocode.catalogues.formats.icdo3 import parse_icdo3
from onkocode.catalogues.formats.kodes import parse_icd10gm, parse_ops
from onkocode.catalogues.formats.reading import is_xml, read_bytes
from onkocode.catalogues.formats.registries import parse_registries
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of, empty_table

DATASETS = ("alphaid", "icd10gm", "icdo3", "ops")
REGISTRIES = "registries"  # label space of codes that registries admit, beside those of the data sets


def parse_catalogue(dataset: str, version: str, path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return entries (schema Entries) and label space (schema Codes) of a catalogue file, text or ClaML.

    Alpha-ID has labels only, ICD-10-GM and the registries' list a label space only; the other table is empty then.

    Raises:
        InputError: unknown dataset, a file of another dataset or year, or whatever the parser found.
    """
    if dataset not in (*DATASETS, REGISTRIES):
        raise InputError(f"unknown dataset {dataset!r} (known: {', '.join(DATASETS)}, {REGISTRIES}); give one of these")
    refuse_another(dataset, path, version)
    entries, codes = _parse(dataset, version, path)
    return entries.select(list(columns_of("entries"))), codes.select(list(columns_of("codes")))


def _parse(dataset: str, version: str, path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    if dataset == "alphaid":
        return parse_alphaid(path, version), empty_table("codes")
    if dataset == REGISTRIES:
        return empty_table("entries"), parse_registries(path)
    if dataset == "icdo3":
        return parse_icdo3(path, version)
    if is_xml(read_bytes(path)):
        return _parse_claml(dataset, version, path)
    if dataset == "icd10gm":
        return empty_table("entries"), parse_icd10gm(path)
    return parse_ops(path, version)


def _parse_claml(dataset: str, version: str, path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    from onkocode.catalogues.formats.claml import parse_claml_icd10gm, parse_claml_ops

    if dataset == "icd10gm":
        return empty_table("entries"), parse_claml_icd10gm(path)
    return parse_claml_ops(path, version)
