"""What docs/extending.md says is done in a copy of the project, and what it adds is run on the example."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from tests.workflow.conftest import ROOT, Project, copy_project
from tests.workflow.instructions import Instruction, read_page

PAGE = ROOT / "docs/extending.md"
SECTIONS = {section.title: section for section in read_page(PAGE)}
MOST_LINES = 10
MOST_FILES = {
    "A model": 1,
    "A catalogue year": 1,
    "A task": 3,
    "A metric": 2,
    "A figure": 3,
    "A kind of coder": 4,
    "A verb": 2,
}
CATALOGUES = {
    "alphaid/icd10gm2024_alphaidse_edvtxt_example.txt": "icd10gm2027_alphaidse_edvtxt_20260925.txt",
    "icd10gm/icd10gm2024syst_kodes_example.txt": "icd10gm2027syst_kodes_20260911.txt",
    "ops/ops2024syst_kodes_example.txt": "ops2027syst_kodes_20261016.txt",
}
FIGURE, TABLE = "results/figures/error_kinds.svg", "results/tables/performance.html"


def environment(project: Project) -> Mapping[str, str]:
    """Let the code of the copy be imported, and not the installed one."""
    return {"PYTHONPATH": str(project.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which every instruction was followed."""
    copy = copy_project(tmp_path_factory.mktemp("extended") / "project", ["src", "tests", "pyproject.toml"])
    for section in SECTIONS.values():
        for instruction in section.instructions:
            instruction.follow(copy.root, PAGE, lambda command: copy.command(command, environment(copy)))
    return copy


def small_study(root: Path) -> dict[str, Any]:
    """Return settings that make a small study of what was added, on files of the added year."""
    (recipe,) = re.findall(r"`(naive-bayes: \{.*\})`", " ".join(SECTIONS["A kind of coder"].lines))
    (root / "files").mkdir()
    for shipped, name in CATALOGUES.items():
        shutil.copy(root / "example/catalogues" / shipped, root / "files" / name)
    texts = (root / "example/texts.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (root / "texts.csv").write_text("".join(texts[:8]), encoding="utf-8")
    return {
        "models": ["tiny-mistral", "naive-bayes"],
        "recipes": yaml.safe_load(recipe),
        "catalogues": {"folder": "files"},
        "data": {"example": {"alphaid": "2027", "icd10gm": "2027", "ops": "2027", "sample": {"codes": 10}}},
        "texts": {"example": {"file": "texts.csv", "icd10gm": "2027"}},
        "evaluation": {"entries": 5, "tasks": ["icd10", "topography", "ops"], "bootstrap": 50},
    }


@pytest.fixture(scope="module")
def study(extended: Project) -> Project:
    """The copy after one run of the workflow."""
    settings = yaml.safe_dump(small_study(extended.root))
    (extended.root / "small.yaml").write_text(settings, encoding="utf-8")
    files = ("config/quickstart.yaml", *SECTIONS["A model"].files, "small.yaml")
    extended.run(FIGURE, TABLE, "--configfile", *files, "--cores", "2", environment=environment(extended))
    return extended


def test_each_kind_has_a_section() -> None:
    assert list(SECTIONS) == list(MOST_FILES)


@pytest.mark.parametrize("title", MOST_FILES)
def test_adding_is_short_and_touches_few_files(title: str) -> None:
    assert 0 < len(SECTIONS[title].lines) <= MOST_LINES
    assert 0 < len(SECTIONS[title].files) <= MOST_FILES[title]


def test_every_example_is_used() -> None:
    named = {instruction.source for section in SECTIONS.values() for instruction in section.instructions} - {""}
    assert {path.name for path in (ROOT / "docs/extending").iterdir()} == {Path(name).name for name in named}


def test_nothing_but_what_is_named_was_touched(extended: Project) -> None:
    named = {path for section in SECTIONS.values() for path in section.files}
    changed = set()
    for part in ("config", "src", "tests", "workflow", "docs", "profiles"):
        for path in (extended.root / part).rglob("*"):
            own = ROOT / path.relative_to(extended.root)
            if path.is_file() and not (own.is_file() and own.read_bytes() == path.read_bytes()):
                changed.add(str(path.relative_to(extended.root)))
    assert changed == named
    kept = {path.relative_to(extended.root) for path in extended.root.rglob("*")}
    assert [path for path in (ROOT / "src").rglob("*.py") if path.relative_to(ROOT) not in kept] == []


def test_what_was_added_is_clean(extended: Project) -> None:
    extended.command(["ruff", "check", "--no-cache", "."])
    extended.command(["ruff", "format", "--no-cache", "--check", "."])
    known = ROOT / ".mypy_cache"  # of `./run tests`, whose linters come first; without it this takes half a minute
    if known.is_dir():
        shutil.copytree(known, extended.root / known.name)
    extended.command(["mypy"])


def test_the_added_tests_pass(extended: Project) -> None:
    added = [path for section in SECTIONS.values() for path in section.files if path.startswith("tests/")]
    assert len(added) == 5
    every = [
        *added,
        "tests/unit/test_house.py",
        "tests/unit/test_config.py::test_the_shipped_schema_is_that_of_the_code",
    ]
    command = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *every]
    done = extended.command(command, environment(extended))
    assert re.search(r"^\d+ passed in", done.stdout, flags=re.MULTILINE)


