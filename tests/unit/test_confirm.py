import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from onkocode.catalogues.fetching.choosing import UNVERIFIED
from onkocode.catalogues.fetching.sources import FOLDER_VARIABLE
from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.catalogues.formats.transitions import parse_transitions
from onkocode.catalogues.versions.changes import misfits
from onkocode.catalogues.versions.confirm import (
    AGREEMENT,
    CONFIRMED,
    agreement,
    changed,
    check_alphaid,
    check_links,
    valid_codes,
)
from onkocode.catalogues.versions.opening import CataloguePlace, open_catalogue, open_transitions
from onkocode.cli import main
from onkocode.records.errors import InputError
from onkocode.records.ids import shuffled
from tests.unit.test_changes import entries, space, table, write_sources, write_year

STABLE = [f"C{number}.1" for number in range(10, 60)]
YEARS = {  # each year brings ten codes of its own and loses those of the year before
    year: [*STABLE, *(f"D{year - 2000}.{place}" for place in range(10))] for year in range(2021, 2026)
}


def catalogue(year: int) -> pl.DataFrame:
    return space(*(f"{code} Titel" for code in YEARS[year]))


def rows(first: int, stable: bool = True) -> list[str]:
    own = [f"D{first - 2000}.{place};D{first - 1999}.{place};A;A" for place in range(10)]
    return own + [f"{code};{code};A;A" for code in STABLE if stable]


def link(first: int) -> dict[str, pl.DataFrame]:
    return {f"{first}_{first + 1}": table(*rows(first))}


# -- transition tables --


@pytest.mark.parametrize("stable", [True, False])
def test_the_right_table_is_confirmed_and_noted(stable: bool) -> None:
    facts = {"transitions 2022_2023": {"origin": "a.txt", "remark": UNVERIFIED}}
    check_links({"2022_2023": table(*rows(2022, stable))}, catalogue(2022), catalogue(2023), facts)
    assert facts["transitions 2022_2023"]["remark"] == CONFIRMED
    facts = {"transitions 2022_2023": {"origin": "a.txt", "remark": ""}}
    check_links(link(2022), catalogue(2022), catalogue(2023), facts)
    assert facts["transitions 2022_2023"]["remark"] == ""


@pytest.mark.parametrize("first", [2021, 2023, 2024])
def test_a_table_of_other_years_is_refused(first: int) -> None:
    facts = {"transitions 2022_2023": {"origin": "a.txt", "remark": UNVERIFIED}}
    with pytest.raises(InputError) as caught:
        check_links({"2022_2023": table(*rows(first))}, catalogue(2022), catalogue(2023), facts)
    assert str(caught.value) == (
        "a.txt: its codes are not those of a transition table from 2022 to 2023, or a catalogue or table beside it is "
        "of another year: 0 of 40 codes that come or go are the same (0%; known are 83.3% of its old and "
        "83.3% of its new codes). Put the right file there, or name it with --catalogue transitions-2022_2023=FILE"
    )
    assert facts["transitions 2022_2023"]["remark"] == UNVERIFIED


def test_a_table_the_wrong_way_round_is_refused() -> None:
    backward = table(*rows(2022)).select(old="new", new="old", forward="backward", backward="forward")
    with pytest.raises(InputError, match="0 of 40 codes"):
        check_links({"2022_2023": backward}, catalogue(2022), catalogue(2023), {})


def test_a_label_space_of_another_year_is_refused() -> None:
    for earlier, later in ((2021, 2023), (2022, 2024), (2022, 2022), (2023, 2022)):
        with pytest.raises(InputError, match="or a catalogue or table beside it is of another year"):
            check_links(link(2022), catalogue(earlier), catalogue(later), {})


def test_some_codes_of_another_edition_do_no_harm() -> None:
    few = catalogue(2023).filter(~pl.col("code").is_in(["D23.0", "D23.1", "C10.1"]))
    check_links(link(2022), catalogue(2022), few, {})
    half = catalogue(2023).filter(~pl.col("code").str.starts_with("D23"))
    with pytest.raises(InputError, match=r"10 of 20 codes"):
        check_links(link(2022), catalogue(2022), half, {})


