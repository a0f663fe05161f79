import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from onkocode.catalogues.fetching.sources import FOLDER_VARIABLE
from onkocode.cli import main
from onkocode.config import Config
from onkocode.config.data import Data
from onkocode.datasets.describe import (
    TIDY,
    CatalogueFile,
    Description,
    describe,
    description_table,
    description_text,
    label_counts,
    ops_rules,
    split_counts,
)
from onkocode.paper import paper
from onkocode.questions.build import QuestionSet
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import columns_of
from onkocode.text_tables import difference, text_table
from tests.conftest import Tables, sources_of

QUICKSTART = ["--config", "config/config.yaml", "config/quickstart.yaml"]
# Layout of the ICD-O-3 to ICD-10 rules.
HEADER = "Version\tTopographie\tTopographie Text\tMorphologiecodes\tDignität\tDefault\tICD10\tICD-10 Text\n"


@pytest.fixture(scope="module")
def described(example: Tables, quickstart: Config) -> Description:
    return describe(sources_of(example), quickstart.data["example"])


def column(text: str, first: str) -> list[str]:
    """Return the cells of the line that begins with a word."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


# -- aligned text --


def test_a_table_is_aligned_and_its_numbers_are_grouped() -> None:
    table = text_table(["Block", "n", "rate"], [["Übungsschlüssel", 1234567, 0.25], ["b", None, "x"]])
    assert table.split("\n") == [
        "Block                    n  rate",
        "---------------  ---------  ----",
        "Übungsschlüssel  1,234,567   0.2",
        "b                        –     x",
    ]
    with pytest.raises(ValueError, match="zip"):
        text_table(["a"], [["b", "c"]])


@pytest.mark.parametrize(
    ("own", "other", "shown"), [(13_606, 13_600, "+6"), (0, 2_000, "-2,000"), (5, 5, "0"), (5, None, None)]
)
def test_differences_have_a_sign(own: int, other: int | None, shown: str | None) -> None:
    assert difference(own, other) == shown


# -- counting by hand --


def entries(*rows: tuple[str, str, str, str, str | None, str]) -> pl.DataFrame:
    """Return rows of (block, entry, text key, answer, code, split); an entry written `e1+1` is a rewritten `e1`."""
    names = ["block", "entry_id", "text_key", "answer", "code", "split"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return frame.with_columns(origin_id=pl.col("entry_id").str.split("+").list.first())


SOME = (
    ("icd10", "e1", "krebs", "C80.9", "C80.9", "train"),
    ("icd10", "e1", "krebs", "C80.9", "C80.9", "heldout_formulation"),
    ("icd10", "e2", "krebs", "C80.9", "C80.9", "train"),  # the same label and answer again
    ("icd10", "e3", "melanom", "C43.9", "C43.9", "heldout_label"),
    ("icd10", "e4", "melanom", "C43.8", "C43.8", "heldout_label"),  # the same label, another answer
    ("icd10", "e1+1", "kr.", "C80.9", "C80.9", "train"),
    ("tumour", "e1", "krebs", "Ja", None, "train"),
    ("tumour", "n1", "gicht", "Nein", None, "heldout_negative"),
)


def test_repeated_and_ambiguous_labels_are_counted_by_hand() -> None:
    assert label_counts(entries(*SOME)).rows() == [("icd10", 4, 2, 1, 1, 3), ("tumour", 1, 1, 0, 0, None)]


def test_splits_count_questions_entries_and_labels_by_hand() -> None:
    frame = entries(*SOME)
    assert split_counts(pl.concat([frame, frame]), frame).rows() == [
        ("train", 8, 3, 2),
        ("heldout_formulation", 2, 1, 1),
        ("heldout_label", 4, 2, 1),
        ("heldout_negative", 2, 1, 1),
    ]


def procedures(*rows: tuple[str, list[str]]) -> pl.DataFrame:
    """Return entries of OPS of (code, flags)."""
    filled = [
        {"entry_id": f"ops-x:{code}:{place}", "kind": "procedure", "code": code, "text": code, "flags": flags}
        | {"text_key": f"{code} {place}", "cluster": "c", "accepted": []}
        for place, (code, flags) in enumerate(rows)
    ]
    return pl.DataFrame(filled, schema=columns_of("entries"))


def test_rules_for_ops_are_counted_as_the_questions_would_be(example: Tables, quickstart: Config) -> None:
    ops = procedures(("5-01", []), ("5-01", ["inclusion"]), ("5-010", []), ("5-010", ["inclusion"]), ("5-010.0", []))
    rules = ops_rules([ops], example["icd10gm"][1], quickstart.data["example"])
    assert rules.rows() == [
        ("3 characters, without inclusions", 1, 1),
        ("3 characters, with inclusions", 2, 1),
        ("4 characters, without inclusions", 1, 1),
        ("4 characters, with inclusions", 2, 1),
        ("3 and 4 characters, without inclusions", 2, 2),
        ("3 and 4 characters, with inclusions", 4, 2),
    ]


def test_rules_for_ops_that_the_file_cannot_follow_are_left_out(example: Tables, quickstart: Config) -> None:
    rules = ops_rules([procedures(("5-01", []))], example["icd10gm"][1], quickstart.data["example"])
    assert rules.rows() == [("3 characters, without inclusions", 1, 1)]


# -- a data key --


def test_the_description_counts_what_is_built(described: Description, example_questions: QuestionSet) -> None:
    assert described.facts == example_questions.facts
    counts = described.counts
    table_1 = counts.filter(pl.col("block").is_in(list(example_questions.facts["counts"])))
    assert dict(table_1.select("block", "entries").rows()) == example_questions.facts["counts"]
    assert described.splits["questions"].sum() == example_questions.questions.height
    rule = described.ops.filter(pl.col("rule").str.starts_with("3 and 4"))
    assert rule["entries"].to_list() == [example_questions.facts["counts"]["ops"]]


def changed(quickstart: Config, **options: Any) -> Data:
    return Data.model_validate(quickstart.data["example"].model_dump() | options)


def test_further_blocks_come_after_the_papers_total(example: Tables, quickstart: Config) -> None:
    rules = pl.DataFrame({"icd10": ["C61"], "topography": ["C61.9"]})
    pairs = pl.DataFrame({"topography": ["C61.9"], "morphology": ["8140/3"], "icd10": ["C61"]})
    sources = replace(sources_of(example), topographies=rules, pairs=pairs)
    found = describe(sources, changed(quickstart, topography_from_alphaid=True, links=1))
    assert found.counts["block"].to_list()[7:] == ["total", "icdo-link", "topography-alphaid", "all"]
    assert found.counts.filter(pl.col("block") == "total")["questions"].item() == 10_158
    assert found.labels["block"].to_list()[7:] == ["icdo-link", "topography-alphaid"]


def test_rewritten_labels_are_counted_beside_the_entries(example: Tables, quickstart: Config) -> None:
    found = describe(sources_of(example), changed(quickstart, augmentation={"share": 1.0}))
    icd10 = found.counts.filter(pl.col("block") == "icd10")
    rows = found.facts["augmented"]["icd10"]
    assert rows > 0
    assert icd10.select("entries", "questions", "augmented").row(0) == (196, 196 * 12, rows * 12)
    text = description_text("mine", found, [])
    told = next(line for line in text.splitlines() if line.startswith("rewritten labels in icd10"))
    assert told.endswith(f"  {rows:,}")


def test_the_text_stands_beside_the_paper(described: Description) -> None:
    text = description_text("mine", described, [CatalogueFile("ops-x", "ä.txt", "f" * 64, 12_345)])
    assert column(text, "icd10")[:4] == ["icd10", "196", "13,600", "-13,404"]
    assert column(text, "total")[-3:] == ["10,158", "518,116", "-507,958"]
    assert column(text, "ops-x") == ["ops-x", "12,345", "f" * 12, "ä.txt"]
    assert described.facts["questions_sha256"] in text
    assert "the paper has 2,964 entries; no rule here gives it" in text
    assert "The OPS file has no inclusion labels" in text


def test_the_table_holds_every_number_once(described: Description) -> None:
    table = description_table(described, [CatalogueFile("ops-x", "a.txt", "f" * 64, 12)])
    assert tuple(table.columns) == TIDY
    assert table.select("section", "item", "measure").is_duplicated().sum() == 0
    printed = {row.block: row.questions for row in paper().questions.blocks}
    told = table.filter((pl.col("measure") == "questions") & pl.col("item").is_in(list(printed)))
    assert {row["item"]: int(row["paper"]) for row in told.iter_rows(named=True)} == printed


# -- the verb --


def test_the_verb_needs_no_run_of_the_workflow(
    in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], example_questions: QuestionSet
) -> None:
    assert main(["questions", "describe", *QUICKSTART, "--output", str(tmp_path / "counts.tsv")]) == 0
    shown = capsys.readouterr().out
    assert example_questions.facts["questions_sha256"] in shown
    assert "example/catalogues/ops/ops2024syst_kodes_example.txt" in shown
    table = pl.read_csv(tmp_path / "counts.tsv", separator="\t")
    value = table.filter((pl.col("item") == "topography") & (pl.col("measure") == "entries"))["value"]
    assert value.to_list() == ["145", "145"]
    record = read_provenance(tmp_path / "counts.tsv")
    assert record["questions_sha256"] == example_questions.facts["questions_sha256"]
    assert sorted(record["inputs"]) == ["alphaid-example", "icd10gm-example", "icdo3-example", "ops-example"]


def test_missing_files_are_all_named(
    in_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert main(["questions", "describe"]) == 2
    said = capsys.readouterr().err
    for name in ("alphaid-2024", "icd10gm-2024", "icdo3-2019", "ops-2024"):
        assert f"{name}: no local file" in said
    assert FOLDER_VARIABLE in said
    assert "catalogues.files" in said


def test_an_unknown_data_key_is_refused(in_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["questions", "describe", *QUICKSTART, "--data", "nothing"]) == 2
    assert "--data nothing: no such data key (known: catalogues-2024, example)" in capsys.readouterr().err


def test_a_named_file_that_is_not_there_is_told(
    in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "files.yaml"
    config.write_text(yaml.safe_dump({"catalogues": {"files": {"ops-example": str(tmp_path / "none.txt")}}}))
    assert main(["questions", "describe", *QUICKSTART, str(config)]) == 2
    assert f"{tmp_path / 'none.txt'}: no such file; correct catalogues.files.ops-example" in capsys.readouterr().err


def test_archives_are_opened_and_rules_are_read(
    in_root: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example as a user may have it: zipped, in a folder, with the rules from ICD-O-3 to ICD-10 beside it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = ["dataset\tversion\tfile\turl\tsha256\tterms\tnote"]
    for file in sorted((root / "example" / "catalogues").rglob("*example*")):
        with zipfile.ZipFile(folder / f"{file.stem}.zip", "w") as archive:
            archive.write(file, f"Klassifikationsdateien/{file.name}")
        rows.append(f"{file.parent.name}\texample\t{file.name}\t\t\tMIT\tmine")
    rule = "\t".join(["2019", r"C61\.9", "Prostata", "8000-9589", "/3", "1", "C61", "Prostata"])
    (folder / "rules.csv").write_text(HEADER + rule + "\n", encoding="latin-1")
    rows.append("crosswalk\texample\trules.csv\t\t\tMIT\tmine")
    (tmp_path / "sources.tsv").write_text("\n".join(rows) + "\n")
    data = {"topography_from_alphaid": True, "links": 2, "crosswalk": "example"}
    config = {
        "data": {"example": data},
        "catalogues": {"folder": str(folder), "sources": str(tmp_path / "sources.tsv")},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    assert main(["questions", "describe", *QUICKSTART, str(tmp_path / "mine.yaml")]) == 0
    shown = capsys.readouterr().out
    assert column(shown, "topography")[1] == "145"
    assert int(column(shown, "topography-alphaid")[1]) > 0
    assert int(column(shown, "icdo-link")[1]) > 0


def test_a_broken_file_is_named_as_the_user_knows_it(
    in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "ops.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("ops2024syst_kodes_example.txt", "3;N;X;1;1-40;1-40-;no code;140;Titel\n")
    config = tmp_path / "files.yaml"
    rows = Path("config/catalogues.tsv").read_text(encoding="utf-8").replace("example/catalogues/ops/", "")
    (tmp_path / "sources.tsv").write_text(rows)
    catalogues = {"files": {"ops-example": str(archive)}, "sources": str(tmp_path / "sources.tsv")}
    config.write_text(yaml.safe_dump({"catalogues": catalogues}))
    assert main(["questions", "describe", *QUICKSTART, str(config)]) == 2
    assert f"{archive}: " in capsys.readouterr().err


@pytest.mark.catalogues
def test_real_files_give_the_papers_table(catalogues: Path, in_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["questions", "describe"]) == 0
    shown = capsys.readouterr().out
    found = {block: column(shown, block) for block in ("icd10", "morphology", "topography", "total")}
    assert [found["icd10"][place] for place in (1, 4)] == ["13,606", "807"]
    assert [found["morphology"][place] for place in (1, 4)] == ["2,804", "1,145"]
    assert [found["topography"][place] for place in (1, 4)] == ["1,338", "400"]
    assert found["total"][-3:] == ["480,158", "518,116", "-37,958"]
