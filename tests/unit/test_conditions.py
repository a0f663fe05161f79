"""Further ways to ask: which questions, with which prompt, and what comes back, on a tiny model."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.cli import main
from onkocode.coders.constrained_model import candidates_of
from onkocode.coders.prompting import Answering
from onkocode.config.schema import Conditions, Evaluation, Thinking
from onkocode.evaluation.sampling import further_questions, thinking_questions
from onkocode.records.errors import InputError
from onkocode.records.schemas import read_table, write_table

from .conftest import CATALOGUES, ROOT
from .test_evaluate_verb import Place, place, random_adapter

__all__ = ["place", "random_adapter"]
ALL = ("swapped", "single", "constrained")


def questions(texts: int, tasks: tuple[str, ...] = ("icd10", "tumour"), split: str = "test") -> pl.DataFrame:
    """Return three formulations of each task on each text."""
    rows = [
        {"question_id": f"t{text}/{task}/f{number}", "entry_id": f"t{text}", "task": task, "block": task}
        | {"formulation_id": f"f{number}", "split": split}
        for text in range(texts)
        for task in tasks
        for number in range(3)
    ]
    return pl.DataFrame(rows)


def chosen(condition: str, name: str = "clinic", table: pl.DataFrame | None = None, **keys: Any) -> pl.DataFrame:
    evaluation = Evaluation(tasks=["icd10", "tumour"])
    asked = questions(40) if table is None else table
    return further_questions(asked, name, condition, evaluation, Conditions(**keys))


def test_the_other_prompt_is_asked_on_the_texts_of_the_thinking_mode() -> None:
    swapped = chosen("swapped", share=0.25)
    thinking = thinking_questions(questions(40), Thinking(share=0.25, tasks=["icd10", "tumour"]))
    assert swapped["entry_id"].n_unique() == 10
    assert set(swapped["entry_id"]) == set(thinking["entry_id"])
    assert swapped.height == 60


def test_single_questions_are_so_many_of_each_task() -> None:
    single = chosen("single", questions=7)
    assert single["task"].value_counts().sort("task")["count"].to_list() == [7, 7]
    assert chosen("single", questions=7)["question_id"].to_list() == single["question_id"].to_list()
    assert set(chosen("single", questions=9)["question_id"]) > set(single["question_id"])


def test_a_constrained_text_is_asked_once_per_task() -> None:
    assert chosen("constrained")["question_id"].to_list() == sorted(
        f"t{text}/{task}/f0" for text in range(40) for task in ("icd10", "tumour")
    )
    trained = questions(5, split="train")
    assert chosen("constrained", "catalogue", trained).is_empty()
    held = questions(5, split="heldout_label")
    assert chosen("constrained", "catalogue", held).height == 10


@pytest.mark.parametrize("short", [True, False])
def test_swapped_prompts_are_those_of_the_other_side(short: bool) -> None:
    settings = Answering.model_validate({"testing": {"short_answer": short}})
    for is_base in (True, False):
        assert settings.asks_short(is_base, "free") == (is_base and short)
        assert settings.asks_short(is_base, "swapped") != settings.asks_short(is_base, "free")
        assert settings.asks_short(is_base, "constrained") == settings.asks_short(is_base, "free")


def arguments(here: Place, epoch: int, wanted: tuple[str, ...] = ALL, **settings: Any) -> list[str]:
    """Return the command line of evaluate-conditions; the example's label spaces are written into the folder."""
    command = [
        "evaluate-conditions",
        "--model",
        "tiny",
        "--epoch",
        str(epoch),
        "--base",
        str(here.folder / "base.json"),
    ]
    command += ["--adapter", str(here.adapter)] if epoch else []
    command += ["--questions", *(f"{name}={here.folder / name}.parquet" for name in ("catalogue", "clinic"))]
    for name in ("icd10gm", "icdo3"):
        _, codes = parse_catalogue(name, "example", ROOT / "example" / "catalogues" / CATALOGUES[name])
        write_table(codes, "codes", here.folder / f"{name}-codes.parquet")
        command += [f"--{name}", str(here.folder / f"{name}-codes.parquet")]
    shared = {"testing": {"precision": "fp32", "batch_size": 8, "max_new_tokens": 6}}
    shared |= {"conditions": {"share": 0.5, "questions": 2, "top": 3}}
    command += ["--settings", json.dumps(shared | settings)]
    command += ["--scratch", str(here.private / "scratch"), "--answers", str(here.private / "answers")]
    names = [f"{condition}/clinic" for condition in wanted]
    return [*command, "--output", *(f"{name}={here.private / 'predictions' / name}.parquet" for name in names)]


