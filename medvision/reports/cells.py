"""Tables of a report as plain values: a cell is a value and the small lines below it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medvision.evaluation.mask_text import measure_digits
from medvision.evaluation.text import interval_text, supported_digits, value_text

Entry = Mapping[str, Any]
Cell = tuple[str, list[str]]

DIGITS = 3


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a page.

    Args:
        caption: what it tells; no other table of the page has the same.
        heads: of the columns, that of the rows' names first.
        rows: (name, cells) each.
        notes: sentences below it.
        words: the cells hold sentences, not numbers.
    """

    caption: str
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    notes: Sequence[str] = ()
    words: bool = False


def entry_digits(entry: Entry, digits: int = DIGITS) -> int:
    """Decimals of an entry: what its number of cases supports, or three significant digits of a distance or an area.

    >>> entry_digits({"value": 0.91234, "n": 40}), entry_digits({"value": 12.34, "n": 40, "unit": "mm"})
    (2, 1)
    """
    return measure_digits(entry) if "unit" in entry else supported_digits(entry, digits)


def entry_cell(entry: Entry, digits: int = DIGITS) -> Cell:
    """An entry of `metrics.json`: its value; below it the interval, how many distances are infinite, and mean ± SD.

    >>> entry_cell({"value": 0.91234, "low": 0.85, "high": 0.95})
    ('0.912', ['0.850–0.950'])
    >>> entry_cell({"value": 12.34, "low": None, "high": None, "unit": "mm", "infinite": 2})
    ('12.3', ['2 infinite'])
    """
    digits = entry_digits(entry, digits)
    infinite = f"{entry['infinite']} infinite" if entry.get("infinite") else ""
    spread = spread_text(entry["folds"], digits) if "folds" in entry else ""
    lines = (interval_text(entry, digits), infinite, spread)
    return value_text(entry, digits), [line for line in lines if line]


def spread_text(found: Entry, digits: int = DIGITS) -> str:
    """Mean and standard deviation over folds; empty where no fold defines the metric.

    Args:
        found: mean, sd, n, and of how many folds.
        digits: behind the point.

    >>> spread_text({"mean": 0.9, "sd": 0.0312, "n": 4, "of": 5})
    '0.900 ± 0.031 (4 of 5)'
    """
    if found["mean"] is None:
        return ""
    spread = "" if found["sd"] is None else f" ± {found['sd']:.{digits}f}"
    some = f" ({found['n']} of {found['of']})" if found["n"] < found["of"] else ""
    return f"{found['mean']:.{digits}f}{spread}{some}"


def gap_cell(entry: Entry) -> Cell:
    """A difference: its sign always shown.

    >>> gap_cell({"value": 0.05, "low": -0.01, "high": 0.11})
    ('+0.050', ['-0.010 to +0.110'])
    """
    if entry["value"] is None:
        return value_text(entry), []
    digits = supported_digits(entry, DIGITS)
    interval = [] if entry["low"] is None else [f"{entry['low']:+z.{digits}f} to {entry['high']:+z.{digits}f}"]
    return f"{entry['value']:+z.{digits}f}", interval


def count_cell(count: int | None, below: str = "") -> Cell:
    """A count, with its thousands apart; a dash where it is not known.

    >>> count_cell(12345, "12 patients")
    ('12,345', ['12 patients'])
    """
    return "–" if count is None else f"{count:,}", [below] if below else []
