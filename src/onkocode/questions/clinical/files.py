"""The data files of this package."""

from collections.abc import Iterator
from importlib import resources

from onkocode.language.rows import read_rows
from onkocode.records.ids import digest


def read_cells(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a TSV file as cells by column."""
    for _, cells in read_rows(name, _text(name)):
        yield cells


def read_lines(name: str) -> list[str]:
    """Return the lines of a file without comments."""
    return [line for line in _text(name).splitlines() if line and not line.startswith("#")]


def _text(name: str) -> str:
    return resources.files("onkocode.questions.clinical").joinpath(f"data/{name}").read_text(encoding="utf-8")


def content_hash() -> str:
    """Return the SHA-256 over all data files."""
    names = sorted(file.name for file in resources.files("onkocode.questions.clinical").joinpath("data").iterdir())
    return digest(*(part for name in names for part in (name, _text(name))))