def test_years_without_changes_agree() -> None:
    same = {"2022_2023": table("C10.1;C10.1;A;A")}
    check_links(same, space("C10.1 a"), space("C10.1 a"), {})


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_each_link_of_a_chain_is_checked_by_those_beside_it(wrong: int) -> None:
    links = link(2021) | link(2022) | link(2023)
    check_links(links, catalogue(2021), catalogue(2024), {})
    name = list(links)[wrong]
    links[name] = table(*rows(2024))
    with pytest.raises(InputError) as caught:
        check_links(links, catalogue(2021), catalogue(2024), {})
    told = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert told == [other for place, other in enumerate(links) if abs(place - wrong) <= 1]


# -- Alpha-ID --


def test_codes_that_are_not_terminal_are_named() -> None:
    codes = [code for code in YEARS[2022] if code != "D22.9"]
    known = space(*(f"{code} Titel" for code in codes), "D22.9/ Titel")
    assert check_alphaid(YEARS[2022], known, ("Alpha-ID 2022", "ICD-10-GM 2022")) == ["D22.9"]
    few = space(*(f"{code} T" for code in YEARS[2023][20:]), *(f"{code[:3]}/ T" for code in STABLE[:20]))
    said = r"Alpha-ID 2023: 20 of its 60 codes are not terminal in ICD-10-GM 2022 \(C10.1, C11.1, C12.1 …\)"
    with pytest.raises(InputError, match=said):
        check_alphaid(YEARS[2023], few, ("Alpha-ID 2023", "ICD-10-GM 2022"))


def test_categories_that_a_label_space_lacks_do_not_count() -> None:
    assert check_alphaid(YEARS[2022], space("C10.1 a"), ("a", "b")) == []
    assert check_alphaid([], space("C10.1 a"), ("a", "b")) == []


def test_invalid_entries_have_no_say() -> None:
    assert valid_codes(entries("2023", "I1 C01 a", "I2 !C02 b", "I3 - c")) == {"C01"}


# -- through the verbs --


@pytest.fixture
def years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with kodes of 2021 to 2024, and no transition tables."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    for year in range(2021, 2025):
        write_year(tmp_path / "files", f"{year}", [f"{code} Titel" for code in YEARS[year]])
    write_sources(tmp_path, range(2021, 2025))
    return tmp_path / "files"


