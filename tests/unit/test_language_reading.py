"""What texts say, by the tables of the program: hand-worked examples, any Unicode text, and time."""

import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onkocode.catalogues.vocabulary.codes import ICD10
from onkocode.language.code_checks import FORMS
from onkocode.language.lexicon import Lexicon, build_lexicon, load_tables, shipped_lexicon
from onkocode.language.mentions import find_mentions
from onkocode.language.nodes import find_nodes
from onkocode.language.reading import Finding, normal_form, read
from onkocode.language.rows import own_tables
from onkocode.language.sites import SiteFinder
from onkocode.language.text import take_apart


def subject(text: str) -> Finding:
    found = read(shipped_lexicon(), text).subject
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "icd10", "topography", "morphology"),
    [
        ("Carcinom der Mamma", "C50.9", "C50.9", "8010/3"),
        ("Karzinom der Papille", "C24.1", "C24.1", "8010/3"),
        ("papilläres Schilddrüsenkarzinom", "C73", "C73.9", "8260/3"),
        ("Plattenepithelkarzinom des Gebärmutterhalses", "C53.9", "C53.9", "8070/3"),
        ("Hauttumor der Wange", "D48.5", "C44.3", "8000/1"),
        ("Prostata-Ca pT2c pN0 cM0 G2", "C61", "C61.9", "8010/3"),
        ("nicht-kleinzelliges Bronchialkarzinom", "C34.9", "C34.9", "8046/3"),
        ("V. a. Nierenzellkarzinom", "C64", "C64.9", "8312/3"),
        ("Lipom am Rücken", "D17.1", "C49.6", "8850/0"),
        ("Karzinom der Stimmbänder", "C32.0", "C32.0", "8010/3"),
        ("Mamakarzinom", "C50.9", "C50.9", "8010/3"),
        # stages that decide the behaviour
        ("Urothelkarzinom der Harnblase pTis", "D09.0", "C67.9", "8120/2"),
        ("Urothelkarzinom der Harnblase pTa", "D09.0", "C67.9", "8130/2"),
        ("Urothelkarzinom der Harnblase pT1", "C67.9", "C67.9", "8120/3"),
        # positions on the clock, by side
        ("Mammakarzinom links 2 Uhr", "C50.4", "C50.4", "8010/3"),
        ("Mammakarzinom rechts 2 Uhr", "C50.2", "C50.2", "8010/3"),
        ("Mammakarzinom li. 10 Uhr", "C50.2", "C50.2", "8010/3"),
        ("Mammakarzinom 2 Uhr", "C50.9", "C50.9", "8010/3"),
        # regions of lymph nodes
        ("Hodgkin-Lymphom zervikal", "C81.9", "C77.0", "9650/3"),
        ("Hodgkin-Lymphom mediastinal", "C81.9", "C77.1", "9650/3"),
        # the digit of remission
        ("akute myeloische Leukämie", "C92.00", "C42.1", "9861/3"),
        ("akute myeloische Leukämie in kompletter Remission", "C92.01", "C42.1", "9861/3"),
        ("CLL ohne Remission", "C91.10", "C42.1", "9823/3"),
        # without a site
        ("CUP-Syndrom", "C80.0", "C80.9", "8010/3"),
        ("Karzinom", "C80.9", "C80.9", "8010/3"),
    ],
)
def test_a_tumour_has_its_codes(text: str, icd10: str, topography: str, morphology: str) -> None:
    found = subject(text)
    assert (found.icd10, found.topography, found.morphology) == (icd10, topography, morphology)


@pytest.mark.parametrize(
    ("text", "kind", "icd10", "others"),
    [
        ("Kolonkarzinom mit Lebermetastasen", "primary", "C18.9", ["C78.7"]),
        ("Lebermetastasen bei Kolonkarzinom", "metastasis", "C78.7", ["C18.9"]),
        ("Lebermetastase eines Kolonkarzinoms", "metastasis", "C78.7", ["C18.9"]),
        ("axilläre Lymphknotenmetastase bei Mammakarzinom", "metastasis", "C77.3", ["C50.9"]),
        ("Sekundäre bösartige Neubildung: Lunge", "metastasis", "C78.0", []),
        ("met. Mammakarzinom", "primary", "C50.9", []),
        ("Z. n. Rektumkarzinom 2015, Lebermetastasen", "metastasis", "C78.7", ["C20"]),
        ("Lymphknotenmetastase inguinal bei Melanom", "metastasis", "C77.4", ["C43.9"]),
        ("Z. n. Mammakarzinom 2010, jetzt Kolonkarzinom", "primary", "C18.9", ["C50.9"]),
        ("Z. n. Basaliom der Nase, jetzt Melanom des Rückens", "primary", "C43.5", ["C44.3"]),
        ("Nierenzellkarzinom, DD Onkozytom", "primary", "C64", []),
        ("Brain mets from NSCLC", "metastasis", "C79.3", ["C34.9"]),
        ("Leberstanze mit Adenokarzinom. Passend zu Metastase eines Kolonkarzinoms", "metastasis", "C78.7", None),
        ("Adenokarzinom der Leber, vereinbar mit Filiae bei Mammakarzinom", "metastasis", "C78.7", None),
        ("maligner Pleuraerguss bei Ovarialkarzinom", "metastasis", "C78.2", ["C56"]),
    ],
)
def test_a_text_is_about_one_of_several_tumours(text: str, kind: str, icd10: str, others: list[str] | None) -> None:
    reading = read(shipped_lexicon(), text)
    assert reading.subject is not None
    assert (reading.subject.kind, reading.subject.icd10) == (kind, icd10)
    assert others is None or [other.icd10 for other in reading.others] == others


