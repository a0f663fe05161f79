import hashlib
import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onkocode.catalogues.fetching.sources import FOLDER_VARIABLE, TERMS, Source, find_local, read_sources, retrieve
from onkocode.catalogues.formats.parse import DATASETS
from onkocode.catalogues.versions.opening import CataloguePlace, open_catalogue, open_transitions
from onkocode.cli import main
from onkocode.records.errors import InputError
from tests.unit.claml_files import chapter, claml, cls, modifier, used
from tests.unit.serving import QUICK, Answer, redirect, serving, whole

HEADER = "dataset\tversion\tfile\turl\tsha256\tterms\tnote\n"
ROW = "ops\t2024\tops2024syst_kodes*.txt ops2024*dreisteller*.txt\t\t\tBfArM\tby hand\n"
TEXT = "".join(f"1;T;X;5;5-87;5-87{n};5-87{n};587{n};Eingriff {n};;\n" for n in range(9)).encode()
ALPHAID = b"".join(b"1|I%d|C50.%d||||%d|Neubildung %d\n" % (n, n, n, n) for n in range(9))
OFFICIAL = {
    ("alphaid", "2013"): ["icd10gm2013_alphaid_edvascii_20120928.txt"],
    ("icd10gm", "2013"): ["icd10gm2013syst_kodes.txt", "icd10gm2013syst_claml_20120921.xml"],
    ("transitions", "2013_2014"): ["icd10gm2014syst_umsteiger_2013_2014.txt"],
    ("alphaid", "2014"): ["icd10gm2014_alphaid_edvtxt_20130930.txt", "icd10gm2014_alphaid_edvascii_20130930.txt"],
    ("alphaid", "2015"): ["icd10gm2015_alphaidse_edvtxt_20140930.txt"],
    ("alphaid", "2016"): ["icd10gm2016_alphaidse_edvtxt_20151002.txt"],
    ("alphaid", "2017"): ["icd10gm2017_alphaidse_edvtxt_20161005.txt"],
    ("alphaid", "2018"): ["icd10gm2018_alphaidse_edvtxt_20171004.txt", "icd10gm2018_alphaid_edvtxt_20171004.txt"],
    ("alphaid", "2019"): ["icd10gm2019_alphaidse_edvtxt_20181005.txt", "icd10gm2019_alphaid_edvtxt_20181005.txt"],
    ("alphaid", "2020"): ["icd102020_alphaidse_edvtxt_20191004.txt", "icd102020_alphaid_edvtxt_20191004.txt"],
    ("alphaid", "2021"): ["icd10gm2021_alphaidse_edvtxt_20201002.txt", "icd10gm2021_alphaid_edvtxt_20201002.txt"],
    ("alphaid", "2022"): ["icd10gm2022_alphaidse_edvtxt_20211001_20220114.txt"],
    ("alphaid", "2023"): ["icd10gm2023_alphaidse_edvtxt_20220930.txt"],
    ("alphaid", "2024"): ["icd10gm2024_alphaidse_edvtxt_20230929.txt"],
    ("alphaid", "2025"): ["icd10gm2025_alphaidse_edvtxt_20240927.txt"],
    ("alphaid", "2026"): ["icd10gm2026_alphaidse_edvtxt_20250926.txt"],
    ("icd10gm", "2014"): ["icd10gm2014syst_kodes.txt", "icd10gm2014syst_claml_20131015.xml"],
    ("icd10gm", "2020"): ["icd10gm2020syst_kodes.txt", "icd10gm2020syst_claml_20190920.xml"],
    ("icd10gm", "2021"): ["icd10gm2021syst_kodes.txt", "icd10gm2021syst_claml_20200918_20201111.xml"],
    ("icd10gm", "2022"): ["icd10gm2022syst_kodes.txt", "icd10gm2022syst_claml_20210917.xml"],
    ("icd10gm", "2023"): ["icd10gm2023syst_kodes_20221206.txt"],
    ("icd10gm", "2024"): ["icd10gm2024syst_kodes.txt", "icd10gm2024syst_claml_20230915.xml"],
    ("icd10gm", "2026"): ["icd10gm2026syst_kodes.txt", "icd10gm2026syst_claml_20250912.xml"],
    ("icdo3", "2014"): ["icdo3rev1-2014syst_claml_20190101.xml"],
    ("icdo3", "2019"): ["icdo32019_claml.xml", "icdo3rev2-2019syst_claml_20210129.xml"],
    ("ops", "2018"): ["ops2018syst_claml_20171018.xml", "ops2018syst_kodes.txt", "ops2018syst_dreisteller.txt"],
    ("ops", "2021"): ["ops2021syst_claml_20201016.xml", "ops2021syst_kodes.txt"],
    ("ops", "2026"): ["ops2026syst_claml_20251017.xml", "ops2026syst_kodes.txt", "ops2026syst_dreisteller.txt"],
    ("transitions", "2014_2015"): ["icd10gm2015syst_umsteiger_2014_2015.txt"],
    ("transitions", "2020_2021"): ["icd10gm2021syst_umsteiger_2020_2021.txt"],
    ("transitions", "2022_2023"): ["icd10gm2023syst_umsteiger_2022_2023_20221206.txt"],
    ("transitions", "2023_2024"): ["icd10gm2024syst_umsteiger_2023_20221206_2024.txt"],
    ("transitions", "2025_2026"): ["icd10gm2026syst_umsteiger_2025_2026.txt"],
    ("crosswalk", "2019"): ["icdo_icd10_solid_tumours_65c.csv", "ICD-O_ICD-10_Überleitung_Solide_Tumoren.CSV"],
}
NOT_CATALOGUES = [
    "icd10gm2024alpha_edvtxt_20230929.txt",
    "icd10gm2024syst_gruppen.txt",
    "icd10gm2024syst_kapitel.txt",
    "ops2024syst_gruppen.txt",
    "ops2024syst_kapitel.txt",
    "ops2024alpha_edvtxt_20231103.txt",
    "ops2024syst_umsteiger_2023_2024.txt",
    "icd10gm2020_alphaid_se_muster_edvtxt_20191004.txt",
    "icd10gm2024_alphaidse_liesmich.pdf",
]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)


