import json
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onkocode.cli import main
from onkocode.config.schema import VALID_FLOOR, Evaluation
from onkocode.evaluation.selection import (
    CHOICES,
    chosen_epochs,
    read_selection,
    select_checkpoints,
    write_selection,
)
from onkocode.records.errors import InputError
from onkocode.records.schemas import write_table
from onkocode.steps.options import VALID_FLOOR as FLOOR_OPTION

DEVELOPMENT = {"dataset": "catalogue", "stratum": "heldout_label", "denominator": "all"}
TEST = {"dataset": "registry", "stratum": "all", "denominator": "all"}


def accuracies(place: dict[str, str], values: dict[int, float | None], **other: object) -> list[dict[str, object]]:
    common = {"model": "a", "condition": "free", "task": "icd10", "metric": "accuracy"} | place | other
    return [
        {"n": 100} | common | {"epoch": epoch, "value": value, "method": method}
        for epoch, value in values.items()
        for method in ("clopper-pearson", "cluster-bootstrap")
    ]


def counted(answers: dict[int, tuple[int, int]], asked: int = 1000, **other: object) -> list[dict[str, object]]:
    """Return both accuracies on the test set from the answers of each epoch that are right and that are valid."""
    rows = []
    for epoch, (right, valid) in answers.items():
        rows += accuracies(TEST, {epoch: right / asked}, n=asked, **other)
        rows += accuracies(TEST, {epoch: right / valid if valid else None}, n=valid, denominator="valid", **other)
    return rows


def select(
    *parts: list[dict[str, object]], texts: tuple[str, ...] = ("registry",), floor: float = 0.9
) -> dict[tuple[str, str], int | None]:
    selection = select_checkpoints(pl.DataFrame([row for part in parts for row in part]), list(texts), floor)
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


def test_only_the_first_test_set_counts() -> None:
    second = counted({1: (900, 1000), 2: (1, 1000)}, dataset="second")
    chosen = select(counted({1: (100, 1000), 2: (200, 1000)}), second, texts=("registry", "second"))
    assert chosen == {("a", "test"): 2, ("a", "paper"): 2}


def test_one_answer_does_not_choose_an_epoch() -> None:
    """Epoch 1 gave one valid answer, which is right; epoch 3 is best of all answers, epoch 2 of the valid ones."""
    answers = {1: (1, 1), 2: (468, 940), 3: (480, 1000)}
    assert select(counted(answers)) == {("a", "test"): 3, ("a", "paper"): 2}
    assert select(counted(answers), floor=0.0) == {("a", "test"): 3, ("a", "paper"): 1}
    assert select(counted(answers), floor=1.0) == {("a", "test"): 3, ("a", "paper"): 3}


@pytest.mark.parametrize(("valid", "chosen"), [(899, 1), (900, 2)])
def test_the_floor_itself_is_enough(valid: int, chosen: int) -> None:
    assert select(counted({1: (100, 1000), 2: (800, valid)}))["a", "paper"] == chosen


@given(
    asked=st.sampled_from([1, 12, 1416]),
    floor=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    shares=st.lists(st.tuples(st.sampled_from([0.0, 0.001, 0.5, 0.95, 1.0]), st.floats(0, 1)), min_size=1, max_size=5),
)
def test_whatever_the_answers_are(asked: int, floor: float, shares: list[tuple[float, float]]) -> None:
    """Against a search by hand, on epochs from none to all valid; a test set may have one text."""
    valid = [math.ceil(asked * share) for share, _ in shares]
    right = [round(number * share) for number, (_, share) in zip(valid, shares, strict=True)]
    answers = dict(enumerate(zip(right, valid, strict=True), start=1))
    enough = [(-k / n, epoch) for epoch, (k, n) in answers.items() if n and n / asked >= floor]
    _, best = min((-k, epoch) for epoch, (k, _) in answers.items())
    chosen = select(counted(answers, asked), floor=floor)
    assert chosen == {("a", "test"): best, ("a", "paper"): min(enough)[1] if enough else None}


@pytest.mark.parametrize(
    ("answers", "floor", "words"),
    [
        ({1: (1, 1), 2: (700, 899)}, 0.9, "none chosen: in no epoch are 90 % of the answers valid"),
        ({1: (0, 0)}, 0.9, "none chosen: in no epoch are 90 % of the answers valid"),
        ({1: (0, 0)}, 0.0, "none chosen: no epoch has a valid answer"),
    ],
)
def test_where_no_epoch_reaches_the_floor_none_is_chosen(
    answers: dict[int, tuple[int, int]], floor: float, words: str
) -> None:
    other = counted({1: (10, 1000)}, model="b")
    selection = select_checkpoints(pl.DataFrame(counted(answers) + other), ["registry"], floor)
    (none,) = selection.filter(pl.col("epoch").is_null()).iter_rows(named=True)
    assert (none["model"], none["selected_by"], none["value"], none["remark"]) == ("a", "paper", None, words)
    assert selection.filter(pl.col("epoch").is_not_null())["remark"].null_count() == 3
    assert set(chosen_epochs(selection)) == {"a", "b"}


