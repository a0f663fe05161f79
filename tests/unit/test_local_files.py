import os
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from onkocode.catalogues.fetching.archives import LARGEST, Candidate
from onkocode.catalogues.fetching.choosing import SAMPLES, Wanted, choose_member, judge_given
from onkocode.catalogues.fetching.local import FOLDER_VARIABLE, catalogue_folder, list_files, search
from onkocode.records.errors import InputError

ALPHAID = Wanted("alphaid", "2024", ("*icd10gm2024_alphaidse_edvtxt*.txt", "*alphaidse2024*.txt"))
OPS = Wanted("ops", "2024", ("ops2024syst_claml*.xml", "ops2024syst_kodes*.txt", "ops2024syst_dreisteller*.txt"))
TRANSITIONS = Wanted("transitions", "2023_2024", ("icd10gm2024syst_umsteiger_2023*_2024*.txt",))
CROSSWALK = Wanted("crosswalk", "2019", ("*icdo*icd10*65c*.csv",))


def alphaid(text: str = "Neubildung") -> bytes:
    return "".join(f"1|I{number}|C50.{number}||||{number}|{text} {number}\n" for number in range(9)).encode()


def kodes(text: str = "Eingriff") -> bytes:
    return "".join(f"1;T;X;5;5-87;5-87{n};5-87{n};587{n};{text} {n};;\n" for n in range(9)).encode()


def dreisteller() -> bytes:
    return b"".join(b"5;5-870;5-87%d;Eingriff %d\n" % (n, n) for n in range(9))


def claml(version: str = "2024") -> bytes:
    return f'<?xml version="1.0"?>\n<ClaML version="2.0.0"><Title name="OPS" version="{version}"/></ClaML>\n'.encode()


def transitions() -> bytes:
    return b"".join(b"C50.%d;C50.%d;A;A\n" % (n, n) for n in range(9))


def crosswalk(version: str = "ICD-O-3.2 2019") -> bytes:
    rows = f"{version}\tC50.1\tBrust\t8000\t/3\t0\tC50.1\tNeubildung\n" * 3
    return (
        "Version\tTopographie\tTopographie Text\tMorphologiecodes\tDignität\tDefault\tICD10\tText\n" + rows
    ).encode()


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refusal(wanted: Wanted, root: Path) -> str:
    with pytest.raises(InputError) as caught:
        search(wanted, root)
    assert str(caught.value).startswith(f"{root}")
    return str(caught.value)


# -- the folder --


def test_the_configured_folder_comes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "one", put(tmp_path / "other.zip", b"")
    one.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(other))
    assert (catalogue_folder(one), catalogue_folder(None)) == (one, other)
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    assert catalogue_folder(None) is None
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert catalogue_folder(None) is None


def test_the_users_home_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert catalogue_folder(Path("~")) == tmp_path


