import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from onkocode.paper import paper
from onkocode.records.errors import InputError
from onkocode.reporting import accuracy_by_epoch, heldout_by_epoch, loss_curves, size_accuracy, spacing, thinking_mode
from onkocode.reporting.inputs import Target, read_metrics, read_models
from onkocode.reporting.logs import read_failed, read_training
from onkocode.reporting.style import looks, panel_letter, print_style, save_figure
from tests.unit.reported import draw, frame, model, rate, study_files

REGISTRY = Target("registry", "all")


def lines(axes: Axes, label: str) -> list[list[float]]:
    return [
        np.asarray(line.get_ydata(), dtype=float).tolist() for line in axes.get_lines() if line.get_label() == label
    ]


def training_rows(values: Sequence[float | None], key: str = "a", job: int = 1) -> list[dict[str, Any]]:
    return [
        {"model": key, "job_epoch": job, "step": step, "epoch": step / len(values), "loss": loss, "grad_norm": 1.0}
        for step, loss in enumerate(values, start=1)
    ]


def write_inputs(folder: Path) -> dict[str, list[Path]]:
    """Write results of one model with base, thinking and one trained epoch, and a log of training."""
    rows = []
    for task in ("icd10", "topography"):
        for epoch, condition, value in ((0, "free", 0.2), (0, "thinking", 0.3), (1, "free", 0.6)):
            n = 2 if condition == "thinking" else 10
            place = {"task": task, "epoch": epoch, "condition": condition, "n": n, "clusters": n // 2}
            rows += rate(value, **place)
            rows += rate(value + 0.1, **place, metric="partial_accuracy")
            rows += rate(0.1, **place, metric="invalid_rate", denominator="all")
            rows += rate(value + 0.1, **place, metric="partial_accuracy", denominator="all")
            rows += rate(value * 10, **place, metric="seconds_per_question", denominator="all")[1:]
            rows += rate(value, **place, denominator="all") + rate(
                value, **place | {"dataset": "catalogue", "stratum": "heldout_label"}, denominator="all"
            )
    log = folder / "a" / "epoch-1" / "metrics.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"step": 1, "epoch": 0.5, "loss": 2.0, "seconds": 3}\n{"step": 2, "epoch": 1.0, "loss": 1.0}\n{"st')
    attempts = log.with_name("attempts.jsonl")
    attempts.write_text(json.dumps({"epoch": 1, "losses": [[1, 0.5, 9.0]]}) + "\n", encoding="utf-8")
    files = study_files(folder, frame(rows), [model("a", label="Ä")], ["registry"])
    return files | {"training": [log], "attempts": [attempts]}


def test_the_smoothed_loss_is_a_rolling_mean_without_the_rows_that_are_not_finite() -> None:
    values = [4.0, 2.0, float("nan"), 6.0] + [1.0] * 146
    numbers = loss_curves.loss_numbers(pl.DataFrame(training_rows(values)), [model("a")])
    assert numbers["smoothed"][:5].to_list() == [3.0, 3.0, None, 3.5, pytest.approx(8 / 3)]  # window: 2 % of 150 rows
    assert numbers["loss"][:4].to_list() == [4.0, 2.0, None, 6.0]
    assert numbers["finite"].to_list() == [True, True, False] + [True] * 147


def test_a_step_that_was_logged_twice_counts_as_logged_last() -> None:
    rows = training_rows([4.0, 3.0]) + training_rows([9.0, 2.0])[1:]
    numbers = loss_curves.loss_numbers(pl.DataFrame(rows), [model("a")])
    assert numbers["loss"].to_list() == [4.0, 2.0]


def test_loss_curves_have_a_panel_per_model_with_its_own_values() -> None:
    models = [model("a"), model("b")]
    numbers = loss_curves.loss_numbers(pl.DataFrame(training_rows([4, 2]) + training_rows([3, 1], "b")), models)
    figure = loss_curves.draw_loss_curves(numbers, models)
    assert [lines(axes, f"{name}: loss") for axes, name in zip(figure.axes, "AB", strict=True)] == [[[4, 2]], [[3, 1]]]
    assert lines(figure.axes[0], "B: smoothed") == [[3, 1]]


def test_accuracy_by_epoch_shows_the_values_in_percent_with_the_bootstrap_interval() -> None:
    metrics = frame(
        *(rate(value, epoch=epoch) for epoch, value in enumerate([0.25, 0.5, 0.75])),
        *(
            rate(value, epoch=epoch, dataset="catalogue", stratum="train")
            for epoch, value in enumerate([0.1, None, 0.9])
        ),
        rate(0.4, dataset="catalogue", stratum="heldout_label"),
        rate(0.5, metric="invalid_rate", denominator="all"),
        rate(0.3, denominator="all"),
    )
    numbers = accuracy_by_epoch.accuracy_numbers(metrics, [model("a")], ["registry"])
    figure = accuracy_by_epoch.draw_accuracy_by_epoch(numbers, [model("a")], ["registry"])
    catalogue, registry = figure.axes
    assert lines(registry, "a") == [[25, 50, 75], [], [50]]  # accuracy, partial accuracy, invalid
    first, missing, last = lines(catalogue, "a")[0]
    assert (first, last) == (10, 90)
    assert missing != missing  # NaN leaves a gap
    assert numbers.filter(pl.col("value") == 25).select("low", "high").row(0) == pytest.approx((5, 45))
    assert registry.get_title(loc="left") == "(b) Test set registry"
    assert catalogue.get_ylabel() == "ICD-10\n%"


def test_without_test_sets_only_the_catalogue_is_drawn_with_what_was_trained() -> None:
    metrics = frame(*(rate(0.5, dataset="catalogue", stratum=stratum) for stratum in ("train", "heldout_label")))
    numbers = accuracy_by_epoch.accuracy_numbers(metrics, [model("a")], [])
    assert numbers["stratum"].to_list() == ["train"]
    assert len(accuracy_by_epoch.draw_accuracy_by_epoch(numbers, [model("a")], []).axes) == 1


def test_heldout_by_epoch_has_a_column_per_part_of_the_catalogue() -> None:
    parts = {"train": 0.9, "heldout_formulation": 0.8, "heldout_label": 0.4}
    place = {"dataset": "catalogue", "denominator": "all"}
    tasks = ("icd10", "topography", "tumour")
    rates = [rate(value, **place, task=task, stratum=part) for task in tasks for part, value in parts.items()]
    numbers = heldout_by_epoch.heldout_numbers(frame(*rates), [model("a")])
    figure = heldout_by_epoch.draw_heldout_by_epoch(numbers, [model("a")])
    assert [lines(axes, "a") for axes in figure.axes] == [[[90]], [[80]], [[40]]] * 2


def test_size_accuracy_shows_base_and_chosen_epoch_of_each_model() -> None:
    every: dict[str, Any] = {"denominator": "all"}
    metrics = frame(
        rate(0.1, **every),
        rate(0.5, epoch=1, **every),
        rate(0.7, epoch=2, **every),
        rate(0.2, model="b", **every),
        rate(0.9, model="b"),
    )
    models = [model("a", parameters=2_000_000), model("b", parameters=1_000_000)]
    numbers = size_accuracy.size_numbers(metrics, models, {"a": 1}, REGISTRY)
    assert numbers.select("model", "parameters", "state", "epoch", "value").rows() == [
        ("b", 1_000_000, "base", 0, 20.0),
        ("a", 2_000_000, "base", 0, 10.0),
        ("a", 2_000_000, "trained", 1, 50.0),
    ]
    figure = size_accuracy.draw_size_accuracy(numbers, models, REGISTRY)
    assert lines(figure.axes[0], "accuracy base") == [[20, 10]]
    assert lines(figure.axes[0], "accuracy trained") == [[50]]
    points = [line for line in figure.axes[0].get_lines() if line.get_label() == "_point"]
    faces = {float(np.asarray(line.get_ydata())[0]): line.get_markerfacecolor() for line in points}
    assert faces == {10.0: "white", 20.0: "white", 50.0: looks(models)["a"].color}


def test_the_line_over_sizes_goes_through_the_mean_of_models_of_one_size() -> None:
    metrics = frame(
        *(rate(value, epoch=1, model=key, denominator="all") for key, value in (("a", 0.1), ("b", 0.4), ("c", 0.6)))
    )
    models = [model("a", parameters=1_000_000), model("b", parameters=2_000_000), model("c", parameters=2_000_000)]
    numbers = size_accuracy.size_numbers(metrics, models, dict.fromkeys("abc", 1), REGISTRY)
    axes = size_accuracy.draw_size_accuracy(numbers, models, REGISTRY).axes[0]
    assert lines(axes, "accuracy trained") == [[10, 50]]
    assert len(lines(axes, "_point")) == 3


def test_ceilings_are_drawn_only_on_request() -> None:
    numbers = size_accuracy.size_numbers(frame(rate(0.1, denominator="all")), [model("a")], {}, REGISTRY)
    bands = []
    for wanted in (False, True):
        axes = size_accuracy.draw_size_accuracy(numbers, [model("a")], REGISTRY, ceilings=wanted).axes[0]
        rectangles = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        bands.append([(patch.get_y(), patch.get_y() + patch.get_height()) for patch in rectangles])
    ceiling = paper().quality.ceilings["icd10"]
    assert bands == [[], [ceiling.exact, ceiling.partial]]


def test_labels_are_spread_to_their_least_distance() -> None:
    assert spacing.spread([0.1, 0.5], 0.2) == [0.1, 0.5]
    assert spacing.spread([0.4, 0.5, 0.5], 0.1) == pytest.approx([1.4 / 3 - 0.1, 1.4 / 3, 1.4 / 3 + 0.1])
    places = spacing.spread([0.0, 0.01, 0.2, 0.21, 0.22, 0.9], 0.1)
    assert all(right - left >= 0.1 - 1e-9 for left, right in pairwise(places))


@pytest.mark.parametrize(("count", "text"), [(500_000, "0.5 M"), (12_400_000, "12.4 M"), (70.6e9, "70.6 B")])
def test_sizes_are_readable(count: float, text: str) -> None:
    assert size_accuracy.size_text(count) == text


def asked(metrics: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return metrics, and the same of the questions that thinking was asked."""
    return metrics, metrics.with_columns(stratum=pl.lit("asked thinking"))


def test_thinking_mode_compares_the_three_states_of_models_that_were_asked_to_think() -> None:
    rates = [
        rate(0.2),
        rate(0.3, condition="thinking", n=2),
        rate(0.6, epoch=1),
        rate(0.7, epoch=2),
        rate(0.1, model="b"),
        rate(0.1, task="topography"),
        rate(0.5, metric="seconds_per_question", denominator="all"),
        rate(8.0, metric="seconds_per_question", denominator="all", condition="thinking"),
    ]
    models = [model("a"), model("b")]
    numbers = thinking_mode.thinking_numbers(*asked(frame(*rates)), models, {"a": 1, "b": 1}, REGISTRY)
    assert set(numbers.select("model", "task", "state", "metric", "n", "value").rows()) == {
        ("a", "icd10", "base", "accuracy", 10, 20.0),
        ("a", "icd10", "thinking", "accuracy", 2, 30.0),
        ("a", "icd10", "trained", "accuracy", 10, 60.0),
        ("a", "icd10", "base", "seconds_per_question", 10, 0.5),
        ("a", "icd10", "thinking", "seconds_per_question", 10, 8.0),
    }
    figure = thinking_mode.draw_thinking_mode(numbers, models, REGISTRY)
    heights = [bar.get_height() for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    assert heights == [20, 30, 60]
    assert lines(figure.axes[3], "thinking") == [[8]]


def test_unended_thoughts_are_a_part_of_the_invalid_bar() -> None:
    thinking: dict[str, Any] = {"condition": "thinking", "denominator": "all"}
    rates = [
        rate(0.2),
        rate(0.3, condition="thinking"),
        rate(0.1, metric="invalid_rate", denominator="all"),
        rate(0.5, metric="invalid_rate", **thinking),
    ]
    found = []
    for rows in (rates, [*rates, rate(0.4, metric="cut_rate", **thinking)]):
        numbers = thinking_mode.thinking_numbers(*asked(frame(*rows)), [model("a")], {}, REGISTRY)
        figure = thinking_mode.draw_thinking_mode(numbers, [model("a")], REGISTRY)
        bars = [bar.get_height() for bar in figure.axes[2].patches if isinstance(bar, Rectangle)]
        legend = [text.get_text() for text in figure.legends[0].get_texts()]
        found.append((bars, "Invalid: thought does not end" in legend, "cut_rate" in numbers["metric"]))
    assert found == [([10, 50], False, False), ([10, 50, 40], True, True)]
    assert numbers.filter(pl.col("metric") == "cut_rate").select("state", "value", "n").rows() == [("thinking", 40, 10)]


@pytest.mark.parametrize(("invalid", "marked"), [(0.1, False), (0.11, True), (1.0, True)])
def test_rates_of_few_valid_answers_are_marked(invalid: float, marked: bool) -> None:
    value = None if invalid == 1 else 0.4
    base = [rate(value), rate(invalid, metric="invalid_rate", denominator="all")]
    clear = [rate(0.8, epoch=1), rate(0.0, epoch=1, metric="invalid_rate", denominator="all")]
    thinking = [rate(0.3, condition="thinking"), rate(0.0, metric="invalid_rate", denominator="all", epoch=2)]
    metrics = frame(*base, *clear, *thinking)
    numbers = accuracy_by_epoch.accuracy_numbers(metrics, [model("a")], ["registry"])
    (axes,) = accuracy_by_epoch.draw_accuracy_by_epoch(numbers, [model("a")], ["registry"]).axes
    hollow = [y for line in lines(axes, "few valid") for y in line if y == y]
    assert hollow == ([40] if marked and value is not None else [])
    numbers = thinking_mode.thinking_numbers(*asked(metrics), [model("a")], {"a": 1}, REGISTRY)
    figure = thinking_mode.draw_thinking_mode(numbers, [model("a")], REGISTRY)
    stars = [text.get_position()[1] for text in figure.axes[0].texts]
    assert stars == (pytest.approx([60]) if marked and value is not None else [])
    assert ("fewer than 90 % valid" in figure.get_supxlabel()) == marked


FIGURES = ("loss_curves", "accuracy_by_epoch", "heldout_by_epoch", "size_accuracy", "thinking_mode")


def test_files_of_every_figure_are_the_same_on_every_run(tmp_path: Path) -> None:
    files, found = write_inputs(tmp_path), []
    for folder in (tmp_path / "first", tmp_path / "second"):
        for name in FIGURES:
            draw(name, files, folder / f"{name}.svg", texts=["registry"], paper_ceilings=True)
        found.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert set(found[0]) == {f"{name}.{kind}" for name in FIGURES for kind in ("svg", "png", "tsv")}
    assert found[0] == found[1]


def test_the_numbers_of_a_figure_stand_beside_it(tmp_path: Path) -> None:
    draw("size_accuracy", write_inputs(tmp_path), tmp_path / "size.svg", texts=["registry"])
    table = pl.read_csv(tmp_path / "size.tsv", separator="\t").filter(pl.col("task") == "icd10")
    assert table["label"].unique().to_list() == ["Ä"]
    assert table.select("state", "metric", "value").rows() == [
        ("base", "accuracy", 20.0),
        ("trained", "accuracy", 60.0),
        ("base", "partial_accuracy", 30.0),
        ("trained", "partial_accuracy", 70.0),
    ]


def test_figures_take_the_selection_that_stands_in_its_file(tmp_path: Path) -> None:
    files = write_inputs(tmp_path)
    text = files["selection"][0].read_text(encoding="utf-8")
    files["selection"][0].write_text(text.splitlines()[0] + "\n", encoding="utf-8")
    draw("size_accuracy", files, tmp_path / "size.svg", texts=["registry"])
    assert set(pl.read_csv(tmp_path / "size.tsv", separator="\t")["state"]) == {"base"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("thinking_mode", "thinking mode"),
        ("accuracy_by_epoch", "no accuracy"),
        ("heldout_by_epoch", "no accuracy"),
        ("size_accuracy", "no accuracy"),
        ("loss_curves", "none of the logs"),
    ],
)
def test_figures_without_data_say_so(tmp_path: Path, name: str, message: str) -> None:
    files = study_files(tmp_path, frame(rate(0.1, model="other")), [model("a")], ["registry"])
    with pytest.raises(InputError, match=message):
        draw(name, files, tmp_path / "figure.svg", texts=["registry"])
    assert not list(tmp_path.glob("*.svg"))


def test_no_metrics_at_all() -> None:
    with pytest.raises(InputError, match="no metrics table"):
        read_metrics([])


def test_a_half_written_last_line_is_left_out_and_a_broken_one_is_an_error(tmp_path: Path) -> None:
    training = write_inputs(tmp_path)["training"]
    rows = read_training(training)
    assert rows.select("model", "job_epoch", "step", "loss").rows() == [("a", 1, 1, 2.0), ("a", 1, 2, 1.0)]
    training[0].write_text('{"step"\n{"step": 2}\n')
    with pytest.raises(InputError, match="line 1"):
        read_training(training)


def test_a_model_without_its_facts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"model": "a"}')
    with pytest.raises(InputError, match="lacks label, family"):
        read_models([tmp_path / "model.json"])


def test_models_of_a_family_share_no_colour_and_no_marker() -> None:
    found = looks([model("a"), model("b"), model("c", family="g")])
    assert len({look.color for look in found.values()}) == 3
    assert len({look.marker for look in found.values()}) == 3


def test_a_saved_figure_describes_itself(tmp_path: Path) -> None:
    with print_style():
        figure = Figure()
    save_figure(figure, tmp_path / "f.svg", "Title", "5 < 6 % größer")
    svg = (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert "<title>Title</title>\n <desc>5 &lt; 6 % größer</desc>" in svg
    assert b"Title" in (tmp_path / "f.png").read_bytes()
    with pytest.raises(ValueError, match=r"\.svg"):
        save_figure(figure, tmp_path / "f.png", "Title", "")


def test_failed_attempts_are_dotted_and_end_with_a_cross(tmp_path: Path) -> None:
    path = tmp_path / "a" / "epoch-1" / "attempts.jsonl"
    path.parent.mkdir(parents=True)
    attempt = {"cause": "non-finite", "epoch": 1, "step": 3, "losses": [[1, 0.25, 4.0], [2, 0.5, 9.0]], "overrides": {}}
    path.write_text(json.dumps(attempt) + "\n" + json.dumps(attempt | {"losses": []}) + "\n", encoding="utf-8")
    failed = read_failed([path])
    assert failed.rows() == [("a", 1, 1, 1, 0.25, 4.0), ("a", 1, 1, 2, 0.5, 9.0)]
    numbers = loss_curves.loss_numbers(pl.DataFrame(training_rows([4, 2])), [model("a")])
    figure = loss_curves.draw_loss_curves(numbers, [model("a")], failed)
    assert lines(figure.axes[0], "A: failed attempt 1") == [[4.0, 9.0]]
    assert figure.get_supxlabel() == "Epoch (× a failed attempt ended)"
    (row,) = loss_curves.failed_numbers(failed, [model("a")]).filter(pl.col("step") == 2).rows(named=True)
    assert (row["label"], row["failed_attempt"], row["loss"]) == ("A", 1, 9.0)


def test_a_broken_record_of_attempts_is_named(tmp_path: Path) -> None:
    path = tmp_path / "attempts.jsonl"
    path.write_text("{half", encoding="utf-8")
    with pytest.raises(InputError, match=r"attempts\.jsonl: not a record of attempts"):
        read_failed([path])


@pytest.mark.parametrize("label", ["A $x$ B", r"cost $\\foo{$ and ^_", "50 % & <b>"])
def test_labels_are_names_and_no_formulas(label: str, tmp_path: Path) -> None:
    odd = model("a", label=label, family=label)
    numbers = loss_curves.loss_numbers(pl.DataFrame(training_rows([2.0, 1.0, 0.5, 0.02])), [odd])
    figure = loss_curves.draw_loss_curves(numbers, [odd])
    save_figure(figure, tmp_path / "f.svg", "Loss", label)
    assert [axes.get_title("left") for axes in figure.axes] == [label]
    assert not any(text.get_parse_math() for text in figure.findobj(Text))
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert {"0.1", "1"} <= set(ticks)
    assert not any("$" in tick for tick in ticks)


# -- coders of other kinds -------------------------------------------------------------------------------------------


def with_a_simple_coder() -> pl.DataFrame:
    """Return rates of a model with a base and two epochs, and of a coder with one checkpoint, which is epoch 1."""
    place = {"dataset": "catalogue", "stratum": "train"}
    every = [{"denominator": denominator} for denominator in ("valid", "all")]
    own = [rate(0.2 + epoch / 4, **place, **of, epoch=epoch) for of in every for epoch in range(3)]
    simple = [rate(0.4, **place, **of, model="simple", epoch=1) for of in every]
    return frame(*own, *simple, rate(0.9, **place, model="seed", epoch=1), rate(0.9, model="other", epoch=1))


SIMPLE = model("simple", kind="majority", parameters=None, architecture=None, quantisation_testing=None)
SEED = model("seed", replicate_of="r", seed=1)


def test_a_single_checkpoint_is_a_line_across_with_its_marker() -> None:
    models, metrics = [model("a"), SIMPLE, SEED], with_a_simple_coder()
    numbers = accuracy_by_epoch.accuracy_numbers(metrics, models, [])
    (axes,) = accuracy_by_epoch.draw_accuracy_by_epoch(numbers, models, []).axes
    assert lines(axes, "simple across") == [[40, 40]]
    assert lines(axes, "simple")[0] == [40]
    assert lines(axes, "a across") == lines(axes, "seed across") == []  # a further seed shares the base of the first
    numbers = heldout_by_epoch.heldout_numbers(metrics, models)
    (axes,) = heldout_by_epoch.draw_heldout_by_epoch(numbers, models).axes
    assert lines(axes, "simple across") == [[40, 40]]


def test_models_without_parameters_are_named_lines_across_all_sizes() -> None:
    every: dict[str, Any] = {"denominator": "all"}
    simple = {"model": "simple", "epoch": 1} | every
    metrics = frame(
        rate(0.1, **every),
        rate(0.3, epoch=1, **every),
        rate(0.4, **simple),
        rate(0.5, metric="partial_accuracy", **simple),
    )
    models = [model("a"), SIMPLE]
    numbers = size_accuracy.size_numbers(metrics, models, {"a": 1, "simple": 1}, REGISTRY)
    figure = size_accuracy.draw_size_accuracy(numbers, models, REGISTRY)
    (axes,) = figure.axes
    assert sorted(lines(axes, "_across")) == [[40, 40], [50, 50]]
    names = [text.get_text() for text in axes.texts]
    assert (names.count("SIMPLE"), names.count("A")) == (2, 1)
    assert lines(axes, "accuracy trained") == [[30]]
    alone = size_accuracy.draw_size_accuracy(numbers.filter(pl.col("model") == "simple"), [SIMPLE], REGISTRY)
    assert sorted(lines(alone.axes[0], "_across")) == [[40, 40], [50, 50]]


def test_figures_of_training_and_thinking_leave_out_who_does_neither(tmp_path: Path) -> None:
    files = write_inputs(tmp_path)
    files["models"].append(study_files(tmp_path, pl.read_parquet(files["metrics"][0]), [SIMPLE])["models"][0])
    for name in ("loss_curves", "thinking_mode"):
        draw(name, files, tmp_path / f"{name}.svg", texts=["registry"])
        assert set(pl.read_csv(tmp_path / f"{name}.tsv", separator="\t")["model"]) == {"a"}


@pytest.mark.parametrize("families", [1, 7, 12])
def test_looks_of_many_models_are_told_apart(families: int) -> None:
    found = looks([model(f"m{n}", family=f"f{n % families}") for n in range(12)])
    assert len({look.color for look in found.values()}) == 12
    assert len({look.marker for look in found.values()}) == 12


def test_panels_have_letters_beyond_z() -> None:
    assert [panel_letter(index) for index in (0, 25, 26, 27, 52)] == ["a", "z", "aa", "ab", "ba"]
