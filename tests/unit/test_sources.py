import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from onkocode.catalogues.sources import (
    FOLDER_VARIABLE,
    LARGEST_MEMBER,
    Source,
    catalogue_folder,
    find_local,
    read_sources,
    retrieve,
)
from onkocode.records.errors import InputError

HEADER = "dataset\tversion\tfile\turl\tsha256\tterms\tnote\n"
ROW = "ops\t2024\tops2024syst_kodes*.txt ops2024*dreisteller*.txt\t\t\tBfArM\tby hand\n"
TEXT = b"5;5-87;5-87;Eingriffe\n"


def source(url: str = "", sha256: str = "") -> Source:
    return Source("ops", "2024", "ops2024syst_kodes*.txt ops2024*dreisteller*.txt", url, sha256, "BfArM", "by hand")


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, data in members.items():
            written.writestr(name, data)
    return path


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# -- the table of sources --


def test_shipped_table_of_sources(root: Path) -> None:
    sources = read_sources(root / "config/catalogues.tsv")
    datasets = ("alphaid", "icd10gm", "icdo3", "ops")
    assert [(dataset, "example") in sources for dataset in datasets] == [True] * 4
    assert [(root / sources[dataset, "example"].file).is_file() for dataset in datasets] == [True] * 4
    assert {("alphaid", "2024"), ("icd10gm", "2024"), ("icdo3", "2019"), ("ops", "2024")} < set(sources)
    assert [key for key, row in sources.items() if not (row.url or row.note)] == []


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "not a readable table of sources"),
        ("", "not a readable table of sources"),
        ("a\tb\n1\t2\n", "the columns must be dataset, version, file, url, sha256, terms, note"),
        (HEADER + ROW + ROW, r"\.tsv:3: ops 2024 stands twice"),
        (HEADER + "ops\t2024\t\t\t\tBfArM\t\n", r"\.tsv:2: `file` is empty"),
        (HEADER + "ops\t2024\tx\t\t\tGPL\t\n", r"\.tsv:2: unknown terms 'GPL' \(known: BfArM, MIT\)"),
        (HEADER + "ops\t2024\tx\t\tabc\tBfArM\t\n", r"\.tsv:2: sha256 must have 64 hexadecimal digits"),
        (HEADER + "ops\t2024\tx\t\t\tBfArM\tnote\tmore\n", "not a readable table of sources"),
    ],
)
def test_unsound_tables_name_their_line(tmp_path: Path, table: str | None, message: str) -> None:
    path = tmp_path / "sources.tsv"
    if table is not None:
        path.write_text(table)
    with pytest.raises(InputError, match=message) as caught:
        read_sources(path)
    assert str(caught.value).startswith(str(path))


# -- the user's folder --


def test_the_configured_folder_comes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(other))
    assert (catalogue_folder(one), catalogue_folder(None)) == (one, other)
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert catalogue_folder(None) is None


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder of catalogue files"):
        catalogue_folder(tmp_path / "nowhere")


def test_the_first_pattern_is_preferred_in_any_subfolder_and_case(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "ops2024syst_dreisteller.txt").write_bytes(TEXT)
    assert find_local(source(), tmp_path) == tmp_path / "a" / "ops2024syst_dreisteller.txt"
    (tmp_path / "a" / "OPS2024syst_Kodes_1.TXT").write_bytes(TEXT)
    assert find_local(source(), tmp_path) == tmp_path / "a" / "OPS2024syst_Kodes_1.TXT"
    assert find_local(source(), None) is None


def test_two_different_files_are_refused_and_two_equal_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "ops2024syst_kodes_1.txt").write_bytes(TEXT)
    (tmp_path / "ops2024syst_kodes_2.txt").write_bytes(TEXT)
    assert find_local(source(), tmp_path) == tmp_path / "ops2024syst_kodes_1.txt"
    (tmp_path / "ops2024syst_kodes_2.txt").write_bytes(b"other\n")
    with pytest.raises(InputError, match=r"several different files for ops 2024: .*_1\.txt, .*_2\.txt; keep one"):
        find_local(source(), tmp_path)


def test_a_folder_without_the_file_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no file for ops 2024 \(looked for ops2024syst_kodes\*\.txt or .*put it there"
    ):
        find_local(source(), tmp_path)


def test_a_file_within_a_zip_is_found_and_unpacked(tmp_path: Path) -> None:
    archive(tmp_path / "other.zip", readme=b"nothing")
    path = archive(tmp_path / "ops.zip", **{"Klassifikationsdateien/ops2024syst_kodes_1.txt": TEXT, "Liesmich": b"x"})
    assert find_local(source(), tmp_path) == path
    output = tmp_path / "results" / "source"
    facts = retrieve(source(), path, False, output)
    assert output.read_bytes() == TEXT
    assert facts["member"] == "Klassifikationsdateien/ops2024syst_kodes_1.txt"
    assert facts["sha256"] == hashlib.sha256(TEXT).hexdigest()


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>Fehler</html>", b"PK\x03\x04 cut off"])
def test_a_zip_in_the_folder_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ops.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"Not whole zip files, so download them again: ops\.zip"):
        find_local(source(), tmp_path)


