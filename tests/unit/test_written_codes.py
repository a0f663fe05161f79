from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.catalogues.vocabulary.written_codes import (
    MARKS,
    REASONS,
    Written,
    count_taken,
    forms_note,
    marks_note,
    read_code,
)

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜß"
SEPARATORS = ["", " ", "\u00a0", "; ", ", ", "/", " | "]
CODES = st.from_regex(r"[A-Z][0-9]{2}(\.[0-9]{1,2})?", fullmatch=True)


def read(cell: str, system: str = "icd10gm") -> tuple[str | None, set[str]]:
    found = read_code(cell, system)
    assert (found.code is None) == bool(found.reason)
    assert found.reason in ("", *REASONS)
    assert len(found.taken) == len(set(found.taken))
    return found.code, set(found.taken)


@pytest.mark.parametrize("letter", LETTERS + LETTERS.lower())
@pytest.mark.parametrize("code", ["D35.2", "C61", "C44.50"])
@pytest.mark.parametrize("separator", SEPARATORS)
def test_one_letter_behind_a_code(code: str, letter: str, separator: str) -> None:
    """Only the seven letters of German records; small ones where they do not stand at a digit, as `l` looks like 1."""
    kind = dict.fromkeys("AGVZ", "certainty") | dict.fromkeys("RLB", "side")
    known = letter.upper() in kind and (letter.isupper() or separator != "")
    expected = (code, {kind[letter.upper()]}) if known else (None, set())
    assert read(f"{code}{separator}{letter}") == expected


@pytest.mark.parametrize(("one", "other"), product("AGVZRLB", repeat=2))
@pytest.mark.parametrize("between", ["", " ", ", "])
def test_two_letters_are_one_of_either_kind(one: str, other: str, between: str) -> None:
    apart = (one in "AGVZ") != (other in "AGVZ")
    assert read(f"C50.9 {one}{between}{other}") == (("C50.9", {"certainty", "side"}) if apart else (None, set()))


@pytest.mark.parametrize(
    ("cell", "code", "taken"),
    [
        ("C50.9+", "C50.9", {"cross"}),
        ("A17.0†", "A17.0", {"cross"}),
        ("A17.0 †", "A17.0", {"cross"}),
        ("G01*", "G01", {"star"}),
        ("B96.2!", "B96.2", {"exclamation mark"}),
        ("B96.2! G", "B96.2", {"exclamation mark", "certainty"}),
        ("A17.0+G", "A17.0", {"cross", "certainty"}),
        ("D05.-", "D05", {"dash"}),
        ("D05-", "D05", {"dash"}),
        ("D05.1-", "D05.1", {"dash"}),
        ("D05.–", "D05", {"dash"}),
        ("d051", "D05.1", {"small letter", "missing dot"}),
        ("D05,1", "D05.1", {"comma"}),
        ("D 05.1", "D05.1", {"space"}),
        ("D05. 1", "D05.1", {"space"}),
        ("D05.1.", "D05.1", {"dot behind"}),
        ("D05.1;", "D05.1", set()),
        (" D05.1\u00a0", "D05.1", set()),
        ("\u200bD05.1\u00ad", "D05.1", {"invisible characters"}),
        ("\ufeffD\u20605.1", None, set()),
        ("ICD-10: D05.1", "D05.1", {"prefix"}),
        ("ICD-10-GM: D05.1 R", "D05.1", {"prefix", "side"}),
        ("ICD-10-GM 2024: D05.1", "D05.1", {"prefix"}),
        ("ICD D05.1", "D05.1", {"prefix"}),
        ("icd:d05.1", "D05.1", {"prefix", "small letter"}),
        ("D05.1 (L)", "D05.1", {"side", "brackets"}),
        ("(D05.1)", "D05.1", {"brackets"}),
        ('"D05.1', "D05.1", {"brackets"}),
        ("D05.1 V.a.", "D05.1", {"certainty"}),
        ("D05.1 Z. n.", "D05.1", {"certainty"}),
        ("V.a. D05.1", "D05.1", {"certainty"}),
        ("Z.n. D05.1 li.", "D05.1", {"certainty", "side"}),
        ("D05.1 rechts", "D05.1", {"side"}),
        ("D05.1, gesichert, beidseits", "D05.1", {"certainty", "side"}),
    ],
)
def test_what_is_taken_off(cell: str, code: str | None, taken: set[str]) -> None:
    assert read(cell) == (code, taken)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "empty"),
        (" \u00a0\u200b", "empty"),
        *[(cell, "placeholder") for cell in ("-", "--", "?", "k.A.", "k. A.", "n/a", "NaN", "Keine", "unbekannt")],
        *[(f"D05.1{between}D05.0", "several") for between in (" ", ", ", "; ", "/", "-", "\n", " + ", " u. ")],
        ("A17.0+ G01*", "several"),
        ("A17.0†/G01*", "several"),
        ("D05.1 D05.1", "several"),
        ("C00-C14", "several"),
        *[
            (cell, "unreadable")
            for cell in (
                "D5",
                "D05.123",
                "D05..1",
                "DO5.1",
                "05.1",
                "5-870",
                "D05.1 1",
                "D051 1",
                "D05.1 GV",
                "D05.1 G V",
            )
        ],
        *[(cell, "unreadable") for cell in ("D05.1x", "D05.1 X", "D05.1l", "D05.1 LR", "V D05.1", "D٠5.1", "Ca L")],
        *[(cell, "unreadable") for cell in ("D05.1 V.a. V", "D05.1 Mamma", "D05.1" + "-" * 80, "D05.1 Verdachtsfall")],
    ],
)
def test_cells_without_a_single_code_say_why(cell: str, reason: str) -> None:
    assert read_code(cell, "icd10gm") == Written(None, (), reason)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("C34.1", "C34.1"),
        ("C341", "C34.1"),
        ("C34.1 L", "C34.1"),
        ("ICD-O-3: C34.1", "C34.1"),
        ("C34", "C34"),
        ("C80.9", "C80.9"),
        ("C81.9", None),
        ("D05.1", None),
        ("C34.10", None),
        ("8140/3", None),
    ],
)
def test_topographies(cell: str, code: str | None) -> None:
    assert read(cell, "topography")[0] == code


