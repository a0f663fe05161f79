"""What a branch or tag of the Hub stood for when a study first asked: it stays so for the study.

Snakemake removes the output of a job that runs again, so the commit stands in a file beside it. Without it a base that
is located again for any reason would be another one as soon as its branch has moved, and all training be repeated.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onkocode.records.files import write_text


def known_commit(output: Path, source: Mapping[str, Any]) -> str | None:
    """Return the commit that an earlier run resolved the same id and revision to; None where there was none.

    Args:
        output: result of prepare-model or fetch-adapter.
        source: the recipe's `base` or `adapter`.
    """
    try:
        record = json.loads(_beside(output).read_text(encoding="utf-8"))
        same = all(record[key] == source[key] for key in ("hub", "revision"))
        return str(record["commit"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_commit(output: Path, source: Mapping[str, Any], commit: str | None) -> None:
    """Note what a revision was resolved to; nothing for a local directory, which has none."""
    if commit is not None:
        record = {"hub": source["hub"], "revision": source["revision"], "commit": commit}
        write_text(_beside(output), json.dumps(record, indent=1) + "\n")


def _beside(output: Path) -> Path:
    return output.with_name(f"{output.name}.revision.json")
