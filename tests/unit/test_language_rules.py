"""Patterns, roles and the combination of codes, on small tables of their own."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onkocode.language.combination import Combinations
from onkocode.language.patterns import Matcher, PatternError, parse_pattern, word_of
from onkocode.language.roles import CueFinder, segments
from onkocode.language.rows import Combination, Cue, Place, read_rows, read_table
from onkocode.language.tokens import tokenise
from onkocode.language.words import Splitter
from onkocode.records.errors import InputError

PLACE = Place("table", 1)


def found(pattern: str, text: str) -> bool:
    alternatives = parse_pattern(pattern)
    splitter = Splitter({word for one in alternatives for word in one.words()})
    features = [unit.features for unit in splitter.units(tokenise(text))]
    return bool(Matcher([alternatives]).matches(features))


# -- patterns --


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("Magen Karzinom", "Karzinom des Magens", True),
        ("Magen Karzinom", "Magenkarzinom", True),
        ("Magen Karzinom", "Magen", False),
        ('"Kopf Pankreas"', "Kopf des Pankreas", True),
        ('"Kopf Pankreas"', "Pankreas, Kopf", False),
        ("Pankreas Kopf", "Pankreas, am Kopf", True),
        ("(Magen/Darm) Karzinom", "Darm Karzinom", True),
        ("(Magen/Darm) Karzinom", "Leber Karzinom", False),
        ("Lippe -Ober", "Lippe ober", False),
        ("Lippe -Ober", "Lippe", True),
        ("Lippe | Mund", "Mund", True),
        ("muzin~", "muzinöses", True),
        ("muzin~", "Mukozele", False),
        ("nicht-kleinzellig", "nicht kleinzellig", True),
        ("nicht-kleinzellig", "kleinzellig, nicht", False),
        ("Karzinom -in-situ", "Karzinom", True),
        ("Karzinom -in-situ", "Karzinom in situ", False),
        ("Karzinom -gut-differenziert", "Karzinom, differenziert, gut", True),
    ],
)
def test_patterns_match_words(pattern: str, text: str, expected: bool) -> None:
    assert found(pattern, text) is expected


@pytest.mark.parametrize("pattern", ["", "-Magen", '"Magen', "(Magen", "Magen)", "Magen | ", "der die das", "()"])
def test_patterns_that_cannot_be_read(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse_pattern(pattern)


@given(st.text(max_size=60))
def test_a_pattern_is_read_or_refused(pattern: str) -> None:
    try:
        alternatives = parse_pattern(pattern)
    except PatternError:
        return
    assert all(one.groups for one in alternatives)


@given(
    st.lists(st.sampled_from(["Magen", "Darm", "Leber", "Karzinom"]), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_the_order_of_words_does_not_matter(words: list[str], random: Random) -> None:
    shuffled = sorted(words, key=lambda _: random.random())
    assert found(" ".join(words), " ".join(shuffled))


def test_the_heaviest_alternative_of_a_row_counts() -> None:
    matcher = Matcher([parse_pattern("Magen | Magen Karzinom"), parse_pattern("Karzinom")])
    features = [{word_of(word).key} for word in ("Magen", "Karzinom")]
    assert [(match.row, match.weight) for match in matcher.matches(features)] == [(0, 2), (1, 1)]
    assert [match.row for match in matcher.matches(features, [0])] == [0]


# -- rows --


def test_rows_know_their_lines() -> None:
    rows = list(read_rows("mine.tsv", "\ufeff# first\n\na\tb\n1\t2\n# between\n3\n"))
    assert [(str(place), cells) for place, cells in rows] == [
        ("mine.tsv:4", {"a": "1", "b": "2"}),
        ("mine.tsv:6", {"a": "3", "b": ""}),
    ]


def test_all_rows_that_cannot_be_read_are_told_at_once() -> None:
    with pytest.raises(InputError) as told:
        read_table(
            "cues", "mine.tsv", "pattern\trole\treach\nQuark\trumour\tclause\nKäse\thistory\tclause\n(a\thistory\tafter"
        )
    assert "mine.tsv:2" in str(told.value)
    assert "mine.tsv:4" in str(told.value)
    assert "mine.tsv:3" not in str(told.value)


# -- segments and roles --

CUES = (
    ("Zustand nach", "history", "after"),
    ("jetzt", "current", "after"),
    ("kein", "negated", "after"),
    ("ausgeschlossen", "negated", "before"),
    ("Verdacht", "uncertain", "clause"),
    ("Metastase", "metastasis", "word"),
    ("oder", "alternative", "after"),
    ("befallen~", "infiltrated", "token"),
)
CUE_ROWS = [Cue(parse_pattern(f'"{pattern}"'), role, reach, PLACE) for pattern, role, reach in CUES]
SPLITTER = Splitter(
    {word for cue in CUE_ROWS for one in cue.pattern for word in one.words()}
    | {word_of(word) for word in ("Magen", "Karzinom", "Leber", "Melanom", "Niere")}
)


def roles(text: str) -> dict[str, set[str]]:
    """Return the roles of each word that stands in a text once."""
    tokens = tokenise(text)
    units = SPLITTER.units(tokens)
    given = CueFinder(CUE_ROWS).roles(tokens, units, segments(tokens, units))
    named: dict[str, set[str]] = {}
    for place, unit in enumerate(units):
        named.setdefault(tokens[unit.token].text, set()).update(given.of_unit[place])
    return named


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("Zustand nach Melanom", "Melanom", {"history"}),
        ("Zustand nach Melanom, Leber", "Leber", {"history"}),
        ("Zustand nach Melanom. Leber", "Leber", set()),
        ("Zustand nach Melanom, jetzt Karzinom", "Karzinom", {"current"}),
        ("Zustand nach Melanom, jetzt Karzinom", "Melanom", {"history"}),
        ("kein Karzinom, Melanom", "Karzinom", {"negated"}),
        ("kein Karzinom, Melanom", "Melanom", set()),
        ("Karzinom ausgeschlossen, Melanom", "Karzinom", {"negated"}),
        ("Melanom, Karzinom ausgeschlossen", "Melanom", set()),
        ("Karzinom, Verdacht auf Melanom", "Melanom", {"uncertain"}),
        ("Karzinom, Verdacht auf Melanom", "Karzinom", set()),
        ("Karzinom oder Melanom", "Melanom", {"alternative"}),
        ("Karzinom oder Melanom", "Karzinom", set()),
        ("Lebermetastase bei Karzinom", "Karzinom", set()),
        ("Magenkarzinom, Metastase", "Metastase", {"metastasis"}),
    ],
)
def test_cues_reach_as_far_as_they_say(text: str, word: str, expected: set[str]) -> None:
    assert roles(text)[word] == expected


@given(st.text(max_size=120))
def test_segments_part_the_units_without_gap_or_overlap_but_for_connectors(text: str) -> None:
    tokens = tokenise(text)
    units = SPLITTER.units(tokens)
    parts = segments(tokens, units)
    places = [place for part in parts for place in range(part.start, part.end)]
    assert places == sorted(set(places))
    assert all(part.start < part.end <= len(units) for part in parts)
    assert [part.sentence for part in parts] == sorted(part.sentence for part in parts)


# -- combination --


def rule(
    behaviour: str, morphology: tuple[tuple[int, int], ...], topography: tuple[str, str], icd10: str
) -> Combination:
    return Combination(behaviour, morphology, (topography,), icd10, PLACE)


RULES = Combinations(
    [
        rule("3", ((8720, 8790),), ("C44.0", "C44.9"), "C43.9"),
        rule("0", ((8140, 8140), (8200, 8210)), ("C16.0", "C16.9"), "D13.1"),
        rule("0", (), ("C16.0", "C16.9"), "D36.9"),
    ],
    [rule("6", (), ("C22.0", "C22.1"), "C78.7")],
)


@pytest.mark.parametrize(
    ("topography", "morphology", "code"),
    [
        ("C44.3", "8720/3", "C43.9"),
        ("C44.3", "8090/3", "C44.3"),
        ("C44.5", "8090/3", "C44.59"),
        ("C16.3", "8205/0", "D13.1"),
        ("C16.3", "8211/0", "D36.9"),
        ("C17.0", "8140/0", None),
        ("C61.9", "8140/3", "C61"),
        ("C50.4", "8500/2", None),
    ],
)
def test_the_first_rule_that_fits_counts(topography: str, morphology: str, code: str | None) -> None:
    assert RULES.icd10(topography, morphology)[0] == code


def test_metastases_have_rules_of_their_own() -> None:
    assert RULES.metastasis("C22.0")[0] == "C78.7"
    assert RULES.metastasis("C49.0") == ("C79.88", None)
