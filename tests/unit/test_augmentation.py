import re
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.catalogues.formats.alphaid import parse_alphaid
from onkocode.config.data import Augmentation
from onkocode.questions.abbreviations import Pick, abbreviate, load_abbreviations, mistype, split_compounds
from onkocode.questions.abbreviations.inflection import ACCUSATIVE, DATIVE, declined, known
from onkocode.questions.abbreviations.table import COLUMNS, parse_abbreviations
from onkocode.questions.augmentation import augment
from onkocode.records.errors import InputError
from onkocode.records.ids import digest, text_key
from onkocode.records.schemas import columns_of

KINDS = ("abbreviation", "side", "stage", "grading", "certainty", "typing-error", "compound")
Row = tuple[str, str | None, str]


def options(*kinds: str, **changes: Any) -> Augmentation:
    return Augmentation.model_validate({"share": 1, "kinds": list(kinds or KINDS)} | changes)


def entries(*rows: Row, kind: str = "diagnosis") -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"entry_id": key, "kind": kind, "code": code, "text": text, "text_key": text_key(text), "flags": ["old"]}
            | {"accepted": ["C80.9"], "cluster": key, "dataset": "x", "version": "1", "topography": None}
            for key, code, text in rows
        ],
        schema=columns_of("entries"),
    )


def texts(code: str | None, text: str, *kinds: str, kind: str = "diagnosis", seeds: int = 40) -> set[str]:
    """All that the kinds make of one label under many seeds."""
    row = entries(("a", code, text), kind=kind)
    made = pl.concat([augment(row, options(*kinds, seed=seed)) for seed in range(seeds)])
    return set(made["text"].to_list())


def first(choices: Any, /) -> Any:
    return choices[0]


def last(choices: Any, /) -> Any:
    return choices[-1]


class Numbered:
    """Draws like the augmentation, by a number."""

    def __init__(self, seed: int) -> None:
        self.draws = (int(digest(seed, block)[:8], 16) for block in range(10_000))

    def __call__(self, choices: Any, /) -> Any:
        return choices[next(self.draws) % len(choices)]


# The table of abbreviations


def test_every_row_of_the_table_has_a_source_and_the_unused_ones_a_reason() -> None:
    rows = load_abbreviations("v1").rows
    assert len([row for row in rows if not row.excluded]) >= 80
    assert len([row for row in rows if row.excluded]) >= 10
    assert all(row.source for row in rows)
    assert {"MM", "BC", "OL"} <= {row.short for row in rows if row.excluded}


def test_the_rows_in_use_are_reached_and_no_others() -> None:
    table = load_abbreviations("v1")
    picks: list[Pick] = [first, last, *map(Numbered, range(20))]
    wrong = []
    for row in table.rows:
        term = row.term.replace("~", "").removeprefix("^")
        label = f"Leber{term[1:]}" if term.startswith("-") else term
        made = {abbreviate(label, table, pick) for pick in picks}
        if any(row.short.removeprefix("-") in text for text in made) != (not row.excluded):
            wrong.append((row.term, row.short))
    assert wrong == []


