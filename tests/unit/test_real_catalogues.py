from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.fetching.sources import find_local, read_sources
from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.config import load_config_files, resolve_data
from onkocode.config.data import Clinical
from onkocode.questions.blocks import core_blocks, select_entries
from onkocode.questions.clinical.blocks import clinical_questions
from onkocode.records.ids import text_key
from tests.conftest import Tables, sources_of

pytestmark = pytest.mark.catalogues

VERSIONS = {"alphaid": "2024", "icd10gm": "2024", "icdo3": "2019", "ops": "2024"}


@pytest.fixture(scope="module")
def real(catalogues: Path, root: Path) -> Tables:
    sources = read_sources(root / "config/catalogues.tsv")
    # The stand-in for Alpha-ID 2024 carries no official name.
    stand_in = next(iter(sorted(catalogues.rglob("reconstructed_alphaidse2024*.txt"))), None)
    tables = {}
    for dataset, version in VERSIONS.items():
        path = stand_in if dataset == "alphaid" and stand_in else find_local(sources[dataset, version], catalogues)
        assert path is not None
        tables[dataset] = parse_catalogue(dataset, version, path)
    return tables


@pytest.fixture(scope="module")
def real_blocks(real: Tables, root: Path) -> dict[str, pl.DataFrame]:
    options = resolve_data(load_config_files([root / "config/config.yaml"]), "catalogues-2024")
    return core_blocks(select_entries(sources_of(real), options), options)


def test_icdo3_has_the_papers_counts(real_blocks: dict[str, pl.DataFrame]) -> None:
    for block, labels, codes in (("topography", 1338, 400), ("morphology", 2804, 1145)):
        assert (real_blocks[block].height, real_blocks[block]["code"].n_unique()) == (labels, codes)


def test_icdo3_has_70_categories_of_topography(real: Tables) -> None:
    topography = real["icdo3"][1].filter(pl.col("system") == "topography")
    assert topography.filter(pl.col("code").str.len_chars() == 3).height == 70
    assert topography.filter("terminal").height == 330
    assert real["icdo3"][1].filter(pl.col("group") == "").height == 0


def test_alphaid_stand_in(real: Tables, real_blocks: dict[str, pl.DataFrame]) -> None:
    assert real["alphaid"][0].height == 75_965
    assert (real_blocks["icd10"].height, real_blocks["icd10"]["code"].n_unique()) == (13_606, 807)
    assert real_blocks["tumour"].height == 27_212
    assert sorted(set(real_blocks["icd10"]["code"]) - set(real["icd10gm"][1].filter("terminal")["code"])) == []


def test_icd10gm_2024(real: Tables) -> None:
    codes = real["icd10gm"][1]
    assert codes.height == 16_793
    assert codes.filter("tumour").height == 1_000
    assert codes.filter(pl.col("tumour") & pl.col("terminal")).height == 832


def test_ops_2024_has_239_three_character_classes(real: Tables) -> None:
    three = real["ops"][1].filter(pl.col("code").str.len_chars() == 4)
    assert three.height == 239


def test_official_sample_of_2020(catalogues: Path) -> None:
    path = next(catalogues.rglob("icd10gm2020_alphaid_se_muster_edvtxt*.txt"))
    entries, _ = parse_catalogue("alphaid", "2020", path)
    assert entries.height == 7_278
    assert entries.filter(pl.col("text").str.contains("\r")).height == 0


# -- the example against the real files --


@pytest.mark.parametrize("dataset", ["icd10gm", "icdo3"])
def test_codes_of_the_example_are_real_ones(example: Tables, real: Tables, dataset: str) -> None:
    columns = ["code", "system", "terminal", "chapter", "group", "category", "behaviour"]
    missing = (
        example[dataset][1]
        .select(columns)
        .join(real[dataset][1].select(columns), on=columns, how="anti", nulls_equal=True)
    )
    assert missing.rows() == []


def test_three_character_classes_of_the_example_are_real_ones(example: Tables, real: Tables) -> None:
    three = example["ops"][1]["category"].unique()
    assert sorted(set(three) - set(real["ops"][1]["category"])) == []


def test_the_example_is_in_words_of_its_own(example: Tables, real: Tables) -> None:
    """One-word labels such as „Magenkarzinom“ cannot be worded otherwise; longer ones must be the project's own."""

    def keys(tables: Tables) -> set[str]:
        labels = {key for entries, _ in tables.values() if entries.height for key in entries["text_key"]}
        return labels | {text_key(title) for _, codes in tables.values() if codes.height for title in codes["title"]}

    assert sorted(key for key in keys(example) & keys(real) if " " in key) == []


@pytest.mark.parametrize(("classes", "entries"), [([3], 239), ([4], 1_614), ([3, 4], 1_853)])
def test_likely_rules_for_ops(catalogues: Path, real: Tables, root: Path, classes: list[int], entries: int) -> None:
    """A list of 2023 has the four-character classes that are missing for 2024; no rule gives the paper's 2,964."""
    path = next(catalogues.rglob("ops2023_3_4digit_labels*.csv"))
    options = resolve_data(load_config_files([root / "config/config.yaml"]), "catalogues-2024")
    tables = real | {"ops": parse_catalogue("ops", "2023", path)}
    selection = select_entries(sources_of(tables), options.model_copy(update={"ops_classes": classes}))
    assert selection.procedures.height == entries


def test_composed_texts_cover_the_real_codes(real: Tables, root: Path) -> None:
    """With few texts for each code; the preset asks for 150, of which most codes have as many."""
    options = resolve_data(load_config_files([root / "config/config.yaml"]), "catalogues-2024")
    clinical = Clinical(texts_per_code=8)
    selection = select_entries(sources_of(real), options)
    found = clinical_questions(sources_of(real), selection, set(), options.model_copy(update={"clinical": clinical}))
    assert found.facts["codes"]["icd10"] >= 750
    assert found.facts["codes"]["topography"] >= 300
    assert found.facts["texts"] >= 750 * 8 * 0.9
    terminal = set(real["icd10gm"][1].filter(pl.col("terminal") & pl.col("tumour"))["code"])
    assert set(found.blocks["clinical-icd10"]["answer"]) <= terminal
    axes = set(real["icdo3"][1].filter("terminal")["code"])
    for task in ("topography", "morphology"):
        assert set(found.blocks[f"clinical-{task}"]["answer"]) <= axes
