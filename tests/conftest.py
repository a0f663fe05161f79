import gc
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, settings

from onkocode.catalogues.fetching.sources import FOLDER_VARIABLE, read_sources
from onkocode.catalogues.formats.parse import DATASETS, parse_catalogue
from onkocode.cli import NEW_OBJECTS
from onkocode.config import Config, load_config_files
from onkocode.questions.blocks import CatalogueTables
from onkocode.questions.build import QuestionSet, build_questions, canonical_rows
from onkocode.records.offline import VARIABLES

ROOT = Path(__file__).parents[1]
REQUIRE_VARIABLE = "ONKOCODE_REQUIRE"

gc.set_threshold(NEW_OBJECTS)
# A busy machine is no fault of the code.
settings.register_profile("onkocode", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("onkocode")

Tables = dict[str, tuple[pl.DataFrame, pl.DataFrame]]


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of searches for unreachable objects: each training makes two, of 0.4 s."""
    gc.freeze()


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def catalogues() -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    reason = f"{FOLDER_VARIABLE} names no folder with the real catalogue files"
    if "catalogues" in os.environ.get(REQUIRE_VARIABLE, ""):
        pytest.fail(f"{reason}, but {REQUIRE_VARIABLE} demands them")
    pytest.skip(reason)


@pytest.fixture
def in_root(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work from the project's root, since paths in configuration files are relative to it."""
    monkeypatch.chdir(ROOT)
    return ROOT


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Give this process its umask back after a step that writes private files."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def hub_access(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this process its access to the Hub back after a step that closes it."""
    import huggingface_hub.constants as constants

    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that the patch ends with what was before
        monkeypatch.delenv(name)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.fixture(scope="session")
def quickstart() -> Config:
    return load_config_files([ROOT / "config/config.yaml", ROOT / "config/quickstart.yaml"])


@pytest.fixture(scope="session")
def example() -> Tables:
    """Entries and label space of each example catalogue."""
    sources = read_sources(ROOT / "config/catalogues.tsv")
    return {
        dataset: parse_catalogue(dataset, "example", ROOT / sources[dataset, "example"].file) for dataset in DATASETS
    }


@pytest.fixture(scope="session")
def example_questions(example: Tables, quickstart: Config) -> QuestionSet:
    """Questions of the data key `example`."""
    return build_questions(sources_of(example), quickstart.data["example"])


def sources_of(tables: Tables) -> CatalogueTables:
    """Return what questions are built from, one version of each catalogue."""
    alphaid, icdo3, ops = ([tables[name][0]] for name in ("alphaid", "icdo3", "ops"))
    return CatalogueTables(alphaid, icdo3, ops, tables["icd10gm"][1])


def questions_hash(questions: pl.DataFrame) -> str:
    """Return the hash that `build_questions` records, of questions in any order."""
    return hashlib.sha256(canonical_rows(questions.sort("question_id"))).hexdigest()
