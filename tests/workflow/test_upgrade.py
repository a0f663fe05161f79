"""What an earlier version left is used: nothing is trained, asked or built again. See tests/upgrade/README.md."""

import hashlib
import re
import tarfile
from pathlib import Path

import polars as pl
import pytest

from onkocode.records.contracts import checked
from onkocode.records.schemas import TABLES, columns_of, read_table
from tests.workflow.conftest import ROOT, Project, job_counts

ARCHIVE = ROOT / "tests/upgrade/study.tar.xz"
# Rules whose jobs take time, or would let such jobs run again. Answers may be judged and measured anew.
KEPT = {
    *("retrieve_catalogue", "parse_catalogue", "read_texts", "build_questions", "build_text_questions"),
    *("pretrain_model", "prepare_model", "train_epoch", "evaluate_checkpoint", "evaluate_thinking"),
}
WORK = ("results/training", "results/models/tiny", "results/questions", "private/predictions", "private/answers")


@pytest.fixture
def study(tmp_path: Path) -> Project:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return Project(tmp_path)


def snakemake(study: Project, *arguments: str) -> str:
    command = ["snakemake", "-s", str(ROOT / "Snakefile"), "--directory", str(study.root), *arguments]
    done = study.command(command)
    return done.stdout + done.stderr


def reasons(output: str) -> str:
    """Return what Snakemake says of each job: what it would do, and why."""
    return "\n".join(re.findall(r"^Job \d+: .*\nReason: .*$", output, flags=re.MULTILINE))


def contents(study: Project) -> dict[str, str]:
    files = [path for folder in WORK for path in (study.root / folder).rglob("*") if path.is_file()]
    assert len(files) > 50
    return {str(path.relative_to(study.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_an_upgrade_trains_and_asks_nothing_again(study: Project) -> None:
    planned = snakemake(study, "-n")
    again = KEPT & set(job_counts(planned))
    assert not again, f"{', '.join(sorted(again))} would run again after an upgrade:\n{reasons(planned)}"
    before = contents(study)
    done = snakemake(study, "--cores", "2")
    assert contents(study) == before
    logs = {path.name for path in (study.root / "logs").iterdir()}
    assert not KEPT & logs, f"{', '.join(sorted(KEPT & logs))} ran again after an upgrade:\n{reasons(done)}"
    assert (study.root / "results/figures/accuracy_by_epoch.svg").is_file()
    assert "Nothing to be done" in snakemake(study, "-n")


def test_an_edit_that_changes_no_result_repeats_nothing(study: Project) -> None:
    edits = ("evaluation={shard: 7}", "recipes={plain: {training: {save_minutes: 7}}}")
    planned = snakemake(study, "-n", "--forcerun", "train_epoch", "--config", *edits)
    assert '"save_minutes":7.0' in planned
    assert '"shard":7' in planned
    again = KEPT & set(job_counts(snakemake(study, "-n", "--config", *edits)))
    assert not again, f"{', '.join(sorted(again))} would run again:\n{reasons(planned)}"


def test_tables_of_earlier_versions_are_read_and_sound(study: Project) -> None:
    """Each is read with today's columns, and what it holds may be written again."""
    found = set()
    for path in study.root.rglob("*.parquet"):
        name = pl.read_parquet_metadata(path).get("schema", "").rpartition("-")[0]
        if not name:
            continue  # exported for others
        table = read_table(path, name)
        assert table.schema == pl.Schema(columns_of(name)), path
        checked(table, name)
        found.add(name)
    assert found == set(TABLES) - {"crosswalk", "comparisons", "certainty"}  # the latter came later
