"""Coders that one job fits: their ranks and scores by hand, what holds for each of them, and the verbs around them."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.cli import main
from onkocode.coders import majority_code, nearest_label
from onkocode.coders.fitted import FittedCoder, fit_coder
from onkocode.coders.interface import RANKED, find_kind
from onkocode.config.coders import KINDS, FitSettings, MajorityCode, NearestLabel, fit_settings
from onkocode.questions.build import QuestionSet
from onkocode.records.errors import InputError
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import read_table, write_table
from onkocode.tasks import TASKS

from ..conftest import Tables
from .conftest import question_rows, schema_of

FITTED = [kind for kind in KINDS if fit_settings(kind)]


def settings_for(kind: str, **values: Any) -> FitSettings:
    section = fit_settings(kind)
    assert section is not None
    return section.model_validate({"kind": kind} | values)


def questions(rows: list[tuple[str, str, str]], split: str = "train", formulations: int = 2) -> pl.DataFrame:
    """Return questions on (task, text, answer), each an entry of its own under several formulations."""
    found = [
        {
            "question_id": f"e{number:03}/{task}/{formulation}",
            "entry_id": f"e{number:03}",
            "cluster": f"e{number:03}",
            "block": task,
            "formulation_id": f"{task}-{formulation}",
            "origin_id": f"e{number:03}",
            "task": task,
            "question": f"{text}?",
            "text": text,
            "answer": answer,
            "accepted": [],
            "split": split,
        }
        for number, (task, text, answer) in enumerate(rows)
        for formulation in range(formulations)
    ]
    return pl.DataFrame(found, schema=schema_of("questions"))


def icd10(*pairs: tuple[str, str]) -> pl.DataFrame:
    return questions([("icd10", text, answer) for text, answer in pairs])


def fitted(folder: Path, settings: FitSettings, training: pl.DataFrame) -> FittedCoder:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fit_coder(settings, training, folder)
    return FittedCoder(folder)


def ranked(coder: FittedCoder, text: str, task: str = "icd10") -> list[tuple[str, float]]:
    """Return the answers to a text with their scores, the best first."""
    asked = questions([(task, text, "?")], "test", 1)
    found = coder.answer({"clinic": asked})["clinic"]
    assert found["rank"].to_list() == list(range(1, found.height + 1))
    return [(answer, round(score, 6)) for answer, score in found.select("answer", "score").iter_rows()]


# -- the most frequent codes ----------------------------------------------------------------------------------------


def test_the_most_frequent_codes_with_their_shares(tmp_path: Path) -> None:
    training = icd10(("a", "C50.9"), ("b", "C61"), ("c", "C50.9"), ("d", "C34.1"), ("e", "C34.1"), ("f", "C18.0"))
    coder = fitted(tmp_path / "coder", settings_for("majority-code", candidates=3), training)
    # C34.1 and C50.9 stand twice: the order of codes decides; so it does between C18.0 and C61
    expected = [("C34.1", 0.333333), ("C50.9", 0.333333), ("C18.0", 0.166667)]
    assert ranked(coder, "Brustkrebs") == ranked(coder, "") == expected


def test_each_task_has_its_own_codes(tmp_path: Path) -> None:
    rows = [("tumour", "a", "Ja"), ("tumour", "b", "Ja"), ("tumour", "c", "Nein"), ("icd10", "a", "C61")]
    coder = fitted(tmp_path / "coder", settings_for("majority-code"), questions(rows))
    assert ranked(coder, "x", "tumour") == [("Ja", 0.666667), ("Nein", 0.333333)]
    assert ranked(coder, "x") == [("C61", 1.0)]


def test_entries_count_once_whatever_their_formulations_and_rewritten_labels() -> None:
    entries = pl.DataFrame(
        {
            "task": ["icd10"] * 5,
            "origin_id": ["a", "a", "a", "b", "c"],  # a with two rewritten labels
            "answer": ["C50.9", "C50.9", "C50.9", "C61", "C61"],
        }
    )
    assert majority_code.frequent_answers(entries, 1)["answer"].to_list() == ["C61"]


# -- the most similar labels ----------------------------------------------------------------------------------------


def test_cosines_by_hand(tmp_path: Path) -> None:
    """Bigrams of words between spaces: ` a`, `ab`, `b ` and ` a`, `ac`, `c `."""
    training = icd10(("ab", "C01"), ("ac", "C02"))
    coder = fitted(tmp_path / "coder", settings_for("nearest-label", ngrams=[2, 2]), training)
    # ` a` stands in both of 2 labels: idf = ln(3/3) + 1; the others in one: ln(3/2) + 1
    both, one = 1.0, np.log(3 / 2) + 1
    length = both**2 + 2 * one**2
    assert ranked(coder, "ab") == [("C01", 1.0), ("C02", round(both / length, 6))]
    # twice ` a` counts 1 + ln 2 (sublinear)
    twice = (1 + np.log(2)) * both
    mixed = np.sqrt(twice**2 + 4 * one**2)
    half = round((twice * both + 2 * one**2) / mixed / np.sqrt(length), 6)
    assert ranked(coder, "ac ab") == [("C01", half), ("C02", half)]
    assert ranked(coder, "AB") == ranked(coder, "ab")  # large letters are no difference


def test_an_answer_has_the_score_of_its_most_similar_label(tmp_path: Path) -> None:
    training = icd10(("Nierenkrebs", "C64"), ("Krebs der Niere", "C64"), ("Brustkrebs", "C50.9"))
    (first, second) = ranked(fitted(tmp_path / "coder", settings_for("nearest-label"), training), "Krebs der Niere")
    assert first == ("C64", 1.0)
    assert second[0] == "C50.9"
    assert 0 < second[1] < 1


def test_of_equal_labels_the_first_code_wins(tmp_path: Path) -> None:
    training = icd10(("Lymphom", "C85.9"), ("Lymphom", "C83.0"), ("Melanom", "C43.9"))
    coder = fitted(tmp_path / "coder", settings_for("nearest-label"), training)
    assert ranked(coder, "Lymphom")[:2] == [("C83.0", 1.0), ("C85.9", 1.0)]


@pytest.mark.parametrize("text", ["", " ", "ψψψ", "?!"])
def test_a_text_like_no_label_gets_the_most_frequent_codes(tmp_path: Path, text: str) -> None:
    training = icd10(("Brustkrebs", "C50.9"), ("Nierenkrebs", "C64"), ("Nierentumor", "C64"), ("Melanom", "C43.9"))
    coder = fitted(tmp_path / "coder", settings_for("nearest-label", candidates=2), training)
    assert ranked(coder, text) == [("C64", 0.0), ("C43.9", 0.0)]


def test_too_few_similar_labels_are_followed_by_the_most_frequent_codes(tmp_path: Path) -> None:
    training = icd10(("ab", "C01"), ("xy", "C09"), ("xz", "C09"), ("qq", "C05"))
    coder = fitted(tmp_path / "coder", settings_for("nearest-label", ngrams=[2, 2], candidates=3), training)
    assert ranked(coder, "ab") == [("C01", 1.0), ("C09", 0.0), ("C05", 0.0)]


def test_labels_without_any_letter_are_no_error(tmp_path: Path) -> None:
    coder = fitted(tmp_path / "coder", settings_for("nearest-label"), icd10(("", "C01"), (" ", "C02")))
    assert ranked(coder, "Brustkrebs") == [("C01", 0.0), ("C02", 0.0)]


def test_chunks_change_nothing(tmp_path: Path, example_questions: QuestionSet, monkeypatch: pytest.MonkeyPatch) -> None:
    training = example_questions.questions
    coder = fitted(tmp_path / "coder", settings_for("nearest-label"), training)
    asked = {"catalogue": training.filter(pl.col("task") == "icd10", pl.col("split") == "heldout_label")}
    whole = coder.answer(asked)["catalogue"]
    monkeypatch.setattr(nearest_label, "CELLS", 1000)
    assert whole.height > 1000
    assert said(coder.answer(asked)["catalogue"]).equals(said(whole))


# -- what holds for every kind --------------------------------------------------------------------------------------


def said(answers: pl.DataFrame) -> pl.DataFrame:
    return answers.drop("seconds")


TEXTS = st.text(alphabet="abcäß .-", max_size=6)
ROWS = st.lists(
    st.tuples(st.sampled_from(["icd10", "tumour"]), TEXTS, st.sampled_from(["C01", "C02", "C03.1", "Ja"])), min_size=1
)


@pytest.mark.parametrize("kind", FITTED)
@settings(max_examples=40)
@given(rows=ROWS, texts=st.lists(TEXTS, min_size=1), wanted=st.integers(1, 4), order=st.randoms(use_true_random=False))
def test_every_question_is_answered_in_falling_order_whatever_the_order_of_rows(
    tmp_path_factory: pytest.TempPathFactory, kind: str, rows: Any, texts: list[str], wanted: int, order: Any
) -> None:
    folder = tmp_path_factory.mktemp("coders")
    training = questions(rows)
    asked = questions([(task, text, "?") for task in sorted({row[0] for row in rows}) for text in texts], "test")
    chosen = settings_for(kind, candidates=wanted)
    found = fitted(folder / "a", chosen, training).answer({"clinic": asked})["clinic"]
    assert found.schema == pl.Schema(RANKED)
    assert found["question_id"].unique().sort().to_list() == asked["question_id"].unique().sort().to_list()
    per_task = {task: min(wanted, len({row[2] for row in rows if row[0] == task})) for task, _, _ in rows}
    tasks = dict(asked.select("question_id", "task").iter_rows())
    for (question,), part in found.group_by("question_id"):
        assert part["rank"].to_list() == list(range(1, per_task[tasks[str(question)]] + 1))
        assert part["score"].is_sorted(descending=True)
        assert part["score"].is_between(0, 1).all()
        assert part["answer"].is_unique().all()
    places = list(range(training.height))
    order.shuffle(places)
    shuffled = fitted(folder / "b", chosen, training[places])
    assert said(shuffled.answer({"clinic": asked.reverse()})["clinic"]).equals(said(found))
    for name in ("a", "b"):
        files = [path for path in (folder / name).rglob("*") if path.is_file()]
        assert {path.suffix for path in files} <= {".parquet", ".json", ".tsv", ".npz"}


@pytest.mark.parametrize("kind", FITTED)
def test_only_training_questions_are_learned_from(tmp_path: Path, kind: str) -> None:
    training, other = icd10(("Brustkrebs", "C50.9")), questions([("icd10", "Nierenkrebs", "C64")], "heldout_label")
    coder = fitted(tmp_path / "coder", settings_for(kind), pl.concat([training, other]))
    assert [answer for answer, _ in ranked(coder, "Nierenkrebs")] == ["C50.9"]


@pytest.mark.parametrize("kind", FITTED)
def test_what_cannot_be_fitted_or_answered_is_an_error(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match="no split train"):
        fit_coder(settings_for(kind), icd10().clear(), tmp_path)
    coder = fitted(tmp_path / "coder", settings_for(kind), icd10(("Brustkrebs", "C50.9")))
    with pytest.raises(InputError, match="none of the task morphology") as caught:
        ranked(coder, "Streng geheim", "morphology")
    assert "geheim" not in str(caught.value)
    (tmp_path / "coder" / "settings.json").write_text('{"kind":"llm"}', encoding="utf-8")
    with pytest.raises(InputError, match="'llm' is no kind that is fitted"):
        FittedCoder(tmp_path / "coder")
    with pytest.raises(InputError, match=r"settings\.json: not the settings of a fitted coder"):
        FittedCoder(tmp_path)


def test_every_fitted_kind_has_its_module_and_settings() -> None:
    found = {kind: type(settings_for(kind)) for kind in FITTED}
    assert found.items() >= {"majority-code": MajorityCode, "nearest-label": NearestLabel}.items()
    for kind in FITTED:
        assert callable(find_kind(kind).fit)
        assert callable(find_kind(kind).load)


# -- the verbs ------------------------------------------------------------------------------------------------------


EVERY_TASK = json.dumps({"evaluation": {"tasks": list(TASKS)}})


def evaluated(folder: Path, kind: str, tables: dict[str, pl.DataFrame], example: Tables) -> tuple[pl.DataFrame, Path]:
    """Fit, answer, judge and measure by the verbs; returns the metrics and the folder of the coder."""
    for name, table in tables.items():
        write_table(table, "questions", folder / f"{name}.parquet")
    for name in ("icd10gm", "icdo3", "ops"):
        write_table(example[name][1], "codes", folder / f"{name}.parquet")
    coder, chosen = folder / kind / "coder", json.dumps({"kind": kind})
    questions_file = str(folder / "catalogue.parquet")
    fit = ["fit-coder", "--questions", questions_file, "--settings", chosen, "--scratch", str(folder / "scratch")]
    assert main([*fit, "--output", str(coder)]) == 0
    command = ["evaluate-checkpoint", "--model", kind, "--epoch", "1", "--condition", "free", "--coder", str(coder)]
    command += ["--questions", *(f"{name}={folder / name}.parquet" for name in tables), "--settings", EVERY_TASK]
    command += ["--scratch", str(folder / "private/scratch"), "--answers", str(folder / "private/answers")]
    assert main([*command, "--output", *(f"{name}={folder / 'private' / kind / name}.parquet" for name in tables)]) == 0
    metrics = folder / kind / "metrics.parquet"
    command = ["score-answers", "--bootstrap", "20", "--output", str(metrics)]
    places = {"predictions": folder / "private" / kind, "questions": folder, "judged": folder / kind}
    for option, place in places.items():
        command += [f"--{option}", *(f"{name}={place / name}.parquet" for name in tables)]
    for codes in ("icd10gm", "icdo3", "ops"):
        command += [f"--{codes}", *(f"{name}={folder / codes}.parquet" for name in tables)]
    assert main(command) == 0
    return read_table(metrics, "metrics"), coder


def accuracy(metrics: pl.DataFrame, task: str, stratum: str) -> float:
    of_all = pl.col("denominator") == "all"
    rows = metrics.filter(pl.col("metric") == "accuracy", of_all, task=task, stratum=stratum)
    return round(float(rows["value"][0]), 3)


def test_fitted_coders_answer_the_example_catalogue(
    tmp_path: Path, example_questions: QuestionSet, example: Tables, usual_umask: None
) -> None:
    tables = {"catalogue": example_questions.questions}
    found, trained = {}, {}
    tasks = ("icd10", "topography", "morphology", "tumour", "tumour-icd10")
    for kind in FITTED:
        metrics, coder = evaluated(tmp_path, kind, tables, example)
        found[kind] = {task: accuracy(metrics, task, "heldout_label") for task in tasks}
        trained[kind] = {accuracy(metrics, task, "train") for task in TASKS}
        assert metrics.filter(pl.col("metric") == "invalid_rate")["value"].max() == 0
        assert metrics.filter(pl.col("metric").str.starts_with("gain")).is_empty()
        record = read_provenance(coder)
        assert (record["verb"], record["settings"]["kind"]) == ("fit-coder", kind)
        asked = read_provenance(tmp_path / "private" / kind / "catalogue.parquet")
        assert {"coder settings.json", "catalogue"} <= set(asked["inputs"])
    assert [found["majority-code"][task] for task in tasks] == [0.0, 0.0, 0.0, 0.482, 0.482]
    assert [found["nearest-label"][task] for task in tasks] == [0.414, 0.417, 0.2, 0.75, 0.518]
    assert trained["nearest-label"] == {1.0}
    assert max(trained["majority-code"]) < 0.6


def test_predictions_are_private_and_nothing_else_is_written(
    tmp_path: Path, example: Tables, small_questions: pl.DataFrame, text_table: pl.DataFrame, usual_umask: None
) -> None:
    rows = pl.DataFrame([row | {"text": "Brustkrebs"} for row in question_rows("clinic", "test")])
    tables = {
        "catalogue": small_questions.with_columns(text=pl.col("question")),
        "clinic": text_table.with_columns(text=rows["text"]),
    }
    evaluated(tmp_path, "nearest-label", tables, example)
    private = tmp_path / "private"
    assert {path.stat().st_mode & 0o777 for path in private.rglob("*") if path.is_file()} == {0o600}
    assert sorted(path.name for path in private.iterdir()) == ["nearest-label"]  # neither saves nor kept answers


def test_a_fitted_coder_is_asked_without_torch(tmp_path: Path) -> None:
    import subprocess

    fitted(tmp_path / "coder", settings_for("nearest-label"), icd10(("Brustkrebs", "C50.9")))
    code = (
        "import sys; from pathlib import Path; from onkocode.evaluation.asking import ask; "
        "from onkocode.coders.fitted import FittedCoder; FittedCoder(Path(sys.argv[1])); "
        "print([name for name in ('torch', 'transformers', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "coder")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_wrong_use_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], usual_umask: None) -> None:
    write_table(icd10(("Brustkrebs", "C50.9")), "questions", tmp_path / "q.parquet")
    fit = ["fit-coder", "--questions", str(tmp_path / "q.parquet"), "--scratch", str(tmp_path / "scratch")]
    fit += ["--output", str(tmp_path / "coder"), "--settings"]
    assert main([*fit, '{"kind": "llm"}']) == 2
    assert main([*fit, '{"kind": "nearest-label", "ngrams": [3, 2]}']) == 2
    said = capsys.readouterr().err
    assert f"kind must be one of {', '.join(FITTED)}" in said
    assert "ngrams: Value error, the shortest must not be longer than the longest" in said
    assert not (tmp_path / "coder").exists()
    ask = ["evaluate-checkpoint", "--model", "m", "--epoch", "1", "--condition", "free", "--settings", "{}"]
    ask += ["--questions", f"a={tmp_path / 'q.parquet'}", "--output", f"a={tmp_path / 'private' / 'a.parquet'}"]
    ask += ["--scratch", str(tmp_path / "s"), "--answers", str(tmp_path / "a")]
    assert main(ask) == 2
    assert main([*ask, "--base", str(tmp_path / "b"), "--coder", str(tmp_path / "c")]) == 2
    assert capsys.readouterr().err.count("give --base, of a language model, or --coder, a directory of fit-coder") == 2
