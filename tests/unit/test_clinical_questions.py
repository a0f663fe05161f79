"""Questions on composed texts: their codes, what stays out of training, and that nothing else changes."""

import re
from collections import Counter

import polars as pl
import pytest

from onkocode.config import Config, load_config_files, resolve_data
from onkocode.config.data import Clinical, Data
from onkocode.language.lexicon import shipped_lexicon
from onkocode.language.reading import read
from onkocode.language.rows import READERS, read_rows, shipped
from onkocode.questions.build import QuestionSet, build_questions
from onkocode.questions.clinical.composing import Composed, Composer, Taken
from onkocode.questions.clinical.expressions import site_expressions
from onkocode.questions.clinical.grammar import genitive, joined
from onkocode.questions.clinical.tumours import Known, Tumour, tumours
from onkocode.questions.clinical.wordings import all_wordings, wordings
from onkocode.questions.formulations import COMPOSED, load_formulations
from onkocode.questions.leakage import TRAINING, Texts, find_pairs, normal_forms, texts_of_questions
from onkocode.records.ids import text_key
from tests.conftest import ROOT, Tables, sources_of

OPTIONS = Clinical(texts_per_code=6, heldout_wordings=0.34)
KEYWORDS = {"code-of-site", "other-site"}
BY_HAND = [
    ("C61.9", "8140/3", "C61"),
    ("C34.1", "8070/3", "C34.1"),
    ("C50.4", "8500/3", "C50.4"),
    ("C50.9", "8500/2", "D05.1"),
    ("C44.6", "8720/3", "C43.6"),
    ("C44.3", "8090/3", "C44.3"),
    ("C18.7", "8263/0", "D12.5"),
    ("C67.9", "8130/2", "D09.0"),
    ("C49.1", "8850/0", "D17.2"),
    ("C54.9", "8890/0", "D25.9"),
    ("C38.4", "9052/3", "C45.0"),
    ("C22.0", "8170/3", "C22.0"),
    ("C71.1", "9440/3", "C71.1"),
    ("C70.0", "9530/0", "D32.0"),
    ("C73.9", "8260/3", "C73"),
    ("C77.0", "9680/3", "C83.3"),
    ("C42.1", "9732/3", "C90.01"),
    ("C42.1", "9861/3", "C92.00"),
]
# What nobody finds.
ODD = [
    ("C61.9", "9180/3"),  # osteosarcoma of the prostate
    ("C34.1", "8090/3"),  # basal cell carcinoma of the lung
    ("C18.7", "8500/3"),  # ductal carcinoma of the colon
    ("C50.4", "9440/3"),  # glioblastoma of the breast
    ("C42.2", "9861/3"),  # a leukaemia of the spleen
    ("C64.9", "8170/3"),  # liver cell carcinoma of the kidney
]
SITES = {place for place, *_ in (*BY_HAND, *ODD)}


@pytest.fixture(scope="module")
def every() -> dict[str, list[Tumour]]:
    """The tumours of the tables at the sites of the cases, by their code, whatever a catalogue has."""
    lexicon = shipped_lexicon()
    sites = {key: found for key, found in site_expressions(lexicon, all_wordings()).items() if key[0] in SITES}
    places = {row.site for row in lexicon.histologies.rows} | SITES
    kinds = {row.code for row in lexicon.histologies.rows}
    rows = (*lexicon.combinations.rules, *lexicon.combinations.metastases)
    icd10 = {row.icd10 for row in rows} | {row.icd10 for row in lexicon.histologies.rows}
    plain = {code for place in places for code in (place, place[:3])}
    remission = {f"{code[:-1]}1" for code in icd10}
    return tumours(lexicon, sites.keys(), Known(icd10 | plain | remission, places | kinds))


@pytest.fixture(scope="module")
def composed(example: Tables, quickstart: Config) -> QuestionSet:
    return build_questions(sources_of(example), quickstart.data["example"].model_copy(update={"clinical": OPTIONS}))


@pytest.fixture(scope="module")
def asked(composed: QuestionSet) -> pl.DataFrame:
    return composed.questions.filter(pl.col("block").is_in(list(COMPOSED)))


