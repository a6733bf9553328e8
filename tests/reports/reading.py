"""Reads a page as a browser does, with the parser of the standard library: its tables, headings, links, pictures."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "source", "path", "use", "rect", "col"}


@dataclass
class Cell:
    value: str = ""
    below: list[str] = field(default_factory=list)


@dataclass
class Table:
    caption: str = ""
    heads: list[str] = field(default_factory=list)
    rows: list[tuple[str, list[Cell]]] = field(default_factory=list)
    scopes: list[str | None] = field(default_factory=list)

    def column(self, head, row):
        """The cell of a row under a head."""
        (cells,) = [cells for title, cells in self.rows if title == row]
        return cells[self.heads.index(head) - 1]


class Page(HTMLParser):
    """A page that was read.

    Args:
        text: of the HTML file.
    """

    def __init__(self, text):
        super().__init__()
        self.tables, self.headings, self.elements, self.words = [], [], [], []
        self._open, self._quiet = [], 0
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self._open.append(tag)
        if tag in ("style", "svg"):
            self._quiet += 1
        if tag == "table":
            self.tables.append(Table())
        elif tag in ("h1", "h2", "h3", "h4"):
            self.headings.append((int(tag[1]), ""))
        elif tag == "tr" and "tbody" in self._open:
            self.tables[-1].rows.append(("", []))
        elif tag == "th":
            self.tables[-1].scopes.append(dict(attrs).get("scope"))
            if "thead" in self._open:
                self.tables[-1].heads.append("")
        elif tag == "td" and "tbody" in self._open:
            self.tables[-1].rows[-1][1].append(Cell())
        elif tag == "small" and "td" in self._open:
            self.tables[-1].rows[-1][1][-1].below.append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, tag
        assert self._open.pop() == tag, tag
        if tag in ("style", "svg"):
            self._quiet -= 1

    def handle_data(self, data):
        if self._quiet:
            return
        self.words.append(data)
        inside = set(self._open)
        if inside & {"h1", "h2", "h3", "h4"}:
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        elif "caption" in inside:
            self.tables[-1].caption += data
        elif "small" in inside and "td" in inside:
            self.tables[-1].rows[-1][1][-1].below[-1] += data
        elif "td" in inside and "tbody" in inside:
            self.tables[-1].rows[-1][1][-1].value += data
        elif "th" in inside and "thead" in inside:
            self.tables[-1].heads[-1] += data
        elif "th" in inside:
            title, cells = self.tables[-1].rows[-1]
            self.tables[-1].rows[-1] = (title + data, cells)

    @property
    def text(self):
        """What a reader sees, without the words in figures."""
        return " ".join(" ".join(self.words).split())

    def table(self, caption):
        """The one table of this caption."""
        (found,) = [table for table in self.tables if table.caption == caption]
        return found

    def all(self, tag):
        """The attributes of all elements of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]


def numbers(text):
    """The numbers in a text; a dash between two digits is none."""
    return [float(found) for found in re.findall(r"(?<![\d.])[-+]?\d+(?:\.\d+)?", text)]


def same(cell, entry, digits=3):
    """Whether a cell tells an entry of a JSON file, its interval too: to the last digit that is written."""
    if "n" in entry and "unit" not in entry:
        digits = min(digits, 1 if entry["n"] <= 10 else 2 if entry["n"] <= 100 else 3)
    close = 0.5 * 10**-digits * 1.001
    if entry["value"] is None:
        return cell.value.strip() == "–" and not cell.below
    near = abs(float(cell.value) - entry["value"]) <= close
    if entry["low"] is None:
        return near and not any("–" in line or " to " in line for line in cell.below)
    low, high = numbers(cell.below[0])
    return near and abs(low - entry["low"]) <= close and abs(high - entry["high"]) <= close
