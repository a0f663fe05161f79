"""The coder that reads texts: which answers it gives, in which order, and that it stays what it was."""

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.coders.fitted import FittedCoder, files_of, fit_coder
from onkocode.coders.spaces import allowed_answers, fitting
from onkocode.config.loading import merge_files
from onkocode.language import certainty, rows, saved
from onkocode.records.errors import InputError
from onkocode.study import Study, slices

from .conftest import schema_of
from .test_coders import fitted, icd10, questions, ranked, settings_for

# Labels of which none says what the texts below say.
LABELS = [("Melanom", "C43.9"), ("Nierenkrebs", "C64"), ("Lipom", "D17.9")]


def space(*codes: str, system: str = "icd10gm") -> pl.DataFrame:
    """Return a label space with terminal codes; one that ends with - is none."""
    columns = schema_of("codes")
    rows = [{"system": system, "code": code.rstrip("-"), "terminal": not code.endswith("-")} for code in codes]
    return pl.DataFrame(rows, schema={name: columns[name] for name in ("system", "code", "terminal")})


def knowing(folder: Path, training: pl.DataFrame, *spaces: pl.DataFrame, **values: Any) -> FittedCoder:
    folder.mkdir()
    fit_coder(settings_for("lexicon", **values), training, folder, spaces)
    return FittedCoder(folder)


def codes(answers: list[tuple[str, float]]) -> list[str]:
    return [answer for answer, _ in answers]


def test_what_a_text_says_comes_before_labels_that_are_like_it(tmp_path: Path) -> None:
    coder = knowing(tmp_path / "c", icd10(*LABELS, ("Antrumgastritis", "K29.5")), space("C16.3", "C16.9", "C16-"))
    found = ranked(coder, "Adenokarzinom des Magenantrums")
    assert codes(found)[:2] == ["C16.3", "C16.9"]  # the subject, the organ without a part
    assert set(codes(found)[2:]) <= {"K29.5", "C43.9", "C64", "D17.9"}
    assert len(found) == 5
    assert found[0][1] > 0.5 > sum(score for _, score in found[2:])
    assert sum(score for _, score in found) <= 1


def test_further_tumours_follow_the_subject(tmp_path: Path) -> None:
    coder = knowing(tmp_path / "c", icd10(*LABELS), space("C50.9", "C61", "C34.9"))
    assert codes(ranked(coder, "Z. n. Prostatakarzinom 2015, jetzt Mammakarzinom"))[:2] == ["C50.9", "C61"]


@pytest.mark.parametrize("text", ["Unterarmfraktur", "", "?!"])
def test_without_a_tumour_the_nearest_labels_answer_with_low_scores(tmp_path: Path, text: str) -> None:
    coder = knowing(tmp_path / "c", icd10(("Armfraktur", "S52.9"), *LABELS), space("C16.3"))
    found = ranked(coder, text)
    assert set(codes(found)) == {"S52.9", "C43.9", "C64", "D17.9"}
    assert max(score for _, score in found) <= certainty.NEIGHBOUR
    if text:
        assert text == "?!" or found[0][0] == "S52.9"


def test_a_label_that_says_the_same_decides_where_labels_agree(tmp_path: Path) -> None:
    agreed = icd10(("Mamma-Ca", "C50.4"), ("Prostata-Ca", "C61"), ("Karzinom der Prostata", "D07.5"))
    coder = knowing(tmp_path / "c", agreed, space("C50.9"))
    assert ranked(coder, "Mammakarzinom")[0] == ("C50.4", certainty.SAME_FORM)
    assert codes(ranked(coder, "Mammacarcinom"))[:2] == ["C50.4", "C50.9"]
    either = knowing(tmp_path / "d", icd10(("Mamma-Ca", "C50.4"), ("Mammakarzinom", "C50.1")), space("C50.9"))
    assert ranked(either, "Mammacarcinom")[0][0] == "C50.9"


def test_no_code_that_neither_labels_nor_label_spaces_have(tmp_path: Path) -> None:
    text = "Karzinom des Magenantrums"
    assert set(codes(ranked(knowing(tmp_path / "none", icd10(*LABELS)), text))) == {"C43.9", "C64", "D17.9"}
    other = knowing(tmp_path / "topography", icd10(*LABELS), space("C16.3", system="topography"))
    assert set(codes(ranked(other, text))) == {"C43.9", "C64", "D17.9"}
    category = knowing(tmp_path / "category", icd10(*LABELS), space("C16.3-", "C16-"))
    assert set(codes(ranked(category, text))) == {"C43.9", "C64", "D17.9"}
    whole = knowing(tmp_path / "whole", icd10(*LABELS), space("C16"))  # of a year without further digits
    assert codes(ranked(whole, text))[0] == "C16"


