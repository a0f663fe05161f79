"""How long a study takes on so many GPUs: by hand, within bounds that always hold, and for the paper's models."""

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.cli import main
from onkocode.config.loading import merge_files
from onkocode.paper import paper
from onkocode.planning.simulation import Limit, Work, longest_chain, pieces, simulate
from onkocode.planning.works import GIVEN, PLANNED, Hours, hours_of, works_of, works_of_paper
from onkocode.records.errors import InputError
from onkocode.study import Study

NO_LIMIT = Limit()


def job(name: str, gpus: int, hours: float, priority: int = 0, *after: str) -> Work:
    return Work(name, name[0], gpus, hours, priority, after)


# -- by hand --------------------------------------------------------------------------------------------------------


def test_two_models_on_one_and_two_gpus() -> None:
    """a trains for 2 h twice, b for 3 h; each checkpoint is asked for 1 h."""
    works = [
        job("a1", 1, 2, 1),
        job("a2", 1, 2, 1, "a1"),
        job("b1", 1, 3, 1),
        job("a1 asked", 1, 1, 0, "a1"),
        job("a2 asked", 1, 1, 0, "a2"),
        job("b1 asked", 1, 1, 0, "b1"),
    ]
    one = simulate(works, 1)
    # a1 0–2; then b1 came before a2: 2–5, a2 5–7, and the questions in the order of the checkpoints: 8, 9, 10.
    assert one.ends == {"a1": 2, "b1": 5, "a2": 7, "a1 asked": 8, "b1 asked": 9, "a2 asked": 10}
    assert (one.hours, one.gpu_hours, one.utilisation(1), one.submissions) == (10, 10, 1.0, 6)
    two = simulate(works, 2)
    # a1 0–2, b1 0–3; a2 2–4 before the questions to a1 3–4; then b1 and a2 4–5.
    assert two.ends == {"a1": 2, "b1": 3, "a2": 4, "a1 asked": 4, "b1 asked": 5, "a2 asked": 5}
    assert two.utilisation(2) == 1.0
    assert [work.name for work in two.chain] == ["a1", "a2", "a2 asked"]
    assert two.chain_hours == 5


def test_a_large_job_is_not_kept_waiting_by_small_ones() -> None:
    """Two GPUs are asked for from hour 4 on: what ends by then may pass, what would not waits."""
    works = [job("first", 1, 4), job("large", 2, 1), job("slow", 1, 5), job("quick", 1, 4)]
    assert simulate(works, 2).ends == {"first": 4, "quick": 4, "large": 5, "slow": 10}
    # Of three GPUs the large job leaves one free, which the slow one may hold for longer.
    assert simulate([job("first", 2, 4), *works[1:]], 3).ends == {"first": 4, "slow": 5, "large": 5, "quick": 9}


def test_training_goes_before_questions() -> None:
    works = [job("x", 1, 1, 1), job("q", 1, 1), job("t", 1, 1, 1)]
    assert simulate(works, 1).ends == {"x": 1, "t": 2, "q": 3}


def test_a_limit_makes_pieces_and_each_further_start_reloads() -> None:
    limit = Limit(4.05, reload_minutes=30)  # 4 h of it are used, the last three minutes to leave
    assert pieces(4.05, limit) == [4.05]
    assert pieces(9, limit) == pytest.approx([4, 4, 2])  # 4 + 3.5 + 1.5 of the 9 hours
    assert pieces(100, NO_LIMIT) == [100]
    outcome = simulate([job("a", 1, 9)], 1, limit)
    assert outcome.hours == pytest.approx(10)
    assert outcome.submissions == 3


def test_who_left_at_the_limit_queues_behind_those_who_wait() -> None:
    works = [job("long", 1, 5.95), job("other", 1, 2)]
    ends = simulate(works, 1, Limit(3.05, reload_minutes=3)).ends
    assert ends == {"other": pytest.approx(5), "long": pytest.approx(8)}  # 3, then 2 of the other, then 0.05 + 2.95


@pytest.mark.parametrize(("hours", "minutes"), [(0.2, 10), (0.05, 0), (1, -1)])
def test_limits_without_time_to_work_are_refused(hours: float, minutes: float) -> None:
    with pytest.raises(InputError, match="--"):
        Limit(hours, minutes)


def test_what_needs_more_gpus_is_left_out_with_what_waits_for_it() -> None:
    works = [job("a1", 2, 1), job("a1 asked", 1, 1, 0, "a1"), job("b1", 1, 1), job("c1", 0, 7)]
    outcome = simulate(works, 1)
    assert [work.name for work in outcome.left_out] == ["a1", "a1 asked"]
    assert outcome.ends == {"b1": 1, "c1": 7}
    assert outcome.gpu_hours == 1
    nothing = simulate(works[:1], 1)
    assert (nothing.hours, nothing.chain, nothing.utilisation(1)) == (0, (), 0)


# -- what always holds ----------------------------------------------------------------------------------------------


@st.composite
def studies(draw: st.DrawFn) -> list[Work]:
    works: list[Work] = []
    for number in range(draw(st.integers(1, 12))):
        after = draw(st.lists(st.sampled_from(works), max_size=2, unique=True)) if works else []
        hours = draw(st.integers(1, 200)) / 8
        works.append(
            job(f"{number}", draw(st.integers(0, 4)), hours, draw(st.integers(0, 1)), *(w.name for w in after))
        )
    return works


