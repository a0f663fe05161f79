"""How long the study takes on so many GPUs, for the terminal and as rows of the plan's table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from onkocode.planning.of_study import StudyPlan
from onkocode.planning.plan_table import Row, as_table
from onkocode.planning.plan_text import wrapped
from onkocode.planning.simulation import LEAVING_MINUTES, Limit, Outcome, Work, simulate
from onkocode.planning.works import GIVEN, PLANNED, Hours, hours_of, works_of, works_of_paper
from onkocode.records.errors import InputError
from onkocode.study import Study
from onkocode.text_tables import Cell, text_table

PAPER = "Table 3, training alone"
NOTE = (
    "days: until the last answer; scoring, comparing and drawing take minutes and are not counted. used: share of the "
    "GPUs' time. starts: submissions of all jobs. longest chain: jobs that wait for each other, which no further GPU "
    "makes shorter; the model, and its days. Jobs start as SLURM starts them with backfill, training before "
    "evaluations; GPUs are there at once, and nobody else queues."
)


@dataclass(frozen=True)
class Simulated:
    """Jobs and what came of them on each number of GPUs."""

    name: str
    outcomes: dict[int, Outcome]


def simulations(
    study: Study, found: StudyPlan, kinds: Sequence[str], gpus: Sequence[int], limit: Limit
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield text and table of a study's simulation: for each named kind of GPU, or else with each recipe on its own.

    Raises:
        InputError: fewer than one GPU.
    """
    if any(count < 1 for count in gpus):
        raise InputError("--gpus-at-once must be at least 1")
    named: list[str | None] = [*kinds] or [None]
    for kind in named if gpus else ():
        each = hours_of(study, [p for p in found.plans if kind is None or (p.gpu is not None and p.gpu.name == kind)])
        works = works_of(study, each, found.named)
        outcomes = simulated("this study" if kind is None else f"this study on {kind}", works, gpus, limit)
        known = {model: each[model] for model in found.named if model in each}
        yield simulation_text(outcomes, limit, known), simulation_table(outcomes)


def simulated(name: str, works: Sequence[Work], gpus: Sequence[int], limit: Limit) -> list[Simulated]:
    """Return what comes of the jobs, and beside them of the paper's fine-tunings."""
    every = {name: works, PAPER: works_of_paper()}
    return [Simulated(key, {count: simulate(found, count, limit) for count in gpus}) for key, found in every.items()]


def simulation_text(found: Sequence[Simulated], limit: Limit, hours: Mapping[str, Hours]) -> str:
    """Return the section for the terminal, at most 120 columns wide."""
    rows = [_row(item.name, gpus, outcome) for item in found for gpus, outcome in item.outcomes.items()]
    header = ["jobs", "GPUs at once", "days", "GPU-hours", "used", "starts", "longest chain", "its days"]
    lines = [NOTE, _limit(limit), _sources(hours), *_left_out(found)]
    table = text_table(header, rows)
    return "\n\n".join(["How long it takes on so many GPUs", table, wrapped("\n".join(filter(None, lines)))])


def _row(name: str, gpus: int, outcome: Outcome) -> list[Cell]:
    used = f"{100 * outcome.utilisation(gpus):.0f} %"
    days, chain = f"{outcome.hours / 24:,.1f}", f"{outcome.chain_hours / 24:,.1f}"
    return [name, gpus, days, round(outcome.gpu_hours), used, outcome.submissions, _model(outcome), chain]


def _model(outcome: Outcome) -> str | None:
    return outcome.chain[0].model if outcome.chain else None


def _limit(limit: Limit) -> str:
    if limit.hours is None:
        return "limit: none; with --limit HOURS, longer jobs leave before the partition's limit and queue again."
    return (
        f"limit: {limit.hours:g} h; longer jobs leave {LEAVING_MINUTES:g} minutes before and queue again, and each "
        f"further start costs {limit.reload_minutes:g} minutes (--reload-minutes; assumed)."
    )


def _sources(hours: Mapping[str, Hours]) -> str:
    said = []
    for source in (PLANNED, GIVEN):
        models = [model for model, found in hours.items() if found.source == source]
        if models:
            said.append(f"{source} for {', '.join(models)}")
    training = "; ".join(said) or "nothing is trained"
    return f"hours of training: {training}.\nhours of fitting and of questions: {GIVEN}, which leave room."


def _left_out(found: Sequence[Simulated]) -> list[str]:
    lines = []
    for item in found:
        for gpus, outcome in item.outcomes.items():
            models = list(dict.fromkeys(work.model for work in outcome.left_out))
            if models:
                lines.append(f"{item.name}, {gpus} at once: left out, since they need more: {', '.join(models)}.")
    return lines


def simulation_table(found: Sequence[Simulated]) -> pl.DataFrame:
    """Return every number of the section, a row each, with the columns of the plan's table."""
    rows: list[Row] = []
    for item in found:
        for gpus, outcome in item.outcomes.items():
            key = f"{item.name} on {gpus} at once"
            rows += [
                ("simulation", key, "days", outcome.hours / 24, "d", "simulation"),
                ("simulation", key, "GPU-hours", outcome.gpu_hours, "h", "simulation"),
                ("simulation", key, "used", outcome.utilisation(gpus), "share of the GPUs' time", "simulation"),
                ("simulation", key, "starts", outcome.submissions, "", "simulation"),
                ("simulation", key, "longest chain", outcome.chain_hours / 24, "d", _model(outcome) or ""),
            ]
    return as_table(rows)