@pytest.mark.parametrize("name", ["nowhere", "loop", "a/b"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    put(tmp_path / "a", b"")
    with pytest.raises(
        InputError, match=f"{name}: no such folder of catalogue files .*catalogues.folder or {FOLDER_VARIABLE}"
    ):
        catalogue_folder(tmp_path / name)


# -- by name --


def test_the_first_pattern_is_preferred_in_any_subfolder_and_case(tmp_path: Path) -> None:
    third = put(tmp_path / "a" / "ops2024syst_dreisteller.txt", dreisteller())
    assert search(OPS, tmp_path) == third
    second = put(tmp_path / "a" / "b" / "OPS2024syst_Kodes_1.TXT", kodes())
    assert search(OPS, tmp_path) == second
    first = zipped(tmp_path / "x.zip", **{"Klassifikationsdateien/ops2024syst_claml_20231103.xml": claml()})
    assert search(OPS, tmp_path) == first


def test_a_file_comes_before_a_zip_file_and_that_before_one_within(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner", **{"ops2024syst_kodes.txt": kodes()}).read_bytes()
    (tmp_path / "inner").unlink()
    deep = zipped(tmp_path / "a.zip", **{"ops2024syst-meta.zip": inner})
    assert search(OPS, tmp_path) == deep
    flat = zipped(tmp_path / "b.zip", **{"ops2024syst_kodes.txt": kodes()})
    assert search(OPS, tmp_path) == flat
    plain = put(tmp_path / "ops2024syst_kodes.txt", kodes())
    assert search(OPS, tmp_path) == plain


def test_the_folder_may_be_one_file(tmp_path: Path) -> None:
    plain = put(tmp_path / "anything of 2024", kodes())
    archive = zipped(tmp_path / "download", **{"data of 2024": kodes()})
    assert (search(OPS, plain), search(OPS, archive)) == (plain, archive)
    assert "no file for alphaid 2024" in refusal(ALPHAID, plain)


def test_equal_files_are_one_and_different_ones_are_refused(tmp_path: Path) -> None:
    first = put(tmp_path / "a" / "ops2024syst_kodes.txt", kodes())
    zipped(tmp_path / "b.zip", **{"ops2024syst_kodes.txt": kodes()})
    second = put(tmp_path / "c" / "ops2024syst_kodes.txt", kodes())
    assert search(OPS, tmp_path) == first
    second.write_bytes(kodes("Anderes"))
    assert refusal(OPS, tmp_path) == (
        f"{tmp_path}: several different files for ops 2024: {first}, {second}; keep one of them there, or name it in "
        f"catalogues.files"
    )


def test_a_name_with_other_content_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "ops2024syst_kodes.txt", alphaid())
    put(tmp_path / "right.txt", kodes())
    assert refusal(OPS, tmp_path).startswith(
        f"{path}: should be ops 2024 but is an Alpha-ID file by its content (8 fields); put the right file there"
    )


def test_a_name_with_the_content_of_another_year_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "ops2024syst_claml_1.xml", claml("2023"))
    assert refusal(OPS, tmp_path).startswith(f"{path}: should be ops 2024 but says that it is version 2023")


@pytest.mark.parametrize(
    "name", ["icd10gm2024_alphaidse_edvtxt_example.txt", "icd10gm2024_alphaidse_edvtxt_Muster.txt"]
)
def test_a_sample_is_no_catalogue(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / name, alphaid())
    assert refusal(ALPHAID, tmp_path).endswith(f"put it there; of alphaid there is a sample in {path}")
    asked_for = Wanted("alphaid", "example", (f"example/{name}",))
    assert search(asked_for, tmp_path) == path


# -- by content --


@pytest.mark.parametrize(
    "name", ["meine_datei_2024.txt", "Kopie von Ärzte (3) 2024.TXT", "alphaid2024", "2024.csv", "2024.bak", "2024"]
)
def test_a_renamed_file_is_found(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / "sub folder" / name, alphaid())
    put(tmp_path / "ops.txt", kodes())
    assert search(ALPHAID, tmp_path) == path


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="/.\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_name_with_the_year_will_do_and_none_without(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    assume(not SAMPLES.search(name.lower()) and not any(character.isdigit() for character in name))
    path = put(tmp_path_factory.mktemp("folder") / name, alphaid())
    key = "alphaid-2024"
    assert refusal(ALPHAID, path.parent) == (
        f"{path.parent}: {path}: may be alphaid 2024, but does not say its version in content or name; where you know "
        f"that it is, name it: `{key}: FILE` under catalogues.files, or --catalogue {key}=FILE"
    )
    renamed = path.rename(path.with_name(f"{name}2024"))
    assert search(ALPHAID, path.parent) == renamed


@pytest.mark.parametrize("name", ["download (3).zip", "download"])
def test_a_renamed_zip_file_with_renamed_members_is_found(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / name, **{"Liesmich.txt": b"Guten Tag", "data/1 (2024).dat": alphaid()})
    assert search(ALPHAID, tmp_path) == path


def test_a_renamed_zip_file_is_searched_for_names_too(tmp_path: Path) -> None:
    path = zipped(tmp_path / "download", **{"ops2024syst_kodes.txt": b"strange\n"})
    assert search(OPS, tmp_path) == path


def test_the_year_of_a_renamed_file_counts_where_it_shows(tmp_path: Path) -> None:
    put(tmp_path / "alphaid 2023.txt", alphaid("Altes"))
    said = refusal(ALPHAID, tmp_path)
    assert said.endswith(f"; of alphaid there is 2023 in {tmp_path / 'alphaid 2023.txt'}")
    path = put(tmp_path / "alphaid.txt", alphaid())
    said = refusal(ALPHAID, tmp_path)
    assert f"{path}: may be alphaid 2024, but" in said
    assert said.endswith(f"; of alphaid there is 2023 in {tmp_path / 'alphaid 2023.txt'}")
    path = put(tmp_path / "alphaid 2024.txt", alphaid("Neues"))
    assert search(ALPHAID, tmp_path) == path


def test_a_copy_of_another_years_file_is_none_of_this_year(tmp_path: Path) -> None:
    put(tmp_path / "alphaid 2023.txt", alphaid())
    put(tmp_path / "alphaid.txt", alphaid())
    assert "no file for alphaid 2024" in refusal(ALPHAID, tmp_path)


def test_files_of_unknown_year_are_taken_on_demand_where_there_is_one(tmp_path: Path) -> None:
    first, second = put(tmp_path / "a.txt", alphaid()), put(tmp_path / "b.txt", alphaid())
    assert f"{first}, {second}: may be alphaid 2024, but do not say their version" in refusal(ALPHAID, tmp_path)
    assert search(ALPHAID, tmp_path, unsure=True) == first
    second.write_bytes(alphaid("Anderes"))
    with pytest.raises(InputError, match=f"several different files for alphaid 2024: {first}, {second}; keep"):
        search(ALPHAID, tmp_path, unsure=True)


@pytest.mark.parametrize(
    ("wanted", "data"),
    [
        (ALPHAID, alphaid()),
        (OPS, kodes()),
        (OPS, dreisteller()),
        (OPS, claml("")),
        (TRANSITIONS, transitions()),
        (CROSSWALK, crosswalk("")),
        (Wanted("icd10gm", "2024", ("icd10gm2024syst_kodes*.txt",)), 9 * b"4;T;X;02;C50;C50.9;C50.9;C509;Brust;;\n"),
        (Wanted("icdo3", "2019", ("icdo3*2019*claml*.xml",)), b'<ClaML><Title name="ICD-O-3"/></ClaML>'),
    ],
)
@pytest.mark.parametrize("within", [False, True])
def test_no_kind_of_file_is_of_a_year_that_it_does_not_say(
    tmp_path: Path, wanted: Wanted, data: bytes, within: bool
) -> None:
    path = zipped(tmp_path / "a.zip", data=data) if within else put(tmp_path / "data", data)
    assert f"may be {wanted}, but does not say its version" in refusal(wanted, tmp_path)
    assert search(wanted, tmp_path, unsure=True) == path
    choice = choose_member(wanted, Candidate(path)) if within else judge_given(wanted, Candidate(path))
    assert (choice.found_by, choice.remark) == ("content", "version not verifiable")


def test_a_pattern_without_the_year_does_not_tell_it(tmp_path: Path) -> None:
    path = put(tmp_path / "icdo_icd10_65c.csv", crosswalk(""))
    assert f"{path}: may be crosswalk 2019, but does not say" in refusal(CROSSWALK, tmp_path)
    assert judge_given(CROSSWALK, Candidate(path)).remark == "version not verifiable"
    path.write_bytes(crosswalk())
    assert search(CROSSWALK, tmp_path) == path
    assert judge_given(CROSSWALK, Candidate(path)).remark == ""
    mine = put(tmp_path / "mine.txt", alphaid())
    assert search(Wanted("alphaid", "2024", ("mine.txt",)), tmp_path) == mine  # the table names this one file
    assert "may be alphaid 2024, but" in refusal(Wanted("alphaid", "2024", ("mine*.txt",)), tmp_path)


@pytest.mark.parametrize(
    ("name", "title", "said"),
    [
        ("icdo3.xml", 'name="ICD-O-3" version="Erste Revision"', "2014"),
        ("icdo3rev1-claml-2019.xml", 'name="ICD-O-3"', "2014"),
        ("icdo32019_claml.xml", 'name="ICD-O-3" version="Erste Revision"', "2014"),
    ],
)
def test_the_first_revision_is_not_taken_for_the_second(tmp_path: Path, name: str, title: str, said: str) -> None:
    wanted = Wanted("icdo3", "2019", ("icdo3*2019*claml*.xml", "icdo3rev2*claml*.xml"))
    data = f'<?xml version="1.0"?>\n<ClaML version="2.0.0"><Title {title}>Onkologie</Title></ClaML>'.encode()
    path = put(tmp_path / name, data)
    assert re.search(f"says that it is version {said}|there is {said} in {path}", refusal(wanted, tmp_path))
    with pytest.raises(InputError, match=f"should be icdo3 2019 but says that it is version {said}"):
        judge_given(wanted, Candidate(path))
    inside = zipped(tmp_path / "a.zip", **{name: data})
    with pytest.raises(InputError, match=f"version {said}|holds no member like"):
        choose_member(wanted, Candidate(inside))
    assert search(Wanted("icdo3", "2014", ("icdo3*2014*claml*.xml",)), path) == path


def test_layouts_are_preferred_within_a_year_only(tmp_path: Path) -> None:
    put(tmp_path / "ops 2024 classes.txt", dreisteller())
    better = put(tmp_path / "ops 2024 codes.txt", kodes())
    assert search(OPS, tmp_path) == better
    best = put(tmp_path / "any.xml", claml())
    assert search(OPS, tmp_path) == best
    for path in tmp_path.iterdir():
        path.unlink()
    put(tmp_path / "classes.txt", dreisteller())
    put(tmp_path / "codes.txt", kodes())
    assert "may be ops 2024, but do not say" in refusal(OPS, tmp_path)


@pytest.mark.parametrize(
    ("name", "sure"),
    [
        ("umsteiger_2023_2024.txt", True),
        ("umsteiger20232024.txt", True),
        ("2024 aus 2023, Stand 20221206.txt", True),
        ("umsteiger.txt", False),
        ("2024.txt", False),
        ("2023 bis 2024, am 3.1.2022.txt", False),
    ],
)
def test_transitions_need_both_years(tmp_path: Path, name: str, sure: bool) -> None:
    path = put(tmp_path / name, transitions())
    assert search(TRANSITIONS, tmp_path, unsure=True) == path
    assert judge_given(TRANSITIONS, Candidate(path)).remark == ("" if sure else "version not verifiable")
    if sure:
        assert search(TRANSITIONS, tmp_path) == path
    else:
        assert f"{path}: may be transitions 2023_2024, but" in refusal(TRANSITIONS, tmp_path)


@pytest.mark.parametrize("name", ["umsteiger_2004_2005.txt", "umsteiger20042005.txt", "umsteiger 2005.txt"])
def test_a_table_of_other_years_is_refused_even_where_it_is_named(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / name, transitions())
    with pytest.raises(InputError, match=r"should be transitions 2023_2024 but says that it is version 200"):
        judge_given(TRANSITIONS, Candidate(path))
    with pytest.raises(InputError, match="of transitions there is 200"):
        search(TRANSITIONS, tmp_path, unsure=True)


def test_transitions_of_other_years_are_not_taken(tmp_path: Path) -> None:
    path = put(tmp_path / "umsteiger_2022_2023.txt", transitions())
    assert refusal(TRANSITIONS, tmp_path).endswith(f"of transitions there is 2022_2023 in {path}")


def test_the_crosswalk_says_its_version(tmp_path: Path) -> None:
    path = put(tmp_path / "rules 2023.csv", crosswalk())
    assert search(CROSSWALK, tmp_path) == path
    path.write_bytes(crosswalk("2026"))
    assert f"of crosswalk there is 2026 in {path}" in refusal(CROSSWALK, tmp_path)


# -- what is in the way --


def test_foreign_files_are_not_opened(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.xlsx", "c.json", "d.part", "e.DOCX", ".hidden"):
        put(tmp_path / name, alphaid())
    put(tmp_path / "f.bin.txt", b"\0" + alphaid())
    put(tmp_path / ".git" / "g.txt", alphaid())
    assert refusal(ALPHAID, tmp_path).endswith("and by content); put it there")


def test_huge_files_are_not_read(tmp_path: Path) -> None:
    path = put(tmp_path / "huge 2024.txt", 2_000 * alphaid())
    assert search(ALPHAID, tmp_path) == path
    os.truncate(path, 10 * LARGEST)
    assert "no file for alphaid 2024" in refusal(ALPHAID, tmp_path)


def test_what_the_workflow_wrote_is_not_the_users(tmp_path: Path) -> None:
    put(tmp_path / "results" / "source2024", alphaid())
    assert search(ALPHAID, tmp_path) == tmp_path / "results" / "source2024"
    put(tmp_path / "results" / "source2024.provenance.json", b"{}")
    assert "no file for alphaid 2024" in refusal(ALPHAID, tmp_path)


def test_links_are_followed_once(tmp_path: Path) -> None:
    elsewhere = put(tmp_path / "elsewhere" / "ops2024syst_kodes.txt", kodes()).parent
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "again").symlink_to(elsewhere)
    (root / "b").symlink_to(elsewhere)
    (root / "broken").symlink_to("nowhere")
    (root / "self").symlink_to("self")
    files, problems = list_files(root)
    assert [path.name for path in files] == ["ops2024syst_kodes.txt"]
    assert problems == [f"{root / 'self'} (Too many levels of symbolic links)"]
    assert search(OPS, root) in (root / "b" / "ops2024syst_kodes.txt", root / "a" / "again" / "ops2024syst_kodes.txt")


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ops2024syst_kodes.txt")
    assert "no file for ops 2024" in refusal(OPS, tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    put(tmp_path / "a.txt", alphaid()).chmod(0)
    put(tmp_path / "b" / "c.txt", alphaid()).parent.chmod(0)
    said = refusal(ALPHAID, tmp_path)
    (tmp_path / "b").chmod(0o700)
    assert f"{tmp_path / 'a.txt'}: cannot be read (Permission denied)" in said
    assert f"{tmp_path / 'b'} (Permission denied)" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>Fehler</html>", "is an HTML page, not a zip file"),
        (b"PK\x03\x04 cut off", "not a whole zip file"),
        (b"", "not a whole zip file"),
    ],
)
def test_a_zip_file_that_is_none_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = put(tmp_path / "ops.zip", content)
    assert f". Not searched: {path}: {message}" in refusal(OPS, tmp_path)
    plain = put(tmp_path / "ops2024syst_kodes.txt", kodes())
    assert search(OPS, tmp_path) == plain


