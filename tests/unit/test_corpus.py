"""The pre-training text: labels or codes, never both."""

import csv
import re

import pytest
import yaml

from onkocode.config.schema import TinyModel
from onkocode.models.corpus import Choice, Document, build_corpus, invented_word, vocabulary_texts

from .conftest import ROOT

Catalogue = tuple[list[str], dict[str, list[str]]]
CODE = re.compile(r"(?<!\w)(?:[A-Z]\d{2}(?:\.\d+)?|\d{4}/\d|\d-[0-9a-z]{3}(?:\.[0-9a-z]+)?)(?!\w)")


def shipped() -> dict[str, TinyModel]:
    raw = yaml.safe_load((ROOT / "config" / "quickstart.yaml").read_text(encoding="utf-8"))
    return {name: TinyModel.model_validate(shape) for name, shape in raw["tiny_models"].items()}


def as_shipped(catalogue: Catalogue, shape: TinyModel) -> list[Document]:
    documents = shape.steps * shape.batch_size
    return build_corpus(*catalogue, documents, shape.architecture == "qwen3", shape.seed)


def holding(needles: list[str], text: str) -> list[str]:
    """Return the needles that stand in the text as whole words."""
    return [needle for needle in needles if needle in text and re.search(rf"(?<!\w){re.escape(needle)}(?!\w)", text)]


def texts_of(document: Document) -> str:
    return " ".join(part for part in document if part)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_no_document_holds_both_a_label_and_a_code(labels_and_codes: Catalogue, name: str) -> None:
    labels, codes = labels_and_codes
    known = {code for listed in codes.values() for code in listed}
    with_code = with_label = 0
    for document in as_shipped(labels_and_codes, shipped()[name]):
        text = texts_of(document)
        if CODE.search(text):
            with_code += 1
            assert holding(labels, text) == [], text
        else:
            with_label += bool(holding(labels, text))
            assert not known & set(text.split())
    assert with_code > 1000  # both kinds are there, so the check means something
    assert with_label > 1000


def test_labels_themselves_hold_no_code(labels_and_codes: Catalogue) -> None:
    assert [label for label in labels_and_codes[0] if CODE.search(label)] == []


@pytest.mark.parametrize("name", sorted(shipped()))
def test_no_test_text_occurs(labels_and_codes: Catalogue, name: str) -> None:
    with (ROOT / "example" / "texts.csv").open(encoding="utf-8", newline="") as stream:
        texts = [row["text"].casefold() for row in csv.DictReader(stream, delimiter=";")]
    assert len(texts) > 100
    corpus = "\n".join(texts_of(document) for document in as_shipped(labels_and_codes, shipped()[name])).casefold()
    assert [text for text in texts if text in corpus] == []


def test_same_seed_same_corpus_and_other_seed_another(labels_and_codes: Catalogue) -> None:
    first = build_corpus(*labels_and_codes, 50, True, 3)
    assert build_corpus(*labels_and_codes, 50, True, 3) == first
    assert build_corpus(*labels_and_codes, 100, True, 3)[:50] == first
    assert build_corpus(*labels_and_codes, 50, True, 4) != first


def test_thoughts_only_for_thinking_models(labels_and_codes: Catalogue) -> None:
    plain = build_corpus(*labels_and_codes, 100, False, 0)
    assert {thought for *_, thought in plain} == {None}
    thoughts = [thought for *_, thought in build_corpus(*labels_and_codes, 100, True, 0) if thought]
    assert len(thoughts) == 20  # every fifth document
    assert all("kenne ich keinen Eintrag" in thought for thought in thoughts)


def test_answers_are_codes_of_the_system_that_is_asked_for(labels_and_codes: Catalogue) -> None:
    codes = labels_and_codes[1]
    asked = {"ICD-10": "icd10gm", "Topographie": "topography", "Morphologie": "morphology", "OPS": "ops"}
    counted = dict.fromkeys(asked.values(), 0)
    for question, answer, _ in build_corpus(*labels_and_codes, 2000, False, 0):
        for word, system in asked.items():
            if word in question and question.startswith(("Welche", "Gesucht")):
                assert answer in codes[system]
                counted[system] += 1
    assert min(counted.values()) > 50


def test_systems_without_codes_are_not_asked_for() -> None:
    corpus = build_corpus(["Krebs"], {"topography": ["C00.1", "C02.1"], "ops": []}, 200, False, 0)
    assert not any("OPS" in question or "ICD-10" in question for question, *_ in corpus)
    assert any("Topographie" in question for question, *_ in corpus)


def test_invented_words_look_like_words() -> None:
    choice = Choice(0)
    words = [invented_word(choice) for _ in range(200)]
    assert all(re.fullmatch(r"[A-ZÄÖÜ][a-zäöü]{1,}", word) for word in words)
    assert len(set(words)) > 190


def test_choice_reaches_every_option_and_no_other() -> None:
    choice = Choice(0)
    assert {choice.below(7) for _ in range(300)} == set(range(7))
    assert {choice.of("ab") for _ in range(50)} == {"a", "b"}


def test_vocabulary_has_the_formulations_but_no_label_in_them() -> None:
    texts = vocabulary_texts([("Frage?", "C50.9", None), ("Frage?", "C61", "Gedanke")], ["Kodiere: {text}"])
    assert texts[:2] == ["Frage? C50.9 ", "Frage? C61 Gedanke"]
    assert set(texts[2:]) == {"Kodiere: "}
    assert len(texts) > 12