@pytest.fixture(scope="module")
def shipped(root: Path) -> dict[tuple[str, str], Source]:
    return read_sources(root / "config/catalogues.tsv")


def source(url: str = "", sha256: str = "") -> Source:
    return Source("ops", "2024", "ops2024syst_kodes*.txt ops2024*dreisteller*.txt", url, sha256, "BfArM", "by hand")


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# -- the shipped table --


def test_the_table_has_all_years_that_can_be_read(shipped: dict[tuple[str, str], Source]) -> None:
    first = {"alphaid": 2013, "icd10gm": 2013, "ops": 2014}
    last = max(int(version) for dataset, version in shipped if dataset == "icd10gm" and version != "example")
    assert last >= 2026
    expected = {(dataset, f"{year}") for dataset in first for year in range(first[dataset], last + 1)}
    expected |= {("transitions", f"{year}_{year + 1}") for year in range(2013, last)}
    expected |= {("icdo3", "2014"), ("icdo3", "2019"), ("crosswalk", "2019"), ("registries", "2019")}
    assert set(shipped) == expected | {(dataset, "example") for dataset in DATASETS}


def test_the_examples_are_shipped(in_root: Path, shipped: dict[tuple[str, str], Source]) -> None:
    for dataset in DATASETS:
        found = find_local(shipped[dataset, "example"], None)
        assert found is not None
        assert found.is_file()


@pytest.mark.parametrize(("key", "names"), OFFICIAL.items(), ids=map("-".join, OFFICIAL))
def test_official_names_belong_to_one_row(
    key: tuple[str, str], names: list[str], shipped: dict[tuple[str, str], Source]
) -> None:
    for name in names:
        assert [row for row, source in shipped.items() if source.wanted.rank(name) is not None] == [key]
    ranks = [shipped[key].wanted.rank(name) for name in names]
    assert ranks == sorted(ranks, key=lambda rank: rank or 0)
    assert len(set(ranks)) == len(ranks) or key[0] == "icdo3"


