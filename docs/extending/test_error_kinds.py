"""The figure on kinds of errors: its shares by hand, and its bars."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.records.errors import InputError
from onkocode.reporting.error_kinds import KINDS, draw_error_kinds, error_numbers
from onkocode.reporting.inputs import Target
from tests.unit.reported import draw, frame, model, rate, study_files

MODELS = [model("a"), model("b")]
WHERE: dict[str, Any] = {"epoch": 1, "denominator": "all"}


def rates(key: str, exact: float, partial: float, invalid: float, **place: Any) -> pl.DataFrame:
    shares = {"accuracy": exact, "partial_accuracy": partial, "invalid_rate": invalid}
    return frame(*(rate(value, model=key, metric=metric, **WHERE | place) for metric, value in shares.items()))


METRICS = pl.concat([rates("b", 0.5, 0.7, 0.1), rates("a", 0.2, 0.2, 0.8), rates("a", 0.9, 1.0, 0.0, epoch=2)])


def test_shares_add_up() -> None:
    numbers = error_numbers(METRICS, MODELS, {"a": 1, "b": 1})
    assert numbers["label"].to_list() == ["A", "B"]
    shares = [[round(share) for share in row] for row in numbers.select(list(KINDS)).iter_rows()]
    assert shares == [[20, 0, 0, 80], [50, 20, 20, 10]]


def test_bars_are_the_numbers() -> None:
    numbers = error_numbers(METRICS, MODELS, {"a": 1, "b": 1})
    (axes,) = draw_error_kinds(numbers, MODELS, Target("registry", "all")).axes
    ends = [[round(bar.get_x() + bar.get_width()) for bar in bars] for bars in axes.containers]
    assert ends == [[20, 50], [20, 70], [20, 90], [100, 100]]


def test_it_is_drawn_of_the_selected_checkpoints(tmp_path: Path) -> None:
    files = study_files(tmp_path, METRICS, MODELS, ["registry"])
    svg = draw("error_kinds", files, tmp_path / "figure.svg", texts=["registry"])
    assert "A, ICD-10: right 90.0 %, right category 10.0 %, wrong 0.0 %, invalid 0.0 %." in svg
    none = study_files(tmp_path, METRICS.filter(pl.col("metric") == "accuracy"), MODELS, ["registry"])
    with pytest.raises(InputError, match="no selected checkpoint for a task with codes on: Test set registry"):
        draw("error_kinds", none, tmp_path / "figure.svg", texts=["registry"])
