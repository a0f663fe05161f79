"""One meaning in other spellings: the reader gives the same codes."""

import pytest

from onkocode.language.lexicon import shipped_lexicon
from onkocode.language.reading import read

SAME = (
    ("retroperitoneales Sarkom", "retro-peritoneales Sarkom"),
    ("supraglottisches Karzinom", "supra-glottisches Karzinom"),
    ("hepatozelluläres Karzinom", "hepato-zelluläres Karzinom"),
    ("Tumor des Mundes", "Mundtumor"),
    ("Tumor des Oberlids", "Oberlidtumor"),
    ("Karzinom der Haut des Ohrs", "Ohrhautkarzinom"),
    ("Basaliom der Haut der Nasenspitze", "Nasenspitzenbasaliom"),
    ("Sarkom der Mandibula", "Sarkom des Unterkieferknochens"),
    ("NST-Karzinom der Mamma", "Mammakarzinom ohne speziellen Typ"),
)


def codes(text: str) -> tuple[str | None, ...]:
    found = read(shipped_lexicon(), text).subject
    assert found is not None
    return found.icd10, found.topography, found.morphology


@pytest.mark.parametrize(("one", "other"), SAME)
def test_another_spelling_has_the_same_codes(one: str, other: str) -> None:
    assert codes(one) == codes(other)


@pytest.mark.parametrize("hyphened", ["T-Zell-Lymphom", "Meibom-Drüsen-Karzinom", "Compound-Nävus"])
def test_hyphens_between_nouns_part_them(hyphened: str) -> None:
    assert codes(hyphened) == codes(hyphened.replace("-", " "))


@pytest.mark.parametrize(
    ("text", "topography"),
    [
        ("Melanom der Lippe", "C44.0"),
        ("Plattenepithelkarzinom der Unterlippe", "C00.1"),
        ("Basaliom Oberlippe", "C44.0"),
    ],
)
def test_only_tumours_of_the_skin_stand_in_the_skin_of_a_lip(text: str, topography: str) -> None:
    assert codes(text)[1] == topography
