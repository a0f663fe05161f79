"""The overview of a study for a terminal: matrices of models and epochs, counts, what runs and what has failed."""

import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from onkocode.cluster.expected import Stage
from onkocode.cluster.matrix import Row, matrix, painted, rows_of
from onkocode.cluster.sources import Sources
from onkocode.cluster.status import State, Status
from onkocode.cluster.tails import last_lines

MATRICES: tuple[tuple[Stage, str, int], ...] = (("training", "Training", 1), ("evaluation", "Evaluation", 0))
OTHERS: tuple[Stage, ...] = ("questions", "models", "scoring", "figures")
WORDS: dict[State, str] = {"running": "running", "queued": "in the queue", "failed": "failed", "stale": "stale"}
AT_MOST = 10  # jobs of a kind of which details are shown
SILENT = 600.0  # seconds without progress that a person is told of
NARROWEST = 30
QUIET = ("done", "waiting", None)


def overview(
    statuses: Sequence[Status], sources: Sources, width: int, *, colour: bool = False, height: int | None = None
) -> str:
    """Return the overview.

    Args:
        statuses: of all jobs that are shown.
        sources: what they were made from.
        width: of the terminal, in characters.
        colour: whether states are coloured.
        height: of the terminal, in lines; where all does not fit, rows of models in which nothing happens are left
            out, then what is over. None = all of it.
    """
    width = max(NARROWEST, width)
    lines = _lines(statuses, sources, width, colour, lambda row: True)
    if height is None or len(lines) <= height:
        return "\n".join(lines)
    lines = _lines(statuses, sources, width, colour, _happens)
    if len(lines) > height:
        lines = [*lines[: height - 1], f"... and {len(lines) - height + 1} more lines"]
    return "\n".join(lines)


def _happens(row: Row) -> bool:
    """Tell whether something happens in a row that a person may want to see."""
    return any(state not in QUIET for _, state in row[1])


def _lines(
    statuses: Sequence[Status], sources: Sources, width: int, colour: bool, shown: Callable[[Row], bool]
) -> list[str]:
    lines, legends = _wrapped(_headline(sources), width), []
    for stage, title, first in MATRICES:
        of_stage = [item for item in statuses if item.job.stage == stage]
        found, legend = _matrix(of_stage, title, first, width, colour, shown)
        lines += ["", *found]
        legends += legend.split("; ") if legend else []
    lines += ["", *_wrapped("; ".join(dict.fromkeys(legends)), width)] if legends else []
    return [*lines, "", *_others(statuses, width), *_details(statuses, width, colour)]


def _headline(sources: Sources) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(sources.now))
    runs = "Snakemake does not run here"
    if sources.started is not None:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(sources.started))
        runs = f"Snakemake runs here since {since} (or was killed)"
    trouble = f"; SLURM says nothing, so this is from files alone: {sources.trouble}" if sources.trouble else ""
    return f"{when}; {runs}{trouble}"


def _matrix(
    statuses: Sequence[Status], title: str, first: int, width: int, colour: bool, shown: Callable[[Row], bool]
) -> tuple[list[str], str]:
    models = list(dict.fromkeys(item.job.model for item in statuses))
    last = max((item.job.epoch or 0 for item in statuses), default=-1)
    if not models:
        return [f"{title}: no jobs"], ""
    epochs = list(range(first, last + 1))
    rows = rows_of(statuses, models, epochs)
    kept = [row for row in rows if shown(row)]
    lines, legend = matrix(kept, epochs, width, colour) if kept else ([], "")
    if len(kept) < len(rows):
        lines += _wrapped(f"and {len(rows) - len(kept)} models of which nothing runs, waits in SLURM or failed", width)
    return [*_wrapped(f"{title}: {counts(statuses)}", width), *lines], legend


def counts(statuses: Iterable[Status]) -> str:
    """Return how many jobs are done, and what the others do."""
    found = Counter(item.state for item in statuses)
    parts = [f"{found[state]} {word}" for state, word in WORDS.items() if found[state]]
    return ", ".join([f"{found['done']} of {found.total()} done", *parts])


def _others(statuses: Sequence[Status], width: int) -> list[str]:
    lines: list[str] = []
    for stage in OTHERS:
        found = [item for item in statuses if item.job.stage == stage]
        failed = [item.job.name for item in found if item.state == "failed"]
        names = f": {some(failed, 5)}" if failed else ""
        lines += _wrapped(f"{stage.capitalize()}: {counts(found)}{names}", width) if found else []
    return lines


