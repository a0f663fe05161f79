"""The tables of clinical language against the real catalogues and the rules of the registries."""

import re
from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.fetching.sources import find_local, read_sources
from onkocode.catalogues.formats.crosswalk import parse_crosswalk
from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.catalogues.vocabulary.label_space import LabelSpace, label_spaces
from onkocode.language.candidates import codes_said
from onkocode.language.check import check_tables
from onkocode.language.lexicon import shipped_lexicon

pytestmark = pytest.mark.catalogues

VERSIONS = {"icd10gm": "2024", "icdo3": "2019"}
# The rules send every metastasis (6) to its primary tumour, and 9 (primary or not) to C80.9; texts say which it is.
BEHAVIOURS = ("0", "1", "2", "3")
# Where the tables follow titles and alphabet of ICD-10-GM, and not the rules: patterns of their code and of that of the
# rules, numbers of morphology (none: all).
MEANT: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    (r"C25\.4", r"C25\.\d", (*range(8150, 8159), *range(8240, 8250))),  # the endocrine pancreas has a code
    (r"C44\.\d\d?", r"D48\.5", (8832, 8833)),  # dermatofibrosarcoma
    (r"C7[12]\.\d", r"D43\.\d", (9421,)),  # pilocytic astrocytoma
    (r"D17\.[457]", r"D17\.[57]", tuple(range(8850, 8882))),  # lipoma of kidney and retroperitoneum
    (r"D18\.00", r"D36\.9", (8711, 8712, 8713)),  # glomus tumour without a site
    (r"D29\.3", r"D29\.7", ()),  # epididymis
    (r"D29\.7", r"D29\.3", ()),  # spermatic cord
    (r"D33\.4", r"D33\.7", ()),  # cauda equina
    (r"D43\.4", r"D43\.7", ()),
)
WITHOUT_SOLID_TUMOURS = "C42.3"  # the reticuloendothelial system, of which the rules say nothing


@pytest.fixture(scope="module")
def spaces(catalogues: Path, root: Path) -> dict[str, LabelSpace]:
    sources = read_sources(root / "config/catalogues.tsv")
    found: dict[str, LabelSpace] = {}
    for dataset, version in VERSIONS.items():
        path = find_local(sources[dataset, version], catalogues)
        assert path is not None
        found |= label_spaces(parse_catalogue(dataset, version, path)[1])
    return found


@pytest.fixture(scope="module")
def crosswalk(catalogues: Path, root: Path) -> pl.DataFrame:
    path = find_local(read_sources(root / "config/catalogues.tsv")["crosswalk", "2019"], catalogues)
    assert path is not None
    return parse_crosswalk(path).filter(pl.col("behaviour").is_in(BEHAVIOURS))


def terminal(space: LabelSpace) -> list[str]:
    return [code for code, is_terminal in space.terminal.items() if is_terminal]


def test_every_code_of_the_tables_exists(spaces: dict[str, LabelSpace]) -> None:
    known = {system: frozenset(terminal(space)) for system, space in spaces.items()}
    assert {len(codes) > 300 for codes in known.values()} == {True}
    problems = [str(problem) for problem in check_tables({}, known) if problem.kind in ("code", "malformed")]
    # A text may give a behaviour that the catalogue does not list, so that codes in dispute name such ones too.
    assert [problem for problem in problems if not re.match(r"alternatives\.tsv:\d+: morphology ", problem)] == []


def test_no_code_of_a_text_does_not_exist(spaces: dict[str, LabelSpace], root: Path) -> None:
    """Neither the first code nor any other that a clinical text may have is one that the catalogue lacks."""
    known = set(terminal(spaces["icd10gm"]))
    texts = [
        row["text"]
        for path in sorted((root / "tests/language/lists").glob("*.csv"))
        for row in pl.read_csv(path, separator=";", columns=["text"]).iter_rows(named=True)
    ]
    said = [codes_said(shipped_lexicon(), text) for text in texts]
    codes = {code for found in said for code in (found.own.get("icd10gm"), *found.others.get("icd10gm", ())) if code}
    assert len(codes) > 500
    assert codes - known == set()


def expected_codes(crosswalk: pl.DataFrame, spaces: dict[str, LabelSpace]) -> dict[tuple[str, str], set[str]]:
    """Return the codes of ICD-10 by topography and morphology: the ends of every range, and what exists within."""
    topographies = terminal(spaces["topography"])
    of_pattern = {
        pattern: list(filter(re.compile(pattern).fullmatch, topographies))
        for pattern in crosswalk["topography"].unique()
    }
    existing = [(int(code[:4]), code[5]) for code in terminal(spaces["morphology"])]
    expected = defaultdict(set)
    for row in crosswalk.iter_rows(named=True):
        ends = {row["first"], row["last"]} if row["first"] <= row["last"] else set()
        within = {number for number, behaviour in existing if behaviour == row["behaviour"]}
        numbers = ends | {number for number in within if row["first"] <= number <= row["last"]}
        for topography in of_pattern[row["topography"]]:
            for number in numbers:
                expected[topography, f"{number}/{row['behaviour']}"].add(row["icd10"])
    return expected


def agrees(code: str, rule: str, space: LabelSpace) -> bool:
    """Tell whether a code is that of a rule or, where ICD-10-GM has none such for coding, one of its category."""
    if space.is_terminal(rule):
        return code == rule
    return space.is_terminal(code) and (code.startswith(rule) if space.exists(rule) else code[:3] == rule[:3])


def test_the_combination_table_agrees_with_the_rules_of_the_registries(
    crosswalk: pl.DataFrame, spaces: dict[str, LabelSpace]
) -> None:
    combinations = shipped_lexicon().combinations
    expected = expected_codes(crosswalk, spaces)
    assert len(expected) > 20_000
    wrong = {}
    for (topography, morphology), rules in expected.items():
        code, _ = combinations.icd10(topography, morphology)
        if code is None or not any(agrees(code, rule, spaces["icd10gm"]) for rule in rules):
            wrong[topography, morphology] = (code, sorted(rules))
    meant = {pair: is_meant(pair[1], *codes) for pair, codes in wrong.items()}
    assert {pair: wrong[pair] for pair, row in meant.items() if row is None} == {}
    assert set(meant.values()) == set(range(len(MEANT)))


def is_meant(morphology: str, code: str | None, rules: list[str]) -> int | None:
    """Return which of `MEANT` a difference to the rules is."""
    number = int(morphology[:4])
    for row, (own, other, numbers) in enumerate(MEANT):
        both = re.fullmatch(own, code or "") and all(re.fullmatch(other, rule) for rule in rules)
        if both and (not numbers or number in numbers):
            return row
    return None


def test_a_site_without_rule_leads_to_a_terminal_code(spaces: dict[str, LabelSpace]) -> None:
    combinations = shipped_lexicon().combinations
    sites = [site for site in terminal(spaces["topography"]) if site != WITHOUT_SOLID_TUMOURS]
    codes = {combinations.icd10(site, f"{number}/3")[0] or "" for site in sites for number in (8000, 9591)}
    codes |= {combinations.metastasis(site)[0] for site in sites}
    assert len(codes) > 300
    assert sorted(code for code in codes if not spaces["icd10gm"].is_terminal(code)) == []
