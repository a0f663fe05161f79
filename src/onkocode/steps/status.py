"""Step that says how far a study is."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onkocode.records.errors import InputError
from onkocode.steps.app import step
from onkocode.steps.common import config_files, write_json
from onkocode.terminal import say

if TYPE_CHECKING:
    from onkocode.study import Study


@step(by_hand=True)
def status(
    *,
    config: Sequence[Path] = (),
    model: Sequence[str] = (),
    failed: bool = False,
    watch: bool = False,
    json: Path | None = None,
) -> None:
    """Say how far a study is: what is done, runs, waits or has failed, and what to do next.

    Args:
        config: configuration files, all that Snakemake is given; default: config/config.yaml
        model: {model} keys; default: all in `models`
        failed: only failed jobs, each with the end of its log
        watch: look again every 10 s until Ctrl-C
        json: file for all of it, for programs
    """
    from onkocode.cluster import screen, show
    from onkocode.cluster.expected import places_of, study_jobs
    from onkocode.cluster.sources import Sources
    from onkocode.cluster.status import as_record, look

    study = _study(config)
    jobs = study_jobs(study, _models(study, model))
    logs = places_of(study.config.pathvars)["logs"]

    def text(width: int, height: int | None) -> str:
        sources = Sources(Path.cwd(), logs)
        found = look(jobs, sources)
        if json is not None:
            write_json(json, as_record(found, sources))
        if failed:
            return show.failures(found, width)
        return show.overview(found, sources, width, colour=screen.has_colours(), height=height)

    if watch:
        screen.refresh(text)
    else:
        say(text(shutil.get_terminal_size().columns, None))


def _study(config: Sequence[Path]) -> Study:
    from onkocode.config.loading import merge_files
    from onkocode.study import Study

    files = config_files(config)
    merged = merge_files(files)
    try:
        return Study(merged, ())
    except InputError:
        return Study(merged, files)  # names file and line of a mistake, for which all files are read once more


def _models(study: Study, given: Sequence[str]) -> list[str]:
    """Return the models of keys: that of a recipe stands for its replicates; raises InputError for unknown ones."""
    found: list[str] = []
    for key in given:
        if key not in study.models_of and key not in study.recipes:
            known = [*study.models_of, *study.models]
            near = difflib.get_close_matches(key, known, 1)
            said = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(dict.fromkeys(known))}"
            raise InputError(f"--model {key}: not a model of this study; {said}")
        found += study.models_of.get(key, [key])
    return found