@given(studies(), st.integers(1, 8), st.sampled_from([None, 2.0, 24.0]))
@settings(max_examples=300, deadline=None)
def test_bounds_hold(works: list[Work], gpus: int, hours: float | None) -> None:
    limit = Limit(hours)
    outcome = simulate(works, gpus, limit)
    done = {work.name: work for work in works if work not in outcome.left_out}
    assert outcome.ends.keys() == done.keys()
    every = {name: sum(pieces(work.hours, limit)) for name, work in done.items()}
    assert outcome.hours >= outcome.chain_hours - 1e-9
    assert outcome.hours >= outcome.gpu_hours / gpus - 1e-9
    assert outcome.hours <= sum(every.values()) + 1e-9  # something always runs
    assert outcome.gpu_hours >= sum(work.gpus * work.hours for work in done.values()) - 1e-9
    assert 0 <= outcome.utilisation(gpus) <= 1 + 1e-9
    for name, work in done.items():
        began = outcome.ends[name] - every[name]
        assert all(outcome.ends[before] <= began + 1e-9 for before in work.after)
    assert simulate(works, gpus, limit) == outcome
    enough = simulate(works, 4 * len(works), limit)
    assert enough.hours == pytest.approx(sum(sum(pieces(w.hours, limit)) for w in longest_chain(works, limit)))


# -- the paper ------------------------------------------------------------------------------------------------------


def test_fine_tunings_of_table_3() -> None:
    """394 GPU-hours of four models on one GPU each, 2,634 of all eight; Llama 70B alone takes 508 h."""
    works = works_of_paper()
    found = {gpus: simulate(works, gpus) for gpus in (1, 2, 4, 8, 16)}
    assert found[1].hours == pytest.approx(102 + 96 + 110 + 86)
    split = {run.label for run in paper().models.rows if run.gpus_training == 2}
    assert {work.model for work in found[1].left_out} == split
    total = 394 + 2 * (118 + 179 + 315 + 508)
    for gpus, outcome in found.items():
        assert gpus == 1 or outcome.gpu_hours == pytest.approx(total)
        assert outcome.hours >= outcome.gpu_hours / gpus - 1e-9
        assert gpus == 1 or outcome.hours >= 508 - 1e-9
    assert found[16].hours == pytest.approx(508)  # twelve GPUs are all that they can use
    assert found[16].utilisation(16) == pytest.approx(total / 16 / 508)
    assert found[2].hours == pytest.approx(total / 2, rel=0.02)
    assert found[16].chain[0].model == "Llama 3.3 70B"
    assert [simulate(works, 16, Limit(24)).submissions, len(works)] == [75, 40]


# -- a study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def configured() -> Study:
    files = [Path(__file__).parents[2] / "config/config.yaml"]
    return Study(merge_files(files), files)


def test_jobs_of_the_study(configured: Study) -> None:
    hours = hours_of(configured, [])
    assert hours["llama-3.3-70b"] == Hours(153, 2, GIVEN)
    works = {work.name: work for work in works_of(configured, hours, configured.models)}
    names = [name for name in works if name.startswith("qwen3-8b,")]
    assert names == [
        *(f"qwen3-8b, epoch {epoch}" for epoch in range(1, 6)),
        *(f"qwen3-8b, epoch {epoch}, free" for epoch in range(6)),
        *(f"qwen3-8b, epoch {epoch}, thinking" for epoch in (0, 5)),
        *(f"qwen3-8b, epoch {epoch}, conditions" for epoch in range(6)),
    ]
    assert works["qwen3-8b, epoch 3"].after == ("qwen3-8b, epoch 2",)
    assert works["qwen3-8b, epoch 3"].priority > works["qwen3-8b, epoch 3, free"].priority
    assert works["qwen3-8b, epoch 3, free"].after == ("qwen3-8b, epoch 3",)
    assert works["qwen3-8b, epoch 0, free"].after == ()
    assert (works["mistral-nemo, epoch 1"].gpus, works["mistral-nemo, epoch 1, free"].gpus) == (2, 1)
    assert works["lexicon, epoch 1, free"].after == ("lexicon, epoch 1",)
    assert works["fusion, epoch 1"].hours == 2
    trained = sum(math.fsum(w.gpus * w.hours for w in works.values() if w.name == f"{m}, epoch 1") for m in hours)
    assert trained == 31 + 29 + 33 + 72 + 26 + 108 + 190 + 306


def test_the_verb_prints_and_writes_it(in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "--model", "qwen3-8b", "--results", str(tmp_path), "--output", str(tmp_path / "plan.tsv")]
    assert main([*arguments, "--gpu", "A40", "H200", "--gpus-at-once", "1", "2", "--limit", "24"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 120
    assert f"{PLANNED} for qwen3-8b" in text
    rows = pl.read_csv(tmp_path / "plan.tsv", separator="\t", infer_schema=False).rows()
    days = {row[1]: float(row[3]) for row in rows if row[0] == "simulation" and row[2] == "days"}
    assert list(days)[:2] == ["this study on A40 on 1 at once", "this study on A40 on 2 at once"]
    assert days["this study on H200 on 1 at once"] < days["this study on A40 on 1 at once"]
    assert main([*arguments, "--gpus-at-once", "0"]) == 2
    assert main([*arguments, "--gpus-at-once", "1", "--limit", "0.1"]) == 2
    assert "leaving and reloading" in capsys.readouterr().err