@pytest.mark.parametrize("name", NOT_CATALOGUES)
def test_other_official_files_belong_to_no_row(name: str, shipped: dict[tuple[str, str], Source]) -> None:
    assert [row for row, source in shipped.items() if source.wanted.rank(name) is not None] == []


def test_inclusions_come_first_for_ops_and_the_plain_table_for_icd10gm(shipped: dict[tuple[str, str], Source]) -> None:
    names = {
        "claml": "{}2024syst_claml_20231103.xml",
        "kodes": "{}2024syst_kodes.txt",
        "three": "{}2024syst_dreisteller.txt",
    }
    for dataset, order in (("ops", ["claml", "kodes", "three"]), ("icd10gm", ["kodes", "claml"])):
        ranks = {kind: shipped[dataset, "2024"].wanted.rank(name.format(dataset)) for kind, name in names.items()}
        assert sorted((rank, kind) for kind, rank in ranks.items() if rank is not None) == list(enumerate(order))


def test_addresses_of_the_table_are_bfarms(shipped: dict[tuple[str, str], Source]) -> None:
    hosts = {source.url.split("/")[2] for source in shipped.values() if source.url}
    assert hosts == {"multimedia.gsb.bund.de", "www.bfarm.de"}


def test_the_layouts_of_2013_are_found_and_parsed(root: Path, tmp_path: Path) -> None:
    """30 fields; six fields in Windows-1252; ClaML that names valid classes without all="false"."""
    start = ["4", "T", "X", "07", "H00", "H00.0", "H00.0", "H000", "Hordeolum, übrig", "Hordeolum", "", ""]
    (tmp_path / "icd10gm2013syst_kodes.txt").write_text(";".join([*start, *["9"] * 17, "J"]) + "\n", encoding="utf-8")
    words = "1|I1|H00.0|||Gerstenkorn, übrig\n".encode("cp1252")
    (tmp_path / "icd10gm2013_alphaid_edvascii_20120928.txt").write_bytes(words)
    (tmp_path / "icd10gm2014syst_umsteiger_2013_2014.txt").write_text("H00.0;H00.0;A;A\n", encoding="utf-8")
    place = CataloguePlace(root / "config/catalogues.tsv", tmp_path)
    assert open_catalogue("icd10gm", "2013", place)[1]["code"].to_list() == ["H00.0"]
    assert open_catalogue("alphaid", "2013", place)[0]["text"].to_list() == ["Gerstenkorn, übrig"]
    assert open_transitions("2013_2014", place).height == 1
    (tmp_path / "icd10gm2013syst_kodes.txt").unlink()
    body = modifier("S07H00_4", {".0": "rechts", ".1": "links", ".2": "beidseits"})
    body += chapter("07", "H00-H02") + cls("H00", "H00-H02", "Hordeolum", used("S07H00_4", ".0", ".1"))
    text = claml(body).replace('"2024"', '"2013"')
    (tmp_path / "icd10gm2013syst_claml_20120921.xml").write_text(text, encoding="utf-8")
    codes = open_catalogue("icd10gm", "2013", place)[1]
    assert codes["code"].to_list() == ["H00", "H00.0", "H00.1"]


