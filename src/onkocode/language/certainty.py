"""How likely a code is right that a reading gives: counts of texts, by what the reading rests on.

`COUNTS` says of how many texts that were read so the first code of ICD-10 was right: (right, texts) by kind of finding,
basis of its site, and whether words of the text are in no table. They were counted over the 12,021 tumour labels of
Alpha-ID 2024, and hold for topography and morphology for want of counts of their own. Counts over other texts may stand
there as they are: what has never been read so gets the share of its kind.
"""

from collections.abc import Mapping

Counts = Mapping[tuple[str, str, bool], tuple[int, int]]

COUNTS: Counts = {
    # kind, basis, words left unread: right, texts
    ("primary", "named", False): (4849, 5815),
    ("primary", "named", True): (263, 495),
    ("primary", "part", False): (1395, 1686),
    ("primary", "part", True): (49, 81),
    ("primary", "kind", False): (615, 680),
    ("primary", "kind", True): (77, 94),
    ("primary", "guess", False): (584, 777),
    ("primary", "guess", True): (70, 131),
    ("primary", "loose region", False): (295, 421),
    ("primary", "loose region", True): (13, 32),
    ("primary", "region", False): (78, 259),
    ("primary", "region", True): (1, 10),
    ("primary", "unknown", False): (270, 812),
    ("primary", "unknown", True): (46, 350),
    ("metastasis", "named", False): (0, 1),
    ("metastasis", "unknown", False): (0, 3),
    ("metastasis", "unknown", True): (0, 1),
}
# Whether a text is about a tumour: right, texts, by whether the reading says so.
DECISIONS: Mapping[bool, tuple[int, int]] = {True: (1, 2), False: (1, 2)}
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
    alike = [counted for key, counted in counts.items() if (key[0], key[2]) == (kind, unread)]
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
