import re
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onkocode.catalogues.formats.crosswalk import (
    PATTERN,
    allowed_pairs,
    parse_crosswalk,
    reversed_ranges,
    topographies_of,
)
from onkocode.catalogues.formats.icdo3 import parse_icdo3
from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.cli import main
from onkocode.records.errors import InputError
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import empty_table, read_table

HEADER = "Version\tTopographie\tTopographie Text\tMorphologiecodes\tDignität\tDefault\tICD10\tICD-10 Text\n"


def rule(topography: str, ranges: str, behaviour: str, icd10: str, default: str = "1") -> str:
    return "\t".join(["Test 2019", topography, "Ort", ranges, behaviour, default, icd10, f"Neubildung {icd10}"]) + "\n"


RULES = (
    HEADER
    + rule(r"C(?!80\.9)\d\d\.\d", "8000-9589", "/6", "C*", "0")
    + rule(r"C50\.9", "8000-8719, 8800-9045,9060", "/3", "C50.9")
    + rule(r"C50\.9", "8000-8719", "/2", "D05.9")
    + rule(r"C44\.[0-2]", "8720-8790", "/3", "C43.9")
    + rule(r"C44\.0", "8000", "/3", "C44.0")
    + rule(r"C53\.0", "8900-8849, 8890-9045", "/3", "C53.0")
)
CODES = pl.DataFrame(
    [
        ("C44", "topography", False),
        ("C44.0", "topography", True),
        ("C44.1", "topography", True),
        ("C44.3", "topography", True),
        ("C50", "topography", False),
        ("C50.9", "topography", True),
        ("C53.0", "topography", True),
        ("C80.9", "topography", True),
        ("8000/3", "morphology", True),
        ("8000/6", "morphology", True),
        ("8500/2", "morphology", True),
        ("8720/3", "morphology", True),
        ("8800/3", "morphology", True),
        ("8890/3", "morphology", True),
        ("9060/3", "morphology", True),
        ("9061/3", "morphology", True),
    ],
    schema=["code", "system", "terminal"],
    orient="row",
)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "crosswalk.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1"))
    return path


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rules_by_hand(tmp_path: Path, encoding: str, end: str) -> None:
    rules = parse_crosswalk(write(tmp_path, RULES.replace("\n", end).encode(encoding)))
    assert rules.select(empty_table("crosswalk").columns).schema == empty_table("crosswalk").schema
    assert rules.select("rule", "topography", "first", "last", "behaviour", "default", "icd10").rows() == [
        (1, r"C(?!80\.9)\d\d\.\d", 8000, 9589, "6", False, "C*"),
        (2, r"C50\.9", 8000, 8719, "3", True, "C50.9"),
        (2, r"C50\.9", 8800, 9045, "3", True, "C50.9"),
        (2, r"C50\.9", 9060, 9060, "3", True, "C50.9"),
        (3, r"C50\.9", 8000, 8719, "2", True, "D05.9"),
        (4, r"C44\.[0-2]", 8720, 8790, "3", True, "C43.9"),
        (5, r"C44\.0", 8000, 8000, "3", True, "C44.0"),
        (6, r"C53\.0", 8900, 8849, "3", True, "C53.0"),
        (6, r"C53\.0", 8890, 9045, "3", True, "C53.0"),
    ]
    assert rules["title"][0] == "Neubildung C*"


def test_a_reversed_range_is_kept_noted_and_empty(tmp_path: Path) -> None:
    rules = parse_crosswalk(write(tmp_path, RULES + rule(r"C54\.0", "8900-8849", "/3", "C54.0")))
    assert reversed_ranges(rules) == ["range 8900-8849 is reversed and holds no morphology (rules 6, 7)"]
    assert rules["rule"].max() == 7
    pairs = allowed_pairs(rules, CODES).filter(pl.col("topography") == "C53.0")
    assert "8800/3" not in pairs["morphology"].to_list()
    assert "8890/3" in pairs["morphology"].to_list()


def test_topographies_of_codes_by_hand(tmp_path: Path) -> None:
    rules = parse_crosswalk(write(tmp_path, RULES))
    found = topographies_of(rules, CODES)
    assert found.filter(pl.col("icd10") != "C*").rows() == [
        ("C43.9", "C44.0"),
        ("C43.9", "C44.1"),
        ("C44.0", "C44.0"),
        ("C50.9", "C50.9"),
        ("C53.0", "C53.0"),
        ("D05.9", "C50.9"),
    ]
    # The metastases' rule holds everywhere but at the unknown primary site.
    assert found.filter(pl.col("icd10") == "C*")["topography"].to_list() == [
        "C44.0",
        "C44.1",
        "C44.3",
        "C50.9",
        "C53.0",
    ]
    assert topographies_of(rules, CODES, {"2"}).rows() == [("D05.9", "C50.9")]
    assert topographies_of(rules, CODES, []).rows() == []