def test_a_broken_zip_file_within_one_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "ops.zip", **{"meta.zip": b"PK"})
    assert f". Not searched: {path} (meta.zip): not a whole zip file" in refusal(OPS, tmp_path)


def test_nothing_found_says_what_was_looked_for(tmp_path: Path) -> None:
    assert refusal(OPS, tmp_path) == (
        f"{tmp_path}: no file for ops 2024 (looked for ops2024syst_claml*.xml or ops2024syst_kodes*.txt or "
        f"ops2024syst_dreisteller*.txt, in subfolders and zip files too, and by content); put it there"
    )


# -- a file that was named --


@pytest.mark.parametrize(
    ("name", "data", "found_by", "remark"),
    [
        ("OPS2024syst_kodes_1.txt", kodes(), "name", ""),
        ("ops2024syst_kodes.txt", b"strange\n", "name", ""),
        ("my ops 2024.txt", kodes(), "content", ""),
        ("my.xml", claml(), "content", ""),
        ("my.txt", kodes(), "content", "version not verifiable"),
        ("my.txt", b"strange\n", "given", "version not verifiable"),
    ],
)
def test_a_named_file_is_taken(tmp_path: Path, name: str, data: bytes, found_by: str, remark: str) -> None:
    candidate = Candidate(put(tmp_path / name, data))
    choice = judge_given(OPS, candidate)
    assert (choice.candidate, choice.found_by, choice.remark) == (candidate, found_by, remark)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("my.txt", alphaid(), "should be ops 2024 but is an Alpha-ID file by its content"),
        ("ops2024syst_kodes.txt", alphaid(), "should be ops 2024 but is an Alpha-ID file by its content"),
        ("ops2023syst_kodes.txt", kodes(), "should be ops 2024 but says that it is version 2023"),
        ("my.xml", claml("2023"), "should be ops 2024 but says that it is version 2023"),
    ],
)
def test_a_named_file_that_is_something_else_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge_given(OPS, Candidate(put(tmp_path / name, data)))


def test_versions_of_the_users_own_are_not_compared(tmp_path: Path) -> None:
    path = put(tmp_path / "ops2023syst_kodes.txt", kodes())
    assert judge_given(Wanted("ops", "example", ("x",)), Candidate(path)).remark == "version not verifiable"
