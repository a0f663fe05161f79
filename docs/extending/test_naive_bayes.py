"""Naive Bayes: its probabilities by hand. What holds for every kind of coder is in test_coders.py."""

from pathlib import Path

import pytest

from onkocode.coders import naive_bayes
from tests.unit.test_coders import fitted, icd10, ranked, settings_for


def test_probabilities_by_hand(tmp_path: Path) -> None:
    """With counts smoothed beyond all measure, the labels of an answer alone decide."""
    training = icd10(("Brustkrebs", "C50.9"), ("Mammakarzinom", "C50.9"), ("Nierenkrebs", "C64"))
    coder = fitted(tmp_path / "coder", settings_for("naive-bayes", smoothing=1e9), training)
    assert [(answer, round(score, 3)) for answer, score in ranked(coder, "Nierenkrebs")] == [
        ("C50.9", 0.667),
        ("C64", 0.333),
    ]


def test_letters_decide(tmp_path: Path) -> None:
    training = icd10(("Brustkrebs", "C50.9"), ("Mammakarzinom", "C50.9"), ("Nierenkrebs", "C64"))
    coder = fitted(tmp_path / "coder", settings_for("naive-bayes", candidates=1), training)
    ((answer, score),) = ranked(coder, "Tumor der Nieren")
    assert answer == "C64"
    assert 0.9 < score <= 1


def test_slices_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = icd10(("Brustkrebs", "C50.9"), ("Nierenkrebs", "C64"), ("Melanom", "C43.9"))
    coder = fitted(tmp_path / "coder", settings_for("naive-bayes"), training)
    questions = {"clinic": icd10(("Melanom", "?"), ("Nieren", "?"), ("Brust", "?"))}
    whole = coder.answer(questions)["clinic"].drop("seconds")
    monkeypatch.setattr(naive_bayes, "ROWS", 1)
    assert coder.answer(questions)["clinic"].drop("seconds").equals(whole)
