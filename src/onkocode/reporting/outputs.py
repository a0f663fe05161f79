"""What drawing a figure or a table gives: a figure or a page, and the numbers that it shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from onkocode.records.files import new_file, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure, the numbers that it shows, its title, and a description for those who cannot see it."""

    figure: "Figure"
    numbers: pl.DataFrame
    title: str
    description: str

    def write(self, path: Path) -> None:
        """Write the figure as SVG to ``path``, and PNG and TSV beside it; raises ValueError for another ending."""
        from onkocode.reporting.style import save_figure

        save_figure(self.figure, path, self.title, self.description)
        write_tsv(self.numbers, path.with_suffix(".tsv"))


@dataclass(frozen=True)
class Page:
    """A table as a self-contained HTML page, and its numbers."""

    html: str
    numbers: pl.DataFrame

    def write(self, path: Path) -> None:
        """Write the page to ``path``, and the TSV beside it; raises ValueError when ``path`` does not end in .html."""
        if path.suffix != ".html":
            raise ValueError(f"{path}: a table's path ends in .html")
        write_text(path, self.html)
        write_tsv(self.numbers, path.with_suffix(".tsv"))


def empty_page(title: str, why: str, numbers: pl.DataFrame) -> Page:
    """Return a page that says why there is no table; a study without one of its tables would not end."""
    from onkocode.reporting.html import html_page

    return Page(html_page(title, [], [f"There is no table: {why}."]), numbers)


def empty_drawing(title: str, why: str, numbers: pl.DataFrame) -> Drawing:
    """Return a figure that says why it shows nothing."""
    from matplotlib.figure import Figure

    from onkocode.reporting.style import print_style

    with print_style():
        figure = Figure(figsize=(5, 1.2))
        figure.text(0.5, 0.5, f"{title}: {why}.", ha="center", va="center", wrap=True)
    return Drawing(figure, numbers, title, f"There is no figure: {why}.")


def write_tsv(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as TSV with six decimals at most; null is an empty field."""
    with new_file(path) as temporary:
        frame.with_columns(pl.col(pl.Float64).round(6)).write_csv(temporary, separator="\t")
