"""Words of clinical language: spelling, tokens, compounds, typing errors, abbreviations, facts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onkocode.language.abbreviations import Abbreviation, Abbreviations, parse_conditions
from onkocode.language.facts import take_facts, tumour_in_situ, tumour_papillary
from onkocode.language.patterns import word_of
from onkocode.language.spelling import SHORTEST, fold, stem
from onkocode.language.tokens import tokenise
from onkocode.language.words import Splitter

LETTERS = st.text(st.characters(categories=("L", "M", "N")), max_size=30)


def stems(*words: str) -> set[str]:
    return {stem(fold(word)) for word in words}


# -- spelling --


@pytest.mark.parametrize(
    "alike",
    [
        ("Karzinom", "Carcinom", "carcinoma", "Karzinome", "Karzinoms", "KARZINOM"),
        ("Ösophagus", "Oesophagus", "Esophagus", "ösofagus"),
        ("Mamma", "Mammae"),
        ("Zäkum", "Caecum", "Coecum", "Zökum"),
        ("Leukämie", "Leukaemie"),
        ("lymphatisch", "lymphatica", "lymphatic"),
        ("papillär", "papillaer", "papilläres", "papillären"),
        ("serös", "seröses", "serosum"),
        ("Rachen", "rachen"),
    ],
)
def test_variants_of_a_word_fall_together(alike: tuple[str, ...]) -> None:
    assert len(stems(*alike)) == 1


@pytest.mark.parametrize(
    "apart",
    [
        ("papillär", "Papille"),
        ("Adenose", "Adenom"),
        ("Polyposis", "Polyp"),
        ("Myom", "Myelom"),
        ("Hals", "Gebärmutterhals"),
        ("Zunge", "Lunge"),
        ("Uterus", "Ureter", "Urethra"),
        ("Ileum", "Ilium"),
        ("II", "III", "IV"),
    ],
)
def test_words_that_mean_something_else_stay_apart(apart: tuple[str, ...]) -> None:
    assert len(stems(*apart)) == len(apart)


@given(LETTERS)
def test_folding_leaves_letters_and_digits_and_a_stem_of_some_length(text: str) -> None:
    folded = fold(text)
    assert all(letter.isalnum() for letter in folded)
    assert len(stem(folded)) >= min(SHORTEST, len(folded)) or len(folded) <= SHORTEST + 1


@given(LETTERS)
def test_a_stem_begins_its_word_but_for_adjectives(text: str) -> None:
    folded = fold(text)
    base = stem(folded)
    assert folded.startswith(base) or (base.endswith("ik") and folded.startswith(base[:-2]))


# -- tokens --


@given(st.text(max_size=200))
def test_tokens_lie_in_their_order_in_the_text(text: str) -> None:
    tokens = tokenise(text)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)
    assert all(left.end <= right.start for left, right in pairwise(tokens))
    marks = [token for token in tokens if not token.is_word]
    assert all(text[token.start : token.end] == token.text for token in marks)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Lungen- karzinom", ["Lungenkarzinom"]),
        ("Magen- und Darmkrebs", ["Magen", "-", "und", "Darmkrebs"]),
        ("LeberMetastase", ["Leber", "Metastase"]),
        ("Mammakarzinom", ["Mammakarzinom"]),
        ("Adenom 1,5 cm", ["Adenom", "1,5", "cm"]),
        ("Mi1z", ["Milz"]),
        ("Kol0n", ["Kolon"]),
    ],
)
def test_tokens_of_broken_and_joined_words(text: str, words: list[str]) -> None:
    assert [token.text for token in tokenise(text)] == words


# -- compounds and typing errors --

VOCABULARY = (
    "Haut",
    "Tumor",
    "Karzinom",
    "Magen",
    "Lunge",
    "Platten",
    "Epithel",
    "Prostata",
    "Hals",
    "Gebärmutterhals",
    "Myelom",
)


def splitter(*opaque: str) -> Splitter:
    return Splitter({word_of(word) for word in VOCABULARY}, stems(*opaque))


def parts(text: str, *opaque: str) -> list[set[str]]:
    return [set(unit.features) for unit in splitter(*opaque).units(tokenise(text))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hauttumor", ("Haut", "Tumor")),
        ("Plattenepithelkarzinom", ("Platten", "Epithel", "Karzinom")),
        ("Magencarcinom", ("Magen", "Karzinom")),
        ("Karzinome", ("Karzinom",)),
    ],
)
def test_compounds_are_taken_apart(text: str, words: tuple[str, ...]) -> None:
    assert parts(text) == [stems(word) for word in words]


def test_the_name_of_an_organ_is_not_its_parts() -> None:
    assert parts("Gebärmutterhals", "Gebärmutterhals") == [stems("Gebärmutterhals")]
    assert stems("Hals") not in parts("Gebärmutterhals", "Gebärmutterhals")


@pytest.mark.parametrize(
    ("text", "mended"),
    [("Prostsata", "Prostata"), ("Porstata", "Prostata"), ("Karzinmo", "Karzinom"), ("Karzniom", "Karzinom")],
)
def test_a_typing_error_is_mended_where_one_word_is_near(text: str, mended: str) -> None:
    (unit,) = splitter().units(tokenise(text))
    assert set(unit.features) == stems(mended)
    assert unit.corrected


@pytest.mark.parametrize("text", ["Xarzinom", "Lugne", "Hase", "Prokrastinat", "Karbinol"])
def test_no_word_is_made_of_another(text: str) -> None:
    (unit,) = splitter().units(tokenise(text))
    assert not unit.corrected
    assert set(unit.features) == stems(text)


def test_nothing_is_mended_between_two_words_as_near() -> None:
    near = Splitter({word_of(word) for word in ("Prostatwort", "Prostatwart")})
    (unit,) = near.units(tokenise("Prostatwurt"))
    assert not unit.corrected


@pytest.mark.parametrize(("text", "together"), [("Kar zinom", True), ("Magen Karzinom", False), ("Prosta ta", True)])
def test_words_that_blanks_cut_are_put_together(text: str, together: bool) -> None:
    assert len(splitter().joined(tokenise(text))) == (1 if together else 2)


@given(st.text(max_size=60))
def test_every_word_gives_at_least_one_unit_with_features(text: str) -> None:
    tokens = tokenise(text)
    units = splitter().units(tokens)
    assert all(unit.features for unit in units)
    assert all(tokens[unit.token].is_word for unit in units)


# -- abbreviations --


def abbreviations(*rows: tuple[str, str, str]) -> Abbreviations:
    return Abbreviations(
        [
            Abbreviation(short, full, parse_conditions(context), line)
            for line, (short, full, context) in enumerate(rows, 1)
        ]
    )


ROWS = abbreviations(
    ("ca.", "zirka", "right:3 | right:zwei"),
    ("Ca", "Karzinom", ""),
    ("Z. n.", "Zustand nach", ""),
    ("MM", "malignes Melanom", "Haut | kutan"),
    ("MM", "multiples Myelom", "!Haut | Plasmazelle | right:IgG"),
    ("NZK", "Nierenzellkarzinom", ""),
    ("HCC", "hepatozelluläres Karzinom", ""),
)


def full(text: str) -> str:
    return " ".join(token.text for token in ROWS.expand(tokenise(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tumor ca. 3 cm", "Tumor zirka 3 cm"),
        ("Tumor ca zwei cm", "Tumor zirka zwei cm"),
        ("Magen-Ca.", "Magen - Karzinom"),
        ("Rektum-Ca 3 cm", "Rektum - Karzinom 3 cm"),
        ("Z.n. NZK", "Zustand nach Nierenzellkarzinom"),
        ("Z. n. NZK", "Zustand nach Nierenzellkarzinom"),
        ("MM der Haut", "malignes Melanom der Haut"),
        ("MM, IgG", "MM , IgG"),
        ("MM IgG", "multiples Myelom IgG"),
        ("MM Plasmazellen", "multiples Myelom Plasmazellen"),
        ("MM", "MM"),
        ("mm", "mm"),
        ("30 mm Haut", "30 mm Haut"),
        ("HCCX", "HCCX"),
    ],
)
def test_abbreviations_are_read_by_what_is_around_them(text: str, expected: str) -> None:
    assert full(text) == expected


def test_what_an_abbreviation_stands_for_keeps_its_place_and_line() -> None:
    tokens = ROWS.expand(tokenise("li. NZK"))
    assert [(token.text, token.start, token.end, token.source) for token in tokens[-1:]] == [
        ("Nierenzellkarzinom", 4, 7, 6)
    ]


@given(
    st.lists(st.sampled_from(["Ca", ".", "MM", "Haut", "Z", "n", "-", "3", "IgG", "HCC"]), max_size=15).map(" ".join)
)
def test_abbreviations_drop_no_word(text: str) -> None:
    plain = tokenise(text)
    covered = {place for token in ROWS.expand(plain) for place in range(token.start, token.end)}
    assert all(set(range(token.start, token.end)) <= covered for token in plain if token.is_word)


# -- facts --


def kinds(text: str) -> list[tuple[str, str]]:
    return [(fact.kind, fact.value) for fact in take_facts(text)[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pT2c pN0 cM0", [("T", "pT2c"), ("N", "pN0"), ("M", "cM0")]),
        ("pT1bN2aM0", [("T", "pT1b"), ("N", "N2a"), ("M", "M0")]),
        ("ypT0 ypN1(sn)", [("T", "ypT0"), ("N", "ypN1(sn)")]),
        ("3 x 2,5 cm", [("size", "3 x 2,5 cm")]),
        ("12 mm", [("size", "12 mm")]),
        ("Gleason 4+3=7b", [("gleason", "Gleason 4+3=7b")]),
        ("FIGO IIIA", [("stage", "FIGO IIIA")]),
        ("HER2 neg.", [("receptor", "HER2 neg.")]),
        ("12.03.2019", [("date", "12.03.2019")]),
        ("03/2019", [("date", "03/2019")]),
        ("L1 V0 Pn1 R0", [("invasion", "L1"), ("invasion", "V0"), ("invasion", "Pn1"), ("residual", "R0")]),
        ("3/9 LK", [("nodes", "3/9 LK")]),
    ],
)
def test_facts_are_recognised(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(text) == expected
    assert take_facts(text)[1].strip() == ""


@pytest.mark.parametrize(
    "text", ["Tumor", "Neoplasie", "Magen", "T-Zell-Lymphom", "Grawitz", "LWK 2", "Typ 2", "Pancoast", "Tannenzapfen"]
)
def test_words_are_no_facts(text: str) -> None:
    assert kinds(text) == []


def test_stages_that_decide_a_code() -> None:
    told = {text: take_facts(text)[0] for text in ("pTis", "pTa", "pT1 (is)", "pT1", "cTis cN0", "pTa G3")}
    assert [text for text, facts in told.items() if tumour_in_situ(facts)] == ["pTis", "cTis cN0"]
    assert [text for text, facts in told.items() if tumour_papillary(facts)] == ["pTa", "pTa G3"]


@given(st.text(max_size=120))
def test_taking_facts_keeps_the_length_and_all_else(text: str) -> None:
    facts, plain = take_facts(text)
    assert len(plain) == len(text)
    assert all(left in (right, " ") for left, right in zip(plain, text, strict=True))
    assert all(0 <= fact.start < fact.end <= len(text) for fact in facts)