# -- tables of the user's own --


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "not a readable table of sources"),
        (b"", "the first line must name the columns"),
        (b"\xff\xfe", "not a readable table of sources"),
        (b"a\tb\n1\t2\n", "the first line must name the columns dataset, version, file, url, sha256, terms, note"),
        (HEADER + ROW + ROW, "line 3: ops 2024 stands twice"),
        (HEADER + ROW.replace("\n", "\tmore\n"), "line 2: 8 columns instead of 7"),
        (HEADER + "ops\t2024\n", "line 2: 2 columns instead of 7"),
        (HEADER + ROW.replace("ops\t", "opcs\t"), "line 2: unknown dataset 'opcs' (known: alphaid, "),
        (HEADER + ROW.replace("2024", "24", 1), "line 2: version '24' must be a year"),
        (HEADER + ROW.replace("2024", "../x", 1), "line 2: version '../x' must be a year"),
        (HEADER + ROW.replace("2024", "2023_2024", 1), "line 2: version '2023_2024' must be a year"),
        (HEADER + ROW.replace("ops", "transitions", 1), "line 2: version '2024' must be two years such as 2023_2024"),
        (
            HEADER + ROW.replace("ops\t2024", "transitions\t2024_2023"),
            "line 2: version '2024_2023' must name the earlier",
        ),
        (
            HEADER + ROW.replace("ops\t2024", "transitions\t2024_2024"),
            "line 2: version '2024_2024' must name the earlier",
        ),
        (HEADER + "ops\t2024\t\t\t\tBfArM\tx\n", "line 2: `file` is empty"),
        (
            HEADER + ROW.replace("ops2024syst", "a/ops"),
            "line 2: `file` must be name patterns without folders, or one path",
        ),
        (HEADER + ROW.replace("\t\t\tB", "\thttp://a.b/c\t\tB"), "line 2: `url` must begin with https://"),
        (HEADER + ROW.replace("\t\t\tB", "\thttps://[\t\tB"), "line 2: `url` must begin with https://"),
        (
            HEADER + ROW.replace("\t\t\tB", "\thttps://a.b/c?cms_dlConfirm=true\t\tB"),
            "must not hold cms_dlConfirm: consent",
        ),
        (
            HEADER + ROW.replace("\t\tB", "\tabc\tB"),
            "line 2: `sha256` must have 64 hexadecimal digits in small letters",
        ),
        (HEADER + ROW.replace("\t\tB", f"\t{'G' * 64}\tB"), "line 2: `sha256` must have 64 hexadecimal digits"),
        (
            HEADER + ROW.replace("BfArM", "GPL"),
            "line 2: unknown terms 'GPL' (known: BfArM, Plattform-65c, CC-BY-4.0-RKI, MIT)",
        ),
        (HEADER + ROW.replace("by hand", " "), "line 2: `note` is empty, but without `url` it must say where"),
    ],
)
def test_unsound_tables_name_the_line(tmp_path: Path, table: str | bytes | None, message: str) -> None:
    path = tmp_path / "sources.tsv"
    if table is not None:
        path.write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(InputError) as caught:
        read_sources(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sources.tsv"
    path.write_text(HEADER + "x\t1\t\t\t1\tz\t\n" + ROW + "\n" + "ops\n")
    with pytest.raises(InputError) as caught:
        read_sources(path)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == ["  line 2"] * 5 + ["  line 5"]


def test_a_table_from_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sources.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROW).replace("\n", "\r\n").encode() + b"\r\n")
    assert read_sources(path) == {("ops", "2024"): source()}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.text(max_size=12), max_size=8), max_size=4))
