"""The linear classifier: what letters, normal forms and findings decide, and what it writes."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from onkocode.coders import classifier
from onkocode.coders.features import findings
from onkocode.coders.fitted import FittedCoder, files_of
from onkocode.config.coders import Classifier, read_fit_settings
from onkocode.language.candidates import Said, codes_said
from onkocode.language.lexicon import shipped_lexicon
from onkocode.questions.build import QuestionSet
from onkocode.records.errors import InputError

from .test_coders import fitted, icd10, questions, ranked, settings_for

TRAINING = [
    ("Nierenkrebs", "C64"),
    ("Krebs der Niere", "C64"),
    ("Melanom der Haut", "C43.9"),
    ("malignes Melanom", "C43.9"),
    ("Hodenkrebs", "C62.9"),
]


def first(coder: FittedCoder, text: str) -> str:
    return ranked(coder, text)[0][0]


def test_letters_decide(tmp_path: Path) -> None:
    coder = fitted(tmp_path / "c", settings_for("classifier"), icd10(*TRAINING))
    assert [first(coder, text) for text in ("Tumor der Nieren", "Melanom", "Hoden")] == ["C64", "C43.9", "C62.9"]
    assert sum(score for _, score in ranked(coder, "Tumor der Nieren")) == pytest.approx(1, abs=1e-5)


def test_probabilities_by_hand() -> None:
    margins = np.array([[0.0, np.log(3) / classifier.SHARPNESS, 0.0], [1.0, 1.0, 1.0]], dtype=np.float64)
    asked = pl.DataFrame({"task": ["icd10"] * 2, "text": ["a", "b"]})
    found = classifier._ranked(asked, margins, ["A", "B", "C"], 2)
    assert found.select("text", "rank", "answer").rows() == [("a", 1, "B"), ("a", 2, "A"), ("b", 1, "A"), ("b", 2, "B")]
    assert found["score"].to_list() == pytest.approx([0.6, 0.2, 1 / 3, 1 / 3])


def test_a_category_speaks_for_its_codes(tmp_path: Path) -> None:
    """What two codes of a category share speaks for it, although it speaks against each of the two alone."""
    sides = [(f"Brust {word}", code) for word, code in (("oben", "C50.2"), ("unten", "C50.3"), ("mitten", "C50.1"))]
    coder = fitted(tmp_path / "c", settings_for("classifier"), icd10(*sides, ("Niere oben", "C64")))
    found = [answer for answer, _ in ranked(coder, "Brust")]
    assert set(found[:3]) == {"C50.1", "C50.2", "C50.3"}


def test_normal_forms_know_abbreviations(tmp_path: Path) -> None:
    training = icd10(("Z. n. Mamma-Ca", "C50.9"), ("Nieren-Ca", "C64"), ("Magen-Ca", "C16.9"))
    normal = fitted(tmp_path / "c", settings_for("classifier", normalise=True), training)
    assert ranked(normal, "Mammakarzinom") == ranked(normal, "Mamma-Ca") == ranked(normal, "Mamma - CA")
    raw = fitted(tmp_path / "d", settings_for("classifier"), training)
    assert ranked(raw, "Mammakarzinom") != ranked(raw, "Mamma-Ca")


def test_findings_decide_where_no_letters_do(tmp_path: Path) -> None:
    training = icd10(("Brustkrebs", "C50.9"), ("Lungenkrebs", "C34.9"))
    text = "maligner Tumor der Mamma"  # no n-gram tells it from lungs
    with_them = fitted(tmp_path / "c", settings_for("classifier", findings=True), training)
    without = fitted(tmp_path / "d", settings_for("classifier"), training)
    assert first(with_them, text) == "C50.9"
    assert dict(ranked(with_them, text))["C50.9"] > dict(ranked(without, text))["C50.9"]


def test_what_a_text_says_as_words() -> None:
    said = codes_said(shipped_lexicon(), "Adenokarzinom des Magenantrums")
    assert {"kind:primary", "icd10gm:C16.3", "icd10gm:C16*", "morphology:8140/3", "behaviour:3"} <= set(
        findings(said).split()
    )
    assert findings(Said()) == "kind: basis:"


def test_tasks_have_answers_of_their_own(tmp_path: Path) -> None:
    rows = [("tumour", text, "Ja") for text, _ in TRAINING] + [("tumour", "Fraktur", "Nein")]
    coder = fitted(tmp_path / "c", settings_for("classifier"), pl.concat([questions(rows), icd10(*TRAINING)]))
    assert [answer for answer, _ in ranked(coder, "Frakturen", "tumour")] == ["Nein", "Ja"]
    assert first(coder, "Melanom") == "C43.9"


def test_equal_fits_write_equal_bytes_without_pickle(tmp_path: Path, example_questions: QuestionSet) -> None:
    training = example_questions.questions
    chosen = settings_for("classifier", normalise=True, findings=True)
    for name in "ab":
        fitted(tmp_path / name, chosen, training)
    one, other = files_of(tmp_path / "a"), files_of(tmp_path / "b")
    assert {name: path.read_bytes() for name, path in one.items()} == {n: p.read_bytes() for n, p in other.items()}
    with np.load(one["icd10.weights.npz"], allow_pickle=False) as arrays:
        assert arrays["data"].dtype == np.float32
        assert arrays["data"].size < 0.5 * np.prod(arrays["shape"])  # most weights are 0, and not kept
        assert np.abs(arrays["data"]).min() >= classifier.LEAST


def test_slices_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coder = fitted(tmp_path / "c", settings_for("classifier"), icd10(*TRAINING))
    asked = {"clinic": icd10(("Melanom", "?"), ("Nieren", "?"), ("Hoden", "?"))}
    whole = coder.answer(asked)["clinic"].drop("seconds")
    monkeypatch.setattr(classifier, "CELLS", 1)
    assert coder.answer(asked)["clinic"].drop("seconds").equals(whole)


@pytest.mark.parametrize("kind", ["classifier", "nearest-label"])
def test_tables_are_refused_where_nothing_is_read_with_them(kind: str) -> None:
    with pytest.raises(InputError, match=r"tables: .*means nothing"):
        read_fit_settings({"kind": kind, "tables": "x"})
    assert read_fit_settings({"kind": kind, "tables": "x", "normalise": True})
    assert isinstance(read_fit_settings({"kind": "classifier", "tables": "x", "findings": True}), Classifier)
