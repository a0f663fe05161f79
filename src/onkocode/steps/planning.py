"""Step of planning: what a study will cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onkocode.records.files import write_text
from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.common import config_files
from onkocode.terminal import say


@step(by_hand=True)
def plan(
    *,
    config: Sequence[Path] = (),
    model: Sequence[str] = (),
    gpu: Sequence[str] = (),
    gpus_at_once: Sequence[int] = (),
    limit: float | None = None,
    reload_minutes: float = 10.0,
    results: Path | None = None,
    output: Path | None = None,
) -> None:
    """Say what training will cost (parameters, tokens, memory, hours, disk) and how far that can be trusted.

    Args:
        config: configuration files; default: config/config.yaml
        model: {model} keys; default: all in `models`
        gpu: kinds of GPU, e.g. A40; default: the recipe's gpu_model
        gpus_at_once: numbers of GPUs that the study may get at once: how long it takes on each, by a simulation
        limit: time limit of the partition in hours, for the simulation; default: none
        reload_minutes: what a job that left at the limit loses when it goes on
        results: directory of results; default: that of the configuration
        output: file for all numbers (TSV); default: print only
    """
    from onkocode.config.loading import merge_files
    from onkocode.config.site import read_site, use_cache
    from onkocode.models.gpus import named_gpu
    from onkocode.planning.of_study import plan_study
    from onkocode.planning.other_gpus import requests_text
    from onkocode.planning.plan_table import plan_table
    from onkocode.planning.plan_text import plan_text
    from onkocode.planning.simulation import Limit
    from onkocode.planning.simulation_text import simulations
    from onkocode.study import Study

    use_cache(read_site())
    files = config_files(config)
    study = Study(merge_files(files), files)
    gpus = [named_gpu(name) for name in gpu]
    kinds, at_most = [kind.name for kind in gpus], Limit(limit, reload_minutes)
    folder = results or Path(study.config.pathvars.get("results", "results"))
    found = plan_study(study, model, gpus, folder)
    say(plan_text(found.plans, found.compared, found.left_out))
    for kind in kinds:
        say(f"\n{requests_text(study, found.models, kind, folder)}")
    tables = [plan_table(found.plans, found.compared)]
    for text, table in simulations(study, found, kinds, gpus_at_once, at_most):
        say(f"\n{text}")
        tables.append(table)
    for warning in study.retrained(folder):
        say(f"\nNote: {warning}")
    if output is not None:
        simulation = {"gpus_at_once": [*gpus_at_once], "limit": limit, "reload_minutes": reload_minutes}
        settings = {"models": found.models, "gpus": kinds, "simulation": simulation}
        inputs = {f"config {number}": path for number, path in enumerate(files, start=1)}
        Provenance("plan", settings, inputs).write(output)
        write_text(output, "".join(t.write_csv(separator="\t", include_header=not n) for n, t in enumerate(tables)))