# -- archives --


def lying(path: Path, claimed: int) -> Path:
    """Return an archive whose directory claims a size that is not that of its member."""
    archive(path, **{"ops2024syst_kodes.txt": TEXT})
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    for start in (22, directory + 24):  # uncompressed size in the local header and in the central directory
        data[start : start + 4] = claimed.to_bytes(4, "little")
    path.write_bytes(data)
    return path


def damaged(path: Path) -> Path:
    """Return an archive with a wrong byte at the start of the compressed data."""
    archive(path, **{"ops2024syst_kodes.txt": TEXT * 100})
    data = bytearray(path.read_bytes())
    start = 30 + len("ops2024syst_kodes.txt")
    data[start : start + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    return path


def refusal(tmp_path: Path, path: Path) -> str:
    """Return the message of a refused archive, after looking that nothing was written."""
    before = left(tmp_path)
    with pytest.raises(InputError) as caught:
        retrieve(source(), path, False, tmp_path / "source")
    assert left(tmp_path) == before
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def test_an_html_page_is_no_zip(tmp_path: Path) -> None:
    path = tmp_path / "ops.zip"
    path.write_bytes(b"<!DOCTYPE html><html>Bitte zustimmen</html>")
    assert "is an HTML page, not a zip file; download the file itself again" in refusal(tmp_path, path)


def test_half_a_zip_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "ops.zip", **{"ops2024syst_kodes.txt": TEXT * 100})
    path.write_bytes(path.read_bytes()[:60])
    assert "not a whole zip file; download it again" in refusal(tmp_path, path)


def test_damaged_data_are_refused(tmp_path: Path) -> None:
    assert "ops2024syst_kodes.txt cannot be unpacked" in refusal(tmp_path, damaged(tmp_path / "ops.zip"))


def test_an_absurd_size_is_refused_before_unpacking(tmp_path: Path) -> None:
    message = refusal(tmp_path, lying(tmp_path / "ops.zip", LARGEST_MEMBER + 1))
    assert f"ops2024syst_kodes.txt claims {LARGEST_MEMBER + 1} bytes; refused" in message


def test_a_size_that_is_not_true_is_refused(tmp_path: Path) -> None:
    assert "cannot be unpacked" in refusal(tmp_path, lying(tmp_path / "ops.zip", 5))


@pytest.mark.parametrize(
    "name", ["../../ops2024syst_kodes.txt", "/etc/ops2024syst_kodes.txt", "a/../ops2024syst_kodes.txt"]
)
def test_a_member_that_points_outside_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep" / "down"
    folder.mkdir(parents=True)
    path = archive(folder / "ops.zip", **{name: TEXT})
    assert f"the member {name!r} points outside the archive; refused" in refusal(tmp_path, path)


@pytest.mark.parametrize(
    ("members", "found"),
    [
        (["Liesmich.txt"], "found none"),
        (["a/ops2024syst_kodes.txt", "b/ops2024syst_kodes.txt"], "found a/ops2024syst_kodes.txt, b/ops2024syst_kodes"),
    ],
)
def test_one_member_is_expected(tmp_path: Path, members: list[str], found: str) -> None:
    path = archive(tmp_path / "ops.zip", **dict.fromkeys(members, TEXT))
    assert found in refusal(tmp_path, path)


# -- downloads --


@contextmanager
def serving(status: int, body: bytes, claimed: int | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if claimed is None else claimed))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ops.txt"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_download_is_checked_and_written(tmp_path: Path) -> None:
    with serving(200, TEXT) as url:
        facts = retrieve(source(url, hashlib.sha256(TEXT).hexdigest()), None, True, tmp_path / "source")
    assert (tmp_path / "source").read_bytes() == TEXT
    assert facts["origin"] == url
    assert facts["terms"].startswith("https://www.bfarm.de/")


@pytest.mark.parametrize(
    ("status", "body", "claimed", "sha256", "message"),
    [
        (200, b"<html>Bitte zustimmen</html>", None, "", "answered with an HTML page .*set catalogues.folder"),
        (404, b"", None, "", "download failed .*404"),
        (200, TEXT, len(TEXT) + 10, "", "download failed|of 32 bytes"),
        (200, TEXT, None, "0" * 64, "wrong checksum; the file has changed or was damaged, so it is not used"),
    ],
)
def test_a_failed_download_leaves_nothing(
    tmp_path: Path, status: int, body: bytes, claimed: int | None, sha256: str, message: str
) -> None:
    with serving(status, body, claimed) as url, pytest.raises(InputError, match=message):
        retrieve(source(url, sha256), None, True, tmp_path / "source")
    assert left(tmp_path) == []


def test_nothing_is_downloaded_without_consent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"terms of use must be accepted before downloading: read https://www.bfarm"):
        retrieve(source("http://127.0.0.1:9/ops.txt"), None, False, tmp_path / "source")


def test_without_an_address_the_message_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"ops 2024: no download address is known \(by hand\); get the file from https:"
    ):
        retrieve(source(), None, True, tmp_path / "source")