@pytest.mark.parametrize(
    ("cell", "taken"),
    [
        ("8500/3", set()),
        ("M8500/3", {"prefix"}),
        ("M-8500/3", {"prefix"}),
        ("m 8500/3", {"prefix", "space"}),
        ("8500:3", {"colon"}),
        ("85003", {"missing slash"}),
        ("8500 / 3", {"space"}),
        ("ICD-O: 8500/3", {"prefix"}),
    ],
)
def test_morphologies(cell: str, taken: set[str]) -> None:
    assert read(cell, "morphology") == ("8500/3", taken)


@pytest.mark.parametrize("cell", ["8500", "8500/", "8500/33", "850/3", "C34.1", "8500/3x", "85003/3", "8500/-"])
def test_what_is_no_morphology(cell: str) -> None:
    assert read_code(cell, "morphology").reason == "unreadable"
    assert read_code(f"8500/3 {cell}", "morphology").code is None


@settings(deadline=None)
@given(st.text(max_size=30), st.sampled_from(["icd10gm", "topography", "morphology"]))
def test_any_cell_gives_a_code_or_a_reason(cell: str, system: str) -> None:
    code, _ = read(cell, system)
    assert code is None or read_code(code, system) == Written(code)


@settings(deadline=None)
@given(CODES, st.sampled_from(["", "+", "*", "!", "-", " G", "L", " (R)"]), st.sampled_from(["", "ICD-10: "]))
def test_marks_change_no_code(code: str, behind: str, before: str) -> None:
    for form in (code, code.lower(), code.replace(".", ""), code.replace(".", ",")):
        assert read(f"{before}{form}{behind}")[0] == code


def test_notes_count_codes_and_kinds() -> None:
    taken: Counter[str] = Counter()
    for cell in ("C50.9 G", "C50.9GL", "c50.9+", "C50.9", "", "C509 V"):
        count_taken(read_code(cell, "icd10gm"), taken)
    assert marks_note(taken) == ["4 code(s) had marks taken off: 3 certainty, 1 side, 1 cross"]
    assert forms_note(taken) == ["2 code(s) were put into the usual form: 1 small letter, 1 missing dot"]
    assert marks_note(Counter()) == forms_note(Counter()) == []
    assert set(MARKS).isdisjoint({"codes", "forms"})
