"""Every command that the documentation shows is run here, or is what runs these tests."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.unit.fake_slurm import FakeSlurm
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
    "snakemake results/training/qwen3-8b/epoch-2/adapter --cores 2",
    "snakemake results/evaluation/qwen3-8b/epoch-2/summary.html --cores 2",
    "snakemake results/nearest-label.done --cores 2",
    "snakemake figures --cores 2",
    "snakemake --configfile docs/training/ninth-model.yaml --profile slurm",
    "snakemake --configfile docs/training/year-2025.yaml --profile slurm",
}
# Run below; they need nothing but the configuration.
COUNTED = {
    "onkocode plan": "llama-3.3-70b",
    "onkocode plan --gpus-at-once 4 8 16 --limit 24": "this study              ",
    "onkocode plan --gpu H200 L4": "What to ask for on L4",
}
# Need the Hub, so they are run below without it, and must name what they could not fetch.
WITHOUT_THE_HUB = {"onkocode fetch", "onkocode fetch --check"}
# Need an index of packages; below stands what has to be so for them to work.
WHERE_PACKAGES_ARE = {
    "pip wheel --wheel-dir wheelhouse --constraint constraints.txt 'setuptools>=77' '.[dev]'",
    "export PIP_NO_INDEX=1 PIP_FIND_LINKS=$PWD/wheelhouse",
}
# Run below, on the tables of docs/language.
ON_TABLES = {
    'onkocode language explain "Z. n. Mamma-Ca li. 2015, jetzt Urothel-Ca Harnleiter, high grade, pTa"',
    'onkocode language explain --tables docs/language "MaKa" "gallertiges Karzinom im Magenschlauch"',
    "onkocode language check --tables docs/language",
}
# Run below on a SLURM that only answers; on a real one by tests/cluster/test_check.py.
ON_A_CLUSTER = ["onkocode cluster describe --output config/site.yaml", "onkocode cluster check"]
# Run to the end by test_real_input.py on the real catalogues, the first one with a smaller sample.
ON_REAL_CATALOGUES = {
    "snakemake --configfile config/sample.yaml --cores 2",
    "onkocode catalogues diff 2023 2024",
    "onkocode catalogues recode example/texts.csv --from 2023 --to 2024 --output worklist.csv",
    "onkocode language check --tables docs/language --icd10gm 2024 --icdo3 2019",
}
# Run by tests/cluster: the first section of docs/cluster.md as it stands, --unlock and --watch where they are tested.
ON_A_REAL_CLUSTER = {
    ". .venv/bin/activate",
    "onkocode cluster check --config config/config.yaml config/quickstart.yaml",
    "onkocode status --config config/config.yaml config/quickstart.yaml",
    "snakemake --profile slurm --configfile config/quickstart.yaml",
    "onkocode status --watch",
    "snakemake --unlock",
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
    known = ENTRY | ON_THE_QUICKSTART | ON_A_COPY | PLANNED | ON_TABLES | ON_REAL_CATALOGUES
    known |= WITHOUT_THE_HUB | WHERE_PACKAGES_ARE | set(ON_A_CLUSTER) | ON_A_REAL_CLUSTER | COUNTED.keys()
    assert command in known


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


@pytest.mark.parametrize("command", sorted(WITHOUT_THE_HUB))
def test_command_without_the_hub(project, command):
    cut_off = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(project.root / "hf")}
    done = project.command(shlex.split(command), cut_off, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("onkocode fetch: not all ")
    assert done.stdout.count("\nbase ") == 8
    assert "Qwen/Qwen3-8B" in done.stderr
    assert "alphaid 2024" in done.stderr


def test_packages_come_from_where_pip_is_told():
    script = (ROOT / "run").read_text(encoding="utf-8")
    assert "-m pip install" in script
    assert "--constraint constraints.txt --editable '.[dev]'" in script
    assert re.search(r"index|find-links|isolated", script) is None  # they would override PIP_NO_INDEX and the like
    assert 'requires = ["setuptools>=77"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_commands_on_a_cluster(project, tmp_path):
    slurm = FakeSlurm(tmp_path / "bin")
    slurm.answer(state="CANCELLED")
    written, checked = (
        project.command(
            shlex.split(command), {"PATH": f"{Path(sys.executable).parent}:{slurm.environment()['PATH']}"}, check=False
        )
        for command in ON_A_CLUSTER
    )
    assert written.returncode == 0, written.stderr
    assert checked.returncode == 2  # the paper's models are not here
    lines = checked.stdout.splitlines()
    assert "ok       SLURM: version 22.05.8 answers" in lines
    page = (ROOT / "docs/site.md").read_text(encoding="utf-8")
    begin = {line[9:].split()[0].rstrip(":") for line in lines[:-1]}
    assert [word for word in sorted(begin) if not re.search(rf"^\|.*`{word}\b", page, flags=re.MULTILINE)] == []


@pytest.mark.parametrize(("command", "shown"), COUNTED.items())
def test_counted_command(project, command, shown):
    assert shown in project.command(shlex.split(command)).stdout


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
