import json
import re
from pathlib import Path

from onkocode.records.ids import digest, hash_file
from onkocode.records.provenance import Provenance, provenance_path, read_provenance


def test_record_beside_a_file(tmp_path: Path) -> None:
    source, result = tmp_path / "in.txt", tmp_path / "out" / "table.parquet"
    source.write_bytes(b"abc")
    record = Provenance("verb", {"b": 1, "a": "ä"}, {"source": source}, seed=7)
    record.add(rows=3)
    record.write(result)
    assert provenance_path(result) == tmp_path / "out" / "table.parquet.provenance.json"
    found = read_provenance(result)
    assert (found["verb"], found["seed"], found["rows"]) == ("verb", 7, 3)
    assert found["settings"] == {"a": "ä", "b": 1}
    assert found["settings_sha256"] == digest('{"a":"ä","b":1}')
    assert found["inputs"] == {"source": {"path": str(source), "sha256": hash_file(source)}}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["started"])
    assert found["seconds"] >= 0
    assert found["versions"]["polars"] != "absent"


def test_record_inside_a_directory(tmp_path: Path) -> None:
    Provenance("verb", {}, {}).write(tmp_path)
    assert json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))["verb"] == "verb"


def test_weights_of_a_directory_are_hashed(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    (tmp_path / "README.md").write_text("no input")
    described = Provenance("verb", {}, {"adapter": tmp_path}).record["inputs"]["adapter"]
    assert described["safetensors"] == {"adapter_model.safetensors": hash_file(tmp_path / "adapter_model.safetensors")}


def test_settings_in_another_order_have_the_same_hash() -> None:
    one, other = Provenance("verb", {"a": 1, "b": 2}, {}), Provenance("verb", {"b": 2, "a": 1}, {})
    assert one.record["settings_sha256"] == other.record["settings_sha256"]


def test_no_record_is_an_empty_one(tmp_path: Path) -> None:
    assert read_provenance(tmp_path / "table.parquet") == {}