def test_unknown_version_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'v0' do not exist \(known: .*v1"):
        augment(entries(("a", "C50.9", "Brustkrebs")), options(abbreviations="v0"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1: the columns must be term, abbreviation, source, excluded"),
        (["term\tabbreviation"], "line 1: the columns must be"),
        (["Karzinom~\tCa\tx"], "line 2: 3 fields, 4 expected"),
        (["Karzinom~\tCa\tx\t", "Tumor\t \tx\t"], "line 3: the abbreviation is empty"),
        (["Tumor\tTu\t\t"], "line 2: the source is empty"),
        (["\tTu\tx\t"], "line 2: the term is empty"),
        (["(Tumor)\tTu\tx\t"], "line 2: the term may hold letters"),
        (["Tumor\tTu\tx\t", "tumor\tTu\ty\t"], "line 3: term and abbreviation stand in line 2 already"),
    ],
)
def test_unsound_table_names_the_line(lines: list[str], message: str) -> None:
    header = [] if not lines or lines[0].startswith("term") else ["\t".join(COLUMNS)]
    with pytest.raises(InputError, match=rf"^my\.tsv: (?:.*\n  )?{re.escape(message)}"):
        parse_abbreviations("\n".join(header + lines), "my.tsv")


def test_a_table_without_rows_changes_nothing() -> None:
    assert abbreviate("Karzinom", parse_abbreviations("\t".join(COLUMNS), "my.tsv"), first) == "Karzinom"


# Abbreviations


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Karzinom der Zunge", "Ca der Zunge"),
        ("Mammakarzinoms", "Mamma-Ca"),
        ("Zungen-Karzinom", "Zungen-Ca"),
        ("Zungenmetastasen", "Zungen-Met."),
        ("Nichtkleinzelliges Bronchialkarzinom", "NSCLC"),
        ("Nicht kleinzelliges Bronchialkarzinom", "NSCLC"),
        ("nicht-kleinzelliges Lungenkarzinom", "NSCLC"),
        ("Kleinzelliges Bronchialkarzinom links", "SCLC li."),
        ("Diffuse großzellige B-Zell-Lymphome", "DLBCL"),
        ("chronisch-lymphatische Leukämie", "CLL"),
        ("Non-Hodgkin Lymphom", "NHL"),
        ("GIST [gastrointestinaler Stromatumor] der Zunge", "GIST der Zunge"),
        ("Morbus Bowen", "M. Bowen"),
        ("Zustand nach Karzinom", "Z. n. Ca"),
    ],
)
def test_abbreviations_match_inflected_terms_and_the_longest_first(text: str, short: str) -> None:
    assert abbreviate(text, load_abbreviations("v1"), first) == short


@pytest.mark.parametrize(
    "text",
    [
        "Karzinomatose",
        "Karzinosarkom",
        "Teratokarzinom",
        "Nichtkarzinom",
        "Kleinzelliges Sarkom",
        "Nicht follikuläres Lymphom",
        "Tumorös",
        "Karzinom-Register",
        "Unterbindung",
        "Malignität",
        "Chronik",
        "ALL",
        "Multiples-Myelom-Register",
    ],
)
def test_abbreviations_leave_other_words_alone(text: str) -> None:
    assert abbreviate(text, load_abbreviations("v1"), first) == text


def test_an_adjective_shared_by_and_keeps_its_noun() -> None:
    text = "Lobuläres und duktales Carcinoma in situ"
    assert abbreviate(text, load_abbreviations("v1"), first) == "Lobuläres u. duktales CIS"


# Compounds


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Mammakarzinom", {"Mamma-Karzinom", "Mamma Karzinom"}),
        ("Bronchuskarzinome", {"Bronchus-Karzinome", "Bronchus Karzinome"}),
        ("Knochensarkom", {"Knochen-Sarkom", "Knochen Sarkom"}),
        ("Gehörgangskrebs", {"Gehörgangs-Krebs", "Gehörgangs Krebs"}),
        ("Leberhämangiom", {"Leber-Hämangiom"}),  # "Leber Hämangiom" would read as an adjective
        ("Ewing-Sarkom", {"Ewing Sarkom"}),
        ("Schneider-Karzinom", {"Schneider-Karzinom"}),
        ("Non-Hodgkin-Lymphom", {"Non-Hodgkin Lymphom"}),
    ],
)
def test_compounds_are_split_before_their_head(text: str, parts: set[str]) -> None:
    assert {split_compounds(text, pick) for pick in (first, last)} == parts


@pytest.mark.parametrize(
    "text",
    [
        "Adenokarzinom",
        "Karzinomatose",
        "Teratokarzinom",
        "Sarkomatose",
        "Leukämie",
        "Osteosarkom",
        "Fibrosarkom",
        "Chorionkarzinogen",
        "Zystadenom",
        "Lymphadenom",
        "Hidradenom",
        "Karzinom",
        "Tumormarker",
        "Leiomyosarkom",
        "Pseudozyste",
        "Polypose",
        "Melanomatose",
    ],
)
def test_combining_forms_and_other_words_are_not_split(text: str) -> None:
    assert split_compounds(text, first) == text


