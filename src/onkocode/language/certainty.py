"""How likely a code is right that a reading gives: counts of texts, by what the reading rests on.

`COUNTS` says of how many texts that were read so the first code of ICD-10 was right: (right, texts) by kind of finding,
basis of its site, and whether words of the text are in no table. They were counted over the 12,021 tumour labels of
Alpha-ID 2024 before the tables had been filled up with the words of these labels, which would make every reading look
certain; and hold for topography and morphology for want of counts of their own. `DECISIONS` has as many labels of other
diseases beside them. Counts over other texts may stand there as they are (benchmarks/certainty_of_readings.py prints
them). What has never been read so, metastases among it, gets the share of all texts with such words, or without.
"""

from collections.abc import Mapping

Counts = Mapping[tuple[str, str, bool], tuple[int, int]]

COUNTS: Counts = {
    # kind, basis, words left unread: right, texts
    ("primary", "named", False): (4879, 5588),
    ("primary", "named", True): (259, 430),
    ("primary", "part", False): (1545, 1823),
    ("primary", "part", True): (50, 73),
    ("primary", "kind", False): (628, 691),
    ("primary", "kind", True): (74, 92),
    ("primary", "guess", False): (764, 1029),
    ("primary", "guess", True): (87, 147),
    ("primary", "loose region", False): (291, 392),
    ("primary", "loose region", True): (11, 25),
    ("primary", "region", False): (335, 475),
    ("primary", "region", True): (16, 38),
    ("primary", "unknown", False): (273, 593),
    ("primary", "unknown", True): (43, 289),
}
# Whether a text is about a tumour: right, texts, by whether the reading says so.
DECISIONS: Mapping[bool, tuple[int, int]] = {True: (11687, 11962), False: (11746, 12080)}
SAME_FORM = 0.97  # the answer of a training label that says the same
NEIGHBOUR = 0.3  # of what is left, at full likeness: training labels that are spelt most alike in other words


def certainty(kind: str, basis: str, unread: bool, counts: Counts = COUNTS) -> float:
    """Return the probability that the code of a finding is right.

    Args:
        kind: of the finding.
        basis: of its site.
        unread: words of the text are in no table.
        counts: like `COUNTS`.
    """
    if (kind, basis, unread) in counts:
        return _share(*counts[kind, basis, unread])
    alike = [counted for key, counted in counts.items() if key[2] == unread]
    return _share(sum(right for right, _ in alike), sum(texts for _, texts in alike))


def certainty_of_decision(tumour: bool) -> float:
    """Return the probability that a reading is right which says that a text is about a tumour, or that it is not."""
    return _share(*DECISIONS[tumour])


def falling(first: float, others: int) -> list[float]:
    """Return the probability of a first code and of others behind it: each gets half of what is left, none more."""
    found, left = [first], 1 - first
    for _ in range(others):
        found.append(min(found[-1], left / 2))
        left -= found[-1]
    return found


def _share(right: int, texts: int) -> float:
    """Return a share that is never 0 or 1 (Laplace)."""
    return (right + 1) / (texts + 2)
