from pathlib import Path

import polars as pl
import pytest

from onkocode.evaluation.selection import (
    chosen_epoch,
    chosen_epochs,
    read_selection,
    select_checkpoints,
    write_selection,
)
from onkocode.records.errors import InputError

DEVELOPMENT = {"dataset": "catalogue", "stratum": "heldout_label", "denominator": "all"}
TEST = {"dataset": "registry", "stratum": "all", "denominator": "valid"}


def accuracies(place: dict[str, str], values: dict[int, float | None], **other: object) -> list[dict[str, object]]:
    common = {"model": "a", "condition": "free", "task": "icd10", "metric": "accuracy"} | place | other
    return [
        common | {"epoch": epoch, "value": value, "method": method}
        for epoch, value in values.items()
        for method in ("clopper-pearson", "cluster-bootstrap")
    ]


def select(*parts: list[dict[str, object]], texts: tuple[str, ...] = ("registry",)) -> dict[tuple[str, str], int]:
    selection = select_checkpoints(pl.DataFrame([row for part in parts for row in part]), list(texts))
    return {(row["model"], row["selected_by"]): row["epoch"] for row in selection.iter_rows(named=True)}


def test_each_way_of_selecting_has_its_own_best_epoch() -> None:
    chosen = select(accuracies(DEVELOPMENT, {1: 0.4, 2: 0.6, 3: 0.5}), accuracies(TEST, {1: 0.3, 2: 0.4, 3: 0.45}))
    assert chosen == {("a", "development"): 2, ("a", "test"): 3}


def test_of_equal_epochs_the_earlier_counts() -> None:
    assert select(accuracies(DEVELOPMENT, {3: 0.6, 2: 0.6, 1: 0.5})) == {("a", "development"): 2}


def test_base_model_and_thinking_mode_are_never_chosen() -> None:
    chosen = select(accuracies(DEVELOPMENT, {0: 0.9, 1: 0.2}), accuracies(DEVELOPMENT, {2: 0.8}, condition="thinking"))
    assert chosen == {("a", "development"): 1}
    assert select(accuracies(DEVELOPMENT, {0: 0.9})) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"task": "topography"},
        {"metric": "partial_accuracy"},
        {"denominator": "valid"},
        {"stratum": "train"},
        {"dataset": "registry"},
    ],
)
def test_other_measures_do_not_decide(other: dict[str, object]) -> None:
    chosen = select(accuracies(DEVELOPMENT, {1: 0.5, 2: 0.4}), accuracies(DEVELOPMENT, {2: 0.99}, **other), texts=())
    assert chosen == {("a", "development"): 1}


def test_only_the_first_test_set_counts_and_by_its_valid_answers() -> None:
    second = accuracies(TEST, {1: 0.9}, dataset="second")
    every = accuracies(TEST, {1: 0.9}, denominator="all")
    assert select(accuracies(TEST, {1: 0.1, 2: 0.2}), second, every, texts=("registry", "second")) == {("a", "test"): 2}


def test_an_epoch_without_a_value_is_passed_over() -> None:
    values = {1: None, 2: 0.1, 3: float("nan")}
    assert select(accuracies(DEVELOPMENT, values)) == {("a", "development"): 2}


def test_models_are_selected_independently() -> None:
    chosen = select(accuracies(DEVELOPMENT, {1: 0.5, 2: 0.1}), accuracies(TEST, {1: 0.2, 2: 0.3}, model="b"))
    assert chosen == {("a", "development"): 1, ("b", "test"): 2}


def test_chosen_epoch_prefers_development_and_falls_back_to_test() -> None:
    rows = [
        *accuracies(DEVELOPMENT, {1: 0.5, 2: 0.1}),
        *accuracies(TEST, {1: 0.2, 2: 0.3}),
        *accuracies(TEST, {1: 0.2, 4: 0.3}, model="b"),
    ]
    selection = select_checkpoints(pl.DataFrame(rows), ["registry"])
    assert (chosen_epoch(selection, "a"), chosen_epoch(selection, "b")) == (1, 4)
    assert chosen_epochs(selection) == {"a": 1, "b": 4}
    with pytest.raises(InputError, match="model c"):
        chosen_epoch(selection, "c")


def test_a_selection_survives_its_file(tmp_path: Path) -> None:
    selection = select_checkpoints(pl.DataFrame(accuracies(DEVELOPMENT, {1: 0.5, 2: 0.1})), [])
    write_selection(selection, tmp_path / "selection.tsv")
    assert read_selection(tmp_path / "selection.tsv").equals(selection)
    (tmp_path / "other.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(InputError, match=r"other\.tsv"):
        read_selection(tmp_path / "other.tsv")