# Typing errors


def edits(one: str, other: str) -> int:
    """Optimal string alignment distance: inserted, dropped, changed and swapped letters."""
    rows = [[max(i, j) if not i or not j else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            changed = one[i - 1] != other[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + changed)
            if min(i, j) > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


WORDS = [
    "Schilddrüse",
    "Großhirn",
    "Zungengrund",
    "Unterlippe",
    "Kehlkopf",
    "Weichteile",
    "Rhabdomyosarkom",
    "Haut",
    "bei",
    "der",
    "und",
    "Brust",
    "mäßig",
    "bösartige",
    "nicht",
    "gutartig",
    "maligner",
    "Benignes",
    "unsicheres",
    "links",
    "rechten",
    "beidseits",
    "T4a",
    "M3",
    "AML",
    "pT2pN0",
    "a.n.k.",
    "C50.9",
    "IDH1",
    "BRCAness",
]
UNTOUCHED = re.compile(
    r"(?i)^(?:bösartige|nicht|gutartig|maligner|benignes|unsicheres|links|rechten|beidseits|brcaness)$|\d|\."
)


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), st.integers(0, 10_000))
@settings(max_examples=400, deadline=None)
def test_a_typing_error_is_small_and_spares_decisive_and_coded_words(words: list[str], seed: int) -> None:
    before, after = words, mistype(" ".join(words), Numbered(seed)).split(" ")
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) <= 1
    for old, new in changed:
        assert len(old) >= 5
        assert not UNTOUCHED.search(old)
        assert not old.isupper()
        assert edits(old, new) <= 4  # an umlaut in two letters and ss for ß count two each
        assert new[1:2] == old[1:2] or old[1] in "äöü"


def test_each_typing_error_occurs_and_the_text_key_changes() -> None:
    made = texts("J00", "Großhirnkrämpfe", "typing-error", seeds=300)
    assert all(text_key(text) != text_key("Großhirnkrämpfe") for text in made)
    assert {"Großhirnkraempfe", "Großhirnkrmäpfe", "Großhirnkrämpe", "Großhirnkkrämpfe"} <= made
    assert any("großh" in text for text in made)
    assert any("Grossh" in text for text in made)


def test_a_slip_that_yields_a_word_of_another_label_is_dropped() -> None:
    one, other = ("a", "D23.5", "Nabelfleck"), ("b", "D23.6", "Nagel")
    tries = [options("typing-error", seed=seed) for seed in range(300)]
    alone = [text for each in tries for text in augment(entries(one), each)["text"].to_list()]
    beside = [augment(entries(one, other), each).filter(pl.col("origin_id") == "a") for each in tries]
    assert any("Nagel" in text for text in alone)
    assert not any("nagel" in text.casefold() for frame in beside for text in frame["text"].to_list())
    assert sum(frame.height for frame in beside) > len(alone) / 2


# Sides


@pytest.mark.parametrize(("code", "text"), [("C50.9", "Brustkrebs"), ("D24", "Fibroadenom"), ("C78.0", "Lungenherd")])
def test_paired_organs_get_one_side(code: str, text: str) -> None:
    made = texts(code, text, "side")
    assert {re.sub(rf"{text},? ", "", each) for each in made} == {"rechts", "links", "re.", "li.", "re", "li"}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        *[(code, "Krebs") for code in ("C61", "C67.9", "C18.7", "C34.2", "C73", "C91.00", "D12.6", "I10", "C79.88")],
        *[("C50.9", f"Brustkrebs {side}") for side in ("re.", "links", "beidseits", "bds.", "li", "linksseitig")],
        ("C50.9", "Krebs der rechten Brust"),
        ("C34.0", "Krebs der Karina"),
        ("C34.1", "Krebs der Lingula"),
        (None, "Brustkrebs"),
    ],
)
def test_no_side_where_there_is_one_or_none(code: str | None, text: str) -> None:
    assert texts(code, text, "side") == set()