@pytest.fixture(scope="module")
def composer(example: Tables) -> Composer:
    """Composes texts for a few codes of the example."""
    return Composer(shipped_lexicon(), Known({"C61", "C34.1", "C50.4", "D12.5", "C92.01"}, codes(example)), OPTIONS)


def codes(example: Tables) -> set[str]:
    return {*example["icdo3"][0]["code"], "C42.1", "9861/3"}


@pytest.mark.parametrize(("topography", "morphology", "icd10"), BY_HAND)
def test_codes_by_hand(every: dict[str, list[Tumour]], topography: str, morphology: str, icd10: str) -> None:
    found = [one for one in every[icd10] if (one.topography, one.morphology) == (topography, morphology)]
    assert found
    assert {one.remission for one in found} == {icd10 == "C90.01"}


@pytest.mark.parametrize(("topography", "morphology"), ODD)
def test_not_every_kind_meets_every_organ(every: dict[str, list[Tumour]], topography: str, morphology: str) -> None:
    axes = (topography, morphology)
    assert not [code for code, group in every.items() if axes in {(one.topography, one.morphology) for one in group}]


def test_a_code_for_one_organ_is_given_to_no_other(every: dict[str, list[Tumour]]) -> None:
    uterus = {one.topography[:3] for code, group in every.items() if code.startswith("D25") for one in group}
    assert uterus
    assert uterus <= {"C53", "C54", "C55"}


def test_a_code_beside_which_others_are_defensible_is_not_asked_for() -> None:
    axes, codes = {"C67.9", "8130/2", "8120/3"}, {"D09.0", "C67.9"}
    found = tumours(shipped_lexicon(), {("C67.9", "")}, Known(codes, axes))
    assert {one.asked for one in found["D09.0"]} == {("topography", "morphology")}
    assert {one.asked for one in found["C67.9"] if one.site} == {("icd10", "topography", "morphology")}


def test_the_rules_of_the_registries_narrow_what_is_composed() -> None:
    axes = {"C61.9", "8140/3", "8500/3"}

    def kinds(ducts: str | None) -> set[str]:
        pairs = {("C61.9", "8140/3"): {"C61"}, ("C61.9", "8500/3"): {ducts}} if ducts else None
        return {
            one.morphology for one in tumours(shipped_lexicon(), {("C61.9", "")}, Known({"C61"}, axes, pairs))["C61"]
        }

    assert kinds(None) == kinds("C61") == {"8140/3", "8500/3"}
    assert kinds("C62") == {"8140/3"}


@pytest.mark.parametrize(
    ("pattern", "head", "expected"),
    [
        ("(myxoid/rundzellig) Liposarkom -Haut", "", ["myxoides Liposarkom", "rundzelliges Liposarkom"]),
        ('Plattenepithel (Karzinom/Adenokarzinom) | "in situ" x~', "", ["Plattenepithelkarzinom"]),
        ("invasiv lobulär", "Karzinom", ["invasives lobuläres Karzinom"]),
        ("invasiv lobulär", "", []),
        ("akut (myeloisch/acute) Leukämie", "", ["akute myeloische Leukämie"]),
        ('intraepithel~ Neoplasie "Neoplasie 2"', "", ["intraepitheliale Neoplasie 2"]),
        ("Zunge (lateral/Rücken)", None, ["Zunge lateral", "Zunge Rücken"]),
        ('"harter Gaumen" | "hard palate" | hart Gaumen', None, ["harter Gaumen", "hard palate"]),
    ],
)
def test_patterns_written_out(pattern: str, head: str | None, expected: list[str]) -> None:
    assert [found.text for found in wordings(pattern, "t:1", head)] == expected


def test_nouns_in_other_forms() -> None:
    assert [genitive(noun) for noun in ("Zunge", "Magen", "Rektum", "Thymus", "Xyzt")] == [
        *("der Zunge", "des Magens", "des Rektum", "des Thymus", ""),
    ]
    assert joined("Zunge", "Karzinom") == "Zungenkarzinom"
    assert joined("Magen", "Tumor", hyphen=True) == "Magen-Tumor"