# What a clause denies or finds free of tumour, what was spared, and dots that end no sentence.
BESIDE = [
    ("Lipom der Schulter. Lymphknoten ohne Malignität.", "D17.2"),
    ("Lipom der Schulter, Lymphknoten (0/16) ohne Befall", "D17.2"),
    ("Harnblase: Urothelkarzinom. Prostata und Samenblase tumorfrei", "C67.9"),
    ("Zystektomie: Urothelkarzinom, 0/22 Lymphknoten", "C67.9"),
    ("Karzinom des Uterus. Zervix: tumorfrei.", "C55"),
    ("follikuläres Lymphom. Ein diffuses großzelliges Lymphom sehen wir nicht.", "C82.9"),
    ("Teratom des Ovars, reif; unreife Anteile fehlen", "D27"),
    ("DCIS der Mamma, eine invasive Komponente fand sich nicht", "D05.1"),
    ("Mammakarzinom ohne (Fern-)Metastasen", "C50.9"),
    ("Parotidektomie unter Schonung des N. facialis: pleomorphes Adenom", "D11.0"),
    ("Adenom der Nebenschilddrüse, minimalinvasiv entfernt", "D35.1"),
    ("papill. Karzinom der SD", "C73"),
    ("exulz. Basaliom der Nase", "C44.3"),
    ("GIST Magen gr. Kurv.", "C16.6"),
    ("Oberlappenresektat: Adenokarzinom der Lunge", "C34.1"),
    ("Nach Bestrahlung eines Larynxkarzinoms besteht aktuell ein Zungenkarzinom", "C02.9"),
    ("Karzinom der Lunge, typisch", "C34.9"),  # no Thymus
    ("Rektumresektat nach Radiochemotherapie: Adenokarzinom", "C20"),  # no Radius
    ("stromaarmes Neuroblastom der Nebenniere", "C74.9"),  # no Arm
    ("Beckenkammtrepanat: Infiltration (ca. 45 %) durch eine CLL", "C91.10"),
    ("Basalzellkarzinom der Brusthaut. Zweites Präparat: seborrhoische Keratose", "C44.59"),
    ("duktales Adenokarzinom des Pankreaskopfes, in der Umgebung PanIN-2", "C25.0"),
    ("muzinöses Adenokarzinom des Zökums, daneben villöses Adenom mit hochgradiger Dysplasie", "C18.0"),
    ("Adenom des Colon descendens. Invasives Wachstum oder hochgradige Dysplasie liegen nicht vor", "D12.4"),
    ("zerebral metastasiertes Adenokarzinom des Lungenoberlappens", "C34.1"),
    ("Suprasellärer Tumor: Kraniopharyngeom", "D44.4"),
    ("adenoid-zystisches Karzinom einer kleinen Speicheldrüse, harter Gaumen", "C05.0"),
    ("Zytologie spricht für ein Carcinoma in situ der Harnblase, kein papillärer Tumor", "D09.0"),
]

DIFFERENTIAL = [
    ("Raumforderung der Niere, DD Onkozytom, DD Nierenzellkarzinom", {"C64", "D30.0"}),
    ("Osteolyse im Os ilium, Plasmozytom versus Metastase", {"C79.5"}),
    ("Nierenzellkarzinom", set()),
]


@pytest.mark.parametrize(("text", "icd10"), BESIDE)
def test_what_stands_beside_a_tumour_says_nothing_else_of_it(text: str, icd10: str) -> None:
    assert subject(text).icd10 == icd10


@pytest.mark.parametrize(("text", "codes"), DIFFERENTIAL)
def test_differential_diagnoses_are_alternatives(text: str, codes: set[str]) -> None:
    found = set(subject(text).alternatives)
    assert found >= codes
    assert codes or not found