def test_only_what_is_registered_as_one_tumour_is_on_both_sides() -> None:
    both = re.compile(r"beidseits|bds")
    assert any(both.search(text) for text in texts("C56", "Eierstockkrebs", "side", seeds=80))
    assert any(both.search(text) for text in texts("C64", "Nephroblastom", "side", seeds=80))
    assert not any(both.search(text) for text in texts("C50.9", "Brustkrebs", "side", seeds=80))


def test_a_side_stands_before_the_tail_and_on_sites_of_icdo3() -> None:
    made = texts("C50.8", "Brustkrebs, mehrere Stellen", "side")
    assert all(re.fullmatch(r"Brustkrebs,? (?:re|li|rechts|links)\.?, mehrere Stellen", text) for text in made)
    assert texts("C64.9", "Niere", "side", kind="topography")
    assert not texts("8140/3", "Nierenkrebs", "side", kind="morphology")
    assert not texts("5-55", "Eingriff an der Niere", "side", kind="procedure")


# Stages and grades


def test_carcinomas_get_the_tnm_of_their_site_and_never_metastases() -> None:
    made = texts("C61", "Prostatakrebs", "stage", seeds=120)
    found = [re.search(r"pT(\d)\D*(\d) *,? *c?M(\d)", text) for text in made]
    assert all(found)
    assert {match[1] for match in found if match} == {"2", "3", "4"}
    assert {match[2] for match in found if match} == {"0", "1"}
    assert {match[3] for match in found if match} == {"0"}


def test_in_situ_gets_ptis_and_lymphomas_ann_arbor() -> None:
    assert {text.split("situ")[1].strip(" ,()") for text in texts("D05.1", "Carcinoma in situ", "stage")} == {
        "pTis",
        "Tis",
    }
    stages = {
        re.search(r"(?:Ann Arbor|Stadium|St\.) (I{1,3}|IV)[AB]?\b", text) for text in texts("C83.3", "Lymphom", "stage")
    }
    assert {match[1] for match in stages if match} == {"I", "II", "III", "IV"}
    assert None not in stages


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("C92.00", "Akute Leukämie"),
        ("C90.00", "Plasmozytom"),
        ("D24", "Fibroadenom"),
        ("D48.6", "Tumor der Brust unklarer Dignität"),
        ("C79.5", "Karzinom im Knochen"),
        ("C80.9", "Karzinom"),
        ("C71.1", "Hirnkrebs"),
        ("C16.9", "Lymphom des Magens"),
        ("C16.9", "Frühkarzinom des Magens"),
        ("C16.9", "Metastasierendes Karzinom des Magens"),
        ("C34.9", "Bronchialkarzinom Stadium II"),
        ("C85.9", "Lymphom im Gehirn"),
        ("C91.50", "Lymphom und Leukämie"),
        ("C17.9", "Neuroendokrines Karzinom"),
        ("I10", "Bluthochdruck"),
        (None, "Magenkrebs"),
    ],
)
def test_no_stage_and_no_grade_elsewhere(code: str | None, text: str) -> None:
    assert texts(code, text, "stage", "grading") == set()


def test_sites_and_morphologies_get_no_stage_and_no_grade() -> None:
    assert not texts("C16.9", "Magen, Karzinom", "stage", "grading", kind="topography")
    assert not texts("8010/3", "Karzinom", "stage", "grading", kind="morphology")


def test_solid_carcinomas_get_a_grade_unless_they_have_one() -> None:
    grades = {re.search(r"\b(?:G|Grad )([1-3])\b", text) for text in texts("C16.9", "Magenkrebs", "grading")}
    assert {match[1] for match in grades if match} == {"1", "2", "3"}
    assert None not in grades
    for text in ("Magenkrebs G2", "Gut differenzierter Magenkrebs", "Anaplastisches Karzinom", "Hochgradiges Karzinom"):
        assert not texts("C16.9", text, "grading")
    assert not texts("C43.5", "Hautkrebs", "grading")


