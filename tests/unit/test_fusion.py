"""The fusion: how far each member is trusted, and that what it is asked then is not what it was fitted on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from onkocode.coders import fusion
from onkocode.coders.fitted import FittedCoder, files_of, fit_coder
from onkocode.config.coders import Fusion
from onkocode.config.marks import effective

from .test_coders import fitted, icd10, questions, ranked, settings_for
from .test_lexicon_coder import LABELS, space

NEAREST: dict[str, Any] = {"kind": "nearest-label"}
MAJORITY: dict[str, Any] = {"kind": "majority-code"}
# Of each code many labels that are spelt alike: the nearest label is right, the most frequent code mostly wrong.
MANY = [(f"{word} Typ {number}", code) for number in range(60) for word, code in (("Niere", "C64"), ("Haut", "C43.9"))]
MANY += [(f"Niere Form {number}", "C64") for number in range(40)]


def fusion_of(*members: dict[str, Any], **values: Any) -> Fusion:
    settings = settings_for("fusion", members=list(members), **values)
    assert isinstance(settings, Fusion)
    return settings


def weights_of(folder: Path) -> Any:
    return json.loads((folder / fusion.WEIGHTS).read_text(encoding="utf-8"))


def test_a_member_that_is_right_is_followed(tmp_path: Path) -> None:
    coder = fitted(tmp_path / "c", fusion_of(MAJORITY, NEAREST, heldout=0.5), icd10(*MANY))
    assert list(weights_of(tmp_path / "c")) == ["icd10"]
    found = ranked(coder, "Haut Typ 900")
    assert found[0][0] == "C43.9"  # the most frequent is C64
    assert found[0][1] > 2 * found[1][1]
    assert [answer for answer, _ in ranked(coder, "Niere Typ 900")] == ["C64", "C43.9"]


def test_without_enough_labels_the_mean_score_decides(tmp_path: Path) -> None:
    training = icd10(("ab", "C01"), ("ab", "C02"), ("xy", "C02"))
    nearest = NEAREST | {"ngrams": [2, 2]}
    coder = fitted(tmp_path / "c", fusion_of(MAJORITY, nearest), training)
    assert weights_of(tmp_path / "c") == {}
    # most frequent: C02 2/3, C01 1/3; like xy: C02 1, C01 0
    assert ranked(coder, "xy") == [("C02", round(5 / 6, 6)), ("C01", round(1 / 6, 6))]


def entries(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Return entries of (text, answer, origin)."""
    found = [("icd10", f"e{number}", origin, text, answer) for number, (text, answer, origin) in enumerate(rows)]
    return pl.DataFrame(found, schema=["task", "entry_id", "origin_id", "text", "answer"], orient="row")


def keys(frame: pl.DataFrame) -> set[str]:
    return {" ".join(text.lower().split()) for text in frame["text"]}


def test_what_was_made_of_a_label_is_asked_with_it() -> None:
    rows = [(f"Label {number}", "C01", f"o{number}") for number in range(40)]
    rows += [(f"Rewritten {number}", "C01", f"o{number}") for number in range(40)]
    rows += [(f"LABEL  {number}", "C02", f"p{number}") for number in range(40)]  # spelt alike
    known, held = fusion._parts(fusion_of(NEAREST, MAJORITY, heldout=0.3), entries(*rows))
    assert not held.is_empty()
    assert not set(known["origin_id"]) & set(held["origin_id"])
    assert not keys(known) & keys(held)
    more = entries(*rows, *((f"Further {number}", "C03", f"q{number}") for number in range(10)))
    again = fusion._parts(fusion_of(NEAREST, MAJORITY, heldout=0.3), more)[1]
    assert len(keys(again) & keys(held)) > 0.7 * len(keys(held))  # the order of the others stays
    other = fusion._parts(fusion_of(NEAREST, MAJORITY, heldout=0.3, seed=1), entries(*rows))[1]
    assert keys(other) != keys(held)


def test_weights_are_learned_on_labels_that_members_had_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    asked: list[set[str]] = []
    signals, fit_members = fusion._signals, fusion._fit_members

    def ask(members: Any, texts: pl.DataFrame, trained: pl.DataFrame) -> pl.DataFrame:
        asked.append(set(texts["text"]))
        return signals(members, texts, trained)

    def fit(settings: Fusion, entries: pl.DataFrame, *folders: Path) -> Any:
        seen.append(set(entries["text"]))
        return fit_members(settings, entries, *folders)

    monkeypatch.setattr(fusion, "_signals", ask)
    monkeypatch.setattr(fusion, "_fit_members", fit)
    fitted(tmp_path / "c", fusion_of(NEAREST, MAJORITY, heldout=0.2), icd10(*MANY))
    every = {text for text, _ in MANY}
    assert (len(seen), len(asked)) == (2, 1)
    assert seen[0] | asked[0] == every == seen[1]
    assert not seen[0] & asked[0]
    assert len(asked[0]) == round(0.2 * len(every))


