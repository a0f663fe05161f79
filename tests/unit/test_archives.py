import io
import stat
import struct
import tracemalloc
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from onkocode.catalogues.fetching import archives
from onkocode.catalogues.fetching.archives import LARGEST, Candidate, is_zip, list_members, read_candidate
from onkocode.catalogues.fetching.choosing import Choice, Wanted, choose_member
from onkocode.records.errors import InputError

WANTED = Wanted("ops", "2024", ("ops2024syst_claml*.xml", "ops2024syst_kodes*.txt"))
NAME = "ops2024syst_kodes.txt"
TEXT = "".join(f"1;T;X;5;5-87;5-87{n};5-87{n};587{n};Eingriff {n};;\n" for n in range(10)).encode()
OTHER = TEXT.replace(b"Eingriff", b"Anderes")
ICD10 = b"4;T;X;2;C50;C50.0;C50.0;C500;Neubildung;;;;;;;;;;;;;;;;;;;\n" * 10


def packed(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same name twice
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def choose(path: Path, wanted: Wanted = WANTED) -> tuple[Choice, bytes]:
    choice = choose_member(wanted, Candidate(path))
    return choice, read_candidate(choice.candidate)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ops.zip"


def refusal(path: Path, data: bytes | None = None) -> str:
    """Return the message of a refused zip file; nothing was written beside it."""
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        choose(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


# -- finding the member --


@pytest.mark.parametrize(
    "name",
    [
        NAME,
        f"Klassifikationsdateien/{NAME}",
        "ops2024/p1sec2024/Klassifikationsdateien/OPS2024syst_Kodes_20231103.TXT",
        f"Klassifikationsdateien\\{NAME}",
        f"Übersicht für Ärzte/{NAME}",
    ],
)
def test_a_member_is_found_by_its_name_in_any_folder(path: Path, name: str) -> None:
    path.write_bytes(packed(("Klassifikationsdateien/", b""), ("Liesmich.pdf", b"x"), (name, TEXT)))
    choice, data = choose(path)
    assert (data, choice.found_by) == (TEXT, "name")
    assert choice.candidate.member == name.replace("\\", "/")


def test_names_of_old_programs_are_read(path: Path) -> None:
    data = packed((f"_bersicht/{NAME}", TEXT))
    path.write_bytes(data.replace(b"_bersicht", "Übersicht".encode("cp437")))
    assert choose(path)[0].candidate.member == f"Übersicht/{NAME}"
    path.write_bytes(data.replace(b"_bersicht", "Übersicht".encode("latin-1")))
    assert choose(path)[1] == TEXT


def test_the_first_pattern_is_preferred(path: Path) -> None:
    path.write_bytes(packed((NAME, TEXT), ("ops2024syst_claml_1.xml", b"<ClaML/>")))
    assert choose(path)[1] == b"<ClaML/>"


def test_what_macos_adds_is_no_member(path: Path) -> None:
    path.write_bytes(packed((f"__MACOSX/{NAME}", b"x"), (f"a/._{NAME}", b"y"), (f".a/{NAME}", b"z"), (NAME, TEXT)))
    assert choose(path)[1] == TEXT


def test_a_yearly_archive_of_zip_files_is_searched(path: Path) -> None:
    inner = packed((f"Klassifikationsdateien/{NAME}", TEXT))
    path.write_bytes(packed(("ops2024/syst-pdf.zip", packed(("a.pdf", b"x"))), ("ops2024/syst-meta.zip", inner)))
    choice, data = choose(path)
    assert (data, choice.candidate.member) == (TEXT, f"ops2024/syst-meta.zip/Klassifikationsdateien/{NAME}")


def test_one_level_of_zip_files_is_searched_and_broken_ones_are_told(path: Path) -> None:
    inner = packed(("c.zip", packed((NAME, TEXT))))
    said = refusal(path, packed(("b.zip", inner), ("cut.zip", inner[:-30])))
    assert said.startswith(
        ": holds no member like ops2024syst_claml*.xml or ops2024syst_kodes*.txt, and none that is ops"
    )
    assert "found b.zip/c.zip. Not searched: " in said
    assert f"{path} (cut.zip): not a whole zip file" in said


def test_without_a_fitting_name_the_content_decides(path: Path) -> None:
    path.write_bytes(packed(("Liesmich.txt", b"Guten Tag\n" * 9), ("data.txt", TEXT), ("icd.txt", ICD10)))
    choice, data = choose(path)
    assert (data, choice.found_by, choice.remark) == (TEXT, "content", "version not verifiable")
    path.write_bytes(packed(("a.zip", packed(("data.txt", TEXT)))))
    assert choose(path)[0].candidate.member == "a.zip/data.txt"


def test_a_member_with_the_right_name_and_other_content_is_refused(path: Path) -> None:
    said = refusal(path, packed((NAME, ICD10)))
    assert said.startswith(f" ({NAME}): should be ops 2024 but is an ICD-10-GM file by its content (kodes)")


@pytest.mark.parametrize("names", [("a/" + NAME, "b/" + NAME), (NAME, NAME)])
def test_several_members_must_be_the_same(path: Path, names: tuple[str, str]) -> None:
    path.write_bytes(packed((names[0], TEXT), (names[1], TEXT)))
    assert choose(path)[1] == TEXT
    path.write_bytes(packed((names[0], TEXT), (names[1], OTHER)))
    with pytest.raises(InputError) as caught:
        choose(path)
    assert str(caught.value) == (
        f"several different files for ops 2024: {path} ({names[0]}), {path} ({names[1]}); keep one of them there, "
        f"or name it in catalogues.files"
    )


@pytest.mark.parametrize(
    ("members", "found"), [([], "nothing"), (["a.txt"] * 7, "a.txt, a.txt, a.txt, a.txt, a.txt and 2 more")]
)
def test_a_zip_file_without_the_member_says_what_it_holds(path: Path, members: list[str], found: str) -> None:
    assert refusal(path, packed(*((name, b"text\n") for name in members))).endswith(f"; found {found}")


def test_zip_files_are_known_by_name_or_content(tmp_path: Path) -> None:
    (tmp_path / "a.ZIP").write_bytes(b"<html>")
    (tmp_path / "download").write_bytes(packed((NAME, TEXT)))
    (tmp_path / "text").write_bytes(TEXT)
    assert [is_zip(tmp_path / name) for name in ("a.ZIP", "download", "text")] == [True, True, False]
    with pytest.raises(InputError, match=r"none: cannot be read \(No such file"):
        is_zip(tmp_path / "none")


# -- what is not unpacked --


@pytest.mark.parametrize(
    "name",
    [
        f"../../{NAME}",
        f"/etc/{NAME}",
        f"a/../{NAME}",
        f"..\\{NAME}",
        f"C:\\{NAME}",
        f"c:/{NAME}",
        f"\\\\server\\share\\{NAME}",
    ],
)
def test_a_member_that_points_outside_is_refused(path: Path, name: str) -> None:
    said = refusal(path, packed((name, TEXT)))
    assert said == f": the member {name.replace(chr(92), '/')!r} points outside the zip file; refused"


def test_a_link_is_refused(path: Path) -> None:
    link = zipfile.ZipInfo(NAME)
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    assert refusal(path, packed((link, b"/etc/passwd"))).endswith("is a symbolic link; refused")


def test_an_encrypted_member_is_refused(path: Path) -> None:
    data = bytearray(packed((NAME, TEXT)))
    for start, flags in ((0, 6), (data.index(b"PK\x01\x02"), 8)):
        data[start + flags] |= 1
    assert refusal(path, bytes(data)).endswith("is encrypted; unpack it yourself and name the file")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_compression_is_refused(path: Path, method: int) -> None:
    said = refusal(path, packed((NAME, TEXT), method=method))
    assert said.endswith(f"is compressed in an unusual way (method {method}); unpack it yourself and name the file")


def lying(claimed: int, data: bytes = TEXT) -> bytes:
    """Return a zip file that claims a size that is not that of its member."""
    body = bytearray(packed((NAME, data)))
    for start in (22, body.index(b"PK\x01\x02") + 24):  # in the local header and in the directory
        body[start : start + 4] = claimed.to_bytes(4, "little")
    return bytes(body)


def test_an_absurd_size_is_refused_before_unpacking(path: Path) -> None:
    assert refusal(path, lying(LARGEST + 1)).endswith(f"claims {LARGEST + 1} bytes; refused")


@pytest.mark.parametrize("claimed", [0, 5, len(TEXT) - 1, len(TEXT) + 1, 10 * len(TEXT)])
def test_a_size_that_is_not_true_is_refused(path: Path, claimed: int) -> None:
    assert "is damaged (" in refusal(path, lying(claimed))


def test_a_bomb_is_stopped_while_unpacking(path: Path) -> None:
    path.write_bytes(lying(1_000_000, bytes(100_000_000)))
    tracemalloc.start()
    said = refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "is damaged (Bad CRC-32" in said
    assert peak < 10_000_000


def test_many_zip_files_are_not_unpacked_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_SEARCH", 1_000)
    inner = packed(("a.txt", b"x" * 600), method=zipfile.ZIP_STORED)
    said = refusal(path, packed(("1.zip", inner), ("2.zip", inner), ("3.zip", inner)))
    assert "found 1.zip/a.txt. Not searched: " in said
    assert "holds more than can be searched; unpack it into the folder" in said


def test_a_file_on_disk_has_a_largest_size_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST", 100)
    (tmp_path / "a").write_bytes(b"x" * 101)
    assert read_candidate(Candidate(tmp_path / "a"), 7) == b"x" * 7
    with pytest.raises(InputError, match="a: is larger than 100 bytes, so it is no catalogue file"):
        read_candidate(Candidate(tmp_path / "a"))


# -- damage --


def test_a_page_is_no_zip_file(path: Path) -> None:
    assert refusal(path, b"<!DOCTYPE html><html>Bitte</html>") == ": is an HTML page, not a zip file; download it again"


def test_a_name_that_is_not_the_utf8_it_claims_to_be(path: Path) -> None:
    assert ": not a whole zip file (" in refusal(path, packed((f"ü/{NAME}", TEXT)).replace("ü".encode(), b"\xff\xff"))


def test_a_wrong_checksum_is_refused(path: Path) -> None:
    data = packed((NAME, TEXT), method=zipfile.ZIP_STORED)
    assert "is damaged (Bad CRC-32" in refusal(path, data.replace(b"Eingriff 3", b"Eingriff 4"))


WHOLE = packed((f"a/{NAME}", TEXT), ("b.zip", packed(("c.txt", b"text\n"))))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(WHOLE) - 1))
def test_no_part_of_a_zip_file_passes(path: Path, count: int) -> None:
    refusal(path, WHOLE[:count])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=3))
@example([(WHOLE.index(b"PK\x01\x02") + 10, 99)])
def test_a_changed_zip_file_gives_the_same_text_or_an_error(path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for place, byte in changes:
        data[place] = byte
    path.write_bytes(data)
    with suppress(InputError):
        assert choose(path)[1] == TEXT


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_anything_else_is_an_error(path: Path, data: bytes) -> None:
    refusal(path, data)
    refusal(path, b"PK\x03\x04" + data + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(data), 4, 0))


def test_the_listing_does_not_stop_at_a_member_that_cannot_be_read(path: Path) -> None:
    body = packed(("bad.txt", TEXT), ("good.txt", TEXT), method=zipfile.ZIP_STORED)
    path.write_bytes(body.replace(b"PK\x03\x04", b"PKxx", 1))
    listing = list_members(Candidate(path), glances=True)
    assert [(member.name, member.glance) for member in listing.members] == [("good.txt", TEXT)]
    assert len(listing.problems) == 1
