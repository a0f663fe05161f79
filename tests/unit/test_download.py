import dataclasses
import gzip
import hashlib
import json
import socket
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onkocode.catalogues.fetching.addresses import is_allowed, with_consent
from onkocode.catalogues.fetching.download import Limits, downloaded
from onkocode.records.errors import InputError
from tests.unit.serving import (
    QUICK,
    Answer,
    chunked,
    compressed,
    cut,
    dropped,
    endless,
    ranged,
    redirect,
    serving,
    silent,
    trickling,
    whole,
)

BODY = bytes(range(256)) * 40  # 10,240 bytes
TAG = '"first"'


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1,127.1,localhost")


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "results" / "source.part"


def fetch(url: str, part: Path, sha256: str = "", limits: Limits = QUICK) -> tuple[bytes, str]:
    with downloaded(url, part, sha256, limits) as (file, address):
        return file.read_bytes(), address


def left(part: Path) -> list[str]:
    return sorted(path.name for path in part.parent.iterdir())


def refused(part: Path, *answers: Answer, sha256: str = "", limits: Limits = QUICK, keeps: int = 0) -> str:
    """Return the message of a failed download, after looking at what is left behind."""
    with serving(*answers) as served, pytest.raises(InputError) as caught:
        fetch(served.at("/a.zip"), part, sha256, limits)
    assert left(part) == (["source.part", "source.part.json"] if keeps else [])
    assert not keeps or part.stat().st_size == keeps
    said = str(caught.value)
    assert said.startswith(served.at("/a.zip") + ": ")
    return said.removeprefix(served.at("/a.zip") + ": ")


# -- what works --


def test_a_file_is_fetched_by_one_plain_request(part: Path) -> None:
    with serving(whole(BODY)) as served:
        assert fetch(served.at("/a.zip"), part, hashlib.sha256(BODY).hexdigest()) == (BODY, served.at("/a.zip"))
    (path, headers), *more = served.asked
    assert (path, more) == ("/a.zip", [])
    assert headers["User-Agent"].startswith("onkocode/")
    assert "Range" not in headers
    assert left(part) == []


@pytest.mark.parametrize("answer", [chunked(BODY[:100], BODY[100:]), compressed(BODY)])
def test_chunks_and_compressed_bodies_are_put_together(part: Path, answer: Answer) -> None:
    with serving(answer) as served:
        assert fetch(served.at("/a.zip"), part, hashlib.sha256(BODY).hexdigest())[0] == BODY
    assert left(part) == []


def test_redirects_are_followed_and_the_last_address_is_told(part: Path) -> None:
    with serving(redirect("/b.zip", 301), redirect("c.zip?x=1"), whole(BODY)) as served:
        assert fetch(served.at("/a.zip"), part) == (BODY, served.at("/c.zip?x=1"))
    assert [path for path, _ in served.asked] == ["/a.zip", "/b.zip", "/c.zip?x=1"]


def test_the_endless_body_of_a_redirect_is_not_read(part: Path) -> None:
    with serving(endless(b"x" * 60_000, 302, Location="/b.zip"), whole(BODY)) as served:
        started = time.monotonic()
        assert fetch(served.at("/a.zip"), part)[0] == BODY
        assert time.monotonic() - started < 2