def put(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


Run = Callable[..., tuple[int, str]]


@pytest.fixture(params=["diff", "recode"])
def run(request: pytest.FixtureRequest, years: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that compares two years and returns the exit status and what was printed."""

    def comparing(old: str, new: str, *arguments: str) -> tuple[int, str]:
        place = ["--sources", str(years.parent / "sources.tsv"), "--folder", str(years)]
        if request.param == "recode":
            records = years.parent / "records.csv"
            put(records, ["id,icd10", "1,D22.0"])
            versions = [str(records), "--from", old, "--to", new, "--output", str(years.parent / "list.csv")]
        else:
            versions = [old, new, "--output", str(years.parent / "out")]
        status = main(["catalogues", request.param, *versions, *place, *arguments])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return comparing


def remarks(years: Path) -> dict[str, str]:
    found = [*years.parent.glob("out/provenance.json"), *years.parent.glob("list.csv.provenance.json")]
    inputs = json.loads(found[0].read_text(encoding="utf-8"))["inputs"]
    return {name: fact["remark"] for name, fact in inputs.items() if "remark" in fact}


def test_a_lone_table_without_years_must_fit_the_catalogues(years: Path, run: Run) -> None:
    path = put(years / "umsteiger.txt", rows(2022))
    assert run("2022", "2023")[0] == 0
    assert remarks(years)["transitions 2022_2023"] == CONFIRMED
    for old, new in (("2021", "2022"), ("2022", "2021"), ("2023", "2024"), ("2021", "2023")):
        status, said = run(old, new)
        assert status == 2
        assert f"{path}: its codes are not those of a transition table from" in said


def test_a_table_that_was_named_is_checked_too(years: Path, tmp_path: Path, run: Run) -> None:
    path = put(tmp_path / "named.txt", rows(2022))
    assert run("2022", "2023", "--catalogue", f"transitions-2022_2023={path}")[0] == 0
    assert remarks(years)["transitions 2022_2023"] == CONFIRMED
    status, said = run("2021", "2022", "--catalogue", f"transitions-2021_2022={path}")
    assert (status, f"{path}: its codes are not those" in said) == (2, True)


def test_a_table_with_the_right_name_and_other_codes_is_refused(years: Path, run: Run) -> None:
    put(years / "icd10gm2022syst_umsteiger_2021_2022.txt", rows(2022))
    assert "0 of 40 codes" in run("2021", "2022")[1]


def test_a_catalogue_without_a_year_must_be_named(years: Path, run: Run) -> None:
    path = (years / "icd10gm2022syst_kodes.txt").rename(years / "kodes.txt")
    status, said = run("2022", "2023")
    assert (status, f"{path}: may be icd10gm 2022, but does not say its version" in said) == (2, True)
    assert run("2022", "2023", "--catalogue", f"icd10gm-2022={path}")[0] == 0
    assert remarks(years)["icd10gm 2022"] == UNVERIFIED
    assert run("2022", "2023", "--catalogue", f"icd10gm-2022={years / 'icd10gm2023syst_kodes.txt'}")[0] == 2


def test_several_files_are_named_together_or_one_by_one(years: Path, run: Run) -> None:
    files = [f"icd10gm-{year}={years / f'{year}.dat'}" for year in (2022, 2023)]
    for year in (2022, 2023):
        (years / f"icd10gm{year}syst_kodes.txt").rename(years / f"{year}.dat")
    assert run("2022", "2023", "--catalogue", *files)[0] == 0
    assert run("2022", "2023", "--catalogue", files[0], "--catalogue", files[1])[0] == 0


@pytest.mark.parametrize("name", ["icd10gm-2024", "ops-2022", "transitions-2022", "icd10gm2022"])
def test_a_file_for_what_is_not_read_is_refused(years: Path, run: Run, name: str) -> None:
    status, said = run("2022", "2023", "--catalogue", f"{name}={years / 'icd10gm2022syst_kodes.txt'}")
    assert status == 2
    assert f"--catalogue: {name} is not read here; name files for icd10gm-2022, icd10gm-2023, alphaid-2022," in said


def test_an_alphaid_of_another_year_is_told(years: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def report(codes: list[str]) -> tuple[int, str]:
        lines = [f"1|I{number}|{code}|||||Text {number}" for number, code in enumerate(codes)]
        put(years / "icd10gm2022_alphaidse_edvtxt.txt", lines)
        place = ["--sources", str(years.parent / "sources.tsv"), "--folder", str(years)]
        status = main(["catalogues", "diff", "2022", "2023", *place])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    assert "has 1 code(s)" not in report(YEARS[2022])[1]
    status, said = report([*YEARS[2022], "D22"])
    assert (status, "Alpha-ID 2022 has 1 code(s) that are not terminal in ICD-10-GM 2022 (D22)" in said) == (0, True)
    status, said = report([*STABLE, *(f"C{number}.9" for number in range(10, 20))])
    assert status == 2
    assert "Alpha-ID 2022: 10 of its 60 codes are not terminal in ICD-10-GM 2022 (C10.9, C11.9, C12.9 …)" in said


def test_a_plainly_titled_icd10gm_is_found_for_its_year(years: Path) -> None:
    text = (
        '<ClaML version="2.0.0"><Identifier authority="DIMDI" uid="9"/><Title name="ICD-10" version="2022"/>'
        '<Class code="07" kind="chapter"><Rubric kind="preferred"><Label>Auge</Label></Rubric></Class>'
        '<Class code="H00-H02" kind="block"><SuperClass code="07"/>'
        '<Rubric kind="preferred"><Label>Lid</Label></Rubric></Class>'
        '<Class code="H00" kind="category"><Meta name="Para301" value="P"/><SuperClass code="H00-H02"/>'
        '<Rubric kind="preferred"><Label>Hordeolum</Label></Rubric></Class></ClaML>'
    )
    (years / "icd10gm2022syst_kodes.txt").unlink()
    (years / "any.xml").write_text(text, encoding="utf-8")
    found = open_catalogue("icd10gm", "2022", CataloguePlace(years.parent / "sources.tsv", years))[1]
    assert found.select("code", "title").rows() == [("H00", "Hordeolum")]


# -- the official files: the figures of docs/data.md --


Official = tuple[dict[str, pl.DataFrame], pl.DataFrame]


@pytest.fixture(scope="module")
def official(catalogues: Path) -> Official:
    spaces = {
        year: parse_catalogue("icd10gm", year, next(catalogues.rglob(f"icd10gm{year}syst_kodes*.txt")))[1]
        for year in ("2023", "2024", "2025")
    }
    return spaces, parse_transitions(next(catalogues.rglob("icd10gm2024syst_umsteiger_2023*.txt")))


def terminal(codes: pl.DataFrame) -> set[str]:
    return set(codes.filter("terminal")["code"])


@pytest.mark.catalogues
def test_the_official_table_fits_its_years_and_no_others(
    official: Official,
) -> None:
    spaces, transitions = official
    told = changed(set(transitions["old"].drop_nulls()), set(transitions["new"].drop_nulls()))
    found = {
        (old, new): round(agreement(told, changed(terminal(spaces[old]), terminal(spaces[new]))), 2)
        for old in spaces
        for new in spaces
        if old != new
    }
    assert found == dict.fromkeys(found, 0.0) | {("2023", "2024"): 1.0, ("2023", "2025"): 0.56}
    assert misfits(transitions, spaces["2023"], spaces["2024"]) == []
    for old, new in found:
        if (old, new) == ("2023", "2024"):
            check_links({"2023_2024": transitions}, spaces[old], spaces[new], {})
        else:
            with pytest.raises(InputError, match="codes that come or go"):
                check_links({f"{old}_{new}": transitions}, spaces[old], spaces[new], {})


@pytest.mark.catalogues
@pytest.mark.parametrize("fewer", [5, 10, 20])
def test_editions_of_a_year_that_lack_codes(official: Official, fewer: int) -> None:
    spaces, transitions = official
    told = changed(set(transitions["old"].drop_nulls()), set(transitions["new"].drop_nulls()))
    old, new = terminal(spaces["2023"]), terminal(spaces["2024"])
    for seed in range(10):
        kept = sorted(old & new)
        edition = old - set(shuffled(kept, seed, "edition", kept)[:fewer])
        assert agreement(told, changed(edition, new)) >= AGREEMENT
        assert agreement(told, changed(edition, old)) == 0  # as the year before 2023


@pytest.mark.catalogues
def test_neighbouring_years_of_alphaid_look_alike(catalogues: Path, official: Official) -> None:
    stand_in = next(catalogues.rglob("reconstructed_alphaidse2024*.txt"))
    codes = valid_codes(parse_catalogue("alphaid", "2024", stand_in)[0])
    unknown = {year: len(check_alphaid(codes, space, ("a", "b"))) for year, space in official[0].items()}
    assert (len(codes), unknown) == (9136, {"2023": 1, "2024": 0, "2025": 6})
    sample = parse_catalogue("alphaid", "2020", next(catalogues.rglob("icd10gm2020_alphaid_se_muster*.txt")))[0]
    codes = valid_codes(sample)
    unknown = {year: len(check_alphaid(codes, space, ("a", "b"))) for year, space in official[0].items()}
    assert (len(codes), unknown) == (1511, {"2023": 17, "2024": 20, "2025": 22})


@pytest.mark.catalogues
def test_the_official_table_without_its_name(catalogues: Path, tmp_path: Path) -> None:
    """Found for any pair of years where nothing is asked of its codes; the verbs ask."""
    (tmp_path / "files").mkdir()
    path = next(catalogues.rglob("icd10gm2024syst_umsteiger_2023*.txt"))
    (tmp_path / "files" / "umsteiger.txt").write_bytes(path.read_bytes())
    sources = write_sources(tmp_path)
    place = CataloguePlace(sources, tmp_path / "files")
    found = {link: open_transitions(link, place) for link in ("2023_2024", "2024_2025")}
    assert {fact["remark"] for fact in place.facts.values()} == {UNVERIFIED}
    assert found["2023_2024"].equals(found["2024_2025"])
