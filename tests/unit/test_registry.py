"""The registry of figures and tables: what its rows say is what is read, drawn and recorded."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from docutils.core import publish_parts
from matplotlib.figure import Figure

from onkocode.cli import main
from onkocode.records.errors import InputError
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import columns_of, read_table, write_table
from onkocode.reporting.outputs import Drawing, Page
from onkocode.reporting.registry import ITEMS, Condition, Item, find
from onkocode.reporting.results import Results, Settings
from onkocode.reporting.summary import write_performance_summary
from onkocode.study.reports import HAS
from tests.unit.page_width import WINDOW, widths
from tests.unit.reported import draw, model, whole_study

Files = dict[str, list[Path]]
items = pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.key)
LONG = "{}, fine-tuned on catalogues of several years, second attempt"


def questions(folder: Path) -> Path:
    """Write questions in several blocks and splits."""
    blocks = ("icd10", "tumour", "tumour-icd10", "ops", "ops-tumour", "morphology", "topography", "topography-alphaid")
    splits = ("train", "heldout_formulation", "heldout_label", "heldout_negative", "test")
    rows = [
        {"block": block, "split": split, "entry_id": f"e{n}", "origin_id": f"e{n // 2}", "formulation_id": f"f{n}"}
        | {"code": "C50.9", "question_id": f"{block}{split}{n}", "cluster": f"e{n}", "task": "icd10", "accepted": []}
        | {"question": "Welcher Code?", "text": "Mammakarzinom", "answer": "C50.9"}
        for block in blocks
        for split in splits
        for n in range(5)
    ]
    write_table(pl.DataFrame(rows, schema=columns_of("questions")), "questions", folder / "questions.parquet")
    return folder / "questions.parquet"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("study")
    return whole_study(folder) | {"questions": [questions(folder)]}


class Asked(dict[str, Sequence[Path]]):
    """Files that remember which of them were asked for."""

    def __init__(self, files: Files) -> None:
        super().__init__(files)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


class Told:
    """Settings that remember which of them were asked for."""

    def __init__(self) -> None:
        self.settings, self.names = Settings(texts=("registry",)), set[str]()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(self.settings, name)


@items
def test_an_item_reads_what_its_row_names_and_gives_what_it_says(item: Item, files: Files) -> None:
    asked, told = Asked(files), Told()
    drawn = item.draw(Results(asked, told))  # type: ignore[arg-type]
    assert asked.names == set(item.inputs)
    assert told.names == set(item.settings)
    assert isinstance(drawn, Drawing if item.kind == "figure" else Page)
    if isinstance(drawn, Drawing):
        assert isinstance(drawn.figure, Figure)
        assert len(drawn.description) > 20


@items
def test_every_file_that_a_row_names_stands_in_the_provenance(item: Item, files: Files, tmp_path: Path) -> None:
    name = item.names(["example"])[0]
    output = tmp_path / f"{name}.{'svg' if item.kind == 'figure' else 'html'}"
    options = [word for key in item.inputs for word in (f"--{key}", *map(str, files[key]))]
    settings = {"texts": ["registry"]} if "texts" in item.settings else {}
    command = ["draw", "--item", name, *options, "--settings", json.dumps(settings), "--output", str(output)]
    assert main(command) == 0
    record = read_provenance(output)
    assert set(record["inputs"]) == {str(path) for key in item.inputs for path in files[key]}
    assert set(record["settings"]) == {"item", *item.settings}
    endings = ("svg", "png", "tsv") if item.kind == "figure" else ("html", "tsv")
    assert all(output.with_suffix(f".{ending}").stat().st_size > 20 for ending in endings)


@items
def test_a_name_leads_to_its_row(item: Item) -> None:
    for name, data in zip(item.names(["example", "b-2.x"]), ("example", "b-2.x"), strict=False):
        assert find(name) is item
        assert item.data(name) == (data if "{" in item.key else None)
        assert item.data(name) in (None, item.labels(name).get("data"))


def test_an_unknown_name_is_an_error() -> None:
    for name in ("questions", "performances", ""):
        with pytest.raises(InputError, match=r"no figure or table; known are loss_curves, .*questions-\{data\}"):
            find(name)


def test_names_and_conditions_are_told_apart() -> None:
    names = [name for item in ITEMS for name in item.names(["example"])]
    assert len(set(names)) == len(names)
    assert set(HAS) == set(get_args(Condition)) == {item.condition for item in ITEMS}


@items
def test_captions_are_sound_restructured_text(item: Item) -> None:
    html = publish_parts(item.caption, writer="html", settings_overrides={"halt_level": 2, "report_level": 2})["body"]
    assert html.count("<p>") == 1


def test_a_file_that_is_not_given_is_named(files: Files, tmp_path: Path) -> None:
    without = {name: paths for name, paths in files.items() if name != "selection"}
    with pytest.raises(InputError, match="--selection must name one file; 0 are given"):
        draw("performance", without, tmp_path / "table.html")


# -- room --------------------------------------------------------------------------------------------------------------


def pages(folder: Path, label: str) -> dict[str, str]:
    """Return every table of a whole study, and the summary of a checkpoint; a model's label stands in ``label``."""
    datasets = ("registry", "second-hospital")
    files = whole_study(folder, label, datasets) | {"questions": [questions(folder)]}
    names = [item.key for item in ITEMS if item.kind == "table" and item.key not in ("questions-{data}", "replicates")]
    found = {name: draw(name, files, folder / f"{name}.html", texts=datasets) for name in names}
    found["questions"] = draw("questions-x", files, folder / "questions.html")
    seeds = [model(f"m{seed}", label=label.format(f"R, seed {seed}"), replicate_of="r", seed=seed) for seed in range(8)]
    results = Results(files, Settings(texts=datasets))
    vars(results)["models"] = seeds
    found["replicates"] = getattr(find("replicates").draw(results), "html", "")
    metrics = read_table(files["metrics"][0], "metrics")
    gains = metrics.filter(pl.col("metric").is_in(["accuracy", "partial_accuracy"]))
    metrics = pl.concat([metrics, gains.with_columns(metric="gain_" + pl.col("metric"))])
    write_table(metrics, "metrics", folder / "one.parquet")
    write_performance_summary([folder / "one.parquet"], "m2", 0, folder / "summary.html")
    return found | {"summary": (folder / "summary.html").read_text(encoding="utf-8")}


def test_tables_fit_a_window(tmp_path: Path) -> None:
    for name, page in pages(tmp_path, "{}").items():
        assert max(widths(page, wrapped=False)) <= WINDOW, name


def test_tables_with_long_labels_fit_a_window(tmp_path: Path) -> None:
    for name, page in pages(tmp_path, LONG).items():
        assert max(widths(page, wrapped=True)) <= WINDOW, name
        if name not in ("questions", "summary"):
            assert "second attempt" in page


def test_a_wide_table_is_found_wide() -> None:
    row = "".join(f'<td class="number">{"0" * 12}</td>' for _ in range(12))
    assert widths(f"<table><tr>{row}</tr></table>", wrapped=True)[0] > WINDOW
