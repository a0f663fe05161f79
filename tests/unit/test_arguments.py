"""Names of the user's own on command lines, of verbs and of jobs on a cluster."""

import subprocess
from pathlib import Path

import pytest
from snakemake_interface_executor_plugins.utils import format_cli_arg

from onkocode.records.arguments import as_argument, check_names
from onkocode.records.errors import InputError


@pytest.mark.parametrize(
    ("path", "argument"), [("-x/y", "./-x/y"), ("--help", "./--help"), ("x-y", "x-y"), ("/-x", "/-x")]
)
def test_a_path_is_never_an_option(path: str, argument: str) -> None:
    assert as_argument(path) == as_argument(Path(path)) == argument


def as_snakemake_quotes(name: str) -> str:
    """Return what Snakemake's executor plugins make of a name for the command of a job."""
    return str(format_cli_arg("--configfiles", [name]))


@pytest.mark.parametrize("name", ["Mein Ordner (ä)", "a$(touch x)", "a`touch x`", "O'Brien", "O'B $(touch x)"])
@pytest.mark.parametrize("further", ["", "'", '"', "\\", "$HOME", "*;&|#~"])
@pytest.mark.parametrize("as_script", [True, False])
def test_names_that_pass_reach_a_cluster_job_as_they_are(
    name: str, further: str, as_script: bool, tmp_path: Path
) -> None:
    named = name + further
    if is_refused(named, as_script):
        return
    # What the plugin for SLURM makes of it: a script, or a word in double quotes with those inside it escaped.
    job = f"printf %s {as_snakemake_quotes(named).removeprefix('--configfiles ')}"
    wrapped = job if as_script else 'sh -c "' + job.replace('"', '\\"') + '"'
    done = subprocess.run(wrapped, shell=True, capture_output=True, text=True, cwd=tmp_path)  # noqa: S602
    assert done.stdout == named
    assert list(tmp_path.iterdir()) == []


def is_refused(name: str, as_script: bool) -> bool:
    try:
        check_names([name], as_script)
    except InputError as error:
        return name in str(error)
    return False


def test_usual_names_pass() -> None:
    usual: list[str | Path] = [
        "/data/Mein Ordner (ä) 2024",
        "results",
        Path("/home/o/config.yaml"),
        "O'Brien & Co.",
        "-x",
    ]
    check_names(usual, as_script=True)
    check_names(usual, as_script=False)
    check_names(["a$(touch x)", 'a"b'], as_script=True)
    with pytest.raises(InputError, match="slurm-pass-command-as-script"):
        check_names(["a$(touch x)"], as_script=False)
