"""Every command that the documentation shows is run here, or is what runs these tests."""

import re
import shlex

import pytest

from tests.workflow.conftest import ROOT, job_counts

PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
# Called by hand and by .ci/run; what they do after the setup is what this test session does.
ENTRY = {"./run quickstart", "./run tests", "./run setup"}
# Run to the end by test_quickstart.py on what the quickstart left.
ON_THE_QUICKSTART = {
    "snakemake --configfile config/quickstart.yaml --report report.html",
    "onkocode settings --config config/config.yaml --of training --key qwen3-8b",
    "onkocode keep-answers --config config/config.yaml config/quickstart.yaml",
    "onkocode questions describe --config config/config.yaml config/quickstart.yaml",
    "onkocode questions export --questions results/questions/example.parquet --output my-dataset",
    "onkocode questions compare results/datasets/example --questions results/questions/example.parquet",
    "onkocode status --config config/config.yaml config/quickstart.yaml --model tiny-qwen3-m tiny-llama",
    "onkocode status --config config/config.yaml config/quickstart.yaml --failed",
    "python benchmarks/catalogues_and_questions.py --config config/config.yaml config/quickstart.yaml",
}
# Removes what other tests look at, so it is run on a copy, without its question.
ON_A_COPY = {"onkocode remove-private private"}
# Need a cluster, GPUs and gated models, so their plan is made here instead.
PLANNED = {
    "snakemake -n",
    "snakemake --profile slurm",
    "snakemake questions --cores 2",
    "snakemake results/qwen3-8b.done --cores 2",
}
# Run below, on the tables of docs/language.
ON_TABLES = {
    'onkocode language explain "Z. n. Mamma-Ca li. 2015, jetzt Urothel-Ca Harnleiter, high grade, pTa"',
    'onkocode language explain --tables docs/language "MaKa" "gallertiges Karzinom im Magenschlauch"',
    "onkocode language check --tables docs/language",
}
# Run to the end by test_real_input.py on the real catalogues, the first one with a smaller sample.
ON_REAL_CATALOGUES = {
    "snakemake --configfile config/sample.yaml --cores 2",
    "onkocode catalogues diff 2023 2024",
    "onkocode catalogues recode example/texts.csv --from 2023 --to 2024 --output worklist.csv",
    "onkocode language check --tables docs/language --icd10gm 2024 --icdo3 2019",
}


def documented_commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                command = " ".join(line.split(" #")[0].split())
                if command and not command.startswith("#"):
                    found.append((page, command))
    return found


def test_pages_show_commands():
    assert len(documented_commands()) >= 8


@pytest.mark.parametrize(("page", "command"), documented_commands())
def test_every_command_is_one_that_is_run(page, command):
    assert command in ENTRY | ON_THE_QUICKSTART | ON_A_COPY | PLANNED | ON_TABLES | ON_REAL_CATALOGUES


def test_entry_points_are_those_of_the_script():
    script = (ROOT / "run").read_text(encoding="utf-8")
    for command in sorted(ENTRY):
        assert f"    {command.split()[1]})\n" in script
    assert "snakemake --configfile config/quickstart.yaml --cores all" in script
    assert (ROOT / ".ci/run").read_text(encoding="utf-8").rstrip().endswith("./run tests")


@pytest.mark.parametrize("command", sorted(PLANNED))
def test_planned_command(project, command):
    output = project.command([*shlex.split(command), "-n"]).stdout
    assert job_counts(output)


def fixed(shown: str) -> list[str]:
    """Return an explanation without numbers of lines and the lines themselves, which change with the tables."""
    return [re.sub(r"tsv:\d+", "tsv", line) for line in shown.splitlines() if not line.startswith(" " * 16)]


@pytest.mark.parametrize("command", sorted(ON_TABLES))
def test_command_on_tables(project, command):
    printed = project.command(shlex.split(command), {"COLUMNS": "100"}).stdout
    page = (ROOT / "docs/language.md").read_text(encoding="utf-8")
    shown = re.search(re.escape(command) + r"\n```\n\nprints\n\n```text\n(.*?)```", page, flags=re.DOTALL)
    assert printed
    assert shown is None or fixed(printed) == fixed(shown.group(1))
    assert (shown is None) == ("--tables" in command)


def test_rows_to_copy_are_those_of_the_tables():
    page = (ROOT / "docs/language.md").read_text(encoding="utf-8")
    shown = [line.strip("|").replace("\\|", "\0").split("|") for line in page.splitlines() if line.startswith("| `")]
    cells = {tuple(cell.strip().strip("`").replace("\0", "|") for cell in row) for row in shown}
    for path in sorted((ROOT / "docs/language").glob("*.tsv")):
        header, *rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
        assert rows
        for row in rows:
            assert (*row, *[""] * (len(header) - len(row))) in cells


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        folder = (ROOT / page).parent
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
            if not link.startswith("http"):
                assert (folder / link).exists(), f"{page}: {link}"
