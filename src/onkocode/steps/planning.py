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
    results: Path | None = None,
    output: Path | None = None,
) -> None:
    """Say what training will cost (parameters, tokens, memory, hours, disk) and how far that can be trusted.

    Args:
        config: configuration files; default: config/config.yaml
        model: {model} keys; default: all in `models`
        gpu: kinds of GPU, e.g. A40; default: the recipe's gpu_model
        results: directory of results; default: that of the configuration
        output: file for all numbers (TSV); default: print only
    """
    from onkocode.config.loading import merge_files
    from onkocode.models.gpus import named_gpu
    from onkocode.planning.of_study import plan_study
    from onkocode.planning.plan_table import plan_table
    from onkocode.planning.plan_text import plan_text
    from onkocode.study import Study

    files = config_files(config)
    study = Study(merge_files(files), files)
    gpus = [named_gpu(name) for name in gpu]
    found = plan_study(study, model, gpus, results or Path(study.config.pathvars.get("results", "results")))
    say(plan_text(found.plans, found.compared, found.left_out))
    if output is not None:
        settings = {"models": found.models, "gpus": [kind.name for kind in gpus]}
        inputs = {f"config {number}": path for number, path in enumerate(files, start=1)}
        Provenance("plan", settings, inputs).write(output)
        write_text(output, plan_table(found.plans, found.compared).write_csv(separator="\t"))
