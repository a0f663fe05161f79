"""How wide the tables of a page are in a browser at most: in DejaVu Sans, wider than any font that the pages name."""

from html.parser import HTMLParser

from matplotlib.font_manager import findfont, get_font

from onkocode.reporting.html import CSS

WINDOW = 1400
BODY = 15  # px
MARGIN = 2 * 2 * 16  # left and right of the body, in px
PADDING = 2 * 0.6 * BODY


class _Cells(HTMLParser):
    """Collects, by table and row, the cells: lines of text, whether they wrap, are bold, and the columns they span."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[tuple[list[str], bool, bool, int]]]] = []
        self.head = self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "table":
            self.tables.append([])
        elif tag == "thead":
            self.head = True
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            wraps = tag == "th" or told.get("class") != "number"
            self.tables[-1][-1].append(([""], wraps, self.head, int(told.get("colspan") or 1)))
            self.inside = True
        elif tag == "br":
            self.tables[-1][-1][-1][0].append("")

    def handle_endtag(self, tag: str) -> None:
        self.head = self.head and tag != "thead"
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.tables[-1][-1][-1][0][-1] += data


def widths(page: str, wrapped: bool) -> list[float]:
    """Return the width of each table in px, with the body's margins.

    Headings are as narrow as their words allow; with ``wrapped``, cells are so as well.
    """
    assert f"padding: .28rem {PADDING / 2 / 16 / (BODY / 16):g}rem" in CSS.replace(" .6rem", " 0.6rem")
    return [_width(rows, wrapped) + MARGIN for rows in _Cells(page).tables]


def _width(rows: list[list[tuple[list[str], bool, bool, int]]], wrapped: bool) -> float:
    columns = [0.0] * sum(cell[3] for cell in rows[-1])
    for spanning in (False, True):
        for row in rows:
            place = 0
            for lines, wraps, bold, span in row:
                needed = PADDING + max(_text(line, bold, wraps and (wrapped or bold)) for line in lines)
                missing = needed - sum(columns[place : place + span])
                if missing > 0 and (span > 1) == spanning:
                    columns[place] += missing
                place += span
    return sum(columns)


def _text(text: str, bold: bool, wrapped: bool) -> float:
    font = get_font(findfont("DejaVu Sans:bold" if bold else "DejaVu Sans"))
    font.set_size(BODY, 72)
    found = 0.0
    for word in text.split() if wrapped else [text]:
        font.set_text(word)
        found = max(found, font.get_width_height()[0] / 64)
    return found