def test_every_text_reads_as_it_was_composed(asked: pl.DataFrame) -> None:
    lexicon = shipped_lexicon()
    wide = asked.pivot("block", index=["entry_id", "text"], values="answer")
    assert wide.height > 300
    for _, text, icd10, topography, morphology in wide.select("entry_id", "text", *COMPOSED).iter_rows():
        subject = read(lexicon, text).subject
        assert subject is not None
        assert icd10 in (None, subject.icd10)
        assert topography in (None, subject.topography)
        assert morphology in (None, subject.morphology)


def test_codes_exist_and_are_terminal(asked: pl.DataFrame, example: Tables) -> None:
    terminal = set(example["icd10gm"][1].filter(pl.col("terminal") & pl.col("tumour"))["code"])
    axes = set(example["icdo3"][0]["code"])
    known = {"icd10": terminal, "topography": axes, "morphology": axes}
    for task, answers in asked.group_by("task").agg(pl.col("answer").unique()).iter_rows():
        assert answers
        assert set(answers) <= known[task]
    assert asked.filter((pl.col("task") == "topography") & (pl.col("answer").str.len_chars() < 5)).is_empty()


def test_no_code_has_more_texts_than_asked_for(asked: pl.DataFrame) -> None:
    texts = asked.filter(pl.col("block") == "clinical-icd10").unique("entry_id")
    held = pl.col("split") == "heldout_label"
    assert texts["text"].map_elements(text_key, pl.String).is_unique().all()
    counts = texts.group_by("answer").agg(train=(~held).sum(), held=held.sum())
    assert counts["train"].max() == OPTIONS.texts_per_code
    assert counts["held"].sum() > 0
    most = round(OPTIONS.texts_per_code * OPTIONS.heldout_wordings)
    assert counts.filter(pl.col("held") > most).is_empty()
    assert counts.filter(pl.col("train") == OPTIONS.texts_per_code).height > counts.height / 2


def test_wordings_that_are_held_out_stand_in_no_text_of_training(asked: pl.DataFrame, composer: Composer) -> None:
    held = {" ".join(words) for words in composer.heldout.wordings}
    held |= {" ".join(re.findall(r"\w+", short.lower())) for short in composer.heldout.shorts}
    assert len(held) > 100

    def found(text: str) -> bool:
        words = re.findall(r"\w+", text.lower())
        parts = (" ".join(words[at:end]) for at in range(len(words)) for end in range(at + 1, len(words) + 1))
        return not held.isdisjoint(parts)

    training = asked.filter(pl.col("split") != "heldout_label")
    assert not any(map(found, training["text"].unique()))
    assert all(map(found, asked.filter(pl.col("split") == "heldout_label")["text"].unique()))
    first = {" ".join(re.findall(r"\w+", row[0].text.lower())) for row in all_wordings().values() if row}
    assert held.isdisjoint(first)


def test_rows_that_a_text_comes_from_exist(asked: pl.DataFrame) -> None:
    known = {str(place) for table in READERS for place, _ in read_rows(f"{table}.tsv", shipped(table))}
    for rules in asked["rules"].unique():
        assert set(rules.split()) - KEYWORDS <= known
        assert {rule.partition(".")[0] for rule in rules.split()} & {"histologies", "haematology", "metastases"}


def test_what_a_text_does_not_tell_is_flagged_and_has_the_unspecified_code(asked: pl.DataFrame) -> None:
    sites = pl.col("rules").str.contains("sites|regions")
    flagged = pl.col("flags").list.contains("underspecified:site")
    primary = asked.filter(pl.col("task") == "morphology")
    assert primary.filter(flagged).height > 0
    assert primary.filter(flagged & sites).is_empty()
    kind = primary.filter(pl.col("flags").list.contains("underspecified:kind"))
    assert set(kind["answer"].str.head(3)) == {"800"}
    place = asked.filter(flagged & (pl.col("task") == "topography"))["answer"]
    assert set(place.str.tail(2)) == {".9"}


def test_each_text_is_asked_about_in_the_words_of_the_task(asked: pl.DataFrame) -> None:
    blocks = load_formulations("v1")
    for block, formulation, text, question in asked.select("block", "formulation_id", "text", "question").iter_rows():
        assert question == blocks[COMPOSED[block]].templates[formulation].replace("{text}", text)
    assert set(asked.group_by("entry_id", "block").len()["len"]) == {OPTIONS.formulations}
    assert asked["formulation_id"].n_unique() > 20


