"""Forest plots of subgroups: one metric in each group of patients, with its interval."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medvision.evaluation.text import interval_text, value_text
from medvision.reports.figures import COLOURS, INK, NAMES, STYLE

Entry = Mapping[str, Any]
Group = Mapping[str, Any]

LABEL = 24
MOST_LINES = 3
SMALL = 8.5


def subgroup_figure(column: Mapping[str, Any], overall: Entry | None = None) -> Figure | None:
    """The headline metric of the groups of one metadata column.

    Args:
        column: one of `subgroups.json`: column, metric, groups with name, n, patients and metrics, worst.
        overall: the entry of the same metric over all cases of the level, drawn as a line.

    Returns:
        The figure, the groups in their order; None where no group has a value.
    """
    metric, groups = column["metric"], column["groups"]
    entries = [group["metrics"].get(metric) or {"value": None, "low": None, "high": None} for group in groups]
    if all(entry["value"] is None for entry in entries):
        return None
    labels = [_label(group, worst=group["name"] == column.get("worst")) for group in groups]
    places, height = _places(labels)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.9, 1.1 + 0.17 * height), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="x", alpha=0.18, lw=0.6, color=INK)
        for place, group, entry in zip(places, groups, entries, strict=True):
            _draw(axes, entry, place, worst=group["name"] == column.get("worst"))
        for side, texts in ((axes, labels), (axes.twinx(), [_value(entry) for entry in entries])):
            side.set_yticks(places, texts, fontsize=9)
            side.set_ylim(height, 0)
            side.tick_params(axis="y", length=0)
        axes.set_xlabel(NAMES.get(metric, metric.replace("_", " ")))
        shown = [end for entry in [*entries, overall or {}] for end in _ends(entry)]
        room = max(0.02, 0.06 * (max(shown) - min(shown)))
        axes.set_xlim(max(-0.01, min(shown) - room), min(1.01, max(shown) + room))
        if overall is not None and overall["value"] is not None:
            said = f"all: {value_text(overall)}"
            axes.axvline(overall["value"], color=INK, lw=1.0, ls="--", label=said, zorder=0)
            handle = Line2D([], [], color=INK, lw=1.0, ls="--", label=said)
            figure.legend(handles=[handle], loc="outside lower right", fontsize=SMALL, frameon=False)
    return figure


def _ends(entry: Entry) -> list[float]:
    return [entry[key] for key in ("value", "low", "high") if entry.get(key) is not None]


def _label(group: Group, *, worst: bool) -> str:
    name = textwrap.wrap(str(group["name"]), LABEL) or [str(group["name"])]
    if len(name) > MOST_LINES:
        name = [*name[: MOST_LINES - 1], f"{name[MOST_LINES - 1][: LABEL - 1]}…"]
    count = f"n = {group['n']}"
    if group["patients"] != group["n"]:
        count += f", {group['patients']} {'patient' if group['patients'] == 1 else 'patients'}"
    return "\n".join([*name, count + (" · worst" if worst else "")])


def _places(labels: Sequence[str]) -> tuple[list[float], float]:
    """Where each row stands, counted in lines of text from the top, and the height of all: long names take more."""
    places, top = [], 0.0
    for label in labels:
        lines = label.count("\n") + 1.8
        places.append(top + lines / 2)
        top += lines
    return places, top


def _draw(axes: Axes, entry: Entry, place: float, *, worst: bool) -> None:
    if entry["value"] is None:
        return
    colour = COLOURS[1] if worst else COLOURS[0]
    if entry["low"] is not None:
        axes.hlines(place, entry["low"], entry["high"], color=colour, lw=1.8)
    # A shape beside the colour, for those who print in grey.
    marker = "D" if worst else "o"
    axes.plot([entry["value"]], [place], marker, ms=7, color=colour, mec=INK, mew=1.0, clip_on=False)


def _value(entry: Entry) -> str:
    interval = interval_text(entry)
    return value_text(entry) + (f"\n({interval})" if interval else "")