def _details(statuses: Sequence[Status], width: int, colour: bool) -> list[str]:
    lines: list[str] = []
    by_state = {state: [item for item in statuses if item.state == state] for state in WORDS}
    for state in ("running", "failed"):
        lines += _section(by_state[state], state, width, colour)
    lines += _queued(by_state["queued"], width)
    stale = by_state["stale"]
    if stale:
        goes_on = "; ".join(dict.fromkeys(item.next for item in stale))
        names = some([item.job.name for item in stale], 5)
        lines += ["", *_wrapped(f"Stale ({len(stale)}): {names}: {goes_on}", width)]
    return lines


def _queued(statuses: Sequence[Status], width: int) -> list[str]:
    """Return the lines on jobs that wait in SLURM: why, what to do where that would last for ever, and the first."""
    if not statuses:
        return []
    reasons = Counter(item.reason.split(", ")[0] for item in statuses).most_common(3)
    said = [reason if count == len(statuses) else f"{count} x {reason}" for reason, count in reasons]
    first = statuses[0]
    when = ", ".join([f"SLURM job {first.slurm}", *first.reason.split(", ")[1:]])
    said += [*dict.fromkeys(item.next for item in statuses if item.next), f"first {first.job.name} ({when})"]
    return ["", *_wrapped(f"In the queue ({len(statuses)}): {'; '.join(said)}", width)]


def _section(statuses: Sequence[Status], state: State, width: int, colour: bool) -> list[str]:
    if not statuses:
        return []
    title = f"{WORDS[state].capitalize()} ({len(statuses)})"
    lines = ["", painted(title, state) if colour else title]
    for item in statuses[:AT_MOST]:
        lines += running(item, width) if state == "running" else failure(item, width)
    if len(statuses) > AT_MOST:
        hint = " (all of them: onkocode status --failed)" if state == "failed" else ""
        lines += _wrapped(f"  and {len(statuses) - AT_MOST} more{hint}", width, 2)
    return lines


def running(item: Status, width: int) -> list[str]:
    """Return the lines on a running job."""
    progress, parts = item.progress, []
    if progress is not None:
        share = "" if progress.percent is None else f" ({progress.percent}%)"
        parts.append(f"{progress.unit} {progress.done} of {progress.total}{share}".strip())
        parts += [] if progress.loss is None else [f"loss {progress.loss:.4g}"]
        parts += [] if progress.left_seconds is None else [f"{span(progress.left_seconds)} left"]
        if progress.silent_seconds is not None and progress.silent_seconds > SILENT:
            parts.append(f"no step for {span(progress.silent_seconds)}")
    parts += [item.where] if item.where else []
    return _wrapped(f"  {item.job.name}{': ' if parts else ''}{', '.join(parts)}", width)


def failure(item: Status, width: int) -> list[str]:
    """Return the lines on a failed job: why, what to do next, and its log."""
    lines = _wrapped(f"  {item.job.name}: {item.reason}", width)
    lines += _wrapped(f"    next: {item.next}", width)
    return [*lines, f"    log: {item.log}"]  # in one piece, to be copied


def failures(statuses: Sequence[Status], width: int) -> str:
    """Return each failed job with its reason, what to do next, and the end of its log."""
    failed = [item for item in statuses if item.state == "failed"]
    blocks = []
    for item in failed:
        tail = last_lines(Path(item.log)) or ["(the log is empty or missing)"]
        blocks.append("\n".join([*failure(item, max(NARROWEST, width)), *(f"    | {line}" for line in tail)]))
    return "\n\n".join([f"Failed ({len(failed)})", *blocks]) if failed else "No job has failed."


def span(seconds: float) -> str:
    """Return a time in two units at most."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(0, round(seconds))} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def some(names: Sequence[str], limit: int) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _wrapped(text: str, width: int, indent: int | None = None) -> list[str]:
    """Return lines; those after the first are indented a little further."""
    left = len(text) - len(text.lstrip()) if indent is None else indent
    return textwrap.wrap(
        text,
        width,
        subsequent_indent=" " * (left + 2),
        break_on_hyphens=False,
        drop_whitespace=True,
    )