def test_signals_by_hand() -> None:
    def member(*rows: tuple[str, float]) -> Callable[[pl.DataFrame], pl.DataFrame]:
        answers = [("icd10", "t", rank, answer, score) for rank, (answer, score) in enumerate(rows, 1)]
        return lambda texts: pl.DataFrame(answers, schema=["task", "text", "rank", "answer", "score"], orient="row")

    members = [member(("C50.9", 0.6), ("C50.1", 0.2)), member(("C61", 0.7), ("C50.1", 0.1))]
    trained = pl.DataFrame({"task": ["icd10", "icd10"], "answer": ["C50.9", "C61"]})
    found = fusion._signals(members, pl.DataFrame({"task": ["icd10"], "text": ["t"]}), trained)
    numbers = ["score 1", "first 1", "score 2", "first 2", "alike 1", "alike 2", "new"]
    assert found.columns == ["task", "text", "answer", *numbers]
    expected = {
        "C50.1": [0.2, 0.0, 0.1, 0.0, 0.8, 0.1, 1.0],
        "C50.9": [0.6, 1.0, 0.0, 0.0, 0.8, 0.1, 0.0],
        "C61": [0.0, 0.0, 0.7, 1.0, 0.0, 0.7, 0.0],
    }
    for answer, values in expected.items():
        assert found.filter(answer=answer).select(numbers).row(0) == pytest.approx(values)
    odds = np.log(0.2 / 0.8)
    assert fusion._numbers(found)[0, [0, 1, 4]] == pytest.approx([odds, 0.0, -odds])
    assert fusion._scores(found, None).to_list() == pytest.approx([0.15, 0.3, 0.35])
    assert fusion._scores(found.head(1), [1.0, *[0.0] * 6, 2.0])[0] == pytest.approx(1 / (1 + np.exp(-odds - 2)))


def test_codes_without_labels_come_from_the_lexicon(tmp_path: Path) -> None:
    settings, folder = settings_for("fusion"), tmp_path / "c"
    folder.mkdir()
    fit_coder(settings, icd10(*LABELS), folder, [space("C16.3")])
    assert "C16.3" in [answer for answer, _ in ranked(FittedCoder(folder), "Karzinom des Magenantrums")]
    without = fitted(tmp_path / "d", settings, icd10(*LABELS))
    assert "C16.3" not in [answer for answer, _ in ranked(without, "Karzinom des Magenantrums")]


def test_members_are_fitted_with_their_own_keys(tmp_path: Path) -> None:
    members: list[dict[str, Any]] = [
        NEAREST | {"ngrams": [2, 2]},
        NEAREST | {"normalise": True},
        MAJORITY | {"candidates": 2},
    ]
    coder = fitted(tmp_path / "c", fusion_of(*members, candidates=2), icd10(*LABELS))
    names = files_of(tmp_path / "c")
    assert {
        "1-nearest-label/labels.parquet",
        "2-nearest-label/tables/sites.tsv",
        "3-majority-code/answers.parquet",
    } <= set(names)
    assert not [name for name in names if name.startswith(fusion.TRIAL)]
    assert len(ranked(coder, "x")) == 2
    assert coder.facts["coder"]["members"][0]["ngrams"] == [2, 2]


def test_the_usual_members() -> None:
    kinds = [(member["kind"], member.get("normalise")) for member in effective(settings_for("fusion"))["members"]]
    assert kinds == [("lexicon", None), ("nearest-label", True), ("classifier", True)]


def test_every_task_has_weights_of_its_own(tmp_path: Path) -> None:
    rows = [("tumour", text, "Ja") for text, _ in MANY] + [("tumour", "Fraktur", "Nein")]
    training = pl.concat([icd10(*MANY), questions(rows)])
    fitted(tmp_path / "c", fusion_of(NEAREST, MAJORITY, heldout=0.5), training)
    found = weights_of(tmp_path / "c")
    assert "icd10" in found
    assert all(len(weights) == 8 for weights in found.values())