@pytest.mark.parametrize(
    ("code", "allowed", "expected"),
    [
        ("C44.59", {"C44.59", "C44.5"}, "C44.59"),
        ("C44.59", {"C44.5", "C44"}, "C44.5"),
        ("C64", {"C64.9", "C64.0"}, "C64.9"),
        ("C41.0", {"C41.01", "C41.09"}, "C41.09"),
        ("C44.59", {"C45.59", "C4"}, None),
    ],
)
def test_a_code_that_is_not_allowed_gives_way_to_one_that_says_less(
    code: str, allowed: set[str], expected: str | None
) -> None:
    assert fitting(code, allowed) == expected


def test_yes_and_no(tmp_path: Path) -> None:
    training = questions([("tumour", "Melanom", "Ja"), ("tumour", "Gastritis", "Nein")])
    coder = fitted(tmp_path / "c", settings_for("lexicon"), training)
    for text, said in {
        "Adeno-Ca Zökum": "Ja",
        "Lipom am Rücken": "Ja",
        "Appendizitis": "Nein",
        "kein Anhalt für Malignität": "Nein",
    }.items():
        found = ranked(coder, text, "tumour")
        assert codes(found) == [said, "Nein" if said == "Ja" else "Ja"]
        assert found[0][1] > 0.9
        assert sum(score for _, score in found) == pytest.approx(1, abs=1e-5)


def test_yes_with_a_code_is_said_as_in_training(tmp_path: Path) -> None:
    rows = [("tumour-icd10", "Melanom", "Ja: C43.9!"), ("tumour-icd10", "Gastritis", "Nein")]
    coder = knowing(tmp_path / "c", questions(rows), space("C16.3", "C16.9"))
    found = ranked(coder, "Karzinom des Magenantrums", "tumour-icd10")
    assert codes(found)[:2] == ["Ja: C16.3!", "Ja: C16.9!"]
    assert "Nein" in codes(found)
    assert codes(ranked(coder, "Appendizitis", "tumour-icd10"))[0] == "Nein"
    assert codes(ranked(coder, "Melanom im Magen", "tumour-icd10"))[0] != "Nein"
    without = fitted(tmp_path / "d", settings_for("lexicon"), questions(rows))  # knows no code of this tumour
    assert codes(ranked(without, "malignes Karzinom des Magens", "tumour-icd10"))[0] == "Ja: C43.9!"
    assert allowed_answers("tumour-icd10", ["Nein"], tmp_path / "c")["C16.3"] == "C16.3"  # nothing says how


def test_topography_and_morphology(tmp_path: Path) -> None:
    rows = [("topography", "Haut", "C44.9"), ("morphology", "Melanom o. n. A.", "8720/3")]
    spaces = space("C16.3", "C16.9", system="topography"), space("8140/3", "8000/3", system="morphology")
    coder = knowing(tmp_path / "c", questions(rows), *spaces)
    assert codes(ranked(coder, "Adenokarzinom Magenantrum", "topography")) == ["C16.3", "C16.9", "C44.9"]
    assert codes(ranked(coder, "Adenokarzinom Magenantrum", "morphology")) == ["8140/3", "8000/3", "8720/3"]


# -- certainty ------------------------------------------------------------------------------------------------------


FIRST_READINGS = Path(__file__).parents[1] / "language/first_readings.csv"
LABELLED = [None, certainty.Agreement(True, True, 1.0), certainty.Agreement(False, False, 0.0)]


@pytest.mark.parametrize("system", ["icd10gm", "topography", "morphology"])
@pytest.mark.parametrize("basis", ["named", "part", "unknown", "guess", "something new"])
@pytest.mark.parametrize("morphology", ["8140/3", "8000/1", None])
def test_probabilities_are_neither_0_nor_1_and_fall(system: str, basis: str, morphology: str | None) -> None:
    for labels in LABELLED if system == "icd10gm" else [None]:
        first = certainty.certainty(system, "C16.3", basis, morphology, labels)
        assert 0 < first < 1
        scores = certainty.falling(first, 4)
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) <= 1


