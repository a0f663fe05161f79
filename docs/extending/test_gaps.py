"""Codes without any label, of the example catalogue."""

from pathlib import Path

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.records.schemas import write_table
from tests.conftest import Tables


def test_codes_without_a_label_are_listed(tmp_path: Path, example: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    labels, codes = example["alphaid"][0], example["icd10gm"][1]
    write_table(codes, "codes", tmp_path / "codes.parquet")
    write_table(labels.filter(pl.col("code") != "C61"), "entries", tmp_path / "entries.parquet")
    command = ["catalogues", "gaps", "--codes", str(tmp_path / "codes.parquet")]
    assert main([*command, "--entries", str(tmp_path / "entries.parquet")]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    listed = [line.split("\t")[0] for line in lines]
    space = set(codes.filter("terminal", "tumour")["code"])
    assert listed == sorted(space - set(labels["code"]) | {"C61"})
    assert last == f"{len(listed)} of {len(space)} terminal tumour codes have no label"