# Certainty


@pytest.mark.parametrize(
    ("text", "accusative", "dative", "gender"),
    [
        ("Maligner Tumor der Zunge", "malignen Tumor der Zunge", "malignem Tumor der Zunge", "er"),
        ("Bösartige Neubildung", "bösartige Neubildung", "bösartiger Neubildung", "e"),
        ("Malignes kleines Melanom", "malignes kleines Melanom", "malignem kleinem Melanom", "es"),
        ("Gut differenzierter Tumor", "gut differenzierten Tumor", "gut differenziertem Tumor", "er"),
        ("Brustkrebs", "Brustkrebs", "Brustkrebs", "er"),
        ("Metastase am rechten Bein", "Metastase am rechten Bein", "Metastase am rechten Bein", "e"),
        (
            "Epstein-Barr-assoziiertes Lymphom",
            "Epstein-Barr-assoziiertes Lymphom",
            "Epstein-Barr-assoziiertem Lymphom",
            "es",
        ),
        ("Leukämie", "Leukämie", "Leukämie", "e"),
        ("Multiple Metastasen", None, None, "e"),
        ("Narbe der Haut", "Narbe der Haut", "Narbe der Haut", None),
        ("Leukämie Typ A", "Leukämie Typ A", "Leukämie Typ A", "e"),
        ("Gut diff. NET", "gut diff. NET", "gut diff. NET", None),
    ],
)
def test_adjectives_are_declined(text: str, accusative: str | None, dative: str | None, gender: str | None) -> None:
    assert (declined(text, ACCUSATIVE), declined(text, DATIVE)) == (accusative, dative)
    assert (known(text) or "None").split(" ")[0] == (f"bekannt{gender}" if gender else "None")


def test_certainty_takes_each_of_its_forms() -> None:
    made = texts("C50.9", "Maligner Tumor der Brust", "certainty", seeds=200)
    assert {"V. a. malignen Tumor der Brust", "Zustand nach malignem Tumor der Brust"} <= made
    assert "bekannter maligner Tumor der Brust" in made
    dates = [re.search(r"[, (]ED (?:(\d\d)/)?(20\d\d)\)?$", text) for text in made]
    assert {int(match[1]) for match in dates if match and match[1]} <= set(range(1, 13))
    assert {int(match[2]) for match in dates if match} <= set(range(2005, 2025))
    assert any(match and match[1] for match in dates)
    assert any(match and not match[1] for match in dates)
    assert not any("Rezidiv" in text for text in made)


def test_past_is_for_tumours_and_suspicion_not_for_stages_and_remissions() -> None:
    past, suspected = re.compile(r"^Z(\. ?n\.|ustand)"), re.compile(r"^V(\. ?a\.|erdacht)")
    heart = texts("I21.9", "Herzinfarkt", "certainty", seeds=100)
    assert any(suspected.search(text) for text in heart)
    assert not any(past.search(text) for text in heart)
    remission = texts("C91.01", "Leukämie in kompletter Remission", "certainty", seeds=100)
    assert remission
    assert not any(past.search(text) or suspected.search(text) for text in remission)
    both = texts("C16.9", "Magenkrebs", "certainty", "stage", "grading", seeds=300)
    assert any(past.search(text) and "pT" in text for text in both)
    assert not any(suspected.search(text) and re.search(r"pT|G\d|Grad", text) for text in both)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("C50.9", "Verdacht auf Brustkrebs"),
        ("C50.9", "Z. n. Brustkrebs"),
        ("Z85.3", "Brustkrebs"),
        ("S72.0", "Fraktur"),
    ],
)
def test_no_certainty_where_there_is_one_or_it_would_decide_the_code(code: str, text: str) -> None:
    assert texts(code, text, "certainty") == set()


# The whole


