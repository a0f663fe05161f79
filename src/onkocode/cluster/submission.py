"""How a job is put to SLURM: its name, what it is known by, and the script that its node runs."""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from onkocode.cluster.job import Payload
from onkocode.cluster.slurm import RefusedError, Row
from onkocode.records.ids import digest

COMMENT = "onkocode"
KEY_LENGTH = 16
WARNING_SECONDS = 240  # before the end of its time at which a job is told, where it cannot ask SLURM itself
NAME_LENGTH = 100


def key_of(outputs: Iterable[str], folder: Path) -> str:
    """Return what a job is known by: what it writes, and where."""
    return digest(str(folder), *sorted(map(str, outputs)))[:KEY_LENGTH]


def contents_of(params: Iterable[Mapping[str, Any]]) -> str:
    """Return a hash of what jobs compute from; where a rule has a `key` for that, it counts alone."""
    found = [str(item["key"]) if "key" in item else json.dumps(dict(item), default=str) for item in params]
    return digest(*sorted(found))[:KEY_LENGTH]


def comment_of(keys: Iterable[tuple[str, str]]) -> str:
    """Return the comment by which a later run knows the jobs again: key and contents of each."""
    return " ".join([COMMENT, *(f"{key}:{contents}" for key, contents in keys)])


def keys_in(comment: str) -> dict[str, str]:
    """Return contents by key that a comment holds; empty for the jobs of others."""
    words = comment.split()
    if not words or words[0] != COMMENT:
        return {}
    return dict(word.split(":", 1) for word in words[1:] if ":" in word)


def adoptable(rows: Iterable[Row], key: str, contents: str, fresh: Callable[[Row], bool]) -> Row | None:
    """Return a job that waits or runs and writes what another one would; None where there is none.

    Args:
        rows: jobs of this user.
        key: what the other one is known by.
        contents: what it computes from.
        fresh: tells of an ended job whether its outputs came after what the workflow has looked at.

    Raises:
        RefusedError: it is still at it, but computes that from something else.
    """
    for row in rows:
        found = keys_in(row.comment)
        if key not in found or not (row.alive or fresh(row)):
            continue
        if found[key] == contents:
            return row
        if row.alive:
            raise RefusedError(
                f"SLURM job {row.id} of an earlier run is still at it with other settings; wait until it has ended, or "
                f"end it (scancel {row.id}), and start Snakemake again"
            )
    return None


def name_of(rule: str, wildcards: Iterable[str]) -> str:
    """Return the name of a job in squeue, such as train_epoch.qwen3-8b.2."""
    words = [rule, *map(str, wildcards)]
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", ".".join(words))[:NAME_LENGTH]


def gpu_options(resources: Mapping[str, Any]) -> list[str]:
    """Return the options that ask for GPUs.

    Unlike the plugin's they ask for nothing where the number is 0, and take types with hyphens, as clusters have them.
    """
    if resources.get("gres"):
        return [f"--gres={resources['gres']}"]
    if not resources.get("gpu"):
        return []
    # On one node: --gpus counts those of the whole job, and its program runs on the first node alone.
    return ["--nodes=1", f"--gpus={':'.join([*filter(None, [resources.get('gpu_model')]), str(resources['gpu'])])}"]


def script_of(python: str, folder: Path, payload: Payload) -> str:
    """Return the script that SLURM runs on the node.

    It says plainly what is missing there, and starts `onkocode.cluster.job` with the programs of this environment
    found first.
    """
    interpreter, there = shlex.quote(python), shlex.quote(str(folder))
    missing = [f"{python} is not there", f"{folder} is not there", f"onkocode is not installed for {python}"]
    said = [f"{{ say {shlex.quote(text)}; exit {code}; }}" for text, code in zip(missing, (127, 126, 127), strict=True)]
    text = json.dumps(asdict(payload))  # one line of ASCII
    return f"""#!/bin/sh
# {" ".join(payload.names)}
say() {{ echo "onkocode: on node $(hostname): $1" >&2; }}
[ -x {interpreter} ] || {said[0]}
cd {there} || {said[1]}
{interpreter} -c "import onkocode.cluster.job" || {said[2]}
PATH={shlex.quote(str(Path(python).parent))}:$PATH
export PATH
exec {interpreter} -m onkocode.cluster.job <<'ONKOCODE'
{text}
ONKOCODE
"""
