"""Names of the user's own on command lines: they stay names."""

from collections.abc import Iterable
from pathlib import Path

from onkocode.records.errors import InputError, first_of


def as_argument(path: Path | str) -> str:
    """Return a path as a command takes it: one that begins with a dash would be read as an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def check_names(names: Iterable[str | Path], as_script: bool) -> None:
    """Refuse names that Snakemake's executors for clusters would hand to a shell as commands.

    They put names into Python's quotes: '…', or "…" around a name that holds an apostrophe, in which a shell still acts
    on some signs. Without `slurm-pass-command-as-script` all of it stands in double quotes once more. Local runs quote
    everything.

    Args:
        names: the project's and the working directory, configuration files and path variables.
        as_script: whether jobs are handed over as scripts.

    Raises:
        InputError: names such names.
    """
    found = [name for name in dict.fromkeys(map(str, names)) if _is_acted_on(name, as_script)]
    if found:
        script = "or set slurm-pass-command-as-script: true in the profile"
        remedy = "without apostrophe or backslash" if as_script else script
        raise InputError(
            f"names that a job on the cluster would run as commands; choose others, {remedy}:\n{first_of(found)}"
        )


def _is_acted_on(name: str, as_script: bool) -> bool:
    return "\\" in name or (bool(set(name) & set('$`"')) and ("'" in name or not as_script))
