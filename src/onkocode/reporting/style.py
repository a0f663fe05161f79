"""How figures look: colours for colour-blind people too, sizes for print, and the same bytes on every run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import polars as pl
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from onkocode.records.files import new_file
from onkocode.reporting.inputs import Model

# Okabe and Ito 2008, "Color Universal Design", without the yellow, which is too light for lines on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2, 1, 2)))
PNG_DPI = 200
DARKEST, LIGHTEST = 0.4, 0.25  # blend of a family's first model with black, of its last one with white
RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures are the same on every machine
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.6,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # a label with $ is a name, no formula
    "svg.hashsalt": "onkocode",
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class Look:
    """How one model is drawn; the marker alone tells it apart in grey print."""

    color: str
    marker: str
    line_style: Any


def looks(models: Sequence[Model]) -> dict[str, Look]:
    """Return colour, marker and line style of each model, by key.

    A family has one hue, its models have shades of it, from dark to light in the order given. Where there are more
    families than hues, families that share one share its shades.
    """
    families = list(dict.fromkeys(model.family for model in models))
    hues: dict[int, list[str]] = {}
    for model in sorted(models, key=lambda model: families.index(model.family)):
        hues.setdefault(families.index(model.family) % len(PALETTE), []).append(model.key)
    colors = {
        key: _shade(PALETTE[hue], place, len(keys)) for hue, keys in hues.items() for place, key in enumerate(keys)
    }
    return {
        model.key: Look(colors[model.key], MARKERS[index % len(MARKERS)], LINE_STYLES[index % len(LINE_STYLES)])
        for index, model in enumerate(models)
    }


@contextmanager
def print_style() -> Iterator[None]:
    """Apply the style within the block; a figure must be drawn and saved inside it."""
    with rc_context(RC):
        yield


def save_figure(figure: Figure, path: Path, title: str, description: str) -> None:
    """Write a figure as SVG to ``path`` and as PNG (200 dpi) beside it, each atomically.

    The same figure gives the same bytes. Both files carry the title and the description (alternative text).

    Raises:
        ValueError: ``path`` does not end in .svg.
    """
    if path.suffix != ".svg":
        raise ValueError(f"{path}: a figure's path ends in .svg")
    with print_style():
        with new_file(path.with_suffix(".png")) as temporary:
            metadata: dict[str, Any] = {"Title": title, "Description": description, "Software": None}
            figure.savefig(temporary, dpi=PNG_DPI, metadata=metadata)
        with new_file(path) as temporary:
            figure.savefig(temporary, dpi=PNG_DPI, metadata={"Title": title, "Description": description, "Date": None})
            svg = temporary.read_text(encoding="utf-8")
            described = svg.replace("</title>", f"</title>\n <desc>{escape(description)}</desc>", 1)
            temporary.write_text(described, encoding="utf-8")


def draw_intervals(axes: Axes, rows: pl.DataFrame, x: Sequence[float], color: str) -> None:
    """Draw low to high of each row as a thin vertical line; a row without an interval gets none."""
    low, high = rows["low"].to_numpy().astype(float), rows["high"].to_numpy().astype(float)
    axes.vlines(x, low, high, colors=color, linewidth=0.7, alpha=0.55, zorder=1.5)


def in_order(models: Sequence[Model], rows: pl.DataFrame) -> list[Model]:
    """Return the models that the rows are about, in the order given."""
    present = set(rows["model"].unique().to_list())
    return [model for model in models if model.key in present]


def panel_letter(index: int) -> str:
    """Return the letter of a panel: a to z, then aa, ab and so on."""
    return ("" if index < 26 else chr(96 + index // 26)) + chr(97 + index % 26)


def labels(models: Sequence[Model]) -> Mapping[str, str]:
    """Return the models' names for people, by key."""
    return {model.key: model.label for model in models}


def _shade(color: str, place: int, count: int) -> str:
    if count == 1:
        return color
    blend = -DARKEST + (DARKEST + LIGHTEST) * place / (count - 1)
    edge = 1.0 if blend > 0 else 0.0
    red, green, blue = (part + (edge - part) * abs(blend) for part in to_rgb(color))
    return to_hex((red, green, blue))