def test_allowed_pairs_by_hand(tmp_path: Path) -> None:
    pairs = allowed_pairs(parse_crosswalk(write(tmp_path, RULES)), CODES)
    assert pairs.filter(pl.col("icd10") != "C*").rows() == [
        ("C44.0", "8000/3", "C44.0"),
        ("C44.0", "8720/3", "C43.9"),
        ("C44.1", "8720/3", "C43.9"),
        ("C50.9", "8000/3", "C50.9"),
        ("C50.9", "8500/2", "D05.9"),
        ("C50.9", "8800/3", "C50.9"),
        ("C50.9", "8890/3", "C50.9"),
        ("C50.9", "9060/3", "C50.9"),
        ("C53.0", "8890/3", "C53.0"),
    ]
    assert set(pairs.filter(pl.col("icd10") == "C*")["morphology"]) == {"8000/6"}


def test_a_pattern_must_match_a_terminal_topography_in_full(tmp_path: Path) -> None:
    rules = parse_crosswalk(write(tmp_path, HEADER + rule("C44", "8000", "/3", "C44.9")))
    assert topographies_of(rules, CODES).rows() == []
    assert allowed_pairs(rules, CODES).rows() == []


def test_the_order_of_rules_and_columns_does_not_matter(tmp_path: Path) -> None:
    header, *rules = RULES.splitlines()
    shuffled = "\n".join([header, *reversed(rules)]) + "\n"
    turned = "\n".join("\t".join(reversed(line.split("\t"))) for line in RULES.splitlines()) + "\n"
    plain = parse_crosswalk(write(tmp_path, RULES))
    assert allowed_pairs(parse_crosswalk(write(tmp_path, shuffled)), CODES).equals(allowed_pairs(plain, CODES))
    assert parse_crosswalk(write(tmp_path, turned)).equals(plain)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RULES.replace("Dignität", "Behaviour"), ":1: not in the .* layout.*\n  column 'Dignität' is missing"),
        (RULES.replace("Topographie Text", "Topographie"), ":1: .*\n  column 'Topographie' stands twice"),
        (HEADER, "has a header but no rows"),
        (RULES + "a\tb\n", "line 8: 2 fields"),
        (RULES[:-4], ":7: the last line has no line end"),
        (HEADER + rule("C50.9", "8000", "/3", "C50.9"), "line 2: topography 'C50.9' is not a pattern"),
        (HEADER + rule(r"C50\.(9", "8000", "/3", "C50.9"), "line 2: topography 'C50\\\\.* is not a pattern"),
        (HEADER + rule(r"C[9-0]", "8000", "/3", "C50.9"), "line 2: topography .* is not a pattern"),
        (HEADER + rule(r"(C\d*)*x", "8000", "/3", "C50.9"), "line 2: topography .* is not a pattern"),
        (
            HEADER + rule("(|)" * 15 + "C", "8000", "/3", "C50.9"),
            "line 2: topography a value of 46 char.* is not a pattern",
        ),
        (HEADER + rule(r"\d" * 31, "8000", "/3", "C50.9"), "line 2: topography a value of 62 char.* is not a pattern"),
        (HEADER + rule("", "8000", "/3", "C50.9"), "line 2: topography '' is not a pattern"),
        (HEADER + rule("C٥", "8000", "/3", "C50.9"), "line 2: topography 'C٥' is not a pattern"),
        (HEADER + rule(r"C50\.9", "8000-", "/3", "C50.9"), "line 2: morphologies '8000-' are not"),
        (HEADER + rule(r"C50\.9", "8000;8001", "/3", "C50.9"), "line 2: morphologies '8000;8001' are not"),
        (HEADER + rule(r"C50\.9", "800-8001", "/3", "C50.9"), "line 2: morphologies '800-8001' are not"),
        (HEADER + rule(r"C50\.9", "", "/3", "C50.9"), "line 2: morphologies '' are not"),
        (HEADER + rule(r"C50\.9", "8000", "3", "C50.9"), "line 2: behaviour '3' is none of /0, /1, /2, /3, /6, /9"),
        (HEADER + rule(r"C50\.9", "8000", "/4", "C50.9"), "line 2: behaviour '/4' is none of"),
        (HEADER + rule(r"C50\.9", "8000", "/3", "C509"), "line 2: 'C509' is not an ICD-10 code"),
        (HEADER + rule(r"C50\.9", "8000", "/3", "C50.9", "ja"), "line 2: column Default must be 0 or 1, is 'ja'"),
    ],
)
def test_unsound_files_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text.encode())
    with pytest.raises(InputError, match=message) as caught:
        parse_crosswalk(path)
    assert str(caught.value).startswith(str(path))


