import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import polars as pl
import pytest
import yaml
from huggingface_hub import DatasetCard

from onkocode.catalogues.fetching.sources import TERMS_SENTENCE
from onkocode.catalogues.formats.parse import DATASETS
from onkocode.cli import main
from onkocode.config import Config
from onkocode.datasets import export
from onkocode.datasets.card import SIZES, DatasetFacts, card_text
from onkocode.datasets.export import COLUMNS, block_counts, check_written, write_splits, written_hash
from onkocode.questions.build import QuestionSet
from onkocode.questions.lineage import CatalogueSource, catalogue_sources
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file
from onkocode.records.provenance import provenance_path, read_provenance
from onkocode.records.schemas import read_table, write_table
from onkocode.records.splits import SPLITS
from tests.conftest import questions_hash

Load = Callable[[Path], Any]


@pytest.fixture
def load(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a data set as a user would, without a network."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    cache = tmp_path_factory.mktemp("cache")
    return lambda folder: datasets.load_dataset(str(folder), cache_dir=str(cache))


@pytest.fixture(scope="module")
def built(root: Path, quickstart: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built by the verbs in the workflow's layout; returns the table of questions."""
    results = tmp_path_factory.mktemp("study") / "results"
    for dataset in DATASETS:
        folder = results / "catalogues" / f"{dataset}-example"
        sources = ["--sources", str(root / "config/catalogues.tsv")]
        file = next((root / "example" / "catalogues" / dataset).glob("*example*"))
        chosen = ["--dataset", dataset, "--version", "example"]
        assert (
            main(["retrieve-catalogue", *chosen, *sources, "--file", str(file), "--output", str(folder / "source")])
            == 0
        )
        tables = [
            argument for name in ("entries", "codes") for argument in (f"--{name}", str(folder / f"{name}.parquet"))
        ]
        assert main(["parse-catalogue", *chosen, "--file", str(folder / "source"), *tables]) == 0
    table = results / "questions" / "example.parquet"
    entries = {name: str(results / "catalogues" / f"{name}-example" / "entries.parquet") for name in DATASETS}
    inputs = [argument for name in ("alphaid", "icdo3", "ops") for argument in (f"--{name}", entries[name])]
    inputs += ["--icd10gm", str(results / "catalogues" / "icd10gm-example" / "codes.parquet")]
    settings = quickstart.data["example"].model_dump_json()
    assert main(["build-questions", *inputs, "--settings", settings, "--output", str(table)]) == 0
    return table


@pytest.fixture(scope="module")
def exported(built: Path) -> Path:
    folder = built.parent.parent / "datasets" / "example"
    assert main(["questions", "export", "--questions", str(built), "--output", str(folder)]) == 0
    return folder


def front_matter(folder: Path) -> dict[str, Any]:
    matter: dict[str, Any] = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    return matter


def card(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def copied(built: Path, tmp_path: Path, questions: pl.DataFrame, **record: object) -> Path:
    """Write a changed table with the provenance of the built one, as changed."""
    path = tmp_path / "table.parquet"
    write_table(questions, "questions", path)
    provenance_path(path).write_text(json.dumps(read_provenance(built) | record))
    return path


# -- loading it --


def test_every_question_comes_back_with_its_umlauts(exported: Path, built: Path, load: Load) -> None:
    loaded, questions = load(exported), read_table(built, "questions")
    assert list(loaded) == [split for split in SPLITS if split in set(questions["split"])]
    for split, data in loaded.items():
        wanted = questions.filter(pl.col("split") == split).select(COLUMNS)
        assert data.column_names == [*COLUMNS, "messages"]
        assert [tuple(data[name]) for name in COLUMNS] == [tuple(wanted[name].to_list()) for name in COLUMNS]
    assert any("ü" in text for text in loaded["train"]["text"])
    assert str(loaded["train"].features["messages"]) == "List({'role': Value('string'), 'content': Value('string')})"


def test_messages_are_what_trl_trains_on(exported: Path, load: Load) -> None:
    from trl.data_utils import is_conversational

    first = load(exported)["train"][0]
    assert is_conversational(first)
    assert first["messages"] == [
        {"role": "user", "content": first["question"]},
        {"role": "assistant", "content": first["answer"]},
    ]


def test_a_system_prompt_stands_before_every_question(built: Path, tmp_path: Path, load: Load) -> None:
    prompt = "Du „kodierst“: Tumoren.\nKurz!"
    verb = ["questions", "export", "--questions", str(built), "--output", str(tmp_path / "out")]
    assert main([*verb, "--system-prompt", prompt]) == 0
    loaded = load(tmp_path / "out")
    assert {messages[0]["content"] for messages in loaded["train"]["messages"]} == {prompt}
    assert [turn["role"] for turn in loaded["heldout_label"][0]["messages"]] == ["system", "user", "assistant"]
    assert prompt.split("\n")[0] in card(tmp_path / "out")


def test_large_splits_become_several_files(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load
) -> None:
    monkeypatch.setattr(export, "LARGEST_FILE", 1_000_000)
    assert main(["questions", "export", "--questions", str(built), "--output", str(tmp_path / "out")]) == 0
    names = sorted(file.name for file in (tmp_path / "out" / "data").glob("train-*"))
    assert len(names) > 2
    assert names == [f"train-{number:05d}-of-{len(names):05d}.parquet" for number in range(len(names))]
    questions = read_table(built, "questions").filter(pl.col("split") == "train")
    assert list(load(tmp_path / "out")["train"]["question_id"]) == questions["question_id"].to_list()


def test_files_stay_below_the_limit(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "LARGEST_FILE", 200_000)
    for split in write_splits(pl.scan_parquet(built), tmp_path):
        for file in split.files:
            uncompressed = pl.read_parquet(file).estimated_size()
            assert file.stat().st_size < 200_000
            assert uncompressed < 2 * 200_000


# -- hash --


def test_the_hash_is_that_of_the_build(exported: Path, built: Path, example_questions: QuestionSet) -> None:
    recorded = read_provenance(built)["questions_sha256"]
    assert read_provenance(exported)["questions_sha256"] == recorded == example_questions.facts["questions_sha256"]
    assert recorded in card(exported)


def test_the_hash_is_read_back_from_the_files(built: Path, tmp_path: Path) -> None:
    splits = write_splits(pl.scan_parquet(built), tmp_path)
    questions = read_table(built, "questions")
    assert written_hash(splits) == questions_hash(questions)
    file = splits[0].files[0]
    changed = pl.read_parquet(file).with_columns(answer=pl.lit("C80.9"))
    changed.write_parquet(file)
    with pytest.raises(InputError, match="was changed after it was built"):
        check_written(built, splits, questions_hash(questions))


def test_a_table_that_was_changed_after_its_build_is_refused(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = copied(built, tmp_path, read_table(built, "questions").head(100))
    assert main(["questions", "export", "--questions", str(table), "--output", str(tmp_path / "out")]) == 2
    assert "was changed after it was built, so build it again" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.parquet", "table.parquet.provenance.json"]


# -- what it replaces --


def test_an_earlier_export_is_replaced_and_nothing_else(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verb = ["questions", "export", "--questions", str(built), "--output"]
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        assert main([*verb, str(tmp_path / "empty")]) == 0
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    for other in ("thesis", "file", "."):
        assert main([*verb, str(tmp_path / other)]) == 2
        assert "is there already and is no earlier export" in capsys.readouterr().err
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "x"


def test_users_texts_are_not_exported(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = copied(built, tmp_path, read_table(built, "questions").with_columns(split=pl.lit("test")))
    assert main(["questions", "export", "--questions", str(table), "--output", str(tmp_path / "out")]) == 2
    assert "which stay private" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# -- card --


def test_the_front_matter_is_what_the_hub_reads(exported: Path, built: Path) -> None:
    matter = front_matter(exported)
    assert DatasetCard.load(exported / "README.md").data.to_dict() == matter
    assert (matter["language"], matter["license"], matter["size_categories"]) == (["de"], "mit", ["10K<n<100K"])
    assert matter["task_categories"] == ["question-answering", "text-generation"]
    splits = read_provenance(exported)["splits"]
    files = {item["split"]: item["path"] for item in matter["configs"][0]["data_files"]}
    assert list(files) == list(splits)
    assert all(list(exported.glob(pattern)) for pattern in files.values())
    assert [feature["name"] for feature in matter["dataset_info"]["features"]] == [*COLUMNS, "messages"]


def table_rows(text: str, first: str) -> list[list[str]]:
    """Return the cells of the table whose header begins with a word."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    return rows


def test_the_card_counts_blocks_and_splits(exported: Path, built: Path) -> None:
    questions = read_table(built, "questions")
    header, rule, *rows = table_rows(card(exported), "block")
    assert len({len(row) for row in (header, rule, *rows)}) == 1
    splits = header[2:-1]
    for block, _, *cells in rows[:-1]:
        part = questions.filter(pl.col("block") == block)
        wanted = [part.filter(pl.col("split") == split).height for split in splits]
        assert [int(cell.replace(",", "")) for cell in cells] == [*wanted, part.height]
    assert rows[-1][-1] == f"{questions.height:,}"


def test_the_card_names_files_and_their_hashes(exported: Path, root: Path) -> None:
    files = {row[0]: row[1:] for row in table_rows(card(exported), "catalogue")[2:]}
    for dataset in DATASETS:
        file = next((root / "example" / "catalogues" / dataset).glob("*example*"))
        assert files[f"{dataset}-example"] == [file.name, hash_file(file)]


def test_the_card_tells_no_local_path(exported: Path, root: Path) -> None:
    for name in ("README.md", "provenance.json"):
        text = (exported / name).read_text(encoding="utf-8")
        assert str(root) not in text
        assert str(exported.parent) not in text


def facts(built: Path, tmp_path: Path, sources: list[CatalogueSource], **record: object) -> DatasetFacts:
    splits = write_splits(pl.scan_parquet(built), tmp_path)
    return DatasetFacts("mine", splits, block_counts(splits), "f" * 64, sources, read_provenance(built) | record)


def test_official_catalogues_carry_their_terms(built: Path, tmp_path: Path) -> None:
    text = card_text(facts(built, tmp_path, [], terms=TERMS_SENTENCE))
    assert f"\n> {TERMS_SENTENCE}\n" in text
    assert "\nCodes and texts are unaltered.\n" in text
    matter = yaml.safe_load(text.split("---\n")[1])
    assert (matter["license"], matter["license_name"]) == ("other", "bfarm-terms-of-use")
    assert matter["license_link"].startswith("https://www.bfarm.de/")


def test_rewritten_labels_are_told_and_can_be_dropped(built: Path, tmp_path: Path, load: Load) -> None:
    questions = read_table(built, "questions")
    copies = (
        questions.filter(pl.col("block") == "icd10")
        .head(24)
        .with_columns(
            entry_id=pl.col("entry_id") + "~1",
            question_id=pl.concat_str(pl.col("entry_id") + "~1", "block", "formulation_id", separator="/"),
        )
    )
    both = pl.concat([questions, copies]).sort("question_id")
    table = copied(built, tmp_path, both, questions_sha256=questions_hash(both), terms=TERMS_SENTENCE)
    assert main(["questions", "export", "--questions", str(table), "--output", str(tmp_path / "out")]) == 0
    text = card(tmp_path / "out")
    assert "**24 questions are on altered texts**" in text
    assert "Codes and texts are unaltered" not in text
    # The advice of the card, as it stands there.
    advice = re.search(r"data = (data\.filter\(.*\))\n", text)
    assert advice is not None
    kept = eval(advice.group(1), {"data": load(tmp_path / "out")})  # noqa: S307
    assert sum(split.num_rows for split in kept.values()) == questions.height
    assert not any("~1/" in name for name in kept["train"]["question_id"])


def test_a_block_of_two_labels_is_told(built: Path, tmp_path: Path) -> None:
    linked = facts(built, tmp_path, [], terms=TERMS_SENTENCE)
    assert "stand together in one text" not in card_text(linked)
    more = linked.counts.head(1).with_columns(block=pl.lit("icdo-link"))
    text = card_text(DatasetFacts(linked.key, linked.splits, pl.concat([linked.counts, more]), "", [], linked.record))
    assert "stand together in one text" in text


def test_the_commands_of_the_card_build_the_same_data_set(
    exported: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = card(exported)
    monkeypatch.chdir(tmp_path)
    for dataset in DATASETS:
        file = next((root / "example" / "catalogues" / dataset).glob("*example*"))
        Path(f"{dataset}-example.source").write_bytes(file.read_bytes())
    settings = re.search(r"```json\n(.*)\n```", text)
    assert settings is not None
    Path("settings.json").write_text(settings.group(1), encoding="utf-8")
    commands = re.findall(r"^onkocode (.*)$", text, flags=re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        assert main(shlex.split(command)) == 0
    again = read_provenance(tmp_path / "example")
    assert again["questions_sha256"] == read_provenance(exported)["questions_sha256"]


def test_without_records_the_card_says_so(built: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.parquet"
    alone.write_bytes(built.read_bytes())
    assert main(["questions", "export", "--questions", str(alone), "--output", str(tmp_path / "out")]) == 0
    text = card(tmp_path / "out")
    assert "The catalogue files are not recorded" in text
    assert "no commands can be given" in text
    assert TERMS_SENTENCE in text  # what is not known to be the example is treated as official
    assert front_matter(tmp_path / "out")["license"] == "other"
    provenance_path(alone).write_text("{")
    assert catalogue_sources(alone) == []


@pytest.mark.parametrize("count", [999, 1_000, 518_116, 20_000_000])
def test_sizes_are_those_of_the_hub(count: int, built: Path, tmp_path: Path) -> None:
    whole = facts(built, tmp_path, [])
    large = [
        type(split)(split.name, split.files, count if not place else 0) for place, split in enumerate(whole.splits)
    ]
    matter = yaml.safe_load(card_text(DatasetFacts("x", large, whole.counts, "", [], {})).split("---\n")[1])
    known = {999: "n<1K", 1_000: "1K<n<10K", 518_116: "100K<n<1M", 20_000_000: "10M<n<100M"}
    assert matter["size_categories"] == [known[count]]
    assert set(known.values()) <= {*SIZES.values(), "10M<n<100M"}


# -- where it comes from --


def test_sources_are_followed_to_the_fetched_file(built: Path, root: Path) -> None:
    found = {source.name: source for source in catalogue_sources(built)}
    assert set(found) == {f"{dataset}-example" for dataset in DATASETS}
    file = next((root / "example" / "catalogues" / "ops").glob("*example*"))
    assert found["ops-example"] == CatalogueSource(
        "ops-example", file.name, hash_file(file), "the project's own licence"
    )


def test_records_that_no_longer_fit_are_not_used(built: Path, tmp_path: Path) -> None:
    record = read_provenance(built)
    entries = Path(record["inputs"]["ops"]["path"])
    changed = json.loads(json.dumps(record))
    changed["inputs"]["ops"]["sha256"] = "0" * 64
    changed["inputs"]["icdo3"]["path"] = "nowhere/entries.parquet"
    table = copied(built, tmp_path, read_table(built, "questions"), inputs=changed["inputs"])
    found = {source.name: source for source in catalogue_sources(table)}
    assert found[entries.parent.name] == CatalogueSource("ops-example")
    assert "icdo3-example" not in found
    assert found["alphaid-example"].sha256 is not None


def test_relative_paths_are_looked_for_above_the_table(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = read_provenance(built)
    study = built.parents[2]
    inputs = json.loads(json.dumps(record["inputs"]))
    for described in inputs.values():
        described["path"] = str(Path(described["path"]).relative_to(study))
    table = study / "results" / "questions" / "relative.parquet"
    table.write_bytes(built.read_bytes())
    provenance_path(table).write_text(json.dumps(record | {"inputs": inputs}))
    monkeypatch.chdir(tmp_path)
    assert catalogue_sources(table) == catalogue_sources(built)
