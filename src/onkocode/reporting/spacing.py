"""Room between labels."""

from collections.abc import Sequence


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Return positions moved apart so that neighbours are at least ``gap`` apart, in the same order.

    Groups that touch are centred on the mean of where their members belong, so that no label wanders far. Positions
    must be sorted.
    """
    groups: list[list[float]] = []  # each group: wanted positions of its members, which are set at distance gap
    for position in positions:
        groups.append([position])
        while len(groups) > 1 and _edge(groups[-2], gap, 1) + gap > _edge(groups[-1], gap, -1):
            last = groups.pop()
            groups[-1].extend(last)
    return [_edge(group, gap, -1) + gap * index for group in groups for index in range(len(group))]


def _edge(group: Sequence[float], gap: float, side: int) -> float:
    return sum(group) / len(group) + side * gap * (len(group) - 1) / 2
