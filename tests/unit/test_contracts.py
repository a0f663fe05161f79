"""What must hold in a table holds in its file, and older files stay readable."""

from collections.abc import Iterator
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from onkocode.records.contracts import ContractError, checked, checked_frames
from onkocode.records.errors import InputError
from onkocode.records.schemas import TABLES, Table, columns_of, read_table, write_frames, write_table
from onkocode.records.tables import SCHEMAS

TEXT = "Mamma-Ca links"
JUDGED = {
    "model": "m",
    "epoch": 1,
    "condition": "free",
    "dataset": "clinic",
    "question_id": "q",
    "entry_id": "e",
    "cluster": TEXT,
    "task": "icd10",
    "formulation_id": "f",
    "split": "test",
    "expected": "C50.9",
    "predicted": "C50.9",
    "valid": True,
    "exact": True,
    "partial": True,
    "exists": True,
    "terminal": True,
    "several": False,
    "cut": False,
    "tokens": 3,
    "seconds": 0.1,
}


def judged(**changes: object) -> pl.DataFrame:
    return pl.DataFrame([JUDGED | changes], schema=columns_of("judged"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": TEXT}, "split: one of: 1 rows"),
        ({"condition": "thought"}, "condition: one of: 1 rows"),
        ({"task": "ICD 10"}, "task: regex: 1 rows"),
        ({"epoch": -1}, "epoch: min: 1 rows"),
        ({"entry_id": None}, "entry_id: no null: 1 rows"),
        ({"expected": ""}, "expected: min length: 1 rows"),
        ({"predicted": None}, "valid is predicted: 1 rows"),
        ({"partial": False}, "exact is partial: 1 rows"),
        ({"predicted": None, "valid": False}, "right is valid: 1 rows"),
        ({"cut": True}, "cut is invalid: 1 rows"),
        ({"exists": False}, "terminal exists: 1 rows"),
    ],
)
def test_a_broken_rule_is_named_and_no_value_is_shown(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    write_table(judged(), "judged", tmp_path / "sound.parquet")
    with pytest.raises(ContractError) as raised:
        write_table(judged(**changes), "judged", tmp_path / "judged.parquet")
    assert str(raised.value) == f"table judged is not what it must be: {message}"
    assert [path.name for path in tmp_path.iterdir()] == ["sound.parquet"]


def test_all_broken_rules_are_told_with_their_rows() -> None:
    twice = pl.concat([judged(), judged(split="x"), judged(question_id="r", split="y")])
    with pytest.raises(ContractError) as raised:
        checked(twice, "judged")
    assert "; split: one of: 2 rows" in str(raised.value)
    assert "model, epoch, condition, dataset, question_id: stands once: 2 rows" in str(raised.value)


def test_values_of_another_type_are_told_without_them() -> None:
    spoilt = judged().with_columns(tokens=pl.lit(TEXT))
    with pytest.raises(ContractError, match=r"tokens: Int64: 1 rows$") as raised:
        checked(spoilt, "judged")
    assert TEXT not in f"{raised.value!r}{raised.value.__cause__!r}"
    assert checked(judged().with_columns(pl.col("epoch").cast(pl.Int8)), "judged").equals(judged())


def frames(*names: str) -> Iterator[pl.DataFrame]:
    for name in names:
        yield pl.concat([judged(question_id=name), judged(question_id=f"{name}2")])


def test_frames_are_checked_each_and_together(tmp_path: Path) -> None:
    path = tmp_path / "judged.parquet"
    write_frames(frames("a", "b"), "judged", path)
    assert read_table(path, "judged").equals(pl.concat(list(frames("a", "b"))))
    with pytest.raises(ContractError, match="question_id: stands once: 4 rows"):
        write_frames(frames("a", "b", "a"), "judged", path)
    with pytest.raises(ContractError, match="split: one of: 2 rows"):
        write_frames((frame.with_columns(split=pl.lit("x")) for frame in frames("a")), "judged", path)
    assert list(checked_frames([], "judged")) == []


def test_every_table_has_a_declaration_and_a_version() -> None:
    assert set(SCHEMAS) - {"transitions"} == set(TABLES)  # these are never written


@pytest.mark.parametrize("table", TABLES)
def test_what_older_files_lack_is_declared_so(table: str) -> None:
    """A column without a default is null in older files, so its declaration must allow that."""
    declared = SCHEMAS[table].columns()
    for column, value in TABLES[table].lacking(TABLES[table].oldest).items():
        assert column in declared
        assert declared[column].nullable or value is not None


class Pairs(dy.Schema):
    """A table of three versions."""

    old = dy.String(primary_key=True)
    since = dy.Int64(nullable=True)
    sure = dy.Bool()
    new = dy.String()


def test_older_versions_are_read_with_nulls_and_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pairs.parquet"
    pl.DataFrame({"old": ["C00"], "new": ["C01"]}).write_parquet(path, metadata={"schema": "pairs-2"})
    monkeypatch.setitem(SCHEMAS, "pairs", Pairs)
    later = Table(version=4, since={"since": 3, "sure": 4}, defaults={"sure": True})
    monkeypatch.setitem(TABLES, "pairs", later)
    back = read_table(path, "pairs")
    assert back.rows() == [("C00", None, True, "C01")]
    assert back.schema == pl.Schema(columns_of("pairs"))
    write_table(back, "pairs", path)
    assert read_table(path, "pairs").equals(back)
    monkeypatch.setitem(TABLES, "pairs", Table(version=5, oldest=5))
    with pytest.raises(InputError, match="holds pairs-4, expected pairs-5"):
        read_table(path, "pairs")
