"""How likely a code is right that a reading gives.

`WEIGHTS` are those of a logistic regression on the first runs of six rounds of clinical lists (2,310 texts), that is
on what readers gave that had never met the texts: tests/language/first_readings.csv, without the texts. Right is a code
of ICD-10 that the key accepts, and the topography and morphology of the key. For ICD-10 it counts as well what training
labels say that are spelt most like the text as it is written: they know none of the tables' words, so that agreement
with them is evidence. `python benchmarks/certainty_of_readings.py weights` prints the weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

Weights = Mapping[str, float]

WEIGHTS: Mapping[str, Weights] = {
    "icd10gm": {"constant": 2.83, "own": 0.51, "weak": -0.67, "unknown": -2.01, "rest": -1.51, "open": -0.41},
    "icd10gm beside labels": {
        "constant": 2.02,
        "own": 0.62,
        "weak": -0.52,
        "unknown": -1.58,
        "rest": -1.57,
        "open": -0.58,
        "first": 0.78,
        "among": 0.41,
        "likeness": 1.55,
    },
    "topography": {"constant": 2.56, "own": 0.31, "weak": -1.00, "unknown": -1.59, "rest": -0.27, "open": -0.17},
    "morphology": {"constant": 2.55, "own": 0.58, "weak": -0.56, "unknown": -0.39, "open": -0.30},
}
# 52 % of the texts of these rounds lie above it, each round read with weights of the others, and of these 96.3 % have
# the code of the key and 97.5 % one that it accepts.
SURE = 0.95
LABELS = 5  # of which answers agreement is told
OWN, WEAK, UNKNOWN = ("part", "kind"), ("guess", "loose region", "procedure"), ("unknown",)  # bases of sites
OPEN = ("8000", "8001", "8010")  # morphologies that say no more than tumour or carcinoma
# Whether a text is about a tumour: right, texts, by whether the reading says so; of the 12,021 tumour labels of
# Alpha-ID 2024 and as many labels of other diseases (`benchmarks/certainty_of_readings.py decisions`).
DECISIONS: Mapping[bool, tuple[int, int]] = {True: (11687, 11962), False: (11746, 12080)}
SAME_FORM = 0.97  # the answer of a training label that says the same
NEIGHBOUR = 0.3  # of what is left, at full likeness: training labels that are spelt most alike in other words


@dataclass(frozen=True)
class Agreement:
    """What the training labels that are spelt most like a text say of a code.

    Attributes:
        first: the most similar one has it.
        among: one of the first `LABELS` answers is the code.
        likeness: of the most similar label that has it; 0 to 1.
    """

    first: bool
    among: bool
    likeness: float


def agreement(code: str, answers: Sequence[tuple[str, float]]) -> Agreement:
    """Return how answers of the most similar labels, the best first, with their likeness, speak for a code."""
    alike = {answer: likeness for answer, likeness in answers[:LABELS] if likeness > 0}
    return Agreement(next(iter(alike), None) == code, code in alike, alike.get(code, 0.0))


def signals(
    system: str, code: str, basis: str, morphology: str | None, labels: Agreement | None = None
) -> dict[str, float]:
    """Return what speaks for a code and against it, by the names of the weights.

    Args:
        system: icd10gm, topography or morphology.
        code: of this system.
        basis: of the site that was read.
        morphology: that was read.
        labels: what training labels say of a code of ICD-10.
    """
    found = {
        "constant": 1.0,
        "own": float(basis in OWN),
        "weak": float(basis in WEAK),
        "unknown": float(basis in UNKNOWN),
        "rest": float(system != "morphology" and code.endswith(".9")),
        "open": float((morphology or "").startswith(OPEN)),
    }
    if labels:
        found |= {"first": float(labels.first), "among": float(labels.among), "likeness": labels.likeness}
    return found


def certainty(system: str, code: str, basis: str, morphology: str | None, labels: Agreement | None = None) -> float:
    """Return the probability that a code is right; for arguments see `signals`."""
    weights = WEIGHTS[f"{system} beside labels" if labels else system]
    found = signals(system, code, basis, morphology, labels)
    return 1 / (1 + exp(-sum(weight * found[name] for name, weight in weights.items())))


def certainty_of_decision(tumour: bool) -> float:
    """Return the probability that a reading is right which says that a text is about a tumour, or that it is not."""
    right, texts = DECISIONS[tumour]
    return right / texts


def falling(first: float, others: int) -> list[float]:
    """Return the probability of a first code and of others behind it: each gets half of what is left, none more."""
    found, left = [first], 1 - first
    for _ in range(others):
        found.append(min(found[-1], left / 2))
        left -= found[-1]
    return found
