"""A matrix of models and epochs that fits a terminal: a short cell for each, in words where there is room for them."""

from collections.abc import Iterable, Mapping, Sequence

from onkocode.cluster.status import State, Status

Cell = tuple[str, State | None]  # what is written, and the state that it is coloured by
Row = tuple[str, list[Cell]]
WORDS: Mapping[State | None, str] = {
    "done": "done",
    "running": "run",
    "queued": "queue",
    "waiting": ".",
    "failed": "FAIL",
    "stale": "stale",
    None: "-",
}
SIGNS: Mapping[State | None, str] = {
    "done": "+",
    "running": ">",
    "queued": "q",
    "waiting": ".",
    "failed": "!",
    "stale": "s",
    None: "-",
}
MEANT: Mapping[State | None, str] = {  # in words, done and FAIL say what they mean
    "running": "running",
    "queued": "in the queue of SLURM",
    "waiting": "waiting",
    "stale": "begun, nobody at it",
    "done": "done",
    "failed": "failed",
    None: "no such job",
}
FIRST: Sequence[State] = ("failed", "running", "queued", "stale", "waiting")  # of the jobs of a cell, this one is shown
COLOURS: Mapping[State | None, str] = {"done": "32", "running": "36", "queued": "33", "failed": "1;31", "stale": "35"}
SHORTEST = 14  # characters of a model's name, where it has to be cut


def state_of(statuses: Sequence[Status]) -> State | None:
    """Return the state of a cell: what needs a person first; done only where all of it is; None = it has no jobs."""
    states = {status.state for status in statuses}
    return next((state for state in FIRST if state in states), "done" if states else None)


def cell_of(statuses: Sequence[Status]) -> Cell:
    """Return the cell of a model and epoch from its jobs."""
    state = state_of(statuses)
    if state == "running":
        shares = [item.progress.percent for item in statuses if item.state == "running" and item.progress is not None]
        shares = [share for share in shares if share is not None]
        return (f"{min(shares)}%" if shares else WORDS[state]), state  # type: ignore[type-var]
    done = sum(item.state == "done" for item in statuses)
    if state == "waiting" and done:
        return f"{done}/{len(statuses)}", state
    return WORDS[state], state


def rows_of(statuses: Iterable[Status], models: Sequence[str], epochs: Sequence[int]) -> list[Row]:
    """Return a row of cells for each model."""
    by_place: dict[tuple[str, int | None], list[Status]] = {}
    for status in statuses:
        by_place.setdefault((status.job.model, status.job.epoch), []).append(status)
    return [(model, [cell_of(by_place.get((model, epoch), [])) for epoch in epochs]) for model in models]


def matrix(rows: Sequence[Row], epochs: Sequence[int], width: int, colour: bool) -> tuple[list[str], str]:
    """Return the lines of a matrix, and what its cells mean where they do not say so.

    Where words have no room, names are cut as long as they stay different, then cells are signs; where those have none
    either, the epochs follow below each other.
    """
    titles = list(map(str, epochs))
    longest = max((len(name) for name, _ in rows), default=0)
    cell = max([len(text) for _, cells in rows for text, _ in cells] + list(map(len, titles)), default=1)
    names = _names([name for name, _ in rows], max(SHORTEST, width - (cell + 1) * len(epochs)))
    if max(map(len, names), default=0) + (cell + 1) * len(epochs) <= width:
        return _lines(names, titles, [cells for _, cells in rows], cell, colour), _legend(rows, WORDS)
    signs = [[(SIGNS[state], state) for _, state in cells] for _, cells in rows]
    cell = max(map(len, titles))
    names = [_cut(name, min(longest, max(8, width - 2 * (cell + 1)))) for name, _ in rows]
    at_once = max(1, (width - max(map(len, names), default=0)) // (cell + 1))
    lines: list[str] = []
    for first in range(0, len(epochs), at_once):
        part = slice(first, first + at_once)
        lines += _lines(names, titles[part], [cells[part] for cells in signs], cell, colour)
    return lines, _legend(rows, SIGNS)


def _legend(rows: Sequence[Row], words: Mapping[State | None, str]) -> str:
    """Say what the cells mean that are there, but for those that say so themselves."""
    there = {state for _, cells in rows for _, state in cells}
    meant = [(words[state], text) for state, text in MEANT.items() if state in there]
    said = [f"{'run, 43%' if word == 'run' else word} = {text}" for word, text in meant if word.lower()[:4] != text[:4]]
    return "; ".join(said)


def _lines(
    names: Sequence[str], titles: Sequence[str], rows: Sequence[Sequence[Cell]], cell: int, colour: bool
) -> list[str]:
    left = max(map(len, names), default=0)
    lines = [" " * left + "".join(f" {title:<{cell}}" for title in titles)]
    for name, cells in zip(names, rows, strict=True):
        lines.append(name.ljust(left) + "".join(f" {_painted(text, state, cell, colour)}" for text, state in cells))
    return [line.rstrip() for line in lines]


def _painted(text: str, state: State | None, size: int, colour: bool) -> str:
    padding = " " * (size - len(text))
    return (painted(text, state) if colour else text) + padding


def painted(text: str, state: State | None) -> str:
    """Return a text in the colour of a state, which says nothing that the text does not."""
    code = COLOURS.get(state)
    return text if code is None else f"\x1b[{code}m{text}\x1b[0m"


def _names(names: Sequence[str], size: int) -> list[str]:
    """Return names cut to a size, or as they are where two would become alike."""
    cut = [_cut(name, size) for name in names]
    return cut if len(set(cut)) == len(set(names)) else list(names)


def _cut(name: str, size: int) -> str:
    """Return a name without its middle: ends tell seeds and sizes apart."""
    if len(name) <= size:
        return name
    end = (size - 2) // 2
    return f"{name[: size - 2 - end]}..{name[len(name) - end :]}"