@pytest.mark.parametrize(
    ("text", "morphology"), [("AML M1", "9873/3"), ("AML, FAB M0", "9872/3"), ("AML M1 n. FAB", "9873/3")]
)
def test_subtypes_of_leukaemia_are_no_stages(text: str, morphology: str) -> None:
    assert subject(text).morphology == morphology
    assert [fact.value for fact in read(shipped_lexicon(), "Prostatakarzinom T2 N0 M1").text.facts] == [
        "T2",
        "N0",
        "M1",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("Leistenhernie", "kein Anhalt für Mammakarzinom", "kein Mammakarzinom", "", " ", "?", "12.03.2019"),
        *("Lymphom ausgeschlossen", "Hypertonie, Lymphödem, Weiterbehandlung", "Mutter mit Mammakarzinom"),
    ],
)
def test_texts_without_a_tumour(text: str) -> None:
    assert read(shipped_lexicon(), text).subject is None


@pytest.mark.parametrize("short", ["Mamma-Ca", "Mamma-Ca.", "MammaCa", "Mamma Ca", "Mamma - Ca", "mamma-ca"])
def test_ways_to_write_an_abbreviation_have_one_normal_form(short: str) -> None:
    lexicon = shipped_lexicon()
    forms = {normal_form(lexicon, text).replace(" ", "") for text in (f"{short} li. pT2 N0", "Mammakarzinom links")}
    assert len(forms) == 1


def test_every_step_names_the_row_or_rule_that_it_comes_from() -> None:
    found = subject("Plattenepithelkarzinom des Gebärmutterhalses pTis")
    rules = {why.decides: why.rule for why in found.reasons}
    assert rules["morphology"].startswith("histologies.tsv:")
    assert rules["behaviour"] == "T category"
    assert rules["topography"].startswith("sites.tsv:")
    assert rules["icd10"].startswith("combination.tsv:")
    assert {why.decides: why.words for why in found.reasons}["topography"] == "Gebärmutterhalses"


# -- mentions, sites and nodes --


def kinds(text: str) -> list[str]:
    return [mention.kind for mention in find_mentions(shipped_lexicon(), take_apart(shipped_lexicon(), text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mammakarzinom", ["primary"]),
        ("Mammakarzinom, invasives Karzinom", ["primary"]),
        ("Mammakarzinom und Lebermetastasen", ["primary", "metastasis"]),
        ("Melanommetastase der Leber", ["metastasis", "primary"]),
        ("Knochenmetastasen, ausgehend von der Prostata", ["metastasis", "origin"]),
        ("keine Metastasen", []),
        ("Leistenhernie", []),
    ],
)
def test_mentions_of_tumours(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "others"),
    [
        ("axilläre Lymphknoten", "C77.3", []),
        ("Lymphknoten axillär und inguinal", "C77.8", ["C77.4"]),
        ("Lymphknoten", "C77.9", []),
        ("Axilla", None, []),
    ],
)
def test_regions_of_lymph_nodes(text: str, code: str | None, others: list[str]) -> None:
    lexicon = shipped_lexicon()
    taken = take_apart(lexicon, text)
    named = find_nodes(lexicon, taken, range(len(taken.units)), lymphoid=False)
    assert (named.code if named else None) == code
    assert [other for other in (named.others if named else ()) if other != code] == others


@pytest.mark.parametrize(
    ("text", "basis"),
    [
        ("Karzinom der Leber", "named"),
        ("Mammakarzinom oben außen", "part"),
        ("Melanom am Rücken", "region"),
        ("Nephroblastom", "kind"),
        ("Karzinom", "unknown"),
    ],
)
def test_it_is_told_how_a_site_was_found(text: str, basis: str) -> None:
    lexicon = shipped_lexicon()
    taken = take_apart(lexicon, text)
    (mention,) = find_mentions(lexicon, taken)
    assert mention.histology is not None
    row = lexicon.histologies.rows[mention.histology.row]
    found = SiteFinder(lexicon, taken, mention, row).find()
    assert found.basis in (basis, "part" if basis == "region" else basis)


# -- tables of a user's own --


def own_lexicon(**rows: str) -> Lexicon:
    headers = {"abbreviations": "abbreviation\tmeaning\tcontext", "sites": "organ\tcode\tpattern\tunder"}
    tables = {table: (f"mine/{table}.tsv", f"{headers[table]}\n{text}") for table, text in rows.items()}
    return build_lexicon(load_tables(tables))


def test_a_users_rows_come_before_those_of_the_program() -> None:
    lexicon = own_lexicon(
        abbreviations="MaKa\tMagenkarzinom\t\nCLL\tKolonkarzinom\t", sites="stomach\tC16.3\tQuarkwinkel\t"
    )
    assert [read(lexicon, text).subject.icd10 for text in ("MaKa", "CLL", "Karzinom am Quarkwinkel")] == [  # type: ignore[union-attr]
        "C16.9",
        "C18.9",
        "C16.3",
    ]


