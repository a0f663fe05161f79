"""The accuracy of the first letter, counted by hand."""

import pytest

from onkocode.evaluation.measuring import measure
from tests.unit.test_metrics import ICD10, Row, found, frame

ROWS: list[Row] = [
    *ICD10,  # ten codes with a C, two of them not answered by any code
    ("q10", "f", "train", "D05.1", "C50.9", True, False, False, True, True, False),
    ("q11", "f", "train", "D05.1", "D05", True, False, True, True, False, False),
]


@pytest.mark.parametrize(("denominator", "k", "n"), [("valid", 9, 10), ("all", 9, 12)])
def test_letters_are_counted(denominator: str, k: int, n: int) -> None:
    row = found(measure(frame(ROWS), None, 20), "letter_accuracy", denominator)
    assert (row["k"], row["n"]) == (k, n)


def test_letters_mean_nothing_elsewhere() -> None:
    assert measure(frame(ROWS, "topography"), None, 20).filter(metric="letter_accuracy").is_empty()