def test_a_probability_by_hand() -> None:
    labels = certainty.agreement("C50.9", [("C50.9", 0.5), ("C50.4", 0.4)])
    assert labels == certainty.Agreement(True, True, 0.5)
    odds = 2.02 - 1.57 - 0.58 + 0.78 + 0.41 + 0.5 * 1.55  # named, the rest of the category, carcinoma, labels agree
    found = certainty.certainty("icd10gm", "C50.9", "named", "8010/3", labels)
    assert found == pytest.approx(1 / (1 + math.exp(-odds)))
    assert certainty.falling(0.8, 2) == pytest.approx([0.8, 0.1, 0.05])
    assert certainty.falling(0.1, 2) == pytest.approx([0.1, 0.1, 0.1])


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], (False, False, 0.0)),
        ([("C61", 0.9), ("C50.9", 0.3)], (False, True, 0.3)),
        ([("C50.9", 0.0)], (False, False, 0.0)),  # no label is like the text at all
        ([*((f"C{number}", 0.5) for number in range(10, 15)), ("C50.9", 0.4)], (False, False, 0.0)),
    ],
)
def test_agreement_of_labels(answers: list[tuple[str, float]], expected: tuple[bool, bool, float]) -> None:
    assert certainty.agreement("C50.9", answers) == certainty.Agreement(*expected)


def test_labels_spelt_alike_make_a_code_surer_and_others_less_sure(tmp_path: Path) -> None:
    spaces = space("C16.3", "C16.9")
    text = "Adenokarzinom des Magenantrums"
    alike = ranked(knowing(tmp_path / "a", icd10(("Adenokarzinom Magenantrum", "C16.3"), *LABELS), spaces), text)
    other = ranked(knowing(tmp_path / "b", icd10(("Adenom des Magenantrums", "D13.1"), *LABELS), spaces), text)
    assert alike[0][0] == other[0][0] == "C16.3"
    assert alike[0][1] > certainty.SURE > other[0][1]


def test_weights_and_threshold_are_those_of_the_first_readings() -> None:
    from benchmarks import certainty_of_readings as calibration

    readings = calibration.read(FIRST_READINGS)
    assert readings["round"].unique().sort().to_list() == list("CDEFGH")
    for name, weights in certainty.WEIGHTS.items():
        assert calibration.weights(readings, name) == pytest.approx(dict(weights), abs=0.006), name
    covered, exact, accepted = calibration.left_out(readings, certainty.SURE)
    assert covered / readings.height == pytest.approx(0.521, abs=0.01)
    assert exact / covered == pytest.approx(0.963, abs=0.005)
    assert accepted / covered == pytest.approx(0.975, abs=0.005)


HEADER = b"code\tkind\tpattern\tsite\ticd10\n"


# -- tables ---------------------------------------------------------------------------------------------------------


def own_tables(folder: Path, pattern: str = "Quasselkrebs", code: str = "8140/3") -> Path:
    folder.mkdir(exist_ok=True)
    row = "code\tkind\tpattern\tsite\ticd10\tsource\n" + f"{code}\tepithelial\t{pattern}\tC16.3?\t\town\n"
    (folder / "histologies.tsv").write_text(row, encoding="utf-8")
    return folder


def test_a_users_tables_come_first_and_a_fitted_coder_stays_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = own_tables(tmp_path / "own")
    coder = knowing(tmp_path / "c", icd10(*LABELS), space("C16.3", "C50.9"), tables=str(own))
    assert codes(ranked(coder, "Quasselkrebs"))[0] == "C16.3"
    assert codes(ranked(coder, "Mammakarzinom"))[0] == "C50.9"
    without = knowing(tmp_path / "d", icd10(*LABELS), space("C16.3", "C50.9"))
    assert codes(ranked(without, "Quasselkrebs"))[0] != "C16.3"
    before = ranked(coder, "Quasselkrebs"), ranked(coder, "Mammakarzinom")
    (own / "histologies.tsv").unlink()
    monkeypatch.setattr(saved, "shipped", lambda table: "pattern\n")
    again = FittedCoder(tmp_path / "c")
    assert (ranked(again, "Quasselkrebs"), ranked(again, "Mammakarzinom")) == before