LABELS: list[tuple[str | None, str]] = [
    ("C50.9", "Mammakarzinom"),
    ("C50.4", "Bösartige Geschwulst im oberen äußeren Quadranten der Brust"),
    ("C34.1", "Nichtkleinzelliges Bronchialkarzinom im Oberlappen"),
    ("C18.7", "Karzinom des Sigmas, mehrere Stellen"),
    ("C83.3", "Diffuses großzelliges B-Zell-Lymphom"),
    ("C91.10", "Chronische lymphatische Leukämie"),
    ("D05.1", "Duktales Carcinoma in situ"),
    ("D24", "Fibroadenom der Brust"),
    ("C79.5", "Knochenmetastase"),
    ("I10", "Bluthochdruck ohne Krise"),
    ("E11.9", "Zuckerkrankheit"),
    (None, "Rauchen"),
    ("C20", "Ca"),
    ("C19", "  Darm   krebs "),
    ("C64", "Äußerst große Geschwulst [Tumor] (Niere)"),
]
SOME = st.lists(
    st.tuples(st.sampled_from(LABELS), st.integers(0, 999)), min_size=1, max_size=12, unique_by=lambda p: p[1]
)
CHOICES = {
    "share": st.floats(0.01, 1),
    "copies": st.integers(1, 3),
    "kinds": st.lists(st.sampled_from(KINDS), min_size=1, unique=True),
    "seed": st.integers(0, 50),
}