def test_the_same_settings_give_the_same_texts(composer: Composer, example: Tables) -> None:
    def texts(options: Clinical) -> list[Composed]:
        return list(Composer(composer.lexicon, composer.known, options).texts())

    first = texts(OPTIONS)
    assert len(first) > 20
    assert first == texts(OPTIONS)
    assert first != texts(OPTIONS.model_copy(update={"seed": 1}))
    fewer = {one.text for one in texts(OPTIONS.model_copy(update={"texts_per_code": 3})) if not one.heldout}
    assert fewer <= {one.text for one in first}


def test_a_text_that_reads_like_a_label_is_not_composed(composer: Composer) -> None:
    first = [one for one in Composer(composer.lexicon, composer.known, OPTIONS).texts() if not one.heldout]
    taken = Taken({text_key(first[0].text)}, set(normal_forms(first[1].text)))
    again = {one.text for one in Composer(composer.lexicon, composer.known, OPTIONS, taken).texts()}
    assert first[0].text not in again
    assert first[1].text not in again
    assert first[2].text in again


def test_no_text_that_is_held_out_has_the_words_of_one_of_training() -> None:
    taken = Taken()
    taken.add("Magen-Ca, G2", heldout=False)
    taken.add("Struma maligna", heldout=True)
    assert not taken.allows("G2 Magen Ca", heldout=True)
    assert taken.allows("G2 Magen Ca", heldout=False)
    assert not taken.allows("maligna Struma", heldout=False)
    assert not taken.allows("magen-ca,  g2", heldout=False)


def test_no_text_is_a_label_of_the_catalogues(composed: QuestionSet, asked: pl.DataFrame) -> None:
    others = composed.questions.filter(~pl.col("block").is_in(list(COMPOSED)))
    keys = {text_key(text) for text in others["text"].unique()}
    assert keys.isdisjoint(map(text_key, asked["text"].unique()))


def test_all_other_questions_stay_as_they_are(composed: QuestionSet, example_questions: QuestionSet) -> None:
    others = composed.questions.filter(~pl.col("block").is_in(list(COMPOSED)))
    assert others.equals(example_questions.questions)
    assert others.select(pl.col("rules", "flags").is_null().all()).row(0) == (True, True)


def test_the_leakage_check_sees_composed_texts(asked: pl.DataFrame) -> None:
    trained = asked.filter(pl.col("split") == "train")
    text = trained["text"][0]
    tests = Texts(
        pl.DataFrame({"id": ["t"], "text": [text.upper()]}),
        pl.DataFrame({"id": ["t"], "system": ["icd10gm"], "code": ["C61"]}),
    )
    pairs = find_pairs(tests, texts_of_questions(asked, TRAINING), 90.0)
    assert pairs["kind"][0] == "exact"
    assert pairs["training_id"][0] == trained["entry_id"][0]


def test_presets_and_samples() -> None:
    versions = {"alphaid": "1", "icd10gm": "1", "icdo3": "1", "ops": "1"}

    def resolved(**changes: object) -> Data:
        key = Data.model_validate(versions | changes)
        config = load_config_files([ROOT / "config/config.yaml"]).model_copy(update={"data": {"key": key}})
        return resolve_data(config, "key")

    sample = {"codes": 2}
    assert resolved(preset="paper").clinical is None
    assert resolved(preset="recommended").clinical is not None
    assert resolved(preset="recommended", sample=sample).clinical is None
    assert resolved(preset="recommended", clinical=None).clinical is None
    assert resolved(preset="recommended", sample=sample, clinical={"seed": 7}).clinical == Clinical(seed=7)


def test_counts_in_the_record(composed: QuestionSet, asked: pl.DataFrame) -> None:
    facts = composed.facts["clinical"]
    assert facts["texts"] == asked["entry_id"].n_unique()
    assert facts["codes"] == {
        task: asked.filter(pl.col("block") == block)["answer"].n_unique() for block, task in COMPOSED.items()
    }
    splits = Counter(asked.unique("entry_id")["split"])
    assert facts["heldout"] == splits["heldout_label"]