def test_a_proxy_is_used(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    with serving(whole(BODY)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        address = "http://localhost:9/a.zip"  # nothing is served there
        assert fetch(address, part) == (BODY, address)
    assert [path for path, _ in proxy.asked] == [address]


def test_a_proxy_that_lets_nothing_through_is_named(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(whole(BODY)) as proxy:  # knows GET alone, not the CONNECT of encrypted addresses
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(InputError, match=r"roxy") as caught:
            fetch("https://catalogues.invalid/a.zip", part)
    assert "no connection" in str(caught.value)
    assert not proxy.asked


# -- what is repeated --


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(part: Path, status: int) -> None:
    with serving(whole(b"", status, Retry_After="0"), whole(b"", status), whole(BODY)) as served:
        assert fetch(served.at("/a.zip"), part)[0] == BODY
    assert len(served.asked) == 3


def test_a_pause_that_the_server_asks_for_is_kept_within_limits(part: Path) -> None:
    limits = dataclasses.replace(QUICK, longest_pause=0.2)
    with serving(whole(b"", 503, Retry_After="3600"), whole(BODY)) as served:
        started = time.monotonic()
        assert fetch(served.at("/a.zip"), part, limits=limits)[0] == BODY
    assert 0.2 <= time.monotonic() - started < 2


def test_a_dropped_connection_is_continued(part: Path) -> None:
    with serving(dropped(BODY, 4_000, ETag=TAG), ranged(BODY, TAG)) as served:
        assert fetch(served.at("/a.zip"), part)[0] == BODY
    headers = served.asked[1][1]
    assert 0 < int(headers["Range"].removeprefix("bytes=").removesuffix("-")) <= 4_000
    assert headers["If-Range"] == TAG


def test_last_modified_stands_in_for_a_weak_etag(part: Path) -> None:
    date = "Fri, 29 Sep 2023 10:00:00 GMT"
    with serving(cut(BODY, 4_000, ETag='W/"weak"', Last_Modified=date), whole(BODY)) as served:
        assert fetch(served.at("/a.zip"), part)[0] == BODY
    assert served.asked[1][1]["If-Range"] == date


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}, {"ETag": TAG, "Accept_Ranges": "none"}])
def test_what_cannot_be_continued_is_fetched_again(part: Path, headers: dict[str, str]) -> None:
    with serving(cut(BODY, 4_000, **headers), whole(BODY)) as served:
        assert fetch(served.at("/a.zip"), part)[0] == BODY
    assert "Range" not in served.asked[1][1]


@pytest.mark.parametrize(
    "second",
    [
        whole(BODY, ETag=TAG),  # knows no ranges
        whole(b"", 416),
        whole(BODY[10:], 206, Content_Range="bytes 10-10239/10240", ETag=TAG),  # another range
        whole(BODY[4_000:], 206, ETag=TAG),  # which range?
        ranged(BODY, '"second"', obeys_if_range=False),
        ranged(BODY, '"second"'),
    ],
)
def test_a_server_that_does_not_continue_is_asked_for_all(part: Path, second: Answer) -> None:
    other = bytes(reversed(BODY))
    with serving(cut(other, 4_000, ETag=TAG), second, whole(BODY)) as served:
        assert fetch(served.at("/a.zip"), part)[0] == BODY
    assert left(part) == []


def test_a_server_that_sends_shorter_ranges_than_asked_for_is_asked_for_more(part: Path) -> None:
    limits = dataclasses.replace(QUICK, tries=4)

    def short(start: int, end: int) -> Answer:
        return whole(BODY[start:end], 206, Content_Range=f"bytes {start}-{end - 1}/{len(BODY)}", ETag=TAG)

    with serving(cut(BODY, 4_000, ETag=TAG), short(4_000, 5_000), short(5_000, len(BODY))) as served:
        assert fetch(served.at("/a.zip"), part, limits=limits)[0] == BODY
    assert len(served.asked) == 3


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 3_000), max_size=4))
def test_any_cuts_give_the_file_in_the_end(part: Path, counts: list[int]) -> None:
    limits = dataclasses.replace(QUICK, tries=6)
    with serving(*(ranged(BODY, TAG, count) for count in counts), ranged(BODY, TAG)) as served:
        assert fetch(served.at("/a.zip"), part, limits=limits)[0] == BODY
    assert len(served.asked) == len(counts) + 1


# -- what is kept between runs --


def test_the_next_run_continues_where_the_last_one_stopped(part: Path) -> None:
    said = refused(part, cut(BODY, 4_000, ETag=TAG), ranged(BODY, TAG, 0), keeps=4_000)
    assert (
        said
        == f"the connection was lost after 4000 of 10240 bytes (3 tries); 4000 bytes are kept in {part}, run "
        + ("it again to continue")
    )
    url = json.loads(part.with_name("source.part.json").read_text())["url"]
    port = int(url.split(":")[2].split("/")[0])
    assert part.read_bytes() == BODY[:4_000]
    with serving(ranged(BODY, TAG)) as served:
        moved = part.with_name("source.part.json")
        moved.write_text(moved.read_text().replace(str(port), served.url.rsplit(":", 1)[1]))
        assert fetch(served.at("/a.zip"), part)[0] == BODY
    assert served.asked[0][1]["Range"] == "bytes=4000-"
    assert left(part) == []