@given(SOME, st.fixed_dictionaries(CHOICES), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_augmentation_depends_on_each_entry_alone(
    chosen: list[tuple[tuple[str | None, str], int]], choices: dict[str, Any], random: Any
) -> None:
    rows: list[Row] = [(f"e{number}", code, text) for (code, text), number in chosen]
    frame, settled = entries(*rows), Augmentation.model_validate(choices)
    made = augment(frame, settled)
    assert made.equals(augment(frame, settled))
    random.shuffle(rows)
    assert made.equals(augment(entries(*rows), settled))
    # Other entries can only remove a copy, never change it.
    part = augment(entries(*rows[: len(rows) // 2 + 1]), settled)
    inside = made.filter(pl.col("origin_id").is_in(part["origin_id"].unique().to_list()))
    assert set(inside.select("entry_id", "text").rows()) <= set(part.select("entry_id", "text").rows())

    joined = made.join(frame, left_on="origin_id", right_on="entry_id", suffix="_origin")
    assert joined.height == made.height
    keys = [text_key(text) for text in made["text"].to_list()]
    assert all(keys)
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set(frame["text_key"].to_list())
    assert joined.filter(~pl.col("code").eq_missing(pl.col("code_origin"))).is_empty()
    assert joined["text_key"].to_list() == joined["text_key_origin"].to_list()
    for new_id, origin, flags in made.select("entry_id", "origin_id", "flags").iter_rows():
        assert re.fullmatch(rf"{origin}~[1-{settled.copies}]", new_id)
        kinds = [flag.removeprefix("augmented:") for flag in flags if flag != "old"]
        assert 1 <= len(kinds) <= 3
        assert set(kinds) <= set(settled.kinds)


def test_columns_are_carried_along_and_flags_added() -> None:
    frame = entries(("a", "C50.9", "Mammakarzinom"), ("b", "C18.7", "Sigmakarzinom")).with_columns(
        answer=pl.lit("Ja"), expected=pl.col("code"), flags=pl.when(pl.col("entry_id") == "a").then("flags")
    )
    made = augment(frame, options("compound"))
    assert made.schema == frame.schema | {"origin_id": pl.String()}
    assert made["entry_id"].to_list() == ["a~1", "b~1"]
    assert made["flags"].to_list() == [["old", "augmented:compound"], ["augmented:compound"]]
    unchanged = [name for name in frame.columns if name not in ("entry_id", "text", "flags")]
    assert made.select(unchanged).equals(frame.select(unchanged))


def test_nothing_to_rewrite_gives_no_rows_but_all_columns() -> None:
    made = augment(entries(("a", "C20", "Ca")), options("compound"))
    assert made.is_empty()
    assert made.schema == {**columns_of("entries"), "origin_id": pl.String}


def test_a_kind_that_finds_no_place_any_more_leaves_no_flag() -> None:
    frame = entries(*((f"e{number}", "C16.9", "Magenkrebs " + "x" * number) for number in range(100)))
    made = augment(frame, options("certainty", "stage"))
    for text, flags in made.select("text", "flags").iter_rows():
        assert ("augmented:stage" in flags) == ("pT" in text)
    assert made.filter(pl.col("text").str.starts_with("V")).height > 10


def test_the_share_is_kept_and_grows_by_adding() -> None:
    frame = entries(*((f"e{number}", "C50.9", "Mammakarzinom " + "x" * number) for number in range(600)))
    some, more = (augment(frame, options("compound", share=share)) for share in (0.3, 0.6))
    assert abs(some.height - 180) < 50
    assert abs(more.height - 360) < 50
    assert set(some["entry_id"].to_list()) < set(more["entry_id"].to_list())
    assert augment(frame, options("compound", share=0.3, seed=1))["entry_id"].to_list() != some["entry_id"].to_list()


def test_copies_that_read_alike_remain_once_or_not_at_all() -> None:
    same = entries(("a", "C50.9", "Ewing-Sarkom"), ("b", "C50.9", "Ewing-Sarkom"))
    assert augment(same, options("compound"))["entry_id"].to_list() == ["a~1"]
    contradictory = entries(("a", "C41.9", "Ewing-Sarkom"), ("b", "C49.9", "Ewing-Sarkom"))
    assert augment(contradictory, options("compound")).is_empty()
    taken = entries(("a", "C41.9", "Ewing-Sarkom"), ("b", "C49.9", "ewing  sarkom"))
    assert augment(taken, options("compound")).is_empty()


def test_rows_are_the_same_on_every_machine() -> None:
    made = augment(entries(*((f"e{at}", code, text) for at, (code, text) in enumerate(LABELS))), options())
    assert dict(made.select("entry_id", "text").iter_rows()) == {
        "e0~1": "Mammaakrzinom, re.",
        "e10~1": "Verdacht auf Zuckerkrankheit",
        "e11~1": "Rauchn",
        "e12~1": "Z.n. Ca",
        "e13~1": "  Darm   kresb  pT4pN1M0 (G1)",
        "e14~1": "Verdacht auf Äußerst große Geschwulst [Tu] li. (Niere)",
        "e1~1": "Verdacht auf bösartige Geschwulst im oberen äußeren Quadranten der Bruust, li",
        "e2~1": "NSCLC im Oberlappen li., ED 2017",
        "e3~1": "Karzinom des Sigmas, mehrere Stellen, G2",
        "e4~1": "Diffuses großzeliges B-Zell-Lymphom, Ann Arbor III",
        "e5~1": "chrnische lymphatische Leukämie",
        "e6~1": "DCIS (pTis)",
        "e7~1": "Fibroadenom der Brust, re",
        "e8~1": "Knochen-Met. (ED 2023)",
        "e9~1": "Verdacht auf Bluthochdruck ohne Kries",
    }


@pytest.mark.catalogues
def test_real_labels(catalogues: Path) -> None:
    frame = parse_alphaid(next(iter(sorted(catalogues.rglob("reconstructed_alphaidse2024*.txt")))), "2024")
    frame = frame.filter(pl.col("code").is_between(pl.lit("C00"), pl.lit("D48.9")))
    assert frame.height == 13_606
    start = time.process_time()
    made = augment(frame, options())
    assert time.process_time() - start < 4  # 1.4 s where measured
    assert made.height > 0.95 * frame.height
    assert made["text"].n_unique() == made.height
    assert {flag for flags in made["flags"].to_list() for flag in flags} >= {f"augmented:{kind}" for kind in KINDS}
    side = re.compile(r"\b(?:rechts|links|re|li)\b|beidseits|bds")
    assert all(len(side.findall(text)) <= 1 for text in made["text"].to_list())