def predicted(here: Place, condition: str) -> pl.DataFrame:
    return read_table(here.private / "predictions" / condition / "clinic.parquet", "predictions")


def test_a_model_answers_under_all_conditions_and_is_loaded_once(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from onkocode.coders.language_model import Checkpoint

    loaded, load = [], Checkpoint.load

    def counted(self: Checkpoint, *arguments: Any) -> Any:
        loaded.append(self)
        return load(self, *arguments)

    monkeypatch.setattr(Checkpoint, "load", counted)
    assert main(arguments(place, 1)) == 0
    assert len(loaded) == 1
    for condition in ALL:
        frame = predicted(place, condition)
        assert set(frame["condition"]) == {condition}
        assert frame.height
    single = predicted(place, "single")
    assert set(single["batch"]) == {1}
    ranked = predicted(place, "constrained").filter(pl.col("question_id").str.contains("icd10"))
    _, codes = parse_catalogue("icd10gm", "example", ROOT / "example" / "catalogues" / CATALOGUES["icd10gm"])
    assert set(ranked["answer"]) <= set(codes.filter("terminal")["code"])
    assert ranked.filter(pl.col("rank") == 1)["score"].min() > 0  # type: ignore[operator]
    by_rank = ranked.sort("question_id", "rank").group_by("question_id", maintain_order=True).agg("score")
    assert all(scores == sorted(scores, reverse=True) for scores in by_rank["score"].to_list())
    assert "put to the label space" in capsys.readouterr().out
    before = predicted(place, "constrained")
    assert main(arguments(place, 1)) == 0
    assert len(loaded) == 1  # nothing is asked twice
    assert predicted(place, "constrained").equals(before)


@pytest.mark.parametrize("search", ["greedy", "beam"])
def test_cheaper_searches_give_codes_of_the_label_space_too(place: Place, search: str) -> None:
    assert main(arguments(place, 0, ("constrained",), conditions={"search": search, "top": 3})) == 0
    frame = predicted(place, "constrained").filter(pl.col("question_id").str.contains("icd10"))
    _, codes = parse_catalogue("icd10gm", "example", ROOT / "example" / "catalogues" / CATALOGUES["icd10gm"])
    assert set(frame["answer"]) <= set(codes.filter("terminal")["code"])
    assert frame["rank"].max() == (1 if search == "greedy" else 3)


def test_what_is_wrong_is_said(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    command = arguments(place, 0)
    for wrong, words in (
        ([word for word in command if word not in ("--base", str(place.folder / "base.json"))], "give --base"),
        ([*command, "clinic=x.parquet"], "not of the form <condition>/<name of --questions>"),
        ([*arguments(place, 1)][:5] + [*arguments(place, 0)][5:], "--adapter is needed from epoch 1 on"),
    ):
        assert main(wrong) == 2
        assert words in capsys.readouterr().err


def test_candidates_of_each_task() -> None:
    _, codes = parse_catalogue("icd10gm", "example", ROOT / "example" / "catalogues" / CATALOGUES["icd10gm"])
    terminal = sorted(codes.filter("terminal")["code"])
    assert candidates_of("icd10", codes) == terminal
    assert candidates_of("tumour", codes) == ["Ja", "Nein"]
    assert candidates_of("tumour-icd10", codes) == ["Nein", *(f"Ja, {code}" for code in terminal)]
    with pytest.raises(InputError, match="no codes of morphology"):
        candidates_of("morphology", codes)


def test_scoring_keeps_conditions_apart(place: Place, tmp_path: Path) -> None:
    from .scoring import score

    assert main(arguments(place, 1)) == 0
    names = [f"{condition}/clinic" for condition in ALL]
    predictions = {name: place.private / "predictions" / f"{name}.parquet" for name in names}
    judged, metrics = score(tmp_path, predictions, dict.fromkeys(names, place.folder / "clinic.parquet"))
    found = read_table(metrics, "metrics")
    assert set(found["condition"]) == set(ALL)
    assert set(found.filter(pl.col("condition") == "single")["metric"]) == {
        "seconds_per_question",
        "tokens_per_question",
        "batch_size",
    }
    constrained = read_table(judged[2], "judged")
    assert constrained["valid"].all()
    assert constrained["right_rank"].null_count() == 0
    assert constrained["score"].null_count() == 0
    top = found.filter(pl.col("condition") == "constrained", pl.col("metric") == "nonexistent_rate")
    assert set(top["value"]) == {0.0}