@pytest.mark.parametrize("notes", [None, "", "[]", "{}", '{"url": "http://127.0.0.1:1/a", "validator": "\\"x\\""}'])
def test_a_part_of_unknown_origin_is_not_continued(part: Path, notes: str | None) -> None:
    part.parent.mkdir(parents=True)
    part.write_bytes(b"something else" * 1_000)
    if notes is not None:
        part.with_name("source.part.json").write_text(notes)
    with serving(ranged(BODY, TAG)) as served:
        assert fetch(served.at("/a.zip"), part)[0] == BODY
    assert "Range" not in served.asked[0][1]
    assert left(part) == []


def test_a_continued_file_with_the_wrong_checksum_is_removed(part: Path) -> None:
    said = refused(part, cut(BODY, 4_000, ETag=TAG), ranged(BODY, TAG), sha256="0" * 64)
    assert said.startswith(f"wrong checksum, so it is not used: the table of sources says {'0' * 64}, the file has ")


# -- what is refused --


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (whole(b"<!DOCTYPE html><html>Bitte zustimmen</html>"), "answered with an HTML page instead of the file"),
        (compressed(b"<!DOCTYPE html><html>Bitte zustimmen</html>"), "answered with an HTML page instead of the file"),
        (whole(b""), "sent an empty file"),
        (whole(b"", 204), "unexpected answer of the server (204 No Content)"),
        (whole(b"", 304), "unexpected answer of the server (304 Not Modified)"),
        (whole(b"", 400), "unexpected answer of the server (400 Bad Request)"),
        (whole(b"", 403), "the server refuses to send the file to a script (403 Forbidden)"),
        (whole(b"", 404), "there is no such file (404 Not Found); it has probably moved"),
        (whole(b"", 410), "there is no such file (410 Gone); it has probably moved"),
        (whole(b"", 500), "the server is in trouble (500 Internal Server Error) (3 tries)"),
        (whole(b"", 416), "unexpected answer of the server (416 Requested Range Not Satisfiable)"),
        (
            whole(BODY, 206, Content_Range="bytes 0-10239/10240"),
            "the server sent another part of the file than it was asked for (3 tries)",
        ),
        (whole(BODY, 206), "the server sent another part of the file than it was asked for (3 tries)"),
        (redirect("/a.zip"), "redirects in a circle (more than 10 times)"),
        (
            redirect("http://example.org/a.zip"),
            "redirects to http://example.org/a.zip, which is not encrypted; refused",
        ),
        (redirect("//example.org/a.zip"), "redirects to http://example.org/a.zip, which is not encrypted; refused"),
        (redirect("ftp://127.0.0.1/a.zip"), "redirects to ftp://127.0.0.1/a.zip, which is not encrypted; refused"),
        (cut(BODY, 4_000), "the connection was lost after 4000 of 10240 bytes (3 tries)"),
        (chunked(BODY, ended=False), "the connection was lost after 10240 bytes (3 tries)"),
        (compressed(BODY, -9), "was cut off or damaged on its way (Compressed file ended before the end-of-stream"),
        (whole(BODY, Content_Encoding="gzip"), "was cut off or damaged on its way (Not a gzipped file"),
        (whole(BODY, Content_Encoding="br"), "is sent in the encoding 'br', which was not asked for"),
        (silent(1), "no answer in time (2 s to connect, 0.3 s to answer) (3 tries)"),
        (silent(1, BODY), "no byte came for 0.3 s, after 10240 of 20480 bytes (3 tries)"),
    ],
)
def test_failures_are_told_apart_and_leave_nothing(part: Path, answer: Answer, message: str) -> None:
    assert refused(part, answer).startswith(message)


