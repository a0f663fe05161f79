"""Codes without any label, of the example catalogue."""

from pathlib import Path

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.records.schemas import write_table
from tests.conftest import Tables
from tests.unit.terminals import says_the_same


def test_codes_without_a_label_are_listed(
    tmp_path: Path, example: Tables, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, codes = example["alphaid"][0], example["icd10gm"][1]
    missing = set(codes.filter(pl.col("code").str.starts_with("C5"), "terminal")["code"])
    assert missing
    write_table(codes, "codes", tmp_path / "codes.parquet")
    write_table(labels.filter(~pl.col("code").is_in(list(missing))), "entries", tmp_path / "entries.parquet")
    options = ["--codes", str(tmp_path / "codes.parquet"), "--entries", str(tmp_path / "entries.parquet")]
    assert main(["catalogues", "gaps", *options]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    listed = [line.split("\t")[0] for line in lines]
    space = set(codes.filter("terminal", "tumour")["code"])
    assert listed == sorted(space - set(labels["code"]) | missing)
    assert last == f"{len(listed)} of {len(space)} terminal tumour codes have no label"
    says_the_same("catalogues gaps", options, monkeypatch)
