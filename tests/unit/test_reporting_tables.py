import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.questions.counts import question_counts
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of, write_table
from onkocode.records.splits import SPLITS
from onkocode.reporting.html import Column, Section, changes, html_page
from onkocode.reporting.inputs import Model, Target, targets
from onkocode.reporting.models_table import fine_tuning_hours, model_table
from onkocode.reporting.outputs import Page
from onkocode.reporting.performance import performance_table
from onkocode.reporting.replicates import replicate_table
from onkocode.reporting.summary import performance_summary, write_performance_summary
from tests.unit import reported
from tests.unit.reported import draw, model_file, study_files

REGISTRY = Target("registry", "all")


class Cells(HTMLParser):
    """Collects the rows of a table as texts; a line break is a vertical bar."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True
        elif tag == "br":
            self.rows[-1][-1] += "|"

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def model(key: str, **facts: Any) -> Model:
    base = {"parameters": 7_610_000_000, "quantisation_testing": "8bit", "hub": "Org/A", "gpus_training": 2}
    return reported.model(key, **(base | facts))


def rate(value: float | None, **place: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"model": "a", "epoch": 0, "condition": "free", "dataset": "registry", "task": "icd10"}
    row |= {"stratum": "all", "metric": "accuracy", "denominator": "valid", "k": 1.0, "n": 10, "clusters": 5}
    row |= {"method": "cluster-bootstrap", "value": value}
    return row | {"low": None if value is None else value - 0.1, "high": None if value is None else value + 0.1} | place


def metrics(*rates: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rates, schema=columns_of("metrics"))


def selection(*rows: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["model", "selected_by", "epoch"], orient="row")


def questions(*rows: tuple[str, str, str, str | None, str]) -> pl.DataFrame:
    """Return questions of (block, entry, formulation, code, split); an entry written `e1+1` is a rewritten `e1`."""
    filled: list[dict[str, Any]] = [
        {"block": block, "entry_id": entry, "formulation_id": formulation, "code": code, "split": split}
        | {"question_id": f"{entry}/{block}/{formulation}", "origin_id": entry.split("+")[0], "cluster": entry}
        | {"task": block, "question": "Was ist das?", "text": "das", "answer": code or "Ja", "accepted": []}
        for block, entry, formulation, code, split in rows
    ]
    return pl.DataFrame(filled, schema=columns_of("questions"))


SOME = (
    ("icd10", "e1", "f1", "C50.9", "train"),
    ("icd10", "e1", "f2", "C50.9", "heldout_formulation"),
    ("icd10", "e2", "f1", "C50.9", "train"),
    ("icd10", "e3", "f1", "C61", "heldout_label"),
    ("tumour", "e1", "g1", None, "train"),
    ("extra", "e1", "h1", "C61", "train"),
)


def counted(counts: pl.DataFrame, block: str, *names: str) -> list[object]:
    return list(counts.filter(pl.col("block") == block).select(names).row(0))


OWN = ("entries", "codes", "formulations", "questions")


def test_questions_are_counted_per_block_with_the_paper_s_numbers_beside() -> None:
    counts = question_counts(questions(*SOME))
    seven = ["icd10", "tumour", "tumour-icd10", "ops", "ops-tumour", "morphology", "topography"]
    assert counts["block"].to_list() == [*seven, "total", "extra", "all"]
    assert counted(counts, "icd10", *OWN, *SPLITS) == [3, 2, 2, 4, 2, 1, 1, 0, 0]
    assert counted(counts, "tumour", *OWN, *SPLITS) == [1, 0, 1, 1, 1, 0, 0, 0, 0]
    assert counted(counts, "ops", *OWN, *SPLITS) == [0] * 9
    assert counted(counts, "total", *OWN, *SPLITS) == [None, None, None, 5, 3, 1, 1, 0, 0]
    assert counted(counts, "all", *OWN, *SPLITS) == [None, None, None, 6, 4, 1, 1, 0, 0]
    assert counted(counts, "icd10", "share", "paper_questions") == [pytest.approx(100 * 4 / 6), 163_200]
    assert counted(counts, "total", "share", "paper_questions") == [pytest.approx(100 * 5 / 6), 518_116]
    assert counted(counts, "all", "share", "paper_questions") == [100, None]
    assert counted(counts, "topography", "paper_codes") == [400]
    assert counted(counts, "extra", "title", "paper_questions") == ["extra", None]


def test_held_out_negatives_and_rewritten_labels_are_no_entries_of_table_1() -> None:
    more = (
        ("tumour", "n1", "g1", None, "heldout_negative"),
        ("tumour", "n1", "g2", None, "heldout_negative"),
        ("icd10", "e1+1", "f1", "C50.8", "train"),
        ("icd10", "e1+1", "f2", "C50.8", "heldout_formulation"),
    )
    before, counts = question_counts(questions(*SOME)), question_counts(questions(*SOME, *more))
    assert counts.select("block", *OWN, "share").equals(before.select("block", *OWN, "share"))
    assert counted(counts, "tumour", "augmented", *SPLITS) == [0, 1, 0, 0, 2, 0]
    assert counted(counts, "icd10", "augmented", *SPLITS) == [2, 3, 2, 1, 0, 0]
    assert counted(counts, "total", "augmented", "train", "heldout_negative") == [2, 4, 2]


def test_no_questions_give_a_table_of_zeros() -> None:
    counts = question_counts(questions())
    assert counts["questions"].to_list() == [0] * 8
    assert counts["share"].to_list() == [0] * 8


def test_table_1_is_written_as_html_and_tsv(tmp_path: Path) -> None:
    write_table(questions(*SOME), "questions", tmp_path / "questions.parquet")
    page = draw("questions-any", {"questions": [tmp_path / "questions.parquet"]}, tmp_path / "table.html")
    rows = Cells(page).rows
    title, own = "ICD-10 code of a tumour diagnosis", ["3", "2", "2", "4", "66.7"]
    assert [row for row in rows if row[0] == title] == [
        [title, *own, "13,600", "809", "12", "163,200"],
        [title, "2", "1", "1"],
    ]
    assert [row[:5] for row in rows if row[0] in ("Total", "extra", "All questions")][:3] == [
        ["Total", "–", "–", "–", "5"],
        ["extra", "1", "1", "1", "1"],
        ["All questions", "–", "–", "–", "6"],
    ]
    assert pl.read_csv(tmp_path / "table.tsv", separator="\t")["questions"][0] == 4


def test_rewritten_labels_have_a_column_where_there_are_some(tmp_path: Path) -> None:
    write_table(questions(*SOME, ("icd10", "e1+1", "f1", "C50.9", "train")), "questions", tmp_path / "q.parquet")
    rows = Cells(draw("questions-any", {"questions": [tmp_path / "q.parquet"]}, tmp_path / "table.html")).rows
    title = "ICD-10 code of a tumour diagnosis"
    assert [row for row in rows if row[-1] == "On rewritten labels"]
    assert [row for row in rows if row[0] == title][1] == [title, "3", "1", "1", "1"]


def test_hours_add_up_epochs_and_resumed_runs() -> None:
    seconds: dict[tuple[str, int], list[float | None]] = {
        ("a", 1): [100.0, 3600.0, 50.0, 1800.0],
        ("a", 2): [1800.0],
        ("b", 1): [None, 900.0],
    }
    rows = [(key, job, second) for (key, job), values in seconds.items() for second in values]
    training = pl.DataFrame(rows, schema=["model", "job_epoch", "seconds"], orient="row")
    assert fine_tuning_hours(training) == {"a": 2.0, "b": 0.25}


def test_table_3_shows_what_is_known_of_each_model(tmp_path: Path) -> None:
    frame = model_table([model("a"), model("b", hub=None)], {"a": 102.0})
    assert frame["parameters_billions"].to_list() == [7.61, 7.61]
    assert frame["hours"].to_list() == [102.0, None]
    log = tmp_path / "a" / "epoch-1" / "metrics.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"step": 1, "epoch": 1.0, "loss": 1.0, "seconds": 5400}\n')
    files = {"models": [model_file(tmp_path, one) for one in (model("a"), model("b", hub=None))], "training": [log]}
    page = draw("models", files, tmp_path / "models.html")
    known = ["7.61", "none", "8-bit", "2", "1"]
    assert Cells(page).rows[2:] == [
        ["A", "language model", "Org/A", *known, "1.5"],
        ["B", "language model", "–", *known, "–"],
    ]
    assert "–: not trained here" in page
    page = draw("models", files | {"models": files["models"][:1]}, tmp_path / "models.html")
    assert "–: not trained here" not in page


def test_table_4_has_base_and_both_selected_epochs() -> None:
    rates = metrics(*(rate(value, epoch=epoch) for epoch, value in enumerate([0.1, 0.4, 0.5, 0.45])))
    chosen = selection(("a", "development", 1), ("a", "test", 2))
    frame = performance_table(rates, [model("a")], chosen, [REGISTRY])
    assert frame.select("state", "epoch", "selected_by", "icd10_accuracy_valid").rows() == [
        ("base", 0, None, 10.0),
        ("trained", 1, "development", 40.0),
        ("trained", 2, "test", 50.0),
    ]
    assert frame.select("icd10_accuracy_valid_low", "icd10_accuracy_valid_high").row(1) == pytest.approx((30, 50))
    assert frame["icd10_accuracy_valid_n"].to_list() == [10, 10, 10]
    assert frame["tumour_accuracy_all"].null_count() == 3


def test_an_epoch_selected_both_ways_has_one_row() -> None:
    rates = metrics(rate(0.1), rate(0.4, epoch=1))
    chosen = selection(("a", "development", 1), ("a", "test", 1))
    frame = performance_table(rates, [model("a"), model("b")], chosen, [REGISTRY, Target("second", "all")])
    assert frame.select("model", "epoch", "selected_by").rows() == [("a", 0, None), ("a", 1, "development + test")]
    every = selection(("a", "paper", 1), ("a", "test", 1), ("a", "development", 1))
    frame = performance_table(rates, [model("a")], every, [REGISTRY])
    assert frame["selected_by"].to_list() == [None, "development + test + paper"]


def test_table_4_keeps_denominators_and_conditions_apart() -> None:
    rates = metrics(
        rate(0.1),
        rate(0.2, denominator="all"),
        rate(0.3, metric="partial_accuracy"),
        rate(0.4, metric="invalid_rate", denominator="all"),
        rate(0.9, condition="thinking"),
        rate(0.8, method="clopper-pearson"),
        rate(None, task="tumour", n=0),
    )
    row = performance_table(rates, [model("a")], selection(("b", "test", 1)), [REGISTRY]).row(0, named=True)
    names = ("accuracy_valid", "accuracy_all", "partial_accuracy_valid", "invalid_rate_all")
    assert [row[f"icd10_{name}"] for name in names] == [10, 20, 30, 40]
    assert (row["tumour_accuracy_valid"], row["tumour_accuracy_valid_n"]) == (None, 0)


def test_table_4_as_html(tmp_path: Path) -> None:
    every = {"denominator": "all", "n": 1200}
    heldout = {"dataset": "catalogue", "stratum": "heldout_label", "denominator": "all"}
    rates = metrics(
        rate(0.4057),
        rate(0.39, **every),
        rate(0.5, epoch=1, n=12),
        rate(0.005, epoch=1, **every),
        rate(0.6, epoch=1, **heldout),
        rate(None, task="tumour"),
    )
    models = [model("a", label="Größe <1")]
    files = study_files(tmp_path, rates, models, ["registry"])
    page = draw("performance", files, tmp_path / "table.html", texts=["registry"])
    assert "Größe &lt;1" in page
    assert re.findall("<caption>(.*?)</caption>", page) == ["ICD-10", "Tumour yes/no"]
    rows = Cells(page).rows
    place = ["Größe <1", "Test set registry"]
    assert rows[1] == [*place, "base", "1,200", "40.6|30.6–50.6", "39.0|29.0–49.0", "–", "–"]
    assert rows[2][2:5] == ["1|development + test", "1,200", "50.0|40.0–60.0"]
    assert rows[2][6:] == ["+20.0|+15.0 to +25.0", "0.0010|–"]
    assert rows[4] == [*place, "base", "–", "–", "–", "–"]
    assert pl.read_csv(tmp_path / "table.tsv", separator="\t")["icd10_accuracy_valid"].to_list() == [40.57, 50.0]
    assert "Größe &lt;1, paper: none chosen: in no epoch are 90 % of the answers valid." in page
    files = study_files(tmp_path, rates, models, ["registry"], floor=0.01)
    page = draw("performance", files, tmp_path / "table.html", texts=["registry"], valid_floor=0.01)
    assert "none chosen" not in page
    assert Cells(page).rows[2][2] == "1|development + test + paper"


def test_a_coder_with_one_checkpoint_has_one_row_and_dashes_for_what_it_lacks(tmp_path: Path) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("parameters", "architecture", "hub", "quantisation_training"))
    simple = model("s", kind="nearest-label", quantisation_testing=None, gpus_training=0, gpus_testing=0, **nothing)
    every: dict[str, Any] = {"denominator": "all"}
    own, trained = {"model": "s", "epoch": 1} | every, {"epoch": 1} | every
    rates = metrics(rate(0.2, **every), rate(0.4, **trained), rate(0.3, **own), rate(0.5, **own, task="tumour"))
    files = study_files(tmp_path, rates, [model("a"), simple], ["registry"])
    rows = Cells(draw("performance", files, tmp_path / "table.html", texts=["registry"])).rows
    assert [row[2] for row in rows[1:4]] == ["base", "1|test", "1"]
    assert [row for row in rows if row[0] == "S"][1][1:] == ["Test set registry", "1", "10", "50.0|40.0–60.0", "–", "–"]
    page = draw("models", files | {"training": []}, tmp_path / "models.html")
    assert Cells(page).rows[3] == ["S", "nearest label", "–", "–", "–", "–", "0", "0", "–"]


def test_a_single_checkpoint_is_shown_although_nothing_chose_it() -> None:
    rates = metrics(rate(0.5, epoch=1, task="tumour"), rate(0.5, epoch=3, task="tumour", model="b"))
    models = [model("a"), model("b", replicate_of="r", seed=1)]
    frame = performance_table(rates, models, selection(("c", "test", 1)), [REGISTRY])
    assert frame.select("model", "epoch", "selected_by").rows() == [("a", 1, None)]


SEEDS = [
    model("r.s0", label="R, seed 0", replicate_of="r", seed=0),
    model("r.s1", label="R, seed 1", replicate_of="r", seed=1),
    model("r.s2", label="R, seed 2", replicate_of="r", seed=2),
    model("alone"),
    model("one.s7", label="One, seed 7", replicate_of="one", seed=7),
]


def of_seeds() -> pl.DataFrame:
    whole: dict[str, Any] = {"denominator": "all", "epoch": 1}
    return metrics(
        rate(0.5, model="r.s1", **whole),
        rate(0.4, model="r.s0", **whole),
        rate(0.9, model="r.s2", **whole),
        rate(0.1, model="r.s0", denominator="all"),  # the base
        rate(0.7, model="alone", **whole),
        rate(0.3, model="one.s7", **whole),
        rate(0.8, model="r.s0", epoch=1),  # of the valid answers
    )


def test_replicates_vary_by_seed() -> None:
    table = replicate_table(of_seeds(), SEEDS, [REGISTRY])
    assert table["recipe"].to_list() == ["one", "r"]
    one, several = table.rows(named=True)
    assert (several["label"], several["seeds"], several["replicates"], several["n"]) == ("R", "0, 1, 2", 3, 10)
    assert (several["lowest"], several["highest"]) == (40, 90)
    # 40, 50, 90: mean 60; squared deviations 400 + 100 + 900 = 1400, so SD √700; t(0.975, 2) = 4.30265
    assert several["mean"] == pytest.approx(60)
    assert several["sd"] == pytest.approx(26.4575, abs=1e-4)
    assert (several["low"], several["high"]) == (0, 100)  # 60 ± 65.7
    assert (one["mean"], one["sd"], one["low"], one["high"], one["seeds"]) == (pytest.approx(30), None, None, None, "7")


def test_the_interval_of_a_mean_over_seeds() -> None:
    whole: dict[str, Any] = {"denominator": "all", "epoch": 2}
    rates = metrics(rate(0.60, model="r.s0", **whole), rate(0.62, model="r.s1", **whole))
    (row,) = replicate_table(rates, SEEDS, [REGISTRY]).rows(named=True)
    # SD of 60 and 62 is √2, its standard error 1; t(0.975, 1) = 12.7062
    assert row["low"] == pytest.approx(61 - 12.7062, abs=1e-4)
    assert row["high"] == pytest.approx(61 + 12.7062, abs=1e-4)


def test_replicates_as_html(tmp_path: Path) -> None:
    files = study_files(tmp_path, of_seeds(), SEEDS, ["registry"])
    page = draw("replicates", files, tmp_path / "table.html", texts=["registry"])
    rows = Cells(page).rows
    assert "<caption>ICD-10</caption>" in page
    place = "Test set registry"
    assert rows[1] == ["One", place, "7", "1", "10", "30.0", "–", "30.0", "30.0", "–"]
    assert rows[2] == ["R", place, "0, 1, 2", "1", "10", "60.0", "26.5", "40.0", "90.0", "0.0 – 100.0"]
    assert pl.read_csv(tmp_path / "table.tsv", separator="\t")["replicates"].to_list() == [1, 3]


def test_table_4_says_that_replicates_share_a_base(tmp_path: Path) -> None:
    notes = []
    for one in (SEEDS[0], model("alone")):
        files = study_files(tmp_path, of_seeds(), [one], ["registry"])
        page = draw("performance", files, tmp_path / "table.html", texts=["registry"])
        notes.append("share one base" in page)
    assert notes == [True, False]


def test_without_test_sets_results_are_about_held_out_labels() -> None:
    place = {"dataset": "catalogue"}
    both = metrics(rate(0.1, **place, stratum="train"), rate(0.1, **place, stratum="heldout_label"))
    assert targets(both, []) == [Target("catalogue", "heldout_label")]
    assert targets(metrics(rate(0.1, **place, stratum="train")), []) == [Target("catalogue", "train")]
    assert targets(both, ["registry"]) == [REGISTRY]


def test_the_summary_has_one_interval_per_measure_and_the_right_unit(tmp_path: Path) -> None:
    rates = metrics(
        rate(0.2, method="clopper-pearson", low=0.0),
        rate(0.2),
        rate(0.5, metric="seconds_per_question", denominator="all"),
        rate(3.0, metric="tokens_per_question", denominator="all"),
        rate(0.3, metric="gain_accuracy", denominator="all"),
        rate(0.9, epoch=1),
        rate(0.9, model="b"),
    )
    frame = performance_summary(rates, "a", 0)
    found = {row["metric"]: (row["value"], row["unit"]) for row in frame.iter_rows(named=True)}
    assert frame.height == 4
    assert found["accuracy"] == (20.0, "%")
    assert found["seconds_per_question"] == (0.5, "s")
    assert found["tokens_per_question"] == (3.0, "tokens")
    assert found["gain_accuracy"] == (30.0, "points")
    assert frame.filter(pl.col("metric") == "accuracy")["low"].to_list() == pytest.approx([10])
    with pytest.raises(InputError, match="epoch 7"):
        performance_summary(rates, "a", 7)
    write_table(rates, "metrics", tmp_path / "metrics.parquet")
    write_performance_summary([tmp_path / "metrics.parquet"], "a", 0, tmp_path / "summary.html")
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    assert "<caption>ICD-10</caption>" in page
    place = ["registry, all questions", "free", "Accuracy", "valid"]
    assert Cells(page).rows[1] == [*place, "10", "20.0", "10.0 – 30.0", "%"]


def test_html_escapes_texts_and_refuses_rows_that_do_not_fit(tmp_path: Path) -> None:
    columns = [Column("a", number=False), Column("<b>", group="g")]
    page = html_page("x & y", [Section(columns, [["<script>", "1.0\n(0–2)"]])], ["n < 3"])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "1.0<br><small>(0–2)</small>" in page
    assert '<th scope="colgroup" class="group" colspan="1">g</th>' in page
    assert "<caption>x &amp; y</caption>" in page
    with pytest.raises(ValueError, match="zip"):
        html_page("x", [Section(columns, [["1"]])], [])
    with pytest.raises(ValueError, match=r"\.html"):
        Page(page, pl.DataFrame()).write(tmp_path / "x.txt")


def test_a_line_stands_above_what_differs() -> None:
    assert changes([]) == []
    assert changes(["a", "a", "b", "a"]) == [2, 3]
