"""Names that a user may choose are data, never commands: in every rule, and in a whole run."""

import re
import shutil
import stat
from pathlib import Path

import polars as pl
import pytest
import yaml

from onkocode.questions.formulations import load_formulations
from tests.workflow.conftest import ROOT, Project, copy_project, job_counts

RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
# What a shell could act on, umlauts, and a dash that could begin an option; the marks are files that must not arise.
ODD = "-Ä ö $(touch MARK1) `touch MARK2`;touch MARK3 & 'x\" (1) #%*?[a]=~"
FILES = ("--configfile", "config/quickstart.yaml", "mine.yaml")


def commands(text: str) -> list[str]:
    """Return the command of every rule, its strings joined."""
    blocks = re.findall(r'^    shell:\n((?:        ".*"\n)+)', text, flags=re.MULTILINE)
    return ["".join(re.findall(r'"(.*)"', block)) for block in blocks]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_placeholder_of_every_rule_is_quoted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = commands(text)
    assert len(found) == text.count("    shell:")
    assert not re.search(r"^    (run|script|notebook|wrapper|cwl):", text, flags=re.MULTILINE)
    for command in found:
        assert command.startswith("onkocode ")
        assert [name for name in re.findall(r"\{(.+?)\}", command) if not name.endswith(":q")] == []
        # A quoted word inside other quotes would be unquoted again.
        assert "'" not in command


def test_placeholders_are_found_where_they_are_not_quoted() -> None:
    rule = 'rule x:\n    shell:\n        "onkocode a {input:q} "\n        "{params.x} > {log:q} 2>&1"\n'
    (command,) = commands(rule)
    assert re.findall(r"\{(.+?)\}", command) == ["input:q", "params.x", "log:q"]


