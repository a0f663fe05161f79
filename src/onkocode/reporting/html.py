"""Tables as self-contained HTML files."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise

CSS = """
body { font: 15px/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: #1b1b1b; margin: 2rem; }
.wide { overflow-x: auto; }
h1 { font-size: 1.1em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-bottom: 1.6rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .6rem; }
th, td { padding: .28rem .6rem; text-align: left; vertical-align: top; }
thead th { vertical-align: bottom; border-bottom: 1.5px solid #1b1b1b; }
thead th.group { text-align: center; border-bottom: 1px solid #8a8a8a; }
thead tr.groups th { border-bottom-width: 1px; }
th.number, td.number { text-align: right; }
td.number { white-space: nowrap; }
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


@dataclass(frozen=True)
class Section:
    """A table of a page.

    Attributes:
        columns: headings; the first column names the row.
        rows: texts of the cells. A second line in a cell (after a newline) is set small.
        title: above the table; empty = that of the page.
        ruled: indices of rows with a line above.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    title: str = ""
    ruled: Sequence[int] = ()


def html_page(title: str, sections: Sequence[Section], notes: Sequence[str]) -> str:
    """Return an HTML document with one table or more, and their footnotes.

    Args:
        title: what the page shows.
        sections: its tables.
        notes: footnotes, a paragraph each.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
    """
    heading = f"<h1>{escape(title)}</h1>\n" if any(section.title for section in sections) else ""
    tables = "\n".join(_table(section, section.title or title) for section in sections)
    footnotes = "\n".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n{heading}"
        f'{tables}\n<div class="notes">\n{footnotes}\n</div>\n</body>\n</html>\n'
    )


def changes(places: Sequence[str]) -> list[int]:
    """Return the indices of what differs from what stands before it, as the rows with a line above."""
    return [index for index, (before, after) in enumerate(pairwise(places), start=1) if before != after]


def _table(section: Section, caption: str) -> str:
    body = "\n".join(_row(cells, section.columns, index in section.ruled) for index, cells in enumerate(section.rows))
    return (
        f'<div class="wide"><table>\n<caption>{escape(caption)}</caption>\n'
        f"<thead>\n{_head(section.columns)}\n</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


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
