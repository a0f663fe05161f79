"""Tables for the terminal: aligned columns, numbers to the right with separators for thousands."""

from collections.abc import Sequence

Cell = str | int | float | None
NOTHING = "–"


def text_table(header: Sequence[str], rows: Sequence[Sequence[Cell]], left: int = 1) -> str:
    """Return lines with a header, a rule and the rows.

    Args:
        header: titles of the columns.
        rows: numbers, texts, or None for a dash.
        left: how many of the first columns are aligned to the left.

    Raises:
        ValueError: a row has more or fewer cells than the header.
    """
    cells = [list(header), *[[_text(cell) for cell in row] for row in rows]]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    lines = ["  ".join(_padded(*place, left) for place in enumerate(zip(line, widths, strict=True))) for line in cells]
    return "\n".join(line.rstrip() for line in (lines[0], "  ".join("-" * width for width in widths), *lines[1:]))


def difference(own: int | None, other: int | None) -> str | None:
    """Return how much one number exceeds the other, with its sign; None where either is missing."""
    if own is None or other is None:
        return None
    return f"{own - other:+,}" if own != other else "0"


def _padded(index: int, cell: tuple[str, int], left: int) -> str:
    text, width = cell
    return text.ljust(width) if index < left else text.rjust(width)


def _text(cell: Cell) -> str:
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return cell
    return f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}"