def test_half_a_file_stays_when_the_server_falls_silent(part: Path) -> None:
    said = refused(part, silent(1, BODY, ETag=TAG), silent(1), keeps=10_240)
    assert said.startswith(
        f"no answer in time (2 s to connect, 0.3 s to answer) (3 tries); 10240 bytes are kept in {part}"
    )


def test_redirects_are_counted(part: Path) -> None:
    limits = dataclasses.replace(QUICK, redirects=2)
    with serving(redirect("/b.zip"), redirect("/c.zip"), whole(BODY)) as served:
        assert fetch(served.at("/a.zip"), part, limits=limits)[0] == BODY
    assert refused(part, *[redirect("/b.zip")] * 3, whole(BODY), limits=limits).startswith("redirects in a circle")


def test_a_refused_redirect_is_not_followed(part: Path) -> None:
    with serving(whole(BODY)) as target:
        plain = target.url.replace("127.0.0.1", "127.1")  # reaches the server, but does not look like this machine
        assert (
            refused(part, redirect(f"{plain}/a.zip")) == f"redirects to {plain}/a.zip, which is not encrypted; refused"
        )
    assert target.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        endless(b"x" * 10_000),
        endless(b"<html>" * 1_000, ETag=TAG),
        whole(b"x", Content_Length=100_001, ETag=TAG),
        compressed(bytes(10_000_000)),
        whole(gzip.compress(bytes(10_000_000)), Content_Encoding="gzip", ETag=TAG),
    ],
)
def test_an_absurd_size_is_stopped(part: Path, answer: Answer) -> None:
    said = refused(part, answer, limits=dataclasses.replace(QUICK, size=100_000))
    assert said == "is larger than 100000 bytes, so it is no catalogue file; stopped"


def test_a_server_that_sends_byte_by_byte_is_stopped(part: Path) -> None:
    started = time.monotonic()
    limits = dataclasses.replace(QUICK, total=0.5)
    said = refused(part, trickling(BODY, 0.02), limits=limits)
    assert said.startswith("not finished after 0.5 s")
    assert time.monotonic() - started < 2


def test_no_connection(part: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.zip"
        with pytest.raises(
            InputError, match=r"no connection \(.*refused\); behind a proxy, set HTTPS_PROXY \(3 tries\)$"
        ):
            fetch(url, part)
    assert left(part) == []


def test_a_server_without_a_certificate(part: Path) -> None:
    with serving(whole(BODY)) as served, pytest.raises(InputError, match=r"certificate cannot be verified .*CA_BUNDLE"):
        fetch(served.at("/a.zip").replace("http:", "https:"), part)
    assert left(part) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(BODY) - 1))
def test_no_cut_passes_as_the_file(part: Path, count: int) -> None:
    said = refused(part, cut(BODY, count), limits=dataclasses.replace(QUICK, tries=1))
    assert said == f"the connection was lost after {count} of 10240 bytes (1 tries)"


# -- addresses --


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/ops_zip.html", "https://example.org/ops_zip.html?cms_dlConfirm=true"),
        ("https://example.org/ops_zip.html?nn=1", "https://example.org/ops_zip.html?nn=1&cms_dlConfirm=true"),
        ("https://example.org/ops.zip?nn=1", "https://example.org/ops.zip?nn=1"),
        ("https://example.org/zip.html", "https://example.org/zip.html"),
    ],
)
def test_consent_is_said_to_landing_pages_only(url: str, expected: str) -> None:
    assert with_consent(url) == expected


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.org/a", True),
        ("HTTPS://example.org/a", True),
        ("http://127.0.0.1:80/a", True),
        ("http://localhost/a", True),
        ("http://[::1]/a", True),
        ("http://example.org/a", False),
        ("http://127.0.0.1.example.org/a", False),
        ("http://localhost@example.org/a", False),
        ("ftp://example.org/a", False),
        ("file:///etc/passwd", False),
        ("https:///a", False),
        ("https://[", False),
        ("/a", False),
        ("", False),
    ],
)
def test_only_encrypted_addresses_and_this_machine_are_allowed(url: str, allowed: bool) -> None:
    assert is_allowed(url) is allowed