@pytest.mark.parametrize(
    ("text", "icd10", "topography", "morphology"),
    [
        ("MaKa", "C50.9", "C50.9", "8010/3"),
        ("KK, Koloskopie", "C18.9", "C18.9", "8010/3"),
        ("distales KK", "C16.0", "C16.0", "8010/3"),
        ("gallertiges Karzinom im Magenschlauch", "C16.9", "C16.9", "8480/3"),
        ("Urothelkarzinom Blase, Feld 3", "C67.3", "C67.3", "8120/3"),
        ("Karzinoid vom Appendixtyp", "C18.1", "C18.1", "8240/3"),
        ("Basaliom Nackenfalte", "C44.4", "C44.4", "8090/3"),
        ("Vorbefund von Magenkarzinom, jetzt Melanom Nackenfalte", "C43.4", "C44.4", "8720/3"),
    ],
)
def test_the_rows_of_the_page_on_language_do_what_it_says(
    root: Path, text: str, icd10: str, topography: str, morphology: str
) -> None:
    found = read(_lexicon_of(root / "docs/language"), text).subject
    assert found is not None
    assert (found.icd10, found.topography, found.morphology) == (icd10, topography, morphology)


@cache
def _lexicon_of(folder: Path) -> Lexicon:
    return build_lexicon(load_tables(own_tables(folder)))


# -- any text --

PIECES = [
    *(
        "Mammakarzinom",
        "Lebermetastase",
        "Lymphknoten",
        "axillär",
        "Z. n.",
        "jetzt",
        "DD",
        "V. a.",
        "kein",
        "CUP",
        "Ca",
    ),
    *("pTis", "pT1", "N0", "3 cm", "Gleason 3+4", "oder", "und", "bei", "mit", "eines", "links", "2 Uhr", "in situ"),
    *("-", ".", ",", ";", "(", ")", "/", "\n", "\u00ad", "\u0301", "ß", "ﬃ", "İ", "²", "٣", "Ⅳ", "🙂", "\x00", "_"),
]
MIXED = st.lists(st.sampled_from(PIECES), max_size=14).flatmap(
    lambda pieces: st.sampled_from([" ", ""]).map(lambda link: link.join(pieces))
)


@given(st.one_of(st.text(max_size=150), MIXED))
def test_any_text_is_read(text: str) -> None:
    lexicon = shipped_lexicon()
    reading = read(lexicon, text)
    normal_form(lexicon, text)
    for finding in (*reading.others, *([reading.subject] if reading.subject else [])):
        assert finding.icd10 is None or ICD10.fullmatch(finding.icd10)
        assert finding.topography is None or FORMS["topography"].fullmatch(finding.topography)
        assert finding.morphology is None or FORMS["morphology"].fullmatch(finding.morphology)
        assert finding.kind in ("primary", "metastasis")
        assert all(why.rule for why in finding.reasons)


@given(MIXED)
def test_a_text_is_read_alike_every_time(text: str) -> None:
    first, second = (read(shipped_lexicon(), text) for _ in range(2))
    assert (first.subject, first.others) == (second.subject, second.others)


LONGEST = 20_000
REPEATED = {
    "words": "Mammakarzinom links ",
    "one word": "karzinom",
    "letters": "a",
    "unknown letters": "qxyvtrns",
    "unknown words": "qxyvtrnsw bzkpfmdlg ",
    "digits": "1",
    "decimal numbers": "1,",
    "dimensions": "3x",
    "commas": ",",
    "brackets": "(",
    "hyphens": "a-",
    "blanks": " ",
    "stages": "pT",
    "nodes": "pN1(sn ",
    "metastases": "Lebermetastasen, ",
    "tumours": "Karzinom der Lunge; Adenom des Kolons. ",
    "alternatives": "Karzinom oder ",
    "figures": "PSA : ",
    "accents": "a\u0301",
}


@cache
def seconds(piece: str, size: int) -> float:
    """Return the CPU time of reading a text of so many letters; the least of two."""
    text = (piece * (size // len(piece) + 1))[:size]
    times = []
    for _ in range(2):
        began = time.process_time()
        read(shipped_lexicon(), text)
        times.append(time.process_time() - began)
    return min(times)


@pytest.mark.parametrize("name", REPEATED)
def test_time_grows_no_faster_than_a_text(name: str) -> None:
    """Eight times the letters may take 32 times as long; what grows with their square takes 64."""
    piece = REPEATED[name]
    assert seconds(piece, LONGEST) < 32 * max(seconds(piece, LONGEST // 8), 0.02)
