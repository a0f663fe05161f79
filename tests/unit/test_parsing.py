"""The answer parser on raw answers as models give them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.evaluation.parsing import Parsed, parse_answer

# Answer, code, several different codes
ICD10: list[tuple[str, str | None, bool]] = [
    ("C50.9", "C50.9", False),
    ("C509", "C50.9", False),
    ("c50.9", "C50.9", False),
    ("c509", "C50.9", False),
    (" C50.9 ", "C50.9", False),
    ("\nC50.9\n", "C50.9", False),
    ("C50.9.", "C50.9", False),
    ("C50.9,", "C50.9", False),
    ("C50.9!", "C50.9", False),
    ("(C50.9)", "C50.9", False),
    ("„C50.9“", "C50.9", False),
    ('"C50.9"', "C50.9", False),
    ("[C50.9]", "C50.9", False),
    ("**C50.9**", "C50.9", False),
    ("*C50.9*", "C50.9", False),
    ("_C50.9_", "C50.9", False),
    ("__C50.9__", "C50.9", False),
    ("`C50.9`", "C50.9", False),
    ("```\nC50.9\n```", "C50.9", False),
    ("# C50.9", "C50.9", False),
    ("- C50.9", "C50.9", False),
    ("1. C50.9", "C50.9", False),
    ("| C50.9 | Mamma |", "C50.9", False),
    ("ICD-10: C50.9", "C50.9", False),
    ("ICD-10-GM:C50.9", "C50.9", False),
    ("Code=C50.9", "C50.9", False),
    ("Der ICD-10-Code lautet C50.9.", "C50.9", False),
    ("Der Code ist C50.9 (Bösartige Neubildung der Brustdrüse).", "C50.9", False),
    ("C50.9 – Brustdrüse, nicht näher bezeichnet", "C50.9", False),
    ("C50.9: Brustdrüse", "C50.9", False),
    ("Der Code lautet...C50.9", "C50.9", False),
    ("Ja, C50.9", "C50.9", False),
    ("C73", "C73", False),
    ("c73", "C73", False),
    ("C73.", "C73", False),
    ("C73-", "C73", False),
    ("C73.-", "C73", False),
    ("C50.-", "C50", False),
    ("C50.9-", "C50.9", False),
    ("C50.9.-", "C50.9", False),
    ("C50", "C50", False),
    ("C79.88", "C79.88", False),
    ("C7988", "C79.88", False),
    ("C88.00", "C88.00", False),
    ("C50.91", "C50.91", False),  # well formed, though it does not exist
    ("X99.9", "X99.9", False),
    ("D05.1", "D05.1", False),
    ("Z12.3", "Z12.3", False),
    ("C50.9 C50.9", "C50.9", False),
    ("C50.9 und C509", "C50.9", False),
    ("C50.9, C50.8", "C50.9", True),
    ("C50.9 oder C34.1", "C50.9", True),
    ("C50.0-C50.9", "C50.0", True),
    ("C50-C59", "C50", True),
    ("C50 (genauer: C50.9)", "C50", True),
    ("C50.9; C77.3", "C50.9", True),
    ("C50.9/C77.3", "C50.9", True),
    ("8500/3 C50.9", "C50.9", False),
    ("C50.9 8500/3", "C50.9", False),
    ("8140/3", None, False),
    ("M8140/3", None, False),
    ("8140/3C50.9", None, False),
    ("C50.9/3", None, False),
    ("C50.912", None, False),
    ("C5", None, False),
    ("C5.09", None, False),
    ("50.9", None, False),
    ("MC50.9", None, False),
    ("C50.9a", None, False),
    ("C50.9.1", None, False),
    ("CC50.9", None, False),
    ("C 50.9", None, False),
    ("ICD-10", None, False),
    ("ICD-10-GM 2024", None, False),
    ("ICD-O-3", None, False),
    ("pT1c pN0 G2", None, False),
    ("C٥٠.٩", None, False),
    ("Ich kann keinen Code nennen.", None, False),
    ("Ja", None, False),
    ("5-870", None, False),
    ("", None, False),
    ("   ", None, False),
    ("<think>C34.1?</think>C50.9", "C50.9", False),
    ("<think>\n\n</think>\n\nC50.9", "C50.9", False),
    ("<think>C34.1", None, False),
    ("C50.9 <think>C34.1", "C50.9", False),
    ("C34.1</think>C50.9", "C50.9", False),
    ("<think>C34.1</think>", None, False),
    ("<think>C34.1</think><think>C18.0</think>C50.9", "C50.9", False),
    ("<think>C34.1</think>C50.9<think>C18.0", "C50.9", False),
]
TOPOGRAPHY: list[tuple[str, str | None, bool]] = [
    ("C50.9", "C50.9", False),
    ("C509", "C50.9", False),
    ("c50.9", "C50.9", False),
    ("c509", "C50.9", False),
    (" C50.9 ", "C50.9", False),
    ("C50.9.", "C50.9", False),
    ("C50.9!", "C50.9", False),
    ("(C50.9)", "C50.9", False),
    ("„C50.9“", "C50.9", False),
    ("**C50.9**", "C50.9", False),
    ("_C50.9_", "C50.9", False),
    ("`C50.9`", "C50.9", False),
    ("ICD-O-3: C50.9", "C50.9", False),
    ("ICD-O-3-Topographie:C50.9", "C50.9", False),
    ("Die Topographie lautet C50.9.", "C50.9", False),
    ("C50.9 (Brust o.n.A.)", "C50.9", False),
    ("Ja, C50.9", "C50.9", False),
    ("C50.-", "C50", False),
    ("C50-", "C50", False),
    ("C50", "C50", False),
    ("C73.9", "C73.9", False),
    ("C739", "C73.9", False),
    ("C73", "C73", False),
    ("C80.9", "C80.9", False),
    ("C809", "C80.9", False),
    ("C80", "C80", False),
    ("c80.9", "C80.9", False),
    ("C00.0", "C00.0", False),
    ("C79.9", "C79.9", False),  # well formed, though it does not exist
    ("C42.1", "C42.1", False),
    ("C77.9", "C77.9", False),
    ("C50.9 C50.9", "C50.9", False),
    ("C50.9, C50.8", "C50.9", True),
    ("C50.9 oder C34.1", "C50.9", True),
    ("C50.0-C50.9", "C50.0", True),
    ("C50 (genauer: C50.9)", "C50", True),
    ("8500/3 C50.9", "C50.9", False),
    ("C50.9 8500/3", "C50.9", False),
    ("C50.9, M8500/3", "C50.9", False),
    ("T-04000 C50.9", "C50.9", False),
    ("8140/3", None, False),
    ("M8140/3", None, False),
    ("8140", None, False),
    ("8140/3C50.9", None, False),
    ("C50.9/3", None, False),
    ("C50.91", None, False),
    ("C5091", None, False),
    ("C79.88", None, False),
    ("C81.9", None, False),
    ("C81", None, False),
    ("C90.0", None, False),
    ("D05.1", None, False),
    ("D05", None, False),
    ("Z12.3", None, False),
    ("C5", None, False),
    ("50.9", None, False),
    ("MC50.9", None, False),
    ("C50.9a", None, False),
    ("ICD-O-3", None, False),
    ("Brust", None, False),
    ("Ja", None, False),
    ("", None, False),
    ("<think>C34.1?</think>C50.9", "C50.9", False),
    ("<think>C34.1", None, False),
    ("<think>\n\n</think>\n\nC50.9", "C50.9", False),
    ("C34.1</think>C50.9", "C50.9", False),
    ("C34.1 D05.1 C81.9", "C34.1", False),
]
TUMOUR: list[tuple[str, str | None, bool]] = [
    ("Ja", "Ja", False),
    ("ja", "Ja", False),
    ("JA", "Ja", False),
    ("Ja.", "Ja", False),
    ("Ja!", "Ja", False),
    ("Ja,", "Ja", False),
    (" Ja ", "Ja", False),
    ("\nJa\n", "Ja", False),
    ("(Ja)", "Ja", False),
    ("„Ja“", "Ja", False),
    ('"Ja"', "Ja", False),
    ("**Ja**", "Ja", False),
    ("*ja*", "Ja", False),
    ("_Ja_", "Ja", False),
    ("__Ja__", "Ja", False),
    ("`Ja`", "Ja", False),
    ("# Ja", "Ja", False),
    ("- Ja", "Ja", False),
    ("1. Ja", "Ja", False),
    ("Antwort: Ja", "Ja", False),
    ("Antwort:Ja", "Ja", False),
    ("Ja, C50.9", "Ja", False),
    ("Ja (C50.9)", "Ja", False),
    ("C50.9, ja", "Ja", False),
    ("Ja, das ist eine Tumordiagnose.", "Ja", False),
    ("Das ist eine Tumordiagnose, ja.", "Ja", False),
    ("Ja – bösartige Neubildung", "Ja", False),
    ("Ja/ja", "Ja", False),
    ("Ja, ja, JA", "Ja", False),
    ("Ja, es handelt sich um einen Tumor. Die Diagnose lautet Jamesonit.", "Ja", False),
    ("Nein", "Nein", False),
    ("nein", "Nein", False),
    ("NEIN", "Nein", False),
    ("Nein.", "Nein", False),
    ("Nein, kein Tumor", "Nein", False),
    ("**Nein**", "Nein", False),
    ("_Nein_", "Nein", False),
    ("`nein`", "Nein", False),
    ("Antwort: nein", "Nein", False),
    ("Nein, das ist keine Tumordiagnose.", "Nein", False),
    ("Es ist kein Tumor, also nein.", "Nein", False),
    ("Ja oder Nein", "Ja", True),
    ("Nein, oder doch ja?", "Nein", True),
    ("Ja-Nein-Frage", "Ja", True),
    ("Ja. Nein. Ja.", "Ja", True),
    ("Jawohl", None, False),
    ("jaja", None, False),
    ("Januar", None, False),
    ("Neinsager", None, False),
    ("Jain", None, False),
    ("J", None, False),
    ("N", None, False),
    ("Yes", None, False),
    ("No", None, False),
    ("kein Tumor", None, False),
    ("Tumor", None, False),
    ("C50.9", None, False),
    ("ja1", None, False),
    ("Japan, Troja, Soja", None, False),
    ("", None, False),
    ("  ", None, False),
    ("<think>Nein, oder?</think>Ja", "Ja", False),
    ("<think>\n\n</think>\n\nNein", "Nein", False),
    ("<think>Ja", None, False),
    ("<think>Ja</think>", None, False),
    ("Nein</think>Ja", "Ja", False),
    ("Ja <think>Nein", "Ja", False),
]

MORPHOLOGY: list[tuple[str, str | None, bool]] = [
    ("8140/3", "8140/3", False),
    ("81403", "8140/3", False),
    ("8140:3", "8140/3", False),
    ("8140 / 3", "8140/3", False),
    ("M8140/3", "8140/3", False),
    ("m8140/3", "8140/3", False),
    ("M-8140/3", "8140/3", False),
    ("M 8140/3", "8140/3", False),
    (" 8140/3 ", "8140/3", False),
    ("\n8140/3\n", "8140/3", False),
    ("8140/3.", "8140/3", False),
    ("8140/3!", "8140/3", False),
    ("(8140/3)", "8140/3", False),
    ("„8140/3“", "8140/3", False),
    ("**8140/3**", "8140/3", False),
    ("_8140/3_", "8140/3", False),
    ("`8140/3`", "8140/3", False),
    ("# 8140/3", "8140/3", False),
    ("1. 8140/3", "8140/3", False),
    ("| 8140/3 | Adenokarzinom |", "8140/3", False),
    ("ICD-O-3: 8140/3", "8140/3", False),
    ("ICD-O-3-Morphologie:8140/3", "8140/3", False),
    ("ICD-O-3 (2019): 8140/3", "8140/3", False),
    ("Code=8140/3", "8140/3", False),
    ("Die Morphologie lautet 8140/3.", "8140/3", False),
    ("8140/3 (Adenokarzinom o.n.A.)", "8140/3", False),
    ("8140/3 – Adenokarzinom", "8140/3", False),
    ("Ja, 8140/3", "8140/3", False),
    ("C50.9 8500/3", "8500/3", False),
    ("8500/3 C50.9", "8500/3", False),
    ("C50.9, M8500/3", "8500/3", False),
    ("T-04000 M-81403", "8140/3", False),
    ("8000/1", "8000/1", False),
    ("9989/3", "9989/3", False),
    ("8140/6", "8140/6", False),
    ("8140/9", "8140/9", False),
    ("8141/7", "8141/7", False),  # well formed, though it does not exist
    ("8140", "8140", False),  # the category
    ("M8140", "8140", False),
    ("8140.", "8140", False),
    ("8140, bösartig", "8140", False),
    ("Typ 8140, Verhalten 3", "8140", False),
    ("8140 3 mm", "8140", False),
    ("8140/3 8140/3", "8140/3", False),
    ("8140/3 und 81403", "8140/3", False),
    ("8140/3, 8500/3", "8140/3", True),
    ("8140/3 oder 8500/3", "8140/3", True),
    ("8140/3 / 8500/3", "8140/3", True),
    ("8140/3-8500/3", "8140/3", True),
    ("8140/8500", "8140", True),
    ("8140 (genauer: 8140/3)", "8140", True),
    ("8140/33", None, False),  # grading, which is not asked
    ("8140:33", None, False),
    ("814033", None, False),
    ("8140/3C50.9", None, False),
    ("8140.3", None, False),
    ("8140/3.1", None, False),
    ("C8140/3", None, False),
    ("7140/3", None, False),
    ("814/3", None, False),
    ("140/3", None, False),
    ("2024", None, False),
    ("ICD-O-3", None, False),
    ("C50.9", None, False),
    ("5-870", None, False),
    ("Adenokarzinom", None, False),
    ("Ja", None, False),
    ("", None, False),
    ("<think>8500/3?</think>8140/3", "8140/3", False),
    ("<think>8140/3", None, False),
    ("8500/3</think>8140/3", "8140/3", False),
]
TUMOUR_ICD10: list[tuple[str, str | None, bool]] = [
    ("Ja, C50.9", "C50.9", False),
    ("Ja C50.9", "C50.9", False),
    ("ja, c509", "C50.9", False),
    ("JA: C50.9", "C50.9", False),
    ("Ja (C50.9)", "C50.9", False),
    ("Ja. C50.9.", "C50.9", False),
    ("Ja,C50.9", "C50.9", False),
    ("Ja\nC50.9", "C50.9", False),
    ("Ja – C50.9G", "C50.9", False),
    ("**Ja, C50.9**", "C50.9", False),
    ("**Ja**, `C50.9`", "C50.9", False),
    ("_Ja, C50.9_", "C50.9", False),
    ("Antwort: Ja, C50.9", "C50.9", False),
    ("Ja, das ist eine Tumordiagnose. Der ICD-10-Code lautet C50.9.", "C50.9", False),
    ("Das ist eine Tumordiagnose, ja: C50.9", "C50.9", False),
    ("C50.9, ja", "C50.9", False),
    ("Ja, C73", "C73", False),
    ("Ja, C50.-", "C50", False),
    ("Ja, ja, C50.9", "C50.9", False),
    ("Ja, Z12.3", "Z12.3", False),  # well formed, though no tumour
    ("Ja, C50.9, C50.9", "C50.9", False),
    ("Ja, C50.9 oder C34.1", "C50.9", True),
    ("Ja, C50.9; C77.3", "C50.9", True),
    ("Ja, C50.9. Nein.", "C50.9", True),
    ("Ja oder Nein: C50.9", "C50.9", True),
    ("Nein", "Nein", False),
    ("nein", "Nein", False),
    ("NEIN.", "Nein", False),
    ("Nein, kein Tumor", "Nein", False),
    ("**Nein**", "Nein", False),
    ("_Nein_", "Nein", False),
    ("Antwort: Nein", "Nein", False),
    ("Nein, nein", "Nein", False),
    ("Nein (Z12.3)", "Nein", False),  # the code of what it is instead
    ("Nein, nicht C50.9", "Nein", False),
    ("S52.5, nein", "Nein", False),
    ("Es ist kein Tumor, also nein.", "Nein", False),
    ("Nein, oder doch: ja, C50.9", "Nein", True),
    ("Nein. Ja, C50.9", "Nein", True),
    ("Ja", None, False),  # the code is asked as well
    ("Ja.", None, False),
    ("Ja, bösartig", None, False),
    ("Ja oder Nein", None, False),
    ("Nein oder ja", None, False),
    ("Ja, 8500/3", None, False),
    ("Ja, C5", None, False),
    ("Ja, C50.912", None, False),
    ("C50.9", None, False),  # the decision is asked as well
    ("C50.9 oder C34.1", None, False),
    ("ICD-10: C50.9", None, False),
    ("Jawohl, C50.9", None, False),
    ("Jain, C50.9", None, False),
    ("Yes, C50.9", None, False),
    ("Tumor C50.9", None, False),
    ("kein Tumor", None, False),
    ("", None, False),
    ("  ", None, False),
    ("<think>Nein?</think>Ja, C50.9", "C50.9", False),
    ("<think>Ja, C50.9</think>Nein", "Nein", False),
    ("<think>Ja, C50.9", None, False),
    ("<think>C50.9</think>Ja", None, False),
    ("Ja, C50.9 <think>Nein", "C50.9", False),
    ("Nein</think>Ja, C50.9", "C50.9", False),
]
TABLES = {
    "icd10": ICD10,
    "topography": TOPOGRAPHY,
    "morphology": MORPHOLOGY,
    "tumour": TUMOUR,
    "tumour-icd10": TUMOUR_ICD10,
}


def table() -> list[tuple[str, str, str | None, bool]]:
    return [(task, *row) for task, rows in TABLES.items() for row in rows]


@pytest.mark.parametrize(("task", "answer", "value", "several"), table())
def test_raw_answer(task: str, answer: str, value: str | None, several: bool) -> None:
    found = parse_answer(task, answer)
    assert (found.value, found.several) == (value, several)


def test_tables_are_long_enough_and_hold_nothing_twice() -> None:
    for rows in TABLES.values():
        assert len(rows) >= 60
        assert len({answer for answer, *_ in rows}) == len(rows)


def test_long_answer_is_read_in_no_time() -> None:
    assert parse_answer("icd10", "C" * 100_000 + "1" * 100_000) == Parsed(None)
    assert parse_answer("icd10", "C50." * 50_000 + " C34.1") == Parsed("C50", True)
    assert parse_answer("morphology", "8140 /" * 50_000 + " 8140/3") == Parsed("8140", True)
    assert parse_answer("tumour", "ja" * 100_000) == Parsed(None)


# -- marks of German records --

# The patterns before marks were read, to show that nothing else changed.
_START, _END = r"(?<![^\W_])(?<![^\W_]\.)", r"(?![^\W_]|[./][0-9])"
WITHOUT_MARKS = {
    "icd10": re.compile(rf"{_START}([A-Za-z][0-9]{{2}})(?:\.?([0-9]{{1,2}}))?(?:\.?-)?{_END}"),
    "topography": re.compile(rf"{_START}([Cc][0-7][0-9]|[Cc]80)(?:\.?([0-9]))?(?:\.?-)?{_END}"),
}
MARKED = re.compile(_START + r"[A-Za-z][0-9]{2}\.?[0-9]{1,2}(?:\.?-)?(?:[AGVZ][RLB]?|[RLB][AGVZ]?)(?![^\W_]|[./][0-9])")
PIECES = st.one_of(
    st.from_regex(r"[A-Za-z][0-9]{1,3}([.,]?[0-9]{0,3})?", fullmatch=True),
    st.sampled_from([*"AGVZRLBXaglM.-+*†!/3, \n_()", ".-", "/3", "**"]),
    st.sampled_from(["Der Code lautet ", "ICD-10: ", "8500/3", "pT1c", "G2", "J23Z", "L04A", "re. "]),
)
ANSWERS = st.lists(PIECES, max_size=8).map("".join)


def without_marks(task: str, said: str) -> tuple[str | None, bool]:
    found = [
        match.group(1).upper() + (f".{match.group(2)}" if match.group(2) else "")
        for match in WITHOUT_MARKS[task].finditer(said)
    ]
    return (found[0], len(set(found)) > 1) if found else (None, False)


@settings(max_examples=1000, deadline=None)
@given(ANSWERS, st.sampled_from(["icd10", "topography"]))
def test_only_answers_with_a_mark_are_read_in_another_way(answer: str, task: str) -> None:
    now, before = parse_answer(task, answer), without_marks(task, answer)
    marked = MARKED.search(answer)
    if marked is None:
        assert (now.value, now.several) == before
    else:  # what was read before the mark stays the answer; otherwise the marked code was passed over
        first = without_marks(task, answer[: marked.start()])[0]
        assert first is None or now.value == before[0] == first


@settings(max_examples=200, deadline=None)
@given(st.from_regex(r"C[0-7][0-9]\.?[0-9]", fullmatch=True), ANSWERS, st.sampled_from(["icd10", "topography"]))
def test_a_mark_changes_no_code(code: str, rest: str, task: str) -> None:
    plain = parse_answer(task, f"{code} {rest}")
    for marks in ("G", "L", "GL", "RV", "-", ".-", "+", "†", "*", "!", " G", " (L)", "-G"):
        assert parse_answer(task, f"{code}{marks} {rest}") == plain
        assert parse_answer(task, f"_{code}{marks}_ {rest}").value == plain.value


@pytest.mark.parametrize(
    "answer", ["J23Z", "L04A", "C61G", "C50.9GV", "C50.9X", "C50.9g", "C50.9G1", "C50.9Gut", "C50.9L.1"]
)
def test_other_letters_behind_a_code_are_no_marks(answer: str) -> None:
    assert parse_answer("icd10", answer) == Parsed(None)