def test_the_answers_that_decided_stand_beside_the_choice() -> None:
    selection = select_checkpoints(pl.DataFrame(counted({1: (470, 940)})), ["registry"])
    assert selection["selected_by"].to_list() == ["test", "paper"]
    assert selection.select("value", "n", "valid").rows() == [(0.47, 1000, 0.94), (0.5, 940, 0.94)]


def test_an_unknown_share_of_valid_answers_is_not_enough() -> None:
    valid = accuracies(TEST, {1: 0.9}, denominator="valid")
    assert select(valid) == {("a", "paper"): None}


def test_the_papers_choice_is_shown_and_not_used() -> None:
    selection = select_checkpoints(pl.DataFrame(counted({1: (468, 940), 2: (480, 1000)})), ["registry"])
    assert chosen_epochs(selection) == {"a": 2}
    assert chosen_epochs(selection.filter(pl.col("selected_by") == "paper")) == {}


def test_the_way_that_counts_first_stands_first() -> None:
    rows = counted({1: (468, 940), 2: (480, 1000)}) + accuracies(DEVELOPMENT, {1: 0.4, 2: 0.3})
    assert select_checkpoints(pl.DataFrame(rows), ["registry"])["selected_by"].to_list() == list(CHOICES)


def test_one_floor_by_default() -> None:
    assert FLOOR_OPTION == Evaluation.model_validate({}).valid_floor == VALID_FLOOR


def test_an_epoch_without_a_value_is_passed_over() -> None:
    values = {1: None, 2: 0.1, 3: float("nan")}
    assert select(accuracies(DEVELOPMENT, values)) == {("a", "development"): 2}


def test_models_are_selected_independently() -> None:
    chosen = select(accuracies(DEVELOPMENT, {1: 0.5, 2: 0.1}), accuracies(TEST, {1: 0.2, 2: 0.3}, model="b"))
    assert chosen == {("a", "development"): 1, ("b", "test"): 2}


def test_chosen_epochs_prefer_development_and_fall_back_to_test() -> None:
    rows = [
        *accuracies(DEVELOPMENT, {1: 0.5, 2: 0.1}),
        *accuracies(TEST, {1: 0.2, 2: 0.3}),
        *accuracies(TEST, {1: 0.2, 4: 0.3}, model="b"),
    ]
    selection = select_checkpoints(pl.DataFrame(rows), ["registry"])
    assert chosen_epochs(selection) == {"a": 1, "b": 4}


def test_collecting_takes_the_floor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = counted({1: (700, 800), 2: (500, 1000)}, low=0.0, high=1.0, k=1.0, clusters=9)
    write_table(pl.DataFrame(rows), "metrics", tmp_path / "measured.parquet")
    command = ["collect-metrics", "--metrics", str(tmp_path / "measured.parquet"), "--texts", "registry"]
    command += ["--output", str(tmp_path / "metrics.parquet"), "--selection", str(tmp_path / "selection.tsv")]
    found = []
    for floor in ([], ["--valid-floor", "0.8"]):
        assert main([*command, *floor]) == 0
        found.append(read_selection(tmp_path / "selection.tsv").select("selected_by", "epoch").rows())
    assert found == [[("test", 1), ("paper", 2)], [("test", 1), ("paper", 1)]]
    record = json.loads((tmp_path / "selection.tsv.provenance.json").read_text(encoding="utf-8"))
    assert record["settings"]["valid_floor"] == 0.8
    assert main([*command, "--valid-floor", "80"]) == 2
    assert "not a share" in capsys.readouterr().err


def test_a_selection_survives_its_file(tmp_path: Path) -> None:
    selection = select_checkpoints(pl.DataFrame(accuracies(DEVELOPMENT, {1: 0.5, 2: 0.1})), [])
    write_selection(selection, tmp_path / "selection.tsv")
    assert read_selection(tmp_path / "selection.tsv").equals(selection)
    (tmp_path / "other.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(InputError, match=r"other\.tsv"):
        read_selection(tmp_path / "other.tsv")