def official(folder: Path) -> None:
    """Lay the example catalogues down under odd names that are found as the official ones."""
    shipped = ROOT / "example/catalogues"
    for file, name in {
        "alphaid/icd10gm2024_alphaidse_edvtxt_example.txt": "icd10gm2024_alphaidse_edvtxt_x{}.txt",
        "icd10gm/icd10gm2024syst_kodes_example.txt": "icd10gm2024syst_kodes{}.txt",
        "icdo3/icdo32019_claml_example.xml": "icdo32019_claml{}.xml",
        "ops/ops2024syst_kodes_example.txt": "ops2024syst_kodes{}.txt",
    }.items():
        target = folder / file.partition("/")[0] / name.format(ODD)
        target.parent.mkdir(parents=True)
        shutil.copy(shipped / file, target)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run of every stage in which everything that a user names has an odd name, the folder of the project as well."""
    project = copy_project(tmp_path_factory.mktemp("names") / ODD)
    root = project.root
    official(root / ODD)
    texts = (ROOT / "example/texts.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (root / f"{ODD}.csv").write_text("".join(texts[:21]), encoding="utf-8")
    data = {"alphaid": "2024", "icd10gm": "2024", "icdo3": "2019", "ops": "2024", "sample": {"codes": 20}}
    mine = {
        "models": ["tiny-qwen3-s"],
        "pathvars": {name: f"{ODD}/{name}" for name in ("results", "private", "scratch", "logs", "benchmarks")},
        "catalogues": {"folder": ODD, "files": {"alphaid-2024": str(next((root / ODD / "alphaid").iterdir()))}},
        "data": {"example": data},
        "texts": {"example": {"file": f"{ODD}.csv", "icd10gm": "2024", "icdo3": "2019"}},
        "tiny_models": {"qwen3-s": {"hidden_size": 32, "layers": 1, "steps": 20}},
        "recipes": {"tiny-qwen3-s": {"training": {"epochs": 2}, "label": "Qwen3 $(touch MARK4)"}},
        "evaluation": {"entries": 5},
        "thinking": {"max_new_tokens": 8},
        "conditions": {"asked": ["swapped"]},
    }
    mine["pathvars"]["private"] = str(root / ODD / "private")  # type: ignore[index]  # absolute
    mine["recipes"]["tiny-qwen3-s"]["testing"] = {"quantisation": "none"}  # type: ignore[index]
    (root / "mine.yaml").write_text(yaml.safe_dump(mine, allow_unicode=True), encoding="utf-8")
    project.run(*FILES, "--cores", "2")
    return project


def test_run_with_odd_names_is_whole_and_nothing_in_them_was_executed(odd: Project) -> None:
    results = odd.root / ODD / "results"
    for name in ("loss_curves", "accuracy_by_epoch", "size_accuracy", "thinking_mode"):
        assert (results / "figures" / f"{name}.svg").is_file()
    metrics = pl.read_parquet(results / "metrics.parquet", glob=False)
    assert set(metrics["condition"]) == {"free", "thinking", "swapped"}
    assert set(metrics["epoch"]) == {0, 1, 2}
    assert (odd.root / ODD / "private/answers/tiny-qwen3-s/epoch-2/free").is_dir()
    assert "Ä ö" in (results / "catalogues/alphaid-2024/source.provenance.json").read_text(encoding="utf-8")
    private = [path for path in (odd.root / ODD / "private").rglob("*") if path.is_dir()]
    assert len(private) > 8
    for folder in [odd.root / ODD / "private", *private]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    everything = [path for path in odd.root.parent.rglob("*") if path.name.startswith("MARK")]
    assert everything == []
    for name in ("results", "private", "scratch", "logs"):
        assert not (odd.root / name).exists()


def test_second_run_with_odd_names_does_nothing(odd: Project) -> None:
    assert job_counts(odd.run(*FILES, "-n").stdout) == {}


def test_single_target_with_an_odd_name(odd: Project) -> None:
    target = f"{ODD}/results/tiny-qwen3-s.done"
    assert job_counts(odd.run(*FILES, "-n", "--", target).stdout) == {"one_model": 1, "total": 1}


def test_a_further_text_asks_nothing_but_itself(odd: Project) -> None:
    with (odd.root / f"{ODD}.csv").open("a", encoding="utf-8") as stream:
        stream.write("T998;Mamma-Ca, Z. n. OP, neu;C50.9;C50.9;;P998\n")
    odd.run(
        *FILES, "--cores", "2", "--", f"{odd.root}/{ODD}/private/predictions/tiny-qwen3-s/epoch-1/free/example.parquet"
    )
    log = (odd.root / ODD / "logs/evaluate_checkpoint/tiny-qwen3-s/epoch-1.log").read_text(encoding="utf-8")
    formulations = sum(len(load_formulations("v1")[task].templates) for task in ("icd10", "topography", "tumour"))
    assert f"\n{formulations} of " in f"\n{log}"
    assert "prompts asked, the others had an answer" in log


@pytest.mark.parametrize("folder", ["Ergebnisse {1}", "zwei\nZeilen", " "])
def test_folder_that_snakemake_would_misread_is_refused(project: Project, folder: str) -> None:
    (project.root / "mine.yaml").write_text(yaml.safe_dump({"pathvars": {"results": folder}}), encoding="utf-8")
    done = project.run(*FILES, "-n", check=False)
    assert done.returncode != 0
    assert "pathvars.results: must be the name of a folder without braces" in done.stdout + done.stderr


def test_workflow_runs_from_elsewhere(project: Project, tmp_path: Path) -> None:
    elsewhere = Project(tmp_path / "elsewhere")
    elsewhere.root.mkdir()
    files = ("-s", str(project.root / "Snakefile"), "--directory", str(elsewhere.root))
    shipped = str(project.root / "config/quickstart.yaml")
    made = ["results/catalogues/icdo3-example/codes.parquet", "private/texts/example/questions.parquet"]
    elsewhere.run(*files, "--configfile", shipped, "--cores", "1", "--", *made)
    assert all((elsewhere.root / path).is_file() for path in made)
    assert not (project.root / "results").exists()
    assert job_counts(elsewhere.run(*files, "-n").stdout)["train_epoch"] == 40  # with the shipped configuration
    mine = yaml.safe_load((project.root / "config/config.yaml").read_text(encoding="utf-8"))
    (elsewhere.root / "config").mkdir()
    (elsewhere.root / "config/config.yaml").write_text(yaml.safe_dump(mine | {"models": ["qwen3-8b"]}))
    assert job_counts(elsewhere.run(*files, "-n").stdout)["train_epoch"] == 5  # one's own comes first