def test_the_tables_are_files_of_the_coder_as_they_are(tmp_path: Path) -> None:
    own = own_tables(tmp_path / "own")
    knowing(tmp_path / "c", icd10(*LABELS), tables=str(own))
    files = files_of(tmp_path / "c")
    assert {"settings.json", "labels.parquet", "tables/sites.tsv", "tables/histologies.own.tsv"} <= set(files)
    assert files["tables/histologies.own.tsv"].read_bytes() == (own / "histologies.tsv").read_bytes()
    assert files["tables/sites.tsv"].read_text(encoding="utf-8") == rows.shipped("sites")


@pytest.fixture
def merged(root: Path) -> dict[str, Any]:
    return merge_files([root / "config/config.yaml", root / "config/quickstart.yaml"])


def with_lexicon(merged: dict[str, Any], tables: Path) -> dict[str, Any]:
    recipe = {"kind": "lexicon", "label": "L", "family": "F", "data": "example", "tables": str(tables)}
    members = [{"kind": "lexicon", "tables": str(tables)}, {"kind": "majority-code"}]
    fusion = {"kind": "fusion", "label": "M", "family": "F", "data": "example", "members": members}
    return merged | {"models": ["mine", "all"], "recipes": merged["recipes"] | {"mine": recipe, "all": fusion}}


def test_a_users_tables_and_the_label_spaces_are_inputs_of_the_fit(merged: dict[str, Any], tmp_path: Path) -> None:
    own = own_tables(tmp_path / "own")
    study = Study(with_lexicon(merged, own), [])
    for model in ("mine", "all"):
        assert study.own_tables(model) == [str(own / "histologies.tsv")]
        assert study.answered_spaces(model) == ["icd10gm-example", "icdo3-example"]
        assert str(own) in slices.coder(study, model)
    usual = Study(merged, [])
    assert usual.own_tables("nearest-label") == usual.answered_spaces("nearest-label") == []
    assert usual.own_tables("lexicon") == usual.own_tables("tiny-llama") == usual.answered_spaces("tiny-llama") == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("histologies.tsv", HEADER + b"8140/3\tepithelial\t(Magen\t\t\n", r"histologies\.tsv:2: .*partner"),
        ("histologies.tsv", "code\tkind\tpattern\n8140/3\tepithelial\tKöln\n".encode("latin-1"), "is not UTF-8"),
        ("hystologies.tsv", b"code\n", "no table of that name"),
        ("notes.txt", b"", "holds no table"),
        (None, b"", "no folder"),
    ],
)
def test_tables_are_checked_when_the_configuration_is_read(
    merged: dict[str, Any], tmp_path: Path, name: str | None, content: bytes, message: str
) -> None:
    folder = tmp_path / "own"
    if name:
        folder.mkdir()
        (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Study(with_lexicon(merged, folder), [])
    assert str(caught.value).startswith("recipes.mine: tables: ")
    with pytest.raises(InputError, match=message):
        knowing(tmp_path / "c", icd10(*LABELS), tables=str(folder))


def test_fit_coder_takes_label_spaces(tmp_path: Path, usual_umask: None) -> None:
    from onkocode.cli import main
    from onkocode.records.provenance import read_provenance
    from onkocode.records.schemas import write_table

    columns = schema_of("codes")
    row = {name: "" if dtype == pl.String else False for name, dtype in columns.items()}
    row |= {"system": "icd10gm", "code": "C16.3", "category": "C16", "terminal": True, "tumour": True}
    row |= {"title": "Antrum", "chapter": "II", "behaviour": "malignant"}
    write_table(pl.DataFrame([row], schema=columns), "codes", tmp_path / "codes.parquet")
    write_table(icd10(*LABELS), "questions", tmp_path / "q.parquet")
    fit = ["fit-coder", "--questions", str(tmp_path / "q.parquet"), "--codes", str(tmp_path / "codes.parquet")]
    fit += ["--settings", f'{{"kind": "lexicon", "tables": "{own_tables(tmp_path / "own")}"}}']
    assert main([*fit, "--scratch", str(tmp_path / "s"), "--output", str(tmp_path / "coder")]) == 0
    assert ranked(FittedCoder(tmp_path / "coder"), "Karzinom des Magenantrums")[0][0] == "C16.3"
    inputs = read_provenance(tmp_path / "coder")["inputs"]
    assert {"questions", "codes 1", str(tmp_path / "own/histologies.tsv")} <= set(inputs)
