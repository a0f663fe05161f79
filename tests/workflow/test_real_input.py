import os

import polars as pl
import pytest

from onkocode.records.provenance import read_provenance
from tests.workflow.conftest import copy_project

pytestmark = pytest.mark.catalogues


@pytest.fixture(scope="module")
def sample(catalogues, tmp_path_factory):
    """The workflow on the real catalogues, with one tiny model on a sample of them."""
    copy = copy_project(tmp_path_factory.mktemp("sample") / "project")
    environment = {"ONKOCODE_CATALOGUES": str(catalogues)}
    copy.run("--configfile", "config/sample.yaml", "--cores", str(os.cpu_count()), environment=environment)
    return copy


def test_questions_come_from_the_real_catalogues(sample):
    folder = sample.root / "results/sample/catalogues"
    assert pl.read_parquet(folder / "icdo3-2019/entries.parquet").height == 4142
    assert pl.read_parquet(folder / "alphaid-2024/entries.parquet").height > 70_000
    facts = read_provenance(sample.root / "results/sample/questions/sample.parquet")
    assert facts["counts"]["icd10"] > 200
    assert "BfArM" in facts["terms"]


def test_the_tiny_model_learns_real_labels(sample):
    metrics = pl.read_parquet(sample.root / "results/sample/metrics.parquet")
    gain = metrics.filter(
        (pl.col("epoch") == 3)
        & (pl.col("task") == "icd10")
        & (pl.col("stratum") == "heldout_formulation")
        & (pl.col("metric") == "gain_accuracy")
        & (pl.col("dataset") == "catalogue")
    )
    assert gain["low"][0] > 0.1
    assert (sample.root / "results/sample/figures/accuracy_by_epoch.svg").is_file()


def test_results_of_other_runs_are_left_alone(sample):
    assert sorted(path.name for path in (sample.root / "results").iterdir()) == ["sample"]
