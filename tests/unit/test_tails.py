"""The end of a log: huge, half-written, with progress bars, or not there."""

import os
from pathlib import Path

import pytest

from onkocode.cluster.tails import WINDOW, last_lines


def log(folder: Path, content: bytes) -> Path:
    file = folder / "job.log"
    file.write_bytes(content)
    return file


def test_the_last_lines_that_hold_something(tmp_path: Path) -> None:
    file = log(tmp_path, b"".join(b"line %d\n\n" % number for number in range(100)))
    assert last_lines(file) == [f"line {number}" for number in range(80, 100)]
    assert last_lines(file, lines=2) == ["line 98", "line 99"]
    assert last_lines(file, lines=0) == []


def test_of_a_huge_file_only_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "huge.log"
    with file.open("wb") as stream:
        stream.truncate(2**40)  # sparse: a terabyte of zeros
        stream.seek(0, os.SEEK_END)
        stream.write(b"\nsecond last\nlast\n")
    assert last_lines(file) == ["second last", "last"]


def test_a_progress_bar_is_shown_in_its_last_state(tmp_path: Path) -> None:
    bar = b"".join(b"\r%3d%%|####      | %d/100" % (number, number) for number in range(1, 100))
    file = log(tmp_path, b"start\n" + bar + b"\nonkocode train-epoch: it failed\n")
    assert last_lines(file) == ["start", " 99%|####      | 99/100", "onkocode train-epoch: it failed"]
    assert last_lines(log(tmp_path, b"one\r\ntwo\r\n")) == ["one", "two"]  # ends of lines of another system
    assert last_lines(log(tmp_path, b"50%\r\r  \r")) == ["50%"]  # cleared at its end


def test_a_bar_longer_than_what_is_read(tmp_path: Path) -> None:
    file = log(tmp_path, b"start\n" + b"\r 10%|#   | 1/10" * 100_000)
    assert last_lines(file) == [" 10%|#   | 1/10"]


def test_it_is_short_whatever_the_lines(tmp_path: Path) -> None:
    file = log(tmp_path, b"".join(b"%d %s\n" % (number, b"x" * 996) for number in range(10)))
    found = last_lines(file, bytes=4000)
    assert [line[0] for line in found] == ["6", "7", "8", "9"]
    (one,) = last_lines(log(tmp_path, b"first\n" + "Ä".encode() * 5000 + b"\n"), bytes=1000)
    assert len(one.encode()) <= 1000
    assert one.startswith("ÄÄÄ")
    assert one.endswith("[...]")


def test_the_line_whose_beginning_is_not_read_is_left_out(tmp_path: Path) -> None:
    file = log(tmp_path, b"a" * 2000 * WINDOW + b"\nlast\n")
    assert last_lines(file, bytes=1000) == ["last"]


def test_letters_that_are_no_utf8_and_what_steers_a_terminal(tmp_path: Path) -> None:
    file = log(tmp_path, b"M\xfcller\n\x1b[31mred\x1b[0m\x07\x00\n\x1b]0;title\n")
    assert last_lines(file) == ["M\ufffdller", "red", "0;title"]


def test_what_is_missing_empty_or_no_file_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log") == []
    assert last_lines(log(tmp_path, b"")) == []
    assert last_lines(log(tmp_path, b"\n \r\n\n")) == []
    assert last_lines(tmp_path) == []