def test_any_table_is_read_or_refused(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "sources.tsv"
    path.write_text(HEADER + ROW + "\n".join("\t".join(cells) for cells in rows), encoding="utf-8", errors="replace")
    with suppress(InputError):
        assert ("ops", "2024") in read_sources(path)


# -- where the file is --


def test_a_path_in_the_table_comes_before_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "my.txt"
    row = Source("ops", "own", str(path), "", "", "MIT", "mine")
    with pytest.raises(InputError, match=r"my\.txt: no such file, but the table of sources names it for ops own"):
        find_local(row, tmp_path)
    path.write_bytes(TEXT)
    assert find_local(row, Path("nowhere")) == path


def test_without_a_folder_the_file_is_to_be_downloaded(tmp_path: Path) -> None:
    assert find_local(source(), None) is None
    for row, advice in (
        (source(), r"\(by hand\)"),
        (source("https://example.org/a.zip"), ", or leave the folder out to download it"),
    ):
        with pytest.raises(InputError, match=rf"no file for ops 2024 .*; put it there ?{advice}$"):
            find_local(row, tmp_path)


# -- copying --


def test_a_local_file_is_copied_with_its_facts(tmp_path: Path) -> None:
    path, output = tmp_path / "ops2024syst_kodes.txt", tmp_path / "results" / "source"
    path.write_bytes(TEXT)
    facts = retrieve(source(), path, False, output)
    assert output.read_bytes() == TEXT
    assert facts == {
        "origin": str(path),
        "address": "",
        "member": "",
        "sha256": hashlib.sha256(TEXT).hexdigest(),
        "terms": TERMS["BfArM"],
        "found_by": "name",
        "remark": "",
    }


def test_a_member_is_copied_under_the_outputs_name(tmp_path: Path) -> None:
    path, output = tmp_path / "download", tmp_path / "source"
    path.write_bytes(zipped(**{"a/any.txt": TEXT}))
    facts = retrieve(source(), path, False, output)
    assert (output.read_bytes(), left(tmp_path)) == (TEXT, ["download", "source"])
    assert (facts["member"], facts["found_by"], facts["remark"]) == ("a/any.txt", "content", "version not verifiable")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<!DOCTYPE html><html>Fehler</html>", "is an HTML page, not a catalogue file"),
        (b"%PDF-1.4", "is a PDF document, not a catalogue file"),
        (b"\x1f\x8b\x08", "is a gzip archive, not a catalogue file"),
        (b"\n", "is empty, not a catalogue file"),
        (ALPHAID, "should be ops 2024 but is an Alpha-ID file by its content"),
        (b"PK\x03\x04", "not a whole zip file"),
    ],
)
def test_what_is_no_catalogue_is_not_copied(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "ops2024syst_kodes.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"^{path}.*{message}"):
        retrieve(source(), path, False, tmp_path / "source")
    assert left(tmp_path) == ["ops2024syst_kodes.txt"]


@pytest.mark.parametrize("name", ["none.txt", "none.zip", "folder"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=f"^{tmp_path / name}"):
        retrieve(source(), tmp_path / name, False, tmp_path / "source")


# -- downloading --


def test_a_download_is_unpacked_checked_and_told(tmp_path: Path) -> None:
    body = zipped(**{"Klassifikationsdateien/ops2024syst_kodes.txt": TEXT, "Liesmich.txt": b"x"})
    with serving(redirect("/b/meta.zip"), whole(body)) as served:
        row = source(served.at("/a.zip"), hashlib.sha256(body).hexdigest())
        facts = retrieve(row, None, True, tmp_path / "source", QUICK)
    assert (tmp_path / "source").read_bytes() == TEXT
    assert left(tmp_path) == ["source"]
    assert facts == {
        "origin": served.at("/a.zip"),
        "address": served.at("/b/meta.zip"),
        "member": "Klassifikationsdateien/ops2024syst_kodes.txt",
        "sha256": hashlib.sha256(TEXT).hexdigest(),
        "terms": TERMS["BfArM"],
        "found_by": "name",
        "remark": "",
    }


@pytest.mark.parametrize(("path", "found_by"), [("/ops2024syst_kodes.txt", "name"), ("/get?id=7", "content")])
def test_a_download_may_be_a_plain_file(tmp_path: Path, path: str, found_by: str) -> None:
    with serving(whole(TEXT)) as served:
        facts = retrieve(source(served.at(path)), None, True, tmp_path / "source", QUICK)
    assert ((tmp_path / "source").read_bytes(), facts["found_by"]) == (TEXT, found_by)


def test_consent_is_said_to_a_landing_page(tmp_path: Path) -> None:
    with serving(whole(zipped(**{"ops2024syst_kodes.txt": TEXT}))) as served:
        retrieve(source(served.at("/ops_zip.html?nn=1")), None, True, tmp_path / "source", QUICK)
    assert [path for path, _ in served.asked] == ["/ops_zip.html?nn=1&cms_dlConfirm=true"]


def test_without_consent_nobody_is_asked(tmp_path: Path) -> None:
    with serving(whole(TEXT)) as served, pytest.raises(InputError) as caught:
        retrieve(source(served.at("/ops_zip.html")), None, False, tmp_path / "source", QUICK)
    assert served.asked == []
    assert left(tmp_path) == []
    assert str(caught.value) == (
        f"ops 2024: the terms of use must be accepted before downloading: read those shown with the file at "
        f"{TERMS['BfArM']}, then set catalogues.accept_terms: true (or --consent true)"
    )


def test_without_an_address_the_message_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        retrieve(source(), None, True, tmp_path / "source", QUICK)
    assert str(caught.value) == (
        f"ops 2024: no download address is known (by hand); see {TERMS['BfArM']}, set catalogues.folder or "
        f"{FOLDER_VARIABLE}"
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (whole(b"<html>Bitte zustimmen</html>"), "answered with an HTML page instead of the file"),
        (whole(b"", 404), "there is no such file"),
        (whole(TEXT), "wrong checksum, so it is not used"),
        (whole(zipped(**{"../ops2024syst_kodes.txt": TEXT})), "points outside the zip file; refused"),
        (whole(zipped(**{"ops2024syst_kodes.txt": TEXT})[:-9]), "not a whole zip file"),
        (whole(zipped(**{"Liesmich.txt": b"x"})), "holds no member like ops2024syst_kodes"),
        (whole(zipped(**{"ops2024syst_kodes.txt": ALPHAID})), "should be ops 2024 but is an Alpha-ID file"),
        (whole(ALPHAID), "should be ops 2024 but is an Alpha-ID file"),
    ],
)
def test_a_failed_download_leaves_nothing_and_names_the_page(tmp_path: Path, answer: Answer, message: str) -> None:
    sha256 = "0" * 64 if "checksum" in message else ""
    with serving(answer) as served, pytest.raises(InputError) as caught:
        retrieve(source(served.at("/a.zip"), sha256), None, True, tmp_path / "source", QUICK)
    said = str(caught.value)
    assert said.startswith(served.at("/a.zip"))
    assert message in said
    assert said.endswith(
        f". If it stays so, get the file with a browser from {TERMS['BfArM']} and set catalogues.folder "
        f"or {FOLDER_VARIABLE}"
    )
    assert left(tmp_path) == []


# -- through the verb --


def run(tmp_path: Path, url: str, *options: str) -> int:
    table = tmp_path / "sources.tsv"
    table.write_text(HEADER + "\t".join(["ops", "2024", "ops2024syst_kodes*.txt", url, "", "BfArM", "x"]) + "\n")
    chosen = ["--dataset", "ops", "--version", "2024", "--sources", str(table)]
    return main(["retrieve-catalogue", *chosen, *options, "--output", str(tmp_path / "out" / "source")])


def test_the_verb_downloads_with_consent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(whole(zipped(**{"ops2024syst_kodes.txt": TEXT}))) as served:
        assert run(tmp_path, served.at("/a.zip"), "--consent", "true") == 0
    assert left(tmp_path / "out") == ["source", "source.provenance.json"]
    record = json.loads((tmp_path / "out" / "source.provenance.json").read_text())
    assert (record["origin"], record["member"]) == (served.at("/a.zip"), "ops2024syst_kodes.txt")
    assert (record["found_by"], record["sha256"]) == ("name", hashlib.sha256(TEXT).hexdigest())
    assert capfd.readouterr().err == ""  # no progress bar where nobody watches


def test_the_verb_refuses_without_consent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(whole(TEXT)) as served:
        assert run(tmp_path, served.at("/a.zip")) == 2
    assert served.asked == []
    assert not (tmp_path / "out").exists()
    assert "onkocode retrieve-catalogue: ops 2024: the terms of use must be accepted" in capfd.readouterr().err


def test_the_verb_takes_a_renamed_file_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "download (3).zip").write_bytes(zipped(**{"meine_datei.txt": TEXT}))
    place = tmp_path / "folder" / "download (3).zip"
    assert run(tmp_path, "", "--folder", str(tmp_path / "folder")) == 2  # it does not say its year
    assert run(tmp_path, "", "--file", str(place)) == 0
    record = json.loads((tmp_path / "out" / "source.provenance.json").read_text())
    assert (record["found_by"], record["remark"]) == ("content", "version not verifiable")
    assert record["origin"] == str(place)
    place.write_bytes(zipped(**{"meine_datei_2024.txt": TEXT}))
    assert run(tmp_path, "", "--folder", str(tmp_path / "folder")) == 0
    assert json.loads((tmp_path / "out" / "source.provenance.json").read_text())["remark"] == ""
