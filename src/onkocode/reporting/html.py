"""Tables as self-contained HTML files."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

from onkocode.records.files import write_text

CSS = """
body { font: 15px/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: #1b1b1b; margin: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .6rem; }
th, td { padding: .28rem .7rem; text-align: left; vertical-align: top; white-space: nowrap; }
thead th { vertical-align: bottom; border-bottom: 1.5px solid #1b1b1b; }
thead th.group { text-align: center; border-bottom: 1px solid #8a8a8a; }
thead tr.groups th { border-bottom-width: 1px; }
th.number, td.number { text-align: right; }
tbody th { font-weight: 400; }
tbody tr { border-bottom: 1px solid #e2e2e2; }
tbody tr.rule { border-top: 1.5px solid #8a8a8a; }
td small { color: #5a5a5a; font-size: .8em; }
.notes { max-width: 60rem; color: #3c3c3c; font-size: .9em; }
"""


@dataclass(frozen=True)
class Column:
    """A column's heading; neighbours of the same group share a heading above theirs."""

    title: str
    number: bool = True
    group: str = ""


def html_page(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
    ruled: Sequence[int] = (),
) -> str:
    """Return an HTML document with one table and its footnotes.

    Args:
        caption: what the table shows; title of the page as well.
        columns: headings; the first column names the row.
        rows: texts of the cells. A second line in a cell (after a newline) is set small.
        notes: footnotes, a paragraph each.
        ruled: indices of rows with a line above.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
    """
    body = "\n".join(_row(cells, columns, index in ruled) for index, cells in enumerate(rows))
    footnotes = "\n".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(caption)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        f'<div class="wide"><table>\n<caption>{escape(caption)}</caption>\n<thead>\n{_head(columns)}\n</thead>\n'
        f'<tbody>\n{body}\n</tbody>\n</table></div>\n<div class="notes">\n{footnotes}\n</div>\n</body>\n</html>\n'
    )


def write_html(page: str, path: Path) -> None:
    """Write a page atomically; raises ValueError when ``path`` does not end in .html."""
    if path.suffix != ".html":
        raise ValueError(f"{path}: a table's path ends in .html")
    write_text(path, page)


def _head(columns: Sequence[Column]) -> str:
    titles = "".join(f'<th scope="col"{_class(column)}>{escape(column.title)}</th>' for column in columns)
    if not any(column.group for column in columns):
        return f"<tr>{titles}</tr>"
    groups = ""
    for group, members in groupby(columns, key=lambda column: column.group):
        span = len(list(members))
        groups += (
            f'<th scope="colgroup" class="group" colspan="{span}">{escape(group)}</th>'
            if group
            else (f'<td colspan="{span}"></td>')
        )
    return f'<tr class="groups">{groups}</tr>\n<tr>{titles}</tr>'


def _row(cells: Sequence[str], columns: Sequence[Column], ruled: bool) -> str:
    texts = [f"<td{_class(column)}>{_cell(cell)}</td>" for column, cell in zip(columns, cells, strict=True)]
    texts[0] = f'<th scope="row"{_class(columns[0])}>{_cell(cells[0])}</th>'
    opening = '<tr class="rule">' if ruled else "<tr>"
    return f"{opening}{''.join(texts)}</tr>"


def _cell(text: str) -> str:
    first, _, rest = text.partition("\n")
    return escape(first) + (f"<br><small>{escape(rest)}</small>" if rest else "")


def _class(column: Column) -> str:
    return ' class="number"' if column.number else ""
