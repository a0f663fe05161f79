import os

import polars as pl
import pytest
import yaml

from onkocode.records.provenance import read_provenance
from tests.workflow.conftest import copy_project

pytestmark = pytest.mark.catalogues


@pytest.fixture(scope="module")
def sample(catalogues, tmp_path_factory):
    """The workflow on the real catalogues, with one tiny model on a sample of them, smaller than the shipped one."""
    copy = copy_project(tmp_path_factory.mktemp("sample") / "project")
    smaller = {"data": {"sample": {"sample": {"codes": 25}}}, "tiny_models": {"sample": {"hidden_size": 96}}}
    smaller |= {"recipes": {"tiny-sample": {"training": {"epochs": 1}}}}
    (copy.root / "smaller.yaml").write_text(yaml.safe_dump(smaller), encoding="utf-8")
    files = ("--configfile", "config/sample.yaml", "smaller.yaml")
    copy.run(*files, "--cores", str(os.cpu_count()), environment={"ONKOCODE_CATALOGUES": str(catalogues)})
    return copy


def test_questions_come_from_the_real_catalogues(sample):
    folder = sample.root / "results/sample/catalogues"
    assert pl.read_parquet(folder / "icdo3-2019/entries.parquet").height == 4142
    assert pl.read_parquet(folder / "alphaid-2024/entries.parquet").height > 70_000
    facts = read_provenance(sample.root / "results/sample/questions/sample.parquet")
    assert facts["counts"]["icd10"] > 200
    assert facts["counts"]["icdo-link"] > 20
    assert facts["counts"]["topography-alphaid"] > 50
    assert facts["augmented"]["icd10"] > 50
    assert "BfArM" in facts["terms"]
    assert "BfArM" in read_provenance(folder / "alphaid-2024/entries.parquet")["attribution"]


def test_differences_between_years(project, catalogues):
    shown = project.command(
        ["onkocode", "catalogues", "diff", "2023", "2024"], {"ONKOCODE_CATALOGUES": str(catalogues)}
    ).stdout
    assert "Terminal codes: 831 in 2023 (OLD), 832 in 2024 (NEW)." in shown
    assert "Hämangiom: Knöcherne Wirbelsäule" in shown


def test_recoding_work_list(project, catalogues):
    command = "onkocode catalogues recode example/texts.csv --from 2023 --to 2024 --output worklist.csv"
    project.command(command.split(), {"ONKOCODE_CATALOGUES": str(catalogues)})
    rows = (project.root / "worklist.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows[0].startswith("id;line;old_code;")
    affected = [
        line
        for line in (project.root / "example/texts.csv").read_text(encoding="utf-8").splitlines()
        if "D18.08" in line
    ]
    assert len(rows) == 1 + len(affected)


def test_tables_of_clinical_language_are_checked_against_catalogues(project, catalogues):
    command = "onkocode language check --tables docs/language --icd10gm 2024 --icdo3 2019"
    shown = project.command(command.split(), {"ONKOCODE_CATALOGUES": str(catalogues)}).stdout
    assert shown.splitlines()[-1] == "your tables: no fault found"


def test_the_tiny_model_learns_real_labels(sample):
    metrics = pl.read_parquet(sample.root / "results/sample/metrics.parquet")
    gain = metrics.filter(
        (pl.col("epoch") == 1)
        & (pl.col("task") == "icd10")
        & (pl.col("stratum") == "heldout_formulation")
        & (pl.col("metric") == "gain_accuracy")
        & (pl.col("dataset") == "catalogue")
    )
    assert gain["low"][0] > 0.1
    assert (sample.root / "results/sample/figures/accuracy_by_epoch.svg").is_file()


def test_every_task_is_measured_on_real_label_spaces(sample):
    metrics = pl.read_parquet(sample.root / "results/sample/metrics.parquet")
    accuracy = metrics.filter((pl.col("metric") == "accuracy") & (pl.col("denominator") == "all"))
    for dataset in ("catalogue", "example"):
        asked = accuracy.filter((pl.col("dataset") == dataset) & (pl.col("n") > 0))["task"].unique()
        assert set(asked) == {"icd10", "topography", "morphology", "tumour", "tumour-icd10"}
    assert "behaviour_accuracy" in metrics.filter(pl.col("task") == "morphology")["metric"].to_list()


def test_results_of_other_runs_are_left_alone(sample):
    assert sorted(path.name for path in (sample.root / "results").iterdir()) == ["sample"]
