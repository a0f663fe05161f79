"""What a verb says on terminals with other letters."""

import io
import json
import sys
from collections.abc import Sequence

import pytest

from onkocode.cli import main
from onkocode.terminal import stand_in

ENCODINGS = ("utf-8", "iso8859-15", "ascii", "cp1252")


def readable(text: str, encoding: str) -> bytes:
    """Return a text as it should come out."""
    out = b""
    for character in text:
        try:
            out += character.encode(encoding)
        except UnicodeEncodeError:
            out += stand_in(character).encode(encoding)
    return out


def on_terminal(encoding: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, bytes, bytes]:
    """Return status, output and errors of a verb on a terminal with an encoding."""
    buffers = [io.BytesIO(), io.BytesIO()]
    streams = [
        io.TextIOWrapper(buffers[0], encoding, "strict"),
        io.TextIOWrapper(buffers[1], encoding, "backslashreplace"),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        status = main(arguments)
        for stream in streams:
            stream.flush()
    return status, buffers[0].getvalue(), buffers[1].getvalue()


def says_the_same(verb: str, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a verb says the same on every terminal, with stand-ins for letters that it lacks.

    Each verb that prints what may hold such letters is called by this, wherever its tests are.
    """
    said = {encoding: on_terminal(encoding, [*verb.split(), *arguments], monkeypatch) for encoding in ENCODINGS}
    text = said["utf-8"][1].decode()
    assert not text.isascii()  # else this cannot fail
    for encoding, (status, out, _) in said.items():
        assert status == 0, encoding
        if verb == "settings":
            assert json.loads(out.decode(encoding)) == json.loads(text)
        else:
            assert out == readable(text, encoding)