def test_the_model_is_trained_and_the_coder_fitted(study: Project) -> None:
    results = study.root / "results"
    assert (results / "training/tiny-mistral/epoch-1/adapter/adapter_model.safetensors").is_file()
    assert (results / "training/naive-bayes/epoch-1/coder/labels.parquet").is_file()
    assert sorted(path.name for path in (results / "catalogues").iterdir()) == [
        "alphaid-2027",
        "icd10gm-2027",
        "icdo3-example",
        "ops-2027",
    ]


def test_task_and_metric_are_measured(study: Project) -> None:
    metrics = pl.read_parquet(study.root / "results/metrics.parquet")
    for model, epochs in {"tiny-mistral": [0, 1], "naive-bayes": [1]}.items():
        of_model = metrics.filter(pl.col("value").is_not_null(), model=model, denominator="all")
        assert of_model.filter(metric="accuracy", task="ops")["epoch"].unique().sort().to_list() == epochs
        letters = of_model.filter(metric="letter_accuracy")
        assert letters["epoch"].unique().sort().to_list() == epochs
        assert letters["task"].unique().to_list() == ["icd10"]
    trained = metrics.filter(model="naive-bayes", dataset="catalogue", stratum="train", denominator="all")
    for metric, task in (("accuracy", "ops"), ("letter_accuracy", "icd10")):
        assert min(trained.filter(metric=metric, task=task)["value"].to_list()) > 0.9


def test_the_figure_is_drawn_and_the_coder_stands_in_table_4(study: Project) -> None:
    for suffix in (".svg", ".png", ".tsv"):
        assert (study.root / FIGURE).with_suffix(suffix).stat().st_size > 100
    for drawn in (FIGURE, TABLE):
        table = pl.read_csv((study.root / drawn).with_suffix(".tsv"), separator="\t")
        assert set(table["label"]) == {"Tiny Mistral", "Naive Bayes"}


def test_the_verb_is_there(study: Project) -> None:
    tables = [f"results/catalogues/{name}.parquet" for name in ("icd10gm-2027/codes", "alphaid-2027/entries")]
    command = ["onkocode", "catalogues", "gaps", "--codes", tables[0], "--entries", tables[1]]
    *lines, last = study.command(command, environment(study)).stdout.splitlines()
    assert re.fullmatch(rf"{len(lines)} of \d+ terminal tumour codes have no label", last)


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        (Instruction("a.py", "x.txt", "in", "GONE = ("), r"a\.py: 0 lines begin with 'GONE = \(', not one"),
        (Instruction("a.py", "x.txt", "after", "ROWS"), r"a\.py: 2 lines begin with 'ROWS', not one"),
        (Instruction("a.py", "x.txt"), r"a\.py exists already"),
        (Instruction("b.py", "x.txt", "at the end"), r"there is no b\.py"),
        (Instruction("b.py", command="onkocode --help"), r"there is no b\.py"),
    ],
)
def test_what_cannot_be_followed_is_told(tmp_path: Path, instruction: Instruction, message: str) -> None:
    (tmp_path / "a.py").write_text("ROWS = (\n    1,\n)\nROWS += (2,)\n", encoding="utf-8")
    (tmp_path / "x.txt").write_text("    3,\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        instruction.follow(tmp_path, tmp_path / "page.md", lambda command: None)


@pytest.mark.parametrize(
    ("where", "anchor", "expected"),
    [
        ("in", "ROWS = (", "ROWS = (\n    1,\n\n    2,\nNEW\n)\n\n\nclass A:\n    b = 1\n"),
        ("after", "class A:", "ROWS = (\n    1,\n\n    2,\n)\n\n\nclass A:\n    b = 1\n\n\nNEW\n"),
        ("at the end", "", "ROWS = (\n    1,\n\n    2,\n)\n\n\nclass A:\n    b = 1\nNEW\n"),
    ],
)
def test_lines_go_where_they_are_said_to(tmp_path: Path, where: str, anchor: str, expected: str) -> None:
    (tmp_path / "a.py").write_text(expected.replace("\n\n\nNEW" if where == "after" else "\nNEW", ""), encoding="utf-8")
    (tmp_path / "x.txt").write_text("NEW\n", encoding="utf-8")
    Instruction("a.py", "x.txt", where, anchor).follow(tmp_path, tmp_path / "page.md", lambda command: None)
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("line", ["- `a.py`", "- `a.py`, into `X`: [y](z)", "- a.py: [y](z)", "- `a.py`, in `X`"])
def test_an_item_that_is_no_instruction_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "page.md").write_text(f"# Page\n\n## A thing\n\nWords.\n\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no instruction: - "):
        read_page(tmp_path / "page.md")
