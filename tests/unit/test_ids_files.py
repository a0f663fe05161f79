import stat
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.records.errors import InputError, first_of
from onkocode.records.files import new_directory, new_file, write_text
from onkocode.records.ids import canonical_json, digest, hash_file, hash_rows, shuffled, text_key
from onkocode.records.schemas import empty_table, read_table, write_table


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("  Mamma-Ca\t re.\n", "mamma-ca re."),
        ("Großzelliges KARZINOM", "grosszelliges karzinom"),
        ("Ma\u0308nnlich", "männlich"),
        ("Nicht\u00a0klein", "nicht klein"),
    ],
)
def test_text_key_by_hand(text: str, key: str) -> None:
    assert text_key(text) == key


@settings(max_examples=200)
@given(st.text())
def test_text_key_is_idempotent(text: str) -> None:
    assert text_key(text_key(text)) == text_key(text)


def test_digest_separates_its_parts() -> None:
    assert digest("a", "bc") != digest("ab", "c")
    assert digest("x") == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def test_order_of_shuffled_is_a_constant() -> None:
    assert shuffled("abcdef", 1, "test", "abcdef") == list("befcad")


@settings(max_examples=50)
@given(st.lists(st.text(), min_size=1, unique=True), st.integers(0, 3), st.data())
def test_adding_an_item_keeps_the_relative_order(ids: list[str], seed: int, data: st.DataObject) -> None:
    removed = data.draw(st.sampled_from(ids))
    fewer = [item for item in ids if item != removed]
    everything = shuffled(ids, seed, "purpose", ids)
    assert [item for item in everything if item != removed] == shuffled(fewer, seed, "purpose", fewer)
    assert everything == shuffled(ids[::-1], seed, "purpose", ids[::-1])


def test_shuffled_wants_one_id_per_item() -> None:
    with pytest.raises(ValueError, match="zip"):
        shuffled(["a", "b"], 0, "test", ["a"])


def test_canonical_json_ignores_the_order_of_keys() -> None:
    assert canonical_json({"b": [1, 2.0], "a": "ä"}) == '{"a":"ä","b":[1,2.0]}'


def test_hash_rows_is_over_utf8_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    file.write_bytes('["a","ä"]\n["b",null]\n'.encode())
    assert hash_rows([("a", "ä"), ("b", None)]) == hash_file(file)


def test_first_of_counts_the_rest() -> None:
    assert first_of(["a", "b", "c"], 2) == "  a\n  b\n  … and 1 more"
    assert first_of(["a"], 2) == "  a"


def test_new_file_replaces_the_old_one_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")
    with new_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [item.name for item in path.parent.iterdir()] == ["file.txt"]


def test_a_failure_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with suppress(RuntimeError), new_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["file.txt"]


def test_a_failure_leaves_the_old_directory(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with new_directory(path) as temporary:
        (temporary / "weights").write_text("old")
    with suppress(RuntimeError), new_directory(path) as temporary:
        (temporary / "weights").write_text("half")
        raise RuntimeError
    assert (path / "weights").read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["model"]


def test_new_directory_holds_nothing_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for name in ("old", "new"):
        with new_directory(path) as temporary:
            (temporary / name).write_text(name)
    assert [item.name for item in path.iterdir()] == ["new"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_table_comes_back_with_its_types(tmp_path: Path) -> None:
    path = tmp_path / "codes.parquet"
    row = {"code": "C50.9", "system": "icd10gm", "title": "Brust", "terminal": True, "chapter": "02"}
    frame = pl.DataFrame([row | {"group": "C50", "category": "C50", "behaviour": None, "tumour": True, "other": 1}])
    write_table(frame, "codes", path)
    back = read_table(path, "codes")
    assert back.schema == empty_table("codes").schema
    assert back.row(0) == ("C50.9", "icd10gm", "Brust", True, "02", "C50", "C50", None, True)


def test_a_table_without_a_column_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lacks columns: tumour"):
        write_table(empty_table("codes").drop("tumour"), "codes", tmp_path / "codes.parquet")
    assert list(tmp_path.iterdir()) == []


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "entries.parquet"
    write_table(empty_table("entries"), "entries", path)
    with pytest.raises(InputError, match=r"entries\.parquet: holds entries-3, expected codes-2; remove it"):
        read_table(path, "codes")


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"id;text\n"])
def test_an_unreadable_table_is_an_input_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "codes.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"codes\.parquet: not a readable table"):
        read_table(path, "codes")


def test_a_cut_table_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "codes.parquet"
    write_table(empty_table("codes"), "codes", path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"codes\.parquet: not a readable table"):
        read_table(path, "codes")