TOKENS = [
    "C",
    "5",
    r"\d",
    r"\.",
    "[0-9]",
    "{2}",
    "(",
    "(?:",
    "(?!",
    ")",
    "|",
    "*",
    "+",
    "?",
    ".",
    "{0}",
    "$",
    "(?=",
    r"\1",
]


@given(st.lists(st.sampled_from(TOKENS), max_size=60).map("".join))
def test_no_accepted_pattern_takes_long(tmp_path_factory: pytest.TempPathFactory, pattern: str) -> None:
    path = write(tmp_path_factory.getbasetemp(), HEADER + rule(pattern, "8000", "/3", "C50.9"))
    try:
        rules = parse_crosswalk(path)
    except InputError:
        return
    assert not re.search(r"[*+?]", re.sub(r"\(\?[:!]", "", pattern))
    before = time.perf_counter()
    topographies_of(rules, CODES)
    assert time.perf_counter() - before < 1


def test_the_worst_pattern_that_is_accepted_is_fast(tmp_path: Path) -> None:
    pattern = "((?!1)|(?!2))" * 4 + "C(0|0)"
    assert PATTERN.fullmatch(pattern)
    rules = parse_crosswalk(write(tmp_path, HEADER + rule(pattern, "8000", "/3", "C50.9")))
    before = time.perf_counter()
    topographies_of(rules, CODES)
    assert time.perf_counter() - before < 1


def test_the_verb_writes_the_table_and_notes_what_is_odd(tmp_path: Path) -> None:
    output = tmp_path / "rules.parquet"
    assert main(["parse-crosswalk", "--file", str(write(tmp_path, RULES)), "--output", str(output)]) == 0
    assert read_table(output, "crosswalk")["rule"].n_unique() == 6
    assert read_provenance(output)["notes"] == ["range 8900-8849 is reversed and holds no morphology (rules 6)"]


@pytest.fixture(scope="module")
def real(catalogues: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    rules = parse_crosswalk(next(catalogues.rglob("icdo_icd10_solid_tumours*.csv")))
    return rules, parse_icdo3(next(catalogues.rglob("icdo32019_claml.xml")), "2019")[1]


@pytest.mark.catalogues
def test_the_real_rules(real: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    rules, _ = real
    assert (rules["rule"].n_unique(), rules["rule"].max()) == (2_820, 2_820)
    assert rules.filter(~pl.col("default"))["rule"].n_unique() == 8
    numbers = ", ".join(map(str, range(2372, 2383)))
    assert reversed_ranges(rules) == [f"range 8900-8849 is reversed and holds no morphology (rules {numbers})"]


@pytest.mark.catalogues
def test_real_codes_with_one_topography(real: tuple[pl.DataFrame, pl.DataFrame], catalogues: Path) -> None:
    found = topographies_of(*real)
    single = found.filter(pl.len().over("icd10") == 1)
    assert single.height == 497
    entries, _ = parse_catalogue("alphaid", "2024", next(catalogues.rglob("reconstructed_alphaidse2024*.txt")))
    tumours = entries.filter(pl.col("code").str.slice(0, 3).is_between(pl.lit("C00"), pl.lit("D48")))
    assert tumours.join(single, left_on="code", right_on="icd10").height == 6_736


@pytest.mark.catalogues
def test_real_pairs_agree_with_the_rules_one_by_one(real: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    rules, codes = real
    before = time.perf_counter()
    pairs = allowed_pairs(rules, codes)
    assert time.perf_counter() - before < 2  # measured 0.3 s
    expected = set()
    chosen = codes.filter(pl.col("code").is_in(["C50.9", "C44.3", "C53.0", "C80.9", "C71.9"]))["code"]
    morphologies = codes.filter(pl.col("system") == "morphology")["code"].to_list()
    for topography in chosen:
        for row in rules.iter_rows(named=True):
            if re.fullmatch(row["topography"], topography):
                expected |= {
                    (topography, morphology, row["icd10"])
                    for morphology in morphologies
                    if row["first"] <= int(morphology[:4]) <= row["last"] and morphology[-1] == row["behaviour"]
                }
    assert set(pairs.filter(pl.col("topography").is_in(chosen.implode())).rows()) == expected
    assert pairs.height == 280_235
