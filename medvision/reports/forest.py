"""Forest plots: a value with its interval a row."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medvision.reports.figures import COLOURS, INK, STYLE

Entry = Mapping[str, Any]

LABEL = 26
MOST_LINES = 3
_SMALL = 9


@dataclass(frozen=True)
class ForestRow:
    """A row of a forest plot.

    Args:
        label: what it is of; long ones are broken.
        entry: value, low and high; None where undefined.
        text: what stands at its right, the value and its interval in lines.
        marked: drawn in another colour and shape.
    """

    label: str
    entry: Entry
    text: str
    marked: bool = False


def forest_figure(
    rows: Sequence[ForestRow], xlabel: str, *, line: float | None = None, limits: tuple[float, float] | None = None
) -> Figure | None:
    """A value with its interval a row, names at the left, numbers at the right.

    Args:
        rows: from the top.
        xlabel: name of the values.
        line: where a vertical line stands, such as 0 for differences; it is always within the axes.
        limits: how far the axes may reach at most, such as 0 to 1; None for no bounds.

    Returns:
        The figure; None where no row has a value.
    """
    if all(row.entry["value"] is None for row in rows):
        return None
    labels = [_broken(row.label) for row in rows]
    places, height = _places(
        [max(label.count("\n"), row.text.count("\n")) + 1 for label, row in zip(labels, rows, strict=True)]
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.7, 0.85 + 0.17 * height), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="x", alpha=0.18, lw=0.6, color=INK)
        if line is not None:
            axes.axvline(line, color=INK, lw=1.0, ls="--", zorder=0)
        for place, row in zip(places, rows, strict=True):
            _draw(axes, row, place)
        for side, texts in ((axes, labels), (axes.twinx(), [row.text for row in rows])):
            side.set_yticks(places, texts, fontsize=_SMALL)
            side.set_ylim(height, 0)
            side.tick_params(axis="y", length=0)
        axes.set_xlabel(xlabel)
        axes.set_xlim(*_reach(rows, line, limits))
        axes.locator_params(axis="x", nbins=5)
    return figure


def _broken(label: str) -> str:
    lines = textwrap.wrap(label, LABEL) or [label]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1][: LABEL - 1]}…"]
    return "\n".join(lines)


def _places(lines: Sequence[int]) -> tuple[list[float], float]:
    """Where each row stands, counted in lines of text from the top, and the height of all."""
    places, top = [], 0.0
    for count in lines:
        places.append(top + (count + 0.9) / 2)
        top += count + 0.9
    return places, top


def _draw(axes: Axes, row: ForestRow, place: float) -> None:
    entry = row.entry
    if entry["value"] is None:
        return
    colour = COLOURS[1] if row.marked else COLOURS[0]
    if entry["low"] is not None:
        axes.hlines(place, entry["low"], entry["high"], color=colour, lw=1.8)
    # A shape beside the colour, for those who print in grey.
    axes.plot([entry["value"]], [place], "D" if row.marked else "o", ms=7, color=colour, mec=INK, mew=1.0)


def _reach(rows: Sequence[ForestRow], line: float | None, limits: tuple[float, float] | None) -> tuple[float, float]:
    shown = [row.entry[key] for row in rows for key in ("value", "low", "high") if row.entry.get(key) is not None]
    shown += [] if line is None else [line]
    alike = max(shown) - min(shown) < 1e-9
    room = 0.05 if alike else max(0.02 * max(map(abs, shown)), 0.08 * (max(shown) - min(shown)))
    low, high = min(shown) - room, max(shown) + room
    # A little beyond the bounds, so that a point on one of them is whole.
    return (low, high) if limits is None else (max(low, limits[0] - 0.015), min(high, limits[1] + 0.015))
